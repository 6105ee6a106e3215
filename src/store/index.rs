//! The contract of what spans chats: their lists, pairs, and idempotency keys.

use async_trait::async_trait;

use crate::model::chat::Pair;
use crate::model::{AgentId, ChatId, CustomerId, Micros};

use super::Result;

/// What spans chats. Everything here belongs to one customer.
#[async_trait]
pub trait ChatIndex: Send + Sync {
    /// Makes the chat findable for these agents, and tells every node ([`super::Notice::Announced`]).
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
