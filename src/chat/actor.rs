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
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use actix::fut::wrap_future;
use actix::{Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler};

use crate::fanout::desk::{Delivery, DeskId, Desks};
use crate::fanout::ear::{Arrived, ChatEar, Ear, Reconnected};
use crate::model::{ChatKey, Event, Limits, Position};
use crate::store::{Arrival, Snapshot, Store, StoreError};
use crate::telemetry::metric;
use crate::wire::frames::{LostReason, ResyncFrame, encode};
use crate::wire::{ApiError, cursor};

use super::asking::{Ask, Turn};
use super::following::{CatchUp, Follow, Unfollow};
use super::frame::outgoing;
use super::looking::{Seen, look};
use super::registry::Chats;
use super::room::{Bounds, Room, Step};

/// How long a gap may fill itself from the link before the log is read.
const GAP_PATIENCE: Duration = Duration::from_millis(40);
/// How long after a failed look the next one begins, while sockets follow.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// What every chat of a node shares.
pub struct Deps {
    pub store: Store,
    pub ear: Ear,
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

/// One chat on this node.
pub struct ChatActor {
    pub(super) key: ChatKey,
    pub(super) deps: Arc<Deps>,
    /// The node's registry, to be taken out of on the way out.
    chats: Chats,
    /// `None` until the first look, and while there is no such chat.
    pub(super) room: Option<Room>,
    /// Whether a look found no such chat: if it appears, it has been made since.
    absent: bool,
    /// Jobs for the next look.
    waiting: Vec<Job>,
    looking: bool,
    /// Commands that wait for their turn; one that has it is not in here. Bounded by the places.
    pub(super) turns: HashMap<Turn, VecDeque<Box<Ask>>>,
    /// Events that came before their turn. At most as many as the ring of events.
    early: BTreeMap<u64, Arrival>,
    /// Who follows, and the number of the desk's latest wish.
    pub(super) desks: HashMap<DeskId, u64>,
    /// Deliveries for desks that were full; only ever what one turn produced.
    backlog: VecDeque<(DeskId, Delivery)>,
    /// Set by the ear when an event could not be handed over.
    behind: Arc<AtomicBool>,
    watching: bool,
    /// Whether events may have been missed, so that a look that finds some has filled a hole.
    suspicious: bool,
    pub(super) used: Instant,
}

impl ChatActor {
    /// The actor of the chat of this key, which knows nothing yet.
    #[must_use]
    pub fn new(key: ChatKey, deps: Arc<Deps>, chats: Chats) -> Self {
        Self {
            key,
            deps,
            chats,
            room: None,
            absent: false,
            waiting: Vec::new(),
            looking: false,
            turns: HashMap::new(),
            early: BTreeMap::new(),
            desks: HashMap::new(),
            backlog: VecDeque::new(),
            behind: Arc::new(AtomicBool::new(false)),
            watching: false,
            suspicious: false,
            used: Instant::now(),
        }
    }

    // ---------------------------------------------------------------------------------- looking

    /// Has the job run after a look that begins now, or as soon as the present one has ended.
    pub(super) fn after_look(&mut self, job: Job, ctx: &mut Context<Self>) {
        self.waiting.push(job);
        self.look(ctx);
    }

    /// Looks at the log, unless that is under way.
    pub(super) fn look(&mut self, ctx: &mut Context<Self>) {
        if self.looking {
            return;
        }
        self.looking = true;
        let jobs = std::mem::take(&mut self.waiting);
        let known = self.room.as_ref().map(Room::head);
        let (key, deps, absent) = (self.key, Arc::clone(&self.deps), self.absent);
        let ear = (!std::mem::replace(&mut self.watching, true)).then(|| ChatEar {
            arrived: ctx.address().recipient(),
            reconnected: ctx.address().recipient(),
            behind: Arc::clone(&self.behind),
        });
        let looked = async move {
            if let Some(ear) = ear {
                deps.ear.watch_chat(key, ear).await;
            }
            look(&deps, key, known, absent).await
        };
        ctx.spawn(wrap_future(looked).map(move |seen, actor: &mut Self, ctx| actor.looked(seen, jobs, ctx)));
    }

