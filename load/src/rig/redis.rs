//! One Redis server: a process with a directory and a port that it keeps over its deaths.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use redis::{AsyncConnectionConfig, FromRedisValue};

use super::process::Process;
use super::{Error, Result, caretaker, held, patience, ports};

/// How long a server may take to answer a command of the rig.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// The program that is started as a server: what `TALK_REDIS_SERVER` names, `redis-server` if it is unset.
pub fn program() -> PathBuf {
    std::env::var_os("TALK_REDIS_SERVER").map_or_else(|| "redis-server".into(), PathBuf::from)
}

/// A Valkey server on this machine, if there is one on the search path.
pub fn valkey() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join("valkey-server")).find(|program| program.is_file())
}

/// When the append-only file is forced to the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fsync {
    Always,
    EverySecond,
    No,
}

/// What a server is started with. By itself: a free port, nothing on disk, nobody's replica.
#[derive(Clone, Debug, Default)]
pub struct Options {
    program: Option<PathBuf>,
    port: Option<u16>,
    append_only: Option<Fsync>,
    replica_of: Option<u16>,
    sentinel: bool,
    lines: Vec<String>,
}

impl Options {
    /// See [`Options`].
    pub fn new() -> Self {
        Self::default()
    }

    /// A program other than [`program`], such as [`valkey`].
    pub fn program(mut self, program: impl Into<PathBuf>) -> Self {
        self.program = Some(program.into());
        self
    }

    /// A port of the caller's choice.
    pub fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// Keeps an append-only file.
    pub fn append_only(mut self, fsync: Fsync) -> Self {
        self.append_only = Some(fsync);
        self
    }

    /// Begins as a replica of `127.0.0.1:<port>`.
    pub fn replica_of(mut self, port: u16) -> Self {
        self.replica_of = Some(port);
        self
    }

    /// Closes links that lag: `client-output-buffer-limit <kind> <hard> <soft> <seconds>`, such as `pubsub 64kb 64kb 0`.
    pub fn output_buffer_limit(self, limit: &str) -> Self {
        self.line(format!("client-output-buffer-limit {limit}"))
    }

    /// One more line of the configuration file. The last one of a name counts.
    pub fn line(mut self, line: impl Into<String>) -> Self {
        self.lines.push(line.into());
        self
    }

    /// A Sentinel instead of a server.
    pub(crate) fn sentinel(mut self) -> Self {
        self.sentinel = true;
        self
    }

    /// The same program as those others.
    pub(crate) fn program_of(mut self, others: &Self) -> Self {
        self.program.clone_from(&others.program);
        self
    }

    fn file(&self, port: u16, dir: &Path) -> String {
        let mut lines = format!("bind 127.0.0.1\nport {port}\ndir {0}\nlogfile {0}/log\n", dir.display());
        if !self.sentinel {
            let fsync = match self.append_only {
                None => "appendonly no",
                Some(Fsync::Always) => "appendonly yes\nappendfsync always",
                Some(Fsync::EverySecond) => "appendonly yes\nappendfsync everysec",
                Some(Fsync::No) => "appendonly yes\nappendfsync no",
            };
            // Without the last line a replica waits five seconds for others that might want the same copy.
            let _ = writeln!(lines, "save \"\"\n{fsync}\nrepl-diskless-sync-delay 0");
        }
        for line in &self.lines {
            let _ = writeln!(lines, "{line}");
        }
        if let Some(port) = self.replica_of {
            let _ = writeln!(lines, "replicaof 127.0.0.1 {port}");
        }
        lines
    }
}

/// A server on a loopback port. Dropping it kills it and removes its directory.
#[derive(Debug)]
pub struct Server {
    options: Mutex<Options>,
    program: PathBuf,
    port: u16,
    dir: PathBuf,
    process: Mutex<Option<Process>>,
}

impl Server {
    /// Starts a server and waits until it answers.
    pub async fn start(options: Options) -> Result<Self> {
        let server = Self::spawn(options)?;
        server.answers().await?;
        Ok(server)
    }

    /// Starts a server and waits for nothing.
    pub fn spawn(options: Options) -> Result<Self> {
        let port = options.port.map_or_else(ports::free_port, Ok)?;
        let dir = caretaker::new_dir("redis-")?;
        let program = options.program.clone().unwrap_or_else(program);
        let server = Self { options: Mutex::new(options), program, port, dir, process: Mutex::new(None) };
        server.launch(true)?;
        Ok(server)
    }

    /// The port that it really listens on, without any proxy.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `redis://127.0.0.1:<port>`
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Where its files are.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Its process id; `None` while it is down.
    pub fn pid(&self) -> Option<u32> {
        held(&self.process).as_ref().map(Process::pid)
    }

    /// Whether its process is there. A stopped one is.
    pub fn is_running(&self) -> bool {
        let process = held(&self.process);
        process.as_ref().is_some_and(|process| matches!(process.ended(), Ok(None)))
    }

    /// Kills it as a power cut does. What it wrote to its directory stays. Does nothing when it is down.
    pub fn kill(&self) -> Result<()> {
        match held(&self.process).take() {
            Some(process) => process.kill(),
            None => Ok(()),
        }
    }

    /// Stops it in its tracks: connections stay, nothing answers, bytes under way still arrive in its buffers.
    pub fn freeze(&self) -> Result<()> {
        self.signal("STOP")
    }

