//! Real Redis servers: one shared by all tests of this process, and private ones for tests that stop or search theirs.

use std::path::Path;

use redis::FromRedisValue;
use talk_load::rig::ports;
use talk_load::rig::redis::{Options, Server};
use tokio::sync::OnceCell;

static SHARED: OnceCell<RedisServer> = OnceCell::const_new();

/// The URL of the Redis shared by all tests of this process. Whoever uses it brings a prefix of their own.
pub(crate) async fn shared_url() -> String {
    SHARED.get_or_init(RedisServer::start).await.url()
}

/// A key and channel prefix nobody else has.
pub(crate) fn new_prefix() -> String {
    format!("test-{}:", uuid::Uuid::new_v4().simple())
}

/// A running `redis-server` on a free loopback port, gone when dropped. Whatever fails on it fails the test.
pub(crate) struct RedisServer(Server);

impl RedisServer {
    pub(crate) async fn start() -> Self {
        Self::start_with(Options::new()).await
    }

    pub(crate) async fn start_on(port: u16) -> Self {
        Self::start_with(Options::new().port(port)).await
    }

    async fn start_with(options: Options) -> Self {
        Self(Server::start(options).await.unwrap_or_else(|error| panic!("no Redis ({error}); `tests/run` installs it")))
    }

    /// What the rig can do with it.
    pub(crate) fn server(&self) -> &Server {
        &self.0
    }

    pub(crate) fn url(&self) -> String {
        self.0.url()
    }

    /// The directory where `SAVE` puts its dump.
    pub(crate) fn dir(&self) -> &Path {
        self.0.dir()
    }

    /// Kills the server. Its data is lost, except what was saved.
    pub(crate) fn kill(&mut self) {
        self.0.kill().expect("redis-server is killed");
    }

    /// Starts it again on the same port, after [`Self::kill`].
    pub(crate) async fn start_again(&mut self) {
        self.0.start_again().await.expect("redis-server comes back");
    }

    /// Runs one command, such as `["SAVE"]`.
    pub(crate) fn command<T: FromRedisValue>(&self, words: &[&str]) -> T {
        self.0.ask_now(words).unwrap_or_else(|error| panic!("{error}"))
    }
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    ports::free_port().expect("a free port")
}
