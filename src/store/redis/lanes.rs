//! Lanes: the few long-lived connections to one server.
//!
//! Each lane is one multiplexed connection out of a deadpool-redis pool, kept for as long as it
//! works, cloned by everybody and replaced by its keeper when it breaks. A connection per command
//! would cost three times the throughput. Writes and reads have lanes of their own, so that a
//! long page holds no message up.

use std::sync::Arc;
use std::time::Duration;

use deadpool_redis::{Connection, Pool};
use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::{Cmd, ErrorKind, RedisError, ServerErrorKind, Value};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};

use super::backoff::Backoff;
use super::doubts::Doubt;
use super::durability::{self, Assurance, Means};
use super::greeting::{Greeting, Unfit};
use super::scripts::Source;
use crate::store::{Result, StoreError};

/// Bounds of the lanes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) write_lanes: usize,
    pub(crate) read_lanes: usize,
    /// Calls under way on one connection.
    pub(crate) calls_max: usize,
    /// A connection is made within this.
    pub(crate) connect: Duration,
    /// A call ends within this.
    pub(crate) wait: Duration,
    /// An idle lane is probed this often.
    pub(crate) beat: Duration,
    /// Between two attempts to connect.
    pub(crate) backoff: Backoff,
}

/// What is asked of Redis.
pub(crate) enum Ask<'a> {
    Command(Cmd),
    Script(&'a Source, Cmd),
}

/// How a call that Redis has answered ended.
pub(crate) enum Done {
    /// As asked; a write at the durability that is set.
    Kept(Value),
    /// Written, but why that durability was not reached in time.
    Short(String),
}

/// A connection, and which one of its lane it is.
#[derive(Clone)]
pub(crate) struct Open {
    pub(crate) generation: u64,
    connection: MultiplexedConnection,
    /// For writes, where the durability asks for more than the answer.
    assurance: Option<mpsc::Sender<Assurance>>,
}

impl Open {
    /// Sends, and for a write waits for the durability that is set.
    pub(crate) async fn send(&self, ask: &Ask<'_>, writes: bool) -> std::result::Result<Done, RedisError> {
        let mut connection = self.connection.clone();
        let value = send(&mut connection, ask).await?;
        match &self.assurance {
            Some(assurance) if writes => durability::assured(assurance, value).await,
            _ => Ok(Done::Kept(value)),
        }
    }
}

/// One connection, kept open.
pub(crate) struct Lane {
    open: watch::Receiver<Option<Open>>,
    /// The newest generation that somebody found broken.
    broken: watch::Sender<u64>,
}

