//! What happens in a chat. A chat is the fold of its events; the log keeps nothing else as truth.

use super::chat::ChatKind;
use super::ids::{AgentId, CustomerId, ParticipantId};
use super::message::Post;
use super::position::Position;
use super::time::Micros;

/// Sixty-four random bits of an entry. They tell whether an attempt whose outcome was lost is in
/// the log already, and whether the history a client saw is this one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Nonce(pub u64);

impl Nonce {
    /// Draws a new one.
    #[must_use]
    pub fn random() -> Self {
        Self(rand::random())
    }
}

/// One event of a chat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    ChatCreated {
        customer: CustomerId,
        kind: ChatKind,
        name: String,
        detail: String,
        /// The first members. They make no events of their own.
        members: Vec<(AgentId, ParticipantId)>,
    },
    ChatUpdated {
        name: String,
        detail: String,
    },
    ChatDeleted,
    MessageCreated(Post),
    /// The message that was created at this moment is emptied.
    MessageDeleted {
        message: Micros,
    },
    ReactionChanged {
        message: Micros,
        agent: AgentId,
        emoji: String,
        added: bool,
    },
    ParticipantAdded {
        agent: AgentId,
        participant: ParticipantId,
    },
    ParticipantRemoved {
        agent: AgentId,
        participant: ParticipantId,
        joined: Micros,
    },
}

impl Event {
    /// The wire's name of the event.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::ChatCreated { .. } => "chat_created",
            Self::ChatUpdated { .. } => "chat_updated",
            Self::ChatDeleted => "chat_deleted",
            Self::MessageCreated(_) => "chatmessage_created",
            Self::MessageDeleted { .. } => "chatmessage_deleted",
            Self::ReactionChanged { .. } => "chatmessage_reaction_updated",
            Self::ParticipantAdded { .. } => "chatparticipant_added",
            Self::ParticipantRemoved { .. } => "chatparticipant_removed",
        }
    }

    /// The older message this event changes, if any.
    #[must_use]
    pub fn changes_message(&self) -> Option<Micros> {
        match self {
            Self::MessageDeleted { message } | Self::ReactionChanged { message, .. } => Some(*message),
            Self::ChatCreated { .. }
            | Self::ChatUpdated { .. }
            | Self::ChatDeleted
            | Self::MessageCreated(_)
            | Self::ParticipantAdded { .. }
            | Self::ParticipantRemoved { .. } => None,
        }
    }

    /// Whether it changes who may do what: then a decision made before it must be made again.
    #[must_use]
    pub fn changes_rules(&self) -> bool {
        match self {
            Self::ChatCreated { .. }
            | Self::ChatUpdated { .. }
            | Self::ChatDeleted
            | Self::ParticipantAdded { .. }
            | Self::ParticipantRemoved { .. } => true,
            Self::MessageCreated(_) | Self::MessageDeleted { .. } | Self::ReactionChanged { .. } => false,
        }
    }
}

/// An event with its place in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub seq: u64,
    pub at: Micros,
    pub nonce: Nonce,
    pub event: Event,
}

impl Record {
    /// Where this record stands, and in which history.
    #[must_use]
    pub fn position(&self) -> Position {
        Position { seq: self.seq, at: self.at, nonce: self.nonce }
    }
}