    /// Ends [`Self::freeze`].
    pub fn thaw(&self) -> Result<()> {
        self.signal("CONT")
    }

    /// Starts it again on the same directory and port, as what it was started as, and waits until it answers.
    pub async fn start_again(&self) -> Result<()> {
        // A Sentinel has written into its file what it has learned.
        let write_file = !held(&self.options).sentinel;
        self.launch(write_file)?;
        self.answers().await
    }

    /// As [`Self::start_again`], but as a replica of `127.0.0.1:<port>`, or as nobody's.
    pub async fn start_again_as(&self, replica_of: Option<u16>) -> Result<()> {
        held(&self.options).replica_of = replica_of;
        self.start_again().await
    }

    /// Writes everything to disk and ends it: [`Self::start_again`] has all that was acknowledged.
    pub async fn shut_down(&self) -> Result<()> {
        // The answer is that it hangs up.
        self.ask::<redis::Value>(&["SHUTDOWN", "SAVE"]).await.ok();
        patience::eventually("the server is gone", async || Ok((!self.is_running()).then_some(()))).await?;
        self.kill()
    }

    /// Waits until it answers: it is up and has loaded its files.
    pub async fn answers(&self) -> Result<()> {
        patience::eventually("the server answers PING", async || {
            self.lives()?;
            self.ask::<String>(&["PING"]).await.map(Some)
        })
        .await
        .map(drop)
    }

    /// Runs one command, such as `["SAVE"]`, on a connection of its own. Ends within 2 seconds.
    pub async fn ask<T: FromRedisValue>(&self, words: &[&str]) -> Result<T> {
        self.query(&command(words)).await
    }

    /// As [`Self::ask`], for arguments that are not text.
    pub async fn query<T: FromRedisValue>(&self, command: &redis::Cmd) -> Result<T> {
        let mut connection = self.connect().await?;
        command.query_async(&mut connection).await.map_err(|error| self.refused(&name(command), error))
    }

    /// A connection whose answers come within 2 seconds or count as lost.
    pub async fn connect(&self) -> Result<redis::aio::MultiplexedConnection> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(ANSWER_WITHIN))
            .set_response_timeout(Some(ANSWER_WITHIN));
        let client = redis::Client::open(self.url()).map_err(|error| self.refused("connect", error))?;
        let connection = client.get_multiplexed_async_connection_with_config(&config).await;
        connection.map_err(|error| self.refused("connect", error))
    }

    /// As [`Self::ask`], for callers that cannot await. Blocks the thread for 2 seconds at most.
    pub fn ask_now<T: FromRedisValue>(&self, words: &[&str]) -> Result<T> {
        let refused = |error| self.refused(&words.join(" "), error);
        let client = redis::Client::open(self.url()).map_err(refused)?;
        let mut connection = client.get_connection_with_timeout(ANSWER_WITHIN).map_err(refused)?;
        connection.set_read_timeout(Some(ANSWER_WITHIN)).map_err(refused)?;
        command(words).query(&mut connection).map_err(refused)
    }

    /// One field of `INFO <section>`.
    pub async fn info(&self, section: &str, field: &str) -> Result<String> {
        let info: String = self.ask(&["INFO", section]).await?;
        let found = info.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        found.map(str::to_owned).ok_or_else(|| Error::Unexpected(format!("no {field} in INFO {section}")))
    }

    /// The last lines of its log, for a report of a failure.
    pub fn last_words(&self) -> String {
        let log = std::fs::read_to_string(self.dir.join("log")).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }

    fn signal(&self, name: &str) -> Result<()> {
        match held(&self.process).as_ref() {
            Some(process) => process.signal(name),
            None => Err(Error::Unexpected(format!("the server at port {} is down", self.port))),
        }
    }

    /// An error when the process has ended by itself, such as by a port that is taken.
    fn lives(&self) -> Result<()> {
        let process = held(&self.process);
        let Some(status) = process.as_ref().map(Process::ended).transpose()?.flatten() else { return Ok(()) };
        Err(Error::Ended { program: self.program.display().to_string(), status, output: self.last_words() })
    }

    fn launch(&self, write_file: bool) -> Result<()> {
        let mut process = held(&self.process);
        if let Some(old) = process.take() {
            old.kill()?;
        }
        let options = held(&self.options);
        let file = self.dir.join("redis.conf");
        if write_file {
            std::fs::write(&file, options.file(self.port, &self.dir)).map_err(Error::io("writing redis.conf"))?;
        }
        let mut command = Command::new(&self.program);
        command.arg(&file).args(options.sentinel.then_some("--sentinel"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        *process = Some(Process::spawn(&mut command)?);
        Ok(())
    }

    fn refused(&self, command: &str, source: redis::RedisError) -> Error {
        Error::Redis { port: self.port, command: command.to_owned(), source }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The process goes first, or it would write into what is being removed.
        drop(held(&self.process).take());
        std::fs::remove_dir_all(&self.dir).ok();
    }
}

fn command(words: &[&str]) -> redis::Cmd {
    let mut command = redis::Cmd::new();
    for word in words {
        command.arg(word);
    }
    command
}

/// The first words of a command, for errors: no values.
fn name(command: &redis::Cmd) -> String {
    let words = command.args_iter().take(2).filter_map(|word| match word {
        redis::Arg::Simple(word) => std::str::from_utf8(word).ok().map(str::to_owned),
        _ => None,
    });
    words.collect::<Vec<_>>().join(" ")
}
