//! The embedded body.
use std::path::Path;

use serde::Deserialize;

use super::{Opened, Result, StoreError};

/// The bounds of an embedded store.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct EmbeddedSettings {
    /// Commands that wait for the writer; further ones wait outside, for `wait_ms` at most.
    pub queue_max: usize,
    /// Commands in one transaction.
    pub batch_max: usize,
    /// Commits and notices that the fan-out has not taken yet; then the writer waits for it.
    pub heard_max: usize,
    /// Bytes of the file kept in memory.
    pub cache_bytes: usize,
    /// Milliseconds until a write that got no answer ends in [`StoreError::Unavailable`].
    pub wait_ms: u64,
}

/// Opens the store.
pub fn open(dir: &Path, settings: EmbeddedSettings) -> Result<Opened> {
    Err(StoreError::Unavailable(format!("not yet {dir:?} {settings:?}")))
}
