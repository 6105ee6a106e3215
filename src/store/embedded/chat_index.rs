//! What spans chats: lists of chats, pairs, and claims of idempotency keys.

use async_trait::async_trait;
use redb::ReadableTable;
use uuid::Uuid;

use super::super::{Around, ChatIndex, ChatList, Notice, Result, Scope};
use super::Embedded;
use super::tables::{LISTS, Step};
use super::tidy::HOUR;
use super::writer::Batch;
use crate::model::chat::Pair;
use crate::model::{AgentId, ChatId, CustomerId, Micros};

/// For how long a forgotten chat can still be found, and kept.
const FORGET_AFTER: u64 = HOUR;
/// For how long an idempotency key is remembered.
const CLAIM_FOR: u64 = 24 * HOUR;

#[async_trait]
impl ChatIndex for Embedded {
    async fn announce(&self, customer: CustomerId, chat: ChatId, at: Micros, scope: Scope<'_>) -> Result<()> {
        let mut lists: Vec<_> = scope.agents.iter().copied().map(ChatList::Agent).collect();
        lists.extend(scope.channel.then_some(ChatList::Channels));
        lists.extend(scope.created.then_some(ChatList::All));
        let notice = Notice::Announced { chat, agents: scope.agents.to_vec() };
        let act = move |batch: &mut Batch<'_>| {
            for list in lists {
                batch.list(customer, list, chat, at)?;
            }
            batch.notify(customer, notice)
        };
        self.writer.act(act).await
    }

    async fn forget(&self, customer: CustomerId, chat: ChatId, agents: &[AgentId]) -> Result<()> {
        let agents = agents.to_vec();
        let act = move |batch: &mut Batch<'_>| agents.iter().try_for_each(|agent| batch.forget(customer, *agent, chat));
        self.writer.act(act).await
    }

    async fn bury(&self, customer: CustomerId, chat: ChatId, agents: &[AgentId]) -> Result<()> {
        let mut lists: Vec<_> = agents.iter().copied().map(ChatList::Agent).collect();
        lists.extend([ChatList::Channels, ChatList::All]);
        let act = move |batch: &mut Batch<'_>| lists.iter().try_for_each(|list| batch.unlist(customer, *list, chat));
        self.writer.act(act).await
    }

    async fn chats(
        &self,
        customer: CustomerId,
        list: ChatList,
        around: Around,
        limit: usize,
    ) -> Result<Vec<(Micros, ChatId)>> {
        let (customer, kind, agent) = place(customer, list);
        self.medium.read(|file| {
            let Some((first, last)) = bounds(around) else { return Ok(Vec::new()) };
            let lists = file.open_table(LISTS)?;
            let rows =
                lists.range((customer, kind, agent, first.0, first.1)..=(customer, kind, agent, last.0, last.1))?;
            let mut chats = Vec::new();
            for row in in_order(rows, around, limit) {
                let (_, _, _, at, chat) = row?.0.value();
                chats.push((Micros(at), ChatId(Uuid::from_u128(chat))));
            }
            Ok(chats)
        })
    }

    async fn claim_pair(
        &self,
        customer: CustomerId,
        pair: Pair,
        candidate: ChatId,
        instead_of: Option<ChatId>,
    ) -> Result<ChatId> {
        self.writer.act(move |batch| batch.claim_pair(customer, pair, candidate, instead_of)).await
    }

    async fn claim_key(
        &self,
        customer: CustomerId,
        agent: AgentId,
        key: &str,
        claim: &[u8],
        per_hour: u32,
    ) -> Result<Option<Vec<u8>>> {
        let (key, claim) = (key.to_owned(), claim.to_vec());
        self.writer.act(move |batch| batch.claim_key((customer, agent, &key), claim, per_hour)).await
    }

    async fn settle_key(&self, customer: CustomerId, agent: AgentId, key: &str, claim: &[u8]) -> Result<()> {
        let (key, claim) = (key.to_owned(), claim.to_vec());
        let act = move |batch: &mut Batch<'_>| {
            let claims = batch.tables.claims.open()?;
            let place = (customer.0.as_u128(), agent.0.as_u128(), key.as_str());
            let due = claims.get(place)?.map(|found| found.value().0);
            if let Some(due) = due.filter(|due| *due > batch.now.0) {
                claims.insert(place, (due, &claim[..]))?;
            }
            Ok(())
        };
        self.writer.act(act).await
    }
}

/// Where a list stands in the tables: customer, kind of list, agent.
fn place(customer: CustomerId, list: ChatList) -> (u128, u8, u128) {
    let customer = customer.0.as_u128();
    match list {
        ChatList::All => (customer, 0, 0),
        ChatList::Channels => (customer, 1, 0),
        ChatList::Agent(agent) => (customer, 2, agent.0.as_u128()),
    }
}

/// The first and the last (moment, id) that belong to a stretch; `None` when it is empty.
pub(super) fn bounds(around: Around) -> Option<((u64, u128), (u64, u128))> {
    const FIRST: (u64, u128) = (0, 0);
    const LAST: (u64, u128) = (u64::MAX, u128::MAX);
    match around {
        Around::Newest | Around::Oldest => Some((FIRST, LAST)),
        Around::Before(at, id) => Some((
            FIRST,
            match (at.0, id.as_u128()) {
                FIRST => return None,
                (at, 0) => (at - 1, u128::MAX),
                (at, id) => (at, id - 1),
            },
        )),
        Around::After(at, id) => Some((
            match (at.0, id.as_u128()) {
                LAST => return None,
                (at, u128::MAX) => (at + 1, 0),
                (at, id) => (at, id + 1),
            },
            LAST,
        )),
    }
}

