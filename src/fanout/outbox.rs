//! What waits to be written to one socket: bounded in bytes, counted where it is queued.
//!
//! A socket whose peer stops reading is frozen: its actor is not polled, so its timers do not run.
//! Slowness is therefore noticed here, by whoever puts something in, and the memory is given back
//! here, at once. What a socket that catches up will be given later takes no memory; it is counted all
//! the same, while the peer takes nothing of what waits.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytestring::ByteString;
use futures_util::Stream;

use crate::wire::CloseCause;

/// Bytes handed to the socket in one go; in between, the socket's other work has its turn.
const TURN_BYTES: usize = 64 * 1024;
/// Bytes that a queued frame costs besides its text.
const FRAME_OVERHEAD_BYTES: usize = 32;
/// How long a peer may take nothing of what waits, before what it is owed counts like what waits.
const STALLED: Duration = Duration::from_secs(2);

/// What comes out of an outbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Leaving {
    Text(ByteString),
    Ping,
    /// The last there is.
    Close(CloseCause),
}

/// What became of a frame that was put in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Queued,
    /// It did not fit: everything that waited was let go, and the socket is to be closed.
    Overflow,
    /// The socket is being closed: nothing more is taken.
    Closing,
}

struct Queue {
    frames: VecDeque<ByteString>,
    bytes: usize,
    limit: usize,
    /// Bytes of events that were left to be caught up on since the peer last took something, and since when.
    owed: Option<(usize, Instant)>,
    ping: bool,
    closing: Option<CloseCause>,
    closed: bool,
    turn: usize,
    waker: Option<Waker>,
}

/// The end where frames are put in. Lives on the worker's thread.
#[derive(Clone)]
pub struct Outbox {
    queue: Rc<RefCell<Queue>>,
}

/// The socket's end.
pub struct Drain {
    queue: Rc<RefCell<Queue>>,
}

/// An outbox that holds at most `limit` bytes, and its other end.
#[must_use]
pub fn outbox(limit: usize) -> (Outbox, Drain) {
    let queue = Rc::new(RefCell::new(Queue {
        frames: VecDeque::new(),
        bytes: 0,
        limit,
        owed: None,
        ping: false,
        closing: None,
        closed: false,
        turn: 0,
        waker: None,
    }));
    (Outbox { queue: Rc::clone(&queue) }, Drain { queue })
}

impl Outbox {
    /// Puts a frame in, behind those that wait. One frame fits an empty outbox, however large.
    pub fn push(&self, frame: ByteString) -> Verdict {
        let mut queue = self.queue.borrow_mut();
        if queue.closing.is_some() {
            return Verdict::Closing;
        }
        let cost = frame.len() + FRAME_OVERHEAD_BYTES;
        if queue.bytes > 0 && queue.bytes + cost > queue.limit {
            queue.end(CloseCause::SlowConsumer);
            return Verdict::Overflow;
        }
        queue.bytes += cost;
        queue.frames.push_back(frame);
        queue.wake();
        Verdict::Queued
    }

    /// A live event is left to be caught up on. A peer that goes on taking what waits may owe that for as
    /// long as it likes; one that takes nothing is as slow as one whose outbox is full.
    pub fn owe(&self, bytes: usize) -> Verdict {
        let mut queue = self.queue.borrow_mut();
        if queue.closing.is_some() {
            return Verdict::Closing;
        }
        if queue.bytes == 0 {
            return Verdict::Queued;
        }
        let (before, since) = queue.owed.unwrap_or((0, Instant::now()));
        let owed = before.saturating_add(bytes);
        queue.owed = Some((owed, since));
        if queue.bytes.saturating_add(owed) > queue.limit && since.elapsed() >= STALLED {
            queue.end(CloseCause::SlowConsumer);
            return Verdict::Overflow;
        }
        Verdict::Queued
    }

    /// Has the socket ping its peer. One ping waits at most.
    pub fn ping(&self) {
        let mut queue = self.queue.borrow_mut();
        queue.ping = true;
        queue.wake();
    }

    /// Ends the socket after what waits was written; only the first cause counts.
    pub fn close(&self, cause: CloseCause) {
        let mut queue = self.queue.borrow_mut();
        if queue.closing.is_none() {
            queue.closing = Some(cause);
            queue.wake();
        }
    }

    /// Bytes that wait.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.queue.borrow().bytes
    }

    /// Bytes that older events may take now, leaving half of the outbox to live ones; `None` while
    /// less than half of that half is free, so that they are fetched in few stretches.
    #[must_use]
    pub fn room_for_older(&self) -> Option<usize> {
        let queue = self.queue.borrow();
        let room = (queue.limit / 2).checked_sub(queue.bytes)?;
        (room > 0 && room >= queue.limit / 4 && queue.closing.is_none()).then_some(room)
    }

    /// Whether a late event of so many bytes may go straight in: within the half that is for older
    /// ones. One fits an empty outbox, however large.
    #[must_use]
    pub fn has_room_for_late(&self, bytes: usize) -> bool {
        let queue = self.queue.borrow();
        queue.bytes == 0 || queue.bytes + bytes + FRAME_OVERHEAD_BYTES <= queue.limit / 2
    }
}

