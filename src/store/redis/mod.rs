//! The store on Redis 7 or Valkey, standing alone, watched by Sentinel, or as a Cluster: the body
//! for production.
//!
//! A write counts as done at the level that `store.durability` names, see `durability`. A deleted
//! text is gone from Redis' memory at once; it leaves an append-only file when that is rewritten.
//! The server must not evict: `maxmemory-policy noeviction`.
//!
//! `keys` has the layout, `scripts` every atomic act; `gathering` makes one call of the commits of a
//! busy chat. `survey` keeps the map (`slots`) of which server has what, `servers` sends every command
//! by it over the `lanes` of a `node`, and `hearing` holds a `link` to each. All of them live on one
//! thread, that of the `engine`; callers may come from any runtime.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use self::address::{Address, Topology};
use self::backoff::Backoff;
use self::body::Body;
use self::doubts::Doubts;
use self::durability::Level;
use self::engine::Engine;
use self::gathering::Gathering;
use self::hearing::Hearing;
use self::keys::Keys;
use self::lanes::Ask;
use self::scripts::Scripts;
use self::servers::{Again, Servers, Way};
use self::slots::Map;
use self::survey::Survey;
use super::{Heard, Opened, Result, Store, StoreError};
use crate::settings::Durability;

mod address;
mod backoff;
mod body;
mod chat_index;
mod chat_log;
mod commit;
mod doubts;
mod durability;
mod ear;
mod engine;
mod envelope;
mod gathering;
mod greeting;
mod hearing;
mod keys;
mod lanes;
mod link;
mod node;
mod records;
mod scripts;
mod servers;
mod slots;
mod stored;
mod survey;
mod wire;

pub use self::engine::Home;

/// The layout that this hub reads and writes.
const SCHEMA: &str = "1";

/// Where Redis is, and the bounds of how it is used.
#[derive(Clone, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct RedisSettings {
    /// `redis://` or `rediss://`, with user, password and database as usual, and with `+sentinel`
    /// or `+cluster` for these. With TLS the server is trusted by the system's certificates, or
    /// those that `SSL_CERT_FILE` names.
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
    /// Commits of a chat in one call.
    pub call_commits_max: usize,
    /// Commits and notices that wait for the hub.
    pub heard_max: usize,
    /// Messages that wait behind those before the link is given up.
    pub link_queue_max: usize,
    /// Names in one SUBSCRIBE, at most 1,000.
    pub subscribe_max: usize,
    /// Milliseconds between two probes of a connection.
    pub beat_ms: u64,
    /// Milliseconds after which a silent link is probed; after three times as many more it is lost.
    pub link_probe_ms: u64,
    /// Milliseconds between two looks at where the servers are.
    pub survey_ms: u64,
    /// When a write counts as done.
    pub durability: Durability,
    /// Replicas that must have it, with [`Durability::Replicated`].
    pub replicas_min: u32,
    /// Milliseconds that reaching the durability may take.
    pub durable_ms: u64,
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
            call_commits_max: 64,
            heard_max: 4_096,
            link_queue_max: 16_384,
            subscribe_max: 1_000,
            beat_ms: 5_000,
            link_probe_ms: 300,
            survey_ms: 1_000,
            durability: Durability::Memory,
            replicas_min: 1,
            durable_ms: 2_000,
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
            calls_max: self.calls_max,
            connect: Duration::from_millis(self.connect_ms),
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
            probe: Duration::from_millis(self.link_probe_ms.max(1)),
            backoff: Self::backoff(),
        }
    }

    fn level(&self) -> Level {
        Level {
            durability: self.durability,
            replicas_min: self.replicas_min.max(1),
            within: Duration::from_millis(self.durable_ms),
        }
    }
}

/// Opens the store, with its connections on that thread. When no server answers within `connect_ms`
/// it is opened all the same: calls are [`StoreError::Unavailable`] until one does, and the log says
/// what is waited for.
///
/// # Errors
/// For settings that can never work, and, when a server answers by then, for credentials that it
/// refuses, a configuration that cannot keep the durability, and data of a layout that this hub
/// does not know. What is found out later is told by [`Opened::fatal`].
pub async fn open(settings: &RedisSettings, home: Home) -> Result<Opened> {
    let address = Address::read(&settings.url)?;
    let keys = Keys::new(&settings.prefix)
        .ok_or_else(|| StoreError::Unavailable("store.prefix: not 64 visible characters without braces".to_owned()))?;
    let engine = Engine::start(home)?;
    let settings = settings.clone();
    let alive = engine.stop.clone();
    let opening = engine.runtime.spawn(async move { build(&settings, address, keys, alive).await });
    let built = opening.await.map_err(|error| StoreError::Unavailable(format!("store did not open: {error}")))??;
    let Built { store, heard, hearing, mut fatal } = built;
    let close = Box::pin(async move {
        engine.stop().await;
        hearing.end();
    });
    let fatal = Box::pin(async move {
        match fatal.recv().await {
            Some(error) => error,
            None => std::future::pending().await,
        }
    });
    Ok(Opened { store, heard, close, fatal })
}

