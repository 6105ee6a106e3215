//! What is looked at in an event: its chat, its number, its cursor, and the stamp that says when it should have been sent.
//!
//! Events are recognised by the bytes around what is sought, which takes a fraction of what parsing would. Where the shape
//! is another than the hub writes, the JSON is parsed: slower, never wrong.

use memchr::memmem::{Finder, FinderRev};
use serde::Deserialize;

/// The bytes of a chat's id as it is written.
pub type ChatId = [u8; 36];
/// A place in the run's clock, and the node that it was sent through, as they stand in a text: `~`, 12 hexadecimal digits
/// of microseconds, 2 of the node, `~`.
pub const STAMP_BYTES: usize = 16;
/// How far from the end of an event its number is sought. Cursor and timestamp take up to 170.
const TAIL_BYTES: usize = 320;

/// When a message should have been sent, in microseconds of the run's clock, and the node it was sent through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    pub micros: u64,
    pub node: u8,
}

impl Stamp {
    /// A text of so many bytes that begins with the stamp; at least [`STAMP_BYTES`].
    #[must_use]
    pub fn text(self, bytes: usize) -> String {
        let mut text = format!("~{:012x}{:02x}~", self.micros & 0xffff_ffff_ffff, self.node);
        while text.len() < bytes {
            let left = bytes - text.len();
            text.push_str(FILLING.get(..left.min(FILLING.len())).unwrap_or(FILLING));
        }
        text
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let digits = bytes.get(1..15)?;
        let mut value = 0_u64;
        for digit in digits {
            let digit = match digit {
                b'0'..=b'9' => digit - b'0',
                b'a'..=b'f' => digit - b'a' + 10,
                _ => return None,
            };
            value = value << 4 | u64::from(digit);
        }
        (bytes.get(15) == Some(&b'~')).then_some(Self { micros: value >> 8, node: (value & 0xff) as u8 })
    }
}

/// As compressible as people's words, and nothing that JSON would escape.
const FILLING: &str =
    " the quick brown fox jumps over the lazy dog and does it again because nobody was looking at it then";

/// An event of a chat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event<'a> {
    pub chat: &'a ChatId,
    pub seq: u64,
    pub cursor: &'a [u8],
    /// Only in a new message that was sent by this program.
    pub stamp: Option<Stamp>,
}

/// What came in a frame.
#[derive(Debug, PartialEq, Eq)]
pub enum Said<'a> {
    Event(Event<'a>),
    /// Something else: an answer, an error, news without a number.
    Other,
}

/// Finds events. It remembers where the last stamp was, since most events are alike.
#[derive(Debug)]
pub struct Finders {
    seq: FinderRev<'static>,
    text: Finder<'static>,
    stamp_at: usize,
}

impl Default for Finders {
    fn default() -> Self {
        Self { seq: FinderRev::new(SEQ), text: Finder::new(TEXT), stamp_at: 0 }
    }
}

const SEQ: &[u8] = b"\",\"seq\":";
const CHAT: &[u8] = b"\"chat_id\":\"";
const CURSOR: &[u8] = b",\"cursor\":\"";
const TEXT: &[u8] = b"\"text\":\"~";
const CREATED: &[u8] = b"{\"type\":\"chatmessage_created\"";

impl Finders {
    /// What a payload is, which begins with `{`.
    pub fn look<'a>(&mut self, payload: &'a [u8]) -> Said<'a> {
        let event = self.by_shape(payload).or_else(|| by_parsing(payload));
        let Some(mut event) = event else { return Said::Other };
        if payload.starts_with(CREATED) {
            event.stamp = self.stamp(payload);
        }
        Said::Event(event)
    }

    fn by_shape<'a>(&self, payload: &'a [u8]) -> Option<Event<'a>> {
        let tail_at = payload.len().saturating_sub(TAIL_BYTES);
        let at = tail_at + self.seq.rfind(payload.get(tail_at..)?)?;
        let id_at = at.checked_sub(36)?;
        let chat = payload.get(id_at..at)?.try_into().ok()?;
        if payload.get(id_at.checked_sub(CHAT.len())?..id_at)? != CHAT {
            return None;
        }
        let (seq, rest) = number(payload.get(at + SEQ.len()..)?)?;
        let cursor = rest.strip_prefix(CURSOR)?;
        let cursor = cursor.get(..memchr::memchr(b'"', cursor)?)?;
        Some(Event { chat, seq, cursor, stamp: None })
    }

    fn stamp(&mut self, payload: &[u8]) -> Option<Stamp> {
        let expected = payload.get(self.stamp_at..self.stamp_at + TEXT.len());
        if expected != Some(TEXT) {
            self.stamp_at = self.text.find(payload)?;
        }
        Stamp::read(payload.get(self.stamp_at + TEXT.len() - 1..)?)
    }
}

