//! One subscribed socket: from the first packet until it is dropped for good, over any number of times that it comes back.
//!
//! It reads what came without copying it, answers pings, and judges every event. What it counts goes into the tally that
//! it is handed. It knows nothing of the other sockets.

use std::io::{ErrorKind, Read, Write};

use mio::net::TcpStream;

use super::follow::Follow;
use super::hall::Hall;
use super::listener::Wanted;
use crate::client::Dialect;
use crate::client::frames::{self, Found, Kind};
use crate::client::handshake::{self, Next, Role, Upgraded};
use crate::client::stream::NARROW_BYTES;
use crate::client::tls::Wire;
use crate::gauge::tally::{Span, Tally};

mod hearing;
mod over;
mod tools;

pub(super) use hearing::chat_name;
use over::{Over, Refused};
use tools::READ_BYTES;
pub use tools::Tools;

/// Bytes of the room for half a frame that are kept when there is none.
const ROOM_BYTES_KEPT: usize = 4 * 1024;

/// Unread bytes with which a narrow socket has no room for a whole segment more: the kernel counts its own needs, too.
const FULL_BYTES: usize = NARROW_BYTES / 2;

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Not connected; it may be waiting for its turn.
    Down,
    Connecting,
    Upgrading,
    /// It is a socket, and has asked for its events.
    Subscribing,
    Up,
}

/// What became of a socket while it was served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Became {
    /// What it was.
    Same,
    /// It is up, for the first time or again.
    Up,
    /// It is down, and may be tried again after so many seconds.
    Down(Option<u64>),
}

/// See the module.
#[derive(Debug)]
pub struct Socket {
    pub agent: u32,
    pub node: u32,
    pub state: State,
    /// Not read, and not judged.
    pub stalled: bool,
    /// It has little room for what is not read.
    pub narrow: bool,
    /// When it began to come up, or was dropped.
    pub begun: u64,
    /// It was up before: it comes back with its cursors.
    back: bool,
    /// Chats in which it has not caught up yet.
    behind: u32,
    stream: Option<Wire>,
    rest: Vec<u8>,
    out: Vec<u8>,
    follows: Vec<Follow>,
    /// Which of them the last event was of.
    hit: usize,
}

impl Socket {
    /// One that is down.
    #[must_use]
    pub fn new(agent: u32, node: u32) -> Self {
        Self {
            agent,
            node,
            state: State::Down,
            stalled: false,
            narrow: false,
            begun: 0,
            back: false,
            behind: 0,
            stream: None,
            rest: Vec::new(),
            out: Vec::new(),
            follows: Vec::new(),
            hit: 0,
        }
    }

    /// One that is down, as it is wanted.
    #[must_use]
    pub fn wanted(wanted: &Wanted) -> Self {
        Self { narrow: wanted.narrow, ..Self::new(wanted.agent, wanted.node) }
    }

    /// Begins to come up on this stream.
    pub fn begin(&mut self, stream: Wire, now: u64) {
        self.forget();
        if self.begun == 0 {
            self.begun = now;
        }
        (self.stream, self.state) = (Some(stream), State::Connecting);
    }

    /// Cuts it, as a network does: nothing is said to the server but a reset.
    pub fn cut(&mut self) {
        if let Some(stream) = &self.stream {
            // Without it each would hold a port for a minute.
            socket2::SockRef::from(stream.tcp()).set_linger(Some(std::time::Duration::ZERO)).ok();
        }
        self.forget();
    }

    fn forget(&mut self) {
        (self.stream, self.state) = (None, State::Down);
        (self.rest, self.out) = (Vec::new(), Vec::new());
    }

    /// The stream, for whoever polls it.
    pub fn stream(&mut self) -> Option<&mut TcpStream> {
        self.stream.as_mut().map(Wire::tcp_mut)
    }

