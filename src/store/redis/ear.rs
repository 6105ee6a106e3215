//! What this node wants to hear from one server, and whether it does.
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
}

#[derive(Default)]
struct State {
    watched: HashSet<Channel>,
    /// Watched or unwatched since the keeper last looked.
    touched: HashSet<Channel>,
    /// Of these, whose watchers do not know what was said while they were not heard.
    adopted: HashSet<Channel>,
    waiting: Vec<Waiter>,
    up: bool,
}

/// A caller who waits until these channels are in force.
pub(crate) struct Waiter {
    channels: Vec<Channel>,
    done: oneshot::Sender<()>,
}

impl Waiter {
    /// Whether it waits for one of these.
    pub(crate) fn waits_for(&self, channels: &HashSet<Channel>) -> bool {
        self.channels.iter().any(|channel| channels.contains(channel))
    }

    /// They are in force.
    pub(crate) fn done(self) {
        // Whoever no longer waits does not mind.
        let _ = self.done.send(());
    }
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

    /// The link is down: nobody waits any longer for what cannot come into force.
    pub(crate) fn down(&self) -> bool {
        let mut state = self.state();
        state.waiting.clear();
        std::mem::take(&mut state.up)
    }

    /// Watches; what comes back resolves once that is in force. `None` while the link is down: the
    /// channels come up with it.
    pub(crate) fn watch(&self, channels: Vec<Channel>) -> Option<oneshot::Receiver<()>> {
        let in_force = {
            let mut state = self.state();
            state.watched.extend(&channels);
            if !state.up {
                return None;
            }
            state.touched.extend(&channels);
            let (done, in_force) = oneshot::channel();
            state.waiting.push(Waiter { channels, done });
            in_force
        };
        self.changed.notify_one();
        Some(in_force)
    }

    /// Watches what was heard elsewhere before, or not at all: its watchers are told to look.
    pub(crate) fn adopt(&self, channels: &[Channel]) {
        self.state().adopt(channels);
        self.changed.notify_one();
    }

    pub(crate) fn unwatch(&self, channel: Channel) {
        let mut state = self.state();
        if state.watched.remove(&channel) {
            state.touched.insert(channel);
            state.adopted.remove(&channel);
            drop(state);
            self.changed.notify_one();
        }
    }

    /// Returns once something was watched or unwatched.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// What is watched and not yet subscribed. When that is nothing, the link counts as up.
    pub(crate) fn missing(&self, subscribed: &HashSet<Channel>) -> Vec<Channel> {
        let mut state = self.state();
        state.touched.clear();
        state.adopted.clear();
        let missing: Vec<Channel> = state.watched.difference(subscribed).copied().collect();
        if missing.is_empty() {
            state.up = true;
            // What was unwatched meanwhile is the first change.
            state.touched = subscribed.difference(&state.watched).copied().collect();
            self.changed.notify_one();
        }
        missing
    }

    /// What was watched and unwatched since the last look.
    pub(crate) fn change(&self) -> Change {
        let mut state = self.state();
        let touched = std::mem::take(&mut state.touched);
        let (more, fewer) = touched.into_iter().partition(|channel| state.watched.contains(channel));
        let waiting = std::mem::take(&mut state.waiting);
        Change { more, fewer, adopted: std::mem::take(&mut state.adopted), waiting }
    }

    /// The server has unsubscribed these by itself: what is still watched is subscribed anew, here
    /// or, when the map says so, elsewhere.
    pub(crate) fn adopt_again(&self, channels: &[Channel]) {
        {
            // Under one lock: what is unwatched meanwhile must not come back.
            let mut state = self.state();
            let still: Vec<Channel> = state.still_watched(channels);
            state.adopt(&still);
        }
        self.changed.notify_one();
    }

    /// These could not be subscribed: those of them that are still watched, and who waits for one of
    /// those, are part of the next change.
    pub(crate) fn put_back(&self, channels: &[Channel], adopted: &[Channel], waiting: Vec<Waiter>) {
        {
            let mut state = self.state();
            let adopted = state.still_watched(adopted);
            let channels: HashSet<Channel> = state.still_watched(channels).into_iter().collect();
            let (held, free): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|one| one.waits_for(&channels));
            state.touched.extend(channels);
            state.adopted.extend(adopted);
            state.waiting.extend(held);
            free.into_iter().for_each(Waiter::done);
        }
        self.changed.notify_one();
    }
}

impl State {
    fn still_watched(&self, channels: &[Channel]) -> Vec<Channel> {
        channels.iter().copied().filter(|channel| self.watched.contains(channel)).collect()
    }

    fn adopt(&mut self, channels: &[Channel]) {
        self.watched.extend(channels);
        if self.up {
            self.touched.extend(channels);
            self.adopted.extend(channels);
        }
    }
}

/// What the keeper has to bring into force.
pub(crate) struct Change {
    pub(crate) more: Vec<Channel>,
    pub(crate) fewer: Vec<Channel>,
    /// Of `more`, whose watchers are told to look.
    pub(crate) adopted: HashSet<Channel>,
    /// Whom to tell once what they wait for is subscribed.
    pub(crate) waiting: Vec<Waiter>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::CustomerId;

    /// An ear of a link that is up.
    fn up() -> Ear {
        let ear = Ear::default();
        assert!(ear.missing(&HashSet::new()).is_empty());
        ear
    }

    #[test]
    fn a_refused_channel_holds_back_nobody_who_waits_for_another() {
        let ear = up();
        let [refused, taken] = [Channel::Customer(CustomerId::random()), Channel::Heads];
        let mut held = ear.watch(vec![refused]).expect("the link is up");
        let mut free = ear.watch(vec![taken]).expect("the link is up");
        let change = ear.change();
        ear.put_back(&[refused], &[], change.waiting);
        assert!(free.try_recv().is_ok() && held.try_recv().is_err());
        // Nobody watches it any more: nobody waits for it, and it does not come back.
        ear.unwatch(refused);
        let change = ear.change();
        assert_eq!((change.more.len(), change.fewer.len()), (0, 1));
        ear.put_back(&[refused], &[refused], change.waiting);
        assert!(held.try_recv().is_ok());
        ear.adopt_again(&[refused]);
        let change = ear.change();
        assert!(change.more.is_empty() && change.adopted.is_empty());
    }
}
