//! The sockets of one worker thread: who they are, which chats they follow, and the one place
//! where an event meets an outbox. Everything in here lives on one thread; nothing locks, and
//! nothing waits for a socket.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::poll_fn;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use actix_web::rt::net::TcpStream;
use tokio::sync::mpsc;

use crate::chat::Chats;
use crate::chat::following::{Begin, Follow, Unfollow};
use crate::fanout::desk::{Delivery, DeskId, Followed, Outcome, SessionKey, Ticket};
use crate::fanout::ear::Ear;
use crate::model::{AgentId, ChatId, ChatKey, CustomerId, Limits};
use crate::people::{People, Verified};
use crate::telemetry::metric;
use crate::wire::CloseCause;
use crate::wire::frames::ResumeState;

use super::admission::Admission;
use super::follower::{LocalChat, Pace, Session, take_out};
use super::listing::Lists;
use super::round::{GATHER, Round};
use super::seats::{Seat, Seats};
use super::socket::Socket;

/// How long a chat is heard for somebody who may be about to come in.
pub(super) const KEPT: Duration = Duration::from_secs(60);
/// How long after a chat could not be reached it is tried again.
pub(super) const TRY_AGAIN: Duration = Duration::from_secs(1);

/// Deliveries taken before sockets write.
const DELIVERIES_AT_ONCE: usize = 64;
/// Sockets that write before anything else has its turn.
const SOCKETS_AT_ONCE: usize = 64;

/// What the switchboards of a node share.
pub struct Shared {
    pub chats: Chats,
    pub ear: Ear,
    pub people: People,
    pub limits: Arc<Limits>,
    pub admission: Admission,
    pub lists: Lists,
    /// Time between two pings.
    pub ping: Duration,
    /// Silence after which a socket is closed.
    pub idle: Duration,
    /// The node's connections.
    pub seats: Seats,
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
    pub(super) desk: DeskId,
    /// Numbers sockets, wishes and subscriptions.
    next: Cell<u64>,
    pub(super) table: RefCell<Table>,
    round: Rc<Round>,
}

#[derive(Default)]
pub(super) struct Table {
    pub(super) sessions: HashMap<SessionKey, Rc<Session>>,
    pub(super) by_agent: HashMap<AgentId, Vec<Rc<Session>>>,
    pub(super) by_customer: HashMap<CustomerId, Vec<Rc<Session>>>,
    pub(super) chats: HashMap<ChatKey, LocalChat>,
    /// Customers whose sockets are looking again, and whether they must once more after that.
    pub(super) looking: HashMap<CustomerId, bool>,
    /// Sockets that were closed, and are cut then.
    pub(super) cuts: Vec<(Instant, Weak<Session>)>,
}

impl Table {
    /// Every socket of the customer.
    pub(super) fn of_customer(&self, customer: CustomerId) -> Vec<Rc<Session>> {
        self.by_customer.get(&customer).cloned().unwrap_or_default()
    }
}

impl Switchboard {
    /// The switchboard behind this desk. It serves the desk until the node ends.
    #[must_use]
    pub fn open(shared: Arc<Shared>, desk: DeskId, deliveries: mpsc::Receiver<Delivery>) -> Self {
        let board = Board { shared, desk, next: Cell::new(1), table: RefCell::default(), round: Rc::default() };
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

    /// Takes what is delivered, and has the sockets write in turn. Deliveries come first, so that what
    /// they bring for one socket leaves together; a few sockets at a time, so that neither deliveries nor
    /// the other tasks of the thread wait for a whole round.
    async fn serve(self, mut deliveries: mpsc::Receiver<Delivery>) {
        loop {
            let mut busy = false;
            for _ in 0..DELIVERIES_AT_ONCE {
                let Ok(delivery) = deliveries.try_recv() else { break };
                self.deliver(delivery);
                busy = true;
            }
            busy |= self.write_some();
            if busy {
                tokio::task::yield_now().await;
                continue;
            }
            let gathers = self.board.round.end();
            let more = poll_fn(|context| self.board.round.poll_waiting(context));
            tokio::select! {
                biased;
                delivery = deliveries.recv() => {
                    let Some(delivery) = delivery else { return };
                    self.deliver(delivery);
                    if gathers {
                        tokio::time::sleep(GATHER).await;
                    }
                }
                () = more => {}
            }
        }
    }

    /// Has the next sockets of the round write; whether there was one.
    fn write_some(&self) -> bool {
        for place in 0..SOCKETS_AT_ONCE {
            let Some(session) = self.board.round.next() else { return place > 0 };
            session.socket.write();
            if !session.behind.borrow().is_empty() {
                self.go_on(&session);
            }
        }
        true
    }

    fn deliver(&self, delivery: Delivery) {
        match delivery {
            Delivery::Event(event) => self.event(&event),
            Delivery::Followed(followed) => self.followed(followed),
            Delivery::Replay(replay) => self.replay(&replay),
            Delivery::Resync { chat, head, frame, members } => self.resync(chat, head, &frame, &members),
            Delivery::Leapt { chat, head, members } => self.leapt(chat, head, &members),
            Delivery::Lost { chat } => self.lost(chat),
            Delivery::Noticed { customer, notice } => self.noticed(customer, &notice),
            Delivery::Missed { customer } => self.missed(customer),
            Delivery::Leave { over } => self.leave(over),
        }
    }

    // --------------------------------------------------------------------------------- sessions

    /// Takes a socket in.
    #[must_use]
    pub fn enter(&self, verified: Verified, request_id: String, seat: Seat, stream: TcpStream) -> Rc<Session> {
        let key = SessionKey(self.number());
        let (most, round) = (self.shared().limits.outbox_bytes_max, Rc::clone(&self.board.round));
        let session = Rc::new_cyclic(|session| Session {
            key,
            verified,
            request_id,
            socket: Socket::new(stream, most, round, session.clone()),
            seat: Cell::new(Some(seat)),
            heard: Cell::new(Instant::now()),
            topics: RefCell::default(),
            subscribing: Cell::new(false),
            noted: RefCell::default(),
            opening: RefCell::default(),
            follows: RefCell::default(),
            catching_up: Cell::new(None),
            place: RefCell::default(),
            behind: RefCell::default(),
            ended: Cell::new(false),
        });
        let mut table = self.board.table.borrow_mut();
        table.sessions.insert(key, Rc::clone(&session));
        let customer = session.verified.caller.customer;
        table.by_agent.entry(session.agent()).or_default().push(Rc::clone(&session));
        table.by_customer.entry(customer).or_default().push(Rc::clone(&session));
        drop(table);
        self.shared().ear.enter(customer);
        if self.shared().draining.load(Ordering::Acquire) {
            // The others have been told already.
            self.close(&session, CloseCause::Restart);
        }
        session
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
            tracing::info!(request_id = session.request_id, agent_id = %session.agent(), "slow consumer closed; its client resumes, limits.outbox_bytes_max is how far behind it may be");
        }
        session.socket.close(cause);
        let until = Instant::now() + super::tending::CUT_AFTER;
        self.board.table.borrow_mut().cuts.push((until, Rc::downgrade(session)));
        self.exit(session);
    }

