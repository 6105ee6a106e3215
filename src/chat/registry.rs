//! Finds the actor of a chat, starts it on first use, and bounds what waits for it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use actix::dev::ToEnvelope;
use actix::{Actor, Addr, ArbiterHandle, Handler, Message};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use tracing::Span;

use crate::model::{Caller, ChatId, ChatKey, Nonce};
use crate::telemetry::bound_reached;
use crate::wire::{ApiError, Reason};

use super::actor::{ChatActor, Deps};
use super::asking::{Ask, Failure, What};
use super::command::{Answer, Command, Question};
use super::shelf::{Shelf, Space};

/// How often a chat that retired just now is started again for one call.
const TRIES: usize = 3;
/// How much longer than the store an asker waits: for what the store's time does not cover.
const GRACE: Duration = Duration::from_secs(2);

/// The chats of this node. Cheap to clone.
#[derive(Clone)]
pub struct Chats {
    inner: Arc<Inner>,
}

struct Inner {
    deps: Arc<Deps>,
    /// The threads that chats live on; each takes its turn.
    arbiters: Vec<ArbiterHandle>,
    turn: AtomicUsize,
    live: Mutex<HashMap<ChatKey, Live>>,
    /// What the newest pages of the chats share.
    space: Arc<Space>,
}

#[derive(Clone)]
struct Live {
    addr: Addr<ChatActor>,
    /// As many as commands may wait for the chat or be under way in it.
    places: Arc<Semaphore>,
    shelf: Arc<Shelf>,
}

/// Which chat is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whom {
    Chat(ChatId),
    /// The chat of a message, whose id names it.
    Key(ChatKey),
}

impl Whom {
    fn key(self) -> ChatKey {
        match self {
            Self::Chat(id) => id.key(),
            Self::Key(key) => key,
        }
    }

    fn id(self) -> Option<ChatId> {
        match self {
            Self::Chat(id) => Some(id),
            Self::Key(_) => None,
        }
    }
}

/// The name under which a command is made once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    pub nonce: Nonce,
    /// After this number it may have been made already; `None` when nobody can have tried.
    pub since: Option<u64>,
    /// Whether somebody has tried: then the log is searched before anything is decided.
    pub repeated: bool,
}

impl Attempt {
    /// A command that nobody has tried before.
    #[must_use]
    pub fn first() -> Self {
        Self { nonce: Nonce::random(), since: None, repeated: false }
    }
}

/// What goes along with mail, so that what a chat does for a call is part of its trace, and the lines
/// of the log that come of it have the request's id. Without traces it is the request's own span.
fn carried(chat: ChatKey) -> Span {
    let span = tracing::debug_span!("chat", %chat);
    if span.is_disabled() { Span::current() } else { span }
}

impl Chats {
    /// No chats yet, on these threads.
    #[must_use]
    pub fn new(deps: Arc<Deps>, arbiters: Vec<ArbiterHandle>) -> Self {
        let space = Space::new(deps.limits.newest_pages_bytes_max);
        Self { inner: Arc::new(Inner { deps, arbiters, turn: AtomicUsize::new(0), live: Mutex::default(), space }) }
    }

