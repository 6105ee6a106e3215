//! The actor of one chat: carries mail between the room, the store and the desks.
//!
//! **Order.** Events are applied and handed to the desks strictly by number. Where they come from,
//! the link, the reply to a commit of our own or a reading of the log, makes no difference: the
//! room takes the next one, ignores known ones, and a gap is read from the log. Commands of one
//! chat may be in flight together; the store decides their order.
//!
//! **Looking.** Whatever needs the newest state waits for a *look* at the log that began after it
//! came: reads, refusals, and wishes to follow. One look serves everything that waits for it.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use actix::fut::wrap_future;
use actix::{Actor, ActorFutureExt, AsyncContext, Context, Handler};
use tracing::Span;

use crate::fanout::desk::{Delivery, DeskId, Desks};
use crate::fanout::ear::Ear;
use crate::fanout::heads::Heads;
use crate::model::{ChatKey, Event, Limits, Nonce};
use crate::sabotage::{Safeguard, off};
use crate::store::{Arrival, Store};
use crate::telemetry::metric;

use super::asking::{Ask, Landed, Turn, What};
use super::clock;
use super::errands::Errands;
use super::following::{CatchUp, Follow, Stretch, Unfollow};
use super::frame::outgoing;
use super::hearing::blind;
use super::registry::Chats;
use super::room::{Bounds, Room, Step};
use super::shelf::Shelf;

/// How long what is missing may come over the link before the log is read.
pub(super) const GAP_PATIENCE: Duration = Duration::from_millis(40);

/// What every chat of a node shares.
pub struct Deps {
    pub store: Store,
    pub ear: Ear,
    /// Told of every commit, so that the other nodes hear how far this one wrote.
    pub heads: Heads,
    pub desks: Desks,
    pub limits: Arc<Limits>,
    /// How long a call may wait for the store.
    pub wait: Duration,
    /// How long a chat that nobody uses stays in memory.
    pub idle: Duration,
    /// How often a followed chat compares itself with the log.
    pub beacon: Duration,
}

impl Deps {
    /// How much of a chat is kept in memory.
    #[must_use]
    pub fn bounds(&self) -> Bounds {
        Bounds { messages_max: self.limits.recent_messages_max, events_max: self.limits.recent_events_max }
    }
}

/// Something that waits for a look at the log.
pub(super) enum Job {
    Ask(Box<Ask>),
    Follow(Follow),
}

impl Job {
    /// Whether it only asks, and follows nothing.
    pub(super) fn is_question(&self) -> bool {
        matches!(self, Self::Ask(ask) if matches!(ask.what, What::Question(_)))
    }
}

/// One chat on this node.
pub struct ChatActor {
    pub(super) key: ChatKey,
    pub(super) deps: Arc<Deps>,
    /// The node's registry, to be taken out of on the way out.
    pub(super) chats: Chats,
    /// `None` until the first look, and while there is no such chat.
    pub(super) room: Option<Room>,
    /// Where its newest page lies for those who need not ask it.
    pub(super) shelf: Arc<Shelf>,
    /// Whether a look found no such chat: if it appears, it has been made since.
    pub(super) absent: bool,
    /// Jobs for the next look.
    pub(super) waiting: Vec<Job>,
    pub(super) looking: bool,
    /// When the last look ended.
    pub(super) looked_at: Option<Instant>,
    /// Looks that followed each other closely.
    pub(super) in_a_row: u32,
    /// Whether a look will begin once wishes to follow may look again.
    pub(super) paced: bool,
    /// Whether another look must follow the present one.
    pub(super) look_again: bool,
    /// Counts the histories that this actor has held: what was read in one is no part of another.
    pub(super) life: u64,
    /// When the newest events were last read for clients that come back.
    pub(super) warmed: Option<Instant>,
    /// Positions that are being looked up in the log, each for all who name it.
    pub(super) proving: HashMap<u64, Vec<Follow>>,
    /// Events being read for sockets that catch up, by the number after which, each for all who ask.
    pub(super) fetching: HashMap<u64, Vec<CatchUp>>,
    /// What was last read for them, for a moment: sockets that fell behind together ask for the same.
    pub(super) stretch: Option<Stretch>,
    /// Counts the changes of older messages: what was read before one is not kept.
    pub(super) changes: u64,
    /// Commands that wait for their turn; one that has it is not in here. Bounded by the places.
    pub(super) turns: HashMap<Turn, VecDeque<Box<Ask>>>,
    /// Events that came before their turn. At most as many as the ring of events.
    pub(super) early: BTreeMap<u64, Arrival>,
    /// Who follows, and the number of the desk's latest wish.
    pub(super) desks: HashMap<DeskId, u64>,
    /// Deliveries for desks that were full; only ever what one turn produced.
    backlog: VecDeque<(DeskId, Delivery)>,
    /// Whether one of them is being handed in, and the rest wait behind it.
    handing_in: bool,
    /// Commits that the store has not answered yet.
    pub(super) commits: Errands<Landed>,
    /// The spans of commits that are traced and not answered yet, by the name of their first event.
    /// Bounded by the places.
    pub(super) under_way: HashMap<Nonce, Span>,
    /// Set by the ear when an event could not be handed over.
    pub(super) behind: Arc<AtomicBool>,
    /// Number of the newest event of the room, for the ear.
    pub(super) newest: Arc<AtomicU64>,
    /// The newest number that a beacon told since they were last held against the room; 0: none did.
    pub(super) told: u64,
    pub(super) watching: bool,
    /// Whether events may have been missed, so that a look that finds some has filled a hole.
    pub(super) suspicious: bool,
    pub(super) used: Instant,
}