struct Built {
    store: Store,
    heard: mpsc::Receiver<Heard>,
    hearing: Arc<Hearing>,
    fatal: mpsc::Receiver<StoreError>,
}

/// Runs on the engine: connections belong to the runtime that makes them.
async fn build(settings: &RedisSettings, address: Address, keys: Keys, alive: mpsc::Sender<()>) -> Result<Built> {
    let runtime = tokio::runtime::Handle::current();
    let sharded = address.topology == Topology::Cluster;
    let (doubts, doubted) = Doubts::channel();
    let (admit, admitted) = watch::channel(false);
    let (map, mapped) = watch::channel(Arc::new(Map::default()));
    let (told, mut fatal) = mpsc::channel(1);
    let (heard_sender, heard) = mpsc::channel(settings.heard_max.max(1));
    let hearing = Hearing::new(keys.clone(), heard_sender, settings.link(), doubts.clone(), sharded);
    let hearing = Arc::new(hearing);
    let servers = Servers::new(mapped, admitted.clone(), doubts.clone(), settings.wait(), RedisSettings::backoff());
    let survey = Survey {
        address,
        bounds: settings.lanes(),
        level: settings.level(),
        every: Duration::from_millis(settings.survey_ms),
        map,
        doubted,
        doubts,
        admitted,
        fatal: told.clone(),
        hearing: Arc::clone(&hearing),
        asking: HashMap::new(),
    };
    runtime.spawn(survey.run());
    let admission = Admission { servers: servers.clone(), keys: keys.clone(), admit, fatal: told };
    runtime.spawn(admission.run());
    let ready = async {
        let mut admitted = servers.admitted.clone();
        if admitted.wait_for(|known| *known).await.is_err() {
            // Refused: why is told by `fatal`.
            return std::future::pending().await;
        }
        // What is watched next is then in force at once.
        hearing.risen().await;
    };
    tokio::select! {
        () = ready => {}
        Some(error) = fatal.recv() => return Err(error),
        () = tokio::time::sleep(Duration::from_millis(settings.connect_ms)) => {
            tracing::warn!("redis does not answer yet; calls are answered 503 until it does");
        }
    }
    let scripts = Arc::new(Scripts::new(sharded));
    let waits = settings.durability != Durability::Memory;
    // A call with a durability to wait for takes as long as that, however many are in it.
    let most = if waits { usize::MAX } else { settings.call_commits_max };
    let shared = Arc::clone(&scripts);
    let gathering = Gathering::new(servers.clone(), shared, keys.clone(), runtime.clone(), most);
    let heads = chat_log::heads(&servers, &keys, &runtime);
    let hears = Arc::clone(&hearing);
    let body = Arc::new(Body { servers, scripts, keys, gathering, heads, hearing: hears, runtime, waits, alive });
    let store = Store {
        log: Arc::clone(&body) as _,
        index: Arc::clone(&body) as _,
        records: Arc::clone(&body) as _,
        link: body,
    };
    Ok(Built { store, heard, hearing, fatal })
}

/// Looks once whether the data there is ours; until then nobody gets at it.
struct Admission {
    servers: Servers,
    keys: Keys,
    admit: watch::Sender<bool>,
    fatal: mpsc::Sender<StoreError>,
}

impl Admission {
    async fn run(self) {
        let mut failures = 0;
        loop {
            match self.check_schema().await {
                Ok(()) => break,
                Err(error @ StoreError::Corrupt(_)) => {
                    // Full: the hub is at its end already.
                    let _ = self.fatal.try_send(error);
                    return;
                }
                Err(error) => {
                    failures += 1;
                    if lanes::tells(failures) {
                        tracing::warn!(failures, %error, "waiting for redis");
                    }
                }
            }
            tokio::time::sleep(RedisSettings::backoff().jittered(failures)).await;
        }
        self.admit.send_replace(true);
        // Lanes go by it for as long as there are any.
        self.admit.closed().await;
    }

    /// Refuses data of another layout; an empty prefix becomes one of ours.
    async fn check_schema(&self) -> Result<()> {
        let key = self.keys.schema();
        let ask = async |way: Way, cmd: redis::Cmd| {
            let deadline = Instant::now() + self.servers.wait;
            self.servers.ask_unadmitted(way, Again::Fine, Ask::Command(cmd), deadline).await
        };
        let read = async || -> Result<Option<String>> {
            body::decoded(ask(Way::read(&key), redis::cmd("GET").arg(&key).to_owned()).await?)
        };
        // Written only where there is nothing: a write waits for the durability, and while that is not
        // reached a hub that begins can still read.
        let mut found = read().await?;
        if found.is_none() {
            ask(Way::write(&key), redis::cmd("SET").arg(&key).arg(SCHEMA).arg("NX").to_owned()).await?;
            found = read().await?;
        }
        match found.as_deref() {
            Some(SCHEMA) => Ok(()),
            other => Err(StoreError::Corrupt(format!(
                "key {} has schema version {}; this hub reads version {SCHEMA}",
                key,
                other.unwrap_or("none"),
            ))),
        }
    }
}
