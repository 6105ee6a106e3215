//! What is loaded: hubs that are started for it, or servers that are there already.

use std::path::{Path, PathBuf};

use super::people::Access;
use crate::baseline::{self, Baseline, Running};
use crate::client::Dialect;
use crate::client::stream::Node;
use crate::client::tls::Trust;
use crate::gauge::machine::commit;
use crate::gauge::process;
use crate::gauge::redis::Gauge;
use crate::results;
use crate::rig::hub::{Hub, Settings};
use crate::rig::redis::{Fsync, Options, Server};
use crate::rig::{self, caretaker};
use crate::scenario::Scenario;

/// The HS256 secret of hubs that are started here.
const SECRET: &str = "a secret of at least thirty-two characters, for load";
/// The most nodes there may be: a stamp has room for their numbers.
pub const NODES_MAX: usize = 200;

/// Where hubs keep their chats.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Store {
    #[default]
    Embedded,
    /// A `redis-server` is started for it, with an append-only file that is synced every second.
    Redis,
}

impl Store {
    /// As it is called in results.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            Self::Redis => "redis",
        }
    }
}

/// Hubs to start.
#[derive(Clone, Debug)]
pub struct Hubs {
    pub program: PathBuf,
    pub store: Store,
    pub nodes: usize,
}

/// Servers that are there.
#[derive(Clone, Debug)]
pub struct There {
    pub urls: Vec<String>,
    pub dialect: Dialect,
    pub access: Access,
    /// A PEM file with the certificate of who signed theirs, when this machine does not trust them anyway.
    pub authority: Option<PathBuf>,
    /// Their processes, when they are on this machine.
    pub pids: Vec<u32>,
    /// Their Redis, when it may be asked what it does.
    pub redis: Option<String>,
}

/// See the module. Dropping it ends what was started.
#[derive(Debug)]
pub struct Target {
    pub info: results::Target,
    pub dialect: Dialect,
    pub nodes: Vec<Node>,
    pub access: Access,
    /// Processes whose CPU and memory count.
    pub pids: Vec<u32>,
    pub redis: Option<Gauge>,
    /// Pages are read from this path, instead of from chats.
    pub page: Option<String>,
    hubs: Vec<Hub>,
    // Dropped after the hubs, which would complain.
    _redis: Option<Server>,
    _baseline: Option<Running>,
}