    fn looked(&mut self, seen: Result<Seen, StoreError>, jobs: Vec<Job>, ctx: &mut Context<Self>) {
        self.looking = false;
        match seen {
            Ok(seen) => {
                self.see(seen, ctx);
                for job in jobs {
                    match job {
                        Job::Ask(ask) => self.attempt(ask, true, ctx),
                        Job::Follow(follow) => self.follow(follow, ctx),
                    }
                }
                if !self.waiting.is_empty() || self.behind.swap(false, Ordering::AcqRel) {
                    self.look(ctx);
                }
            }
            Err(error) => {
                let refusal = ApiError::from(error);
                // Those that came meanwhile are told too: they have waited for the same store.
                for job in jobs.into_iter().chain(std::mem::take(&mut self.waiting)) {
                    match job {
                        Job::Ask(ask) => self.refuse(ask, refusal.clone(), ctx),
                        Job::Follow(follow) => self.cannot_follow(&follow, ctx),
                    }
                }
                if !self.desks.is_empty() {
                    ctx.run_later(LOOK_AGAIN, |actor, ctx| actor.look(ctx));
                }
            }
        }
    }

    fn see(&mut self, seen: Seen, ctx: &mut Context<Self>) {
        match seen {
            Seen::Absent => self.absent = true,
            Seen::Same => self.suspicious = false,
            Seen::Loaded(snapshot) => {
                if self.room.is_none() {
                    self.room = Some(Room::from_snapshot(*snapshot, self.deps.bounds()));
                }
            }
            Seen::Born(chat, arrivals) => {
                if self.room.is_none() {
                    self.begin(chat, arrivals.first().cloned(), ctx);
                }
                self.take(arrivals, ctx);
            }
            Seen::Behind(arrivals) => {
                let before = self.room.as_ref().map_or(0, |room| room.head().seq);
                self.take(arrivals, ctx);
                let repaired = self.room.as_ref().map_or(0, |room| room.head().seq).saturating_sub(before);
                if repaired > 0 && std::mem::take(&mut self.suspicious) {
                    metrics::counter!(metric::HOLES_REPAIRED).increment(1);
                }
            }
            Seen::Leapt(snapshot) => {
                self.replace(*snapshot);
                self.tell_all(|key, head| Delivery::Leapt { chat: key, head: head.seq }, ctx);
            }
            Seen::Rewritten(snapshot) => self.rewritten(snapshot.map(|snapshot| *snapshot), ctx),
        }
    }

    fn replace(&mut self, snapshot: Snapshot) {
        self.early.clear();
        self.room = Some(Room::from_snapshot(snapshot, self.deps.bounds()));
    }

    fn rewritten(&mut self, snapshot: Option<Snapshot>, ctx: &mut Context<Self>) {
        metrics::counter!(metric::REWRITTEN).increment(1);
        tracing::warn!(chat = %self.key, "history rewritten: the log is not the one this node saw; clients are told");
        let chat = self.room.as_ref().map(|room| room.chat().id);
        match snapshot {
            Some(snapshot) => self.replace(snapshot),
            // Not even the chat is left. Its followers are told that it stands at nothing.
            None => {
                self.early.clear();
                self.room = None;
                self.absent = true;
            }
        }
        let Some(chat) = chat else { return };
        self.tell_all(
            |key, head| {
                let frame = ResyncFrame {
                    r#type: "resync",
                    chat_id: chat.0,
                    reason: LostReason::Rewritten,
                    seq: head.seq,
                    cursor: cursor::write(key, head),
                };
                Delivery::Resync { chat: key, head, frame: encode(&frame) }
            },
            ctx,
        );
    }

    // ----------------------------------------------------------------------------------- events

