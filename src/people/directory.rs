//! Who exists: agents as everybody of the customer sees them, and the two ways of being known.

use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa::openapi::schema::Object;
use uuid::Uuid;

use crate::model::{AgentId, Caller, CustomerId, Micros, Permissions};
use crate::store::{List, NewRecord, Result, StoreError, Table};
use crate::wire::{forms, time};

use super::People;
use super::agents::unique_name;
use super::record::{self, AgentRecord, SightingRecord};
use super::settings::Directory;
use super::token::Claim;

/// Look-ups of one call that are under way at once.
const LOOKUPS_PARALLEL: usize = 32;
/// Looks at a sighting that another node is about to write.
const SIGHT_TRIES_MAX: usize = 20;
/// The wait between two such looks.
const SIGHT_WAIT: Duration = Duration::from_millis(10);

/// An agent who exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agent {
    pub id: AgentId,
    pub customer: CustomerId,
    /// The e-mail address the agent signs in with; `""` for one who signs in elsewhere.
    pub username: String,
    pub name: String,
    pub detail: String,
    pub status: AgentStatus,
    pub permissions: Permissions,
    pub created: Micros,
    pub updated: Micros,
    /// Set only in the answer to the removal.
    pub deleted: Option<Micros>,
}

/// Whether an agent can be reached, as the agent says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AgentStatus {
    Available,
    Away,
    Busy,
    Offline,
    Ringing,
}

impl AgentStatus {
    const ALL: [Self; 5] = [Self::Available, Self::Away, Self::Busy, Self::Offline, Self::Ringing];

    /// The words, for the documents.
    fn form() -> Object {
        forms::word("Whether the agent can be reached, as it says.", Self::ALL.map(Self::as_str))
    }

    /// The wire's word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Available => "available",
            Self::Away => "away",
            Self::Busy => "busy",
            Self::Offline => "offline",
            Self::Ringing => "ringing",
        }
    }

    /// Reads the wire's word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }
}

/// An agent, as everybody of the customer sees it.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Agent)]
pub struct AgentBody {
    pub id: Uuid,
    pub customer_id: Uuid,
    /// The e-mail address the agent signs in with.
    pub username: String,
    pub name: String,
    pub detail: String,
    /// `available`, `away`, `busy`, `offline` or `ringing`.
    #[schema(schema_with = AgentStatus::form)]
    pub status: String,
    /// Bits: 16 agent, 32 customer admin, 64 customer manager.
    pub permission: u64,
    #[schema(schema_with = forms::moment)]
    pub tm_create: String,
    #[schema(schema_with = forms::moment)]
    pub tm_update: String,
    /// `""` unless deleted.
    #[schema(schema_with = forms::moment_or_never)]
    pub tm_delete: String,
}

impl Agent {
    /// As everybody of the customer sees it.
    #[must_use]
    pub fn body(&self) -> AgentBody {
        AgentBody {
            id: self.id.0,
            customer_id: self.customer.0,
            username: self.username.clone(),
            name: self.name.clone(),
            detail: self.detail.clone(),
            status: self.status.as_str().to_owned(),
            permission: self.permissions.0,
            tm_create: time::format(self.created),
            tm_update: time::format(self.updated),
            tm_delete: time::format_option(self.deleted),
        }
    }

    /// As one who asks.
    #[must_use]
    pub fn caller(&self) -> Caller {
        Caller { customer: self.customer, agent: self.id, name: self.name.clone(), permissions: self.permissions }
    }
}

impl AgentRecord {
    pub(super) fn agent(&self) -> Agent {
        Agent {
            id: AgentId(self.id),
            customer: CustomerId(self.customer),
            username: self.username.clone(),
            name: self.name.clone(),
            detail: self.detail.clone(),
            status: AgentStatus::parse(&self.status).unwrap_or(AgentStatus::Offline),
            permissions: Permissions(self.permission),
            created: Micros(self.created),
            updated: Micros(self.updated),
            deleted: None,
        }
    }

    /// Where the record stands: the same when it is added and when it is taken away.
    pub(super) fn place<'a>(&'a self, bytes: &'a [u8]) -> NewRecord<'a> {
        NewRecord {
            table: Table::Agents,
            customer: CustomerId(self.customer),
            id: self.id,
            at: Micros(self.created),
            unique: self.unique.as_deref(),
            lists: &[List::All],
            bytes,
        }
    }
}

