//! The embedded body: one directory, one process, no server. It keeps what it acknowledges, also
//! when the process is killed.
//!
//! Everything stands in one redb file. Reads look into it at once; writes go to one thread, which
//! does what has gathered in one transaction, waits for the disk, answers, and tells the fan-out
//! ([`writer`]). Opening says no when another process is in the directory, and when the file was
//! written by another version of the schema. After a crash the first opening walks through the
//! whole file to check it.
//!
//! A deleted text leaves the records with the commit that deletes it, and the rest of the file
//! soon afterwards, at the latest with the orderly end of the process ([`scrub`]).
//!
//! | file | what is in it |
//! |---|---|
//! | `tables` | the catalogue of tables |
//! | `medium` | the file, opened, read, written, and opened anew after it failed |
//! | `writer` | the one that writes |
//! | `appending`, `chat_log`, `chat_index`, `records`, `link` | the contract |
//! | `state` | a chat's own record as bytes |
//! | `tidy`, `scrub` | what expires, and what deletions leave behind |

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Deserialize;
use tokio::sync::mpsc;

use super::{Opened, Result, Store, StoreError};
use crate::model::Micros;
use crate::telemetry::metric;
use medium::{Clock, Medium, Opening};
use writer::{Bounds, Writer};

mod appending;
mod chat_index;
mod chat_log;
mod ends;
mod link;
mod medium;
mod records;
mod scrub;
mod state;
mod tables;
#[cfg(test)]
mod tests;
mod tidy;
mod writer;

/// The name of the file in the directory.
const FILE: &str = "talk.redb";

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

/// The one directory of this process.
struct Embedded {
    medium: Arc<Medium>,
    writer: Writer,
}

/// Opens the store in this directory, which is made if it is missing. Blocks while it checks the
/// file, which takes long only after a crash.
///
/// # Errors
/// [`StoreError::Unavailable`] when another process is in the directory or the file cannot be
/// opened, [`StoreError::Corrupt`] when it is of another schema version or damaged. Each names what
/// it is about.
pub fn open(dir: &Path, settings: EmbeddedSettings) -> Result<Opened> {
    let cache_bytes = settings.cache_bytes;
    let opening: Opening = Box::new(move |path| redb::Database::builder().set_cache_size(cache_bytes).create(path));
    open_with(dir, &settings, opening, Arc::new(system_clock))
}

fn system_clock() -> Micros {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Micros(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
}

fn open_with(dir: &Path, settings: &EmbeddedSettings, opening: Opening, clock: Clock) -> Result<Opened> {
    if [settings.queue_max, settings.batch_max, settings.heard_max].contains(&0) {
        return Err(StoreError::Unavailable("a bound of the embedded store is 0: nothing would fit".to_owned()));
    }
    make(dir).map_err(|error| StoreError::Unavailable(format!("data directory {}: {error}", dir.display())))?;
    let lock = medium::lock(dir)?;
    let medium = Arc::new(Medium::open(dir.join(FILE), opening, clock)?);
    // A new file is only there for good once its directory says so. Not every system can be asked.
    if let Ok(dir) = std::fs::File::open(dir) {
        let _ = dir.sync_all();
    }
    let (tell, heard) = mpsc::channel(settings.heard_max);
    // The link of a single node is up from the start, and for as long as it runs.
    metrics::gauge!(metric::LINK_UP).set(1.0);
    let bounds = Bounds {
        queue_max: settings.queue_max,
        batch_max: settings.batch_max,
        wait: Duration::from_millis(settings.wait_ms),
    };
    let writer = writer::start(Arc::clone(&medium), lock, tell, bounds)?;
    let close = Box::pin(writer.clone().close());
    let body = Arc::new(Embedded { medium, writer });
    let store = Store { log: body.clone(), index: body.clone(), records: body.clone(), link: body };
    // What is wrong with a file is seen when it is opened.
    Ok(Opened { store, heard, close, fatal: Box::pin(std::future::pending()) })
}

/// Makes the directory, for its owner alone: it holds what people say to each other.
fn make(dir: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)
}
