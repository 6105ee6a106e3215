//! What can be asked of a chat, and what it answers.

use crate::model::{AgentId, ChatKind, CustomerId, Media, MessageId, Micros, ParticipantId};
use crate::store::Page;
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
    Message(MessageId),
}

/// What a chat answers.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    Chat(Box<ChatView>),
    Participant(ParticipantResource),
    Participants(Vec<ParticipantResource>),
    Message(Box<MessageResource>),
    Messages(Vec<MessageResource>),
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
