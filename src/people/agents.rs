//! Agents are made, changed and removed, by whom it behoves.

use crate::model::{AgentId, Caller, CustomerId, Micros, Permissions};
use crate::store::{Around, List, Notice, Table};
use crate::wire::page::PageRequest;
use crate::wire::{ApiError, Reason};

use super::directory::{Agent, AgentStatus};
use super::identity::Identity;
use super::record::{self, AgentRecord};
use super::{DETAIL_CHARS_MAX, NAME_CHARS_MAX, People, check_text};

/// Most characters of a username.
pub(super) const USERNAME_CHARS_MAX: usize = 255;
/// Attempts at a change that others keep getting ahead of.
pub(super) const CHANGE_TRIES_MAX: usize = 16;
/// Rows of one look at a list while everything in it is removed.
const SWEEP_ROWS: usize = 100;

/// Who looks after agents.
#[derive(Clone, Debug)]
pub enum Steward {
    /// The operator, for any customer.
    Operator,
    /// An agent, for its own customer; needs the admin's or the manager's bit.
    Agent(Caller),
}

/// An agent to make.
#[derive(Clone)]
pub struct NewAgent {
    /// An e-mail address; nobody else may have it, in whichever case.
    pub username: String,
    pub password: String,
    pub name: String,
    pub detail: String,
    /// Bits; `None`: 16, an agent.
    pub permission: Option<u64>,
}

/// What to change; `None` keeps.
#[derive(Clone, Default)]
pub struct AgentEdit {
    pub name: Option<String>,
    pub detail: Option<String>,
    pub permission: Option<u64>,
    pub password: Option<String>,
}

impl From<Identity> for Steward {
    fn from(identity: Identity) -> Self {
        match identity {
            Identity::Agent(verified) => Self::Agent(verified.caller),
            Identity::Admin => Self::Operator,
        }
    }
}

impl Steward {
    fn may_manage(&self, customer: CustomerId) -> Result<(), ApiError> {
        let may = match self {
            Self::Operator => true,
            Self::Agent(caller) => caller.customer == customer && caller.permissions.manages_customer(),
        };
        if may { Ok(()) } else { Err(denied("only an admin or a manager may look after agents")) }
    }

    /// Nobody below an admin makes, changes or removes one.
    fn may_touch(&self, permissions: Permissions) -> Result<(), ApiError> {
        let may = match self {
            Self::Operator => true,
            Self::Agent(caller) => !permissions.has(Permissions::ADMIN) || caller.permissions.has(Permissions::ADMIN),
        };
        if may { Ok(()) } else { Err(denied("only an admin may make, change or remove an admin")) }
    }
}

