//! The sockets of one worker thread: who they are, which chats they follow, and the one place
//! where an event meets an outbox. Everything in here lives on one thread; nothing locks, and
//! nothing waits for a socket.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use crate::chat::Chats;
use crate::chat::following::{Begin, CatchUp, Follow, Unfollow};
use crate::fanout::desk::{
    Delivery, DeskId, Followed, Outcome, Outgoing, Replay, ReplayEnd, SessionKey, Ticket, Turnover,
};
use crate::fanout::ear::Ear;
use crate::fanout::outbox::{Drain, Outbox, Verdict, outbox};
use crate::model::{AgentId, ChatId, ChatKey, CustomerId, Limits, Position};
use crate::people::{People, Verified};
use crate::telemetry::metric;
use crate::wire::CloseCause;
use crate::wire::frames::ResumeState;

use super::eviction::Line;
use super::follower::{Follower, LocalChat, Pace, Session};

/// How long a chat is heard for somebody who may be about to come in.
const KEPT: Duration = Duration::from_secs(60);
/// How long after a chat could not be reached it is tried again.
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// What the switchboards of a node share.
pub struct Shared {
    pub chats: Chats,
    pub ear: Ear,
    pub people: People,
    pub limits: Arc<Limits>,
    /// Time between two pings.
    pub ping: Duration,
    /// Silence after which a socket is closed.
    pub idle: Duration,
    /// How many sockets are open on the node.
    pub connections: AtomicUsize,
    /// Whether the node is leaving and takes no new sockets.
    pub draining: AtomicBool,
}

/// The switchboard of a worker. Cheap to clone, on its thread.
#[derive(Clone)]
pub struct Switchboard {
    pub(super) board: Rc<Board>,
}

pub(super) struct Board {
    pub(super) shared: Arc<Shared>,
    desk: DeskId,
    /// Numbers sockets, wishes and subscriptions.
    next: Cell<u64>,
    pub(super) table: RefCell<Table>,
}

#[derive(Default)]
pub(super) struct Table {
    pub(super) sessions: HashMap<SessionKey, Rc<Session>>,
    pub(super) by_agent: HashMap<AgentId, Vec<Rc<Session>>>,
    pub(super) chats: HashMap<ChatKey, LocalChat>,
    /// Connections that are cut if they have not ended by then.
    pub(super) cuts: Vec<(Instant, Line)>,
}

impl Table {
    /// Every socket of the customer.
    pub(super) fn of_customer(&self, customer: CustomerId) -> Vec<Rc<Session>> {
        let of = |session: &&Rc<Session>| session.verified.caller.customer == customer;
        self.sessions.values().filter(of).cloned().collect()
    }
}

impl Switchboard {
    /// The switchboard behind this desk. It serves the desk until the node ends.
    #[must_use]
    pub fn open(shared: Arc<Shared>, desk: DeskId, deliveries: mpsc::Receiver<Delivery>) -> Self {
        let board = Board { shared, desk, next: Cell::new(1), table: RefCell::default() };
        let switchboard = Self { board: Rc::new(board) };
        actix::spawn(switchboard.clone().serve(deliveries));
        actix::spawn(switchboard.clone().tend());
        switchboard
    }

    /// What the switchboards share.
    #[must_use]
    pub fn shared(&self) -> &Shared {
        &self.board.shared
    }

    /// A number that was not given out before.
    pub(super) fn number(&self) -> u64 {
        self.board.next.replace(self.board.next.get() + 1)
    }

    async fn serve(self, mut deliveries: mpsc::Receiver<Delivery>) {
        while let Some(delivery) = deliveries.recv().await {
            match delivery {
                Delivery::Event(event) => self.event(&event),
                Delivery::Followed(followed) => self.followed(followed),
                Delivery::Replay(replay) => self.replay(&replay),
                Delivery::Resync { chat, head, frame } => self.resync(chat, head, &frame),
                Delivery::Leapt { chat, head } => self.leapt(chat, head),
                Delivery::Noticed { customer, notice } => self.noticed(customer, &notice),
                Delivery::Missed { customer } => self.missed(customer),
                Delivery::Leave { over } => self.leave(over),
            }
        }
    }

    // --------------------------------------------------------------------------------- sessions

    /// Takes a socket in.
    #[must_use]
    pub fn enter(&self, verified: Verified, request_id: String, line: Option<Line>) -> (Rc<Session>, Drain) {
        let (outbox, drain): (Outbox, Drain) = outbox(self.shared().limits.outbox_bytes_max);
        let key = SessionKey(self.number());
        let session = Rc::new(Session {
            key,
            verified,
            request_id,
            outbox,
            line,
            heard: Cell::new(Instant::now()),
            topics: RefCell::default(),
            opening: RefCell::default(),
            follows: RefCell::default(),
            paused: RefCell::default(),
            ended: Cell::new(false),
        });
        let mut table = self.board.table.borrow_mut();
        table.sessions.insert(key, Rc::clone(&session));
        table.by_agent.entry(session.agent()).or_default().push(Rc::clone(&session));
        self.shared().connections.fetch_add(1, Ordering::AcqRel);
        metrics::gauge!(metric::CONNECTIONS).increment(1.0);
        (session, drain)
    }

