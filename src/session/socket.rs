//! A socket's connection, owned from the upgrade on; what waits for it is written in turns. What is
//! read is [`incoming`](super::incoming)'s.
//!
//! Writing is the worker's business, not the actor's: the [round](super::round) goes from socket to socket and
//! writes what waits for each, many frames in one call. While nothing else is to be done a frame leaves at
//! once; under load more frames gather for each socket while the round is with the others, and
//! leave together. No timer is involved, and no socket waits for a slow one: who takes nothing
//! leaves the round until the kernel has room for it again.

use std::cell::{Cell, RefCell};
use std::io::{self, IoSlice};
use std::net::Shutdown;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, Waker, ready};

use actix_web::rt::net::TcpStream;
use bytes::{Bytes, BytesMut};
use socket2::SockRef;

use crate::fanout::outbox::{Outbox, Verdict};
use crate::wire::CloseCause;
use crate::wire::frames::TextFrame;

use super::follower::Session;
use super::round::Round;

/// Once so many bytes were written to a socket, the next one has its turn; the last call may go beyond.
const TURN_BYTES: usize = 64 * 1024;
/// Frames handed to the kernel in one call.
const FRAMES_AT_ONCE: usize = 64;
/// Bytes for which there is room in one call of reading.
const READ_BYTES: usize = 4 * 1024;

/// One connection and what waits for it. Lives on its worker's thread.
pub struct Socket {
    stream: TcpStream,
    outbox: RefCell<Outbox>,
    round: Rc<Round>,
    in_round: Cell<bool>,
    /// Whether the kernel took less than there was; the one who is told when it has room.
    blocked: Cell<bool>,
    unblocked: RefCell<Option<Waker>>,
    session: Weak<Session>,
}

impl Socket {
    /// The socket of this session, with an outbox of at most so many bytes.
    #[must_use]
    pub fn new(stream: TcpStream, outbox_bytes_max: usize, round: Rc<Round>, session: Weak<Session>) -> Self {
        let (in_round, blocked, unblocked) = (Cell::new(false), Cell::new(false), RefCell::default());
        Self { stream, outbox: Outbox::new(outbox_bytes_max).into(), round, in_round, blocked, unblocked, session }
    }

    /// Its turn has come.
    pub(super) fn leave_round(&self) {
        self.in_round.set(false);
    }

    fn join_round(&self) {
        if !self.blocked.get()
            && let Some(session) = self.session.upgrade()
            && !self.in_round.replace(true)
        {
            self.round.join(session);
        }
    }

    /// See [`Outbox::push`].
    pub fn push(&self, frame: TextFrame) -> Verdict {
        let verdict = self.outbox.borrow_mut().push(frame);
        self.round.count_frame();
        self.join_round();
        verdict
    }

    /// See [`Outbox::owe`].
    pub fn owe(&self, bytes: usize) -> Verdict {
        self.outbox.borrow_mut().owe(bytes)
    }

    /// See [`Outbox::ping`].
    pub fn ping(&self) {
        self.outbox.borrow_mut().ping();
        self.join_round();
    }

    /// See [`Outbox::pong`].
    pub fn pong(&self, payload: Bytes) {
        self.outbox.borrow_mut().pong(payload);
        self.join_round();
    }

    /// See [`Outbox::close`].
    pub fn close(&self, cause: CloseCause) {
        self.outbox.borrow_mut().close(cause);
        self.join_round();
    }

    /// See [`Outbox::room_for_older`].
    #[must_use]
    pub fn room_for_older(&self) -> Option<usize> {
        self.outbox.borrow().room_for_older()
    }

    /// See [`Outbox::has_room_for_late`].
    #[must_use]
    pub fn has_room_for_late(&self, bytes: usize) -> bool {
        self.outbox.borrow().has_room_for_late(bytes)
    }

    /// Reads what has come, behind what is in `bytes` already: at most [`READ_BYTES`] of it, and how many.
    ///
    /// # Errors
    /// As reading does; 0 bytes when the peer has ended its side.
    pub(super) fn poll_read(&self, context: &mut Context<'_>, bytes: &mut BytesMut) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.stream.poll_read_ready(context))?;
            bytes.reserve(READ_BYTES);
            match self.stream.try_read_buf(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if bytes.is_empty() {
                        *bytes = BytesMut::new();
                    }
                }
                read => return Poll::Ready(read),
            }
        }
    }

    /// Ends the connection, whatever state it is in.
    pub fn cut(&self) {
        // One that has ended already cannot be ended again, and that is all that can go wrong.
        let _ = SockRef::from(&self.stream).shutdown(Shutdown::Both);
    }

    /// Writes what waits, up to a turn's bytes; a socket with more comes into the round again.
    pub fn write(&self) {
        let mut outbox = self.outbox.borrow_mut();
        let mut left = TURN_BYTES;
        while left > 0 && !outbox.is_empty() {
            let mut places = [IoSlice::new(&[]); FRAMES_AT_ONCE];
            let count = outbox.next(&mut places);
            let written = match &places[..count] {
                // The kernel takes one frame for less than a list of one.
                [frame] => self.stream.try_write(frame),
                frames => self.stream.try_write_vectored(frames),
            };
            match written {
                Ok(bytes) => {
                    outbox.wrote(bytes);
                    left = left.saturating_sub(bytes);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.blocked.set(true);
                    if let Some(waker) = self.unblocked.take() {
                        waker.wake();
                    }
                    return;
                }
                // Whoever reads sees that it has ended.
                Err(_) => return self.cut(),
            }
        }
        if outbox.is_over() {
            // The peer reads up to here, and ends its side.
            let _ = SockRef::from(&self.stream).shutdown(Shutdown::Write);
        }
        let more = !outbox.is_empty();
        drop(outbox);
        if more {
            self.join_round();
        }
    }

    /// Brings a socket whose peer took nothing back into the round when the kernel has room. Never ready.
    pub fn poll_unblocked(&self, context: &mut Context<'_>) -> Poll<()> {
        if self.blocked.get() {
            // An error shows in the next write.
            if self.stream.poll_write_ready(context).is_pending() {
                return Poll::Pending;
            }
            self.blocked.set(false);
            self.join_round();
        }
        self.unblocked.replace(Some(context.waker().clone()));
        Poll::Pending
    }
}
