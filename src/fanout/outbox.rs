//! What waits to be written to one socket: bounded in bytes, counted where it is queued.
//!
//! Slowness is noticed here, by whoever puts something in, and the memory is given back here, at
//! once. What a socket that catches up will be given later takes no memory; it is counted all the
//! same, while the peer takes nothing of what waits. When it is written is not decided here.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::time::{Duration, Instant};

use actix_http::ws::{CloseCode, CloseReason, OpCode, Parser};
use bytes::{Bytes, BytesMut};

use crate::wire::CloseCause;
use crate::wire::frames::TextFrame;

/// Bytes that a queued frame costs besides what goes over the wire.
const FRAME_OVERHEAD_BYTES: usize = 32;
/// How long a peer may take nothing of what waits, before what it is owed counts like what waits.
const STALLED: Duration = Duration::from_secs(2);

/// What became of a frame that was put in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Queued,
    /// It did not fit: everything that waited was let go, and the socket is to be closed.
    Overflow,
    /// The socket is being closed: nothing more is taken.
    Closing,
}

/// How far the socket is on its way to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Open,
    /// After what waits comes the close frame.
    Closing(CloseCause),
    /// The close frame is the last that waits, or was written.
    Closed,
}

/// What waits for one socket, at most `limit` bytes of it.
#[derive(Debug)]
pub struct Outbox {
    /// Whole frames; of the first, `written` bytes have left.
    frames: VecDeque<Bytes>,
    written: usize,
    bytes: usize,
    limit: usize,
    /// Bytes of events that were left to be caught up on since the peer last took something, and since when.
    owed: Option<(usize, Instant)>,
    ping: bool,
    /// The answer to the peer's latest ping.
    pong: Option<Bytes>,
    end: End,
}

