//! Commits of one chat that come while a call of that chat is under way wait for it, and then go
//! together as the next call. Who comes alone goes at once; no timer, and nobody waits for others
//! to come.
//!
//! Promises: the commits of a chat are made in the order in which they came, each for itself: made,
//! refused and answered as if it had gone alone. A call without an answer leaves the outcome of
//! every commit in it unknown. Bounded: a call by [`Bounds`], who waits by who may ask, and each
//! of them in time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redis::Value;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::body::decoded;
use super::commit::{self, Packed};
use super::keys::Keys;
use super::lanes::Ask;
use super::scripts::Scripts;
use super::servers::{Again, Servers, Way};
use crate::model::ChatId;
use crate::store::{Commit, Result, StoreError};
use crate::telemetry::metric;

/// Bytes of commits in one call; a commit that is larger goes alone. What is told of a call goes to
/// each hub in one piece, and Redis does nothing else meanwhile.
const CALL_BYTES_MAX: usize = 256 * 1024;

/// How commits reach Redis. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Gathering {
    inner: Arc<Inner>,
}

struct Inner {
    servers: Servers,
    scripts: Arc<Scripts>,
    keys: Keys,
    /// Where calls are made, so that one goes on when those who wait for it have gone.
    runtime: Handle,
    commits_max: usize,
    /// Who waits, by chat. A chat is here while a call of it is under way.
    chats: Mutex<HashMap<ChatId, Vec<Waiting>>>,
}

struct Waiting {
    commit: Packed,
    /// Whether a second attempt would find what a first one made.
    repeatable: bool,
    reply: oneshot::Sender<Result<Value>>,
}

impl Gathering {
    /// Calls over these servers, each with so many commits at most.
    pub(crate) fn new(
        servers: Servers,
        scripts: Arc<Scripts>,
        keys: Keys,
        runtime: Handle,
        commits_max: usize,
    ) -> Self {
        let chats = Mutex::default();
        Self { inner: Arc::new(Inner { servers, scripts, keys, runtime, commits_max, chats }) }
    }

    /// The script's answer to this commit.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when there was none within `wait_ms`, from now on; it may stand all
    /// the same, or be made later. [`StoreError::Corrupt`] for a commit that would make a log that is none.
    pub(crate) async fn commit(&self, commit: &Commit) -> Result<Value> {
        let (reply, answer) = oneshot::channel();
        let waiting = Waiting { commit: commit::pack(commit)?, repeatable: commit.retry_after.is_some(), reply };
        let first = {
            let mut chats = self.inner.lock();
            match chats.get_mut(&commit.chat) {
                Some(others) => {
                    others.push(waiting);
                    None
                }
                None => {
                    chats.insert(commit.chat, Vec::new());
                    Some(waiting)
                }
            }
        };
        if let Some(first) = first {
            self.inner.runtime.spawn(Arc::clone(&self.inner).serve(commit.chat, first));
        }
        match timeout(self.inner.servers.wait, answer).await {
            Ok(answered) => answered.unwrap_or_else(|_| Err(unavailable("the store was closed"))),
            Err(_) => Err(unavailable("no answer from redis in time")),
        }
    }
}

fn unavailable(why: &str) -> StoreError {
    StoreError::Unavailable(why.to_owned())
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, HashMap<ChatId, Vec<Waiting>>> {
        self.chats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes calls until nobody waits.
    async fn serve(self: Arc<Self>, chat: ChatId, first: Waiting) {
        let mut together = vec![first];
        while !together.is_empty() {
            match self.call(chat, &together).await {
                Ok(answers) => {
                    for (one, answer) in together.drain(..).zip(answers) {
                        // Whoever has gone finds what was made when it comes again.
                        let _ = one.reply.send(Ok(answer));
                    }
                }
                Err(StoreError::Corrupt(_)) if together.len() > 1 => self.apart(chat, together).await,
                Err(error) => together.into_iter().for_each(|one| drop(one.reply.send(Err(error.clone())))),
            }
            together = self.next(chat);
        }
    }

    /// Those who wait, as many as one call takes. None, and the chat is gone, when nobody does.
    fn next(&self, chat: ChatId) -> Vec<Waiting> {
        let mut chats = self.lock();
        let Some(waiting) = chats.get_mut(&chat) else { return Vec::new() };
        waiting.retain(|one| !one.reply.is_closed());
        if waiting.is_empty() {
            chats.remove(&chat);
            return Vec::new();
        }
        let (mut count, mut bytes) = (0, 0);
        for one in waiting.iter().take(self.commits_max.max(1)) {
            bytes += one.commit.bytes();
            if count > 0 && bytes > CALL_BYTES_MAX {
                break;
            }
            count += 1;
        }
        let rest = waiting.split_off(count);
        std::mem::replace(waiting, rest)
    }

    async fn call(&self, chat: ChatId, together: &[Waiting]) -> Result<Vec<Value>> {
        metrics::counter!(metric::COMMIT_CALLS).increment(1);
        let script = &self.scripts.commit;
        let meta = self.keys.meta(chat.key());
        let call = commit::call(script, &meta, chat, together.iter().map(|one| &one.commit));
        let answer = self.servers.ask(Way::write(&meta), Again::Never, Ask::Script(script, call)).await?;
        let answers: Vec<Value> = decoded(answer)?;
        if answers.len() == together.len() {
            return Ok(answers);
        }
        Err(StoreError::Corrupt(format!("{} answers to {} commits", answers.len(), together.len())))
    }

    /// One of them meets something that is stored and cannot be read, and the call ended there. The
    /// others are not to suffer for it.
    async fn apart(&self, chat: ChatId, together: Vec<Waiting>) {
        for one in together.into_iter().filter(|one| !one.reply.is_closed()) {
            let answer = if one.repeatable {
                let answers = self.call(chat, std::slice::from_ref(&one)).await;
                answers.and_then(|mut answers| answers.pop().ok_or_else(|| unavailable("no answer to a commit")))
            } else {
                Err(unavailable("it is not known whether it was made"))
            };
            let _ = one.reply.send(answer);
        }
    }
}