    /// Closes a socket: the frame is written if the peer still reads, and the connection is cut
    /// soon after if it does not.
    pub fn close(&self, session: &Rc<Session>, cause: CloseCause) {
        if session.ended.get() {
            return;
        }
        let (code, _) = cause.frame();
        metrics::counter!(metric::CLOSES, "code" => code.to_string()).increment(1);
        if cause == CloseCause::SlowConsumer {
            metrics::counter!(metric::SLOW_CLOSES).increment(1);
            tracing::info!(request_id = session.request_id, agent_id = %session.agent(), "slow consumer closed");
        }
        session.outbox.close(cause);
        if let Some(line) = &session.line {
            let until = Instant::now() + super::tending::CUT_AFTER;
            self.board.table.borrow_mut().cuts.push((until, line.clone()));
        }
        self.exit(session);
    }

    /// Lets a socket go that has ended, or is about to.
    pub fn exit(&self, session: &Rc<Session>) {
        if session.ended.replace(true) {
            return;
        }
        let mut table = self.board.table.borrow_mut();
        table.sessions.remove(&session.key);
        if let Some(sessions) = table.by_agent.get_mut(&session.agent()) {
            sessions.retain(|other| other.key != session.key);
            if sessions.is_empty() {
                table.by_agent.remove(&session.agent());
            }
        }
        let follows = std::mem::take(&mut *session.follows.borrow_mut());
        for chat in follows {
            if let Some(local) = table.chats.get_mut(&chat) {
                local.drop_follower(session.key);
            }
            self.release(&mut table, chat);
        }
        drop(table);
        session.opening.borrow_mut().take();
        if !session.topics.borrow().is_empty() {
            self.shared().ear.unwatch_customer(session.verified.caller.customer);
        }
        self.shared().connections.fetch_sub(1, Ordering::AcqRel);
        metrics::gauge!(metric::CONNECTIONS).decrement(1.0);
    }

    /// Stops hearing a chat that nobody here follows any more.
    pub(super) fn release(&self, table: &mut Table, chat: ChatKey) {
        let Some(local) = table.chats.get(&chat) else { return };
        if !local.followers.is_empty() || local.kept_until > Instant::now() {
            return;
        }
        let unfollow = Unfollow { desk: self.board.desk, wish: local.wish };
        table.chats.remove(&chat);
        let chats = self.shared().chats.clone();
        actix::spawn(async move { chats.tell_if_live(chat, unfollow).await });
    }

    // ------------------------------------------------------------------------------------ chats

    /// Has the chat say from where the session follows it.
    pub(super) fn wish(&self, session: &Rc<Session>, chat: ChatId, ticket: Ticket, begin: Begin) {
        let (key, now) = (chat.key(), Instant::now());
        let mut table = self.board.table.borrow_mut();
        let kept_until = if begin == Begin::Joining { now + KEPT } else { now + TRY_AGAIN };
        let local = table.chats.entry(key).or_insert_with(|| LocalChat {
            id: chat,
            followers: Vec::new(),
            wish: 0,
            kept_until,
        });
        local.kept_until = local.kept_until.max(kept_until);
        local.wish = self.number();
        let follow = Follow {
            desk: self.board.desk,
            wish: local.wish,
            session: session.key,
            ticket,
            chat,
            caller: session.verified.caller.clone(),
            watches: session.covers(chat, true),
            begin,
        };
        drop(table);
        let switchboard = self.clone();
        actix::spawn(async move {
            let session = follow.session;
            if switchboard.shared().chats.tell(key, follow).await.is_err() {
                switchboard.followed(Followed { chat, session, ticket, outcome: Outcome::Unavailable });
            }
        });
    }

    fn followed(&self, followed: Followed) {
        let Some(session) = self.session(followed.session) else {
            return self.release(&mut self.board.table.borrow_mut(), followed.chat.key());
        };
        if followed.ticket.is_some() {
            return self.followed_opening(&session, &followed);
        }
        match followed.outcome {
            Outcome::Follows { from, .. } if session.opening.borrow().is_some() => {
                self.add_follower(&session, followed.chat, from, Pace::Held(true));
            }
            Outcome::Follows { from, .. } => {
                if self.add_follower(&session, followed.chat, from, Pace::CatchingUp) {
                    self.ask_for_more(&session, followed.chat.key(), from);
                }
            }
            Outcome::Outside => self.release(&mut self.board.table.borrow_mut(), followed.chat.key()),
            Outcome::Unavailable => {
                let switchboard = self.clone();
                actix::spawn(async move {
                    tokio::time::sleep(TRY_AGAIN).await;
                    if !session.ended.get() {
                        switchboard.wish(&session, followed.chat, None, Begin::Joining);
                    }
                });
            }
        }
    }

