//! Connections made for load: as cheap as they can be, because they share the machine with what they measure.
//!
//! * [`frames`] finds the frames of a WebSocket in the bytes that were read, without copying them.
//! * [`event`] finds in a frame the few things that are looked at: which chat, which number, when it was sent.
//! * [`handshake`] is what is said until a socket is up, in each [`Dialect`].
//! * [`stream`] opens TCP connections from several source addresses.
//! * [`tls`] is for hubs behind a proxy that speaks it.
//! * [`http`] makes requests, one at a time, on one connection.
//!
//! Nothing here decides what is sent, or judges what came.

use serde::{Deserialize, Serialize};

pub mod event;
pub mod frames;
pub mod handshake;
pub mod http;
pub mod stream;
pub mod tls;

/// What is spoken at the other end of a socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Dialect {
    /// The hub's: subscribes with a topic and cursors, sends by REST.
    #[default]
    Hub,
    /// A plain WebSocket server: what a connection to `/publish` sends goes verbatim to every connection to `/subscribe`.
    Bare,
    /// engine.io 4 over `transport=websocket` at `/socket.io/`, with the query `role=subscriber` or `role=publisher`.
    /// Publishers `emit("publish", event)`, subscribers get `emit("event", event)`.
    SocketIo,
}

/// Why a connection is of no use any more.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{doing}: {source}")]
    Io { doing: &'static str, source: std::io::Error },
    #[error("on `{doing}`: {source}")]
    Http { doing: &'static str, source: hyper::Error },
    /// Neither an answer nor an end in time.
    #[error("no answer in {0:?}")]
    TooLate(std::time::Duration),
    /// The address cannot be used.
    #[error("{url}: {problem}")]
    Address { url: String, problem: String },
    #[error("{}: {problem}", path.display())]
    Authority { path: std::path::PathBuf, problem: String },
    /// Bytes that are no answer to what was said.
    #[error("{0}")]
    Unexpected(String),
}

/// How everything here ends.
pub type Result<T> = std::result::Result<T, Error>;
