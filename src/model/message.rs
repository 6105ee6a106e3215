//! What is said in a chat, and what others make of it.

use super::ids::{AgentId, ChatKey, FileId, MessageId};
use super::time::Micros;

/// Who a message is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Owner {
    /// An agent wrote it: type `normal`.
    Agent(AgentId),
    /// The hub says that somebody came or went: type `system`.
    System,
}

/// Something attached to a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Media {
    /// An uploaded file, with the name it had.
    File { file: FileId, name: String },
    /// An address on the web.
    Link { url: String },
    /// An agent, as a card.
    Agent { agent: AgentId },
    /// An address of VoIPBIN's; a JSON object, kept as it came.
    Address { json: String },
    /// The struct page's form: a MIME type with an address and a name.
    External { mime: String, url: String, name: String },
}

/// What a message was when it was posted. Never changes, except that a deletion empties it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Post {
    pub owner: Owner,
    /// Creation of the message this one replies to; with the chat's key that is its id.
    pub parent: Option<Micros>,
    pub text: String,
    pub medias: Vec<Media>,
}

/// One agent's emoji on a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reaction {
    pub emoji: String,
    pub agent: AgentId,
    pub at: Micros,
}

/// What became of a message since it was posted. Most messages have none.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Overlay {
    /// In the order in which they were made.
    pub reactions: Vec<Reaction>,
    /// When a reaction or the deletion last changed the message.
    pub updated: Option<Micros>,
    /// Whether `updated` was the deletion: then the post is empty and there are no reactions.
    pub deleted: bool,
}

/// A message as it is now: what was posted, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Number of its `chatmessage_created`, for good.
    pub seq: u64,
    pub at: Micros,
    pub post: Post,
    pub overlay: Overlay,
    /// Direct replies, deleted ones included.
    pub replies: u32,
}

impl Overlay {
    /// The state after the agent's emoji was put on, at `at`; `None` when it is there already.
    #[must_use]
    pub fn with(&self, emoji: &str, agent: AgentId, at: Micros) -> Option<Self> {
        if self.reactions.iter().any(|r| r.agent == agent && r.emoji == emoji) {
            return None;
        }
        let mut next = self.clone();
        next.reactions.push(Reaction { emoji: emoji.to_owned(), agent, at });
        next.updated = Some(at);
        Some(next)
    }

    /// The state after the agent's emoji was taken off, at `at`; `None` when it is not there.
    #[must_use]
    pub fn without(&self, emoji: &str, agent: AgentId, at: Micros) -> Option<Self> {
        let place = self.reactions.iter().position(|r| r.agent == agent && r.emoji == emoji)?;
        let mut next = self.clone();
        next.reactions.remove(place);
        next.updated = Some(at);
        Some(next)
    }

    /// The state after the message was deleted at `at`.
    #[must_use]
    pub fn tombstone(at: Micros) -> Self {
        Self { reactions: Vec::new(), updated: Some(at), deleted: true }
    }

    /// How many different emoji there are.
    #[must_use]
    pub fn emoji_count(&self) -> usize {
        let mut seen: Vec<&str> = self.reactions.iter().map(|r| r.emoji.as_str()).collect();
        seen.sort_unstable();
        seen.dedup();
        seen.len()
    }
}

impl Post {
    /// What is left of it once it is deleted: its place in the thread and its author.
    #[must_use]
    pub fn emptied(&self) -> Self {
        Self { owner: self.owner, parent: self.parent, text: String::new(), medias: Vec::new() }
    }

    /// The uploaded files it carries, each once.
    #[must_use]
    pub fn files(&self) -> Vec<FileId> {
        let mut files: Vec<FileId> = self
            .medias
            .iter()
            .filter_map(|media| match media {
                Media::File { file, .. } => Some(*file),
                Media::Link { .. } | Media::Agent { .. } | Media::Address { .. } | Media::External { .. } => None,
            })
            .collect();
        files.sort_unstable();
        files.dedup();
        files
    }
}

impl Message {
    /// The message's id in its chat.
    #[must_use]
    pub fn id(&self, chat: ChatKey) -> MessageId {
        MessageId::new(self.at, chat)
    }

    /// Empties it: nothing that was said is left.
    pub fn delete(&mut self, at: Micros) {
        self.post = self.post.emptied();
        self.overlay = Overlay::tombstone(at);
    }

    /// When it last changed.
    #[must_use]
    pub fn updated(&self) -> Micros {
        self.overlay.updated.unwrap_or(self.at)
    }
}
