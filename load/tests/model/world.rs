//! The protocol as the hub has it: one chat, its log, nodes that project it, clients that follow, and what can go wrong.
//!
//! Each step is what happens without anything else in between: a command of Redis, one mail of a chat's actor. Names
//! follow the code: in `steps.rs` `commit` is `commit.lua`, `take_one` `chat/actor.rs`, `look` and `see` `chat/looking.rs`, `follow`
//! `chat/following.rs`. Left out: members, edits and deletions, chats deleted, trimming, leaps, a primary that goes on
//! answering after another took over, and nodes that end (a client cut off, and a node that knows nothing yet, are in).

use std::hash::{DefaultHasher, Hash, Hasher};

/// An event: what was asked for, and which execution made it. The latter stands for its moment: no two are alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Entry {
    pub nonce: u8,
    pub made: u8,
}

/// What holds the protocol together; each can be taken out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Guards {
    /// A cursor proves which history was seen.
    pub proof: bool,
    /// A log shorter than what the attempt went by is a conflict.
    pub shorter: bool,
    /// A look when the link is back, and now and then.
    pub looks: bool,
    /// An event is only put behind the one it came behind, and a look reads the rest together with what is known. The
    /// hub does not have this one.
    pub chain: bool,
    /// Whoever catches up is given nothing that the room does not have. The hub does not have this one.
    pub within: bool,
}

