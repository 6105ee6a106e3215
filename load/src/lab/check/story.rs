//! A record read into memory: the run, the calls, the final log and what REST showed in the end. Readers' files are not
//! held; they stream past it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::path::Path;

use uuid::Uuid;

use crate::lab::record::{self, Call, Chat, Deed, Event, Fault, Kind, Line, Message, Run, State};

/// What is kept of an event of the final log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub x: u64,
    pub k: Kind,
    pub m: Uuid,
    pub o: Option<Uuid>,
    pub p: Option<Uuid>,
    pub f: u64,
}

/// The participant record that a call made, if it is known, and the moment it was asked.
pub type Asked = (Option<Uuid>, u64);

/// All but what readers saw.
#[derive(Debug, Default)]
pub struct Story {
    pub run: Run,
    pub chats: BTreeMap<u16, Chat>,
    /// In the order of their sending.
    pub calls: Vec<Call>,
    /// The final log of each node: chat, then number.
    pub logs: BTreeMap<u32, BTreeMap<u16, BTreeMap<u64, Entry>>>,
    /// Numbers that a node's log showed twice.
    pub shown_twice: Vec<(u32, u16, u64)>,
    /// The messages that each node showed.
    pub messages: BTreeMap<u8, HashMap<Uuid, Message>>,
    pub states: BTreeMap<(u8, u16), State>,
    pub faults: Vec<Fault>,
    pub answers: BTreeMap<String, u64>,
    /// Rounds of a series: from, to.
    pub rounds: Vec<(u64, u64)>,
    pub unread: Vec<String>,
    /// When each agent was asked into a chat.
    pub adds: HashMap<(u16, Uuid), Vec<Asked>>,
    /// Numbers between which an agent is a member of a chat, both included; open at the end: `u64::MAX`.
    pub stays: HashMap<(u16, Uuid), Vec<(u64, u64)>>,
}

impl Story {
    /// Reads all files but the readers'.
    ///
    /// # Errors
    /// A file cannot be read, or there is no `run.jsonl`.
    pub fn read(dir: &Path) -> io::Result<Self> {
        let mut story = Self::default();
        record::read(&dir.join("run.jsonl"), |line| story.take(line))?;
        for prefix in ["faults", "writer-", "final-"] {
            for path in record::files(dir, prefix)? {
                record::read(&path, |line| story.take(line))?;
            }
        }
        story.finish();
        Ok(story)
    }

    /// Takes one line in.
    pub fn take(&mut self, line: Line) {
        match line {
            Line::Run(run) => self.run = run,
            Line::Chat(chat) => drop(self.chats.insert(chat.c, chat)),
            Line::Call(call) => self.calls.push(call),
            Line::Fault(fault) => self.faults.push(fault),
            Line::Answers { kind, count } => *self.answers.entry(kind).or_default() += count,
            Line::Logged(event) => self.logged(&event),
            Line::Message(message) => drop(self.messages.entry(message.node).or_default().insert(message.id, message)),
            Line::State(state) => drop(self.states.insert((state.node, state.c), state)),
            Line::Round { t, ended, .. } => self.rounds.push((t, ended)),
            Line::Unread { node, what } => self.unread.push(format!("node {node}: {what}")),
            _ => {}
        }
    }

    fn logged(&mut self, event: &Event) {
        let entry = Entry { x: event.x, k: event.k, m: event.m, o: event.o, p: event.p, f: event.f };
        let log = self.logs.entry(event.n).or_default().entry(event.c).or_default();
        if log.insert(event.s, entry).is_some() {
            self.shown_twice.push((event.n, event.c, event.s));
        }
    }

    /// Works out what follows from the lines, when all are in.
    pub fn finish(&mut self) {
        self.calls.sort_by_key(|call| call.t);
        for call in self.calls.iter().filter(|call| call.deed == Deed::Add) {
            if let Some(who) = call.who {
                self.adds.entry((call.c, who)).or_default().push((call.id, call.t));
            }
        }
        let mut stays: HashMap<(u16, Uuid), Vec<(u64, u64)>> = HashMap::new();
        for chat in self.chats.values() {
            for member in &chat.members {
                stays.insert((chat.c, *member), vec![(0, u64::MAX)]);
            }
            for (seq, entry) in self.log(chat.c) {
                let Some(agent) = entry.o else { continue };
                let stays = stays.entry((chat.c, agent)).or_default();
                match entry.k {
                    Kind::Added => stays.push((*seq, u64::MAX)),
                    Kind::Removed => {
                        if let Some(last) = stays.last_mut() {
                            last.1 = *seq;
                        }
                    }
                    _ => {}
                }
            }
        }
        self.stays = stays;
    }

    /// The final log of a chat, as the first node showed it, after the set-up.
    pub fn log(&self, c: u16) -> impl Iterator<Item = (&u64, &Entry)> {
        self.logs.values().next().and_then(|log| log.get(&c)).into_iter().flatten()
    }

    /// One event of it.
    #[must_use]
    pub fn entry(&self, c: u16, seq: u64) -> Option<&Entry> {
        self.logs.values().next()?.get(&c)?.get(&seq)
    }

    /// The number of the newest event of a chat.
    #[must_use]
    pub fn head(&self, c: u16) -> u64 {
        let base = self.chats.get(&c).map_or(0, |chat| chat.seq);
        self.log(c).last().map_or(base, |(seq, _)| *seq)
    }

    /// Whether an agent is a member in the end.
    #[must_use]
    pub fn is_member(&self, c: u16, agent: Uuid) -> bool {
        self.stays.get(&(c, agent)).and_then(|stays| stays.last()).is_some_and(|stay| stay.1 == u64::MAX)
    }

    /// Whether the agent hears this number, by the fold of the final log.
    #[must_use]
    pub fn was_member(&self, c: u16, agent: Uuid, s: u64) -> bool {
        self.stays.get(&(c, agent)).is_some_and(|stays| stays.iter().any(|(from, to)| (*from..=*to).contains(&s)))
    }

    /// The members of a chat in the end, by the fold of its log.
    #[must_use]
    pub fn members(&self, c: u16) -> BTreeSet<Uuid> {
        let here = self.stays.iter().filter(|((chat, _), stays)| *chat == c && stays.last().is_some_and(open));
        here.map(|((_, agent), _)| *agent).collect()
    }
}

fn open(stay: &(u64, u64)) -> bool {
    stay.1 == u64::MAX
}
