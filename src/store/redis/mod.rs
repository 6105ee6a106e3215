//! The store on Redis 7 or Valkey: the body for production.
//!
//! Durability is the server's: with `appendfsync everysec` a crash of Redis can lose the last
//! second of acknowledged writes. A deleted text is gone from Redis' memory at once; it leaves an
//! append-only file when that is rewritten. The server must not evict: `maxmemory-policy
//! noeviction`.
//!
//! `keys` has the layout, `scripts` every atomic act, `lanes` the connections for commands, `link`
//! the one for hearing. All of them live on one thread of the store's own, so that callers may
//! come from any runtime and outlive none of it.

use std::sync::Arc;
use std::time::Duration;

use redis::{AsyncConnectionConfig, Client, ConnectionInfo, ErrorKind, IntoConnectionInfo, ProtocolVersion};
use serde::Deserialize;
use tokio::sync::{mpsc, oneshot};

use self::backoff::Backoff;
use self::body::Body;
use self::ear::Ear;
use self::keys::Keys;
use self::lanes::{Again, Ask, Lanes, Way};
use self::link::Keeper;
use self::scripts::Scripts;
use super::{Heard, Opened, Result, Store, StoreError};

mod backoff;
mod body;
mod chat_index;
mod chat_log;
mod commit;
mod ear;
mod envelope;
mod keys;
mod lanes;
mod link;
mod records;
mod scripts;
mod stored;

/// The layout that this hub reads and writes.
const SCHEMA: &str = "1";

/// Where Redis is, and the bounds of how it is used.
#[derive(Clone, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct RedisSettings {
    /// `redis://` or `rediss://`, with user, password and database as usual. With TLS the server
    /// is trusted by the system's certificates, or those that `SSL_CERT_FILE` names.
    pub url: String,
    /// In front of every key and channel; at most 64 visible ASCII characters without braces.
    pub prefix: String,
    /// Milliseconds in which every call ends.
    pub wait_ms: u64,
    /// Milliseconds that connecting may take.
    pub connect_ms: u64,
    /// Connections for writes.
    pub write_lanes: usize,
    /// Connections for reads.
    pub read_lanes: usize,
    /// Calls under way on one connection; more wait.
    pub calls_max: usize,
    /// Commits and notices that wait for the hub.
    pub heard_max: usize,
    /// Messages that wait behind those before the link is given up.
    pub link_queue_max: usize,
    /// Names in one SUBSCRIBE, at most 1,000.
    pub subscribe_max: usize,
    /// Milliseconds between two probes of a connection.
    pub beat_ms: u64,
}

/// Without the address, which may hold a password.
impl std::fmt::Debug for RedisSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedisSettings")
            .field("prefix", &self.prefix)
            .field("wait_ms", &self.wait_ms)
            .finish_non_exhaustive()
    }
}

impl RedisSettings {
    /// Settings for this address with the bounds that `config/base.toml` has.
    #[must_use]
    pub fn new(url: impl Into<String>, prefix: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            prefix: prefix.into(),
            wait_ms: 5_000,
            connect_ms: 2_000,
            write_lanes: 2,
            read_lanes: 1,
            calls_max: 4_096,
            heard_max: 4_096,
            link_queue_max: 16_384,
            subscribe_max: 1_000,
            beat_ms: 5_000,
        }
    }

    fn backoff() -> Backoff {
        Backoff { first: Duration::from_millis(50), longest: Duration::from_secs(2) }
    }

    fn wait(&self) -> Duration {
        Duration::from_millis(self.wait_ms)
    }

    fn lanes(&self) -> lanes::Bounds {
        lanes::Bounds {
            write_lanes: self.write_lanes,
            read_lanes: self.read_lanes,
            wait: self.wait(),
            beat: Duration::from_millis(self.beat_ms),
            backoff: Self::backoff(),
        }
    }

    fn link(&self) -> link::Bounds {
        link::Bounds {
            queue_max: self.link_queue_max.max(1),
            subscribe_max: self.subscribe_max.clamp(1, 1_000),
            connect: Duration::from_millis(self.connect_ms),
            wait: self.wait(),
            beat: Duration::from_millis(self.beat_ms),
            backoff: Self::backoff(),
        }
    }

    /// The server's address, checked.
    fn address(&self) -> Result<ConnectionInfo> {
        let refused = |why: &str| Err(StoreError::Unavailable(format!("store.url: {why}")));
        let scheme = self.url.split_once("://").map(|(scheme, _)| scheme);
        match scheme {
            Some("redis") => {}
            Some("rediss") => trust(),
            Some("redis+sentinel" | "rediss+sentinel") => return refused("redis+sentinel:// is not supported yet"),
            Some("redis+cluster" | "rediss+cluster") => return refused("redis+cluster:// is not supported yet"),
            _ => return refused("neither redis:// nor rediss://"),
        }
        if self.url.contains(',') {
            return refused("several servers need redis+sentinel:// or redis+cluster://, which are not supported yet");
        }
        // The error names no part of the address, which may hold a password.
        let Ok(info) = self.url.as_str().into_connection_info() else { return refused("not the address of a server") };
        let tcp = info.tcp_settings().clone().set_nodelay(true);
        Ok(info.set_tcp_settings(tcp))
    }
}