/// How much happens.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub nodes: usize,
    pub clients: usize,
    pub messages: u8,
    pub failovers: u8,
    /// Links that break by themselves, pushes that get lost, and times that a client is cut off.
    pub breaks: u8,
    pub losses: u8,
    pub cuts: u8,
    /// Answers that get lost.
    pub repeats: u8,
    /// Whether calls have a key: the store then remembers it, and the client repeats it on any node. Without one the
    /// same node tries again by itself.
    pub keyed: bool,
    /// Whether things happen between the reads of a look, and while a commit is on its way.
    pub fine: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Arrival {
    pub(super) seq: usize,
    pub(super) entry: Entry,
    pub(super) before: Option<Entry>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Mail {
    Push(Arrival),
    /// The link is back.
    Up,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Look {
    Begun,
    /// The head, which is not what was known, was read.
    Differs(usize),
    /// What was known is still there; the rest is yet to be read.
    There(usize),
    Gone,
    Same,
    Behind(Vec<Arrival>),
    /// The state was loaded: for the first time, or anew.
    Loaded(Vec<Entry>),
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Node {
    pub(super) room: Option<Vec<Entry>>,
    /// Events up to this number are not in memory.
    pub(super) base: usize,
    pub(super) early: Vec<Arrival>,
    pub(super) up: bool,
    pub(super) inbox: Vec<Mail>,
    /// The look under way, and the head that it went by.
    pub(super) look: Option<(Option<(usize, Entry)>, Look)>,
    pub(super) again: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum At {
    Off,
    /// Waits for a look, and whether it has begun.
    Wish(usize, bool),
    /// Follows, and whether it is live.
    On(usize, bool),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Client {
    /// What it shows. Its cursor is the number and the identity of the last.
    pub(super) view: Vec<Entry>,
    pub(super) at: At,
}

/// A commit on its way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Attempt {
    pub(super) nonce: u8,
    pub(super) node: usize,
    pub(super) after: usize,
    /// Given up, and not executed yet: it ends with the server that it was sent to.
    pub(super) late: bool,
    /// Refused; decided anew after a look.
    pub(super) refused: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(super) log: Vec<Entry>,
    pub(super) made: u8,
    pub(super) posted: u8,
    pub(super) left: [u8; 5],
    pub(super) nodes: Vec<Node>,
    pub(super) clients: Vec<Client>,
    pub(super) attempts: Vec<Attempt>,
}

/// Places in `left`.
const FAILOVERS: usize = 0;
const BREAKS: usize = 1;
const LOSSES: usize = 2;
const CUTS: usize = 3;
pub(super) const REPEATS: usize = 4;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Post(usize),
    /// An attempt is executed, and answered unless it was given up.
    Commit(usize),
    /// An attempt is given up, and made again on this node.
    Repeat(usize, usize),
    /// Another primary takes over, with so much of the log.
    Failover(usize),
    Break(usize),
    Rise(usize),
    Hear(usize),
    Lose(usize),
    Look(usize),
    Cut(usize),
    Connect(usize, usize),
    CatchUp(usize),
}

impl World {
    /// A chat with one event, which all servers have and all clients show; no node knows it yet.
    pub(crate) fn new(bounds: &Bounds) -> Self {
        let first = vec![Entry { nonce: 0, made: 0 }];
        let node = Node { up: true, ..Node::default() };
        Self {
            log: first.clone(),
            made: 0,
            posted: 0,
            left: [bounds.failovers, bounds.breaks, bounds.losses, bounds.cuts, bounds.repeats],
            nodes: vec![node; bounds.nodes],
            clients: vec![Client { view: first, at: At::Off }; bounds.clients],
            attempts: Vec::new(),
        }
    }

    /// Names the state by 64 bits. Nodes are alike, and so are clients: states that differ by which is which are one.
    pub(crate) fn sign(&self) -> u64 {
        let hash = |of: &dyn Fn(&mut DefaultHasher)| {
            let mut hasher = DefaultHasher::new();
            of(&mut hasher);
            hasher.finish()
        };
        let sorted = |mut of: Vec<u64>| {
            of.sort_unstable();
            of
        };
        let clients = |here: &dyn Fn(At) -> Option<u8>| {
            let of = self.clients.iter().filter_map(|client| Some((here(client.at)?, &client.view)));
            sorted(of.map(|client| hash(&|to| client.hash(to))).collect())
        };
        let node = |(n, node): (usize, &Node)| {
            let here = clients(&|at| match at {
                At::Wish(m, begun) => (m == n).then_some(u8::from(begun)),
                At::On(m, live) => (m == n).then_some(2 + u8::from(live)),
                At::Off => None,
            });
            let from = self.attempts.iter().filter(|attempt| attempt.node == n);
            let from = sorted(
                from.map(|attempt| hash(&|to| (attempt.nonce, attempt.after, attempt.late, attempt.refused).hash(to)))
                    .collect(),
            );
            hash(&|to| (node, &here, &from).hash(to))
        };
        let nodes = sorted(self.nodes.iter().enumerate().map(node).collect());
        let off = clients(&|at| (at == At::Off).then_some(0));
        hash(&|to| (&self.log, self.made, self.posted, self.left, &nodes, &off).hash(to))
    }

    /// Everything that can happen next.
    pub(crate) fn acts(&self, bounds: &Bounds, guards: &Guards) -> Vec<Act> {
        let mut acts = Vec::new();
        for (n, node) in self.nodes.iter().enumerate() {
            let knows = node.room.is_some();
            acts.extend((knows && self.posted < bounds.messages).then_some(Act::Post(n)));
            acts.extend((node.up && self.left[BREAKS] > 0 && node.watching()).then_some(Act::Break(n)));
            acts.extend((!node.up).then_some(Act::Rise(n)));
            acts.extend((!node.inbox.is_empty()).then_some(Act::Hear(n)));
            let push = matches!(node.inbox.first(), Some(Mail::Push(_)));
            acts.extend((push && self.left[LOSSES] > 0).then_some(Act::Lose(n)));
            // A look now and then; one that can find nothing is left out.
            let due = guards.looks && node.may_look(&self.log);
            acts.extend((node.look.is_some() || due).then_some(Act::Look(n)));
        }
        for (i, attempt) in self.attempts.iter().enumerate() {
            // Refused: decided anew when a look is over.
            let waits = attempt.refused && self.nodes[attempt.node].look.is_some();
            acts.extend((!waits).then_some(Act::Commit(i)));
            if !attempt.late && !attempt.refused && self.left[REPEATS] > 0 {
                let there = |n: &usize| if bounds.keyed { self.nodes[*n].room.is_some() } else { *n == attempt.node };
                acts.extend((0..self.nodes.len()).filter(there).map(|n| Act::Repeat(i, n)));
            }
        }
        if self.left[FAILOVERS] > 0 && self.log.len() > 1 {
            acts.extend((1..=self.log.len()).map(Act::Failover));
        }
        for (c, client) in self.clients.iter().enumerate() {
            match client.at {
                At::Off => acts.extend((0..self.nodes.len()).map(|n| Act::Connect(c, n))),
                At::On(_, false) => acts.push(Act::CatchUp(c)),
                At::On(_, true) | At::Wish(..) => {}
            }
            acts.extend((client.at != At::Off && self.left[CUTS] > 0).then_some(Act::Cut(c)));
        }
        acts
    }

    pub(crate) fn act(&mut self, act: Act, bounds: &Bounds, guards: &Guards) {
        match act {
            Act::Post(n) => {
                self.posted += 1;
                let after = self.nodes[n].len();
                self.attempts.push(Attempt { nonce: self.posted, node: n, after, late: false, refused: false });
                if !bounds.fine && self.left[REPEATS] == 0 {
                    self.commit(self.attempts.len() - 1, bounds, guards);
                }
            }
            Act::Commit(i) => self.commit(i, bounds, guards),
            Act::Repeat(i, n) => self.repeat(i, n, bounds),
            Act::Failover(kept) => {
                self.left[FAILOVERS] -= 1;
                self.log.truncate(kept);
                self.attempts.retain(|attempt| !attempt.late);
                self.nodes.iter_mut().for_each(|node| node.up = false);
            }
            Act::Break(n) => {
                self.left[BREAKS] -= 1;
                self.nodes[n].up = false;
            }
            Act::Rise(n) => {
                self.nodes[n].up = true;
                if guards.looks && self.nodes[n].watching() {
                    self.nodes[n].inbox.push(Mail::Up);
                }
            }
            Act::Hear(n) => match self.nodes[n].inbox.remove(0) {
                Mail::Push(arrival) => self.take(n, vec![arrival], guards),
                Mail::Up => self.begin_look(n),
            },
            Act::Lose(n) => {
                self.left[LOSSES] -= 1;
                self.nodes[n].inbox.remove(0);
            }
            Act::Look(n) => {
                let under_way = self.nodes[n].look.is_some();
                self.look(n, guards);
                while !bounds.fine && under_way && self.nodes[n].reads() {
                    self.look(n, guards);
                }
            }
            Act::Cut(c) => {
                self.left[CUTS] -= 1;
                self.clients[c].at = At::Off;
            }
            Act::Connect(c, n) => {
                self.clients[c].at = At::Wish(n, false);
                self.begin_look_unless_under_way(n);
            }
            Act::CatchUp(c) => self.catch_up(c, guards),
        }
    }

    pub(super) fn arrival(&self, seq: usize) -> Arrival {
        Arrival { seq, entry: self.log[seq - 1], before: (seq > 1).then(|| self.log[seq - 2]) }
    }
}

impl Node {
    pub(super) fn len(&self) -> usize {
        self.room.as_ref().map_or(0, Vec::len)
    }

    pub(super) fn head(&self) -> Option<(usize, Entry)> {
        self.room.as_ref().and_then(|room| room.last().map(|entry| (room.len(), *entry)))
    }

    /// Whether a look would find something.
    fn may_look(&self, log: &[Entry]) -> bool {
        self.room.as_ref().is_some_and(|room| room != log)
    }

    /// Whether the look under way has something to read yet, after the first.
    fn reads(&self) -> bool {
        matches!(self.look, Some((_, Look::Differs(_) | Look::There(_) | Look::Gone)))
    }

    pub(super) fn watching(&self) -> bool {
        self.room.is_some() || self.look.is_some()
    }
}
