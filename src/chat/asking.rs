//! Commands and questions: from the asker to the room, through a commit if need be, and back.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use actix::fut::wrap_future;
use actix::{ActorFutureExt, AsyncContext, Context, StreamHandler};
use futures_util::FutureExt;
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tracing::{Instrument, Level, Span};

use crate::model::{Caller, ChatId, Message, Micros, Nonce, Position, Record};
use crate::sabotage::{Safeguard, off};
use crate::store::{Arrival, Commit, CommitError, Committed, StoreError, Touch};
use crate::telemetry::metric;
use crate::wire::{ApiError, Reason};

use super::actor::{ChatActor, Job};
use super::command::{Answer, Command, Question};
use super::looking::{CHUNK, with_messages};
use super::room::Room;
use super::rules::{self, Decision, Given};

/// How long after an unknown outcome the commit is tried again; doubles up to eight times that.
const TRY_AGAIN: Duration = Duration::from_millis(50);

/// Why a chat did not do as asked.
#[derive(Clone, Debug, PartialEq)]
pub enum Failure {
    Refused(ApiError),
    /// Another chat has the key of the one to be made: draw another id.
    KeyTaken,
}

/// What is asked.
#[derive(Clone, Debug)]
pub enum What {
    Command(Command),
    Question(Question),
}

/// Something asked of a chat.
#[derive(actix::Message)]
#[rtype(result = "()")]
pub struct Ask {
    pub caller: Caller,
    /// The chat that is meant; `None` when only its key is known, from a message's id.
    pub chat: Option<ChatId>,
    pub what: What,
    /// The name of the first event that comes of it.
    pub nonce: Nonce,
    /// After this number the log is searched for the event of an earlier attempt. Every attempt
    /// has it, the first too: an attempt that was given up can still reach the store after the
    /// next one, and must find what that one made. `None` until the first attempt.
    pub since: Option<u64>,
    /// When the asker is told that the store does not answer.
    pub deadline: Instant,
    pub reply: oneshot::Sender<Result<Answer, Failure>>,
    /// A place among the chat's commands.
    pub permit: OwnedSemaphorePermit,
    /// An older message, read for the decision.
    pub found: Option<Option<Message>>,
    /// Attempts whose outcome is unknown.
    pub tries: u32,
    /// Whether the log was searched for an earlier attempt.
    pub searched: bool,
    /// The turn it has, while its commit is under way.
    pub turn: Option<Turn>,
    /// Whatever is done for it is done in this.
    pub span: Span,
}

/// A commit that the store has answered, for whom it was, and when it was asked for.
pub(super) struct Landed {
    ask: Box<Ask>,
    commit: Box<Commit>,
    began: Instant,
    outcome: Result<Committed, CommitError>,
}

/// What commits of a node change one at a time: two that were decided on one state cannot both be
/// made, and of many, each would be decided again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Turn {
    /// The chat or its roster.
    Rules,
    /// The message of this moment.
    Message(Micros),
}

impl Turn {
    /// The turn that a commit needs; posting needs none.
    fn of(commit: &Commit) -> Option<Self> {
        let first = commit.entries.first()?;
        match &first.touch {
            Some(touch) => Some(Self::Message(touch.before.at)),
            None => first.event.changes_rules().then_some(Self::Rules),
        }
    }
}

impl Ask {
    /// Whether the room's own state is not enough to begin with.
    pub(super) fn needs_look(&self) -> bool {
        matches!(self.what, What::Question(_)) || !self.searched
    }
}

impl ChatActor {
    /// Tells the asker, and gives its turn to the next.
    pub(super) fn finish(&mut self, ask: Box<Ask>, result: Result<Answer, Failure>, ctx: &mut Context<Self>) {
        let turn = ask.turn;
        self.under_way.remove(&ask.nonce);
        // An asker that has gone does not hear it; what was made stays made.
        let _ = ask.reply.send(result);
        let Some(turn) = turn else { return };
        while let Some(mut next) = self.turns.get_mut(&turn).and_then(VecDeque::pop_front) {
            if Instant::now() < next.deadline {
                next.turn = Some(turn);
                return self.attempt(next, false, ctx);
            }
            let _ = next.reply.send(Err(Failure::Refused(unavailable())));
        }
        self.turns.remove(&turn);
    }

