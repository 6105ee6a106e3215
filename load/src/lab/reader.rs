//! A reader: a client over real sockets, as section 5 of the contract tells a client to be. It holds a cursor for each
//! chat, comes back on another node after every cut, and fetches by REST where it is told to.
//!
//! Writes down everything it sees, in the order in which it came. Does not judge.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::time::Duration;

use reqwest::Method;
use uuid::Uuid;

use super::dice::Dice;
use super::fleet::{API, Agent, Caller, Fleet};
use super::frame::{Came, Frame, Resumed, Socket};
use super::people::Room;
use super::phase::{Phase, Progress, Watch, sleep_until};
use super::record::{Book, Event, Kind, Line};

/// How long a socket may be silent before the client gives it up: some of the hub's pings.
const SILENCE_MAX: Duration = Duration::from_secs(8);
/// How long the answer to a subscription may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(8);
/// Milliseconds between two attempts to connect, from and up to.
const BREATH_MS: (u64, u64) = (20, 200);
/// Frames between two looks at whether the run has ended, at most.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// What a reader is made of.
pub struct Reader {
    fleet: Fleet,
    caller: Caller,
    book: Book,
    chats: HashMap<Uuid, u16>,
    ids: HashMap<u16, Uuid>,
    /// The last event of each chat: its number and its cursor.
    stands: BTreeMap<u16, (u64, String)>,
    progress: Progress,
    /// Connections so far, and the node of the last.
    n: u32,
    node: usize,
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    Cut,
    /// The client left: the run is over.
    Left,
}

/// What a frame means for the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Heard {
    News,
    /// The subscription is in force.
    Live,
    /// The subscription was refused for now.
    Refused,
}

impl Reader {
    /// A reader who knows the chats as they were after the set-up.
    #[must_use]
    pub fn new(fleet: &Fleet, agent: &Agent, seed: u64, name: &str, rooms: &[Room], mut book: Book) -> Self {
        book.note(&Line::Who { reader: name.to_owned(), agent: agent.id });
        let caller = Caller::new(agent.clone(), Dice::of(seed, name));
        let own = rooms.iter().filter(|room| room.chat.members.contains(&agent.id));
        let stands: BTreeMap<_, _> = own.map(|room| (room.chat.c, (room.chat.seq, room.cursor.clone()))).collect();
        for (c, (s, _)) in &stands {
            book.note(&Line::At { t: 0, n: 0, c: *c, s: *s, told: String::new() });
        }
        let chats: HashMap<_, _> = rooms.iter().map(|room| (room.chat.id, room.chat.c)).collect();
        let ids = chats.iter().map(|(id, c)| (*c, *id)).collect();
        let progress = Progress::new(rooms.len());
        Self { fleet: fleet.clone(), caller, book, chats, ids, stands, progress, n: 0, node: usize::MAX }
    }

    /// How far it is, while it runs.
    #[must_use]
    pub fn progress(&self) -> Progress {
        self.progress.clone()
    }

    /// Reads until it is told to leave.
    ///
    /// # Errors
    /// Its part of the record could not be written.
    pub async fn run(mut self, mut phase: Watch) -> io::Result<()> {
        while *phase.borrow() < Phase::Leave {
            self.n += 1;
            self.choose_node();
            match self.open().await {
                Some(socket) => {
                    if self.follow(socket, &mut phase).await == Ended::Left {
                        break;
                    }
                }
                None => {
                    let breath = self.caller.dice.between(BREATH_MS.0, BREATH_MS.1);
                    sleep_until(&mut phase, Phase::Leave, Duration::from_millis(breath)).await;
                }
            }
        }
        self.caller.note(&mut self.book);
        self.book.close()
    }

    /// Any node but the last one.
    fn choose_node(&mut self) {
        let all = self.fleet.nodes.len();
        let next = self.caller.dice.place(all);
        self.node = if next == self.node { (next + 1) % all.max(1) } else { next };
    }

    async fn open(&mut self) -> Option<Socket> {
        let node = self.fleet.nodes.get(self.node)?;
        let since: BTreeMap<Uuid, &str> =
            self.stands.iter().filter_map(|(c, (_, cursor))| Some((*self.ids.get(c)?, cursor.as_str()))).collect();
        let agent = &self.caller.agent;
        match Socket::open(node, agent.id, &agent.token, &since).await {
            Ok(socket) => {
                let (t, n) = (self.fleet.clock.now(), self.n);
                self.book.note(&Line::Open { t, n, node: u8::try_from(self.node).unwrap_or(u8::MAX) });
                Some(socket)
            }
            Err(why) => {
                self.caller.answered(&format!("socket: {why}"));
                None
            }
        }
    }