/// Why there is nothing to load.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Rig(#[from] rig::Error),
    #[error(transparent)]
    Client(#[from] crate::client::Error),
    #[error(transparent)]
    Baseline(#[from] baseline::Error),
    #[error("{0}")]
    Wrong(String),
}

impl Target {
    /// Starts hubs, with the settings of the scenario.
    ///
    /// # Errors
    /// One does not start; its last words are in it.
    pub async fn start(wanted: &Hubs, scenario: &Scenario) -> Result<Self, Error> {
        if wanted.nodes == 0 || wanted.nodes > NODES_MAX {
            return Err(Error::Wrong(format!("there must be 1 to {NODES_MAX} nodes")));
        }
        if wanted.nodes > 1 && wanted.store == Store::Embedded {
            return Err(Error::Wrong("several nodes need --store redis".to_owned()));
        }
        if !wanted.program.is_file() {
            return Err(Error::Wrong(format!("there is no hub at {}", wanted.program.display())));
        }
        let redis = match wanted.store {
            Store::Embedded => None,
            Store::Redis => Some(Server::start(Options::new().append_only(Fsync::EverySecond)).await?),
        };
        let settings = settings(scenario, redis.as_ref())?;
        // Hubs run in directories of their own.
        let program = std::path::absolute(&wanted.program).map_err(|error| Error::Wrong(error.to_string()))?;
        let mut hubs = Vec::new();
        for _ in 0..wanted.nodes {
            hubs.push(Hub::start(&program, settings.clone()).await?);
        }
        let nodes = hubs.iter().map(|hub| Node::of(&hub.base(), None)).collect::<Result<_, _>>()?;
        let gauge = match &redis {
            Some(server) => gauge(&server.url()).await?,
            None => None,
        };
        let info = results::Target {
            kind: "hub".to_owned(),
            version: version(&program),
            commit: commit(),
            store: wanted.store.name().to_owned(),
            nodes: u32::try_from(wanted.nodes).unwrap_or(u32::MAX),
        };
        let access = Access::Secret { secret: SECRET.to_owned(), customer: None, admin_token: None };
        let pids = hubs.iter().filter_map(Hub::pid).collect();
        let dialect = Dialect::Hub;
        Ok(Self { info, dialect, nodes, access, pids, redis: gauge, page: None, hubs, _redis: redis, _baseline: None })
    }

    /// Takes what is there.
    ///
    /// # Errors
    /// An address cannot be used, or the Redis does not answer.
    pub async fn there(there: &There) -> Result<Self, Error> {
        if there.urls.is_empty() || there.urls.len() > NODES_MAX {
            return Err(Error::Wrong(format!("there must be 1 to {NODES_MAX} addresses")));
        }
        let trust = Trust::of_machine_and(there.authority.as_deref())?;
        let nodes = there.urls.iter().map(|url| Node::of(url, Some(&trust))).collect::<Result<Vec<_>, _>>()?;
        let redis = match &there.redis {
            Some(url) => gauge(url).await?,
            None => None,
        };
        let info = results::Target {
            kind: if there.dialect == Dialect::Hub { "hub" } else { "server" }.to_owned(),
            commit: commit(),
            nodes: u32::try_from(nodes.len()).unwrap_or(u32::MAX),
            ..results::Target::default()
        };
        let (access, pids) = (there.access.clone(), there.pids.clone());
        Ok(Self {
            info,
            dialect: there.dialect,
            nodes,
            access,
            pids,
            redis,
            page: None,
            hubs: Vec::new(),
            _redis: None,
            _baseline: None,
        })
    }

    /// Starts a baseline that takes load.
    ///
    /// # Errors
    /// It does not start, or what it needs is not on this machine.
    pub async fn baseline(baseline: Baseline, options: &baseline::Options) -> Result<Self, Error> {
        let running = baseline::start(baseline, options).await?;
        let redis = match running.redis() {
            Some(server) => gauge(&server.url()).await?,
            None => None,
        };
        let (dialect, page) = match baseline {
            Baseline::SocketIo => (Dialect::SocketIo, None),
            Baseline::StaticPage => (Dialect::Hub, Some("/".to_owned())),
            _ => (Dialect::Bare, None),
        };
        let info = results::Target {
            kind: baseline.name().to_owned(),
            version: running.version.clone(),
            commit: commit(),
            store: String::new(),
            nodes: 1,
        };
        let access = Access::Secret { secret: SECRET.to_owned(), customer: None, admin_token: None };
        let (nodes, pids) = (vec![Node::of(&running.url, None)?], vec![running.pid()]);
        let (hubs, running) = (Vec::new(), Some(running));
        Ok(Self { info, dialect, nodes, access, pids, redis, page, hubs, _redis: None, _baseline: running })
    }

    /// Stops the first hub as an operator does, starts it again, and says how long it took from its start until it said
    /// that it was ready.
    ///
    /// # Errors
    /// There is none that was started here, or it does not come back.
    pub async fn restart(&mut self) -> Result<std::time::Duration, Error> {
        let Some(hub) = self.hubs.first() else {
            return Err(Error::Wrong("only a hub that is started with --hub can be started again".to_owned()));
        };
        hub.stop().await?;
        let begin = std::time::Instant::now();
        hub.launch_again()?;
        hub.comes_up().await?;
        let took = begin.elapsed();
        self.pids = self.hubs.iter().filter_map(Hub::pid).collect();
        Ok(took)
    }

    /// Which of its processes have ended, with what hubs that were started here said last; `None` when all of them run.
    #[must_use]
    pub fn ended(&self) -> Option<String> {
        let ended: Vec<_> = self.pids.iter().filter(|pid| process::has_ended(**pid)).map(u32::to_string).collect();
        if ended.is_empty() {
            return None;
        }
        let has_ended = |hub: &&Hub| !matches!(hub.ended(), Ok(None));
        let words: Vec<_> = self.hubs.iter().filter(has_ended).map(Hub::last_words).collect();
        Some(format!("process {} of {} has ended\n{}", ended.join(", "), self.info.kind, words.join("\n")))
    }
}

async fn gauge(url: &str) -> Result<Option<Gauge>, Error> {
    let connected = Gauge::connect(url).await;
    connected.map(Some).map_err(|error| Error::Wrong(format!("Redis cannot be asked what it does: {error}")))
}

/// As the hub is by default, except for what would only measure its limits.
fn settings(scenario: &Scenario, redis: Option<&Server>) -> Result<Settings, Error> {
    let files = caretaker::new_dir("files-")?;
    let mut settings = Settings::new()
        .set("auth.secret", SECRET)
        // Agents come into being with their first token: no password is hashed for them.
        .set("auth.directory", "claims")
        .set("limits.agent_per_second", 0)
        .set("limits.auth_per_second", 0)
        .set("limits.idempotency_keys_per_hour", 10_000_000)
        .set("server.drain_secs", 0)
        .set("server.linger_secs", 0)
        .set("files.url", format!("file://{}", files.display()));
    if let Some(redis) = redis {
        settings = settings.set("store.kind", "redis").set("store.url", redis.url());
    }
    for (key, value) in &scenario.hub {
        settings = settings.set(key, value.as_str().map_or_else(|| value.to_string(), str::to_owned));
    }
    Ok(settings)
}

fn version(program: &Path) -> String {
    let output = std::process::Command::new(program).arg("--version").output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}
