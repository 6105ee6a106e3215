//! Real processes on loopback, and every way to torment them.
//!
//! * [`redis::Server`]: one `redis-server` (or Valkey, or a Sentinel), which can be killed, stopped and started again.
//! * [`Topology`]: servers that belong together: one alone, a primary with replicas under three Sentinels, a Cluster.
//!   It fails over, moves slots, brings killed servers back, and knows when all is well again.
//! * [`proxy::Proxy`]: a wire that loses, repeats, delays or cuts what passes, told apart by who is at its other end.
//! * [`hub::Hub`]: a hub process.
//! * [`caretaker`]: nothing of all this outlives the program, however that ends.
//!
//! What is promised everywhere: nothing waits for ever ([`patience::patience`]), nothing panics, and what is dropped is
//! gone. All methods take `&self`, so that faults can be injected from one task while others work.

use std::process::ExitStatus;
use std::time::Duration;

pub mod caretaker;
pub mod hub;
pub mod patience;
pub mod ports;
pub mod process;
pub mod proxy;
pub mod redis;
pub mod topology;

pub use topology::Topology;

/// Why the rig could not do as told.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The system refused.
    #[error("{doing}: {source}")]
    Io { doing: String, source: std::io::Error },
    /// A Redis server refused, or did not answer in time.
    #[error("the server at port {port} on `{command}`: {source}")]
    Redis { port: u16, command: String, source: ::redis::RedisError },
    /// A hub did not answer.
    #[error("{url}: {source}")]
    Http { url: String, source: reqwest::Error },
    /// It did not come true while patience lasted.
    #[error("waited {waited:?} in vain: {what}{}", because(last.as_deref()))]
    TooLate { what: String, waited: Duration, last: Option<Box<Error>> },
    /// A process ended while it should have run.
    #[error("{program} ended with {status}:\n{output}")]
    Ended { program: String, status: ExitStatus, output: String },
    /// An answer nobody reckoned with, or a request that makes no sense for this topology.
    #[error("{0}")]
    Unexpected(String),
}

/// How everything in the rig ends.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub(crate) fn io(doing: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Io { doing, source }
    }
}

fn because(last: Option<&Error>) -> String {
    last.map(|error| format!("; last: {error}")).unwrap_or_default()
}

/// What a lock holds, also after somebody who held it has panicked: nothing here is left half done.
pub(crate) fn held<T>(lock: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