    pub(super) fn answer(&mut self, ask: Box<Ask>, answer: Answer, ctx: &mut Context<Self>) {
        self.finish(ask, Ok(answer), ctx);
    }

    pub(super) fn refuse(&mut self, ask: Box<Ask>, error: ApiError, ctx: &mut Context<Self>) {
        self.finish(ask, Err(Failure::Refused(error)), ctx);
    }

    /// Refuses what the store did not do, and says so in the log as part of the call.
    pub(super) fn fail(&mut self, ask: Box<Ask>, error: StoreError, ctx: &mut Context<Self>) {
        let refusal = ask.span.in_scope(|| error.into());
        self.refuse(ask, refusal, ctx);
    }

    /// Does what is asked. `fresh` says whether a look at the log came first: without one, neither
    /// a refusal nor an answer without a commit may be given.
    pub(super) fn attempt(&mut self, ask: Box<Ask>, fresh: bool, ctx: &mut Context<Self>) {
        let span = ask.span.clone();
        let _within = span.enter();
        match &ask.what {
            What::Question(question) => {
                let question = *question;
                self.answer_question(ask, question, ctx);
            }
            What::Command(_) if !ask.searched => self.search(ask, ctx),
            What::Command(_) => self.attempt_command(ask, fresh, ctx),
        }
    }

    fn attempt_command(&mut self, mut ask: Box<Ask>, fresh: bool, ctx: &mut Context<Self>) {
        let What::Command(command) = &ask.what else { return };
        let meant = ask.chat;
        let decision = match &self.room {
            None => match meant {
                Some(chat) => rules::begin(chat, command, ask.nonce),
                None => Decision::Refuse(rules::unknown_message()),
            },
            Some(room) if meant.is_some_and(|chat| chat != room.chat().id) => {
                if matches!(command, Command::Create { .. }) {
                    return self.finish(ask, Err(Failure::KeyTaken), ctx);
                }
                Decision::Refuse(rules::unknown_chat())
            }
            Some(room) => {
                let limits = &self.deps.limits;
                let given = Given { caller: &ask.caller, limits, nonce: ask.nonce, found: ask.found.as_ref() };
                rules::decide(room, command, &given)
            }
        };
        match decision {
            Decision::Answer(_) | Decision::Refuse(_) if !fresh => self.after_look(Job::Ask(ask), ctx),
            Decision::Answer(answer) => self.assure_then_answer(ask, answer, ctx),
            Decision::Refuse(error) => self.refuse(ask, error, ctx),
            Decision::Need(at) => self.fetch(ask, at, fresh, ctx),
            Decision::Commit(_) if Instant::now() >= ask.deadline => self.refuse(ask, unavailable(), ctx),
            Decision::Commit(mut commit) => {
                if let Some(turn) = Turn::of(&commit).filter(|turn| ask.turn != Some(*turn)) {
                    if let Some(queue) = self.turns.get_mut(&turn) {
                        return queue.push_back(ask);
                    }
                    self.turns.insert(turn, VecDeque::new());
                    ask.turn = Some(turn);
                }
                let newest = self.room.as_ref().map_or(Position::START, Room::head);
                // A history that was rewritten may end before what an earlier attempt went by. What
                // that attempt made went with it.
                let since = ask.since.map_or(newest.seq, |since| since.min(newest.seq));
                ask.since = Some(since);
                commit.retry_after = Some(since);
                commit.known = (newest != Position::START && !off(Safeguard::History)).then_some(newest);
                ask.found = None;
                self.commit(ask, commit);
            }
        }
    }

    /// Answers without a commit, by what stands in the log: once that is as durable as a commit of
    /// one's own would be.
    fn assure_then_answer(&mut self, ask: Box<Ask>, answer: Answer, ctx: &mut Context<Self>) {
        let (log, key) = (std::sync::Arc::clone(&self.deps.store.log), self.key);
        let assured = async move { log.assure(key).await }.in_current_span();
        ctx.spawn(wrap_future(assured).map(move |assured, actor: &mut Self, ctx| match assured {
            Ok(()) => actor.answer(ask, answer, ctx),
            Err(error) => actor.fail(ask, error, ctx),
        }));
    }

