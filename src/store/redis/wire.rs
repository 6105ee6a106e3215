//! One subscriber connection, and what is subscribed on it.
//!
//! In a cluster each channel has its slot, and a server takes only those of its own. When a slot
//! moves, the server unsubscribes its channels by itself. The library takes such a push for the
//! answer to a command if one is under way; then it is no longer known what is answered, and the
//! connection is given up.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::{AsyncConnectionConfig, Client, ConnectionInfo, ErrorKind, Msg, PushInfo, PushKind, RedisError};
use redis::{ServerErrorKind, Value};
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, timeout};

use super::keys::Keys;
use super::link::{Bounds, SILENT_MAX};
use crate::store::Channel;

/// Why a connection ended.
#[derive(Debug)]
pub(crate) enum Loss {
    Lost(String),
    Lagging,
    /// Nobody listens any more.
    Deaf,
}

impl From<RedisError> for Loss {
    fn from(error: RedisError) -> Self {
        Self::Lost(error.to_string())
    }
}

/// A channel that the server did not take, as another one has it now.
pub(crate) struct Refused {
    pub(crate) channel: Channel,
    /// Its slot, and host and port of the server that has it, where that was said.
    pub(crate) moved: Option<(u16, String)>,
}

/// The connection.
pub(crate) struct Wire {
    connection: MultiplexedConnection,
    pub(crate) subscribed: HashSet<Channel>,
    signs: Arc<Signs>,
    sharded: bool,
    bounds: Bounds,
    /// What was heard when the connection was last looked at.
    heard: u64,
}

/// How the connection's own task tells what it met.
#[derive(Default)]
struct Signs {
    closed: AtomicBool,
    lagging: AtomicBool,
    /// A command of ours is under way.
    asking: AtomicBool,
    /// It may have been answered by something else.
    confused: AtomicBool,
    /// Names that we are about to unsubscribe.
    leaving: Mutex<HashSet<String>>,
    /// Names that the server has unsubscribed by itself; no more than are subscribed.
    taken: Mutex<Vec<String>>,
    told: Notify,
    /// How much was heard, pushes and answers to SUBSCRIBE.
    heard: AtomicU64,
}

