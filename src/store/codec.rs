//! Log entries and overlays as bytes: compact, with a version in front.
//!
//! An entry is `version(1) seq(5) nonce(8) kind(1) payload`, numbers big-endian. Version, number
//! and nonce stand at fixed places so that a script can write the number and compare the nonce
//! without understanding the rest. Lengths inside payloads are LEB128.
//!
//! An overlay is `version(1) flags(1) count reaction* updated(8)`, a reaction
//! `emoji agent(16) at(8)`. The moment that the store fills in, [`Micros::ZERO`] until then, stands
//! last for that reason: one moment after a reaction was taken off or the message deleted, two
//! (the new reaction's, which is the last one, and the overlay's) after one was put on.

use crate::model::chat::ChatKind;
use crate::model::{
    AgentId, CustomerId, Event, FileId, Media, Micros, Nonce, Overlay, Owner, ParticipantId, Post, Reaction, Record,
};

use super::{Result, StoreError};

/// The version of what is written. Others are refused, with the version named.
pub const VERSION: u8 = 1;

/// Where the nonce begins in an entry: after version and number.
pub const NONCE_OFFSET: usize = 6;
/// Where the kind stands in an entry.
pub const KIND_OFFSET: usize = 14;
/// The kind of an entry that is a message; others are no part of a page of messages.
pub const KIND_MESSAGE: u8 = b'm';

const SYSTEM: u8 = 1;
const HAS_PARENT: u8 = 2;
const DELETED: u8 = 1;

/// The entry of a record. Its moment is not in it: the log has that as the entry's name.
#[must_use]
pub fn entry(record: &Record) -> Vec<u8> {
    let mut out = Writer::versioned();
    out.0.extend_from_slice(&record.seq.to_be_bytes()[3..]);
    out.0.extend_from_slice(&tail(record.nonce, &record.event));
    out.0
}

/// An entry from its nonce on: what is left for a store that writes version and number itself.
#[must_use]
pub fn tail(nonce: Nonce, event: &Event) -> Vec<u8> {
    let mut out = Writer(Vec::with_capacity(192));
    out.u64(nonce.0);
    out.event(event);
    out.0
}

/// Reads an entry that stood in the log at this moment.
///
/// # Errors
/// [`StoreError::Corrupt`] for another version, and for anything that is not an entry.
pub fn read_entry(at: Micros, bytes: &[u8]) -> Result<Record> {
    let mut input = Reader::versioned(bytes, "log entry")?;
    let mut seq = [0; 8];
    seq[3..].copy_from_slice(input.take(5)?);
    let nonce = Nonce(input.u64()?);
    let event = input.event()?;
    Ok(Record { seq: u64::from_be_bytes(seq), at, nonce, event })
}

/// The bytes of an overlay; none at all for that of an untouched message.
#[must_use]
pub fn overlay(overlay: &Overlay) -> Vec<u8> {
    if *overlay == Overlay::default() {
        return Vec::new();
    }
    let mut out = Writer::versioned();
    out.u8(if overlay.deleted { DELETED } else { 0 });
    out.len(overlay.reactions.len());
    for reaction in &overlay.reactions {
        out.text(&reaction.emoji);
        out.0.extend_from_slice(&reaction.agent.bytes());
        out.u64(reaction.at.0);
    }
    out.u64(overlay.updated.unwrap_or_default().0);
    out.0
}

/// How many moments at the end of a fresh overlay's bytes are the store's to fill in: 1 or 2.
#[must_use]
pub fn open_moments(overlay: &Overlay) -> usize {
    1 + usize::from(overlay.reactions.last().is_some_and(|reaction| reaction.at == Micros::ZERO))
}

/// Reads an overlay's bytes; no bytes are an untouched message.
///
/// # Errors
/// [`StoreError::Corrupt`] for another version, and for anything that is not an overlay.
pub fn read_overlay(bytes: &[u8]) -> Result<Overlay> {
    if bytes.is_empty() {
        return Ok(Overlay::default());
    }
    let mut input = Reader::versioned(bytes, "overlay")?;
    let deleted = input.u8()? & DELETED != 0;
    let count = input.len()?;
    let mut reactions = Vec::with_capacity(count.min(1024));
    for _ in 0..count {
        let emoji = input.text()?;
        let agent = AgentId::from_bytes(input.sixteen()?);
        reactions.push(Reaction { emoji, agent, at: Micros(input.u64()?) });
    }
    let updated = Some(Micros(input.u64()?));
    Ok(Overlay { reactions, updated, deleted })
}

