//! What has been said. The log of each chat is the truth; everything else in here is an index
//! that helps to find it, or a record of a person or a file.
//!
//! The contract stands in [`log`], [`index`], [`records`] and [`link`]; [`embedded`] and [`redis`] are
//! its two bodies, and one suite of tests runs over both. What every body promises:
//!
//! * **One atomic act.** [`ChatLog::commit`] checks its preconditions, takes the next numbers,
//!   appends, changes the state and publishes, or does none of it. No two nodes can break a rule
//!   between them, and nothing is ever stored but unheard of, or heard of but not stored.
//! * **Numbers have no holes.** The events of a chat are 1, 2, 3, ... and their moments strictly
//!   increase; the store's clock gives them.
//! * **Once.** An entry's [`Nonce`](crate::model::Nonce) is its name. A commit that may have been tried before says so
//!   (`retry_after`), and what is in the log already is answered again instead of being appended.
//! * **Acknowledged is kept**, at the durability that the store is configured for.
//! * **Deleted is gone.** After a commit of [`MessageDeleted`](crate::model::Event::MessageDeleted) the text is in
//!   no record.
//! * **Indexes may hold too much, never too little.** They are written before what they point to
//!   ([`ChatIndex::announce`]) and filtered by the truth when read.
//!
//! Nothing waits for ever: a call ends within `store.wait_ms`, with [`StoreError::Unavailable`]
//! when the store did not answer. Then the outcome of a commit is unknown, and the same commit
//! with `retry_after` set settles it.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::sync::mpsc;

pub mod codec;
pub mod embedded;
pub mod index;
pub mod link;
pub mod log;
mod measured;
pub mod opening;
pub mod records;
pub mod redis;
pub mod together;

pub use index::{Around, ChatIndex, ChatList, Scope};
pub use link::{Arrival, Channel, HEADS_MAX, Head, Heard, Link, Notice};
pub use log::{ChatLog, Commit, CommitError, Committed, Entry, Expect, Page, Side, Snapshot, Touch};
pub use records::{List, NewRecord, Records, Row, Table};

/// Why the store did not do as asked.
#[derive(Clone, Debug, thiserror::Error)]
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
    /// in order. Calls that come later, or are under way, end in [`StoreError::Unavailable`]; on a thread
    /// that the store shares ([`redis::Home::Shared`]) they go on until that ends.
    pub close: BoxFuture<'static, ()>,
    /// Ends when it turns out later that the store can never be used: data of another schema,
    /// refused credentials. Pending for as long as there is nothing of the kind.
    pub fatal: BoxFuture<'static, StoreError>,
}