    /// Up, read, and with everything that it missed.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.state == State::Up && self.behind == 0 && !self.stalled
    }

    /// Not read, and over, or with so much unread that the server cannot send it anything.
    #[must_use]
    pub fn is_held_up(&self) -> bool {
        let Some(stream) = &self.stream else { return true };
        let mut bytes = [0; FULL_BYTES];
        match stream.tcp().peek(&mut bytes) {
            Ok(count) => count == 0 || count >= FULL_BYTES,
            Err(error) => error.kind() != ErrorKind::WouldBlock,
        }
    }

    /// The chats that it follows.
    #[must_use]
    pub fn follows(&self) -> &[Follow] {
        &self.follows
    }

    /// Something can be read or written. `ended`: the other side has said its last.
    pub fn serve(&mut self, hall: &Hall, tools: &mut Tools, tally: &mut Tally, ended: bool) -> Became {
        if self.stream.is_none() {
            // Cut by ourselves in the same poll.
            return Became::Same;
        }
        if self.state == State::Connecting {
            match self.connected(hall) {
                Ok(true) => {}
                Ok(false) => return Became::Same,
                Err(over) => return self.lost(hall, tools, tally, over),
            }
        }
        let before = self.is_live();
        if let Err(error) = self.flush() {
            return self.lost(hall, tools, tally, Over::io(&error));
        }
        if self.stalled {
            // It is not judged, and does not come back.
            if ended && self.state == State::Up {
                tally.counts.closed += 1;
                self.cut();
            }
            return Became::Same;
        }
        match self.read(hall, tools, tally, ended) {
            Ok(()) if !before && self.is_live() => {
                self.came_up(hall, tally);
                Became::Up
            }
            Ok(()) => Became::Same,
            Err(over) => self.lost(hall, tools, tally, over),
        }
    }

    fn came_up(&mut self, hall: &Hall, tally: &mut Tally) {
        let took = hall.clock.now().saturating_sub(self.begun);
        if self.back {
            tally.counts.resumed += 1;
            tally.took(Span::Resume, took);
        } else {
            tally.counts.connected += 1;
            tally.took(Span::Connect, took);
        }
        (self.back, self.begun) = (true, 0);
    }

    fn lost(&mut self, hall: &Hall, tools: &mut Tools, tally: &mut Tally, over: Over) -> Became {
        let Over { why, after, for_good } = over;
        if self.state == State::Up {
            tally.counts.closed += 1;
            if self.begun == 0 {
                self.begun = hall.clock.now();
            }
            // Whoever cuts one on purpose does not come here.
            if !self.stalled {
                let back = if hall.dialect == Dialect::Hub { "" } else { ", and cannot resume" };
                hall.violations.add(|| format!("{} was closed{back}: {why}", self.name(hall)));
            }
        } else {
            tally.counts.connect_failed += 1;
            tools.refused = Some(Refused { why, for_good });
        }
        self.cut();
        Became::Down(after)
    }

    fn connected(&mut self, hall: &Hall) -> Result<bool, Over> {
        let Some(stream) = &self.stream else { return Err(Over::new("no stream")) };
        if let Some(error) = stream.tcp().take_error().unwrap_or_else(Some) {
            return Err(Over::io(&error));
        }
        match stream.tcp().peer_addr() {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NotConnected => return Ok(false),
            Err(error) => return Err(Over::io(&error)),
        }
        let (node, agent) = (self.node as usize, self.agent as usize);
        let (Some(node), Some(agent)) = (hall.nodes.get(node), hall.agents.get(agent)) else {
            return Err(Over::new("no such node or agent"));
        };
        self.out = handshake::upgrade(hall.dialect, Role::Subscriber, &node.host, &agent.token);
        self.state = State::Upgrading;
        Ok(true)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        let Some(stream) = &mut self.stream else { return Ok(()) };
        while !self.out.is_empty() {
            match stream.write(&self.out) {
                Ok(written) => drop(self.out.drain(..written)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.out = Vec::new();
        match stream.flush() {
            Err(error) if error.kind() != ErrorKind::WouldBlock => Err(error),
            _ => Ok(()),
        }
    }

    /// Reads until nothing is left. An error says that the socket is over, and why.
    fn read(&mut self, hall: &Hall, tools: &mut Tools, tally: &mut Tally, ended: bool) -> Result<(), Over> {
        let mut scratch = std::mem::take(&mut tools.scratch);
        let outcome = self.read_into(&mut scratch, hall, tools, tally, ended);
        tools.scratch = scratch;
        outcome
    }

    fn read_into(
        &mut self,
        scratch: &mut Vec<u8>,
        hall: &Hall,
        tools: &mut Tools,
        tally: &mut Tally,
        ended: bool,
    ) -> Result<(), Over> {
        loop {
            let held = self.rest.len();
            if scratch.len() < held + READ_BYTES / 2 {
                scratch.resize(held + READ_BYTES, 0);
            }
            let (Some(begin), Some(stream)) = (scratch.get_mut(..held), &mut self.stream) else {
                return Err(Over::new("no stream"));
            };
            begin.copy_from_slice(&self.rest);
            let Some(room) = scratch.get_mut(held..) else { return Err(Over::new("no room")) };
            let (space, all_at_once) = (room.len(), stream.gives_all_at_once());
            let count = match stream.read(room) {
                Ok(0) => return Err(Over::new("it ended without a close frame")),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    return self.flush().map_err(|error| Over::io(&error));
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(Over::io(&error)),
            };
            tally.counts.reads += 1;
            tally.counts.bytes_read += count as u64;
            let bytes = scratch.get(..held + count).unwrap_or_default();
            let used = self.parse(bytes, hall, tools, tally)?;
            self.rest.clear();
            self.rest.extend_from_slice(bytes.get(used..).unwrap_or_default());
            if self.rest.is_empty() && self.rest.capacity() > ROOM_BYTES_KEPT {
                self.rest = Vec::new();
            }
            // A read that leaves room has taken everything, and what comes later is told anew.
            if all_at_once && count < space && !ended {
                return self.flush().map_err(|error| Over::io(&error));
            }
        }
    }

    /// Takes all whole frames; how many bytes they were.
    fn parse(&mut self, bytes: &[u8], hall: &Hall, tools: &mut Tools, tally: &mut Tally) -> Result<usize, Over> {
        let mut at = 0;
        if self.state == State::Upgrading {
            match handshake::upgraded(bytes) {
                Upgraded::Part => return Ok(0),
                Upgraded::Yes(end) => at = end,
                Upgraded::No(status, after) => {
                    // 429 and whatever is the server's own fault may be otherwise with another try.
                    let (after, for_good) = (Some(after.unwrap_or(1)), (400..500).contains(&status) && status != 429);
                    return Err(Over { why: format!("refused with status {status}"), after, for_good });
                }
                Upgraded::Wrong => return Err(Over::new("the answer is not HTTP")),
            }
            self.upgraded(hall);
        }
        let now = hall.clock.now();
        loop {
            let (kind, range) = match frames::find(bytes, at) {
                Found::Frame(kind, range) => (kind, range),
                Found::Part(_) => return Ok(at),
                Found::Wrong(what) => {
                    hall.violations.add(|| format!("{} was sent {what}", self.name(hall)));
                    return Err(Over::new(what));
                }
            };
            at = range.end;
            tally.counts.frames += 1;
            let payload = bytes.get(range).unwrap_or_default();
            match kind {
                Kind::Text if self.state == State::Up => self.text(payload, now, hall, tools, tally),
                Kind::Text => self.greeted(payload, hall)?,
                Kind::Ping => frames::write(&mut self.out, Kind::Pong, payload),
                // Told by the server itself: 1012 means that it is stopping.
                Kind::Close => return Err(Over::new(format!("code {}", frames::close_code(payload)))),
                Kind::Pong | Kind::Binary => {}
            }
        }
    }

    fn upgraded(&mut self, hall: &Hall) {
        self.state = State::Subscribing;
        match hall.dialect {
            Dialect::Hub => {
                let since: Vec<String> =
                    self.follows.iter().filter_map(|follow| hearing::since(hall, follow)).collect();
                let agent = hall.agents.get(self.agent as usize).map_or("", |agent| &agent.id);
                self.out = handshake::subscribe(agent, &format!("{{{}}}", since.join(",")));
            }
            Dialect::Bare | Dialect::SocketIo => self.follows = vec![Follow::after(0, 0, b"")],
        }
        if handshake::up_at_once(hall.dialect) {
            self.state = State::Up;
        }
    }

    fn greeted(&mut self, payload: &[u8], hall: &Hall) -> Result<(), Over> {
        match handshake::next(hall.dialect, payload) {
            Next::Wait => {}
            Next::Say(bytes) => self.out.extend_from_slice(&bytes),
            Next::Up => {
                self.state = State::Up;
                if hall.dialect == Dialect::Hub {
                    self.subscribed(payload, hall)?;
                }
            }
            Next::Refused(words) => {
                hall.violations.add(|| format!("{} was refused: {words}", self.name(hall)));
                return Err(Over { after: Some(1), ..Over::new(words) });
            }
        }
        Ok(())
    }

    /// How it is called in what is said about it.
    #[must_use]
    pub fn name(&self, hall: &Hall) -> String {
        let agent = hall.agents.get(self.agent as usize).map_or("nobody", |agent| &agent.id);
        format!("the socket of agent {agent} on node {}", self.node)
    }
}