/// Writes the little that all stored forms are made of.
pub(crate) struct Writer(pub(crate) Vec<u8>);

impl Writer {
    /// Begins with the version.
    pub(crate) fn versioned() -> Self {
        Self(vec![VERSION])
    }

    pub(crate) fn u8(&mut self, value: u8) {
        self.0.push(value);
    }

    pub(crate) fn u64(&mut self, value: u64) {
        self.0.extend_from_slice(&value.to_be_bytes());
    }

    /// A length or a count, as LEB128.
    pub(crate) fn len(&mut self, mut value: usize) {
        while value >= 0x80 {
            self.0.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.len(bytes.len());
        self.0.extend_from_slice(bytes);
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    fn event(&mut self, event: &Event) {
        match event {
            Event::ChatCreated { customer, kind, name, detail, members } => {
                self.u8(b'c');
                self.0.extend_from_slice(&customer.bytes());
                self.u8(kind_byte(*kind));
                self.text(name);
                self.text(detail);
                self.len(members.len());
                for (agent, participant) in members {
                    self.0.extend_from_slice(&agent.bytes());
                    self.0.extend_from_slice(&participant.bytes());
                }
            }
            Event::ChatUpdated { name, detail } => {
                self.u8(b'u');
                self.text(name);
                self.text(detail);
            }
            Event::ChatDeleted => self.u8(b'd'),
            Event::MessageCreated(post) => {
                self.u8(KIND_MESSAGE);
                self.post(post);
            }
            Event::MessageDeleted { message } => {
                self.u8(b'x');
                self.u64(message.0);
            }
            Event::ReactionChanged { message, agent, added } => {
                self.u8(if *added { b'+' } else { b'-' });
                self.u64(message.0);
                self.0.extend_from_slice(&agent.bytes());
            }
            Event::ParticipantAdded { agent, participant } => {
                self.u8(b'j');
                self.0.extend_from_slice(&agent.bytes());
                self.0.extend_from_slice(&participant.bytes());
            }
            Event::ParticipantRemoved { agent, participant, joined } => {
                self.u8(b'l');
                self.0.extend_from_slice(&agent.bytes());
                self.0.extend_from_slice(&participant.bytes());
                self.u64(joined.0);
            }
        }
    }

    fn post(&mut self, post: &Post) {
        let (flags, owner) = match post.owner {
            Owner::Agent(agent) => (0, Some(agent)),
            Owner::System => (SYSTEM, None),
        };
        self.u8(flags | if post.parent.is_some() { HAS_PARENT } else { 0 });
        if let Some(agent) = owner {
            self.0.extend_from_slice(&agent.bytes());
        }
        if let Some(parent) = post.parent {
            self.u64(parent.0);
        }
        self.text(&post.text);
        self.len(post.medias.len());
        for media in &post.medias {
            self.media(media);
        }
    }

    fn media(&mut self, media: &Media) {
        match media {
            Media::File { file, name } => {
                self.u8(b'f');
                self.0.extend_from_slice(&file.bytes());
                self.text(name);
            }
            Media::Link { url } => {
                self.u8(b'l');
                self.text(url);
            }
            Media::Agent { agent } => {
                self.u8(b'a');
                self.0.extend_from_slice(&agent.bytes());
            }
            Media::Address { json } => {
                self.u8(b'p');
                self.text(json);
            }
            Media::External { mime, url, name } => {
                self.u8(b'e');
                self.text(mime);
                self.text(url);
                self.text(name);
            }
        }
    }
}

/// Reads what [`Writer`] wrote; never past the end.
pub(crate) struct Reader<'a> {
    left: &'a [u8],
    what: &'static str,
}

impl<'a> Reader<'a> {
    /// Begins with the version, and refuses another than ours.
    pub(crate) fn versioned(bytes: &'a [u8], what: &'static str) -> Result<Self> {
        let mut reader = Self { left: bytes, what };
        match reader.u8()? {
            VERSION => Ok(reader),
            other => {
                Err(StoreError::Corrupt(format!("{what} of schema version {other}; this hub reads version {VERSION}")))
            }
        }
    }

    fn corrupt(&self) -> StoreError {
        StoreError::Corrupt(format!("malformed {}", self.what))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.left.is_empty()
    }

    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let (taken, left) = self.left.split_at_checked(count).ok_or_else(|| self.corrupt())?;
        self.left = left;
        Ok(taken)
    }

