//! What everybody in a run is told to do, and how far the readers are.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::watch;

/// The course of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Write and read.
    Load,
    /// Write nothing new; read on.
    Settle,
    /// Say goodbye.
    Leave,
}

/// Told to all.
pub type Watch = watch::Receiver<Phase>;

/// Sleeps, or until the phase is at least `end`. True when it is.
pub async fn sleep_until(phase: &mut Watch, end: Phase, time: Duration) -> bool {
    let ended = phase.wait_for(|phase| *phase >= end);
    tokio::time::timeout(time, ended).await.is_ok()
}

/// How far one reader is in each chat: the number of the last event seen, 0 where it has none.
#[derive(Clone, Debug)]
pub struct Progress(Arc<Vec<AtomicU64>>);

impl Progress {
    /// Of so many chats.
    #[must_use]
    pub fn new(chats: usize) -> Self {
        Self(Arc::new((0..chats).map(|_| AtomicU64::new(0)).collect()))
    }

    /// The reader is here now.
    pub fn set(&self, c: u16, seq: u64) {
        if let Some(at) = self.0.get(usize::from(c)) {
            at.store(seq, Ordering::Relaxed);
        }
    }

    /// Whether it is at least there, in each of these chats.
    #[must_use]
    pub fn has_reached(&self, heads: &BTreeMap<u16, u64>) -> bool {
        heads.iter().all(|(c, head)| self.0.get(usize::from(*c)).is_some_and(|at| at.load(Ordering::Relaxed) >= *head))
    }
}
