//! The contract of the logs: what is appended to a chat, on which conditions, and how it is read.

use async_trait::async_trait;

use crate::model::{Chat, ChatId, ChatKey, Event, FileId, Message, Micros, Nonce, Overlay, Position, Record, Roster};

use super::{Result, StoreError};

/// The logs of the chats, and the state that is their fold.
#[async_trait]
pub trait ChatLog: Send + Sync {
    /// The store's clock, as the chat of this key sees it.
    async fn now(&self, chat: ChatKey) -> Result<Micros>;

    /// Appends events and makes what follows from them true; see [`Commit`].
    async fn commit(&self, commit: &Commit) -> std::result::Result<Committed, CommitError>;

    /// Returns once all that is in the chat's log by now is kept at the durability that is set: for
    /// answers that rest on what others wrote.
    async fn assure(&self, chat: ChatKey) -> Result<()>;

    /// The chat as it is now, without its messages; `None` when there is none of this key.
    async fn load(&self, chat: ChatKey) -> Result<Option<Snapshot>>;

    /// The newest event's position, [`Position::START`] when there is no such chat.
    async fn head(&self, chat: ChatKey) -> Result<Position>;

    /// Events number `from` and later, in order, at most `limit`.
    async fn events(&self, chat: ChatKey, from: u64, limit: usize) -> Result<Vec<Record>>;

    /// Messages of the chat on one side of a moment, deleted ones as tombstones.
    async fn messages(&self, chat: ChatKey, page: Page) -> Result<Vec<Message>>;

    /// Direct replies to the message of this moment, likewise.
    async fn replies(&self, chat: ChatKey, parent: Micros, page: Page) -> Result<Vec<Message>>;

    /// The messages that were created at these moments; `None` where there is none. At most 1,000.
    async fn messages_at(&self, chat: ChatKey, at: &[Micros]) -> Result<Vec<Option<Message>>>;

    /// Whether a message of the chat that is not deleted carries the file.
    async fn carries(&self, chat: ChatKey, file: FileId) -> Result<bool>;
}

/// A stretch of a chat's messages.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    pub side: Side,
    /// How many at most. The answer is shorter only when there are no more.
    pub limit: usize,
}

/// On which side of a moment, itself excluded, and in which order.
#[derive(Clone, Copy, Debug)]
pub enum Side {
    /// Older than this, newest first.
    Before(Micros),
    /// Newer than this, oldest first.
    After(Micros),
}

/// One command's worth of events: all are appended, one after the other, or none. A reply to a
/// message that is not in the log is a conflict.
#[derive(Clone, Debug)]
pub struct Commit {
    pub chat: ChatId,
    pub expect: Expect,
    /// Set when an earlier attempt may have succeeded: the first entry's nonce is looked for among
    /// the events after this number, and found, answers for this commit. A number that the log has
    /// not reached is a conflict: the history that the caller saw is not this one.
    pub retry_after: Option<u64>,
    /// The newest event that the decision knew. If that is not in the log, it was made on another
    /// history: a conflict.
    pub known: Option<Position>,
    /// One or two; in the log and on the wire they follow each other without a gap. A first nonce
    /// that stands for an idempotency key ([`Nonce::of_key`]) is remembered with the chat for 24
    /// hours, so that a failover that keeps the event keeps that too.
    pub entries: Vec<Entry>,
}

/// What must be so for a commit to be made; else [`CommitError::Conflict`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// No chat of this key exists. The first entry gets exactly this moment.
    Absent { at: Micros },
    /// The newest event that changed the chat or its roster ([`Event::changes_rules`]) is this one.
    Rules(u64),
}

/// An event to append.
#[derive(Clone, Debug)]
pub struct Entry {
    pub nonce: Nonce,
    pub event: Event,
    /// For events that change an older message, and only for these.
    pub touch: Option<Touch>,
}

/// A change of an older message: made only if nobody else changed it meanwhile.
#[derive(Clone, Debug)]
pub struct Touch {
    /// The message as the decision saw it. Its overlay must still be this one.
    pub before: Message,
    /// What becomes of it. [`Micros::ZERO`] in `updated`, and as the moment of the last reaction,
    /// stand for the moment the event gets.
    pub overlay: Overlay,
}

/// A commit that is in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The events as they stand in the log: with their numbers and moments.
    pub records: Vec<Record>,
    /// Whether an earlier attempt had put them there.
    pub repeated: bool,
    /// Nonce of the event before them, where the store says it.
    pub previous: Option<Nonce>,
}

/// Why a commit was not made.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// What was expected is not so: read again, decide again.
    #[error("decided on a state that is no longer")]
    Conflict,
    /// [`Expect::Absent`], but another chat has this key: draw another id.
    #[error("key taken by another chat")]
    KeyTaken,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A chat without its messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    pub chat: Chat,
    pub roster: Roster,
    pub head: Position,
    /// Number of the newest event that changed the chat or its roster.
    pub rules: u64,
}
