//! Sockets that follow the chat: where each begins, and what it missed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::fut::wrap_future;
use actix::{ActorFutureExt, AsyncContext, Context};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::fanout::desk::{
    Delivery, DeskId, Followed, Outcome, Outgoing, Replay, ReplayEnd, SessionKey, Ticket, Turnover,
};
use crate::model::{AgentId, Caller, ChatId, Position, Record};
use crate::sabotage::{Safeguard, off};
use crate::store::{Arrival, StoreError};
use crate::wire::cursor;
use crate::wire::frames::LostReason;

use super::actor::ChatActor;
use super::frame::outgoing;
use super::looking::{CHUNK, newest_events, with_messages};
use super::room::Room;

/// Between two attempts to learn the newest events for clients that come back.
const WARM_SPACING: Duration = Duration::from_secs(1);
/// How long a stretch that was read for sockets that catch up is kept for the next of them.
const STRETCH_KEPT: Duration = Duration::from_secs(1);
/// Stretches that a node keeps at most, of all chats together.
static STRETCHES_KEPT: Semaphore = Semaphore::const_new(16);

/// A socket wants to follow the chat.
#[derive(actix::Message, Clone, Debug)]
#[rtype(result = "()")]
pub struct Follow {
    pub desk: DeskId,
    /// Numbers the desk's wishes for this chat, so that an older [`Unfollow`] does not undo it.
    pub wish: u64,
    pub session: SessionKey,
    pub ticket: Ticket,
    pub chat: ChatId,
    pub caller: Caller,
    /// Whether it may hear every chat of the customer, member or not.
    pub watches: bool,
    pub begin: Begin,
}

/// From where on a socket follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Begin {
    /// From the newest event on; deleted chats are left out.
    Now,
    /// After this cursor, which the client named for this chat.
    Since(String),
    /// From the event on by which the agent came in: the chat is news to the socket.
    Joining,
}

/// Nobody at the desk follows the chat any more.
#[derive(actix::Message, Clone, Copy, Debug)]
#[rtype(result = "()")]
pub struct Unfollow {
    pub desk: DeskId,
    /// The newest wish that this undoes.
    pub wish: u64,
}

/// A socket asks for the events after `from`.
#[derive(actix::Message, Clone, Copy, Debug)]
#[rtype(result = "()")]
pub struct CatchUp {
    pub desk: DeskId,
    pub session: SessionKey,
    pub agent: AgentId,
    pub watches: bool,
    pub from: u64,
    /// Bytes of frames that the socket takes at once; one event always fits.
    pub room_bytes: usize,
}

/// A stretch of the log, as it goes out.
pub(super) struct Stretch {
    /// The history that it was read in.
    life: u64,
    /// At most as many as are read in one go, without a hole.
    events: Vec<Arc<Outgoing>>,
    read: Instant,
    /// Its place among those that are kept.
    _place: SemaphorePermit<'static>,
}

impl Stretch {
    /// What comes after this number, if the next one is here.
    fn after(&self, from: u64) -> Option<&[Arc<Outgoing>]> {
        let first = self.events.first()?.seq;
        let place = usize::try_from((from + 1).checked_sub(first)?).ok()?;
        self.events.get(place..).filter(|events| !events.is_empty())
    }
}

impl ChatActor {
    /// Answers a wish to follow, after a look.
    pub(super) fn follow(&mut self, follow: Follow, ctx: &mut Context<Self>) {
        match self.begin_of(&follow) {
            Ok(outcome) => self.followed(&follow, outcome, ctx),
            Err(position) => self.prove(follow, position.seq, ctx),
        }
    }

    /// `Some` when the chat is there and the caller hears it: whether as a member.
    fn hears(&self, follow: &Follow) -> Option<(&Room, bool)> {
        let room = self.room.as_ref().filter(|room| room.chat().id == follow.chat)?;
        let member = room.roster().contains(follow.caller.agent);
        let own = room.chat().customer == follow.caller.customer;
        // A deleted chat is in scope only when it is named.
        let wanted = !room.chat().is_deleted() || matches!(follow.begin, Begin::Since(_));
        (own && wanted && (member || follow.watches)).then_some((room, member))
    }

