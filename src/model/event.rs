//! What happens in a chat. A chat is the fold of its events; the log keeps nothing else as truth.

use super::chat::ChatKind;
use super::ids::{AgentId, CustomerId, ParticipantId};
use super::message::Post;
use super::position::Position;
use super::time::Micros;

/// Sixty-four bits of an entry. They tell whether an attempt whose outcome was lost is in the log
/// already, and whether the history a client saw is this one. The first bit says whether the others
/// are random or stand for a client's idempotency key.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Nonce(pub u64);

impl Nonce {
    /// Draws a new one.
    #[must_use]
    pub fn random() -> Self {
        Self(rand::random::<u64>() & !Self::KEYED)
    }

    const KEYED: u64 = 1 << 63;

    /// The one that stands for an idempotency key, whose digest this is.
    #[must_use]
    pub fn of_key(digest: u64) -> Self {
        Self(digest | Self::KEYED)
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
    /// An agent put an emoji on a message, or took it off. Which one is kept with the message
    /// alone, so that a deletion has one place to empty.
    ReactionChanged {
        message: Micros,
        agent: AgentId,
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

macro_rules! event_kinds {
    ($($(#[doc = $doc:literal])+ $name:ident = $wire:literal;)*) => {
        /// What an event is, without what it says.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum EventKind { $($(#[doc = $doc])+ $name,)* }

        impl EventKind {
            /// All of them, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The wire's name of such an event.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $wire,)* }
            }

            /// What it tells those who hear it.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc),+).trim_ascii(),)* }
            }
        }
    };
}

event_kinds! {
    /// A chat was made. It is the chat's first event, and its first members make none of their own.
    ChatCreated = "chat_created";
    /// Name or detail changed.
    ChatUpdated = "chat_updated";
    /// The chat was deleted. Its members can still read it, and nobody changes it any more.
    ChatDeleted = "chat_deleted";
    /// A message was posted, or the hub said who joined or left.
    MessageCreated = "chatmessage_created";
    /// A message was emptied by its author. Its place in the thread stays.
    MessageDeleted = "chatmessage_deleted";
    /// An emoji was put on a message or taken back; the message comes with all that are there now.
    ReactionChanged = "chatmessage_reaction_updated";
    /// An agent is a member from here on, and hears this and everything after it.
    ParticipantAdded = "chatparticipant_added";
    /// An agent is no member any more. It is the last event of the chat that the agent hears.
    ParticipantRemoved = "chatparticipant_removed";
}

impl Event {
    /// What it is.
    #[must_use]
    pub fn kind(&self) -> EventKind {
        match self {
            Self::ChatCreated { .. } => EventKind::ChatCreated,
            Self::ChatUpdated { .. } => EventKind::ChatUpdated,
            Self::ChatDeleted => EventKind::ChatDeleted,
            Self::MessageCreated(_) => EventKind::MessageCreated,
            Self::MessageDeleted { .. } => EventKind::MessageDeleted,
            Self::ReactionChanged { .. } => EventKind::ReactionChanged,
            Self::ParticipantAdded { .. } => EventKind::ParticipantAdded,
            Self::ParticipantRemoved { .. } => EventKind::ParticipantRemoved,
        }
    }

    /// The wire's name of the event.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.kind().as_str()
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
