//! The newest page of a chat, written once, where every thread can take it.
//!
//! A chat puts the page that it answered with on its shelf, with the position at which it was
//! made. The next reader takes it from there without asking the chat, if
//!
//! * the log, asked after the reader came, stands at just that position: then nothing has happened
//!   since, and the page is what the chat itself would answer after its look, and
//! * the reader is a member by the roster of that position.
//!
//! Everything else, a refusal too, is the chat's to answer. Nothing is ever right because it was
//! thrown away in time: a page that was left lying is one that no position fits any more.
//!
//! **Bounds.** A shelf holds one page, all shelves of a node together
//! `limits.newest_pages_bytes_max`; beyond it a page is not kept. A page that nobody took for a
//! while is dropped, as is one that an event has made old.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::model::chat::Access;
use crate::model::{Caller, Chat, ChatId, Position, Roster};
use crate::telemetry::metric;
use crate::wire::ApiError;
use crate::wire::sheet::Sheet;

use super::command::Question;
use super::registry::{Chats, Whom};
use super::room::Room;

/// How much room the shelves of a node have left.
#[derive(Debug)]
pub(super) struct Space {
    bytes_left: AtomicUsize,
}

/// A part of the space, given back when it is dropped.
struct Taken {
    space: Arc<Space>,
    bytes: usize,
}

impl Space {
    pub(super) fn new(bytes_max: usize) -> Arc<Self> {
        Arc::new(Self { bytes_left: AtomicUsize::new(bytes_max) })
    }

    fn take(self: &Arc<Self>, bytes: usize) -> Option<Taken> {
        let less = |left: usize| left.checked_sub(bytes);
        self.bytes_left.fetch_update(Ordering::AcqRel, Ordering::Acquire, less).ok()?;
        metrics::gauge!(metric::NEWEST_PAGES_BYTES).increment(bytes as f64);
        Some(Taken { space: Arc::clone(self), bytes })
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.space.bytes_left.fetch_add(self.bytes, Ordering::AcqRel);
        metrics::gauge!(metric::NEWEST_PAGES_BYTES).decrement(self.bytes as f64);
    }
}

/// A page, and everything that it is answered by.
struct Kept {
    position: Position,
    chat: Arc<Chat>,
    roster: Arc<Roster>,
    sheet: Sheet,
    _taken: Taken,
}

/// Where one chat's page lies.
pub(super) struct Shelf {
    kept: Mutex<Option<Arc<Kept>>>,
    /// Whether somebody came for it lately.
    used: AtomicBool,
    space: Arc<Space>,
}

impl Shelf {
    pub(super) fn new(space: Arc<Space>) -> Self {
        Self { kept: Mutex::default(), used: AtomicBool::new(false), space }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<Kept>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The newest page of the room, written and put here if there is space for it; `None` when the
    /// room does not hold all of it. Of many who come at once after an event, the first has it
    /// written for all.
    pub(super) fn fill(&self, room: &Room, limit: usize) -> Option<Result<Bytes, ApiError>> {
        let written = self.lock().clone().filter(|kept| kept.position == room.head());
        if let Some(body) = written.and_then(|kept| kept.sheet.cut(limit)) {
            return Some(Ok(body));
        }
        let page = Question::Newest { limit }.page()?;
        let messages = room.recent().page(page)?;
        let rows = messages.iter().map(|message| (message.at, room.resource(message)));
        let whole = messages.len() < limit;
        let sheet = match Sheet::write(rows, whole) {
            Ok(sheet) => sheet,
            Err(error) => return Some(Err(ApiError::internal(error))),
        };
        let body = sheet.page();
        // The page before it makes room for it.
        self.clear();
        if let Some(taken) = self.space.take(sheet.bytes()) {
            let (chat, roster) = room.of_now();
            let kept = Kept { position: room.head(), chat, roster, sheet, _taken: taken };
            *self.lock() = Some(Arc::new(kept));
            self.used.store(true, Ordering::Relaxed);
        }
        Some(Ok(body))
    }

    /// Throws away what an event has made old.
    pub(super) fn clear(&self) {
        *self.lock() = None;
    }

    /// Whether somebody came since this was last asked. If nobody did, the page is dropped.
    pub(super) fn was_used(&self) -> bool {
        let used = self.used.swap(false, Ordering::Relaxed);
        if !used {
            self.clear();
        }
        used
    }

    /// The page for this caller, and the position that the log must have for it to be right.
    pub(super) fn offer(&self, caller: &Caller, chat: ChatId, limit: usize) -> Option<(Bytes, Position)> {
        let kept = self.lock().clone()?;
        if kept.chat.id != chat || kept.chat.access(caller, &kept.roster) != Access::Member {
            return None;
        }
        let body = kept.sheet.cut(limit)?;
        if !self.used.load(Ordering::Relaxed) {
            self.used.store(true, Ordering::Relaxed);
        }
        Some((body, kept.position))
    }
}

impl Chats {
    /// The newest messages of the chat, as the page that goes out; it holds every write that was
    /// acknowledged before.
    ///
    /// # Errors
    /// As [`Self::question`].
    pub async fn newest_page(&self, caller: &Caller, chat: ChatId, limit: usize) -> Result<Bytes, ApiError> {
        // The place is held meanwhile: of those who wait for the log there are as many as of others.
        if let Some((shelf, _place)) = self.shelf(chat.key())
            && let Some((page, made_at)) = shelf.offer(caller, chat, limit)
            && self.deps().store.log.head(chat.key()).await? == made_at
        {
            return Ok(page);
        }
        self.question(caller, Whom::Chat(chat), Question::Newest { limit }).await?.into_newest()
    }
}
