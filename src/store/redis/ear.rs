//! What this node wants to hear, and whether it does: the hub's side of the link.
//!
//! The hub changes the wish at once and waits for the keeper only while the link is up; the keeper
//! takes changes in as many at a time as have gathered.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, oneshot};

use crate::store::Channel;

/// What is watched, and how the link is.
#[derive(Default)]
pub(crate) struct Ear {
    state: Mutex<State>,
    /// Something in `state` has changed.
    changed: Notify,
    /// The link has come up.
    risen: Notify,
}

#[derive(Default)]
struct State {
    watched: HashSet<Channel>,
    /// Watched or unwatched since the keeper last looked.
    touched: HashSet<Channel>,
    /// Callers who wait until all that was touched before is in force.
    waiting: Vec<oneshot::Sender<()>>,
    up: bool,
}

impl Ear {
    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that is done under this lock can stop half-way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether all that is watched is subscribed, as far as is known.
    pub(crate) fn is_up(&self) -> bool {
        self.state().up
    }

    /// Returns once the link is up.
    pub(crate) async fn risen(&self) {
        loop {
            let risen = self.risen.notified();
            if self.is_up() {
                return;
            }
            risen.await;
        }
    }

    /// The link is down: nobody waits any longer for what cannot come into force.
    pub(crate) fn down(&self) -> bool {
        let mut state = self.state();
        state.waiting.clear();
        std::mem::take(&mut state.up)
    }

    pub(crate) async fn watch(&self, channels: Vec<Channel>) {
        let in_force = {
            let mut state = self.state();
            for channel in channels {
                state.watched.insert(channel);
                state.touched.insert(channel);
            }
            if !state.up {
                return;
            }
            let (done, in_force) = oneshot::channel();
            state.waiting.push(done);
            in_force
        };
        self.changed.notify_one();
        // Dropped unsent when the link goes down: then the next `Up` holds these channels.
        let _ = in_force.await;
    }

    pub(crate) fn unwatch(&self, channels: Vec<Channel>) {
        let mut state = self.state();
        for channel in channels {
            if state.watched.remove(&channel) {
                state.touched.insert(channel);
            }
        }
        drop(state);
        self.changed.notify_one();
    }

    /// Returns once something was watched or unwatched.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// What is watched and not yet subscribed. When that is nothing, the link counts as up.
    pub(crate) fn missing(&self, subscribed: &HashSet<Channel>) -> Vec<Channel> {
        let mut state = self.state();
        state.touched.clear();
        let missing: Vec<Channel> = state.watched.difference(subscribed).copied().collect();
        if missing.is_empty() {
            state.up = true;
            // What was unwatched meanwhile is the first change.
            state.touched = subscribed.difference(&state.watched).copied().collect();
            self.changed.notify_one();
        }
        missing
    }

    /// Tells who waits for it that the link is up.
    pub(crate) fn rise(&self) {
        self.risen.notify_waiters();
    }

    /// What was watched and unwatched since the last look.
    pub(crate) fn change(&self) -> Change {
        let mut state = self.state();
        let touched = std::mem::take(&mut state.touched);
        let (more, fewer) = touched.into_iter().partition(|channel| state.watched.contains(channel));
        Change { more, fewer, waiting: std::mem::take(&mut state.waiting) }
    }
}

/// What the keeper has to bring into force.
pub(crate) struct Change {
    pub(crate) more: Vec<Channel>,
    pub(crate) fewer: Vec<Channel>,
    /// Whom to tell once `more` is subscribed.
    pub(crate) waiting: Vec<oneshot::Sender<()>>,
}
