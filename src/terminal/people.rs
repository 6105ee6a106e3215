//! Who is who: names of agents as they are needed, and agents by the names that somebody typed.

use std::cell::RefCell;
use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::calling::{BASE, Client};
use super::clean;
use super::failure::{Failure, Result};
use super::wrapping::shortened;

/// Agents that are looked through for a name, and names that are kept.
const AGENTS_MAX: usize = 20_000;
/// Columns that a name may take.
const NAME_COLUMNS_MAX: usize = 40;
/// Candidates that are named when a name means several.
pub(super) const CANDIDATES_MAX: usize = 10;

/// An agent, as far as it matters here.
#[derive(Clone, Deserialize, Serialize)]
pub(super) struct Agent {
    pub(super) id: Uuid,
    pub(super) username: String,
    pub(super) name: String,
    pub(super) status: String,
    pub(super) permission: u64,
}

impl Agent {
    /// What it is called, in one clean and short line.
    pub(super) fn shown(&self) -> String {
        let name = if self.name.trim().is_empty() { &self.username } else { &self.name };
        shortened(&clean::line(name), NAME_COLUMNS_MAX)
    }

    /// Whether somebody who types this means it.
    fn is_called(&self, typed: &str) -> bool {
        self.name.to_lowercase() == typed || self.username.to_lowercase() == typed
    }

    fn may_be_called(&self, typed: &str) -> bool {
        self.name.to_lowercase().starts_with(typed) || self.username.to_lowercase().starts_with(typed)
    }
}

/// The people of the customer, as one of them sees them.
pub(super) struct People<'a> {
    client: &'a Client,
    pub(super) me: Agent,
    /// `None`: asked for, and not to be had.
    known: RefCell<HashMap<Uuid, Option<Agent>>>,
}

impl<'a> People<'a> {
    /// Of the agent who calls.
    ///
    /// # Errors
    /// Those of a call.
    pub(super) async fn of(client: &'a Client) -> Result<Self> {
        let me: Agent = client.get(&format!("{BASE}/me")).await?;
        let known = HashMap::from([(me.id, Some(me.clone()))]);
        Ok(Self { client, me, known: RefCell::new(known) })
    }

    /// What an agent is called; the beginning of its id when that cannot be learnt soon.
    pub(super) async fn name(&self, id: Uuid) -> String {
        let unknown = || format!("agent {}", short(id));
        if let Some(known) = self.known.borrow().get(&id) {
            return known.as_ref().map_or_else(unknown, Agent::shown);
        }
        let found: Option<Agent> = self.client.glimpse(&format!("{BASE}/agents/{id}")).await;
        let name = found.as_ref().map_or_else(unknown, Agent::shown);
        let mut known = self.known.borrow_mut();
        if known.len() < AGENTS_MAX {
            known.insert(id, found);
        }
        name
    }

    /// All agents of the customer; their names are known from then on.
    ///
    /// # Errors
    /// Those of a call.
    pub(super) async fn all(&self) -> Result<Vec<Agent>> {
        let agents: Vec<Agent> = self.client.all(&format!("{BASE}/agents"), AGENTS_MAX).await?;
        self.known.borrow_mut().extend(agents.iter().map(|agent| (agent.id, Some(agent.clone()))));
        Ok(agents)
    }

    /// The one agent that is meant by a name, a username, the beginning of one of them, or an id; with
    /// or without an `@` before it.
    ///
    /// # Errors
    /// Nobody is called so, or several are; those of a call.
    pub(super) async fn find(&self, typed: &str) -> Result<Agent> {
        let wanted = typed.trim_start_matches('@').to_lowercase();
        let agents = self.all().await?;
        let id = Uuid::try_parse(&wanted).ok();
        let meant = |by: &dyn Fn(&Agent) -> bool| agents.iter().filter(|agent| by(agent)).cloned().collect::<Vec<_>>();
        let mut found = meant(&|agent| Some(agent.id) == id || agent.is_called(&wanted));
        if found.is_empty() && !wanted.is_empty() {
            found = meant(&|agent| agent.may_be_called(&wanted));
        }
        match found.len() {
            0 => Err(Failure::Refused(format!("nobody is called {typed}"))),
            1 => Ok(found.swap_remove(0)),
            _ => {
                let names = found
                    .iter()
                    .take(CANDIDATES_MAX)
                    .map(|agent| format!("\n  @{}  {}", agent.username, agent.shown()));
                Err(Failure::Usage(format!("{typed} may be one of {}:{}", found.len(), names.collect::<String>())))
            }
        }
    }
}

/// The beginning of an id, to tell a few apart.
pub(super) fn short(id: Uuid) -> String {
    id.to_string().chars().take(8).collect()
}
