//! A look at the log: has it gone on since, and is it still the one that was seen?

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use actix::fut::wrap_future;
use actix::{ActorFutureExt, AsyncContext, Context};

use crate::fanout::desk::{Delivery, Members};
use crate::fanout::ear::ChatEar;
use crate::model::{ChatId, ChatKey, Event, Message, Micros, Position, Record, Roster};
use crate::sabotage::{Safeguard, off};
use crate::store::{Arrival, Snapshot, Store, StoreError};
use crate::telemetry::metric;
use crate::wire::frames::{LostReason, ResyncFrame, encode};
use crate::wire::{ApiError, cursor};

use super::actor::{ChatActor, Deps, Job};
use super::following::{Begin, Follow};
use super::room::Room;

/// How long after a failed look the next one begins, while sockets follow.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// Looks in a row that follow each other at once; more are a crowd.
const LOOKS_AT_ONCE: u32 = 8;
/// Between two looks in a crowd that only wishes to follow wait for: when a node's clients come back all at
/// once, one look serves many.
const FOLLOW_SPACING: Duration = Duration::from_millis(20);

/// Events read from the log in one go.
pub(super) const CHUNK: usize = 256;
/// Missing events beyond which the state is loaded anew instead of being folded.
const LEAP: u64 = 1024;

/// What a look found.
#[derive(Debug)]
pub(super) enum Seen {
    /// There is no such chat, and nobody listens for one.
    Nothing,
    /// There is no such chat.
    Absent,
    /// Nothing has happened.
    Same,
    /// The chat, seen for the first time, and its newest events if somebody comes back to them.
    Loaded(Box<Snapshot>, Vec<Arrival>),
    /// A chat that was not there at the last look, with everything that has happened in it.
    Born(ChatId, Vec<Arrival>),
    /// What has happened since.
    Behind(Vec<Arrival>),
    /// So much has happened that this is where it stands now.
    Leapt(Box<Snapshot>),
    /// What was seen is not in the log any more; `None` when the chat itself is not.
    Rewritten(Option<Box<Snapshot>>),
}

/// Looks. `known` is what was seen last, `absent` whether that was nothing at all. `warm`: somebody
/// comes back, and more of them will.
pub(super) async fn look(
    deps: &Deps,
    chat: ChatKey,
    known: Option<Position>,
    absent: bool,
    warm: bool,
) -> Result<Seen, StoreError> {
    let log = &deps.store.log;
    let Some(known) = known else {
        let Some(snapshot) = log.load(chat).await? else { return Ok(Seen::Absent) };
        if absent && snapshot.head.seq <= LEAP {
            let records = read(&deps.store, chat, Position::START, snapshot.head.seq).await?.unwrap_or_default();
            return Ok(Seen::Born(snapshot.chat.id, with_messages(&deps.store, chat, records).await?));
        }
        let newest = if warm { newest_events(deps, chat, snapshot.head).await? } else { Vec::new() };
        return Ok(Seen::Loaded(Box::new(snapshot), newest));
    };
    let head = log.head(chat).await?;
    if head == known {
        return Ok(Seen::Same);
    }
    let rewritten = async || Ok(Seen::Rewritten(log.load(chat).await?.map(Box::new)));
    if head.seq.saturating_sub(known.seq) > LEAP {
        let snapshot = log.load(chat).await?;
        // After it, so that both are of one history.
        if !is_there(deps, chat, known).await? {
            return rewritten().await;
        }
        return Ok(snapshot.map_or(Seen::Absent, |snapshot| Seen::Leapt(Box::new(snapshot))));
    }
    match read(&deps.store, chat, known, head.seq).await? {
        Some(records) => Ok(Seen::Behind(with_messages(&deps.store, chat, records).await?)),
        None if off(Safeguard::History) => Ok(Seen::Same),
        None => rewritten().await,
    }
}

/// Whether this event is in the log.
async fn is_there(deps: &Deps, chat: ChatKey, known: Position) -> Result<bool, StoreError> {
    let found = deps.store.log.events(chat, known.seq, 1).await?;
    Ok(found.first().map(Record::position) == Some(known) || off(Safeguard::History))
}

/// The newest events up to the head, as many as are kept in memory. None if the chat goes on
/// meanwhile: then replies would be counted twice.
pub(super) async fn newest_events(deps: &Deps, chat: ChatKey, head: Position) -> Result<Vec<Arrival>, StoreError> {
    let first = head.seq.saturating_sub(deps.limits.recent_events_max as u64) + 1;
    let records = deps.store.log.events(chat, first, deps.limits.recent_events_max).await?;
    let newest = with_messages(&deps.store, chat, records).await?;
    let still = deps.store.log.head(chat).await? == head;
    Ok(if still { newest } else { Vec::new() })
}

