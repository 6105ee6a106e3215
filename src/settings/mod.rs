//! What an operator can set: one struct per section of `config/base.toml`, which documents every
//! key and is compiled in.
//!
//! Promised: `base.toml` < `--config FILE` < environment `TALK__SECTION__KEY`; an unknown key, a
//! value of the wrong kind and a value out of range stop the start, and the error names the path.
//! Not in here: what the values do; that is the business of the room that takes them.

use std::fs::DirBuilder;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use url::Url;

use crate::model::Limits;

mod check;
mod layers;
mod secret;
#[cfg(test)]
mod tests;

pub use layers::BASE;
pub use secret::Secret;

/// Why the hub does not start with these settings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {problem}")]
pub struct SettingsError {
    /// The key, as `section.key`; or the file, where a file as a whole is wrong.
    pub path: String,
    /// What is wrong with it. Never the value of a secret.
    pub problem: String,
}

impl SettingsError {
    fn new(path: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { path: path.into(), problem: problem.into() }
    }
}

/// Everything that can be set. Valid once it was loaded.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub server: Server,
    pub store: Store,
    pub files: Files,
    pub auth: Auth,
    pub limits: Limits,
    pub chat: Chat,
    pub log: Log,
}

/// The listening side.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// Where to listen; port 0 takes a free one.
    pub bind: SocketAddr,
    /// Threads for HTTP and WebSockets; 0 is one per core. See [`Server::worker_threads`].
    pub workers: usize,
    /// Threads for chats; 0 is one per two cores, and a single one has the store's connections too. See
    /// [`Server::chat_thread_count`].
    pub chat_threads: usize,
    /// Connections the kernel holds ready.
    pub backlog: u32,
    /// TCP connections of all threads together.
    pub tcp_connections_max: usize,
    /// Seconds for the head of a request.
    pub request_secs: u64,
    /// Seconds an idle HTTP connection is kept.
    pub keep_alive_secs: u64,
    /// Seconds over which sockets are closed at a stop.
    pub drain_secs: u64,
    /// Seconds after the word to stop in which calls are taken at least.
    pub linger_secs: u64,
    /// Seconds between pings.
    pub ping_secs: u64,
    /// Seconds of silence after which a socket is closed.
    pub idle_secs: u64,
    /// Address of the hub as clients see it, without a path at the end; empty when not said.
    pub public_url: String,
}

impl Server {
    /// Threads for HTTP and WebSockets, at least 1.
    #[must_use]
    pub fn worker_threads(&self) -> usize {
        if self.workers == 0 { cores() } else { self.workers }
    }

    /// Threads for chats, at least 1.
    #[must_use]
    pub fn chat_thread_count(&self) -> usize {
        if self.chat_threads == 0 { cores().div_ceil(2) } else { self.chat_threads }
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// When a write to Redis counts as done, and is answered.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// It is in the memory of the primary.
    Memory,
    /// It is on the disk of the primary.
    Fsync,
    /// It is in the memory of so many replicas.
    Replicated,
}

/// Which body the store has, and how it is reached.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Store {
    pub kind: StoreKind,
    /// Directory of everything that is kept on this machine.
    pub dir: PathBuf,
    /// Address of Redis; may carry a password.
    pub url: Secret,
    /// First part of every key and channel in Redis.
    pub prefix: String,
    /// Milliseconds a call to the store may take; see [`Store::wait`].
    pub wait_ms: u64,
    /// Calls under way or waiting: on one connection to Redis, or before the embedded writer.
    pub calls_max: usize,
    /// Commits and notices heard and not yet handed on.
    pub heard_max: usize,
    /// Bytes of the embedded store's file that are kept in memory.
    pub cache_bytes_max: usize,
    /// Commands in one transaction of the embedded store.
    pub batch_max: usize,
    /// Commits of one chat in one call to Redis.
    pub call_commits_max: usize,
    /// Milliseconds that connecting to Redis may take.
    pub connect_ms: u64,
    /// Shared connections to Redis for writes.
    pub write_connections: usize,
    /// Shared connections to Redis for reads.
    pub read_connections: usize,
    /// Messages from Redis that wait behind `heard_max` before the link is taken down.
    pub link_queue_max: usize,
    /// Names in one SUBSCRIBE.
    pub subscribe_max: usize,
    /// Milliseconds between two probes of a connection to Redis.
    pub beat_ms: u64,
    /// Milliseconds after which a silent link is probed; after three times as many more it is lost.
    pub link_probe_ms: u64,
    /// Milliseconds between two looks at where the servers of Redis are.
    pub survey_ms: u64,
    /// When a write to Redis counts as done.
    pub durability: Durability,
    /// Replicas that must have a write, with [`Durability::Replicated`].
    pub replicas_min: u32,
    /// Milliseconds that reaching the durability may take, less than `wait_ms`.
    pub durable_ms: u64,
}

impl Store {
    /// How long a call to the store may take.
    #[must_use]
    pub fn wait(&self) -> Duration {
        Duration::from_millis(self.wait_ms)
    }
}

