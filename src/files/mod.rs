//! What is attached to messages: uploads, their records, and who may see them.
//!
//! Promised:
//! * **Streamed.** An upload is in memory one piece (`files.chunk_bytes`) at a time, a download a
//!   few KiB; the size limit is enforced while the bytes come in.
//! * **Whole or not at all.** An upload that breaks, or is too large, leaves nothing behind. A
//!   record is written after its content, so there is no record without content. Should the
//!   process or the store die between the two, content without a record is left: nobody can reach
//!   it, and it only takes room.
//! * **Seen by its owner, and by the members of a chat in which a message carries it.** The chats
//!   are noted in the record before the message is committed ([`Files::attach`]): the list may
//!   hold too much, never too little, and the chat's log is asked as well.
//!
//! Not in here: membership. Who asks brings the answer, as a closure.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use url::Url;

use crate::model::{AgentId, Caller, ChatId, FileId, Limits, Micros};
use crate::settings;
use crate::store::{self, Around, ChatLog, List, NewRecord, Records, Table};
use crate::telemetry::bound_reached;

mod error;
mod record;
mod storage;
mod upload;

pub use error::FilesError;
pub use record::File;
pub use storage::Content;
pub use upload::Upload;

use storage::Storage;

/// How a call to the files ends.
pub type Result<T> = std::result::Result<T, FilesError>;

/// How often a record is read again because somebody else changed it meanwhile.
const ATTEMPTS: usize = 16;

/// The uploaded files of all customers. Cheap to clone.
#[derive(Clone)]
pub struct Files {
    shared: Arc<Shared>,
}

struct Shared {
    storage: Storage,
    records: Arc<dyn Records>,
    log: Arc<dyn ChatLog>,
    uploads: Arc<Semaphore>,
    bytes_max: u64,
    chunk_bytes: usize,
    chats_max: usize,
}

impl Files {
    /// Opens the place of the files; see [`settings::Settings::files_url`].
    ///
    /// # Errors
    /// A scheme this build does not support, or a place that cannot be used.
    pub fn open(url: &Url, settings: &settings::Files, limits: &Limits, store: &store::Store) -> Result<Self> {
        let storage = Storage::open(url, Duration::from_secs(settings.wait_secs))?;
        Ok(Self {
            shared: Arc::new(Shared {
                storage,
                records: Arc::clone(&store.records),
                log: Arc::clone(&store.log),
                uploads: Arc::new(Semaphore::new(settings.uploads_max)),
                bytes_max: limits.file_bytes_max,
                chunk_bytes: settings.chunk_bytes,
                chats_max: settings.chats_per_file_max,
            }),
        })
    }

    /// Most bytes that a file may have.
    #[must_use]
    pub fn bytes_max(&self) -> u64 {
        self.shared.bytes_max
    }

    /// Begins an upload of this caller. Dropped before [`Files::keep`], it leaves nothing behind.
    ///
    /// # Errors
    /// [`FilesError::Busy`] when `files.uploads_max` are under way.
    pub fn begin(&self, caller: &Caller) -> Result<Upload> {
        let shared = &self.shared;
        let permit = Arc::clone(&shared.uploads).try_acquire_owned().map_err(|_| {
            bound_reached("files.uploads_max");
            FilesError::Busy
        })?;
        let id = FileId::random();
        let place = storage::place(caller.customer, id);
        Ok(Upload::new(shared.storage.clone(), id, place, permit, shared.bytes_max, shared.chunk_bytes))
    }

    /// Ends an upload: the file is there from now on, for its owner.
    ///
    /// `name` is what the client called it and is made safe; `mime` its media type.
    ///
    /// # Errors
    /// The content or the record could not be written; then there is no file.
    pub async fn keep(&self, caller: &Caller, upload: Upload, name: &str, mime: &str) -> Result<File> {
        let records = &self.shared.records;
        let created = records.now().await?;
        let finished = upload.finish().await?;
        let file = File {
            id: finished.id,
            customer: caller.customer,
            owner: caller.agent,
            name: record::safe_name(name),
            mime: record::safe_mime(mime),
            size: finished.size,
            created,
            updated: created,
            chats: Vec::new(),
        };
        let bytes = file.encode()?;
        match records.insert(row(&file, &[List::Of(file.owner)], &bytes)).await {
            Ok(true) => Ok(file),
            Ok(false) => {
                self.discard(&file).await;
                Err(FilesError::Storage(String::from("a new record was refused")))
            }
            Err(error) => {
                // The record may be there after all, so its content stays.
                tracing::warn!(file = %file.id, %error, "upload ended without an answer of the store");
                Err(error.into())
            }
        }
    }