    fn followed_opening(&self, session: &Rc<Session>, followed: &Followed) {
        if session.opening.borrow().as_ref().map(|opening| opening.ticket) != followed.ticket {
            // Of a subscription that was given up.
            return self.release(&mut self.board.table.borrow_mut(), followed.chat.key());
        }
        match followed.outcome {
            Outcome::Follows { from, head, lost } => {
                let state = ResumeState::new(followed.chat.key(), head, lost);
                self.add_follower(session, followed.chat, from, Pace::Held(from < head.seq));
                if let Some(opening) = session.opening.borrow_mut().as_mut() {
                    opening.chats.insert(followed.chat.0, state);
                }
            }
            Outcome::Outside => {}
            Outcome::Unavailable => {
                if let Some(opening) = session.opening.borrow_mut().as_mut() {
                    opening.unavailable = true;
                }
            }
        }
        if let Some(opening) = session.opening.borrow_mut().as_mut() {
            opening.outstanding = opening.outstanding.saturating_sub(1);
            if opening.outstanding == 0
                && let Some(settled) = opening.settled.take()
            {
                // Nobody waits for it any more when the socket has ended.
                let _ = settled.send(());
            }
        }
    }

    /// Has the session hear the chat after event `last`; `false` if it does already, or cannot.
    pub(super) fn add_follower(&self, session: &Rc<Session>, chat: ChatId, last: u64, pace: Pace) -> bool {
        let mut table = self.board.table.borrow_mut();
        let Some(local) = table.chats.get_mut(&chat.key()) else { return false };
        if session.ended.get() || local.follower(session.key).is_some() {
            return false;
        }
        if session.follows.borrow().len() >= self.shared().limits.followed_chats_max {
            drop(table);
            tracing::warn!(request_id = session.request_id, "follows more chats than a connection may");
            self.close(session, CloseCause::Policy);
            return false;
        }
        local.followers.push(Follower { session: Rc::clone(session), last, pace });
        session.follows.borrow_mut().push(chat.key());
        true
    }

    pub(super) fn session(&self, key: SessionKey) -> Option<Rc<Session>> {
        self.board.table.borrow().sessions.get(&key).cloned()
    }

    // ----------------------------------------------------------------------------------- events

    fn event(&self, event: &Arc<Outgoing>) {
        let key = event.chat.key();
        if let Turnover::Came(agents) = &event.turnover {
            self.came(event, agents);
        }
        let mut table = self.board.table.borrow_mut();
        let Some(local) = table.chats.get_mut(&key) else { return };
        let (mut heard, mut slow, mut behind) = (0u64, Vec::new(), Vec::new());
        for follower in &mut local.followers {
            match follower.pace {
                Pace::Live if event.seq == follower.last + 1 => {
                    follower.last = event.seq;
                    heard += 1;
                    if follower.session.hear(event) == Verdict::Overflow {
                        slow.push(Rc::clone(&follower.session));
                    }
                }
                Pace::Live if event.seq > follower.last => {
                    follower.pace = Pace::CatchingUp;
                    behind.push((Rc::clone(&follower.session), follower.last));
                }
                Pace::Held(_) => follower.pace = Pace::Held(true),
                Pace::Live | Pace::CatchingUp => {}
            }
        }
        if let Turnover::Went(agent) = event.turnover {
            went(local, agent);
            self.release(&mut table, key);
        }
        drop(table);
        metrics::counter!(metric::DELIVERIES).increment(heard);
        for session in slow {
            self.close(&session, CloseCause::SlowConsumer);
        }
        for (session, last) in behind {
            self.ask_for_more(&session, key, last);
        }
    }

    /// Sockets of those who come in with this event follow the chat from it on.
    fn came(&self, event: &Outgoing, agents: &[AgentId]) {
        let sessions: Vec<Rc<Session>> = {
            let table = self.board.table.borrow();
            if !table.chats.contains_key(&event.chat.key()) {
                return;
            }
            let members = agents.iter().filter_map(|agent| table.by_agent.get(agent)).flatten();
            let members = members.filter(|session| session.covers(event.chat, false)).cloned();
            let watchers = if event.seq == 1 { table.of_customer(event.customer) } else { Vec::new() };
            members.chain(watchers.into_iter().filter(|session| session.covers(event.chat, true))).collect()
        };
        for session in sessions {
            let pace = if session.opening.borrow().is_some() { Pace::Held(true) } else { Pace::Live };
            self.add_follower(&session, event.chat, event.seq - 1, pace);
        }
    }

