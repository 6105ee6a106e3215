//! A store whose calls are counted and traced, whatever its body: how long each took, and which failed.

use std::future::Future;
use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use tracing::Instrument;
use uuid::Uuid;

use crate::model::chat::Pair;
use crate::model::{AgentId, ChatId, ChatKey, CustomerId, FileId, Message, Micros, Position, Record};
use crate::telemetry::metric;

use super::{
    Around, Channel, ChatIndex, ChatList, ChatLog, Commit, CommitError, Committed, Head, Link, List, NewRecord, Notice,
    Page, Records, Result, Row, Scope, Snapshot, Store, Table,
};

/// What stands before a body of the store.
struct Measured(Store);

/// The same store, with its calls counted.
pub(super) fn measured(body: Store) -> Store {
    let counted = Arc::new(Measured(body));
    Store { log: counted.clone(), index: counted.clone(), records: counted.clone(), link: counted }
}

async fn timed<T>(call: &'static str, work: impl Future<Output = Result<T>>) -> Result<T> {
    let began = Instant::now();
    let done = work.instrument(tracing::debug_span!("store", call)).await;
    metrics::histogram!(metric::STORE_SECONDS, "call" => call).record(began.elapsed());
    if done.is_err() {
        metrics::counter!(metric::STORE_ERRORS, "call" => call).increment(1);
    }
    done
}

#[async_trait]
impl ChatLog for Measured {
    async fn now(&self, chat: ChatKey) -> Result<Micros> {
        timed("now", self.0.log.now(chat)).await
    }

    /// Its time is taken by the chat, which waits for it.
    async fn commit(&self, commit: &Commit) -> std::result::Result<Committed, CommitError> {
        let done = self.0.log.commit(commit).instrument(tracing::debug_span!("store", call = "commit")).await;
        if matches!(done, Err(CommitError::Store(_))) {
            metrics::counter!(metric::STORE_ERRORS, "call" => "commit").increment(1);
        }
        done
    }

    async fn assure(&self, chat: ChatKey) -> Result<()> {
        timed("assure", self.0.log.assure(chat)).await
    }

    async fn load(&self, chat: ChatKey) -> Result<Option<Snapshot>> {
        timed("load", self.0.log.load(chat)).await
    }

    async fn head(&self, chat: ChatKey) -> Result<Position> {
        timed("head", self.0.log.head(chat)).await
    }

    async fn events(&self, chat: ChatKey, from: u64, limit: usize) -> Result<Vec<Record>> {
        timed("events", self.0.log.events(chat, from, limit)).await
    }

    async fn messages(&self, chat: ChatKey, page: Page) -> Result<Vec<Message>> {
        timed("messages", self.0.log.messages(chat, page)).await
    }

    async fn replies(&self, chat: ChatKey, parent: Micros, page: Page) -> Result<Vec<Message>> {
        timed("replies", self.0.log.replies(chat, parent, page)).await
    }

    async fn messages_at(&self, chat: ChatKey, at: &[Micros]) -> Result<Vec<Option<Message>>> {
        timed("messages_at", self.0.log.messages_at(chat, at)).await
    }

    async fn carries(&self, chat: ChatKey, file: FileId) -> Result<bool> {
        timed("carries", self.0.log.carries(chat, file)).await
    }
}

#[async_trait]
impl ChatIndex for Measured {
    async fn announce(&self, customer: CustomerId, chat: ChatId, at: Micros, scope: Scope<'_>) -> Result<()> {
        timed("announce", self.0.index.announce(customer, chat, at, scope)).await
    }

    async fn forget(&self, customer: CustomerId, chat: ChatId, agents: &[AgentId]) -> Result<()> {
        timed("forget", self.0.index.forget(customer, chat, agents)).await
    }

    async fn bury(&self, customer: CustomerId, chat: ChatId, agents: &[AgentId]) -> Result<()> {
        timed("bury", self.0.index.bury(customer, chat, agents)).await
    }

    async fn chats(
        &self,
        customer: CustomerId,
        list: ChatList,
        around: Around,
        limit: usize,
    ) -> Result<Vec<(Micros, ChatId)>> {
        timed("chats", self.0.index.chats(customer, list, around, limit)).await
    }

    async fn claim_pair(
        &self,
        customer: CustomerId,
        pair: Pair,
        candidate: ChatId,
        instead_of: Option<ChatId>,
    ) -> Result<ChatId> {
        timed("claim_pair", self.0.index.claim_pair(customer, pair, candidate, instead_of)).await
    }

    async fn claim_key(
        &self,
        customer: CustomerId,
        agent: AgentId,
        key: &str,
        claim: &[u8],
        per_hour: u32,
    ) -> Result<Option<Vec<u8>>> {
        timed("claim_key", self.0.index.claim_key(customer, agent, key, claim, per_hour)).await
    }

    async fn settle_key(&self, customer: CustomerId, agent: AgentId, key: &str, claim: &[u8]) -> Result<()> {
        timed("settle_key", self.0.index.settle_key(customer, agent, key, claim)).await
    }
}

#[async_trait]
impl Records for Measured {
    async fn now(&self) -> Result<Micros> {
        timed("now", self.0.records.now()).await
    }

    async fn insert(&self, record: NewRecord<'_>) -> Result<bool> {
        timed("insert", self.0.records.insert(record)).await
    }

    async fn get(&self, table: Table, customer: CustomerId, id: Uuid) -> Result<Option<Vec<u8>>> {
        timed("get", self.0.records.get(table, customer, id)).await
    }

    async fn get_all(&self, table: Table, customer: CustomerId, ids: &[Uuid]) -> Result<Vec<Option<Vec<u8>>>> {
        timed("get_all", self.0.records.get_all(table, customer, ids)).await
    }

    async fn replace(&self, table: Table, customer: CustomerId, id: Uuid, before: &[u8], after: &[u8]) -> Result<bool> {
        timed("replace", self.0.records.replace(table, customer, id, before, after)).await
    }

    async fn remove(&self, record: NewRecord<'_>) -> Result<bool> {
        timed("remove", self.0.records.remove(record)).await
    }

    async fn list(
        &self,
        table: Table,
        customer: CustomerId,
        list: List,
        around: Around,
        limit: usize,
    ) -> Result<Vec<Row>> {
        timed("list", self.0.records.list(table, customer, list, around, limit)).await
    }

    async fn find(&self, table: Table, unique: &str) -> Result<Option<(CustomerId, Uuid)>> {
        timed("find", self.0.records.find(table, unique)).await
    }
}

#[async_trait]
impl Link for Measured {
    async fn watch(&self, channels: Vec<Channel>) {
        self.0.link.watch(channels).await;
    }

    fn unwatch(&self, channels: Vec<Channel>) {
        self.0.link.unwatch(channels);
    }

    async fn notify(&self, customer: CustomerId, notice: Notice) -> Result<()> {
        timed("notify", self.0.link.notify(customer, notice)).await
    }

    async fn notices(&self, customer: CustomerId) -> Result<u64> {
        timed("notices", self.0.link.notices(customer)).await
    }

    async fn tell_heads(&self, heads: &[Head]) -> Result<()> {
        timed("tell_heads", self.0.link.tell_heads(heads)).await
    }

    async fn healthy(&self) -> bool {
        self.0.link.healthy().await
    }
}
