//! Baselines that are servers: each a process of its own that dies with its owner.

use std::fs::File;
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{Baseline, Error, Options, Result, node};
use crate::client::Dialect;
use crate::rig::process::Process;
use crate::rig::{self, caretaker, patience, ports, redis};

/// Raises the number of open files to what the system allows, as Node does by itself, then becomes the program.
const WITH_ALL_FILES: &str = r#"ulimit -n "$(ulimit -Hn)"; exec "$0" "$@""#;

/// A baseline that takes load. Dropping it kills it and removes what it wrote.
#[derive(Debug)]
pub struct Running {
    baseline: Baseline,
    /// Where it listens: `ws://127.0.0.1:<port>/`, `http://..` for Socket.IO and the page.
    pub url: String,
    /// What it is, with its version, such as `ws 8.23.0 on node v20.20.2`.
    pub version: String,
    process: Process,
    redis: Option<redis::Server>,
    dir: PathBuf,
}

impl Running {
    pub fn baseline(&self) -> Baseline {
        self.baseline
    }

    /// See [`Baseline::dialect`].
    pub fn dialect(&self) -> Option<Dialect> {
        self.baseline.dialect()
    }

    /// The process whose CPU and memory count.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// The Redis server that it has to itself, if it needs one.
    pub fn redis(&self) -> Option<&redis::Server> {
        self.redis.as_ref()
    }

    /// What it said before it ended or since it began; for a report of a failure.
    pub fn last_words(&self) -> String {
        last_words(&self.dir)
    }

    async fn listens(&self, port: u16) -> Result<()> {
        let what = format!("{} listens", self.baseline);
        let listening = patience::eventually(&what, async || {
            if let Some(status) = self.process.ended()? {
                let (program, output) = (self.baseline.name().to_owned(), self.last_words());
                return Err(rig::Error::Ended { program, status, output });
            }
            Ok(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok().then_some(()))
        });
        Ok(listening.await?)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // The process goes first, or it would write into what is being removed. Nobody could do anything about a failure;
        // the caretaker tries again.
        self.process.kill().ok();
        std::fs::remove_dir_all(&self.dir).ok();
    }
}

/// Starts a baseline that is a server, on a free loopback port, and waits until it listens.
///
/// The first of those on Node installs its packages, which takes seconds and asks the package registry.
/// [`Error::Missing`] when Node, npm or `redis-server` are not on this machine.
pub async fn start(baseline: Baseline, options: &Options) -> Result<Running> {
    let port = ports::free_port()?;
    match baseline {
        Baseline::WriteLoop => launch(baseline, port, own(["write-loop".to_owned()], port)?, None).await,
        Baseline::StaticPage => {
            let args = ["static-page".to_owned(), format!("--bytes={}", options.page_bytes)];
            launch(baseline, port, own(args, port)?, None).await
        }
        Baseline::NodeWs => {
            let home = node::installed().await?;
            launch(baseline, port, home.program("ws.js", &[port.to_string()]), None).await
        }
        Baseline::SocketIo => {
            let home = node::installed().await?;
            // Nothing on disk: it keeps what was sent for those who come back, and no longer.
            let redis = redis::Server::start(redis::Options::new()).await?;
            let program = home.program("socket.io.js", &[port.to_string(), redis.url()]);
            launch(baseline, port, program, Some(redis)).await
        }
        measure => Err(Error::Unexpected(format!("{measure} is no server, it measures by itself"))),
    }
}

/// What is to be started: words, and what is said of it.
pub(super) struct Program {
    pub(super) words: Vec<String>,
    pub(super) version: String,
}

async fn launch(baseline: Baseline, port: u16, program: Program, redis: Option<redis::Server>) -> Result<Running> {
    let dir = caretaker::new_dir("baseline-")?;
    let log = File::create(dir.join("log")).map_err(Error::io("making a log"))?;
    let mut command = Command::new("sh");
    command.args(["-c", WITH_ALL_FILES]).args(&program.words).env("NODE_ENV", "production");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    let process = Process::spawn(&mut command)?;
    let scheme = if matches!(baseline, Baseline::WriteLoop | Baseline::NodeWs) { "ws" } else { "http" };
    let url = format!("{scheme}://127.0.0.1:{port}/");
    let running = Running { baseline, url, version: program.version, process, redis, dir };
    running.listens(port).await?;
    Ok(running)
}

/// `talk-baseline`, which is built beside whoever asks: what `TALK_BASELINE_BIN` names, or beside this program, or one
/// folder up, where it is for tests.
fn own<const N: usize>(args: [String; N], port: u16) -> Result<Program> {
    const NAME: &str = "talk-baseline";
    let here = std::env::current_exe().map_err(Error::io("asking for the own path"))?;
    let named = std::env::var_os("TALK_BASELINE_BIN").map(PathBuf::from);
    let beside = here.ancestors().skip(1).take(2).map(|folder| folder.join(NAME));
    let found = named.into_iter().chain(beside).find(|path| path.is_file()).ok_or(Error::Missing {
        program: NAME.to_owned(),
        hint: "it is built with talk-load, `cargo build --release -p talk-load`; or TALK_BASELINE_BIN names it",
    })?;
    let mut words = vec![found.to_string_lossy().into_owned()];
    words.extend(args);
    words.push(format!("--port={port}"));
    // It is built as this program is. A slow baseline would flatter the hub.
    let slow = if cfg!(debug_assertions) { ", not optimised: no figures to go by" } else { "" };
    Ok(Program { words, version: format!("{NAME} {}{slow}", env!("CARGO_PKG_VERSION")) })
}

fn last_words(dir: &Path) -> String {
    let log = std::fs::read_to_string(dir.join("log")).unwrap_or_default();
    let lines: Vec<_> = log.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}