/// The events after this one, up to a number; `None` when it is not in the log. Each reading
/// begins with what the one before ended with: between two, the history may be rewritten.
async fn read(store: &Store, chat: ChatKey, known: Position, to: u64) -> Result<Option<Vec<Record>>, StoreError> {
    let mut records: Vec<Record> = Vec::new();
    let mut last = known;
    loop {
        let proves = last != Position::START;
        let mut chunk = store.log.events(chat, last.seq.max(1), CHUNK).await?.into_iter();
        if proves && chunk.next().map(|first| first.position()) != Some(last) {
            return Ok(None);
        }
        let before = records.len();
        records.extend(chunk);
        match records.last() {
            Some(newest) if records.len() > before && newest.seq < to => last = newest.position(),
            _ => return Ok(Some(records)),
        }
    }
}

/// The records, each with the message it is about as that is now.
pub(super) async fn with_messages(
    store: &Store,
    chat: ChatKey,
    records: Vec<Record>,
) -> Result<Vec<Arrival>, StoreError> {
    let mut moments: Vec<Micros> = records.iter().filter_map(message_of).collect();
    moments.sort_unstable();
    moments.dedup();
    let mut messages: HashMap<Micros, Message> = HashMap::with_capacity(moments.len());
    for chunk in moments.chunks(CHUNK) {
        let found = store.log.messages_at(chat, chunk).await?;
        messages.extend(found.into_iter().flatten().map(|message| (message.at, message)));
    }
    let mut before: Option<Position> = None;
    let arrival = |record: Record| {
        let message = message_of(&record).and_then(|at| messages.get(&at).cloned());
        let previous = before.filter(|before| before.seq + 1 == record.seq).map(|before| before.nonce);
        before = Some(record.position());
        Arrival { record, message, previous }
    };
    Ok(records.into_iter().map(arrival).collect())
}

fn message_of(record: &Record) -> Option<Micros> {
    match &record.event {
        Event::MessageCreated(_) => Some(record.at),
        other => other.changes_message(),
    }
}

impl ChatActor {
    /// Has the job run after a look that begins now, or as soon as the present one has ended.
    pub(super) fn after_look(&mut self, job: Job, ctx: &mut Context<Self>) {
        self.waiting.push(job);
        self.look_for_those_who_wait(ctx);
    }

    /// Looks for them: at once, or a little later if all of them only wish to follow.
    fn look_for_those_who_wait(&mut self, ctx: &mut Context<Self>) {
        let hurry = self.waiting.iter().any(|job| !matches!(job, Job::Follow(_)));
        let wait = self.looked_at.and_then(|ended| FOLLOW_SPACING.checked_sub(ended.elapsed()));
        match wait.filter(|_| !hurry && !self.looking && self.in_a_row >= LOOKS_AT_ONCE) {
            None => self.look(ctx),
            Some(_) if self.paced => {}
            Some(wait) => {
                self.paced = true;
                ctx.run_later(wait, |actor, ctx| {
                    actor.paced = false;
                    if !actor.waiting.is_empty() {
                        actor.look(ctx);
                    }
                });
            }
        }
    }

    /// Looks at the log, unless that is under way.
    pub(super) fn look(&mut self, ctx: &mut Context<Self>) {
        if self.looking {
            // Whoever waits for the next look has one without this.
            self.look_again |= self.waiting.is_empty();
            return;
        }
        self.looking = true;
        let alone = self.looked_at.is_none_or(|ended| ended.elapsed() > FOLLOW_SPACING * 2);
        self.in_a_row = if alone { 0 } else { self.in_a_row.saturating_add(1) };
        let jobs = std::mem::take(&mut self.waiting);
        let warm = jobs.iter().any(|job| matches!(job, Job::Follow(Follow { begin: Begin::Since(_), .. })));
        let known = self.room.as_ref().map(Room::head);
        let (key, deps, absent) = (self.key, Arc::clone(&self.deps), self.absent);
        // Whoever only asks whether there is such a chat does not make the node listen for it.
        let curious = !self.watching && jobs.iter().all(Job::is_question);
        let ear = (!std::mem::replace(&mut self.watching, true)).then(|| ChatEar {
            arrived: ctx.address().recipient(),
            reconnected: ctx.address().recipient(),
            told: ctx.address().recipient(),
            newest: Arc::clone(&self.newest),
            behind: Arc::clone(&self.behind),
        });
        let looked = async move {
            if curious && deps.store.log.head(key).await? == Position::START {
                return Ok(Seen::Nothing);
            }
            if let Some(ear) = ear {
                deps.ear.watch_chat(key, ear).await;
            }
            look(&deps, key, known, absent, warm).await
        };
        ctx.spawn(wrap_future(looked).map(move |seen, actor: &mut Self, ctx| actor.looked(seen, jobs, ctx)));
    }