    pub(crate) fn u8(&mut self) -> Result<u8> {
        Ok(self.take(1)?[0])
    }

    pub(crate) fn u64(&mut self) -> Result<u64> {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(self.take(8)?);
        Ok(u64::from_be_bytes(bytes))
    }

    pub(crate) fn sixteen(&mut self) -> Result<[u8; 16]> {
        let mut bytes = [0; 16];
        bytes.copy_from_slice(self.take(16)?);
        Ok(bytes)
    }

    pub(crate) fn len(&mut self) -> Result<usize> {
        let mut value = 0usize;
        for shift in (0..35).step_by(7) {
            let byte = self.u8()?;
            value |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(self.corrupt())
    }

    pub(crate) fn bytes(&mut self) -> Result<&'a [u8]> {
        let count = self.len()?;
        self.take(count)
    }

    pub(crate) fn text(&mut self) -> Result<String> {
        let bytes = self.bytes()?;
        String::from_utf8(bytes.to_vec()).map_err(|_| self.corrupt())
    }

    fn event(&mut self) -> Result<Event> {
        Ok(match self.u8()? {
            b'c' => {
                let customer = CustomerId::from_bytes(self.sixteen()?);
                let kind = self.u8()?;
                let kind = read_kind(kind).ok_or_else(|| self.corrupt())?;
                let (name, detail) = (self.text()?, self.text()?);
                let count = self.len()?;
                let mut members = Vec::with_capacity(count.min(1024));
                for _ in 0..count {
                    let agent = AgentId::from_bytes(self.sixteen()?);
                    members.push((agent, ParticipantId::from_bytes(self.sixteen()?)));
                }
                Event::ChatCreated { customer, kind, name, detail, members }
            }
            b'u' => Event::ChatUpdated { name: self.text()?, detail: self.text()? },
            b'd' => Event::ChatDeleted,
            KIND_MESSAGE => Event::MessageCreated(self.post()?),
            b'x' => Event::MessageDeleted { message: Micros(self.u64()?) },
            sign @ (b'+' | b'-') => Event::ReactionChanged {
                message: Micros(self.u64()?),
                agent: AgentId::from_bytes(self.sixteen()?),
                added: sign == b'+',
            },
            b'j' => Event::ParticipantAdded {
                agent: AgentId::from_bytes(self.sixteen()?),
                participant: ParticipantId::from_bytes(self.sixteen()?),
            },
            b'l' => Event::ParticipantRemoved {
                agent: AgentId::from_bytes(self.sixteen()?),
                participant: ParticipantId::from_bytes(self.sixteen()?),
                joined: Micros(self.u64()?),
            },
            _ => return Err(self.corrupt()),
        })
    }

    fn post(&mut self) -> Result<Post> {
        let flags = self.u8()?;
        let owner =
            if flags & SYSTEM != 0 { Owner::System } else { Owner::Agent(AgentId::from_bytes(self.sixteen()?)) };
        let parent = if flags & HAS_PARENT != 0 { Some(Micros(self.u64()?)) } else { None };
        let text = self.text()?;
        let count = self.len()?;
        let mut medias = Vec::with_capacity(count.min(64));
        for _ in 0..count {
            medias.push(self.media()?);
        }
        Ok(Post { owner, parent, text, medias })
    }

    fn media(&mut self) -> Result<Media> {
        Ok(match self.u8()? {
            b'f' => Media::File { file: FileId::from_bytes(self.sixteen()?), name: self.text()? },
            b'l' => Media::Link { url: self.text()? },
            b'a' => Media::Agent { agent: AgentId::from_bytes(self.sixteen()?) },
            b'p' => Media::Address { json: self.text()? },
            b'e' => Media::External { mime: self.text()?, url: self.text()?, name: self.text()? },
            _ => return Err(self.corrupt()),
        })
    }
}

pub(crate) fn kind_byte(kind: ChatKind) -> u8 {
    match kind {
        ChatKind::Direct => b'd',
        ChatKind::Group => b'g',
        ChatKind::Talk => b't',
    }
}

pub(crate) fn read_kind(byte: u8) -> Option<ChatKind> {
    match byte {
        b'd' => Some(ChatKind::Direct),
        b'g' => Some(ChatKind::Group),
        b't' => Some(ChatKind::Talk),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