impl ChatActor {
    /// The actor of the chat of this key, which knows nothing yet.
    #[must_use]
    pub(super) fn new(key: ChatKey, deps: Arc<Deps>, chats: Chats, shelf: Arc<Shelf>) -> Self {
        metrics::gauge!(metric::CHATS).increment(1.0);
        Self {
            key,
            deps,
            chats,
            room: None,
            shelf,
            absent: false,
            waiting: Vec::new(),
            looking: false,
            looked_at: None,
            in_a_row: 0,
            paced: false,
            look_again: false,
            life: 0,
            warmed: None,
            proving: HashMap::new(),
            fetching: HashMap::new(),
            stretch: None,
            changes: 0,
            turns: HashMap::new(),
            early: BTreeMap::new(),
            desks: HashMap::new(),
            backlog: VecDeque::new(),
            handing_in: false,
            behind: Arc::default(),
            newest: Arc::default(),
            told: 0,
            commits: Errands::new(),
            under_way: HashMap::new(),
            watching: false,
            suspicious: false,
            used: Instant::now(),
        }
    }

    // ----------------------------------------------------------------------------------- events

    /// Takes events in, whoever brings them, and hands on those whose turn it is. `late`: they were read
    /// from the log, so that there may be many. Those that waited for them are late, too.
    pub(super) fn take(&mut self, arrivals: Vec<Arrival>, late: bool, ctx: &mut Context<Self>) {
        for arrival in arrivals {
            self.take_one(arrival, late, ctx);
        }
        while let (Some(room), Some(entry)) = (&self.room, self.early.first_entry()) {
            let next = room.head().seq + 1;
            if *entry.key() > next {
                break;
            }
            let arrival = entry.remove();
            self.take_one(arrival, true, ctx);
        }
        if !self.early.is_empty() {
            ctx.run_later(GAP_PATIENCE, |actor, ctx| {
                if !actor.early.is_empty() {
                    actor.suspicious = true;
                    actor.look(ctx);
                }
            });
        }
    }

    fn take_one(&mut self, arrival: Arrival, late: bool, ctx: &mut Context<Self>) {
        let Some(room) = &mut self.room else {
            self.look(ctx);
            return;
        };
        if arrival.record.seq > room.head().seq {
            // Its page is old now; without it, chat and roster are the room's alone and are changed in place.
            self.shelf.clear();
        }
        let step = match room.offer(&arrival) {
            Step::Gap if off(Safeguard::Holes) => room.ignore_gap(&arrival),
            Step::Rewritten if off(Safeguard::History) => Step::Known,
            step => step,
        };
        match step {
            Step::Applied => self.hand_on(&arrival, late, ctx),
            Step::Known => {}
            Step::Gap if self.early.len() < self.deps.limits.recent_events_max => {
                self.early.insert(arrival.record.seq, arrival);
            }
            Step::Gap | Step::Rewritten => self.look(ctx),
        }
    }

    /// Begins the room of a chat that has just been made, with its first event.
    pub(super) fn begin(&mut self, chat: crate::model::ChatId, first: Option<Arrival>, ctx: &mut Context<Self>) {
        let Some(first) = first else { return };
        self.room = Room::begin(chat, &first.record, self.deps.bounds());
        self.absent = false;
        if self.room.is_some() {
            self.hand_on(&first, false, ctx);
        }
    }

    fn hand_on(&mut self, arrival: &Arrival, late: bool, ctx: &mut Context<Self>) {
        self.note_newest();
        if arrival.record.event.changes_message().is_some() {
            self.stretch = None;
            self.changes += 1;
        }
        if self.desks.is_empty() {
            return;
        }
        let Some(room) = &self.room else { return };
        // The room's own copy has counted every reply.
        let message = room.message_of(&arrival.record).or(arrival.message.as_ref());
        let Some(mut out) = outgoing(room, &arrival.record, message) else {
            // Only a body of the store that breaks its promise comes here. Followers read the log.
            tracing::error!(chat = %self.key, seq = arrival.record.seq, "event without its message");
            return;
        };
        out.late = late;
        clock::heard(arrival.record.at);
        out.span = self.under_way.get(&arrival.record.nonce).cloned().unwrap_or_else(Span::none);
        let out = Arc::new(out);
        let desks: Vec<DeskId> = self.desks.keys().copied().collect();
        for desk in desks {
            self.send(desk, Delivery::Event(Arc::clone(&out)), ctx);
        }
    }

