//! What this node wants to hear, and from which server: the hub's side of the links.
//!
//! Each server that holds data has a link of its own, with an [`Ear`] that says what is wanted
//! from it. Standing alone, a server has all channels; in a cluster each has those of its slots,
//! and when a slot moves, its channels move along. Whoever watches them is then told to look.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::join_all;
use tokio::sync::{Notify, mpsc};
use tokio::task::AbortHandle;

use super::doubts::Doubts;
use super::ear::Ear;
use super::keys::Keys;
use super::link::{self, Keeper};
use super::node::Node;
use super::slots::{Map, slot};
use crate::store::{Channel, Heard};
use crate::telemetry::metric;

/// All links of this node.
pub(crate) struct Hearing {
    state: Mutex<State>,
    /// A link has come up or gone down.
    turned: Notify,
    pub(crate) keys: Keys,
    pub(crate) heard: mpsc::Sender<Heard>,
    pub(crate) bounds: link::Bounds,
    pub(crate) doubts: Doubts,
    /// Whether channels belong to slots, as in a cluster.
    pub(crate) sharded: bool,
}

#[derive(Default)]
struct State {
    map: Arc<Map>,
    /// What is watched, and at which server; 0 while none is known.
    homes: HashMap<Channel, u64>,
    parts: HashMap<u64, Part>,
}

struct Part {
    ear: Arc<Ear>,
    keeper: AbortHandle,
}

impl Hearing {
    pub(crate) fn new(
        keys: Keys,
        heard: mpsc::Sender<Heard>,
        bounds: link::Bounds,
        doubts: Doubts,
        sharded: bool,
    ) -> Self {
        // Where chats stand concerns every node.
        let state = State { homes: HashMap::from([(Channel::Heads, 0)]), ..State::default() };
        Self { state: Mutex::new(state), turned: Notify::new(), keys, heard, bounds, doubts, sharded }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that is done under this lock can stop half-way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn home(&self, map: &Map, channel: Channel) -> u64 {
        let slot = if self.sharded { slot(&self.keys.channel(channel)) } else { 0 };
        map.node(slot).map_or(0, |node| node.id)
    }

    /// Returns once it is in force, or cannot come into force now; see [`Link::watch`](crate::store::Link::watch).
    pub(crate) async fn watch(&self, channels: Vec<Channel>) {
        let in_force: Vec<_> = {
            let mut state = self.state();
            let mut groups: HashMap<u64, Vec<Channel>> = HashMap::new();
            for channel in channels {
                let home = self.home(&state.map, channel);
                state.homes.insert(channel, home);
                groups.entry(home).or_default().push(channel);
            }
            // Without a home they are adopted when there is one.
            let asked = groups.into_iter().filter_map(|(home, channels)| state.parts.get(&home)?.ear.watch(channels));
            asked.collect()
        };
        // Dropped unsent when a link goes down: then it tells what it holds when it is back.
        join_all(in_force).await;
    }

    pub(crate) fn unwatch(&self, channels: &[Channel]) {
        let mut state = self.state();
        for channel in channels {
            if let Some(home) = state.homes.remove(channel)
                && let Some(part) = state.parts.get(&home)
            {
                part.ear.unwatch(*channel);
            }
        }
    }

    /// Brings every channel to the server that the map says.
    pub(crate) fn rehome(self: &Arc<Self>, map: &Arc<Map>) {
        let mut state = self.state();
        let state = &mut *state;
        state.map = Arc::clone(map);
        for node in &map.nodes {
            state.parts.entry(node.id).or_insert_with(|| self.begin(node));
        }
        let mut adopted: HashMap<u64, Vec<Channel>> = HashMap::new();
        for (channel, home) in &mut state.homes {
            let new = self.home(map, *channel);
            if new == *home {
                continue;
            }
            if let Some(part) = state.parts.get(home) {
                part.ear.unwatch(*channel);
            }
            *home = new;
            adopted.entry(new).or_default().push(*channel);
        }
        for (home, channels) in adopted {
            if let Some(part) = state.parts.get(&home) {
                part.ear.adopt(&channels);
            }
        }
        state.parts.retain(|id, part| {
            let kept = map.nodes.iter().any(|node| node.id == *id);
            if !kept {
                part.keeper.abort();
                part.ear.down();
            }
            kept
        });
        self.show(state);
        self.turned.notify_waiters();
    }

    fn begin(self: &Arc<Self>, node: &Node) -> Part {
        let ear = Arc::new(Ear::default());
        let (host, info) = (node.place.0.clone(), node.info.clone());
        let keeper = Keeper { ear: Arc::clone(&ear), host, info, hearing: Arc::clone(self) };
        Part { ear, keeper: tokio::spawn(keeper.run()).abort_handle() }
    }

    /// A link has come up or gone down.
    pub(crate) fn changed(&self) {
        self.show(&self.state());
        self.turned.notify_waiters();
    }

    fn show(&self, state: &State) {
        metrics::gauge!(metric::LINK_UP).set(f64::from(u8::from(all_up(state))));
    }

    /// Whether all that is watched is subscribed, as far as is known.
    pub(crate) fn is_up(&self) -> bool {
        all_up(&self.state())
    }

    /// Returns once it is.
    pub(crate) async fn risen(&self) {
        self.becomes(true).await;
    }

    /// Returns once it is not.
    pub(crate) async fn fallen(&self) {
        self.becomes(false).await;
    }

    async fn becomes(&self, up: bool) {
        loop {
            let turned = self.turned.notified();
            tokio::pin!(turned);
            // From here on none is missed.
            turned.as_mut().enable();
            if self.is_up() == up {
                return;
            }
            turned.await;
        }
    }

    /// The links are no more: nobody waits any longer for what cannot come into force.
    pub(crate) fn end(&self) {
        for part in self.state().parts.values() {
            part.ear.down();
        }
    }
}

fn all_up(state: &State) -> bool {
    state.map.is_whole() && state.parts.values().all(|part| part.ear.is_up())
}