impl Outbox {
    /// An empty one.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        let (frames, owed, pong) = (VecDeque::new(), None, None);
        Self { frames, written: 0, bytes: 0, limit, owed, ping: false, pong, end: End::Open }
    }

    /// Puts a frame in, behind those that wait. One frame fits an empty outbox, however large.
    pub fn push(&mut self, frame: TextFrame) -> Verdict {
        if self.end != End::Open {
            return Verdict::Closing;
        }
        let cost = frame.bytes() + FRAME_OVERHEAD_BYTES;
        if self.bytes > 0 && self.bytes + cost > self.limit {
            self.let_go(CloseCause::SlowConsumer);
            return Verdict::Overflow;
        }
        self.queue(frame.into());
        Verdict::Queued
    }

    /// A live event is left to be caught up on. A peer that goes on taking what waits may owe that for as
    /// long as it likes; one that takes nothing is as slow as one whose outbox is full.
    pub fn owe(&mut self, bytes: usize) -> Verdict {
        if self.end != End::Open {
            return Verdict::Closing;
        }
        if self.bytes == 0 {
            return Verdict::Queued;
        }
        let (before, since) = self.owed.unwrap_or((0, Instant::now()));
        let owed = before.saturating_add(bytes);
        self.owed = Some((owed, since));
        if self.bytes.saturating_add(owed) > self.limit && since.elapsed() >= STALLED {
            self.let_go(CloseCause::SlowConsumer);
            return Verdict::Overflow;
        }
        Verdict::Queued
    }

    /// Has the peer pinged, unless the socket is being closed. One ping waits at most.
    pub fn ping(&mut self) {
        self.ping = self.end == End::Open;
    }

    /// Answers the peer's ping, unless the socket is being closed. Of several that were not answered yet,
    /// the latest is.
    pub fn pong(&mut self, payload: Bytes) {
        if self.end == End::Open {
            self.pong = Some(payload);
        }
    }

    /// Ends the socket after what waits was written; only the first cause counts.
    pub fn close(&mut self, cause: CloseCause) {
        if self.end == End::Open {
            self.end = End::Closing(cause);
        }
    }

    /// Bytes that older events may take now, leaving half of the outbox to live ones; `None` while
    /// less than half of that half is free, so that they are fetched in few stretches.
    #[must_use]
    pub fn room_for_older(&self) -> Option<usize> {
        let room = (self.limit / 2).checked_sub(self.bytes)?;
        (room > 0 && room >= self.limit / 4 && self.end == End::Open).then_some(room)
    }

    /// Whether a late event of so many bytes may go straight in: within the half that is for older
    /// ones. One fits an empty outbox, however large.
    #[must_use]
    pub fn has_room_for_late(&self, bytes: usize) -> bool {
        self.bytes == 0 || self.bytes + bytes + FRAME_OVERHEAD_BYTES <= self.limit / 2
    }

    /// Lets go of everything that was not begun, and closes.
    fn let_go(&mut self, cause: CloseCause) {
        // The peer would take the close frame for the rest of one that was begun.
        let begun = self.frames.pop_front().filter(|_| self.written > 0);
        self.frames = VecDeque::new();
        self.bytes = 0;
        self.end = End::Closing(cause);
        if let Some(begun) = begun {
            self.queue(begun);
        }
    }

    fn queue(&mut self, frame: Bytes) {
        self.bytes += frame.len() + FRAME_OVERHEAD_BYTES;
        self.frames.push_back(frame);
    }

    // ---------------------------------------------------------------------------------- writing

    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty() && !self.ping && self.pong.is_none() && !matches!(self.end, End::Closing(_))
    }

    /// Whether the close frame was written: the last there is.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.end == End::Closed && self.frames.is_empty()
    }

    /// What is to be written next, in order, as much as there are places for.
    pub fn next<'a, const N: usize>(&'a mut self, places: &mut [IoSlice<'a>; N]) -> usize {
        self.queue_control();
        let mut written = self.written;
        let mut count = 0;
        for (place, frame) in places.iter_mut().zip(&self.frames) {
            *place = IoSlice::new(&frame[written..]);
            (written, count) = (0, count + 1);
        }
        count
    }

    /// Pings, pongs and the close become frames when their turn has come.
    fn queue_control(&mut self) {
        let control = |payload: &[u8], code| {
            let mut frame = BytesMut::new();
            Parser::write_message(&mut frame, payload, code, true, false);
            frame.freeze()
        };
        // They overtake what waits, but not what was begun.
        let place = usize::from(self.written > 0);
        let pong = self.pong.take().map(|payload| control(&payload, OpCode::Pong));
        let ping = std::mem::take(&mut self.ping).then(|| control(b"", OpCode::Ping));
        for frame in [pong, ping].into_iter().flatten() {
            self.bytes += frame.len() + FRAME_OVERHEAD_BYTES;
            self.frames.insert(place.min(self.frames.len()), frame);
        }
        if let End::Closing(cause) = self.end {
            self.end = End::Closed;
            let (code, sentence) = cause.frame();
            let reason = CloseReason { code: CloseCode::from(code), description: Some(sentence.to_owned()) };
            let mut frame = BytesMut::new();
            Parser::write_close(&mut frame, Some(reason), false);
            self.queue(frame.freeze());
        }
    }

    /// So many bytes of what was next have left.
    pub fn wrote(&mut self, bytes: usize) {
        if bytes > 0 {
            self.owed = None;
        }
        self.written += bytes;
        while let Some(first) = self.frames.front().map(Bytes::len)
            && self.written >= first
        {
            self.written -= first;
            self.bytes -= first + FRAME_OVERHEAD_BYTES;
            self.frames.pop_front();
        }
        if self.frames.is_empty() {
            // A burst that is over gives its memory back: most sockets are idle most of the time.
            self.frames = VecDeque::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: usize) -> TextFrame {
        TextFrame::new(&"x".repeat(bytes))
    }

    /// Writes the first so many bytes of what waits.
    fn write(outbox: &mut Outbox, most: usize) -> Vec<u8> {
        let mut places = [IoSlice::new(&[]); 64];
        let count = outbox.next(&mut places);
        let mut bytes: Vec<u8> = places[..count].iter().flat_map(|place| place.to_vec()).collect();
        bytes.truncate(most);
        outbox.wrote(bytes.len());
        bytes
    }

    /// The frames in these bytes, by their first byte and their payload.
    fn frames(bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
        let mut bytes = BytesMut::from(bytes);
        let mut frames = Vec::new();
        while !bytes.is_empty() {
            let first = bytes[0];
            let (_, _, payload) = Parser::parse(&mut bytes, false, 1 << 20).unwrap().expect("whole frames");
            frames.push((first, payload.map(|payload| payload.to_vec()).unwrap_or_default()));
        }
        frames
    }

    #[test]
    fn frames_leave_in_the_order_in_which_they_came() {
        let mut outbox = Outbox::new(1024);
        for text in ["one", "two"] {
            assert_eq!(outbox.push(TextFrame::new(text)), Verdict::Queued);
        }
        outbox.close(CloseCause::Restart);
        assert_eq!(outbox.push(TextFrame::new("three")), Verdict::Closing);
        let written = frames(&write(&mut outbox, usize::MAX));
        assert_eq!(written[..2], [(0x81, b"one".to_vec()), (0x81, b"two".to_vec())]);
        assert_eq!((written[2].0, &written[2].1[..2]), (0x88, &1012u16.to_be_bytes()[..]));
        assert!(outbox.is_over() && outbox.is_empty() && outbox.bytes == 0);
    }

    #[test]
    fn a_frame_of_any_length_is_one_frame_on_the_wire() {
        for length in [0, 1, 125, 126, 127, 65_535, 65_536, 100_000] {
            let mut outbox = Outbox::new(1 << 20);
            outbox.push(text(length));
            assert_eq!(frames(&write(&mut outbox, usize::MAX)), [(0x81, vec![b'x'; length])]);
        }
    }

    #[test]
    fn what_is_written_in_pieces_stays_whole_whatever_comes_meanwhile() {
        let mut outbox = Outbox::new(1024);
        outbox.push(text(50));
        outbox.push(text(60));
        let mut bytes = write(&mut outbox, 10);
        outbox.ping();
        outbox.pong(Bytes::from_static(b"stale"));
        outbox.pong(Bytes::from_static(b"latest"));
        while !outbox.is_empty() {
            bytes.extend(write(&mut outbox, 7));
        }
        let kinds: Vec<(u8, usize)> = frames(&bytes).iter().map(|(first, payload)| (*first, payload.len())).collect();
        assert_eq!(kinds, [(0x81, 50), (0x89, 0), (0x8a, 6), (0x81, 60)]);
    }

    #[test]
    fn nothing_follows_the_close() {
        let mut outbox = Outbox::new(1024);
        outbox.ping();
        outbox.close(CloseCause::Restart);
        outbox.pong(Bytes::from_static(b"late"));
        let mut bytes = write(&mut outbox, 5);
        outbox.ping();
        outbox.pong(Bytes::from_static(b"late"));
        assert_eq!(outbox.push(text(1)), Verdict::Closing);
        bytes.extend(write(&mut outbox, usize::MAX));
        let kinds: Vec<u8> = frames(&bytes).iter().map(|(first, _)| *first).collect();
        assert_eq!(kinds, [0x89, 0x88]);
        assert!(outbox.is_over() && outbox.is_empty());
    }

    #[test]
    fn what_does_not_fit_closes_and_gives_the_memory_back() {
        let mut outbox = Outbox::new(100);
        assert_eq!(outbox.push(text(60)), Verdict::Queued);
        assert_eq!(outbox.push(text(60)), Verdict::Overflow);
        assert_eq!(outbox.bytes, 0);
        let written = frames(&write(&mut outbox, usize::MAX));
        assert_eq!((written.len(), written[0].0, &written[0].1[..2]), (1, 0x88, &4008u16.to_be_bytes()[..]));
    }

    #[test]
    fn a_frame_that_was_begun_is_ended_before_the_close() {
        let mut outbox = Outbox::new(100);
        outbox.push(text(60));
        let mut bytes = write(&mut outbox, 3);
        assert_eq!(outbox.push(text(60)), Verdict::Overflow);
        bytes.extend(write(&mut outbox, usize::MAX));
        let kinds: Vec<u8> = frames(&bytes).iter().map(|(first, _)| *first).collect();
        assert_eq!(kinds, [0x81, 0x88]);
    }

    #[test]
    fn a_single_frame_fits_however_large_it_is() {
        let mut outbox = Outbox::new(100);
        assert_eq!(outbox.push(text(1000)), Verdict::Queued);
        write(&mut outbox, usize::MAX);
        assert_eq!(outbox.room_for_older(), Some(50));
    }

    #[test]
    fn what_is_late_leaves_half_of_the_outbox_to_live_events() {
        let mut outbox = Outbox::new(1000);
        assert!(outbox.has_room_for_late(2000), "one fits an empty outbox");
        assert_eq!(outbox.push(text(300)), Verdict::Queued);
        assert!(outbox.has_room_for_late(100) && !outbox.has_room_for_late(200));
        assert_eq!(outbox.room_for_older(), None, "a stretch so small is not worth fetching");
        write(&mut outbox, usize::MAX);
        assert_eq!(outbox.room_for_older(), Some(500));
    }

    #[test]
    fn a_peer_that_takes_nothing_for_a_while_is_slow_by_what_it_is_owed() {
        let mut outbox = Outbox::new(1000);
        assert_eq!(outbox.owe(5000), Verdict::Queued, "nothing waits: it is not the peer that is slow");
        for text in ["one", "two"] {
            assert_eq!(outbox.push(TextFrame::new(text)), Verdict::Queued);
        }
        assert_eq!(outbox.owe(5000), Verdict::Queued, "it had no time to take anything");
        let long_ago = |outbox: &mut Outbox| {
            outbox.owed = outbox.owed.and_then(|(bytes, since)| Some((bytes, since.checked_sub(STALLED)?)));
        };
        long_ago(&mut outbox);
        assert_eq!(write(&mut outbox, 1).len(), 1);
        assert_eq!(outbox.owe(900), Verdict::Queued, "it took something");
        long_ago(&mut outbox);
        assert_eq!(outbox.owe(100), Verdict::Overflow);
    }
}
