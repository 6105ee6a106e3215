//! Who on this worker hears a chat, and how far each has come.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::rc::Rc;
use std::time::Instant;

use tokio::sync::oneshot;
use uuid::Uuid;

use crate::fanout::desk::{Outgoing, SessionKey};
use crate::fanout::outbox::Verdict;
use crate::fanout::topic::{Scope, Topic};
use crate::model::{AgentId, ChatId, ChatKey};
use crate::people::Verified;
use crate::wire::frames::ResumeState;

use super::admission::Place;
use super::seats::Seat;
use super::socket::Socket;

/// One socket, as its worker's switchboard knows it.
pub struct Session {
    pub key: SessionKey,
    /// Whose it is, and until when.
    pub verified: Verified,
    /// The id of the request that opened it: in its error frames and in the log.
    pub request_id: String,
    pub socket: Socket,
    /// Its seat among the node's connections, until it is out of the switchboard.
    pub seat: Cell<Option<Seat>>,
    /// When the client was last heard.
    pub heard: Cell<Instant>,
    pub topics: RefCell<Vec<Topic>>,
    /// Whether a subscription is on its way; then news of chats is only noted.
    pub subscribing: Cell<bool>,
    /// Chats that were in the news meanwhile. At most as many as a connection may follow.
    pub noted: RefCell<HashSet<ChatId>>,
    /// The subscription whose chats are being asked.
    pub opening: RefCell<Option<Opening>>,
    /// The chats it follows.
    pub follows: RefCell<HashSet<ChatKey>>,
    /// The chat whose older events are on their way; one at a time, so that they fit.
    pub catching_up: Cell<Option<ChatKey>>,
    /// Its place among those who resume, while those events are being fetched.
    pub place: RefCell<Option<Place>>,
    /// Chats that wait to catch up. At most as many as it follows.
    pub behind: RefCell<VecDeque<ChatKey>>,
    /// Whether it is out of the switchboard; whatever comes later finds nobody.
    pub ended: Cell<bool>,
}

/// A subscription on its way to being in force.
pub struct Opening {
    /// Names it in the wishes to follow that belong to it.
    pub ticket: u64,
    /// Chats that have not said yet from where they are followed.
    pub outstanding: usize,
    /// Where each chat in scope stands.
    pub chats: BTreeMap<Uuid, ResumeState>,
    /// Those that the client named. Whoever is no member of one of these hears of it only when
    /// it is announced again.
    pub named: HashSet<ChatId>,
    /// Whether a chat could not be reached.
    pub unavailable: bool,
    /// Told when nothing is outstanding.
    pub settled: Option<oneshot::Sender<()>>,
}

impl Session {
    /// The agent whose socket it is.
    #[must_use]
    pub fn agent(&self) -> AgentId {
        self.verified.caller.agent
    }

    /// Whether it holds a topic of its customer's, so that it hears every chat.
    #[must_use]
    pub fn watches(&self) -> bool {
        self.topics.borrow().iter().any(|topic| matches!(topic.scope, Scope::Customer(_)))
    }

    /// Whether a topic can let it hear this chat: one of the agent's as a member, or, `watching`,
    /// one of the customer's.
    #[must_use]
    pub fn covers(&self, chat: ChatId, watching: bool) -> bool {
        let of_kind = |topic: &&Topic| matches!(topic.scope, Scope::Customer(_)) == watching;
        self.topics.borrow().iter().filter(of_kind).any(|topic| topic.covers(chat))
    }

    /// Whether one of the topics lets it hear the event. Topics of the agent are about the chats that
    /// it is a member of.
    #[must_use]
    pub fn hears(&self, event: &Outgoing, member: bool) -> bool {
        let may = |topic: &&Topic| member || matches!(topic.scope, Scope::Customer(_));
        self.topics.borrow().iter().filter(may).any(|topic| topic.matches(event))
    }

    /// Puts an event in, if one of the topics lets it hear it.
    pub fn hear(&self, event: &Outgoing, member: bool) -> Verdict {
        if self.hears(event, member) { self.socket.push(event.frame.clone()) } else { Verdict::Queued }
    }
}

/// How a follower goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// The next event goes straight in.
    Live,
    /// The subscription is not in force yet; `true` when there is something to catch up on.
    Held(bool),
    /// Older events are being fetched, or wait to be.
    CatchingUp,
}

/// A socket that hears a chat.
pub struct Follower {
    pub session: Rc<Session>,
    /// Number of the last event that it was given, or that it needs not be given.
    pub last: u64,
    /// After which event it began: what came before was never given on this connection.
    pub began: u64,
    pub pace: Pace,
    /// Whether it hears the chat as a member, and not only as one who watches all.
    pub member: bool,
}

impl Follower {
    /// Whether it must be left to catch up on this event, which is its next one: there is no room
    /// for it behind the other late ones.
    #[must_use]
    pub fn has_no_room_for(&self, event: &Outgoing) -> bool {
        let fits = self.session.socket.has_room_for_late(event.frame.bytes());
        event.late && !fits && self.session.hears(event, self.member)
    }

    /// Counts a live event that it will be given later. What is late was not said just now.
    pub fn owe(&self, event: &Outgoing) -> Verdict {
        let owed = !event.late && self.session.hears(event, self.member);
        if owed { self.session.socket.owe(event.frame.bytes()) } else { Verdict::Queued }
    }
}

/// A chat that this worker hears.
pub struct LocalChat {
    pub id: ChatId,
    pub followers: Vec<Follower>,
    /// The newest wish to follow that was sent to the chat.
    pub wish: u64,
    /// Wishes that were not answered yet; while there are some the chat is kept.
    pub outstanding: usize,
    /// Until when it is kept although nobody follows: somebody may be about to come in.
    pub kept_until: Instant,
}

impl LocalChat {
    /// The follower of this session.
    pub fn follower(&mut self, session: SessionKey) -> Option<&mut Follower> {
        self.followers.iter_mut().find(|follower| follower.session.key == session)
    }

    /// Lets the session's follower go.
    pub fn drop_follower(&mut self, session: SessionKey) {
        if let Some(place) = self.followers.iter().position(|follower| follower.session.key == session) {
            self.followers.swap_remove(place);
        }
    }

    /// Lets those go that `keeps` says no to, and has them forget the chat.
    pub fn keep_followers(&mut self, mut keeps: impl FnMut(&mut Follower) -> bool) {
        let key = self.id.key();
        self.followers.retain_mut(|follower| {
            let kept = keeps(follower);
            if !kept {
                follower.session.follows.borrow_mut().remove(&key);
            }
            kept
        });
    }
}

/// Takes a session out of an index by whose it is.
pub(super) fn take_out<K: std::hash::Hash + Eq>(index: &mut HashMap<K, Vec<Rc<Session>>>, of: &K, session: SessionKey) {
    if let Some(sessions) = index.get_mut(of) {
        sessions.retain(|other| other.key != session);
        if sessions.is_empty() {
            index.remove(of);
        }
    }
}
