//! What the hub is measured against: the same work done by something else on the same machine, in the same minutes.
//!
//! Two kinds. *Servers* ([`start`]) take the load that the hub takes: [`Baseline::WriteLoop`], [`Baseline::NodeWs`],
//! [`Baseline::SocketIo`], [`Baseline::StaticPage`]. *Measures* ([`measure`]) make their own load and answer with a rate:
//! [`Baseline::RawLog`], [`Baseline::RedisXadd`]. Each server is a process of its own, so that its CPU and its memory are
//! its own, and dies with whoever started it.
//!
//! Nothing is faked: what is not on this machine is [`Error::Missing`], which says how to get it, and its row is left out.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use crate::client::Dialect;
use crate::rig;

mod node;
pub mod program;
pub mod raw_log;
pub mod redis_xadd;
mod servers;
pub mod static_page;
pub mod write_loop;

pub use servers::{Running, start};

/// Something that does the hub's work, or a part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Baseline {
    /// The kernel's ceiling for fan-out: one thread, one blocking `write(2)` for each subscriber. See [`write_loop`].
    WriteLoop,
    /// Node over npm `ws`.
    NodeWs,
    /// Socket.IO with `@socket.io/redis-streams-adapter` and connection state recovery.
    SocketIo,
    /// A page of bytes from actix-web, the ceiling for reading. See [`static_page`].
    StaticPage,
    /// Append, `fdatasync`, answer; the ceiling for durable sends. See [`raw_log`].
    RawLog,
    /// `redis-benchmark XADD`, the ceiling for sends on Redis. See [`redis_xadd`].
    RedisXadd,
}

impl Baseline {
    /// All there are, in the order in which they are printed.
    pub const ALL: [Self; 6] =
        [Self::WriteLoop, Self::NodeWs, Self::SocketIo, Self::StaticPage, Self::RawLog, Self::RedisXadd];

    /// As it is named on the command line and in results.
    pub fn name(self) -> &'static str {
        match self {
            Self::WriteLoop => "write-loop",
            Self::NodeWs => "node-ws",
            Self::SocketIo => "socket.io",
            Self::StaticPage => "static-page",
            Self::RawLog => "raw-log",
            Self::RedisXadd => "redis-xadd",
        }
    }

    /// One sentence for whoever reads a list.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::WriteLoop => "a thread that writes each frame to every subscriber, the kernel's ceiling for fan-out",
            Self::NodeWs => "Node over npm ws, one send for each subscriber",
            Self::SocketIo => "Socket.IO with its redis-streams adapter and connection state recovery",
            Self::StaticPage => "the same bytes from actix-web on two workers, the ceiling for reading",
            Self::RawLog => "a log with group commit and fdatasync, the ceiling for durable sends",
            Self::RedisXadd => "redis-benchmark XADD, the ceiling for sends on Redis",
        }
    }

    /// What it is spoken to with; `None` where no WebSocket is: the page, and measures.
    pub fn dialect(self) -> Option<Dialect> {
        match self {
            Self::WriteLoop | Self::NodeWs => Some(Dialect::Bare),
            Self::SocketIo => Some(Dialect::SocketIo),
            Self::StaticPage | Self::RawLog | Self::RedisXadd => None,
        }
    }

    /// Whether it takes load from outside ([`start`]); else it makes its own ([`measure`]).
    pub fn is_server(self) -> bool {
        !matches!(self, Self::RawLog | Self::RedisXadd)
    }
}

impl fmt::Display for Baseline {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Baseline {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|baseline| baseline.name() == name);
        found.ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|baseline| baseline.name()).collect();
            Error::Unexpected(format!("no baseline is named {name}; there are {}", names.join(", ")))
        })
    }
}

/// What the hub's log has for a message besides its text, about: version, number, nonce and kind of the entry (15 bytes),
/// the ids of message and author (32), type, flags and lengths (5), and the moment that it stands under (8). Its indices
/// and the room that pages leave empty are its own cost, and not the ceiling's.
pub const RECORD_OVERHEAD_BYTES: usize = 60;

/// What baselines are started with. The defaults are the sizes of the scenarios of the goals.
#[derive(Clone, Debug)]
pub struct Options {
    /// Bytes of the body that [`Baseline::StaticPage`] answers with.
    pub page_bytes: usize,
    /// Bytes of one record of [`Baseline::RawLog`] and of one entry of [`Baseline::RedisXadd`]: what the hub stores for
    /// one message, its text and [`RECORD_OVERHEAD_BYTES`].
    pub record_bytes: usize,
    /// Where [`Baseline::RawLog`] makes its file: the directory of the hub's store, or one on the same file system.
    pub dir: PathBuf,
    /// Senders at once, each with one record under way.
    pub senders: usize,
    /// Commands that [`Baseline::RedisXadd`] puts into one write.
    pub pipeline: usize,
    /// Streams that [`Baseline::RedisXadd`] spreads its entries over, as the hub does over chats.
    pub streams: usize,
    /// How long a measure takes, warm-up not included.
    pub lasting: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            page_bytes: 16 * 1024,
            record_bytes: 120 + RECORD_OVERHEAD_BYTES,
            dir: std::env::temp_dir(),
            senders: 64,
            pipeline: 16,
            streams: 1_000,
            lasting: Duration::from_secs(5),
        }
    }
}

/// What a measure came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Rate {
    /// What was done and answered.
    pub operations: u64,
    /// In how many seconds.
    pub seconds: f64,
    /// How long one took, in microseconds: the median, and what 99 of 100 stayed below.
    pub p50: u64,
    pub p99: u64,
    /// How it was measured, for whoever reads the result.
    pub how: String,
}

impl Rate {
    /// Operations in a second.
    pub fn per_second(&self) -> f64 {
        if self.seconds > 0.0 { self.operations as f64 / self.seconds } else { 0.0 }
    }
}

/// Runs a measure: [`Baseline::RawLog`] or [`Baseline::RedisXadd`].
pub async fn measure(baseline: Baseline, options: &Options) -> Result<Rate> {
    match baseline {
        Baseline::RawLog => raw_log::measure(options).await,
        Baseline::RedisXadd => redis_xadd::measure(options).await,
        server => Err(Error::Unexpected(format!("{server} measures nothing by itself, it is to be loaded"))),
    }
}

/// Why there is no baseline.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A program is not on this machine: leave the row out.
    #[error("{program} is not here; {hint}")]
    Missing { program: String, hint: &'static str },
    /// The rig could not do it.
    #[error(transparent)]
    Rig(#[from] rig::Error),
    /// A program said what nobody reckoned with, or the order makes no sense.
    #[error("{0}")]
    Unexpected(String),
}

/// How everything in here ends.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    fn io(doing: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let doing = doing.into();
        move |source| rig::Error::Io { doing, source }.into()
    }

    /// A program that could not be started: missing, or refused.
    fn starting(program: &str, hint: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        let program = program.to_owned();
        move |source| match source.kind() {
            std::io::ErrorKind::NotFound => Self::Missing { program, hint },
            _ => rig::Error::Io { doing: format!("starting {program}"), source }.into(),
        }
    }
}
