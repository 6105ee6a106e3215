//! Lanes: the few long-lived connections over which every command goes.
//!
//! Each lane is one multiplexed connection out of a deadpool-redis pool, kept for as long as it
//! works, cloned by everybody and replaced by its keeper when it breaks. A connection per command
//! would cost three times the throughput. Writes and reads have lanes of their own, so that a
//! long page holds no message up; commands of one chat go over one lane, in order.
//!
//! A call ends within `wait_ms`. It waits for a lane while there is none; what was sent on a lane
//! that broke is sent again only if its caller said that twice is as good as once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use deadpool_redis::{Connection, Pool};
use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::{Cmd, ErrorKind, Pipeline, RedisError, ServerErrorKind, Value};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::backoff::Backoff;
use super::scripts::Source;
use crate::store::{Result, StoreError};

/// Bounds of the lanes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) write_lanes: usize,
    pub(crate) read_lanes: usize,
    /// A call ends within this.
    pub(crate) wait: Duration,
    /// An idle lane is probed this often.
    pub(crate) beat: Duration,
    /// Between two attempts to connect.
    pub(crate) backoff: Backoff,
}

/// Over which lanes a call goes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Way {
    Read,
    /// The same number takes the same lane.
    Write(u64),
}

/// What is asked of Redis.
pub(crate) enum Ask<'a> {
    Command(Cmd),
    Pipeline(Pipeline),
    Script(&'a Source, Cmd),
}

/// What may be done when it is not known whether a call has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Again {
    /// Happening twice is as good as once.
    Fine,
    /// The caller must be told.
    Never,
}

/// The lanes, for everybody to share.
#[derive(Clone)]
pub(crate) struct Lanes {
    writes: Arc<[Lane]>,
    reads: Arc<[Lane]>,
    turn: Arc<AtomicUsize>,
    wait: Duration,
    refused: Backoff,
}

/// A connection, and which one of its lane it is.
#[derive(Clone)]
struct Open {
    generation: u64,
    connection: MultiplexedConnection,
}

struct Lane {
    open: watch::Receiver<Option<Open>>,
    /// The newest generation that somebody found broken.
    broken: watch::Sender<u64>,
}

impl Lanes {
    /// Starts the lanes' keepers on a runtime that must live as long as the lanes are used.
    pub(crate) fn start(runtime: &Handle, pool: &Pool, bounds: Bounds) -> Self {
        let lanes = |count: usize| (0..count.max(1)).map(|_| Lane::start(runtime, pool.clone(), bounds)).collect();
        Self {
            writes: lanes(bounds.write_lanes),
            reads: lanes(bounds.read_lanes),
            turn: Arc::new(AtomicUsize::new(0)),
            wait: bounds.wait,
            refused: bounds.backoff,
        }
    }

    fn pick(&self, way: Way) -> &Lane {
        match way {
            Way::Read => &self.reads[self.turn.fetch_add(1, Ordering::Relaxed) % self.reads.len()],
            Way::Write(number) => &self.writes[number as usize % self.writes.len()],
        }
    }

    /// Asks, and waits for the answer for at most `wait_ms`.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when there was no answer, or Redis would not do it.
    pub(crate) async fn ask(&self, way: Way, again: Again, ask: Ask<'_>) -> Result<Value> {
        let lane = self.pick(way);
        let deadline = Instant::now() + self.wait;
        let (mut broken, mut refusals) = (0, 0);
        loop {
            let mut open = match timeout_at(deadline, lane.open(broken)).await {
                Ok(open) => open?,
                Err(_) => return Err(StoreError::Unavailable("no connection to redis".to_owned())),
            };
            let sent = Instant::now();
            let error = match timeout_at(deadline, send(&mut open.connection, &ask)).await {
                Ok(Ok(value)) => return Ok(value),
                Ok(Err(error)) => error,
                Err(_) => {
                    // A call that came late gives no verdict on the connection.
                    if sent.elapsed() * 2 > self.wait {
                        lane.broke(open.generation);
                    }
                    return Err(StoreError::Unavailable("no answer from redis in time".to_owned()));
                }
            };
            match fate(&error) {
                Fate::Refused => {
                    if error.kind() == ErrorKind::Server(ServerErrorKind::ReadOnly) {
                        lane.broke(open.generation);
                        broken = open.generation;
                    }
                    refusals += 1;
                    let wait = self.refused.jittered(refusals);
                    if Instant::now() + wait >= deadline {
                        return Err(StoreError::Unavailable(error.to_string()));
                    }
                    sleep(wait).await;
                }
                Fate::Unknown => {
                    lane.broke(open.generation);
                    broken = open.generation;
                    if again == Again::Never {
                        return Err(StoreError::Unavailable(format!("connection to redis lost: {error}")));
                    }
                }
                Fate::Final(error) => return Err(error),
            }
        }
    }