    /// What the chats share.
    #[must_use]
    pub fn deps(&self) -> &Deps {
        &self.inner.deps
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ChatKey, Live>> {
        self.inner.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the chat is in this node's memory.
    pub(super) fn is_live(&self, key: ChatKey) -> bool {
        self.lock().contains_key(&key)
    }

    fn live(&self, key: ChatKey) -> Result<Live, ApiError> {
        let mut live = self.lock();
        if let Some(found) = live.get(&key) {
            return Ok(found.clone());
        }
        let deps = &self.inner.deps;
        if live.len() >= deps.limits.chats_in_memory_max || self.inner.arbiters.is_empty() {
            bound_reached("limits.chats_in_memory_max");
            return Err(ApiError::new(Reason::ServiceUnavailable, "this node holds as many chats as it may"));
        }
        let turn = self.inner.turn.fetch_add(1, Ordering::Relaxed) % self.inner.arbiters.len();
        let (chats, shared) = (self.clone(), Arc::clone(deps));
        let shelf = Arc::new(Shelf::new(Arc::clone(&self.inner.space)));
        let its = Arc::clone(&shelf);
        let start = move |_: &mut _| ChatActor::new(key, shared, chats, its);
        let addr = ChatActor::start_in_arbiter(&self.inner.arbiters[turn], start);
        let started = Live { addr, places: Arc::new(Semaphore::new(deps.limits.chat_commands_max)), shelf };
        live.insert(key, started.clone());
        Ok(started)
    }

    /// The shelf of a chat in memory, with a place among those who ask it; `None` without either.
    pub(super) fn shelf(&self, key: ChatKey) -> Option<(Arc<Shelf>, OwnedSemaphorePermit)> {
        let live = self.lock().get(&key)?.clone();
        Some((live.shelf, live.places.try_acquire_owned().ok()?))
    }

    /// Takes an idle chat out, unless somebody is asking it. Afterwards nobody finds it.
    pub(super) fn release(&self, key: ChatKey) -> bool {
        let mut live = self.lock();
        let free = live.get(&key).is_none_or(|found| found.places.available_permits() == self.places_max());
        if free {
            live.remove(&key);
        }
        free
    }

    fn places_max(&self) -> usize {
        self.inner.deps.limits.chat_commands_max
    }

    /// Takes out every chat; they end when the last mail is done.
    pub fn close(&self) {
        self.lock().clear();
    }

    /// Has a command done.
    ///
    /// # Errors
    /// What the chat's rules refuse; 429 when too many commands wait for the chat; 503 when the
    /// store did not answer in time, after which the same attempt may be made again.
    pub async fn command(
        &self,
        caller: &Caller,
        whom: Whom,
        command: Command,
        attempt: Attempt,
    ) -> Result<Answer, Failure> {
        self.ask(caller, whom, What::Command(command), attempt).await
    }

    /// Has a question answered, from a state that holds every write acknowledged before.
    ///
    /// # Errors
    /// As [`Self::command`].
    pub async fn question(&self, caller: &Caller, whom: Whom, question: Question) -> Result<Answer, ApiError> {
        let asked = self.ask(caller, whom, What::Question(question), Attempt::first()).await;
        asked.map_err(|failure| match failure {
            Failure::Refused(error) => error,
            Failure::KeyTaken => ApiError::internal("a question made no chat"),
        })
    }

    async fn ask(&self, caller: &Caller, whom: Whom, what: What, attempt: Attempt) -> Result<Answer, Failure> {
        let wait = self.inner.deps.wait;
        for _ in 0..TRIES {
            let live = self.live(whom.key()).map_err(Failure::Refused)?;
            let Ok(permit) = Arc::clone(&live.places).try_acquire_owned() else {
                bound_reached("limits.chat_commands_max");
                return Err(Failure::Refused(ApiError::new(
                    Reason::RateLimitExceeded,
                    "too many calls wait for this chat",
                )));
            };
            let (reply, answer) = oneshot::channel();
            let ask = Ask {
                caller: caller.clone(),
                chat: whom.id(),
                what: what.clone(),
                nonce: attempt.nonce,
                since: attempt.since,
                deadline: Instant::now() + wait,
                reply,
                permit,
                found: None,
                tries: 0,
                searched: !attempt.repeated,
                turn: None,
                span: carried(whom.key()),
            };
            let asked = async { if live.addr.send(ask).await.is_ok() { Some(answer.await) } else { None } };
            match tokio::time::timeout(wait * 2 + GRACE, asked).await {
                Ok(Some(Ok(answer))) => return answer,
                Ok(None) => self.forget_closed(whom.key(), &live),
                Ok(Some(Err(_))) | Err(_) => break,
            }
        }
        Err(Failure::Refused(ApiError::new(Reason::ServiceUnavailable, "the chat did not answer; try again")))
    }

    /// Sends a chat mail that needs no place.
    ///
    /// # Errors
    /// When this node holds as many chats as it may.
    pub async fn tell<M>(&self, key: ChatKey, mail: M) -> Result<(), ApiError>
    where
        M: Message<Result = ()> + Clone + Send + 'static,
        ChatActor: Handler<M>,
        <ChatActor as Actor>::Context: ToEnvelope<ChatActor, M>,
    {
        for _ in 0..TRIES {
            let live = self.live(key)?;
            if live.addr.send(mail.clone()).await.is_ok() {
                return Ok(());
            }
            self.forget_closed(key, &live);
        }
        Err(ApiError::new(Reason::ServiceUnavailable, "the chat did not answer; try again"))
    }

    /// Sends mail to a chat only if it is in memory.
    pub async fn tell_if_live<M>(&self, key: ChatKey, mail: M)
    where
        M: Message<Result = ()> + Send + 'static,
        ChatActor: Handler<M>,
        <ChatActor as Actor>::Context: ToEnvelope<ChatActor, M>,
    {
        let live = self.lock().get(&key).cloned();
        if let Some(live) = live {
            // A chat that has just retired has nothing to be told.
            let _ = live.addr.send(mail).await;
        }
    }

    fn forget_closed(&self, key: ChatKey, closed: &Live) {
        let mut live = self.lock();
        if live.get(&key).is_some_and(|found| found.addr == closed.addr) {
            live.remove(&key);
        }
    }
}
