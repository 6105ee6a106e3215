//! A chat's own record as bytes: `version id(16) customer(16) kind created updated deleted name
//! detail`, numbers big-endian, [`Micros::ZERO`] for a chat that is not deleted.

use super::super::codec::{Reader, Writer, kind_byte, read_kind};
use super::super::{Result, StoreError};
use crate::model::{Chat, ChatId, CustomerId, Micros};

/// The bytes of a chat.
pub(super) fn chat(chat: &Chat) -> Vec<u8> {
    let mut out = Writer::versioned();
    out.0.extend_from_slice(&chat.id.bytes());
    out.0.extend_from_slice(&chat.customer.bytes());
    out.u8(kind_byte(chat.kind));
    out.u64(chat.created.0);
    out.u64(chat.updated.0);
    out.u64(chat.deleted.unwrap_or_default().0);
    out.text(&chat.name);
    out.text(&chat.detail);
    out.0
}

/// Reads a chat's bytes.
pub(super) fn read_chat(bytes: &[u8]) -> Result<Chat> {
    let mut input = Reader::versioned(bytes, "chat")?;
    let id = ChatId::from_bytes(input.sixteen()?);
    let customer = CustomerId::from_bytes(input.sixteen()?);
    let kind = read_kind(input.u8()?).ok_or_else(|| StoreError::Corrupt("malformed chat".to_owned()))?;
    let (created, updated) = (Micros(input.u64()?), Micros(input.u64()?));
    let deleted = Some(Micros(input.u64()?)).filter(|at| *at != Micros::ZERO);
    let (name, detail) = (input.text()?, input.text()?);
    Ok(Chat { id, customer, kind, name, detail, created, updated, deleted })
}
