//! What a server is asked before it is given anything: whether it is the primary, and whether its
//! configuration can keep the durability that is set.
//!
//! It is asked on every connection, because the server behind an address changes. A server that
//! does not fit is not used; at the start of the hub, what cannot mend itself ends it. What is
//! dangerous and may be meant, few replicas or an eviction of keys, is told to the log.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use deadpool_redis::PoolError;
use redis::aio::ConnectionLike;
use redis::{ErrorKind, RedisError, ServerErrorKind, Value};
use tokio::sync::{mpsc, watch};

use super::doubts::Doubts;
use super::durability::{Level, Means};
use crate::settings::Durability;
use crate::store::StoreError;

/// Why a connection is not used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unfit {
    #[error("{0}")]
    Redis(#[from] RedisError),
    #[error("{0}")]
    Pool(String),
    #[error("no answer in time")]
    Late,
    #[error("the server is a replica")]
    Replica,
    #[error("{0}")]
    Level(String),
}

impl From<PoolError> for Unfit {
    fn from(error: PoolError) -> Self {
        match error {
            PoolError::Backend(error) => Self::Redis(error),
            other => Self::Pool(other.to_string()),
        }
    }
}

impl Unfit {
    /// What no waiting mends.
    fn is_final(&self) -> bool {
        match self {
            Self::Redis(error) => {
                matches!(error.kind(), ErrorKind::AuthenticationFailed | ErrorKind::InvalidClientConfig)
            }
            Self::Level(_) => true,
            Self::Pool(_) | Self::Late | Self::Replica => false,
        }
    }
}

/// How connections to one server begin.
pub(crate) struct Greeting {
    /// Host and port, for the log.
    pub(crate) server: String,
    pub(crate) level: Level,
    pub(crate) doubts: Doubts,
    /// Whether the store has been in use.
    pub(crate) admitted: watch::Receiver<bool>,
    /// Where it is told that the hub cannot run.
    pub(crate) fatal: mpsc::Sender<StoreError>,
    pub(crate) told: Told,
}

/// What the log has been told of a server: said again when it changes, not on each connection.
#[derive(Default)]
pub(crate) struct Told {
    /// Replicas that it lacks.
    lacking: AtomicUsize,
    evicts: AtomicBool,
}

impl Greeting {
    /// Ends the hub if it has only just begun and this cannot become right.
    pub(crate) fn refused(&self, unfit: &Unfit) {
        if unfit.is_final() && !*self.admitted.borrow() {
            let told = StoreError::Unavailable(format!("store.url: {}: {unfit}", self.server));
            // Full: somebody has said something like it.
            let _ = self.fatal.try_send(told);
        }
    }

    /// Asks the server, and returns what its connections have to do for the durability.
    ///
    /// # Errors
    /// It is not to be used.
    pub(crate) async fn exchange(&self, connection: &mut impl ConnectionLike, writes: bool) -> Result<Means, Unfit> {
        let role = permitted(ask(connection, redis::cmd("ROLE")).await)?;
        if let Some(Value::Array(role)) = &role
            && !matches!(role.first(), Some(Value::BulkString(role)) if role == b"master")
        {
            return Err(Unfit::Replica);
        }
        if !writes {
            return Ok(Means::Answer);
        }
        self.look_at_memory(connection).await?;
        if self.level.durability == Durability::Replicated {
            self.look_at_replicas(role.as_ref());
        }
        match self.level.durability {
            Durability::Memory => Ok(Means::Answer),
            Durability::Replicated => Ok(Means::Wait),
            Durability::Fsync => self.to_disk(connection).await,
        }
    }

    /// Says so when fewer replicas follow than each write waits for.
    fn look_at_replicas(&self, role: Option<&Value>) {
        // Of a primary: its name, its offset, its replicas.
        let Some(Value::Array(role)) = role else { return };
        let Some(Value::Array(replicas)) = role.get(2) else { return };
        let (found, server) = (replicas.len(), &self.server);
        let lacking = (self.level.replicas_min as usize).saturating_sub(found);
        match (self.told.lacking.swap(lacking, Ordering::Relaxed), lacking) {
            (before, now) if before == now => {}
            (_, 0) => tracing::info!(%server, found, "as many replicas follow as store.replicas_min asks for"),
            _ => {
                let wanted = self.level.replicas_min;
                tracing::warn!(%server, found, wanted, "fewer replicas follow than store.replicas_min: writes are answered 503");
            }
        }
    }