/// Chooses how TLS is done, unless the process has chosen already.
fn trust() {
    // An error means that it has.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// Opens the store. Waits for a server that is not there yet, and says so in the log.
///
/// # Errors
/// For settings that can never work, credentials that the server refuses, and data of a layout
/// that this hub does not know.
pub async fn open(settings: &RedisSettings) -> Result<Opened> {
    let address = settings.address()?;
    let keys = Keys::new(&settings.prefix)
        .ok_or_else(|| StoreError::Unavailable("store.prefix: not 64 visible characters without braces".to_owned()))?;
    let engine = Engine::start()?;
    let settings = settings.clone();
    let alive = engine.stop.clone();
    let opening = engine.runtime.spawn(async move { build(&settings, address, keys, alive).await });
    let (store, heard, ear) =
        opening.await.map_err(|error| StoreError::Unavailable(format!("store did not open: {error}")))??;
    let close = Box::pin(async move {
        engine.stop().await;
        ear.down();
    });
    Ok(Opened { store, heard, close, fatal: Box::pin(std::future::pending()) })
}

/// The thread on which lanes and link live. It ends when it is told, and when neither the store
/// nor its end is held by anybody.
struct Engine {
    runtime: tokio::runtime::Handle,
    stop: mpsc::Sender<()>,
    stopped: oneshot::Receiver<()>,
}

impl Engine {
    fn start() -> Result<Self> {
        let failed = |error: std::io::Error| StoreError::Unavailable(format!("no thread for the store: {error}"));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let handle = runtime.handle().clone();
        let (stop, mut told) = mpsc::channel::<()>(1);
        let (done, stopped) = oneshot::channel();
        std::thread::Builder::new()
            .name("store-redis".to_owned())
            .spawn(move || {
                runtime.block_on(told.recv());
                drop(runtime);
                let _ = done.send(());
            })
            .map_err(failed)?;
        Ok(Self { runtime: handle, stop, stopped })
    }

    async fn stop(self) {
        // Neither fails but when the thread has ended.
        let _ = self.stop.send(()).await;
        let _ = self.stopped.await;
    }
}

/// Runs on the engine: connections belong to the runtime that makes them.
async fn build(
    settings: &RedisSettings,
    address: ConnectionInfo,
    keys: Keys,
    alive: mpsc::Sender<()>,
) -> Result<(Store, mpsc::Receiver<Heard>, Arc<Ear>)> {
    let runtime = tokio::runtime::Handle::current();
    wait_for_server(settings, &address).await?;
    let pool = pool(settings, &address)?;
    let lanes = Lanes::start(&runtime, &pool, settings.lanes());
    check_schema(&lanes, &keys).await?;
    let (heard_sender, heard) = mpsc::channel(settings.heard_max.max(1));
    let ear = Arc::new(Ear::default());
    let redis = address.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
    let keeper = Keeper {
        ear: Arc::clone(&ear),
        client: Client::open(address.set_redis_settings(redis)).map_err(unusable)?,
        keys: keys.clone(),
        heard: heard_sender,
        bounds: settings.link(),
    };
    runtime.spawn(keeper.run());
    // What is watched next is then in force at once.
    ear.risen().await;
    let scripts = Arc::new(Scripts::new("PUBLISH"));
    let body = Arc::new(Body { lanes, scripts, keys, ear: Arc::clone(&ear), runtime, alive });
    let store = Store {
        log: Arc::clone(&body) as _,
        index: Arc::clone(&body) as _,
        records: Arc::clone(&body) as _,
        link: body,
    };
    Ok((store, heard, ear))
}

fn unusable(error: redis::RedisError) -> StoreError {
    StoreError::Unavailable(format!("store.url: {error}"))
}

fn pool(settings: &RedisSettings, address: &ConnectionInfo) -> Result<deadpool_redis::Pool> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(Duration::from_millis(settings.connect_ms)))
        // Calls have an end of their own; without this they would have one of 500 ms.
        .set_response_timeout(None)
        .set_pipeline_buffer_size(settings.calls_max.clamp(1, 1_024))
        .set_concurrency_limit(settings.calls_max.max(1));
    let manager = deadpool_redis::Manager::new_with_config(address.clone(), config).map_err(unusable)?;
    deadpool_redis::Pool::builder(manager)
        .max_size(settings.write_lanes.max(1) + settings.read_lanes.max(1))
        .build()
        .map_err(|error| StoreError::Unavailable(error.to_string()))
}