    async fn follow(&mut self, mut socket: Socket, phase: &mut Watch) -> Ended {
        let (mut heard, mut live) = (tokio::time::Instant::now(), false);
        loop {
            let came = socket.next(LOOK_EVERY).await;
            let t = self.fleet.clock.now();
            match came {
                Came::Text(ref text) => match self.frame(t, text).await {
                    Heard::Live => live = true,
                    Heard::Refused => {
                        self.book.note(&Line::Closed { t, n: self.n, code: 1000 });
                        socket.close().await;
                        let breath = self.caller.dice.between(BREATH_MS.0, BREATH_MS.1);
                        sleep_until(phase, Phase::Leave, Duration::from_millis(breath)).await;
                        return Ended::Cut;
                    }
                    Heard::News => {}
                },
                Came::Closed(code) => {
                    self.book.note(&Line::Closed { t, n: self.n, code });
                    return Ended::Cut;
                }
                Came::Sign | Came::Silence => {}
            }
            if *phase.borrow() >= Phase::Leave {
                self.book.note(&Line::Closed { t, n: self.n, code: 1000 });
                socket.close().await;
                return Ended::Left;
            }
            if !matches!(came, Came::Silence) {
                heard = tokio::time::Instant::now();
            } else if heard.elapsed() > if live { SILENCE_MAX } else { ANSWER_WITHIN } {
                self.book.note(&Line::Closed { t, n: self.n, code: 0 });
                return Ended::Cut;
            }
        }
    }

    /// Takes a frame in.
    async fn frame(&mut self, t: u64, text: &str) -> Heard {
        let Ok(frame) = serde_json::from_str::<Frame<'_>>(text) else {
            self.odd(t, text);
            return Heard::News;
        };
        if let Some(event) = frame.event(t, self.n, &self.chats) {
            match frame.cursor.as_deref() {
                Some(cursor) => self.event(&event, cursor),
                None => self.odd(t, text),
            }
            return Heard::News;
        }
        match frame.r#type.as_ref() {
            "subscribed" => {
                let chats = frame.chats.unwrap_or_default();
                self.resumed(t, &chats).await;
                return Heard::Live;
            }
            // The store is away: the same is asked for elsewhere.
            "error" if text.contains("\"UNAVAILABLE\"") => {
                self.caller.answered("socket: 503 on subscribing");
                return Heard::Refused;
            }
            "resync" => match (frame.chat_id, frame.seq, frame.cursor) {
                (Some(chat), Some(s), Some(cursor)) => {
                    let told = frame.reason.unwrap_or_default().into_owned();
                    self.told(t, chat, s, &cursor, &told).await;
                }
                _ => self.odd(t, text),
            },
            "agent_status_updated" => {}
            _ => self.odd(t, text),
        }
        Heard::News
    }

    fn odd(&mut self, t: u64, text: &str) {
        self.book.note(&Line::Odd { t, n: self.n, text: text.chars().take(300).collect() });
    }

    fn event(&mut self, event: &Event, cursor: &str) {
        self.book.note(&Line::Event(event.clone()));
        if event.k == Kind::Removed && event.o == Some(self.caller.agent.id) {
            self.stands.remove(&event.c);
            self.progress.set(event.c, 0);
        } else {
            match self.stands.get_mut(&event.c) {
                Some((seq, at)) => {
                    *seq = event.s;
                    at.clear();
                    at.push_str(cursor);
                }
                None => drop(self.stands.insert(event.c, (event.s, cursor.to_owned()))),
            }
            self.progress.set(event.c, event.s);
        }
    }

    async fn resumed(&mut self, t: u64, chats: &BTreeMap<Uuid, Resumed>) {
        let n = self.n;
        let gone: Vec<u16> = self
            .stands
            .keys()
            .copied()
            .filter(|c| self.ids.get(c).is_none_or(|chat| !chats.contains_key(chat)))
            .collect();
        for c in gone {
            self.stands.remove(&c);
            self.progress.set(c, 0);
            self.book.note(&Line::Gone { t, n, c });
        }
        for (chat, state) in chats {
            let Some(c) = self.chats.get(chat).copied() else { continue };
            match self.stands.get(&c) {
                Some(_) if state.recovered => {}
                Some(_) => self.told(t, *chat, state.seq, &state.cursor, &state.reason).await,
                None => self.told(t, *chat, state.seq, &state.cursor, "").await,
            }
        }
        // Told and fetched: now it is up to date.
        self.book.note(&Line::Live { t: self.fleet.clock.now(), n });
    }

    /// The chat goes on from here; what the client had of it is not the truth any more, and is fetched.
    async fn told(&mut self, t: u64, chat: Uuid, s: u64, cursor: &str, told: &str) {
        let Some(c) = self.chats.get(&chat).copied() else { return };
        self.stands.insert(c, (s, cursor.to_owned()));
        self.progress.set(c, s);
        self.book.note(&Line::At { t, n: self.n, c, s, told: told.to_owned() });
        for path in [format!("{API}/talk_chats/{chat}"), format!("{API}/talk_messages?chat_id={chat}&page_size=50")] {
            let token = self.caller.agent.token.clone();
            let answer = self.fleet.try_once(self.node, &token, &Method::GET, &path, None, None).await;
            let kind = answer.map_or("fetch: none".to_owned(), |(status, _)| format!("fetch: {status}"));
            self.caller.answered(&kind);
        }
    }
}