    /// Whether a lane of each kind answers in time.
    pub(crate) async fn answer(&self) -> bool {
        let ping = |way| self.ask(way, Again::Fine, Ask::Command(redis::cmd("PING")));
        let (write, read) = futures_util::future::join(ping(Way::Write(0)), ping(Way::Read)).await;
        write.is_ok() && read.is_ok()
    }
}

async fn send(connection: &mut MultiplexedConnection, ask: &Ask<'_>) -> std::result::Result<Value, RedisError> {
    match ask {
        Ask::Command(cmd) => connection.req_packed_command(cmd).await?.extract_error(),
        Ask::Pipeline(pipeline) => {
            let values: Vec<Value> = pipeline.query_async(connection).await?;
            Ok(Value::Array(values))
        }
        Ask::Script(source, call) => {
            let answer = connection.req_packed_command(call).await.and_then(Value::extract_error);
            match answer {
                Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                    connection.req_packed_command(&source.load()).await?.extract_error()?;
                    connection.req_packed_command(call).await?.extract_error()
                }
                answer => answer,
            }
        }
    }
}

/// What became of a call that failed.
enum Fate {
    /// Redis did nothing, and may do it a little later.
    Refused,
    /// It may or may not have happened.
    Unknown,
    /// It has not happened, and will not.
    Final(StoreError),
}

fn fate(error: &RedisError) -> Fate {
    match error.kind() {
        ErrorKind::Server(
            ServerErrorKind::BusyLoading
            | ServerErrorKind::TryAgain
            | ServerErrorKind::MasterDown
            | ServerErrorKind::ClusterDown
            | ServerErrorKind::ReadOnly,
        ) => Fate::Refused,
        ErrorKind::Extension => match error.code() {
            // A script of somebody's is running for seconds.
            Some("BUSY") => Fate::Refused,
            Some("WRONGTYPE") => Fate::Final(StoreError::Corrupt(error.to_string())),
            _ => Fate::Final(StoreError::Unavailable(error.to_string())),
        },
        ErrorKind::Server(_) => Fate::Final(StoreError::Unavailable(error.to_string())),
        _ => Fate::Unknown,
    }
}

impl Lane {
    fn start(runtime: &Handle, pool: Pool, bounds: Bounds) -> Self {
        let (opened, open) = watch::channel(None);
        let (broken, found_broken) = watch::channel(0);
        runtime.spawn(keep(pool, opened, found_broken, bounds));
        Self { open, broken }
    }

    /// The connection, once there is one that is newer than this generation.
    async fn open(&self, broken: u64) -> Result<Open> {
        let newer = |open: &Option<Open>| open.as_ref().is_some_and(|open| open.generation > broken);
        if let Some(open) = self.open.borrow().as_ref().filter(|open| open.generation > broken) {
            return Ok(open.clone());
        }
        let closed = || StoreError::Unavailable("the store was closed".to_owned());
        let mut opened = self.open.clone();
        opened.wait_for(newer).await.map_err(|_| closed())?.clone().ok_or_else(closed)
    }

    fn broke(&self, generation: u64) {
        self.broken.send_if_modified(|newest| {
            let newer = generation > *newest;
            *newest = generation.max(*newest);
            newer
        });
    }
}

/// Keeps one lane open for as long as the runtime lives.
async fn keep(pool: Pool, opened: watch::Sender<Option<Open>>, mut broken: watch::Receiver<u64>, bounds: Bounds) {
    let (mut generation, mut failures) = (0, 0);
    loop {
        match pool.get().await {
            Ok(pooled) => {
                if failures > 1 {
                    tracing::info!(failures, "connected to redis again");
                }
                failures = 0;
                generation += 1;
                let connection = (*pooled).clone();
                opened.send_replace(Some(Open { generation, connection: connection.clone() }));
                until_broken(connection, generation, &mut broken, bounds).await;
                opened.send_replace(None);
                drop(Connection::take(pooled));
            }
            Err(error) if tells(failures) => tracing::warn!(failures, %error, "no connection to redis"),
            Err(_) => {}
        }
        failures += 1;
        sleep(bounds.backoff.jittered(failures)).await;
    }
}

/// Whether this failure is worth a line: the first, and ever fewer of those that follow.
pub(crate) fn tells(failures: u32) -> bool {
    failures <= 1 || failures.is_power_of_two()
}

/// Returns when somebody found the connection broken, or it does not answer a probe.
async fn until_broken(
    mut connection: MultiplexedConnection,
    generation: u64,
    broken: &mut watch::Receiver<u64>,
    bounds: Bounds,
) {
    loop {
        tokio::select! {
            _ = broken.wait_for(|newest| *newest >= generation) => return,
            () = sleep(bounds.beat) => {}
        }
        let probe = timeout(bounds.wait, connection.req_packed_command(&redis::cmd("PING"))).await;
        if !matches!(probe, Ok(Ok(_))) {
            return;
        }
    }
}