/// The first rows, in the order of the stretch.
pub(super) fn in_order<T>(rows: impl DoubleEndedIterator<Item = T>, around: Around, limit: usize) -> Vec<T> {
    match around {
        Around::Newest | Around::Before(..) => rows.rev().take(limit).collect(),
        Around::Oldest | Around::After(..) => rows.take(limit).collect(),
    }
}

impl Batch<'_> {
    /// Enters the chat into the list; one that was to be forgotten is kept.
    fn list(&mut self, customer: CustomerId, list: ChatList, chat: ChatId, at: Micros) -> Step<()> {
        let (customer, kind, agent) = place(customer, list);
        let chat = chat.0.as_u128();
        let before =
            self.tables.listed.open()?.insert((customer, kind, agent, chat), (at.0, 0))?.map(|row| row.value());
        if let Some((listed, due)) = before {
            self.tables.forgotten.open()?.remove((due, customer, agent, chat))?;
            if listed != at.0 {
                self.tables.lists.open()?.remove((customer, kind, agent, listed, chat))?;
            }
        }
        self.tables.lists.open()?.insert((customer, kind, agent, at.0, chat), ())?;
        Ok(())
    }

    /// Takes the chat out of the list.
    pub(super) fn unlist(&mut self, customer: CustomerId, list: ChatList, chat: ChatId) -> Step<()> {
        let (customer, kind, agent) = place(customer, list);
        let chat = chat.0.as_u128();
        let before = self.tables.listed.open()?.remove((customer, kind, agent, chat))?.map(|row| row.value());
        let Some((listed, due)) = before else { return Ok(()) };
        self.tables.forgotten.open()?.remove((due, customer, agent, chat))?;
        self.tables.lists.open()?.remove((customer, kind, agent, listed, chat))?;
        Ok(())
    }

    /// The chat stays in the agent's list after all.
    pub(super) fn keep(&mut self, customer: CustomerId, agent: AgentId, chat: ChatId) -> Step<()> {
        let (customer, kind, agent) = place(customer, ChatList::Agent(agent));
        let chat = chat.0.as_u128();
        let listed = self.tables.listed.open()?;
        let Some((at, due)) = listed.get((customer, kind, agent, chat))?.map(|row| row.value()) else {
            return Ok(());
        };
        listed.insert((customer, kind, agent, chat), (at, 0))?;
        self.tables.forgotten.open()?.remove((due, customer, agent, chat))?;
        Ok(())
    }

    /// Has the chat leave the agent's list in a while; a chat that is to leave already does so later.
    fn forget(&mut self, customer: CustomerId, agent: AgentId, chat: ChatId) -> Step<()> {
        let (customer, kind, agent) = place(customer, ChatList::Agent(agent));
        let chat = chat.0.as_u128();
        let listed = self.tables.listed.open()?;
        let Some((at, before)) = listed.get((customer, kind, agent, chat))?.map(|row| row.value()) else {
            return Ok(());
        };
        let due = self.now.0 + FORGET_AFTER;
        listed.insert((customer, kind, agent, chat), (at, due))?;
        let forgotten = self.tables.forgotten.open()?;
        forgotten.remove((before, customer, agent, chat))?;
        forgotten.insert((due, customer, agent, chat), ())?;
        Ok(())
    }

    fn claim_pair(
        &mut self,
        customer: CustomerId,
        pair: Pair,
        candidate: ChatId,
        instead_of: Option<ChatId>,
    ) -> Step<ChatId> {
        let both = pair.bytes();
        let (mut one, mut other) = ([0; 16], [0; 16]);
        one.copy_from_slice(&both[..16]);
        other.copy_from_slice(&both[16..]);
        let place = (customer.0.as_u128(), u128::from_be_bytes(one), u128::from_be_bytes(other));
        let pairs = self.tables.pairs.open()?;
        let there = pairs.get(place)?.map(|chat| ChatId(Uuid::from_u128(chat.value())));
        match there {
            Some(chat) if instead_of != Some(chat) => Ok(chat),
            _ => {
                pairs.insert(place, candidate.0.as_u128())?;
                Ok(candidate)
            }
        }
    }

    fn claim_key(
        &mut self,
        (customer, agent, key): (CustomerId, AgentId, &str),
        claim: Vec<u8>,
        per_hour: u32,
    ) -> Step<Option<Vec<u8>>> {
        let (customer, agent) = (customer.0.as_u128(), agent.0.as_u128());
        let claims = self.tables.claims.open()?;
        let there = claims.get((customer, agent, key))?.map(|row| (row.value().0, row.value().1.to_vec()));
        let expired = match there {
            Some((due, claim)) if due > self.now.0 => return Ok(Some(claim)),
            expired => expired.map(|(due, _)| due),
        };
        let counts = self.tables.claim_counts.open()?;
        let hour = (self.now.0 / HOUR, customer, agent);
        let count = counts.get(hour)?.map_or(0, |count| count.value());
        if count >= per_hour {
            return Ok(None);
        }
        counts.insert(hour, count + 1)?;
        let due = self.now.0 + CLAIM_FOR;
        claims.insert((customer, agent, key), (due, &claim[..]))?;
        let dues = self.tables.claims_due.open()?;
        if let Some(before) = expired {
            dues.remove((before, customer, agent, key))?;
        }
        dues.insert((due, customer, agent, key), ())?;
        Ok(Some(claim))
    }
}