    fn looked(&mut self, seen: Result<Seen, StoreError>, jobs: Vec<Job>, ctx: &mut Context<Self>) {
        self.looking = false;
        self.looked_at = Some(Instant::now());
        let again = std::mem::take(&mut self.look_again);
        match seen {
            Ok(seen) => {
                self.see(seen, ctx);
                for job in jobs {
                    match job {
                        Job::Ask(ask) => self.attempt(ask, true, ctx),
                        Job::Follow(follow) => self.follow(follow, ctx),
                    }
                }
                if self.behind.swap(false, Ordering::AcqRel) || again {
                    self.look(ctx);
                } else if !self.waiting.is_empty() {
                    self.look_for_those_who_wait(ctx);
                }
                self.retire_if_nothing(ctx);
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
            Seen::Nothing => self.watching = false,
            Seen::Absent => self.absent = true,
            Seen::Same => self.suspicious = false,
            Seen::Loaded(snapshot, newest) => {
                if self.room.is_none() {
                    let mut room = Room::from_snapshot(*snapshot, self.deps.bounds());
                    room.remember(&newest);
                    self.room = Some(room);
                }
            }
            Seen::Born(chat, arrivals) => {
                if self.room.is_none() {
                    self.begin(chat, arrivals.first().cloned(), ctx);
                }
                self.take(arrivals, true, ctx);
            }
            Seen::Behind(arrivals) => {
                let before = self.room.as_ref().map_or(0, |room| room.head().seq);
                self.take(arrivals, true, ctx);
                let repaired = self.room.as_ref().map_or(0, |room| room.head().seq).saturating_sub(before);
                if repaired > 0 && std::mem::take(&mut self.suspicious) {
                    metrics::counter!(metric::HOLES_REPAIRED).increment(1);
                }
            }
            Seen::Leapt(snapshot) => {
                let (chat, head) = (snapshot.chat.id, snapshot.head.seq);
                let members = members(&snapshot.roster);
                self.replace(*snapshot);
                if std::mem::take(&mut self.suspicious) {
                    metrics::counter!(metric::HOLES_REPAIRED).increment(1);
                }
                self.tell_all(|| Delivery::Leapt { chat, head, members: Arc::clone(&members) }, ctx);
            }
            Seen::Rewritten(snapshot) => self.rewritten(snapshot.map(|snapshot| *snapshot), ctx),
        }
        self.note_newest();
    }

    fn replace(&mut self, snapshot: Snapshot) {
        self.early.clear();
        self.life += 1;
        self.room = Some(Room::from_snapshot(snapshot, self.deps.bounds()));
    }

    fn rewritten(&mut self, snapshot: Option<Snapshot>, ctx: &mut Context<Self>) {
        metrics::counter!(metric::REWRITTEN).increment(1);
        tracing::warn!(chat = %self.key, "history rewritten: the log is not the one this node saw, clients are told; see what redis lost in its failover");
        let Some(chat) = self.room.as_ref().map(|room| room.chat().id) else { return };
        match snapshot {
            Some(snapshot) => self.replace(snapshot),
            // Not even the chat is left. Its followers are told that it stands at nothing.
            None => {
                self.early.clear();
                self.life += 1;
                self.room = None;
                self.absent = true;
            }
        }
        let head = self.room.as_ref().map_or(Position::START, Room::head);
        let members = self.room.as_ref().map_or_else(Members::default, |room| members(room.roster()));
        let frame = encode(&ResyncFrame {
            r#type: "resync",
            chat_id: chat.0,
            reason: LostReason::Rewritten,
            seq: head.seq,
            cursor: cursor::write(chat.key(), head),
        });
        let resync = || Delivery::Resync { chat, head, frame: frame.clone(), members: Arc::clone(&members) };
        self.tell_all(resync, ctx);
    }
}

fn members(roster: &Roster) -> Members {
    Arc::new(roster.iter().map(|participant| participant.agent).collect())
}
