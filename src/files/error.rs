//! Why the files did not do as asked, and what the client is told.

use crate::store::StoreError;
use crate::wire::{ApiError, Reason};

/// Why the files did not do as asked.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// More than `limits.file_bytes_max` bytes came.
    #[error("file is larger than {0} bytes")]
    TooLarge(u64),
    /// As many uploads as `files.uploads_max` are under way.
    #[error("too many uploads at once")]
    Busy,
    /// The file was deleted meanwhile.
    #[error("file is gone")]
    Gone,
    /// The file is attached in as many chats as it may be.
    #[error("file is attached in {0} chats already")]
    TooManyChats(usize),
    /// The place of the contents did not do as asked.
    #[error("storage of files: {0}")]
    Storage(String),
    /// `files.url` names no place that can be used.
    #[error("files.url: {0}")]
    Url(String),
    /// A record that this version cannot read.
    #[error("record of a file: {0}")]
    Corrupt(String),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<object_store::Error> for FilesError {
    fn from(error: object_store::Error) -> Self {
        match error {
            object_store::Error::NotFound { .. } => Self::Gone,
            other => Self::Storage(other.to_string()),
        }
    }
}

impl From<FilesError> for ApiError {
    fn from(error: FilesError) -> Self {
        match error {
            FilesError::TooLarge(_) => Self::new(Reason::PayloadTooLarge, error.to_string()),
            FilesError::TooManyChats(_) => Self::argument(error.to_string()),
            FilesError::Gone => Self::new(Reason::FileNotFound, "no such file"),
            FilesError::Busy => Self::new(Reason::ServiceUnavailable, "too many uploads at once; try again"),
            FilesError::Storage(cause) => {
                tracing::warn!(%cause, "storage of files does not do as asked");
                Self::new(Reason::ServiceUnavailable, "the storage of files does not answer; try again")
            }
            FilesError::Store(error) => error.into(),
            FilesError::Url(_) | FilesError::Corrupt(_) => Self::internal(error),
        }
    }
}
