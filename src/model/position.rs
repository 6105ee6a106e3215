//! Where somebody stands in a chat's history, and which history it was.

use super::event::Nonce;
use super::time::Micros;

/// A place in a chat's log: the number of an event, and the proof that it was that event.
///
/// Numbers are handed out again when a failover loses acknowledged entries; moment and nonce of
/// an entry are not. Two positions of one chat belong to one history when both are in its log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    pub seq: u64,
    pub at: Micros,
    pub nonce: Nonce,
}

impl Position {
    /// Before the first event: the place of somebody who has seen nothing.
    pub const START: Self = Self { seq: 0, at: Micros::ZERO, nonce: Nonce(0) };
}
