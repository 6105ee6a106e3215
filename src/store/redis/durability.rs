//! When a write counts as done: the durability that is set, and how a server is held to it.
//!
//! | level | an answer means | how |
//! |---|---|---|
//! | memory | Redis has it in memory | its answer |
//! | fsync | it is on the disk of the primary | `appendfsync always` answers after that; else WAITAOF, where the server has it |
//! | replicated | so many replicas have it in memory | WAIT |
//!
//! WAIT and WAITAOF speak for all that went over their connection before, and block it meanwhile.
//! So one of them is under way at a time, for all writes that were answered before it began; those
//! that come meanwhile are the next batch. No timer is needed for that.

use std::time::Duration;

use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::{RedisError, Value};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::lanes::Done;
use crate::settings::Durability;
use crate::telemetry::metric;

/// A write that waits: told whether it is kept, else why not.
pub(crate) type Assurance = oneshot::Sender<Result<(), String>>;

/// The durability that is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Level {
    pub(crate) durability: Durability,
    /// Replicas that must have a write, with [`Durability::Replicated`].
    pub(crate) replicas_min: u32,
    /// What it may take beyond the answer.
    pub(crate) within: Duration,
}

/// What a connection has to do for the level that is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Means {
    /// The answer comes after it was reached.
    Answer,
    WaitAof,
    Wait,
}

impl Level {
    /// Starts what assures the writes of this connection; `None` where the answer is enough. Ends
    /// with the connection.
    pub(crate) fn start(
        self,
        means: Means,
        connection: MultiplexedConnection,
        calls_max: usize,
    ) -> Option<mpsc::Sender<Assurance>> {
        if means == Means::Answer {
            return None;
        }
        let (sender, waiting) = mpsc::channel(calls_max.max(1));
        tokio::spawn(self.assure(means, connection, waiting));
        Some(sender)
    }

    async fn assure(self, means: Means, mut connection: MultiplexedConnection, mut waiting: mpsc::Receiver<Assurance>) {
        while let Some(first) = waiting.recv().await {
            let mut batch = vec![first];
            while let Ok(next) = waiting.try_recv() {
                batch.push(next);
            }
            let began = Instant::now();
            // An error ends the connection; those who wait see it by their end being dropped.
            let Ok(answer) = self.wait(means, &mut connection).await else { return };
            metrics::histogram!(metric::DURABLE_SECONDS).record(began.elapsed().as_secs_f64());
            let verdict = self.verdict(means, &answer);
            for one in batch {
                // Whoever has given up does not mind.
                let _ = one.send(verdict.clone());
            }
        }
    }

    async fn wait(self, means: Means, connection: &mut MultiplexedConnection) -> Result<Value, RedisError> {
        // 0 would wait for ever.
        let millis = self.within.as_millis().max(1) as u64;
        let cmd = match means {
            Means::WaitAof => redis::cmd("WAITAOF").arg(1).arg(0).arg(millis).to_owned(),
            Means::Wait | Means::Answer => redis::cmd("WAIT").arg(self.replicas_min).arg(millis).to_owned(),
        };
        connection.req_packed_command(&cmd).await?.extract_error()
    }

    fn verdict(self, means: Means, answer: &Value) -> Result<(), String> {
        let wanted = if means == Means::WaitAof { 1 } else { i64::from(self.replicas_min) };
        let count = match answer {
            Value::Int(count) => *count,
            Value::Array(counts) => match counts.first() {
                Some(Value::Int(count)) => *count,
                _ => 0,
            },
            _ => 0,
        };
        if count >= wanted {
            return Ok(());
        }
        Err(match means {
            Means::WaitAof => "written, but not on disk in time".to_owned(),
            Means::Wait | Means::Answer => format!("written, but only {count} of {wanted} replicas have it in time"),
        })
    }
}

/// Returns once the write that was answered with `value` is kept, or was not in time.
pub(crate) async fn assured(assurance: &mpsc::Sender<Assurance>, value: Value) -> Result<Done, RedisError> {
    let broken = || RedisError::from(std::io::Error::from(std::io::ErrorKind::BrokenPipe));
    let (told, verdict) = oneshot::channel();
    assurance.send(told).await.map_err(|_| broken())?;
    match verdict.await {
        Ok(Ok(())) => Ok(Done::Kept(value)),
        Ok(Err(why)) => Ok(Done::Short(why)),
        Err(_) => Err(broken()),
    }
}