    /// Lets a socket go that has ended, or is about to.
    pub fn exit(&self, session: &Rc<Session>) {
        if session.ended.replace(true) {
            return;
        }
        let mut table = self.board.table.borrow_mut();
        table.sessions.remove(&session.key);
        let customer = session.verified.caller.customer;
        take_out(&mut table.by_agent, &session.agent(), session.key);
        take_out(&mut table.by_customer, &customer, session.key);
        if !table.by_customer.contains_key(&customer) {
            // Nobody here may be left to hear when what is kept of it does not hold any more.
            self.shared().lists.forget(customer);
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
        session.place.borrow_mut().take();
        session.seat.take();
        self.shared().ear.exit(customer);
    }

    /// Stops hearing a chat that nobody here follows any more.
    pub(super) fn release(&self, table: &mut Table, chat: ChatKey) {
        let Some(local) = table.chats.get(&chat) else { return };
        if !local.followers.is_empty() || local.outstanding > 0 || local.kept_until > Instant::now() {
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
        let key = chat.key();
        let mut table = self.board.table.borrow_mut();
        let local = table.chats.entry(key).or_insert_with(|| LocalChat {
            id: chat,
            followers: Vec::new(),
            wish: 0,
            outstanding: 0,
            kept_until: Instant::now(),
        });
        local.outstanding += 1;
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
        let key = followed.chat.key();
        if let Some(local) = self.board.table.borrow_mut().chats.get_mut(&key) {
            local.outstanding = local.outstanding.saturating_sub(1);
        }
        if let Some(session) = self.session(followed.session) {
            match followed.ticket {
                Some(ticket) => self.followed_opening(&session, ticket, &followed),
                None => self.followed_joining(session, &followed),
            }
        }
        self.release(&mut self.board.table.borrow_mut(), key);
    }

    /// A chat that is news to the socket has said whether it follows.
    fn followed_joining(&self, session: Rc<Session>, followed: &Followed) {
        match followed.outcome {
            Outcome::Follows { from, member, .. } => {
                if self.add_follower(&session, followed.chat, from, Pace::CatchingUp, member) {
                    self.catch_up(&session, followed.chat.key());
                }
            }
            // Announced, and not committed yet: heard for a while.
            Outcome::Outside => self.keep(followed.chat.key()),
            Outcome::Unavailable => {
                let (switchboard, chat) = (self.clone(), followed.chat);
                actix::spawn(async move {
                    tokio::time::sleep(TRY_AGAIN).await;
                    switchboard.wish_unless_followed(&session, chat);
                });
            }
        }
    }

    /// A chat in the scope of a subscription has said whether the socket follows.
    fn followed_opening(&self, session: &Rc<Session>, ticket: u64, followed: &Followed) {
        if session.opening.borrow().as_ref().map(|opening| opening.ticket) != Some(ticket) {
            // Of a subscription that was given up.
            return;
        }
        let state = match followed.outcome {
            Outcome::Follows { from, head, lost, member } => {
                let lost = self.begin(session, followed.chat, from, head, lost, member);
                if lost.is_some() || from < head.seq {
                    let outcome = lost.map_or("recovered", |lost| lost.as_str());
                    metrics::counter!(metric::RESUMES, "outcome" => outcome).increment(1);
                }
                Some(ResumeState::new(followed.chat.key(), head, lost))
            }
            Outcome::Outside => {
                let named =
                    session.opening.borrow().as_ref().is_some_and(|opening| opening.named.contains(&followed.chat));
                if !named {
                    self.keep(followed.chat.key());
                }
                None
            }
            Outcome::Unavailable => None,
        };
        let mut opening = session.opening.borrow_mut();
        let Some(opening) = opening.as_mut() else { return };
        opening.unavailable |= followed.outcome == Outcome::Unavailable;
        opening.chats.extend(state.map(|state| (followed.chat.0, state)));
        opening.outstanding = opening.outstanding.saturating_sub(1);
        if opening.outstanding == 0
            && let Some(settled) = opening.settled.take()
        {
            // Nobody waits for it any more when the socket has ended.
            let _ = settled.send(());
        }
    }

    pub(super) fn session(&self, key: SessionKey) -> Option<Rc<Session>> {
        self.board.table.borrow().sessions.get(&key).cloned()
    }
}
