//! What nodes are told over the channels: one message per commit, one per notice.
//!
//! A commit is `version(1) nonce(8) event*`, with the nonce of the entry before it (zero before the
//! first): who hears it knows whether it belongs behind what was heard before. An event is
//! `at(8) length(4) entry flag(1)`, and with flag 1 `at(8) length(4) entry length(4) overlay
//! replies(4)` of the older message that it changed, as that is now: who hears it needs no read.
//! `commit.lua` writes it.
//!
//! A notice is `number(8) version(1) kind(1) payload`; the script puts the number in front.

use crate::model::{AgentId, ChatId, ChatKey, CustomerId, Event, Message, Micros, Nonce};
use crate::store::codec::{self, Reader, Writer};
use crate::store::{Arrival, Head, Notice, Result, StoreError};

/// Reads a commit.
///
/// # Errors
/// [`StoreError::Corrupt`] for another version, and for anything that is not a commit.
pub(crate) fn read_commit(bytes: &[u8]) -> Result<Vec<Arrival>> {
    let mut input = Reader::versioned(bytes, "published commit")?;
    let mut previous = Some(Nonce(input.u64()?));
    let mut arrivals = Vec::with_capacity(2);
    while !input.is_empty() {
        let at = Micros(input.u64()?);
        let record = codec::read_entry(at, sized(&mut input)?)?;
        let message = match input.u8()? {
            0 => None,
            _ => {
                let at = Micros(input.u64()?);
                let entry = sized(&mut input)?;
                let overlay = sized(&mut input)?;
                Some(message(at, entry, overlay, four(&mut input)?)?)
            }
        };
        if record.seq == 1 {
            previous = None;
        }
        let nonce = record.nonce;
        arrivals.push(Arrival { record, message, previous });
        previous = Some(nonce);
    }
    Ok(arrivals)
}

/// A message, from its entry and what became of it.
///
/// # Errors
/// [`StoreError::Corrupt`] when the bytes are not that.
pub(crate) fn message(at: Micros, entry: &[u8], overlay: &[u8], replies: u32) -> Result<Message> {
    let record = codec::read_entry(at, entry)?;
    let Event::MessageCreated(post) = record.event else {
        return Err(StoreError::Corrupt("log entry that is no message".to_owned()));
    };
    Ok(Message { seq: record.seq, at, post, overlay: codec::read_overlay(overlay)?, replies })
}

fn four(input: &mut Reader<'_>) -> Result<u32> {
    Ok(input.take(4)?.iter().fold(0, |number, byte| (number << 8) | u32::from(*byte)))
}

fn sized<'a>(input: &mut Reader<'a>) -> Result<&'a [u8]> {
    let length = four(input)?;
    input.take(length as usize)
}

/// A notice without its number.
pub(crate) fn notice(notice: &Notice) -> Vec<u8> {
    let mut out = Writer::versioned();
    match notice {
        Notice::Announced { chat, agents } => {
            out.u8(b'a');
            out.0.extend_from_slice(&chat.bytes());
            out.len(agents.len());
            for agent in agents {
                out.0.extend_from_slice(&agent.bytes());
            }
        }
        Notice::AgentChanged { agent } => {
            out.u8(b'c');
            out.0.extend_from_slice(&agent.bytes());
        }
        Notice::AgentStatus { json } => {
            out.u8(b's');
            out.text(json);
        }
    }
    out.0
}

/// Reads a notice with its number.
///
/// # Errors
/// [`StoreError::Corrupt`] for another version, and for anything that is not a notice.
pub(crate) fn read_notice(bytes: &[u8]) -> Result<(u64, Notice)> {
    let malformed = || StoreError::Corrupt("malformed notice".to_owned());
    let (number, rest) = bytes.split_first_chunk::<8>().ok_or_else(malformed)?;
    let mut input = Reader::versioned(rest, "notice")?;
    let notice = match input.u8()? {
        b'a' => {
            let chat = ChatId::from_bytes(input.sixteen()?);
            let count = input.len()?;
            let mut agents = Vec::with_capacity(count.min(1024));
            for _ in 0..count {
                agents.push(AgentId::from_bytes(input.sixteen()?));
            }
            Notice::Announced { chat, agents }
        }
        b'c' => Notice::AgentChanged { agent: AgentId::from_bytes(input.sixteen()?) },
        b's' => Notice::AgentStatus { json: input.text()? },
        _ => return Err(malformed()),
    };
    Ok((u64::from_be_bytes(*number), notice))
}

/// Where chats and customers stand: `version(1)`, and of each `'c' key(8) number(8)` or
/// `'n' customer(16) number(8)`.
pub(crate) fn heads(heads: &[Head]) -> Vec<u8> {
    let mut out = Writer::versioned();
    for head in heads {
        let number = match head {
            Head::Chat(chat, number) => {
                out.u8(b'c');
                out.0.extend_from_slice(&chat.0.to_be_bytes());
                number
            }
            Head::Customer(customer, number) => {
                out.u8(b'n');
                out.0.extend_from_slice(&customer.bytes());
                number
            }
        };
        out.0.extend_from_slice(&number.to_be_bytes());
    }
    out.0
}

/// Reads what [`heads`] wrote.
///
/// # Errors
/// [`StoreError::Corrupt`] for another version, and for anything else.
pub(crate) fn read_heads(bytes: &[u8]) -> Result<Vec<Head>> {
    let mut input = Reader::versioned(bytes, "heads")?;
    let mut heads = Vec::with_capacity(bytes.len() / 17);
    while !input.is_empty() {
        heads.push(match input.u8()? {
            b'c' => Head::Chat(ChatKey(input.u64()?), input.u64()?),
            b'n' => Head::Customer(CustomerId::from_bytes(input.sixteen()?), input.u64()?),
            _ => return Err(StoreError::Corrupt("malformed heads".to_owned())),
        });
    }
    Ok(heads)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notices_are_read_as_they_were_written() {
        let notices = [
            Notice::Announced { chat: ChatId::random(), agents: vec![AgentId::random(), AgentId::random()] },
            Notice::AgentChanged { agent: AgentId::random() },
            Notice::AgentStatus { json: "{\"status\":\"away\"}".to_owned() },
        ];
        for sent in notices {
            let bytes = [&7u64.to_be_bytes()[..], &notice(&sent)].concat();
            assert_eq!(read_notice(&bytes).unwrap(), (7, sent));
            for cut in 0..bytes.len() {
                assert!(read_notice(&bytes[..cut]).is_err(), "cut at {cut}");
            }
        }
    }

    #[test]
    fn heads_are_read_as_they_were_written() {
        let customer = Head::Customer(CustomerId::from_bytes([3; 16]), 7);
        let said = [Head::Chat(ChatKey(7), 9), customer, Head::Chat(ChatKey(u64::MAX), 1)];
        let bytes = heads(&said);
        assert_eq!(read_heads(&bytes).unwrap(), said);
        assert_eq!(read_heads(&heads(&[])).unwrap(), []);
        assert!(read_heads(&bytes[..bytes.len() - 1]).is_err());
    }

    #[test]
    fn what_is_not_a_commit_is_refused() {
        for wrong in [&[][..], &[9], &[1, 0, 0], &[1, 0, 0, 0, 0, 0, 0, 0, 1, 255, 255, 255, 255]] {
            assert!(read_commit(wrong).is_err(), "{wrong:?}");
        }
    }
}