    /// Writes down for the ear how far the room has come.
    pub(super) fn note_newest(&self) {
        self.newest.store(self.head_seq(), Ordering::Release);
    }

    pub(super) fn head_seq(&self) -> u64 {
        self.room.as_ref().map_or(0, |room| room.head().seq)
    }

    pub(super) fn tell_all(&mut self, what: impl Fn() -> Delivery, ctx: &mut Context<Self>) {
        let desks: Vec<DeskId> = self.desks.keys().copied().collect();
        for desk in desks {
            self.send(desk, what(), ctx);
        }
    }

    /// Hands a delivery to a desk. While a desk is full this chat, and no other, waits.
    pub(super) fn send(&mut self, desk: DeskId, delivery: Delivery, ctx: &mut Context<Self>) {
        self.backlog.push_back((desk, delivery));
        if !self.handing_in {
            self.flush(ctx);
        }
    }

    fn flush(&mut self, ctx: &mut Context<Self>) {
        self.handing_in = false;
        while let Some((desk, delivery)) = self.backlog.pop_front() {
            let Err(delivery) = self.deps.desks.offer(desk, delivery) else { continue };
            self.handing_in = true;
            let desks = self.deps.desks.clone();
            let handed = async move { desks.hand_in(desk, delivery).await };
            ctx.wait(wrap_future(handed).map(|(), actor: &mut Self, ctx| actor.flush(ctx)));
            return;
        }
    }

    /// Whether the event is a message.
    pub(super) fn is_message(event: &Event) -> bool {
        matches!(event, Event::MessageCreated(_))
    }
}

impl Actor for ChatActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(self.deps.limits.chat_commands_max);
        ctx.add_stream(self.commits.clone());
        // Spread, so that chats which began together do not all look together.
        let spread = 0.75 + 0.5 * f64::from((self.key.0 % 256) as u8) / 255.0;
        ctx.run_interval(self.deps.beacon.mul_f64(spread), |actor, ctx| {
            if !actor.desks.is_empty() && !blind() {
                actor.look(ctx);
            }
            actor.retire_if_idle(ctx);
        });
    }

    fn stopped(&mut self, _: &mut Self::Context) {
        tracing::trace!(chat = %self.key, "chat left memory");
    }
}

/// Whatever ends the actor, nobody is left believing that it still tells them what happens.
impl Drop for ChatActor {
    fn drop(&mut self) {
        self.deps.ear.unwatch_chat(self.key, &self.behind);
        metrics::gauge!(metric::CHATS).decrement(1.0);
        for desk in self.desks.keys() {
            if self.deps.desks.offer(*desk, Delivery::Lost { chat: self.key }).is_err() {
                tracing::error!(chat = %self.key, "sockets could not be told that their chat broke off");
            }
        }
    }
}

impl Handler<Unfollow> for ChatActor {
    type Result = ();

    fn handle(&mut self, unfollow: Unfollow, ctx: &mut Self::Context) {
        if self.desks.get(&unfollow.desk).is_some_and(|wish| *wish <= unfollow.wish) {
            self.desks.remove(&unfollow.desk);
        }
        self.used = Instant::now();
        self.retire_if_nothing(ctx);
    }
}

impl Handler<Follow> for ChatActor {
    type Result = ();

    fn handle(&mut self, follow: Follow, ctx: &mut Self::Context) {
        self.used = Instant::now();
        // From here on the desk hears everything, so nothing falls between look and answer.
        let wish = self.desks.entry(follow.desk).or_default();
        *wish = (*wish).max(follow.wish);
        self.after_look(Job::Follow(follow), ctx);
    }
}

impl Handler<CatchUp> for ChatActor {
    type Result = ();

    fn handle(&mut self, wish: CatchUp, ctx: &mut Self::Context) {
        self.used = Instant::now();
        self.catch_up(wish, ctx);
    }
}

impl Handler<Ask> for ChatActor {
    type Result = ();

    fn handle(&mut self, ask: Ask, ctx: &mut Self::Context) {
        self.used = Instant::now();
        let ask = Box::new(ask);
        if ask.needs_look() || self.room.is_none() {
            self.after_look(Job::Ask(ask), ctx);
        } else {
            self.attempt(ask, false, ctx);
        }
    }
}
