//! The nouns of the field, and the rules that need nothing but them.
//!
//! This room is pure: it knows no JSON, no actor, no Redis and no clock. Everything to the right
//! of it may use it; it uses nothing of ours.

pub mod chat;
pub mod event;
pub mod ids;
pub mod limits;
pub mod message;
pub mod participant;
pub mod people;
pub mod position;
pub mod time;

pub use chat::{Chat, ChatKind};
pub use event::{Event, EventKind, Nonce, Record};
pub use ids::{AccessKeyId, AgentId, ChatId, ChatKey, CustomerId, FileId, MessageId, ParticipantId};
pub use limits::Limits;
pub use message::{Media, Message, Overlay, Owner, Post, Reaction};
pub use participant::{Participant, Roster};
pub use people::{Caller, Permissions};
pub use position::Position;
pub use time::Micros;
