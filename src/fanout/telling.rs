//! A store whose notices are noted for the next beacon, whoever gives them.
//!
//! The number of a notice is the store's, and the call that gives one may end without an answer: so
//! only the customer is noted, and [`Heads`] asks where its notices stand.

use std::sync::Arc;

use async_trait::async_trait;

use crate::model::chat::Pair;
use crate::model::{AgentId, ChatId, CustomerId, Micros};
use crate::store::{Around, Channel, ChatIndex, ChatList, Head, Link, Notice, Result, Scope, Store};

use super::heads::Heads;

/// What stands before the store.
struct Telling {
    store: Store,
    heads: Heads,
}

/// The same store, whose notices are told of in beacons.
#[must_use]
pub fn telling(store: Store, heads: Heads) -> Store {
    let telling = Arc::new(Telling { store: store.clone(), heads });
    Store { index: telling.clone(), link: telling, ..store }
}

/// Notes the customer when the call ends, also when nobody waits for it any more.
struct Noted<'a>(&'a Heads, CustomerId);

impl Drop for Noted<'_> {
    fn drop(&mut self) {
        self.0.noticed(self.1);
    }
}

#[async_trait]
impl ChatIndex for Telling {
    async fn announce(&self, customer: CustomerId, chat: ChatId, at: Micros, scope: Scope<'_>) -> Result<()> {
        let _noted = Noted(&self.heads, customer);
        self.store.index.announce(customer, chat, at, scope).await
    }

    async fn forget(&self, customer: CustomerId, chat: ChatId, agents: &[AgentId]) -> Result<()> {
        self.store.index.forget(customer, chat, agents).await
    }

    async fn bury(&self, customer: CustomerId, chat: ChatId, agents: &[AgentId]) -> Result<()> {
        self.store.index.bury(customer, chat, agents).await
    }

    async fn chats(
        &self,
        customer: CustomerId,
        list: ChatList,
        around: Around,
        limit: usize,
    ) -> Result<Vec<(Micros, ChatId)>> {
        self.store.index.chats(customer, list, around, limit).await
    }

    async fn claim_pair(
        &self,
        customer: CustomerId,
        pair: Pair,
        candidate: ChatId,
        instead_of: Option<ChatId>,
    ) -> Result<ChatId> {
        self.store.index.claim_pair(customer, pair, candidate, instead_of).await
    }

    async fn claim_key(
        &self,
        customer: CustomerId,
        agent: AgentId,
        key: &str,
        claim: &[u8],
        per_hour: u32,
    ) -> Result<Option<Vec<u8>>> {
        self.store.index.claim_key(customer, agent, key, claim, per_hour).await
    }

    async fn settle_key(&self, customer: CustomerId, agent: AgentId, key: &str, claim: &[u8]) -> Result<()> {
        self.store.index.settle_key(customer, agent, key, claim).await
    }
}

#[async_trait]
impl Link for Telling {
    async fn watch(&self, channels: Vec<Channel>) {
        self.store.link.watch(channels).await;
    }

    fn unwatch(&self, channels: Vec<Channel>) {
        self.store.link.unwatch(channels);
    }

    async fn notify(&self, customer: CustomerId, notice: Notice) -> Result<()> {
        let _noted = Noted(&self.heads, customer);
        self.store.link.notify(customer, notice).await
    }

    async fn notices(&self, customer: CustomerId) -> Result<u64> {
        self.store.link.notices(customer).await
    }

    async fn tell_heads(&self, heads: &[Head]) -> Result<()> {
        self.store.link.tell_heads(heads).await
    }

    async fn healthy(&self) -> bool {
        self.store.link.healthy().await
    }
}