/// The number at the begin of some bytes, and what follows it.
#[must_use]
pub fn number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let digits = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = bytes.split_at_checked(digits)?;
    if digits.is_empty() || digits.len() > 19 {
        return None;
    }
    Some((digits.iter().fold(0, |value, digit| value * 10 + u64::from(digit - b'0')), rest))
}

#[derive(Deserialize)]
struct Parsed<'a> {
    #[serde(borrow)]
    chat_id: Option<&'a str>,
    seq: Option<u64>,
    #[serde(borrow)]
    cursor: Option<&'a str>,
    #[serde(borrow)]
    r#type: Option<&'a str>,
}

fn by_parsing(payload: &[u8]) -> Option<Event<'_>> {
    let parsed: Parsed<'_> = serde_json::from_slice(payload).ok()?;
    if !parsed.r#type?.starts_with("chat") {
        return None;
    }
    let chat = parsed.chat_id?.as_bytes().try_into().ok()?;
    Some(Event { chat, seq: parsed.seq?, cursor: parsed.cursor?.as_bytes(), stamp: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "113b002a-93e5-49ce-baf2-3b70c1c43c86";

    fn hub(text: &str) -> String {
        format!(
            r#"{{"type":"chatmessage_created","data":{{"id":"x","chat_id":"{ID}","text":"{text}","seq":2}},"chat_id":"{ID}","seq":42,"cursor":"AcHE","timestamp":"2026-11-22 19:22:24.555655"}}"#
        )
    }

    fn event(payload: &str) -> Event<'_> {
        let Said::Event(event) = Finders::default().look(payload.as_bytes()) else { panic!("no event: {payload}") };
        event
    }

    #[test]
    fn a_hubs_event_is_read_with_the_number_of_the_event_and_not_that_of_the_message() {
        let stamp = Stamp { micros: 123_456_789, node: 2 };
        let text = stamp.text(200);
        assert_eq!(text.len(), 200);
        let payload = hub(&text);
        let event = event(&payload);
        assert_eq!((event.seq, event.cursor, event.stamp), (42, b"AcHE".as_slice(), Some(stamp)));
        assert_eq!(event.chat, ID.as_bytes());
    }

    #[test]
    fn stamps_are_found_wherever_they_are() {
        let mut finders = Finders::default();
        for (name, micros) in [("", 1), ("a longer name", 2), ("", 3)] {
            let text = Stamp { micros, node: 0 }.text(16);
            let payload = hub(&text).replace(r#""id":"x""#, &format!(r#""id":"{name}""#));
            let Said::Event(event) = finders.look(payload.as_bytes()) else { panic!("no event") };
            assert_eq!(event.stamp.map(|stamp| stamp.micros), Some(micros));
        }
    }

    #[test]
    fn another_shape_is_read_all_the_same() {
        let payload =
            format!(r#"{{ "seq": 7, "cursor": "c", "chat_id": "{ID}", "type": "chat_updated", "data": {{}} }}"#);
        assert_eq!((event(&payload).seq, event(&payload).stamp), (7, None));
        // The fast way must not take the message's number for the event's.
        let nested = format!(
            r#"{{"type":"chat_updated","seq":9,"cursor":"c","chat_id":"{ID}","data":{{"chat_id":"{ID}","seq":1}}}}"#
        );
        assert_eq!(event(&nested).seq, 9);
    }

    #[test]
    fn answers_are_no_events() {
        for payload in [
            format!(r#"{{"type":"subscribed","id":"s","chats":{{"{ID}":{{"seq":1,"cursor":"c","recovered":true}}}}}}"#),
            format!(r#"{{"type":"resync","chat_id":"{ID}","reason":"rewritten","seq":3,"cursor":"c"}}"#),
            r#"{"type":"agent_status_updated","data":{}}"#.to_owned(),
            "{".to_owned(),
        ] {
            assert_eq!(Finders::default().look(payload.as_bytes()), Said::Other, "{payload}");
        }
    }
}
