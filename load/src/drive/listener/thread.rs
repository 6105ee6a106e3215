//! The thread of the listener: polls, serves whoever has something, and does what it is told in between.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::io::ErrorKind;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use mio::{Events, Interest, Poll, Token};

use super::window::Window;
use super::{Missing, Order, Seen, Speed, WAKE};
use crate::client::tls::Wire;
use crate::drive::hall::Hall;
use crate::drive::socket::{Became, Socket, State, Tools, chat_name};
use crate::gauge::tally::{Shared, Tally};
use crate::results::VIOLATIONS_MAX;

/// Events taken from one poll.
const EVENTS_MAX: usize = 1_024;
/// How long a poll lasts when nothing comes.
const POLL: Duration = Duration::from_millis(100);
/// How long a poll lasts while sockets wait for their turn.
const POLL_WHILE_OPENING: Duration = Duration::from_millis(1);
/// Time before another try for whoever is not told one.
const AGAIN_MICROS: u64 = 100_000;

pub(super) struct Thread {
    hall: Arc<Hall>,
    poll: Poll,
    orders: Receiver<Order>,
    seen: Arc<Seen>,
    tally: Shared,
    sockets: Vec<Socket>,
    tools: Tools,
    window: Option<Window>,
    speed: Speed,
    /// Who may come up now.
    queue: VecDeque<usize>,
    /// Who may come up later, and when.
    later: BinaryHeap<Reverse<(u64, usize)>>,
    /// Handshakes under way.
    opening: usize,
    /// When the next handshake may begin, where there is a rate.
    next_at: u64,
    live: u64,
}

impl Thread {
    pub(super) fn new(hall: Arc<Hall>, poll: Poll, orders: Receiver<Order>, seen: Arc<Seen>, tally: Shared) -> Self {
        Self {
            hall,
            poll,
            orders,
            seen,
            tally,
            sockets: Vec::new(),
            tools: Tools::default(),
            window: None,
            speed: Speed { at_once: 1, per_second: 0.0 },
            queue: VecDeque::new(),
            later: BinaryHeap::new(),
            opening: 0,
            next_at: 0,
            live: 0,
        }
    }

    pub(super) fn run(mut self) {
        let mut events = Events::with_capacity(EVENTS_MAX);
        loop {
            let waiting = !self.queue.is_empty() || !self.later.is_empty();
            let polled = self.poll.poll(&mut events, Some(if waiting { POLL_WHILE_OPENING } else { POLL }));
            if polled.is_err_and(|error| error.kind() != ErrorKind::Interrupted) {
                self.hall.violations.add(|| "the poll of the load tester failed".to_owned());
                return;
            }
            if !self.obey() {
                break;
            }
            self.serve(&events);
            self.begin_some();
            self.seen.live.store(self.live, Ordering::Relaxed);
        }
        self.sockets.iter_mut().for_each(Socket::cut);
    }

    fn serve(&mut self, events: &Events) {
        let shared = self.tally.clone();
        // Nobody waits for it longer than one poll's events take.
        let mut tally = shared.fill();
        for event in events.iter().filter(|event| event.token() != WAKE) {
            let ended = event.is_read_closed() || event.is_error();
            self.serve_one(event.token().0, ended, &mut tally);
        }
        drop(tally);
        if let Some(refused) = self.tools.refused.take() {
            self.refused(refused.why, refused.for_good);
        }
        if let Some(window) = &mut self.window {
            self.tools.heard.drain(..).for_each(|(chat, seq)| window.heard(chat, seq));
        }
    }

    fn refused(&self, why: String, for_good: bool) {
        *self.seen.refusal.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
        self.seen.hopeless.fetch_or(for_good, Ordering::Relaxed);
    }

    fn serve_one(&mut self, place: usize, ended: bool, tally: &mut Tally) {
        let Some(socket) = self.sockets.get_mut(place) else { return };
        let (was_up, was_live) = (socket.state == State::Up, socket.is_live());
        let became = socket.serve(&self.hall, &mut self.tools, tally, ended);
        let (is_up, is_live, stalled) = (socket.state == State::Up, socket.is_live(), socket.stalled);
        self.live = self.live + u64::from(is_live) - u64::from(was_live);
        if !was_up && (is_up || became != Became::Same) {
            self.opening = self.opening.saturating_sub(1);
        }
        if let Became::Down(after) = became
            && !stalled
            && (!was_up || self.hall.dialect == crate::client::Dialect::Hub)
        {
            let after = after.map_or(AGAIN_MICROS, |seconds| seconds.saturating_mul(1_000_000));
            self.later.push(Reverse((self.hall.clock.now() + after, place)));
        }
    }