    /// Says so when the server throws keys away as its memory fills.
    async fn look_at_memory(&self, connection: &mut impl ConnectionLike) -> Result<(), Unfit> {
        let limited = configured(connection, "maxmemory").await?.is_some_and(|bytes| bytes != "0");
        let policy = if limited { configured(connection, "maxmemory-policy").await? } else { None };
        let evicts = policy.as_deref().is_some_and(|policy| policy != "noeviction");
        if !self.told.evicts.swap(evicts, Ordering::Relaxed) && evicts {
            let (server, policy) = (&self.server, policy.unwrap_or_default());
            tracing::warn!(%server, policy, "history can vanish: maxmemory-policy has to be noeviction");
        }
        Ok(())
    }

    async fn to_disk(&self, connection: &mut impl ConnectionLike) -> Result<Means, Unfit> {
        let info = ask(connection, redis::cmd("INFO").arg("server").to_owned()).await?;
        let has_waitaof = version(&info).is_some_and(|version| version >= (7, 2));
        let Some(aof) = configured(connection, "appendonly").await? else {
            if has_waitaof {
                return Ok(Means::WaitAof);
            }
            let server = &self.server;
            tracing::warn!(%server, "CONFIG is not permitted: see to it that appendfsync is always, as store.durability says");
            return Ok(Means::Answer);
        };
        if aof != "yes" {
            return Err(Unfit::Level("store.durability = fsync needs appendonly yes".to_owned()));
        }
        let always = configured(connection, "appendfsync").await?.as_deref() == Some("always");
        let steady = configured(connection, "no-appendfsync-on-rewrite").await?.as_deref() == Some("no");
        match (always && steady, has_waitaof) {
            (true, _) => Ok(Means::Answer),
            (false, true) => Ok(Means::WaitAof),
            (false, false) => Err(Unfit::Level(
                "store.durability = fsync needs appendfsync always with no-appendfsync-on-rewrite no, or a server of \
                 version 7.2"
                    .to_owned(),
            )),
        }
    }
}

async fn ask(connection: &mut impl ConnectionLike, cmd: redis::Cmd) -> Result<Value, RedisError> {
    connection.req_packed_command(&cmd).await?.extract_error()
}

/// `None` where the server does not let us ask.
fn permitted(answer: Result<Value, RedisError>) -> Result<Option<Value>, RedisError> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(error)
            if matches!(error.kind(), ErrorKind::Server(ServerErrorKind::NoPerm | ServerErrorKind::ResponseError)) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

async fn configured(connection: &mut impl ConnectionLike, name: &str) -> Result<Option<String>, RedisError> {
    let answer = permitted(ask(connection, redis::cmd("CONFIG").arg("GET").arg(name).to_owned()).await)?;
    let pairs: Option<Vec<String>> = answer.and_then(|value| redis::from_redis_value(value).ok());
    Ok(pairs.and_then(|pairs| pairs.into_iter().nth(1)))
}

/// Major and minor version out of INFO.
fn version(info: &Value) -> Option<(u32, u32)> {
    let text = match info {
        Value::BulkString(bytes) => std::str::from_utf8(bytes).ok()?,
        Value::VerbatimString { text, .. } => text,
        _ => return None,
    };
    let version = text.lines().find_map(|line| line.strip_prefix("redis_version:"))?.trim();
    let mut parts = version.split('.').map(str::parse);
    Some((parts.next()?.ok()?, parts.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_read_out_of_info() {
        let info = |text: &str| version(&Value::BulkString(text.as_bytes().to_vec()));
        assert_eq!(info("# Server\r\nredis_version:7.0.15\r\nredis_mode:standalone\r\n"), Some((7, 0)));
        assert_eq!(info("redis_version:7.2.4\r\nvalkey_version:8.0.1\r\n"), Some((7, 2)));
        assert_eq!(info("redis_mode:cluster"), None);
    }
}
