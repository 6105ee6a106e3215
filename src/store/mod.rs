//! What has been said. The log of each chat is the truth; everything else in here is an index
//! that helps to find it, or a record of a person or a file.
//!
//! The contract stands in this file; [`embedded`] and [`redis`] are its two bodies, and one suite
//! of tests runs over both. What every body promises:
//!
//! * **One atomic act.** [`ChatLog::commit`] checks its preconditions, takes the next numbers,
//!   appends, changes the state and publishes, or does none of it. No two nodes can break a rule
//!   between them, and nothing is ever stored but unheard of, or heard of but not stored.
//! * **Numbers have no holes.** The events of a chat are 1, 2, 3, ... and their moments strictly
//!   increase; the store's clock gives them.
//! * **Once.** An entry's [`Nonce`] is its name. A commit that may have been tried before says so
//!   (`retry_after`), and what is in the log already is answered again instead of being appended.
//! * **Acknowledged is kept**, at the durability that the store is configured for.
//! * **Deleted is gone.** After a commit of [`Event::MessageDeleted`] the text is in no record.
//! * **Indexes may hold too much, never too little.** They are written before what they point to
//!   ([`ChatIndex::announce`]) and filtered by the truth when read.
//!
//! Nothing waits for ever: a call ends within `store.wait_ms`, with [`StoreError::Unavailable`]
//! when the store did not answer. Then the outcome of a commit is unknown, and the same commit
//! with `retry_after` set settles it.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use tokio::sync::mpsc;

use crate::model::chat::Pair;
use crate::model::{
    AgentId, Chat, ChatId, ChatKey, CustomerId, Event, FileId, Message, Micros, Nonce, Overlay, Position, Record,
    Roster,
};

pub mod codec;
pub mod embedded;
pub mod opening;
pub mod redis;

/// Why the store did not do as asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No answer in time. A write may or may not have happened. Trying again is right.
    #[error("store unavailable: {0}")]
    Unavailable(String),
    /// Something is stored that this version cannot read. Trying again does not help.
    #[error("stored data not understood: {0}")]
    Corrupt(String),
}

/// How a call to the store ends.
pub type Result<T> = std::result::Result<T, StoreError>;

// ---------------------------------------------------------------------------------------- chats

/// The logs of the chats, and the state that is their fold.
#[async_trait]
pub trait ChatLog: Send + Sync {
    /// The store's clock, as the chat of this key sees it.
    async fn now(&self, chat: ChatKey) -> Result<Micros>;

    /// Appends events and makes what follows from them true; see [`Commit`].
    async fn commit(&self, commit: &Commit) -> std::result::Result<Committed, CommitError>;

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

/// One command's worth of events: all are appended, one after the other, or none.
#[derive(Clone, Debug)]
pub struct Commit {
    pub chat: ChatId,
    pub expect: Expect,
    /// Set when an earlier attempt may have succeeded: the first entry's nonce is looked for among
    /// the events after this number, and found, answers for this commit.
    pub retry_after: Option<u64>,
    /// One or two; in the log and on the wire they follow each other without a gap.
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

// ----------------------------------------------------------------------------------- across chats

/// What spans chats. Everything here belongs to one customer.
#[async_trait]
pub trait ChatIndex: Send + Sync {
    /// Makes the chat findable for these agents, and tells every node ([`Notice::Announced`]).
    /// Called before the commit that takes them in. `at` is the chat's creation.
    async fn announce(&self, customer: CustomerId, chat: ChatId, at: Micros, scope: Scope<'_>) -> Result<()>;

    /// Takes the chat out of what these agents find, some time after they left. The entry stays
    /// for at least an hour, in which announcing it again keeps it.
    async fn forget(&self, customer: CustomerId, chat: ChatId, agents: &[AgentId]) -> Result<()>;

    /// Takes a deleted chat out of every list: of its members, the channels and the customer.
    async fn bury(&self, customer: CustomerId, chat: ChatId, agents: &[AgentId]) -> Result<()>;

    /// Chats in a list: newest created first (oldest first after [`Around::After`]), ties by id.
    async fn chats(
        &self,
        customer: CustomerId,
        list: ChatList,
        around: Around,
        limit: usize,
    ) -> Result<Vec<(Micros, ChatId)>>;

    /// How many chats the list holds; never less than the truth.
    async fn chats_len(&self, customer: CustomerId, list: ChatList) -> Result<usize>;

    /// The one chat of the pair. Puts `candidate` there when there is none, or when the one there
    /// is `instead_of`; answers with the one that is there afterwards.
    async fn claim_pair(
        &self,
        customer: CustomerId,
        pair: Pair,
        candidate: ChatId,
        instead_of: Option<ChatId>,
    ) -> Result<ChatId>;

    /// The one claim of an agent's idempotency key. Puts `claim` there when there is none for
    /// 24 hours; answers with the one that is there afterwards, or `None` when the agent used more
    /// than `per_hour` new keys in this hour.
    async fn claim_key(
        &self,
        customer: CustomerId,
        agent: AgentId,
        key: &str,
        claim: &[u8],
        per_hour: u32,
    ) -> Result<Option<Vec<u8>>>;

    /// Replaces the claim of a key, for as long as it has left; nothing happens if it is gone.
    async fn settle_key(&self, customer: CustomerId, agent: AgentId, key: &str, claim: &[u8]) -> Result<()>;
}

/// To whom a chat is announced.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    pub agents: &'a [AgentId],
    /// Also to the list of the customer's channels.
    pub channel: bool,
    /// Also to the list of all of the customer's chats: at creation.
    pub created: bool,
}

/// A list of chats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChatList {
    /// Those the agent is, or was, in.
    Agent(AgentId),
    /// The public channels.
    Channels,
    /// All of the customer's.
    All,
}

/// Where in a list that is ordered by moment and id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Around {
    /// From the newest on.
    Newest,
    /// Strictly before this row, newest first.
    Before(Micros, uuid::Uuid),
    /// From the oldest on.
    Oldest,
    /// Strictly after this row, oldest first.
    After(Micros, uuid::Uuid),
}

