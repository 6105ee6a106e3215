//! Real Redis servers: one shared by all tests of this process, and private ones for tests that stop or search theirs.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use redis::FromRedisValue;
use tokio::sync::OnceCell;

use super::caretaker;
use super::eventually::eventually;

static SHARED: OnceCell<RedisServer> = OnceCell::const_new();

/// The URL of the Redis shared by all tests of this process. Whoever uses it brings a prefix of their own.
pub(crate) async fn shared_url() -> String {
    SHARED.get_or_init(RedisServer::start).await.url()
}

/// A key and channel prefix nobody else has.
pub(crate) fn new_prefix() -> String {
    format!("test-{}:", uuid::Uuid::new_v4().simple())
}

/// A running `redis-server` on a free loopback port, gone when dropped.
pub(crate) struct RedisServer {
    port: u16,
    dir: PathBuf,
    process: Child,
}

impl RedisServer {
    pub(crate) async fn start() -> Self {
        Self::start_on(free_port()).await
    }

    pub(crate) async fn start_on(port: u16) -> Self {
        let dir = caretaker::new_dir("redis-");
        let process = Self::spawn(port, &dir);
        let server = Self { port, dir, process };
        server.answers().await;
        server
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// The directory where `SAVE` puts its dump.
    pub(crate) fn dir(&self) -> &std::path::Path {
        &self.dir
    }

    /// Kills the server. Its data is lost, except what was saved.
    pub(crate) fn kill(&mut self) {
        self.process.kill().expect("redis-server is killed");
        self.process.wait().expect("redis-server ends");
        caretaker::forget(self.process.id());
    }

    /// Starts it again on the same port, after [`Self::kill`].
    pub(crate) async fn start_again(&mut self) {
        self.process = Self::spawn(self.port, &self.dir);
        self.answers().await;
    }

    /// Runs one command, such as `["SAVE"]`.
    pub(crate) fn command<T: FromRedisValue>(&self, words: &[&str]) -> T {
        self.try_command(words).unwrap_or_else(|error| panic!("redis refused {words:?}: {error}"))
    }

    fn try_command<T: FromRedisValue>(&self, words: &[&str]) -> redis::RedisResult<T> {
        let mut connection = redis::Client::open(self.url())?.get_connection_with_timeout(Duration::from_secs(1))?;
        let mut command = redis::cmd(words[0]);
        for word in &words[1..] {
            command.arg(word);
        }
        command.query(&mut connection)
    }

    async fn answers(&self) {
        eventually("redis-server answers PING", async || self.try_command::<String>(&["PING"]).ok()).await;
    }

    fn spawn(port: u16, dir: &std::path::Path) -> Child {
        let process = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", "", "--appendonly", "no", "--dir"])
            .arg(dir)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("redis-server does not start ({error}); `tests/run` installs it"));
        caretaker::watch(process.id());
        process
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        if let Ok(None) = self.process.try_wait() {
            self.kill();
        }
        std::fs::remove_dir_all(&self.dir).ok();
    }
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback port");
    listener.local_addr().expect("its address").port()
}