impl People {
    /// The agent, if the customer has it and it is not deleted.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn agent(&self, customer: CustomerId, id: AgentId) -> Result<Option<Agent>> {
        Ok(self.agent_record(customer, id).await?.filter(|(agent, _)| !agent.deleted).map(|(agent, _)| agent.agent()))
    }

    /// Which of these may be talked to, in their order. With the directory `claims` that is also
    /// everybody who was not seen yet; somebody deleted is not.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn agents_exist(&self, customer: CustomerId, ids: &[AgentId]) -> Result<Vec<bool>> {
        stream::iter(ids.iter().copied().map(|id| self.exists(customer, id)))
            .buffered(LOOKUPS_PARALLEL)
            .try_collect()
            .await
    }

    async fn exists(&self, customer: CustomerId, id: AgentId) -> Result<bool> {
        if let Some((agent, _)) = self.agent_record(customer, id).await? {
            return Ok(!agent.deleted);
        }
        match self.shared.directory {
            Directory::Local => Ok(false),
            Directory::Claims => Ok(self.sighting(customer, id).await?.is_none_or(|(_, sighting, _)| !sighting.gone)),
        }
    }

    /// The record and its bytes, deleted or not.
    pub(super) async fn agent_record(
        &self,
        customer: CustomerId,
        id: AgentId,
    ) -> Result<Option<(AgentRecord, Vec<u8>)>> {
        let Some(bytes) = self.store().records.get(Table::Agents, customer, id.0).await? else { return Ok(None) };
        Ok(Some((record::read("agent", &bytes)?, bytes)))
    }

    /// Takes an agent that was never seen into the directory. `None` when it is one that is gone.
    ///
    /// The sighting is written first and holds the moment of creation, so that two nodes that see
    /// the agent at once write one and the same record.
    pub(super) async fn take_in(&self, claim: &Claim) -> Result<Option<AgentRecord>> {
        let records = &self.store().records;
        let Some(at) = self.first_seen(claim.customer, claim.agent).await? else { return Ok(None) };
        if let Some((agent, _)) = self.agent_record(claim.customer, claim.agent).await? {
            return Ok((!agent.deleted).then_some(agent));
        }
        let named = |text: &str| text.chars().take(super::NAME_CHARS_MAX).collect::<String>();
        let username = named(&claim.username);
        let mut agent = AgentRecord {
            id: claim.agent.0,
            customer: claim.customer.0,
            unique: (!username.is_empty()).then(|| unique_name(&username)),
            name: if claim.name.is_empty() { username.clone() } else { named(&claim.name) },
            username,
            detail: String::new(),
            status: AgentStatus::Offline.as_str().to_owned(),
            permission: claim.permissions.0,
            password: None,
            password_set: 0,
            created: at,
            updated: at,
            deleted: false,
        };
        if !records.insert(agent.place(&record::write(&agent)?)).await? {
            // Somebody else has that address. The provider knows better who this is than we do.
            agent.unique = None;
            records.insert(agent.place(&record::write(&agent)?)).await?;
        }
        // Removed while it was taken in: then the record just written is one too many.
        if self.sighting(claim.customer, claim.agent).await?.is_none_or(|(_, sighting, _)| sighting.gone) {
            records.remove(agent.place(&[])).await?;
            return Ok(None);
        }
        tracing::info!(agent_id = %claim.agent, customer_id = %claim.customer, "agent taken into the directory");
        Ok(Some(agent))
    }

    /// When the agent was seen first, which may be now; `None` when it is gone.
    async fn first_seen(&self, customer: CustomerId, id: AgentId) -> Result<Option<u64>> {
        for _ in 0..SIGHT_TRIES_MAX {
            let now = self.store().records.now().await?;
            if self.sight(customer, id, &SightingRecord { at: now.0, gone: false }).await? {
                return Ok(Some(now.0));
            }
            if let Some((_, sighting, _)) = self.sighting(customer, id).await? {
                return Ok((!sighting.gone).then_some(sighting.at));
            }
            // Another node has claimed the name and is about to write the record.
            tokio::time::sleep(SIGHT_WAIT).await;
        }
        Err(unfinished())
    }

    /// From now on the agent is not taken in again, whatever its tokens say.
    pub(super) async fn mark_gone(&self, customer: CustomerId, id: AgentId, created: Micros) -> Result<()> {
        let gone = SightingRecord { at: created.0, gone: true };
        if self.sight(customer, id, &gone).await? {
            return Ok(());
        }
        let Some((place, sighting, bytes)) = self.sighting(customer, id).await? else {
            return Err(unfinished());
        };
        if sighting.gone {
            return Ok(());
        }
        // Only this call ever changes a sighting, and only to this: losing the race is winning it.
        let after = record::write(&SightingRecord { gone: true, ..sighting })?;
        self.store().records.replace(Table::Agents, customer, place, &bytes, &after).await?;
        Ok(())
    }

    /// Writes the sighting unless there is one.
    async fn sight(&self, customer: CustomerId, id: AgentId, sighting: &SightingRecord) -> Result<bool> {
        let bytes = record::write(sighting)?;
        let record = NewRecord {
            table: Table::Agents,
            customer,
            id: Uuid::new_v4(),
            at: Micros(sighting.at),
            unique: Some(&sighting_name(customer, id)),
            lists: &[],
            bytes: &bytes,
        };
        self.store().records.insert(record).await
    }

    async fn sighting(&self, customer: CustomerId, id: AgentId) -> Result<Option<(Uuid, SightingRecord, Vec<u8>)>> {
        let records = &self.store().records;
        let Some((owner, place)) = records.find(Table::Agents, &sighting_name(customer, id)).await? else {
            return Ok(None);
        };
        let Some(bytes) = records.get(Table::Agents, owner, place).await? else { return Ok(None) };
        Ok(Some((place, record::read("sighting", &bytes)?, bytes)))
    }
}

fn unfinished() -> StoreError {
    StoreError::Unavailable("another node is taking this agent in".to_owned())
}

/// Shares the table's names with the agents' addresses, which all have an `@`.
fn sighting_name(customer: CustomerId, id: AgentId) -> String {
    format!("seen:{customer}:{id}")
}
