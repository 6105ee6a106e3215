//! What can be asked of a chat, and what it answers.

use bytes::Bytes;

use crate::model::{AgentId, ChatKind, CustomerId, Media, MessageId, Micros, ParticipantId};
use crate::store::{Page, Side};
use crate::wire::ApiError;
use crate::wire::resources::{ChatResource, MessageResource, ParticipantResource};

/// Something that may change the chat.
#[derive(Clone, Debug)]
pub enum Command {
    /// Make the chat, at a moment the store gave. One that is there already is the answer.
    Create {
        customer: CustomerId,
        kind: ChatKind,
        name: String,
        detail: String,
        members: Vec<AgentId>,
        at: Micros,
    },
    Update {
        name: Option<String>,
        detail: Option<String>,
    },
    Delete,
    /// Take an agent in. With `joins` the caller takes itself in.
    Add {
        agent: AgentId,
        /// For the system message.
        name: String,
        joins: bool,
    },
    Remove {
        participant: ParticipantId,
        /// The leaver's name, for the system message.
        name: String,
    },
    Post {
        parent: Option<MessageId>,
        text: String,
        medias: Vec<Media>,
    },
    DeleteMessage {
        message: MessageId,
    },
    React {
        message: MessageId,
        emoji: String,
        added: bool,
    },
}

/// Something that changes nothing.
#[derive(Clone, Copy, Debug)]
pub enum Question {
    Chat,
    Participants,
    /// A page of the messages; with `parent`, of the direct replies to that message.
    Messages {
        page: Page,
        parent: Option<MessageId>,
    },
    /// The newest messages, as the page that goes out.
    Newest {
        limit: usize,
    },
    Message(MessageId),
}

impl Question {
    /// The page that is asked for, when it is one of the chat's messages.
    #[must_use]
    pub fn page(&self) -> Option<Page> {
        match self {
            Self::Messages { page, parent: None } => Some(*page),
            Self::Newest { limit } => Some(Page { side: Side::Before(Micros::MAX), limit: *limit }),
            Self::Messages { parent: Some(_), .. } | Self::Chat | Self::Participants | Self::Message(_) => None,
        }
    }
}

/// What a chat answers.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    Chat(Box<ChatView>),
    Participant(ParticipantResource),
    Participants(Vec<ParticipantResource>),
    Message(Box<MessageResource>),
    Messages(Vec<MessageResource>),
    /// A page of messages as it goes out.
    Newest(Bytes),
}

// Who asks knows what is answered. Each fails with INTERNAL, a fault of ours, if it is something else.
impl Answer {
    /// The chat, which was asked for or changed.
    pub fn into_chat(self) -> Result<ChatView, ApiError> {
        match self {
            Self::Chat(view) => Ok(*view),
            _ => Err(unexpected()),
        }
    }

    /// The participant that was taken in or out.
    pub fn into_participant(self) -> Result<ParticipantResource, ApiError> {
        match self {
            Self::Participant(participant) => Ok(participant),
            _ => Err(unexpected()),
        }
    }

    /// All participants of the chat.
    pub fn into_participants(self) -> Result<Vec<ParticipantResource>, ApiError> {
        match self {
            Self::Participants(all) => Ok(all),
            _ => Err(unexpected()),
        }
    }

    /// The message that was asked for, made or changed.
    pub fn into_message(self) -> Result<MessageResource, ApiError> {
        match self {
            Self::Message(message) => Ok(*message),
            _ => Err(unexpected()),
        }
    }

    /// The page of messages.
    pub fn into_messages(self) -> Result<Vec<MessageResource>, ApiError> {
        match self {
            Self::Messages(messages) => Ok(messages),
            _ => Err(unexpected()),
        }
    }

    /// The newest page, as it goes out.
    pub fn into_newest(self) -> Result<Bytes, ApiError> {
        match self {
            Self::Newest(page) => Ok(page),
            _ => Err(unexpected()),
        }
    }
}

fn unexpected() -> ApiError {
    ApiError::internal("a chat answered with something else")
}

/// A chat as a caller sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct ChatView {
    pub resource: ChatResource,
    pub kind: ChatKind,
    pub deleted: bool,
    /// Whether the caller is a member.
    pub member: bool,
    pub created: Micros,
    /// When its newest event was: nothing of it is newer.
    pub newest: Micros,
}
