//! The record of a file: what is kept besides its content, and the names and types that are safe
//! to hand on.

use serde::{Deserialize, Serialize};

use crate::model::{AgentId, ChatId, CustomerId, FileId, Micros};

use super::{FilesError, Result};

/// An uploaded file, without its content. The content never changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    pub id: FileId,
    pub customer: CustomerId,
    /// Who uploaded it.
    pub owner: AgentId,
    /// What it was called, made safe.
    pub name: String,
    /// Its media type as the client stated it, without parameters.
    pub mime: String,
    /// Bytes of its content.
    pub size: u64,
    pub created: Micros,
    pub updated: Micros,
    /// Chats in which a message carries it, or was about to; the oldest attachment first.
    pub chats: Vec<ChatId>,
}

/// The version of the record's form that is written here.
const VERSION: u8 = 1;

#[derive(Serialize, Deserialize)]
struct Stored {
    v: u8,
    id: uuid::Uuid,
    customer: uuid::Uuid,
    owner: uuid::Uuid,
    name: String,
    mime: String,
    size: u64,
    created: u64,
    updated: u64,
    chats: Vec<uuid::Uuid>,
}

impl File {
    /// The bytes that are stored.
    pub(super) fn encode(&self) -> Result<Vec<u8>> {
        let stored = Stored {
            v: VERSION,
            id: self.id.0,
            customer: self.customer.0,
            owner: self.owner.0,
            name: self.name.clone(),
            mime: self.mime.clone(),
            size: self.size,
            created: self.created.0,
            updated: self.updated.0,
            chats: self.chats.iter().map(|chat| chat.0).collect(),
        };
        serde_json::to_vec(&stored).map_err(|error| FilesError::Corrupt(error.to_string()))
    }

    /// Reads what [`Self::encode`] gave.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self> {
        #[derive(Deserialize)]
        struct Version {
            v: u8,
        }
        let corrupt = |error: serde_json::Error| FilesError::Corrupt(error.to_string());
        let Version { v } = serde_json::from_slice(bytes).map_err(corrupt)?;
        if v != VERSION {
            return Err(FilesError::Corrupt(format!("version {v} is not {VERSION}")));
        }
        let stored: Stored = serde_json::from_slice(bytes).map_err(corrupt)?;
        Ok(Self {
            id: FileId(stored.id),
            customer: CustomerId(stored.customer),
            owner: AgentId(stored.owner),
            name: stored.name,
            mime: stored.mime,
            size: stored.size,
            created: Micros(stored.created),
            updated: Micros(stored.updated),
            chats: stored.chats.into_iter().map(ChatId).collect(),
        })
    }

    /// The media type to answer a download with. Types that a browser might run become plain
    /// bytes.
    #[must_use]
    pub fn served_mime(&self) -> &str {
        let active = ["html", "xml", "javascript", "ecmascript", "x-shockwave-flash", "multipart/"];
        if active.iter().any(|part| self.mime.contains(part)) { UNKNOWN_MIME } else { &self.mime }
    }
}

const UNKNOWN_MIME: &str = "application/octet-stream";
const UNKNOWN_NAME: &str = "file";
/// Most bytes of a name: what file systems take.
const NAME_BYTES_MAX: usize = 255;
/// Most bytes of a media type: twice what RFC 6838 allows for each half is more than enough.
const MIME_BYTES_MAX: usize = 255;

/// The last part of a path, without what could deceive a person or a terminal: control characters
/// and those that turn the direction of writing. Never empty, `.` or `..`.
pub(super) fn safe_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let deceives = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    let plain: String = last.chars().filter(|c| !deceives(*c)).collect();
    let mut plain = plain.trim();
    while plain.len() > NAME_BYTES_MAX {
        let mut rest = plain.chars();
        rest.next_back();
        plain = rest.as_str();
    }
    if matches!(plain, "" | "." | "..") { UNKNOWN_NAME.to_owned() } else { plain.to_owned() }
}

/// The media type without parameters, in lower case; plain bytes when it is none.
pub(super) fn safe_mime(mime: &str) -> String {
    match mime.parse::<mime::Mime>() {
        Ok(mime) if mime.essence_str().len() <= MIME_BYTES_MAX && mime.type_() != mime::STAR => {
            mime.essence_str().to_ascii_lowercase()
        }
        _ => UNKNOWN_MIME.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn file(name: &str, mime: &str) -> File {
        File {
            id: FileId::random(),
            customer: CustomerId::random(),
            owner: AgentId::random(),
            name: safe_name(name),
            mime: safe_mime(mime),
            size: 7,
            created: Micros(1),
            updated: Micros(2),
            chats: vec![ChatId::random(), ChatId::random()],
        }
    }

    proptest! {
        #[test]
        fn what_is_stored_is_read_again(name in "\\PC{0,40}", mime in "\\PC{0,20}") {
            let file = file(&name, &mime);
            prop_assert_eq!(File::decode(&file.encode().expect("bytes")).expect("a file"), file);
        }

        #[test]
        fn a_name_is_safe_whatever_came(name in any::<String>()) {
            let safe = safe_name(&name);
            prop_assert!(!safe.is_empty() && safe.len() <= 255);
            prop_assert!(!safe.contains(['/', '\\', '\0', '\n', '\r']));
            prop_assert_eq!(safe_name(&safe), safe.clone());
        }
    }

    #[test]
    fn names_lose_their_path_and_nothing_else() {
        for (name, safe) in [
            ("report.pdf", "report.pdf"),
            ("Überweisung – März.pdf", "Überweisung – März.pdf"),
            ("../../etc/passwd", "passwd"),
            ("C:\\Users\\me\\photo.jpg", "photo.jpg"),
            ("photo\u{202e}gpj.exe", "photogpj.exe"),
            ("a\r\nSet-Cookie: x", "aSet-Cookie: x"),
            ("..", "file"),
            (" ", "file"),
            ("", "file"),
        ] {
            assert_eq!(safe_name(name), safe, "{name:?}");
        }
        assert_eq!(safe_name(&"ä".repeat(200)).len(), 254);
    }

    #[test]
    fn what_a_browser_might_run_is_served_as_bytes() {
        for (mime, served) in [
            ("image/png", "image/png"),
            ("Text/Plain; charset=utf-8", "text/plain"),
            ("application/pdf", "application/pdf"),
            ("text/html", "application/octet-stream"),
            ("image/svg+xml", "application/octet-stream"),
            ("application/xhtml+xml", "application/octet-stream"),
            ("text/javascript", "application/octet-stream"),
            ("nonsense", "application/octet-stream"),
            ("*/*", "application/octet-stream"),
        ] {
            assert_eq!(file("x", mime).served_mime(), served, "{mime}");
        }
    }

    #[test]
    fn a_record_of_another_version_is_refused_by_name() {
        let text = String::from_utf8(file("x", "").encode().expect("bytes")).expect("text");
        let error = File::decode(text.replace("\"v\":1", "\"v\":9").as_bytes()).expect_err("unknown");
        assert_eq!(error.to_string(), "record of a file: version 9 is not 1");
    }
}
