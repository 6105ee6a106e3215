//! What one socket heard of one chat: every number once, in order, from where it began.

/// The longest cursor there may be.
const CURSOR_BYTES_MAX: usize = 64;

/// A chat that a socket follows.
#[derive(Clone, Debug)]
pub struct Follow {
    /// The chat's place in the run.
    pub chat: u32,
    /// The number that must come next.
    next: u64,
    /// What has a smaller number was missed before, and is being caught up with.
    live_from: u64,
    cursor: [u8; CURSOR_BYTES_MAX],
    cursor_bytes: u8,
}

/// What an event means to who heard it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// As it must be.
    Next,
    /// As it must be, and with it everything that was missed is there.
    CaughtUp,
    /// It came before, or it should have come before others.
    Again,
    /// These were left out, from the first to before the second.
    Hole(u64, u64),
}

impl Follow {
    /// Everything after this event of a chat.
    #[must_use]
    pub fn after(chat: u32, seq: u64, cursor: &[u8]) -> Self {
        let mut follow =
            Self { chat, next: seq + 1, live_from: seq + 1, cursor: [0; CURSOR_BYTES_MAX], cursor_bytes: 0 };
        follow.keep(cursor);
        follow
    }

    /// An event came.
    pub fn hear(&mut self, seq: u64, cursor: &[u8]) -> Heard {
        if seq < self.next {
            return Heard::Again;
        }
        let hole = (seq > self.next).then_some(Heard::Hole(self.next, seq));
        self.next = seq + 1;
        self.keep(cursor);
        match hole {
            Some(hole) => hole,
            None if self.next == self.live_from => Heard::CaughtUp,
            None => Heard::Next,
        }
    }

    /// It came back, and the chat stands at this event. Whether something was missed.
    pub fn resume(&mut self, head: u64) -> bool {
        self.live_from = head + 1;
        self.is_behind()
    }

    /// Whether something that was missed is still to come.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        self.next < self.live_from
    }

    /// Whether an event comes live: not as one that was missed.
    #[must_use]
    pub fn is_live(&self, seq: u64) -> bool {
        seq >= self.live_from
    }

    /// The newest event that was heard, or that it began after.
    #[must_use]
    pub fn last(&self) -> u64 {
        self.next.saturating_sub(1)
    }

    /// Where to go on from.
    #[must_use]
    pub fn cursor(&self) -> &[u8] {
        self.cursor.get(..usize::from(self.cursor_bytes)).unwrap_or_default()
    }

    fn keep(&mut self, cursor: &[u8]) {
        if let Some(place) = self.cursor.get_mut(..cursor.len()) {
            place.copy_from_slice(cursor);
            self.cursor_bytes = cursor.len() as u8;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What each of these events means to somebody who begins after event 1.
    fn heard(seqs: &[u64]) -> Vec<Heard> {
        let mut follow = Follow::after(0, 1, b"one");
        seqs.iter().map(|seq| follow.hear(*seq, b"more")).collect()
    }

    #[test]
    fn every_number_once_and_in_order_is_right() {
        assert_eq!(heard(&[2, 3, 4]), [Heard::Next; 3]);
    }

    #[test]
    fn what_is_left_out_is_a_hole_told_once() {
        assert_eq!(heard(&[2, 5, 6]), [Heard::Next, Heard::Hole(3, 5), Heard::Next]);
    }

    #[test]
    fn what_comes_again_or_late_is_told() {
        assert_eq!(heard(&[2, 2]), [Heard::Next, Heard::Again]);
        assert_eq!(heard(&[3, 2]), [Heard::Hole(2, 3), Heard::Again]);
        assert_eq!(heard(&[1]), [Heard::Again], "before it began");
    }

    #[test]
    fn who_comes_back_has_caught_up_with_the_last_that_it_missed() {
        let mut follow = Follow::after(0, 1, b"one");
        assert!(!follow.resume(1), "nothing was missed");
        assert!(follow.resume(3) && follow.is_behind());
        assert_eq!((follow.hear(2, b"two"), follow.hear(3, b"three")), (Heard::Next, Heard::CaughtUp));
        assert_eq!((follow.is_behind(), follow.last(), follow.cursor()), (false, 3, b"three".as_slice()));
        assert!(follow.is_live(4) && !follow.is_live(3));
    }

    #[test]
    fn the_cursor_is_that_of_the_newest_event() {
        let mut follow = Follow::after(0, 1, b"a longer one");
        follow.hear(2, b"two");
        assert_eq!(follow.cursor(), b"two");
    }
}