    /// `Err` when the position has to be looked up in the log.
    fn begin_of(&self, follow: &Follow) -> Result<Outcome, Position> {
        let Some((room, member)) = self.hears(follow) else { return Ok(Outcome::Outside) };
        let head = room.head();
        let follows = |from, lost| Ok(Outcome::Follows { from, head, lost, member });
        match &follow.begin {
            Begin::Now => follows(head.seq, None),
            Begin::Joining => {
                let joined = room.roster().get(follow.caller.agent).map_or(1, |member| member.joined_seq);
                follows(joined.saturating_sub(1), None)
            }
            Begin::Since(text) => match cursor::read(self.key, text) {
                None => follows(head.seq, Some(LostReason::Unknown)),
                Some(at) if off(Safeguard::History) => follows(at.seq.min(head.seq), None),
                Some(at) if at.seq > head.seq => follows(head.seq, Some(LostReason::Rewritten)),
                Some(at) if head.seq - at.seq > self.deps.limits.resume_events_max => {
                    follows(head.seq, Some(LostReason::Trimmed))
                }
                Some(at) if at == head => follows(at.seq, None),
                Some(at) => match room.recent().holds(at) {
                    Some(true) => follows(at.seq, None),
                    Some(false) => follows(head.seq, Some(LostReason::Rewritten)),
                    None => Err(at),
                },
            },
        }
    }

    /// Looks up whether the event that the client names is in the log as the client saw it.
    /// One reading serves all who come back to the same number. Where one comes back to, more will:
    /// what is not far is read with everything after it, and from then on known.
    fn prove(&mut self, follow: Follow, seq: u64, ctx: &mut Context<Self>) {
        let (life, waiting) = (self.life, self.proving.entry(seq).or_default());
        waiting.push(follow);
        if waiting.len() > 1 {
            return;
        }
        let (deps, key) = (Arc::clone(&self.deps), self.key);
        let head = self.room.as_ref().map_or(Position::START, Room::head);
        let near = head.seq.saturating_sub(seq) < deps.limits.recent_events_max as u64;
        let warm = near && self.warmed.is_none_or(|warmed| warmed.elapsed() >= WARM_SPACING);
        if warm {
            self.warmed = Some(Instant::now());
        }
        let read = async move {
            let found = deps.store.log.events(key, seq, 1).await?;
            let newest = if warm { newest_events(&deps, key, head).await? } else { Vec::new() };
            Ok((found.first().map(Record::position), newest))
        };
        ctx.spawn(wrap_future(read).map(move |found: Result<_, StoreError>, actor: &mut Self, ctx| {
            let found = found.map(|(found, newest): (Option<Position>, Vec<Arrival>)| {
                if let Some(room) = actor.room.as_mut().filter(|_| actor.life == life) {
                    room.remember(&newest);
                    found.into_iter().for_each(|position| room.recent_mut().prove(position));
                }
                found
            });
            for follow in actor.proving.remove(&seq).unwrap_or_default() {
                match &found {
                    // What was read in another history proves nothing in this one.
                    Ok(found) if actor.life == life => actor.proved(&follow, *found, ctx),
                    _ => actor.cannot_follow(&follow, ctx),
                }
            }
        }));
    }

    /// Answers one whose position was looked up. Who it is is asked again: meanwhile the caller
    /// may have been taken out.
    fn proved(&mut self, follow: &Follow, found: Option<Position>, ctx: &mut Context<Self>) {
        let named = match &follow.begin {
            Begin::Since(text) => cursor::read(self.key, text),
            Begin::Now | Begin::Joining => None,
        };
        let outcome = self.hears(follow).map_or(Outcome::Outside, |(room, member)| {
            let head = room.head();
            let (from, lost) = match named.filter(|named| Some(*named) == found) {
                Some(named) => (named.seq, None),
                None => (head.seq, Some(LostReason::Rewritten)),
            };
            Outcome::Follows { from, head, lost, member }
        });
        self.followed(follow, outcome, ctx);
    }

    pub(super) fn cannot_follow(&mut self, follow: &Follow, ctx: &mut Context<Self>) {
        self.followed(follow, Outcome::Unavailable, ctx);
    }

    fn followed(&mut self, follow: &Follow, outcome: Outcome, ctx: &mut Context<Self>) {
        let followed = Followed { chat: follow.chat, session: follow.session, ticket: follow.ticket, outcome };
        self.send(follow.desk, Delivery::Followed(followed), ctx);
    }

    /// Sends a socket what it missed: from memory if all of it is there, else a chunk of the log.
    pub(super) fn catch_up(&mut self, wish: CatchUp, ctx: &mut Context<Self>) {
        let Some(room) = &self.room else {
            self.look(ctx);
            return self.replay(wish, Vec::new(), ReplayEnd::Unavailable, ctx);
        };
        let kept = self.stretch.as_ref().filter(|stretch| stretch.life == self.life);
        let kept = kept.and_then(|stretch| stretch.after(wish.from)).map(<[_]>::to_vec);
        if let Some(events) = kept.or_else(|| from_memory(room, wish)) {
            let (events, end) = cut(room, wish, events);
            return self.replay(wish, events, end, ctx);
        }
        self.fetch_older(wish, ctx);
    }