/// Returns once a server answers at the address.
async fn wait_for_server(settings: &RedisSettings, address: &ConnectionInfo) -> Result<()> {
    let client = Client::open(address.clone()).map_err(unusable)?;
    let limit = Some(Duration::from_millis(settings.connect_ms));
    let config = AsyncConnectionConfig::new().set_connection_timeout(limit).set_response_timeout(limit);
    let mut failures = 0;
    loop {
        let error = match client.get_multiplexed_async_connection_with_config(&config).await {
            Ok(mut connection) => match redis::cmd("PING").query_async::<()>(&mut connection).await {
                Ok(()) => return Ok(()),
                Err(error) => error,
            },
            Err(error) => error,
        };
        if matches!(error.kind(), ErrorKind::AuthenticationFailed | ErrorKind::InvalidClientConfig) {
            return Err(unusable(error));
        }
        failures += 1;
        if lanes::tells(failures) {
            let server = address.addr().to_string();
            tracing::warn!(server, failures, %error, "waiting for redis");
        }
        tokio::time::sleep(RedisSettings::backoff().jittered(failures)).await;
    }
}

/// Refuses data of another layout; an empty prefix becomes one of ours.
async fn check_schema(lanes: &Lanes, keys: &Keys) -> Result<()> {
    let mut set = redis::cmd("SET");
    set.arg(keys.schema()).arg(SCHEMA).arg("NX");
    lanes.ask(Way::Write(0), Again::Fine, Ask::Command(set)).await?;
    let mut get = redis::cmd("GET");
    get.arg(keys.schema());
    let found: Option<String> = body::decoded(lanes.ask(Way::Write(0), Again::Fine, Ask::Command(get)).await?)?;
    match found.as_deref() {
        Some(SCHEMA) => Ok(()),
        other => Err(StoreError::Corrupt(format!(
            "key {} has schema version {}; this hub reads version {SCHEMA}",
            keys.schema(),
            other.unwrap_or("none"),
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_cannot_work_are_refused_by_name() {
        let table = [
            ("redis+sentinel://a:1,b:2/mymaster", "redis+sentinel:// is not supported yet"),
            ("redis+cluster://a:1", "redis+cluster:// is not supported yet"),
            ("redis://a:1,b:2", "several servers"),
            ("http://a", "neither redis:// nor rediss://"),
            ("localhost:6379", "neither redis:// nor rediss://"),
            ("redis://", "not the address of a server"),
        ];
        for (url, why) in table {
            let error = RedisSettings::new(url, "p:").address().unwrap_err().to_string();
            assert!(error.contains(why), "{url}: {error}");
        }
    }

    #[test]
    fn an_address_carries_user_password_and_database() {
        let address = RedisSettings::new("rediss://hub:secret@redis.test:6390/3", "p:").address().unwrap();
        let redis = address.redis_settings();
        assert_eq!((redis.username(), redis.password(), redis.db()), (Some("hub"), Some("secret"), 3));
        assert!(address.tcp_settings().nodelay());
    }
}