impl Wire {
    /// Connects. What is heard comes out of the receiver, in order and without a hole.
    pub(crate) async fn connect(
        info: &ConnectionInfo,
        sharded: bool,
        bounds: Bounds,
    ) -> Result<(Self, mpsc::Receiver<Msg>), RedisError> {
        let (queue, pushes) = mpsc::channel(bounds.queue_max);
        let signs = Arc::new(Signs::default());
        let told = Arc::clone(&signs);
        let push = move |info: PushInfo| -> Result<(), ()> {
            told.heard.fetch_add(1, Ordering::Relaxed);
            take(info, &queue, &told);
            Ok(())
        };
        // Whoever takes longer to greet would not answer a probe in time either.
        let limit = bounds.connect.min(bounds.probe + bounds.silence());
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(limit))
            .set_response_timeout(Some(bounds.wait))
            .set_push_sender(push);
        let client = Client::open(info.clone())?;
        let connecting = client.get_multiplexed_async_connection_with_config(&config);
        let late = |_| RedisError::from(std::io::Error::from(std::io::ErrorKind::TimedOut));
        let connection = timeout(limit, connecting).await.map_err(late)??;
        Ok((Self { connection, subscribed: HashSet::new(), signs, sharded, bounds, heard: 0 }, pushes))
    }

    /// Returns once there is something to ask [`Self::verdict`] and [`Self::taken`] about.
    pub(crate) async fn told(&self) {
        self.signs.told.notified().await;
    }

    /// Whether the connection is still good.
    pub(crate) fn verdict(&self) -> Result<(), Loss> {
        let Signs { lagging, closed, confused, .. } = &*self.signs;
        if lagging.load(Ordering::Acquire) {
            Err(Loss::Lagging)
        } else if closed.load(Ordering::Acquire) {
            Err(Loss::Lost("connection closed".to_owned()))
        } else if confused.load(Ordering::Acquire) {
            Err(Loss::Lost("slots moved while a command was under way".to_owned()))
        } else {
            Ok(())
        }
    }

    /// Subscribes, and returns those that are another server's.
    pub(crate) async fn subscribe(&mut self, channels: &[Channel], keys: &Keys) -> Result<Vec<Refused>, Loss> {
        let mut refused = Vec::new();
        for chunk in channels.chunks(self.bounds.subscribe_max) {
            let names: Vec<String> = chunk.iter().map(|channel| keys.channel(*channel)).collect();
            if !self.sharded {
                answered(&self.signs, self.bounds, self.connection.subscribe(names)).await??;
                self.subscribed.extend(chunk);
                continue;
            }
            for (channel, answer) in chunk.iter().zip(self.each("SSUBSCRIBE", names).await?) {
                match answer {
                    Ok(_) => {
                        self.subscribed.insert(*channel);
                    }
                    Err(error) if passes(&error) => {
                        let moved = error.redirect_node().filter(|_| {
                            // ASK names one too, which does not have the slot yet.
                            matches!(error.kind(), ErrorKind::Server(ServerErrorKind::Moved))
                        });
                        let moved = moved.map(|(to, slot)| (slot, to.to_owned()));
                        refused.push(Refused { channel: *channel, moved });
                    }
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(refused)
    }

    pub(crate) async fn unsubscribe(&mut self, channels: &[Channel], keys: &Keys) -> Result<(), Loss> {
        for chunk in channels.chunks(self.bounds.subscribe_max) {
            let names: Vec<String> = chunk.iter().map(|channel| keys.channel(*channel)).collect();
            if !self.sharded {
                answered(&self.signs, self.bounds, self.connection.unsubscribe(names)).await??;
                continue;
            }
            locked(&self.signs.leaving).extend(names.iter().cloned());
            // Also of a channel that is another server's by now: it is not subscribed here then.
            self.each("SUNSUBSCRIBE", names).await?;
            locked(&self.signs.leaving).clear();
        }
        Ok(())
    }

    /// One command for each name, all sent at once: each name has its own slot.
    async fn each(&mut self, command: &str, names: Vec<String>) -> Result<Vec<Result<Value, RedisError>>, Loss> {
        let _asking = Asking::begin(&self.signs);
        let answers = names.iter().map(|name| {
            let mut connection = self.connection.clone();
            let cmd = redis::cmd(command).arg(name).to_owned();
            async move { connection.req_packed_command(&cmd).await.and_then(Value::extract_error) }
        });
        answered(&self.signs, self.bounds, futures_util::future::join_all(answers)).await
    }

    /// Asks for a word, unless something was heard since this was last called.
    pub(crate) async fn probe(&mut self) -> Result<(), Loss> {
        let heard = self.signs.heard.load(Ordering::Relaxed);
        if std::mem::replace(&mut self.heard, heard) != heard {
            return Ok(());
        }
        let _asking = Asking::begin(&self.signs);
        let ping = redis::cmd("PING");
        answered(&self.signs, self.bounds, self.connection.req_packed_command(&ping)).await?.map(drop)?;
        Ok(())
    }

    /// The channels that the server has unsubscribed by itself since this was last asked.
    pub(crate) fn taken(&mut self, keys: &Keys) -> Vec<Channel> {
        let names = std::mem::take(&mut *locked(&self.signs.taken));
        let known = names.iter().filter_map(|name| keys.read_channel(name.as_bytes()));
        known.filter(|channel| self.subscribed.remove(channel)).collect()
    }
}

/// Waits for an answer for as long as anything is heard, and `wait` at most. Silence is counted in
/// parts, so that a time in which this process itself did not run counts as one of them.
async fn answered<T>(signs: &Signs, bounds: Bounds, answer: impl Future<Output = T>) -> Result<T, Loss> {
    tokio::pin!(answer);
    let until = Instant::now() + bounds.wait;
    let (mut heard, mut silent) = (signs.heard.load(Ordering::Relaxed), 0);
    loop {
        if let Ok(answer) = timeout(bounds.probe, &mut answer).await {
            return Ok(answer);
        }
        let now = signs.heard.load(Ordering::Relaxed);
        silent = if std::mem::replace(&mut heard, now) == now { silent + 1 } else { 0 };
        if silent >= SILENT_MAX {
            return Err(Loss::Lost(format!("nothing heard for {:?}", bounds.silence())));
        }
        if Instant::now() >= until {
            return Err(Loss::Lost("no answer in time".to_owned()));
        }
    }
}

/// Says that a command is under way, for as long as it lives.
struct Asking(Arc<Signs>);

impl Asking {
    fn begin(signs: &Arc<Signs>) -> Self {
        signs.asking.store(true, Ordering::Release);
        Self(Arc::clone(signs))
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.0.asking.store(false, Ordering::Release);
    }
}

/// Whether the server refused because the slot is not its own, or not quite yet.
fn passes(error: &RedisError) -> bool {
    use ServerErrorKind as Kind;
    matches!(error.kind(), ErrorKind::Server(Kind::Moved | Kind::Ask | Kind::TryAgain | Kind::ClusterDown))
}

/// Nothing that is done under these locks can stop half-way.
fn locked<T>(lock: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes a push off the connection. Runs in the connection's task, so it never waits.
fn take(info: PushInfo, queue: &mpsc::Sender<Msg>, signs: &Signs) {
    match info.kind {
        PushKind::Disconnection => {
            signs.closed.store(true, Ordering::Release);
            signs.told.notify_one();
        }
        PushKind::SUnsubscribe => unsubscribed(&info, signs),
        _ => {
            let Some(message) = Msg::from_push_info(info) else { return };
            // After the first that found no room none is taken: what is handed on has no hole.
            if signs.lagging.load(Ordering::Acquire) {
                return;
            }
            if let Err(mpsc::error::TrySendError::Full(_)) = queue.try_send(message) {
                signs.lagging.store(true, Ordering::Release);
                signs.told.notify_one();
            }
        }
    }
}

fn unsubscribed(info: &PushInfo, signs: &Signs) {
    let name = match info.data.first() {
        Some(Value::BulkString(name)) => String::from_utf8_lossy(name).into_owned(),
        _ => return,
    };
    if locked(&signs.leaving).remove(&name) {
        return;
    }
    if signs.asking.load(Ordering::Acquire) {
        signs.confused.store(true, Ordering::Release);
    }
    locked(&signs.taken).push(name);
    signs.told.notify_one();
}