// ---------------------------------------------------------------------------------------- records

/// Records of people and files: an id, a moment of creation and bytes that only their room reads.
#[async_trait]
pub trait Records: Send + Sync {
    /// The store's clock.
    async fn now(&self) -> Result<Micros>;

    /// Adds a record to its table and lists. `false`, and nothing is done, when `unique` (a name
    /// within the table, over all customers) is taken by another record.
    async fn insert(&self, record: NewRecord<'_>) -> Result<bool>;

    /// The record's bytes.
    async fn get(&self, table: Table, customer: CustomerId, id: uuid::Uuid) -> Result<Option<Vec<u8>>>;

    /// Replaces the bytes if they are still `before`; `false` if they are not.
    async fn replace(
        &self,
        table: Table,
        customer: CustomerId,
        id: uuid::Uuid,
        before: &[u8],
        after: &[u8],
    ) -> Result<bool>;

    /// Takes the record out of its table, lists and unique name; `false` when it was not there.
    async fn remove(&self, record: NewRecord<'_>) -> Result<bool>;

    /// Rows of a list, with their bytes.
    async fn list(
        &self,
        table: Table,
        customer: CustomerId,
        list: List,
        around: Around,
        limit: usize,
    ) -> Result<Vec<Row>>;

    /// The record of a unique name: its customer and id.
    async fn find(&self, table: Table, unique: &str) -> Result<Option<(CustomerId, uuid::Uuid)>>;
}

/// A record to add, or to take away.
#[derive(Clone, Copy, Debug)]
pub struct NewRecord<'a> {
    pub table: Table,
    pub customer: CustomerId,
    pub id: uuid::Uuid,
    pub at: Micros,
    pub unique: Option<&'a str>,
    /// In which lists it stands.
    pub lists: &'a [List],
    pub bytes: &'a [u8],
}

/// A row of a list of records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub at: Micros,
    pub id: uuid::Uuid,
    pub bytes: Vec<u8>,
}

/// The tables of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Table {
    /// Kept under the nil customer.
    Customers,
    Agents,
    AccessKeys,
    Files,
}

/// The lists of a table's records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum List {
    /// All of the customer's.
    All,
    /// Those of one agent.
    Of(AgentId),
}

// -------------------------------------------------------------------------------------- the link

/// What a node hears from the store. One receiver per node: the fan-out.
#[derive(Debug)]
pub enum Heard {
    /// Events of a chat that this node watches, as one commit made them.
    Arrived(ChatKey, Vec<Arrival>),
    /// Something about a customer that this node watches; `number` counts them 1, 2, 3, ...
    Noticed { customer: CustomerId, number: u64, notice: Notice },
    /// The link is up, and all that is watched is subscribed: what came between is not known.
    Up,
    /// The link is down: nothing is heard until the next [`Heard::Up`].
    Down,
}

/// An event, with the message it is about as that is after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    pub record: Record,
    /// For events that change an older message.
    pub message: Option<Message>,
}

/// News about a customer, for all nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The chat may now, or soon, be of concern to these agents, and to those who watch everything.
    Announced { chat: ChatId, agents: Vec<AgentId> },
    /// A credential of the agent may have ended: look again.
    AgentChanged { agent: AgentId },
    /// An agent's record as JSON, for `agent_status_updated`.
    AgentStatus { json: String },
}

/// A channel of the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Channel {
    Chat(ChatKey),
    Customer(CustomerId),
}

/// The way by which nodes hear what others wrote.
#[async_trait]
pub trait Link: Send + Sync {
    /// Hears these channels from now on. Returns once that is in force: whatever is committed
    /// afterwards is heard, or missed together with a [`Heard::Up`]. While the link is down it
    /// returns at once, and the channels are part of the next [`Heard::Up`].
    async fn watch(&self, channels: Vec<Channel>);

    /// Stops hearing them, some time soon.
    fn unwatch(&self, channels: Vec<Channel>);

    /// Tells all nodes that watch the customer, this one included.
    async fn notify(&self, customer: CustomerId, notice: Notice) -> Result<()>;

    /// The number of the customer's newest notice, 0 before the first.
    async fn notices(&self, customer: CustomerId) -> Result<u64>;

    /// Whether the link is up, and the store answers.
    async fn healthy(&self) -> bool;
}

/// A store, opened.
#[derive(Clone)]
pub struct Store {
    pub log: Arc<dyn ChatLog>,
    pub index: Arc<dyn ChatIndex>,
    pub records: Arc<dyn Records>,
    pub link: Arc<dyn Link>,
}

/// A store just opened, and the one ear of this node.
pub struct Opened {
    pub store: Store,
    pub heard: mpsc::Receiver<Heard>,
    /// Awaited at exit, after the last call: ends what runs beside the store and leaves the data
    /// in order. Calls that come later, or are under way, end in [`StoreError::Unavailable`].
    pub close: BoxFuture<'static, ()>,
}
