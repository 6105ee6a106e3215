//! What everybody in a run knows and nobody changes: the clock, the nodes, the agents and the chats.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use hyper::header::HeaderValue;

use super::violations::Violations;
use crate::client::Dialect;
use crate::client::event::ChatId;
use crate::client::stream::{Node, Sources};
use crate::gauge::clock::Clock;

/// Messages of a chat that reactions are put on.
const TARGETS_MAX: usize = 64;

/// See the module.
#[derive(Debug)]
pub struct Hall {
    pub clock: Clock,
    pub dialect: Dialect,
    pub nodes: Vec<Node>,
    pub sources: Arc<Sources>,
    pub agents: Vec<Agent>,
    pub chats: Vec<Chat>,
    pub by_id: HashMap<ChatId, u32>,
    pub violations: Arc<Violations>,
}

/// Somebody who writes, reads and listens.
#[derive(Clone, Debug)]
pub struct Agent {
    pub id: String,
    pub token: String,
    pub credential: HeaderValue,
    /// The places of its chats, ascending.
    pub chats: Vec<u32>,
}

/// A chat.
#[derive(Debug)]
pub struct Chat {
    pub id: ChatId,
    /// The places of its members.
    pub members: Vec<u32>,
    /// The newest number that was acknowledged or seen in it; 0: nothing was written to it since the set-up.
    newest: AtomicU64,
    /// Messages that were acknowledged, those of the set-up included.
    acknowledged: AtomicU64,
    /// Messages to react to.
    targets: Mutex<Vec<String>>,
}

impl Chat {
    /// One with these members.
    #[must_use]
    pub fn new(id: ChatId, members: Vec<u32>) -> Self {
        Self { id, members, newest: AtomicU64::new(0), acknowledged: AtomicU64::new(0), targets: Mutex::default() }
    }

    /// Its id as text.
    #[must_use]
    pub fn id(&self) -> &str {
        std::str::from_utf8(&self.id).unwrap_or_default()
    }

    /// Something was written to it; 0 when its number is not known.
    pub fn written(&self, seq: u64) {
        self.newest.fetch_max(seq.max(1), Ordering::Relaxed);
    }

    /// See the field; `None` when nothing was written.
    #[must_use]
    pub fn newest(&self) -> Option<u64> {
        Some(self.newest.load(Ordering::Relaxed)).filter(|seq| *seq > 0)
    }

    /// One more message was acknowledged.
    pub fn acknowledge(&self) {
        self.acknowledged.fetch_add(1, Ordering::Relaxed);
    }

    /// Where it must stand at least: as far as was acknowledged or seen, and no fewer events than messages.
    #[must_use]
    pub fn least(&self) -> Option<u64> {
        Some(self.newest()?.max(self.acknowledged.load(Ordering::Relaxed)))
    }

    /// One more message to react to, unless there are enough.
    pub fn add_target(&self, id: &str) {
        let mut targets = self.targets.lock().unwrap_or_else(PoisonError::into_inner);
        if targets.len() < TARGETS_MAX {
            targets.push(id.to_owned());
        }
    }

    /// The message whose turn it is after so many laps of reactions, and how many messages there are.
    #[must_use]
    pub fn target(&self, turn: usize) -> Option<(String, usize)> {
        let targets = self.targets.lock().unwrap_or_else(PoisonError::into_inner);
        let target = targets.get(turn.checked_rem(targets.len())?)?;
        Some((target.clone(), targets.len()))
    }
}