    fn fetch(&mut self, mut ask: Box<Ask>, at: Micros, fresh: bool, ctx: &mut Context<Self>) {
        let (log, key) = (std::sync::Arc::clone(&self.deps.store.log), self.key);
        let fetched = async move { log.messages_at(key, &[at]).await }.in_current_span();
        ctx.spawn(wrap_future(fetched).map(move |found, actor: &mut Self, ctx| match found {
            Ok(mut found) => {
                ask.found = Some(found.pop().flatten());
                actor.attempt(ask, fresh, ctx);
            }
            Err(error) => actor.fail(ask, error, ctx),
        }));
    }

    fn commit(&mut self, ask: Box<Ask>, commit: Box<Commit>) {
        let log = std::sync::Arc::clone(&self.deps.store.log);
        let began = Instant::now();
        let committed = async move {
            let committed = log.commit(&commit).await;
            (commit, committed)
        };
        // A span costs more than much of what is done in it: only that of a trace goes along.
        let span = ask.span.metadata().filter(|about| *about.level() == Level::DEBUG).map(|_| ask.span.clone());
        if let Some(span) = &span {
            // Its first event may be heard before the answer is: whoever delivers it finds the trace here.
            self.under_way.insert(ask.nonce, span.clone());
        }
        let landed = committed.map(move |(commit, outcome)| Landed { ask, commit, began, outcome });
        self.commits.send(landed.instrument(span.unwrap_or_else(Span::none)));
    }

    fn committed(&mut self, ask: Box<Ask>, commit: &Commit, committed: &Committed, ctx: &mut Context<Self>) {
        let mut previous = committed.previous;
        let mut arrivals = Vec::with_capacity(committed.records.len());
        for (record, entry) in committed.records.iter().zip(&commit.entries) {
            arrivals.push(arrival(record, entry.touch.as_ref(), previous));
            previous = Some(record.nonce);
        }
        if committed.records.iter().any(|record| Self::is_message(&record.event)) {
            metrics::counter!(metric::SENDS).increment(1);
        }
        let message = arrivals.first().and_then(|arrival| arrival.message.clone());
        if let Some(newest) = committed.records.last() {
            self.deps.heads.written(self.key, newest.seq);
        }
        if self.room.is_none() {
            self.begin(commit.chat, arrivals.first().cloned(), ctx);
        }
        self.take(arrivals, false, ctx);
        self.answer_committed(ask, committed, message.as_ref(), ctx);
    }

    fn answer_committed(
        &mut self,
        ask: Box<Ask>,
        committed: &Committed,
        message: Option<&Message>,
        ctx: &mut Context<Self>,
    ) {
        let newest = committed.records.last().map_or(0, |record| record.seq);
        let Some(room) = self.room.as_ref().filter(|room| room.head().seq >= newest) else {
            // An event between is still on its way. Answered from the state that has it.
            return self.look_then_answer(ask, committed.clone(), message.cloned(), ctx);
        };
        match rules::answer(room, &ask.caller, committed, message) {
            Some(answer) => self.answer(ask, answer, ctx),
            None => self.refuse(ask, ApiError::internal("a commit without its message"), ctx),
        }
    }

    fn look_then_answer(
        &mut self,
        ask: Box<Ask>,
        committed: Committed,
        message: Option<Message>,
        ctx: &mut Context<Self>,
    ) {
        if Instant::now() >= ask.deadline {
            return self.refuse(ask, unavailable(), ctx);
        }
        self.look(ctx);
        ctx.run_later(Duration::from_millis(2), move |actor, ctx| {
            actor.answer_committed(ask, &committed, message.as_ref(), ctx);
        });
    }

