//! The file, and what belongs to it: the lock that keeps other processes away, the clock, and which
//! channels are watched. Reads and writes go through here, and a file that failed is opened anew.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use redb::{Database, ReadTransaction, ReadableDatabase};

use super::super::{Channel, Heard, Result, StoreError};
use super::tables::{Fault, Step, Tables, meta};
use super::writer::Batch;
use crate::model::Micros;

/// The version of the tables, under `schema` in the table `meta`. Others are refused.
pub(super) const SCHEMA: u64 = 1;

/// Microseconds since 1970.
pub(super) type Clock = Arc<dyn Fn() -> Micros + Send + Sync>;

/// How the file is opened.
pub(super) type Opening = Box<dyn Fn(&Path) -> std::result::Result<Database, redb::DatabaseError> + Send + Sync>;

/// Held as long as the directory is ours.
pub(super) struct Lock {
    _file: File,
}

/// Keeps other processes out of the directory.
///
/// # Errors
/// [`StoreError::Unavailable`], with the directory named, when another one is in it.
pub(super) fn lock(dir: &Path) -> Result<Lock> {
    let path = dir.join("lock");
    let failed = |error: &dyn std::fmt::Display| StoreError::Unavailable(format!("{}: {error}", path.display()));
    let file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(|error| failed(&error))?;
    match file.try_lock() {
        Ok(()) => Ok(Lock { _file: file }),
        Err(std::fs::TryLockError::WouldBlock) => Err(StoreError::Unavailable(format!(
            "the data directory {} is in use by another process; two hubs cannot share one",
            dir.display()
        ))),
        Err(std::fs::TryLockError::Error(error)) => Err(failed(&error)),
    }
}

/// An open file and its surroundings.
pub(super) struct Medium {
    /// `None` once it is closed, and while it is opened anew. Readers hold the lock while they read
    /// and never wait inside; only the writer takes it for itself.
    file: RwLock<Option<Database>>,
    path: PathBuf,
    opening: Opening,
    clock: Clock,
    /// Set when the file failed: then it refuses everything until it is opened anew.
    broken: AtomicBool,
    watched: Mutex<HashSet<Channel>>,
}

impl Medium {
    /// Opens the file, makes what is missing, and checks the schema.
    pub(super) fn open(path: PathBuf, opening: Opening, clock: Clock) -> Result<Self> {
        let medium = Self {
            file: RwLock::new(None),
            path,
            opening,
            clock,
            broken: AtomicBool::new(false),
            watched: Mutex::default(),
        };
        let file = medium.opened()?;
        *medium.file.write().unwrap_or_else(PoisonError::into_inner) = Some(file);
        Ok(medium)
    }

    fn opened(&self) -> Result<Database> {
        let named = |error: &dyn std::fmt::Display| format!("{}: {error}", self.path.display());
        let file = (self.opening)(&self.path).map_err(|error| match Fault::from(error).into() {
            StoreError::Corrupt(what) => StoreError::Corrupt(named(&what)),
            StoreError::Unavailable(what) => StoreError::Unavailable(named(&what)),
        })?;
        match prepare(&file).map_err(StoreError::from)? {
            SCHEMA => Ok(file),
            other => Err(StoreError::Corrupt(named(&format_args!(
                "written with schema version {other}; this hub reads version {SCHEMA}"
            )))),
        }
    }

    /// The store's clock.
    pub(super) fn now(&self) -> Micros {
        (self.clock)()
    }

    /// Where the file is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Looks something up.
    pub(super) fn read<T>(&self, look: impl FnOnce(&ReadTransaction) -> Step<T>) -> Result<T> {
        let file = self.file.read().unwrap_or_else(PoisonError::into_inner);
        let Some(file) = file.as_ref() else { return Err(not_open()) };
        let found = file.begin_read().map_err(Fault::from).and_then(|transaction| look(&transaction));
        found.map_err(|fault| {
            // Damage stays damage; anything else may be over once the file is opened anew.
            if matches!(&fault, Fault::File(error) if !matches!(**error, redb::Error::Corrupted(_))) {
                self.broken.store(true, Ordering::Relaxed);
            }
            fault.into()
        })
    }

    /// Writes something; returns when it is on disk. For the writer only.
    pub(super) fn write<T>(&self, act: impl FnOnce(&mut Batch<'_>) -> Step<T>) -> Step<T> {
        let file = self.file.read().unwrap_or_else(PoisonError::into_inner);
        let Some(file) = file.as_ref() else { return Err(not_open().into()) };
        let transaction = file.begin_write()?;
        let tables = Tables::of(&transaction);
        let mut batch = Batch { tables, now: self.now(), news: Vec::new(), ends: HashMap::new() };
        let outcome = act(&mut batch).and_then(|outcome| batch.settle().map(|()| outcome));
        drop(batch);
        // Dropped without a commit, the transaction leaves nothing.
        let outcome = outcome?;
        transaction.commit()?;
        Ok(outcome)
    }

    /// Waits until every read that began before has ended.
    pub(super) fn outlast_readers(&self) {
        drop(self.file.write().unwrap_or_else(PoisonError::into_inner));
    }

    /// Opens the file anew after it failed. Until that succeeds nothing can be read or written.
    pub(super) fn reopen(&self) {
        self.close();
        match self.opened() {
            Ok(file) => {
                *self.file.write().unwrap_or_else(PoisonError::into_inner) = Some(file);
                self.broken.store(false, Ordering::Relaxed);
            }
            Err(error) => {
                self.broken.store(true, Ordering::Relaxed);
                tracing::error!(%error, "cannot open the file anew");
            }
        }
    }

    /// Closes the file.
    pub(super) fn close(&self) {
        let file = self.file.write().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Err(error)) = file.map(Database::close) {
            tracing::warn!(%error, "file not closed cleanly");
        }
    }

    /// Whether the file has to be opened anew.
    pub(super) fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Relaxed)
    }

    /// Changes what is watched.
    pub(super) fn watching(&self, change: impl FnOnce(&mut HashSet<Channel>)) {
        change(&mut self.watched.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Whether this node wants to hear it.
    pub(super) fn is_watched(&self, heard: &Heard) -> bool {
        let channel = match heard {
            Heard::Arrived(chat, _) => Channel::Chat(*chat),
            Heard::Noticed { customer, .. } => Channel::Customer(*customer),
            Heard::Again(_) | Heard::Heads(_) => return true,
        };
        self.watched.lock().unwrap_or_else(PoisonError::into_inner).contains(&channel)
    }
}

fn not_open() -> StoreError {
    StoreError::Unavailable("store not open".to_owned())
}

/// Makes the tables of a new file; answers with the schema version of what is there.
fn prepare(file: &Database) -> Step<u64> {
    let transaction = file.begin_write()?;
    if transaction.list_tables()?.next().is_some() {
        transaction.abort()?;
        return meta(&file.begin_read()?, "schema");
    }
    let mut tables = Tables::of(&transaction);
    tables.create()?;
    tables.meta.open()?.insert("schema", SCHEMA)?;
    drop(tables);
    transaction.commit()?;
    Ok(SCHEMA)
}