/// The bodies of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum StoreKind {
    Embedded,
    Redis,
}

/// Where uploads go, and how much of them there may be at once.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Files {
    /// `file://` or `s3://`; empty: see [`Settings::files_url`].
    pub url: String,
    /// Bytes of one piece of an upload in memory.
    pub chunk_bytes: usize,
    /// Uploads coming in at once on this node.
    pub uploads_max: usize,
    /// Chats that one file may be attached in.
    pub chats_per_file_max: usize,
    /// Seconds that one step of an upload or a download may take.
    pub wait_secs: u64,
}

/// Who may come in, and how.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Auth {
    /// Signs and checks tokens (HS256), ours and VoIPBIN's. Empty: no such token is accepted, and
    /// nobody signs in by password. See [`Settings::ensure_secret`].
    pub secret: Secret,
    /// The operator's token, for customers and their first agents. Empty: there is none.
    pub admin_token: Secret,
    /// A JWKS file of an identity provider, read at start. Empty: none. RS256, ES256 and EdDSA.
    pub jwks_file: String,
    /// One public key of an identity provider in PEM, read at start. Empty: none.
    pub public_key_file: String,
    /// Tokens of the identity provider must name one of these as `aud`. Empty: not looked at.
    pub audience: Vec<String>,
    /// Tokens of the identity provider must name one of these as `iss`. Empty: not looked at.
    pub issuer: Vec<String>,
    /// Seconds that a token from a sign-in is good for.
    pub token_ttl_secs: u64,
    /// Seconds after a sign-in until which its tokens can be renewed, and none is good any more.
    pub session_secs: u64,
    /// Who counts as an agent.
    pub directory: Directory,
    /// Passwords hashed at once; each takes about 20 MiB and a core.
    pub hash_parallel_max: usize,
    /// Sign-ins that may wait for their turn to be hashed; more are answered 503.
    pub hash_waiting_max: usize,
    /// Milliseconds that a sign-in waits for its turn before it is answered 503.
    pub hash_wait_ms: u64,
    /// Access keys one agent may hold.
    pub keys_per_agent_max: usize,
    /// Origins whose pages may act with a cookie, besides the hub's own.
    pub allowed_origins: Vec<String>,
    /// Whether the cookie is sent over HTTPS only.
    pub cookie_secure: bool,
}

/// Where an agent must be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Directory {
    /// In the hub's own directory.
    Local,
    /// Nowhere: an agent seen for the first time is taken into the directory from its token, and
    /// one that was never seen may be talked to.
    Claims,
}

/// Chats in memory.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chat {
    /// Seconds after which an unused chat leaves memory.
    pub idle_secs: u64,
    /// Seconds between two looks at a watched chat's newest position.
    pub beacon_secs: u64,
    /// Milliseconds between two beacons to all nodes about what was committed here; 0: none.
    pub beacon_ms: u64,
    /// Beacons that tell of one commit.
    pub beacon_times: u32,
    /// Chats that wait to be told of in a beacon.
    pub beacon_chats_max: usize,
}

/// What is logged.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// Directives of `tracing_subscriber::EnvFilter`.
    pub filter: String,
    pub format: LogFormat,
    /// Lines that may wait to be written; further ones are dropped.
    pub lines_max: usize,
    /// Where traces go, `http://`; empty: nowhere.
    pub otlp_url: String,
    /// Of a thousand calls, how many are traced.
    pub otlp_per_thousand: u32,
}

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum LogFormat {
    Text,
    Json,
}

macro_rules! words {
    ($name:ident: $($word:literal => $variant:ident),+; $problem:literal) => {
        impl TryFrom<String> for $name {
            type Error = &'static str;

            fn try_from(word: String) -> Result<Self, Self::Error> {
                match word.as_str() {
                    $($word => Ok(Self::$variant),)+
                    _ => Err($problem),
                }
            }
        }
    };
}

words!(StoreKind: "embedded" => Embedded, "redis" => Redis; "must be \"embedded\" or \"redis\"");
words!(Directory: "local" => Local, "claims" => Claims; "must be \"local\" or \"claims\"");
words!(LogFormat: "text" => Text, "json" => Json; "must be \"text\" or \"json\"");

impl Settings {
    /// Where uploads go: what is set, or the folder `files` under `store.dir`, which is made if it
    /// is absent.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn files_url(&self) -> Result<Url, SettingsError> {
        if !self.files.url.is_empty() {
            return Url::parse(&self.files.url).map_err(|error| SettingsError::new("files.url", error.to_string()));
        }
        let wrong = |problem: String| SettingsError::new("store.dir", problem);
        let folder = self.store.dir.join("files");
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&folder)
            .map_err(|error| wrong(format!("cannot make {}: {error}", folder.display())))?;
        let folder = folder.canonicalize().map_err(|error| wrong(error.to_string()))?;
        Url::from_directory_path(&folder).map_err(|()| wrong(format!("{} is no absolute path", folder.display())))
    }
}