async fn send(connection: &mut MultiplexedConnection, ask: &Ask<'_>) -> std::result::Result<Value, RedisError> {
    match ask {
        Ask::Command(cmd) => connection.req_packed_command(cmd).await?.extract_error(),
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
pub(crate) enum Fate {
    /// Redis did nothing, and may do it a little later, or another server may; the reason is one
    /// of a few words.
    Refused(&'static str),
    /// It may or may not have happened.
    Unknown,
    /// It has not happened, and will not.
    Final(StoreError),
}

pub(crate) fn fate(error: &RedisError) -> Fate {
    use ServerErrorKind as Kind;
    match error.kind() {
        ErrorKind::Server(Kind::Moved) => Fate::Refused("moved"),
        // The slot is on its way to another server. Some of its keys are here and some are there,
        // and scripts need all of them: whoever waits finds them together again.
        ErrorKind::Server(Kind::Ask | Kind::TryAgain) => Fate::Refused("ask"),
        ErrorKind::Server(Kind::BusyLoading) => Fate::Refused("loading"),
        ErrorKind::Server(Kind::MasterDown | Kind::ClusterDown) => Fate::Refused("down"),
        ErrorKind::Server(Kind::ReadOnly) => Fate::Refused("readonly"),
        // Redis has no code for what a script meets when a slot is on its way, or its cluster down.
        ErrorKind::Server(Kind::ResponseError)
            if error
                .detail()
                .is_some_and(|text| text.contains("non local key") || text.contains("cluster is down")) =>
        {
            Fate::Refused("ask")
        }
        ErrorKind::Extension => match error.code() {
            // A script of somebody's is running for seconds.
            Some("BUSY") => Fate::Refused("busy"),
            // A write that was let in and whose server then became a replica: it may stand or not.
            Some("UNBLOCKED") => Fate::Unknown,
            Some("NOREPLICAS") => Fate::Refused("noreplicas"),
            // What a script says that meets something it cannot read.
            Some("WRONGTYPE" | "CORRUPT") => Fate::Final(StoreError::Corrupt(error.to_string())),
            _ => Fate::Final(StoreError::Unavailable(error.to_string())),
        },
        ErrorKind::Server(_) => Fate::Final(StoreError::Unavailable(error.to_string())),
        _ => Fate::Unknown,
    }
}

impl Lane {
    /// Starts the lane's keeper, which ends when the lane is dropped.
    pub(crate) fn start(runtime: &Handle, pool: Pool, greeting: Arc<Greeting>, writes: bool, bounds: Bounds) -> Self {
        let (opened, open) = watch::channel(None);
        let (broken, found_broken) = watch::channel(0);
        let keeper = Keeper { pool, greeting, writes, bounds, opened, broken: found_broken };
        runtime.spawn(keeper.run());
        Self { open, broken }
    }

    /// The connection, once there is one that is newer than this generation.
    pub(crate) async fn open(&self, broken: u64) -> Result<Open> {
        let newer = |open: &Option<Open>| open.as_ref().is_some_and(|open| open.generation > broken);
        if let Some(open) = self.open.borrow().as_ref().filter(|open| open.generation > broken) {
            return Ok(open.clone());
        }
        let closed = || StoreError::Unavailable("the store was closed".to_owned());
        let mut opened = self.open.clone();
        opened.wait_for(newer).await.map_err(|_| closed())?.clone().ok_or_else(closed)
    }

    pub(crate) fn broke(&self, generation: u64) {
        self.broken.send_if_modified(|newest| {
            let newer = generation > *newest;
            *newest = generation.max(*newest);
            newer
        });
    }

    /// Returns whether it is open, once it is.
    pub(crate) async fn opened(&self) -> bool {
        self.open(0).await.is_ok()
    }

    /// Whether it is open and the server answers.
    pub(crate) async fn answers(&self) -> bool {
        let Ok(open) = self.open(0).await else { return false };
        let mut connection = open.connection;
        matches!(connection.req_packed_command(&redis::cmd("PING")).await, Ok(Value::SimpleString(_)))
    }
}

/// Keeps one lane open for as long as it is used.
struct Keeper {
    pool: Pool,
    greeting: Arc<Greeting>,
    writes: bool,
    bounds: Bounds,
    opened: watch::Sender<Option<Open>>,
    broken: watch::Receiver<u64>,
}

impl Keeper {
    async fn run(mut self) {
        let opened = self.opened.clone();
        tokio::select! {
            () = self.keep() => {}
            // The server has left the map.
            () = opened.closed() => {}
        }
    }

    async fn keep(&mut self) {
        let (mut generation, mut failures) = (0, 0);
        loop {
            match self.connect().await {
                Ok((pooled, means)) => {
                    if failures > 1 {
                        tracing::info!(server = %self.greeting.server, failures, "connected to redis again");
                    }
                    failures = 0;
                    generation += 1;
                    self.serve(&pooled, means, generation).await;
                    drop(Connection::take(pooled));
                }
                Err(unfit) => {
                    self.greeting.doubts.tell(Doubt::Stale);
                    if tells(failures) {
                        let server = &self.greeting.server;
                        tracing::warn!(%server, failures, error = %unfit, "no connection to redis");
                    }
                    self.greeting.refused(&unfit);
                }
            }
            failures += 1;
            sleep(self.bounds.backoff.jittered(failures)).await;
        }
    }

    async fn connect(&self) -> std::result::Result<(Connection, Means), Unfit> {
        let limit = self.bounds.connect;
        let mut pooled = timeout(limit, self.pool.get()).await.map_err(|_| Unfit::Late)??;
        let greeted = timeout(limit, self.greeting.exchange(&mut *pooled, self.writes)).await;
        match greeted.unwrap_or(Err(Unfit::Late)) {
            Ok(means) => Ok((pooled, means)),
            Err(unfit) => {
                // Not back into the pool: another attempt is another connection.
                drop(Connection::take(pooled));
                Err(unfit)
            }
        }
    }

    async fn serve(&mut self, pooled: &Connection, means: Means, generation: u64) {
        let connection: MultiplexedConnection = (**pooled).clone();
        let assurance = self.greeting.level.start(means, connection.clone(), self.bounds.calls_max);
        self.opened.send_replace(Some(Open { generation, connection: connection.clone(), assurance }));
        // A probe may stand behind a write's durability.
        let blocked = if means == Means::Answer { Duration::ZERO } else { self.greeting.level.within };
        let limit = self.bounds.wait + blocked;
        until_broken(connection, generation, &mut self.broken, self.bounds.beat, limit).await;
        self.opened.send_replace(None);
    }
}

/// Whether this failure is worth a line: the first, and ever fewer of those that follow.
pub(crate) fn tells(failures: u32) -> bool {
    failures <= 1 || failures.is_power_of_two()
}

/// Returns when somebody found the connection broken, or it does not answer a probe within `limit`.
async fn until_broken(
    mut connection: MultiplexedConnection,
    generation: u64,
    broken: &mut watch::Receiver<u64>,
    beat: Duration,
    limit: Duration,
) {
    loop {
        tokio::select! {
            _ = broken.wait_for(|newest| *newest >= generation) => return,
            () = sleep(beat) => {}
        }
        let probe = timeout(limit, connection.req_packed_command(&redis::cmd("PING"))).await;
        if !matches!(probe, Ok(Ok(_))) {
            return;
        }
    }
}
