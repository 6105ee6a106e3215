//! The round: the sockets of a worker that have something to write, each once, in the order in which
//! they came.
//!
//! Nothing waits for a timer, with one exception. Where events come in bunches to many sockets, the
//! first of a bunch would start a round of its own, and the rest would go over all sockets a second
//! time: twice the calls for the same bytes. So after a round in which a write took several frames of
//! many sockets, the next bunch is given [`GATHER`] to come together. A round of single events, or of
//! few sockets, never waits.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::follower::Session;

/// How long a bunch of events may gather: little against the round that it spares.
pub const GATHER: Duration = Duration::from_millis(1);
/// Turns of a round that is worth sparing.
const MANY_TURNS: u32 = 64;
/// Frames of a turn, on average, that tell of bunches.
const SEVERAL_FRAMES: u32 = 4;

/// Lives on its worker's thread.
#[derive(Default)]
pub struct Round {
    waiting: RefCell<VecDeque<Rc<Session>>>,
    waker: RefCell<Option<Waker>>,
    /// Frames put into outboxes, and turns given, since the worker last had nothing to do.
    frames: Cell<u32>,
    turns: Cell<u32>,
}

impl Round {
    /// A frame was put into an outbox.
    pub(super) fn count_frame(&self) {
        self.frames.set(self.frames.get().saturating_add(1));
    }

    /// A socket waits for its turn, which comes once; it says itself whether it waits already.
    pub(super) fn join(&self, session: Rc<Session>) {
        self.waiting.borrow_mut().push_back(session);
        if let Some(waker) = self.waker.borrow_mut().take() {
            waker.wake();
        }
    }

    /// Whose turn it is. It waits no longer, and may join again.
    pub(super) fn next(&self) -> Option<Rc<Session>> {
        let next = self.waiting.borrow_mut().pop_front()?;
        self.turns.set(self.turns.get().saturating_add(1));
        next.socket.leave_round();
        Some(next)
    }

    /// The worker has nothing more to do: what began with the last bunch is over. Whether the next
    /// bunch should gather.
    pub(super) fn end(&self) -> bool {
        pays(self.frames.take(), self.turns.take())
    }

    /// Ready while somebody waits.
    pub(super) fn poll_waiting(&self, context: &mut Context<'_>) -> Poll<()> {
        if !self.waiting.borrow().is_empty() {
            return Poll::Ready(());
        }
        self.waker.replace(Some(context.waker().clone()));
        Poll::Pending
    }
}

fn pays(frames: u32, turns: u32) -> bool {
    turns >= MANY_TURNS && frames / turns >= SEVERAL_FRAMES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_bunches_for_many_sockets_gather() {
        for (frames, turns, gathers) in [
            (0, 0, false),
            (1000, 1000, false),
            (3999, 1000, false),
            (4000, 1000, true),
            (17_000, 1000, true),
            (1000, 63, false),
            (u32::MAX, 64, true),
        ] {
            assert_eq!(pays(frames, turns), gathers, "{frames} frames in {turns} turns");
        }
        let round = Round::default();
        round.frames.set(17_000);
        round.turns.set(1000);
        assert!(round.end());
        assert!(!round.end(), "counted from anew");
    }
}