impl People {
    /// The customer's agents on a page.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn agents(&self, customer: CustomerId, page: &PageRequest) -> Result<Vec<Agent>, ApiError> {
        self.rows(Table::Agents, customer, List::All, page, |bytes| {
            let agent: AgentRecord = record::read("agent", bytes)?;
            Ok((!agent.deleted).then(|| agent.agent()))
        })
        .await
        .map_err(ApiError::from)
    }

    /// Makes an agent.
    ///
    /// # Errors
    /// A field that is wrong, a steward who may not, a customer that is none, a username that is
    /// taken, too many passwords being hashed, or a store that does not answer.
    pub async fn create_agent(&self, by: &Steward, customer: CustomerId, new: NewAgent) -> Result<Agent, ApiError> {
        by.may_manage(customer)?;
        let permissions = checked_permission(new.permission.unwrap_or(Permissions::AGENT.0))?;
        by.may_touch(permissions)?;
        let username = checked_username(&new.username)?;
        check_text("name", &new.name, NAME_CHARS_MAX)?;
        check_text("detail", &new.detail, DETAIL_CHARS_MAX)?;
        if matches!(by, Steward::Operator) {
            self.customer(customer).await?;
        }
        let taken = || ApiError::new(Reason::AgentAlreadyExists, "an agent with this username exists");
        let unique = unique_name(&username);
        let records = &self.store().records;
        if records.find(Table::Agents, &unique).await?.is_some() {
            return Err(taken());
        }
        let password = self.shared.passwords.hash(&new.password).await?;
        let now = records.now().await?;
        let agent = AgentRecord {
            id: AgentId::random().0,
            customer: customer.0,
            name: if new.name.is_empty() { username.clone() } else { new.name },
            username,
            detail: new.detail,
            status: AgentStatus::Offline.as_str().to_owned(),
            permission: permissions.0,
            password: Some(password),
            password_set: 0,
            unique: Some(unique),
            created: now.0,
            updated: now.0,
            deleted: false,
        };
        if !records.insert(agent.place(&record::write(&agent)?)).await? {
            return Err(taken());
        }
        tracing::info!(agent_id = %agent.id, customer_id = %customer, "agent made");
        Ok(agent.agent())
    }

    /// Changes an agent of the steward's customer.
    ///
    /// # Errors
    /// As [`Self::create_agent`], and 404 for an agent that is none of the customer's.
    pub async fn edit_agent(
        &self,
        by: &Steward,
        customer: CustomerId,
        id: AgentId,
        edit: AgentEdit,
    ) -> Result<Agent, ApiError> {
        by.may_manage(customer)?;
        let permissions = edit.permission.map(checked_permission).transpose()?;
        if let Some(permissions) = permissions {
            by.may_touch(permissions)?;
        }
        let agent = self.change(customer, id, edit, |agent| by.may_touch(Permissions(agent.permission))).await?;
        if permissions.is_some() {
            self.store().link.notify(customer, Notice::AgentChanged { agent: id }).await?;
        }
        Ok(agent)
    }

    /// Changes what an agent may change of itself: name, detail, password.
    ///
    /// # Errors
    /// A field that is wrong, too many passwords being hashed, or a store that does not answer.
    pub async fn edit_self(&self, caller: &Caller, edit: AgentEdit) -> Result<Agent, ApiError> {
        let edit = AgentEdit { permission: None, ..edit };
        self.change(caller.customer, caller.agent, edit, |_| Ok(())).await
    }

    async fn change(
        &self,
        customer: CustomerId,
        id: AgentId,
        edit: AgentEdit,
        may: impl Fn(&AgentRecord) -> Result<(), ApiError>,
    ) -> Result<Agent, ApiError> {
        if let Some(name) = &edit.name {
            check_text("name", name, NAME_CHARS_MAX)?;
        }
        if let Some(detail) = &edit.detail {
            check_text("detail", detail, DETAIL_CHARS_MAX)?;
        }
        if edit.password.is_some() {
            // Looked at once before, so that nobody has a password hashed for an agent who is not
            // theirs to change.
            let known = self.agent_record(customer, id).await?.filter(|(agent, _)| !agent.deleted);
            may(&known.ok_or_else(no_agent)?.0)?;
        }
        let password = match &edit.password {
            Some(password) => Some((self.shared.passwords.hash(password).await?, self.store().records.now().await?)),
            None => None,
        };
        self.update(customer, id, |agent| {
            may(agent)?;
            if let Some(name) = &edit.name {
                agent.name.clone_from(name);
            }
            if let Some(detail) = &edit.detail {
                agent.detail.clone_from(detail);
            }
            if let Some(permission) = edit.permission {
                agent.permission = permission;
            }
            if let Some((hash, now)) = &password {
                agent.password = Some(hash.clone());
                // Each change is another one, also within a microsecond.
                agent.password_set = now.0.max(agent.password_set.saturating_add(1));
            }
            Ok(())
        })
        .await
    }

    /// Says how the agent can be reached, and tells everybody of the customer.
    ///
    /// # Errors
    /// When the store does not answer; then the same call again settles it.
    pub async fn set_status(&self, caller: &Caller, status: AgentStatus) -> Result<Agent, ApiError> {
        let (customer, id) = (caller.customer, caller.agent);
        let set = |agent: &mut AgentRecord| {
            status.as_str().clone_into(&mut agent.status);
            Ok(())
        };
        let mine = self.update(customer, id, set).await?;
        // Whoever tells last must tell what is so: after telling, look whether it still is.
        let mut told = mine.clone();
        for _ in 0..CHANGE_TRIES_MAX {
            let json = serde_json::to_string(&told.body()).map_err(ApiError::internal)?;
            self.store().link.notify(customer, Notice::AgentStatus { json }).await?;
            match self.agent(customer, id).await? {
                Some(now) if now != told => told = now,
                Some(_) | None => break,
            }
        }
        Ok(mine)
    }

    async fn update(
        &self,
        customer: CustomerId,
        id: AgentId,
        change: impl Fn(&mut AgentRecord) -> Result<(), ApiError>,
    ) -> Result<Agent, ApiError> {
        let records = &self.store().records;
        for _ in 0..CHANGE_TRIES_MAX {
            let known = self.agent_record(customer, id).await?.filter(|(agent, _)| !agent.deleted);
            let (mut agent, before) = known.ok_or_else(no_agent)?;
            change(&mut agent)?;
            agent.updated = records.now().await?.0.max(agent.updated);
            if records.replace(Table::Agents, customer, id.0, &before, &record::write(&agent)?).await? {
                return Ok(agent.agent());
            }
        }
        Err(busy())
    }

    /// Removes an agent and its access keys. What it said stays. Called again after it failed half
    /// way, it goes on from there.
    ///
    /// # Errors
    /// A steward who may not, 404 for an agent that is none, or a store that does not answer.
    pub async fn delete_agent(&self, by: &Steward, customer: CustomerId, id: AgentId) -> Result<Agent, ApiError> {
        by.may_manage(customer)?;
        let records = &self.store().records;
        let agent = self.doom(by, customer, id).await?;
        self.mark_gone(customer, id, Micros(agent.created)).await?;
        loop {
            let keys = records.list(Table::AccessKeys, customer, List::Of(id), Around::Newest, SWEEP_ROWS).await?;
            if keys.is_empty() {
                break;
            }
            for key in keys {
                self.drop_key(&record::read("access key", &key.bytes)?).await?;
            }
        }
        self.store().link.notify(customer, Notice::AgentChanged { agent: id }).await?;
        records.remove(agent.place(&record::write(&agent)?)).await?;
        tracing::info!(agent_id = %id, customer_id = %customer, "agent removed");
        let at = records.now().await?.max(Micros(agent.updated));
        Ok(Agent { updated: at, deleted: Some(at), ..agent.agent() })
    }

    /// From here on the agent is as good as gone, whatever becomes of the rest.
    async fn doom(&self, by: &Steward, customer: CustomerId, id: AgentId) -> Result<AgentRecord, ApiError> {
        for _ in 0..CHANGE_TRIES_MAX {
            let (mut agent, before) = self.agent_record(customer, id).await?.ok_or_else(no_agent)?;
            by.may_touch(Permissions(agent.permission))?;
            if agent.deleted {
                return Ok(agent);
            }
            agent.deleted = true;
            let after = record::write(&agent)?;
            if self.store().records.replace(Table::Agents, customer, id.0, &before, &after).await? {
                return Ok(agent);
            }
        }
        Err(busy())
    }
}