    /// Takes events in, whoever brings them, and hands on those whose turn it is.
    pub(super) fn take(&mut self, arrivals: Vec<Arrival>, ctx: &mut Context<Self>) {
        for arrival in arrivals {
            self.take_one(arrival, ctx);
        }
        while let (Some(room), Some(entry)) = (&self.room, self.early.first_entry()) {
            let next = room.head().seq + 1;
            if *entry.key() > next {
                break;
            }
            let arrival = entry.remove();
            self.take_one(arrival, ctx);
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

    fn take_one(&mut self, arrival: Arrival, ctx: &mut Context<Self>) {
        let Some(room) = &mut self.room else {
            self.look(ctx);
            return;
        };
        match room.offer(&arrival) {
            Step::Applied => self.hand_on(&arrival, ctx),
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
            self.hand_on(&first, ctx);
        }
    }

    fn hand_on(&mut self, arrival: &Arrival, ctx: &mut Context<Self>) {
        if self.desks.is_empty() {
            return;
        }
        let Some(room) = &self.room else { return };
        let message = arrival.message.as_ref().or_else(|| room.message_of(&arrival.record));
        let Some(out) = outgoing(room, &arrival.record, message) else {
            // Only a body of the store that breaks its promise comes here. Followers read the log.
            tracing::error!(chat = %self.key, seq = arrival.record.seq, "event without its message");
            return;
        };
        let out = Arc::new(out);
        let desks: Vec<DeskId> = self.desks.keys().copied().collect();
        for desk in desks {
            self.send(desk, Delivery::Event(Arc::clone(&out)), ctx);
        }
    }

    fn tell_all(&mut self, what: impl Fn(ChatKey, Position) -> Delivery, ctx: &mut Context<Self>) {
        let head = self.room.as_ref().map_or(Position::START, Room::head);
        let desks: Vec<DeskId> = self.desks.keys().copied().collect();
        for desk in desks {
            self.send(desk, what(self.key, head), ctx);
        }
    }

    /// Hands a delivery to a desk. While a desk is full this chat, and no other, waits.
    pub(super) fn send(&mut self, desk: DeskId, delivery: Delivery, ctx: &mut Context<Self>) {
        if !self.backlog.is_empty() {
            self.backlog.push_back((desk, delivery));
            return;
        }
        if let Err(delivery) = self.deps.desks.offer(desk, delivery) {
            self.backlog.push_back((desk, delivery));
            self.flush(ctx);
        }
    }

    fn flush(&mut self, ctx: &mut Context<Self>) {
        let Some((desk, delivery)) = self.backlog.pop_front() else { return };
        // Keeps `send` queueing behind it until it is in.
        self.backlog.push_front((desk, Delivery::Leapt { chat: self.key, head: 0 }));
        let desks = self.deps.desks.clone();
        let handed = async move { desks.hand_in(desk, delivery).await };
        ctx.wait(wrap_future(handed).map(|(), actor: &mut Self, ctx| {
            actor.backlog.pop_front();
            actor.flush(ctx);
        }));
    }

    // --------------------------------------------------------------------------------- retiring

    fn retire_if_idle(&mut self, ctx: &mut Context<Self>) {
        let busy = !self.desks.is_empty() || self.looking || !self.waiting.is_empty() || !self.turns.is_empty();
        if !busy && self.used.elapsed() >= self.deps.idle && self.chats.release(self.key) {
            ctx.stop();
        }
    }

    /// The record of an event of our own, as the link will bring it too.
    pub(super) fn is_message(event: &Event) -> bool {
        matches!(event, Event::MessageCreated(_))
    }
}

impl Actor for ChatActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(self.deps.limits.chat_commands_max);
        metrics::gauge!(metric::CHATS).increment(1.0);
        // Spread, so that chats which began together do not all look together.
        let spread = 0.75 + 0.5 * f64::from((self.key.0 % 256) as u8) / 255.0;
        ctx.run_interval(self.deps.beacon.mul_f64(spread), |actor, ctx| {
            if !actor.desks.is_empty() {
                actor.look(ctx);
            }
            actor.retire_if_idle(ctx);
        });
    }

    fn stopped(&mut self, _: &mut Self::Context) {
        self.deps.ear.unwatch_chat(self.key);
        metrics::gauge!(metric::CHATS).decrement(1.0);
    }
}

impl Handler<Arrived> for ChatActor {
    type Result = ();

    fn handle(&mut self, arrived: Arrived, ctx: &mut Self::Context) {
        self.take(arrived.0, ctx);
        if self.behind.swap(false, Ordering::AcqRel) {
            self.suspicious = true;
            self.look(ctx);
        }
    }
}

impl Handler<Reconnected> for ChatActor {
    type Result = ();

    fn handle(&mut self, _: Reconnected, ctx: &mut Self::Context) {
        self.suspicious = true;
        self.look(ctx);
    }
}

impl Handler<Unfollow> for ChatActor {
    type Result = ();

    fn handle(&mut self, unfollow: Unfollow, _: &mut Self::Context) {
        if self.desks.get(&unfollow.desk).is_some_and(|wish| *wish <= unfollow.wish) {
            self.desks.remove(&unfollow.desk);
        }
        self.used = Instant::now();
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