    /// The file of this id, seen or not; `None` when the customer has none.
    ///
    /// # Errors
    /// The store does not answer, or the record cannot be read.
    pub async fn get(&self, caller: &Caller, id: FileId) -> Result<Option<File>> {
        let bytes = self.shared.records.get(Table::Files, caller.customer, id.0).await?;
        bytes.map(|bytes| File::decode(&bytes)).transpose()
    }

    /// Files of an agent, ordered by creation and id, at most `limit`.
    ///
    /// # Errors
    /// As [`Files::get`].
    pub async fn list(&self, caller: &Caller, owner: AgentId, around: Around, limit: usize) -> Result<Vec<File>> {
        let rows = self.shared.records.list(Table::Files, caller.customer, List::Of(owner), around, limit).await?;
        rows.iter().map(|row| File::decode(&row.bytes)).collect()
    }

    /// Whether the caller may see the file: as its owner, or as a member of a chat in which a
    /// message that is not deleted carries it. `is_member` says whether the caller is one.
    ///
    /// # Errors
    /// The store does not answer, or `is_member` failed.
    pub async fn visible<E>(
        &self,
        caller: &Caller,
        file: &File,
        is_member: impl AsyncFn(ChatId) -> std::result::Result<bool, E>,
    ) -> std::result::Result<bool, E>
    where
        E: From<FilesError>,
    {
        if file.customer != caller.customer {
            return Ok(false);
        }
        if file.owner == caller.agent {
            return Ok(true);
        }
        // The newest first: that is most often the message the caller is looking at.
        for chat in file.chats.iter().rev() {
            if is_member(*chat).await?
                && self.shared.log.carries(chat.key(), file.id).await.map_err(FilesError::from)?
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The file of this id if the caller may see it: what a message of theirs may carry.
    ///
    /// # Errors
    /// As [`Files::visible`].
    pub async fn resolve<E>(
        &self,
        caller: &Caller,
        id: FileId,
        is_member: impl AsyncFn(ChatId) -> std::result::Result<bool, E>,
    ) -> std::result::Result<Option<File>, E>
    where
        E: From<FilesError>,
    {
        let Some(file) = self.get(caller, id).await? else { return Ok(None) };
        Ok(self.visible(caller, &file, is_member).await?.then_some(file))
    }

    /// Notes that a message of this chat is about to carry the file. Called before the commit, so
    /// that no member is ever refused what they can read of.
    ///
    /// # Errors
    /// [`FilesError::Gone`] when the file was deleted meanwhile, [`FilesError::TooManyChats`] when
    /// it is in `files.chats_per_file_max` others, or the store does not answer.
    pub async fn attach(&self, file: &File, chat: ChatId) -> Result<()> {
        let records = &self.shared.records;
        for _ in 0..ATTEMPTS {
            let before = records.get(Table::Files, file.customer, file.id.0).await?.ok_or(FilesError::Gone)?;
            let mut now = File::decode(&before)?;
            if now.chats.contains(&chat) {
                return Ok(());
            }
            if now.chats.len() >= self.shared.chats_max {
                return Err(FilesError::TooManyChats(self.shared.chats_max));
            }
            now.chats.push(chat);
            if records.replace(Table::Files, file.customer, file.id.0, &before, &now.encode()?).await? {
                return Ok(());
            }
        }
        Err(FilesError::Storage(String::from("a record changed again and again")))
    }

    /// Deletes the file for everybody: first the record, then the content. Answers with the moment
    /// of it; `None` when it was deleted already.
    ///
    /// # Errors
    /// The store does not answer. Content that cannot be removed is no error: it is out of reach.
    pub async fn delete(&self, file: &File) -> Result<Option<Micros>> {
        let records = &self.shared.records;
        let now = records.now().await?;
        if !records.remove(row(file, &[List::Of(file.owner)], &file.encode()?)).await? {
            return Ok(None);
        }
        self.discard(file).await;
        Ok(Some(now))
    }

    /// The content of the file, or the stretch `range` of it, as a stream.
    ///
    /// # Errors
    /// [`FilesError::Gone`] when it was deleted meanwhile, or the place does not answer.
    pub async fn content(&self, file: &File, range: Option<std::ops::Range<u64>>) -> Result<Content> {
        self.shared.storage.read(&storage::place(file.customer, file.id), range).await
    }

    async fn discard(&self, file: &File) {
        if let Err(error) = self.shared.storage.remove(&storage::place(file.customer, file.id)).await {
            tracing::warn!(file = %file.id, %error, "content of a deleted file is left");
        }
    }
}

fn row<'a>(file: &File, lists: &'a [List], bytes: &'a [u8]) -> NewRecord<'a> {
    NewRecord {
        table: Table::Files,
        customer: file.customer,
        id: file.id.0,
        at: file.created,
        unique: None,
        lists,
        bytes,
    }
}