/// The name by which an agent is unique over all customers.
pub(super) fn unique_name(username: &str) -> String {
    username.trim().to_lowercase()
}

pub(super) fn busy() -> ApiError {
    ApiError::new(Reason::ServiceUnavailable, "others keep changing this; try again")
}

pub(super) fn denied(message: &str) -> ApiError {
    ApiError::new(Reason::PermissionDenied, message)
}

fn no_agent() -> ApiError {
    ApiError::new(Reason::AgentNotFound, "no such agent")
}

fn checked_permission(bits: u64) -> Result<Permissions, ApiError> {
    if bits == 0 || bits & !Permissions::ALL.0 != 0 {
        return Err(ApiError::argument("permission must be made of the bits 16, 32 and 64"));
    }
    Ok(Permissions(bits))
}

fn checked_username(username: &str) -> Result<String, ApiError> {
    let username = username.trim();
    let formed = username.split_once('@').is_some_and(|(mailbox, host)| {
        !mailbox.is_empty() && !host.is_empty() && !host.contains('@') && !host.starts_with('.') && !host.ends_with('.')
    });
    let plain = !username.chars().any(|c| c.is_whitespace() || c.is_control());
    if !formed || !plain {
        return Err(ApiError::argument("username must be an e-mail address"));
    }
    check_text("username", username, USERNAME_CHARS_MAX)?;
    Ok(username.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::CustomerId;

    fn agent(bits: u64) -> Steward {
        Steward::Agent(Caller {
            customer: CustomerId(uuid::Uuid::from_u128(1)),
            agent: AgentId::random(),
            name: String::new(),
            permissions: Permissions(bits),
        })
    }

    #[test]
    fn only_admins_and_managers_look_after_agents_of_their_own_customer() {
        let (own, other) = (CustomerId(uuid::Uuid::from_u128(1)), CustomerId(uuid::Uuid::from_u128(2)));
        for (steward, may) in [(agent(16), false), (agent(32), true), (agent(64), true), (Steward::Operator, true)] {
            assert_eq!(steward.may_manage(own).is_ok(), may);
        }
        assert!(agent(32 | 64).may_manage(other).is_err());
        assert!(Steward::Operator.may_manage(other).is_ok());
    }

    #[test]
    fn only_an_admin_touches_an_admin() {
        assert!(agent(64).may_touch(Permissions::ADMIN).is_err());
        assert!(agent(64).may_touch(Permissions(16 | 64)).is_ok());
        assert!(agent(32).may_touch(Permissions::ADMIN).is_ok());
    }

    #[test]
    fn nobody_grants_bits_that_agents_do_not_have() {
        for (bits, may) in [(0, false), (1, false), (17, false), (128, false), (16, true), (112, true)] {
            assert_eq!(checked_permission(bits).is_ok(), may, "{bits}");
        }
    }

    #[test]
    fn a_username_is_an_address() {
        for right in ["alice@demo.test", " A.b+c@localhost "] {
            assert!(checked_username(right).is_ok(), "{right}");
        }
        for wrong in ["", "alice", "@demo.test", "alice@", "a b@demo.test", "a@b@c", "a@.test", "a@test.", "a@b\n.c"] {
            assert!(checked_username(wrong).is_err(), "{wrong}");
        }
        assert_eq!(unique_name(" Alice@Demo.TEST "), "alice@demo.test");
    }
}
