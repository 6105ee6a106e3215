//! What spans chats: lists, pairs and claims, all on the one tag of their customer.
//!
//! A forgotten chat is only marked at first. A mark that is an hour old is settled by the roster:
//! whoever is a member after all keeps the chat, and a mark that changed meanwhile is left alone.
//! So the lists hold what they must whichever of joining and leaving is heard of first.

use async_trait::async_trait;
use redis::Cmd;

use super::body::{Body, decoded};
use super::envelope;
use super::lanes::Ask;
use super::scripts::Source;
use super::servers::{Again, Way};
use crate::model::chat::Pair;
use crate::model::{AgentId, ChatId, CustomerId, Micros};
use crate::store::{Around, ChatIndex, ChatList, Notice, Result, Scope, StoreError};

/// Agents that one call takes, at most: what is longer would keep Redis from everybody else.
const AGENTS_MAX: usize = 500;
/// A mark of `forget` is kept this many microseconds at least.
const MARK_KEPT_US: u64 = 3_600_000_000;
/// Marks that one call settles, at most.
const MARKS_MAX: usize = 16;
/// Seconds for which the claim of an idempotency key is kept.
const CLAIM_KEPT_SECS: u64 = 24 * 3600;

impl Body {
    /// Writes to the customer's keys; twice is as good as once.
    async fn write(&self, customer: CustomerId, script: &Source, call: Cmd) -> Result<redis::Value> {
        let way = Way::write(&self.keys.notices(customer));
        self.servers.ask(way, Again::Fine, Ask::Script(script, call)).await
    }

    /// Settles marks that are due, while nobody waits.
    fn settle_marks(&self, customer: CustomerId, due: Vec<(Vec<u8>, String)>) {
        if due.is_empty() {
            return;
        }
        let body = self.clone();
        self.runtime.spawn(async move {
            for (mark, at) in due {
                if let Err(error) = body.settle_mark(customer, &mark, &at).await {
                    tracing::debug!(%customer, %error, "mark of a forgotten chat left for later");
                    return;
                }
            }
        });
    }

    async fn settle_mark(&self, customer: CustomerId, mark: &[u8], at: &str) -> Result<()> {
        let malformed = || StoreError::Corrupt("malformed mark of a forgotten chat".to_owned());
        let mark: &[u8; 32] = mark.try_into().map_err(|_| malformed())?;
        let (agent, chat) = mark.split_at(16);
        let agent = AgentId::from_bytes(agent.try_into().map_err(|_| malformed())?);
        let chat = ChatId::from_bytes(chat.try_into().map_err(|_| malformed())?);
        let roster = self.keys.roster(chat.key());
        let mut member = redis::cmd("HEXISTS");
        member.arg(&roster).arg(&agent.bytes());
        let member: bool = decoded(self.servers.ask(Way::read(&roster), Again::Fine, Ask::Command(member)).await?)?;
        let list = self.keys.chats(customer, ChatList::Agent(agent));
        let mut call = self.scripts.sweep.call(&[&self.keys.forgotten(customer), &list]);
        call.arg(mark).arg(at).arg(if member { "y" } else { "n" });
        self.write(customer, &self.scripts.sweep, call).await?;
        Ok(())
    }
}

fn packed(agents: &[AgentId]) -> Vec<u8> {
    agents.iter().flat_map(AgentId::bytes).collect()
}

/// The agents in groups that one call takes; one empty group when there are none.
fn groups(agents: &[AgentId]) -> Vec<&[AgentId]> {
    if agents.is_empty() { vec![agents] } else { agents.chunks(AGENTS_MAX).collect() }
}

#[async_trait]
impl ChatIndex for Body {
    async fn announce(&self, customer: CustomerId, chat: ChatId, at: Micros, scope: Scope<'_>) -> Result<()> {
        for agents in groups(scope.agents) {
            let notice = Notice::Announced { chat, agents: agents.to_vec() };
            let mut call = self.scripts.announce.call(&[&self.keys.notices(customer)]);
            call.arg(&chat.bytes()).arg(at.0);
            call.arg(if scope.channel { "t" } else { "" }).arg(if scope.created { "c" } else { "" });
            call.arg(packed(agents)).arg(envelope::notice(&notice)).arg(MARK_KEPT_US).arg(MARKS_MAX);
            let due = decoded(self.write(customer, &self.scripts.announce, call).await?)?;
            self.settle_marks(customer, due);
        }
        Ok(())
    }

    async fn forget(&self, customer: CustomerId, chat: ChatId, agents: &[AgentId]) -> Result<()> {
        for agents in agents.chunks(AGENTS_MAX) {
            let mut call = self.scripts.forget.call(&[&self.keys.forgotten(customer)]);
            call.arg(&chat.bytes()).arg(packed(agents)).arg(MARK_KEPT_US).arg(MARKS_MAX);
            let due = decoded(self.write(customer, &self.scripts.forget, call).await?)?;
            self.settle_marks(customer, due);
        }
        Ok(())
    }

    async fn bury(&self, customer: CustomerId, chat: ChatId, agents: &[AgentId]) -> Result<()> {
        for agents in groups(agents) {
            let mut call = self.scripts.bury.call(&[&self.keys.notices(customer)]);
            call.arg(&chat.bytes()).arg(packed(agents));
            self.write(customer, &self.scripts.bury, call).await?;
        }
        Ok(())
    }

    async fn chats(
        &self,
        customer: CustomerId,
        list: ChatList,
        around: Around,
        limit: usize,
    ) -> Result<Vec<(Micros, ChatId)>> {
        let rows = self.rows(&self.keys.chats(customer, list), None, around, limit).await?;
        Ok(rows.into_iter().map(|row| (row.at, ChatId(row.id))).collect())
    }

    async fn claim_pair(
        &self,
        customer: CustomerId,
        pair: Pair,
        candidate: ChatId,
        instead_of: Option<ChatId>,
    ) -> Result<ChatId> {
        let mut call = self.scripts.claim_pair.call(&[&self.keys.pairs(customer)]);
        call.arg(&pair.bytes()).arg(&candidate.bytes());
        match instead_of {
            Some(chat) => call.arg(&chat.bytes()),
            None => call.arg(""),
        };
        let chat: Vec<u8> = decoded(self.write(customer, &self.scripts.claim_pair, call).await?)?;
        let malformed = |_| StoreError::Corrupt("malformed pair".to_owned());
        Ok(ChatId::from_bytes(chat.as_slice().try_into().map_err(malformed)?))
    }

    async fn claim_key(
        &self,
        customer: CustomerId,
        agent: AgentId,
        key: &str,
        claim: &[u8],
        per_hour: u32,
    ) -> Result<Option<Vec<u8>>> {
        let keys = [self.keys.claim(customer, agent, key), self.keys.claims_made(customer, agent)];
        let mut call = self.scripts.claim_key.call(&[&keys[0], &keys[1]]);
        call.arg(claim).arg(per_hour).arg(CLAIM_KEPT_SECS);
        decoded(self.write(customer, &self.scripts.claim_key, call).await?)
    }

    async fn settle_key(&self, customer: CustomerId, agent: AgentId, key: &str, claim: &[u8]) -> Result<()> {
        let key = self.keys.claim(customer, agent, key);
        let mut cmd = redis::cmd("SET");
        cmd.arg(&key).arg(claim).arg("XX").arg("KEEPTTL");
        self.servers.ask(Way::write(&key), Again::Fine, Ask::Command(cmd)).await?;
        Ok(())
    }
}