    /// Begins as many handshakes as there may be.
    fn begin_some(&mut self) {
        if self.queue.is_empty() && self.later.is_empty() {
            return;
        }
        let now = self.hall.clock.now();
        while let Some(Reverse((_, place))) = self.later.peek().copied().filter(|Reverse((at, _))| *at <= now) {
            self.later.pop();
            self.queue.push_back(place);
        }
        while self.opening < self.speed.at_once && (self.speed.per_second <= 0.0 || self.next_at <= now) {
            let Some(place) = self.queue.pop_front() else { return };
            if self.speed.per_second > 0.0 {
                // A pause is not made up for by a burst.
                self.next_at = self.next_at.max(now.saturating_sub(100_000)) + (1e6 / self.speed.per_second) as u64;
            }
            if let Err(error) = self.begin(place, now) {
                self.refused(error.to_string(), false);
                self.tally.fill().counts.connect_failed += 1;
                self.later.push(Reverse((now + AGAIN_MICROS, place)));
                return;
            }
        }
    }

    fn begin(&mut self, place: usize, now: u64) -> std::io::Result<()> {
        let Some(socket) = self.sockets.get_mut(place) else { return Ok(()) };
        if socket.state != State::Down {
            return Ok(());
        }
        let Some(node) = self.hall.nodes.get(socket.node as usize) else { return Ok(()) };
        let sources = &self.hall.sources;
        let begun = if socket.narrow { sources.begin_narrow(node.address) } else { sources.begin(node.address) };
        let stream = begun.map_err(std::io::Error::other)?;
        socket.begin(Wire::new(mio::net::TcpStream::from_std(stream), node.tls.as_ref())?, now);
        if let Some(stream) = socket.stream() {
            self.poll.registry().register(stream, Token(place), Interest::READABLE | Interest::WRITABLE)?;
            self.opening += 1;
        }
        Ok(())
    }

    /// Does what it is told; `false` when it is to end.
    fn obey(&mut self) -> bool {
        loop {
            match self.orders.try_recv() {
                Ok(Order::Open(wanted, speed)) => {
                    self.speed = speed;
                    let first = self.sockets.len();
                    self.sockets.extend(wanted.iter().map(Socket::wanted));
                    self.queue.extend(first..self.sockets.len());
                }
                Ok(Order::Stall(count)) => self.stall(count),
                Ok(Order::Drop(count, speed)) => self.drop_some(count, speed),
                Ok(Order::Window(permits)) => {
                    self.tools.wanted = true;
                    self.window = Some(Window::new(permits, self.listeners()));
                }
                Ok(Order::Missing(newest, answer)) => drop(answer.send(self.missing(&newest))),
                Ok(Order::HeldUp(answer)) => {
                    let stalled = self.sockets.iter().filter(|socket| socket.stalled);
                    // Whoever asked may have gone.
                    answer.send(stalled.filter(|socket| socket.is_held_up()).count()).ok();
                }
                Ok(Order::Stop) | Err(TryRecvError::Disconnected) => return false,
                Err(TryRecvError::Empty) => return true,
            }
        }
    }

    fn stall(&mut self, count: usize) {
        for socket in self.sockets.iter_mut().take(count) {
            self.live -= u64::from(socket.is_live());
            socket.stalled = true;
        }
        self.seen.live.store(self.live, Ordering::Relaxed);
    }

    fn drop_some(&mut self, count: usize, speed: Speed) {
        self.speed = speed;
        let now = self.hall.clock.now();
        let from = self.sockets.len().saturating_sub(count);
        for (place, socket) in self.sockets.iter_mut().enumerate().skip(from) {
            if socket.stalled || socket.state != State::Up {
                continue;
            }
            self.live -= u64::from(socket.is_live());
            socket.cut();
            socket.begun = now;
            self.queue.push_back(place);
        }
        // Nobody waits for those who were live before.
        self.seen.live.store(self.live, Ordering::Relaxed);
    }

    /// Sockets that follow each chat and are read.
    fn listeners(&self) -> Vec<u32> {
        let mut count = vec![0; self.hall.chats.len()];
        for socket in self.sockets.iter().filter(|socket| socket.state == State::Up && !socket.stalled) {
            for follow in socket.follows() {
                if let Some(count) = count.get_mut(follow.chat as usize) {
                    *count += 1;
                }
            }
        }
        count
    }

    fn missing(&self, newest: &[(u32, u64)]) -> Missing {
        let mut wanted = vec![0; self.hall.chats.len()];
        for (chat, seq) in newest {
            if let Some(wanted) = wanted.get_mut(*chat as usize) {
                *wanted = *seq;
            }
        }
        let mut missing = Missing { count: 0, first: Vec::new() };
        for socket in self.sockets.iter().filter(|socket| !socket.stalled) {
            for follow in socket.follows() {
                let wanted = wanted.get(follow.chat as usize).copied().unwrap_or_default();
                if follow.last() >= wanted {
                    continue;
                }
                missing.count += 1;
                if missing.first.len() < VIOLATIONS_MAX {
                    let (name, chat) = (socket.name(&self.hall), chat_name(&self.hall, follow.chat));
                    let from = follow.last() + 1;
                    missing.first.push(format!("{name} never got events {from} to {wanted} of {chat}"));
                }
            }
        }
        missing
    }
}