    /// Asks the chat for what comes after event `from`.
    pub(super) fn ask_for_more(&self, session: &Rc<Session>, chat: ChatKey, from: u64) {
        if !session.outbox.has_room() {
            session.paused.borrow_mut().push(chat);
            return;
        }
        let watches = self.board.table.borrow().chats.get(&chat).is_some_and(|local| session.covers(local.id, true));
        let wish = CatchUp { desk: self.board.desk, session: session.key, agent: session.agent(), watches, from };
        let switchboard = self.clone();
        let session = Rc::clone(session);
        actix::spawn(async move {
            if switchboard.shared().chats.tell(chat, wish).await.is_err() {
                switchboard.ask_later(session, chat);
            }
        });
    }

    fn ask_later(&self, session: Rc<Session>, chat: ChatKey) {
        let switchboard = self.clone();
        actix::spawn(async move {
            tokio::time::sleep(TRY_AGAIN).await;
            switchboard.go_on(&session, chat);
        });
    }

    /// Goes on catching up from where the session stands.
    pub(super) fn go_on(&self, session: &Rc<Session>, chat: ChatKey) {
        let last = {
            let mut table = self.board.table.borrow_mut();
            let follower = table.chats.get_mut(&chat).and_then(|local| local.follower(session.key));
            follower.filter(|follower| follower.pace == Pace::CatchingUp).map(|follower| follower.last)
        };
        if let Some(last) = last.filter(|_| !session.ended.get()) {
            self.ask_for_more(session, chat, last);
        }
    }

    /// The session's outbox has room again.
    pub fn drained(&self, session: &Rc<Session>) {
        let paused = std::mem::take(&mut *session.paused.borrow_mut());
        for chat in paused {
            self.go_on(session, chat);
        }
    }

    fn replay(&self, replay: &Replay) {
        let Some(session) = self.session(replay.session) else { return };
        let mut table = self.board.table.borrow_mut();
        let Some(local) = table.chats.get_mut(&replay.chat) else { return };
        let Some(follower) = local.follower(session.key) else { return };
        let mut heard = 0u64;
        for event in &replay.events {
            if event.seq != follower.last + 1 {
                continue;
            }
            follower.last = event.seq;
            heard += 1;
            if session.hear(event) == Verdict::Overflow {
                drop(table);
                return self.close(&session, CloseCause::SlowConsumer);
            }
        }
        metrics::counter!(metric::DELIVERIES).increment(heard);
        let last = follower.last;
        match replay.end {
            ReplayEnd::Live => follower.pace = Pace::Live,
            ReplayEnd::Left => {
                local.drop_follower(session.key);
                session.follows.borrow_mut().retain(|chat| *chat != replay.chat);
                self.release(&mut table, replay.chat);
            }
            ReplayEnd::More => {
                drop(table);
                self.ask_for_more(&session, replay.chat, last);
            }
            ReplayEnd::Unavailable => {
                drop(table);
                self.ask_later(session, replay.chat);
            }
        }
    }

    fn resync(&self, chat: ChatKey, head: Position, frame: &bytestring::ByteString) {
        let mut slow = Vec::new();
        if let Some(local) = self.board.table.borrow_mut().chats.get_mut(&chat) {
            for follower in &mut local.followers {
                follower.last = head.seq;
                if !matches!(follower.pace, Pace::Held(_)) {
                    follower.pace = Pace::Live;
                }
                if follower.session.outbox.push(frame.clone()) == Verdict::Overflow {
                    slow.push(Rc::clone(&follower.session));
                }
            }
        }
        for session in slow {
            self.close(&session, CloseCause::SlowConsumer);
        }
    }

    fn leapt(&self, chat: ChatKey, head: u64) {
        let mut behind = Vec::new();
        if let Some(local) = self.board.table.borrow_mut().chats.get_mut(&chat) {
            for follower in &mut local.followers {
                match follower.pace {
                    Pace::Live if follower.last < head => {
                        follower.pace = Pace::CatchingUp;
                        behind.push((Rc::clone(&follower.session), follower.last));
                    }
                    Pace::Held(_) => follower.pace = Pace::Held(true),
                    Pace::Live | Pace::CatchingUp => {}
                }
            }
        }
        for (session, last) in behind {
            self.ask_for_more(&session, chat, last);
        }
    }
}

/// Who has left hears nothing more, unless a topic of the customer's lets it hear every chat.
fn went(local: &mut LocalChat, agent: AgentId) {
    let (id, key) = (local.id, local.id.key());
    local.followers.retain(|follower| {
        let leaves =
            follower.pace == Pace::Live && follower.session.agent() == agent && !follower.session.covers(id, true);
        if leaves {
            follower.session.follows.borrow_mut().retain(|chat| *chat != key);
        }
        !leaves
    });
}