    /// Reads a chunk of the log. One reading serves all who stand at the same number.
    fn fetch_older(&mut self, wish: CatchUp, ctx: &mut Context<Self>) {
        let (from, waiting) = (wish.from, self.fetching.entry(wish.from).or_default());
        waiting.push(wish);
        if waiting.len() > 1 {
            return;
        }
        let (store, key, life, changes) = (self.deps.store.clone(), self.key, self.life, self.changes);
        let read = async move {
            let records = store.log.events(key, from + 1, CHUNK).await?;
            with_messages(&store, key, records).await
        };
        ctx.spawn(wrap_future(read).map(move |found: Result<Vec<Arrival>, StoreError>, actor: &mut Self, ctx| {
            let found = found.ok().zip(actor.room.as_ref()).filter(|_| actor.life == life);
            let events: Option<Vec<Arc<Outgoing>>> = found.map(|(found, room)| {
                let event = |arrival: &Arrival| outgoing(room, &arrival.record, arrival.message.as_ref());
                // No more than this room has itself: what a failover takes from it, it notices and tells.
                let within = |arrival: &&Arrival| arrival.record.seq <= room.head().seq;
                found.iter().filter(within).filter_map(|arrival| event(arrival).map(Arc::new)).collect()
            });
            if let Some(events) = events.as_ref().filter(|_| actor.changes == changes) {
                actor.keep(events, ctx);
            }
            for wish in actor.fetching.remove(&from).unwrap_or_default() {
                // Nothing read although the log goes on: it is not the one this room knows.
                let some = events.as_ref().filter(|events| !events.is_empty());
                let (events, end) = match (some, &actor.room) {
                    (Some(events), Some(room)) => cut(room, wish, events.clone()),
                    _ => (Vec::new(), ReplayEnd::Unavailable),
                };
                actor.replay(wish, events, end, ctx);
            }
        }));
    }

    /// Keeps a stretch for a moment: sockets that fell behind together ask for it soon, each as fast as
    /// its client reads. A message that changes meanwhile ends that at once.
    fn keep(&mut self, events: &[Arc<Outgoing>], ctx: &mut Context<Self>) {
        self.stretch = None;
        let Ok(place) = STRETCHES_KEPT.try_acquire() else { return };
        let (life, events) = (self.life, events.to_vec());
        self.stretch = Some(Stretch { life, events, read: Instant::now(), _place: place });
        ctx.run_later(STRETCH_KEPT, |actor, _| {
            actor.stretch.take_if(|stretch| stretch.read.elapsed() >= STRETCH_KEPT);
        });
    }

    fn replay(&mut self, wish: CatchUp, events: Vec<Arc<Outgoing>>, end: ReplayEnd, ctx: &mut Context<Self>) {
        let replay = Replay { chat: self.key, session: wish.session, from: wish.from, events, end };
        self.send(wish.desk, Delivery::Replay(replay), ctx);
    }
}

/// What the socket has room for, if all of it is in memory. What would be cut off is not encoded.
fn from_memory(room: &Room, wish: CatchUp) -> Option<Vec<Arc<Outgoing>>> {
    if wish.from >= room.head().seq {
        return Some(Vec::new());
    }
    let (mut events, mut bytes) = (Vec::new(), 0);
    for record in room.recent().events_after(wish.from)? {
        let event = outgoing(room, record, room.message_of(record))?;
        bytes += event.frame.bytes();
        events.push(Arc::new(event));
        if bytes > wish.room_bytes {
            break;
        }
    }
    Some(events)
}

/// As much of the events as the socket may hear and has room for, and what comes after.
fn cut(room: &Room, wish: CatchUp, mut events: Vec<Arc<Outgoing>>) -> (Vec<Arc<Outgoing>>, ReplayEnd) {
    let reached = events.last().map_or(wish.from, |event| event.seq);
    let mut end = if reached < room.head().seq { ReplayEnd::More } else { ReplayEnd::Live };
    if !wish.watches && !room.roster().contains(wish.agent) {
        // An agent that is no member any more hears everything up to its own removal.
        let leaves = |event: &Arc<Outgoing>| event.turnover == Turnover::Went(wish.agent);
        match events.iter().position(leaves) {
            Some(place) => {
                events.truncate(place + 1);
                end = ReplayEnd::Left;
            }
            None if end == ReplayEnd::Live => {
                events.clear();
                end = ReplayEnd::Left;
            }
            None => {}
        }
    }
    let mut room_left = wish.room_bytes;
    let fits = events.iter().take_while(|event| {
        let fits = event.frame.bytes() <= room_left;
        room_left = room_left.saturating_sub(event.frame.bytes());
        fits
    });
    let count = fits.count().max(1);
    if count < events.len() {
        events.truncate(count);
        end = ReplayEnd::More;
    }
    (events, end)
}