    fn not_committed(&mut self, mut ask: Box<Ask>, commit: Box<Commit>, error: CommitError, ctx: &mut Context<Self>) {
        match error {
            CommitError::KeyTaken => {
                self.finish(ask, Err(Failure::KeyTaken), ctx);
            }
            CommitError::Store(StoreError::Corrupt(cause)) => self.refuse(ask, ApiError::internal(cause), ctx),
            CommitError::Store(StoreError::Unavailable(cause)) if Instant::now() >= ask.deadline => {
                tracing::warn!(chat = %self.key, %cause, "outcome of a commit unknown, answered 503; look at redis");
                self.refuse(ask, unavailable(), ctx);
            }
            CommitError::Conflict if Instant::now() >= ask.deadline => self.refuse(ask, unavailable(), ctx),
            CommitError::Conflict => {
                metrics::counter!(metric::CONFLICTS).increment(1);
                self.after_look(Job::Ask(ask), ctx);
            }
            CommitError::Store(StoreError::Unavailable(cause)) => {
                tracing::warn!(chat = %self.key, %cause, "outcome of a commit unknown; trying again under its name");
                let wait = TRY_AGAIN * (1 << ask.tries.min(3));
                ask.tries += 1;
                ctx.run_later(wait, move |actor, _| actor.commit(ask, commit));
            }
        }
    }

    /// Looks for the event that an earlier attempt may have made, before anything is decided: the
    /// decision that was right then can be wrong now.
    fn search(&mut self, mut ask: Box<Ask>, ctx: &mut Context<Self>) {
        let (store, key) = (self.deps.store.clone(), self.key);
        let (nonce, since) = (ask.nonce, ask.since.unwrap_or_default());
        let deadline = ask.deadline;
        let searched = async move {
            let mut next = since + 1;
            while Instant::now() < deadline {
                let records = store.log.events(key, next, CHUNK).await?;
                let Some(last) = records.last() else { return Ok((next - 1, None)) };
                next = last.seq + 1;
                if let Some(found) = records.into_iter().find(|record| record.nonce == nonce) {
                    store.log.assure(key).await?;
                    return Ok((next - 1, with_messages(&store, key, vec![found]).await?.pop()));
                }
            }
            Err(StoreError::Unavailable("the search for an earlier attempt took too long".to_owned()))
        }
        .in_current_span();
        ctx.spawn(wrap_future(searched).map(
            move |found: Result<(u64, Option<Arrival>), StoreError>, actor: &mut Self, ctx| {
                ask.searched = true;
                match found {
                    Ok((_, Some(found))) => {
                        let committed = Committed { records: vec![found.record], repeated: true, previous: None };
                        actor.answer_committed(ask, &committed, found.message.as_ref(), ctx);
                    }
                    Ok((searched, None)) => {
                        // The store need not look again at what was searched here.
                        ask.since = Some(searched);
                        actor.attempt(ask, true, ctx);
                    }
                    Err(error) => actor.fail(ask, error, ctx),
                }
            },
        ));
    }
}

impl StreamHandler<Landed> for ChatActor {
    fn handle(&mut self, landed: Landed, ctx: &mut Context<Self>) {
        let Landed { ask, commit, began, outcome } = landed;
        metrics::histogram!(metric::STORE_SECONDS, "call" => "commit").record(began.elapsed());
        match outcome {
            Ok(committed) => self.committed(ask, &commit, &committed, ctx),
            Err(error) => ask.span.clone().in_scope(|| self.not_committed(ask, commit, error, ctx)),
        }
    }
}

fn unavailable() -> ApiError {
    ApiError::new(Reason::ServiceUnavailable, "the store does not answer; try again")
}

/// An event of our own, with the message it is about as that is after it.
fn arrival(record: &Record, touch: Option<&Touch>, previous: Option<Nonce>) -> Arrival {
    let message = touch.map(|touch| {
        let mut message = touch.before.clone();
        if touch.overlay.deleted {
            message.delete(record.at);
        } else {
            message.overlay = touch.overlay.clone();
            message.overlay.updated = Some(record.at);
            if let Some(last) = message.overlay.reactions.last_mut().filter(|last| last.at == Micros::ZERO) {
                last.at = record.at;
            }
        }
        message
    });
    Arrival { record: record.clone(), message, previous }
}