impl Queue {
    /// Lets go of everything and closes.
    fn end(&mut self, cause: CloseCause) {
        self.frames = VecDeque::new();
        self.bytes = 0;
        self.closing = Some(cause);
        self.wake();
    }

    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

impl Stream for Drain {
    type Item = Leaving;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut queue = self.queue.borrow_mut();
        if queue.closed {
            return Poll::Ready(None);
        }
        if queue.turn >= TURN_BYTES {
            // Pending makes the socket write what it was given before it asks for more.
            queue.turn = 0;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if queue.ping {
            queue.ping = false;
            return Poll::Ready(Some(Leaving::Ping));
        }
        if let Some(frame) = queue.frames.pop_front() {
            let cost = frame.len() + FRAME_OVERHEAD_BYTES;
            queue.bytes -= cost;
            queue.turn += cost;
            queue.owed = None;
            if queue.frames.is_empty() {
                // A burst that is over gives its memory back: most sockets are idle most of the time.
                queue.frames = VecDeque::new();
            }
            return Poll::Ready(Some(Leaving::Text(frame)));
        }
        if let Some(cause) = queue.closing {
            queue.closed = true;
            return Poll::Ready(Some(Leaving::Close(cause)));
        }
        queue.turn = 0;
        queue.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::{FutureExt, StreamExt};

    fn next(drain: &mut Drain) -> Option<Leaving> {
        drain.next().now_or_never().flatten()
    }

    #[test]
    fn frames_leave_in_the_order_in_which_they_came() {
        let (outbox, mut drain) = outbox(1024);
        for text in ["one", "two"] {
            assert_eq!(outbox.push(text.into()), Verdict::Queued);
        }
        outbox.close(CloseCause::Restart);
        assert_eq!(outbox.push("three".into()), Verdict::Closing);
        assert_eq!(next(&mut drain), Some(Leaving::Text("one".into())));
        assert_eq!(next(&mut drain), Some(Leaving::Text("two".into())));
        assert_eq!(next(&mut drain), Some(Leaving::Close(CloseCause::Restart)));
        assert_eq!(next(&mut drain), None);
    }

    #[test]
    fn what_does_not_fit_closes_and_gives_the_memory_back() {
        let (outbox, mut drain) = outbox(100);
        assert_eq!(outbox.push("x".repeat(60).into()), Verdict::Queued);
        assert_eq!(outbox.push("x".repeat(60).into()), Verdict::Overflow);
        assert_eq!(outbox.bytes(), 0);
        assert_eq!(next(&mut drain), Some(Leaving::Close(CloseCause::SlowConsumer)));
    }

    #[test]
    fn a_single_frame_fits_however_large_it_is() {
        let (outbox, mut drain) = outbox(100);
        assert_eq!(outbox.push("x".repeat(1000).into()), Verdict::Queued);
        assert!(matches!(next(&mut drain), Some(Leaving::Text(_))));
        assert_eq!(outbox.room_for_older(), Some(50));
    }

    #[test]
    fn what_is_late_leaves_half_of_the_outbox_to_live_events() {
        let (outbox, mut drain) = outbox(1000);
        assert!(outbox.has_room_for_late(2000), "one fits an empty outbox");
        assert_eq!(outbox.push("x".repeat(300).into()), Verdict::Queued);
        assert!(outbox.has_room_for_late(100) && !outbox.has_room_for_late(200));
        assert_eq!(outbox.room_for_older(), None, "a stretch so small is not worth fetching");
        assert!(matches!(next(&mut drain), Some(Leaving::Text(_))));
        assert_eq!(outbox.room_for_older(), Some(500));
    }

    #[test]
    fn a_peer_that_takes_nothing_for_a_while_is_slow_by_what_it_is_owed() {
        let (outbox, mut drain) = outbox(1000);
        assert_eq!(outbox.owe(5000), Verdict::Queued, "nothing waits: it is not the peer that is slow");
        for text in ["one", "two"] {
            assert_eq!(outbox.push(text.into()), Verdict::Queued);
        }
        assert_eq!(outbox.owe(5000), Verdict::Queued, "it had no time to take anything");
        let long_ago = |outbox: &Outbox| {
            let owed = &mut outbox.queue.borrow_mut().owed;
            *owed = owed.and_then(|(bytes, since)| Some((bytes, since.checked_sub(STALLED)?)));
        };
        long_ago(&outbox);
        assert!(matches!(next(&mut drain), Some(Leaving::Text(_))));
        assert_eq!(outbox.owe(900), Verdict::Queued, "it took something");
        long_ago(&outbox);
        assert_eq!(outbox.owe(100), Verdict::Overflow);
        assert_eq!(next(&mut drain), Some(Leaving::Close(CloseCause::SlowConsumer)));
    }

    #[test]
    fn a_long_queue_leaves_in_turns() {
        let (outbox, mut drain) = outbox(1024 * 1024);
        for _ in 0..100 {
            assert_eq!(outbox.push("x".repeat(1000).into()), Verdict::Queued);
        }
        let mut first_turn = 0;
        while next(&mut drain).is_some() {
            first_turn += 1;
        }
        assert!((64..70).contains(&first_turn), "{first_turn} frames of 1,032 bytes in a turn of 64 KiB");
        assert!(next(&mut drain).is_some());
    }
}
