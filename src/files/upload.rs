//! A file that is coming in.

use bytes::{Bytes, BytesMut};
use object_store::path::Path;
use object_store::{MultipartUpload, PutPayload};
use tokio::sync::OwnedSemaphorePermit;

use crate::model::FileId;
use crate::telemetry::metric;

use super::storage::Storage;
use super::{FilesError, Result};

/// A file that is coming in. At most one piece of it is in memory. Dropped before its end, it
/// leaves nothing behind.
pub struct Upload {
    storage: Storage,
    id: FileId,
    place: Path,
    size: u64,
    bytes_max: u64,
    chunk_bytes: usize,
    /// What came since the last piece was written; never more than `chunk_bytes`.
    waiting: BytesMut,
    /// Begun with the first full piece: what fits into one is written at once, at the end.
    written: Option<Box<dyn MultipartUpload>>,
    _place_in_line: Underway,
}

/// An upload whose content is in its place.
pub(super) struct Finished {
    pub(super) id: FileId,
    pub(super) size: u64,
}

/// Counts an upload while it is under way.
struct Underway {
    _permit: OwnedSemaphorePermit,
}

impl Drop for Underway {
    fn drop(&mut self) {
        metrics::gauge!(metric::UPLOADS).decrement(1.0);
    }
}

impl Upload {
    pub(super) fn new(
        storage: Storage,
        id: FileId,
        place: Path,
        permit: OwnedSemaphorePermit,
        bytes_max: u64,
        chunk_bytes: usize,
    ) -> Self {
        metrics::gauge!(metric::UPLOADS).increment(1.0);
        let underway = Underway { _permit: permit };
        let waiting = BytesMut::new();
        Self { storage, id, place, size: 0, bytes_max, chunk_bytes, waiting, written: None, _place_in_line: underway }
    }

    /// Takes the next bytes; returns once they are written or held.
    ///
    /// # Errors
    /// [`FilesError::TooLarge`] with the first byte too many, or the place does not answer. Either
    /// way the upload is over; drop it.
    pub async fn write(&mut self, mut bytes: Bytes) -> Result<()> {
        self.size += bytes.len() as u64;
        if self.size > self.bytes_max {
            return Err(FilesError::TooLarge(self.bytes_max));
        }
        while !bytes.is_empty() {
            let room = self.chunk_bytes - self.waiting.len();
            self.waiting.extend_from_slice(&bytes.split_to(room.min(bytes.len())));
            if self.waiting.len() == self.chunk_bytes {
                self.write_piece().await?;
            }
        }
        Ok(())
    }

    async fn write_piece(&mut self) -> Result<()> {
        if self.written.is_none() {
            self.written = Some(self.storage.begin(&self.place).await?);
        }
        if let Some(written) = &mut self.written {
            let piece = PutPayload::from(self.waiting.split().freeze());
            self.storage.in_time(written.put_part(piece)).await?;
        }
        Ok(())
    }

    /// Puts the content in its place, whole.
    pub(super) async fn finish(mut self) -> Result<Finished> {
        if self.written.is_none() {
            let all = self.waiting.split().freeze();
            self.storage.put(&self.place, all).await?;
        } else {
            if !self.waiting.is_empty() {
                self.write_piece().await?;
            }
            if let Some(written) = &mut self.written {
                self.storage.in_time(written.complete()).await?;
            }
            self.written = None;
        }
        Ok(Finished { id: self.id, size: self.size })
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let Some(mut written) = self.written.take() else { return };
        let (storage, id) = (self.storage.clone(), self.id);
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                if let Err(error) = storage.in_time(written.abort()).await {
                    tracing::warn!(file = %id, %error, "pieces of a broken upload are left");
                }
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures_util::TryStreamExt;
    use object_store::local::LocalFileSystem;
    use tokio::sync::Semaphore;

    use super::*;
    use crate::files::storage::place;
    use crate::model::CustomerId;

    struct Shelf {
        dir: tempfile::TempDir,
        storage: Storage,
        line: Arc<Semaphore>,
    }

    impl Shelf {
        fn new() -> Self {
            let dir = tempfile::tempdir().expect("a directory");
            let objects = LocalFileSystem::new_with_prefix(dir.path()).expect("a store");
            Self { dir, storage: Storage::of(Arc::new(objects)), line: Arc::new(Semaphore::new(4)) }
        }

        fn upload(&self, bytes_max: u64) -> Upload {
            let permit = Arc::clone(&self.line).try_acquire_owned().expect("a place in line");
            let id = FileId::random();
            Upload::new(self.storage.clone(), id, place(CustomerId::random(), id), permit, bytes_max, 1000)
        }

        /// How many files there are, half-written ones included.
        fn files(&self) -> usize {
            fn count(dir: &std::path::Path) -> usize {
                let entries = std::fs::read_dir(dir).expect("a directory").map(|entry| entry.expect("an entry").path());
                entries.map(|path| if path.is_dir() { count(&path) } else { 1 }).sum()
            }
            count(self.dir.path())
        }
    }

    #[tokio::test]
    async fn what_went_in_comes_out_whatever_the_pieces() {
        for (size, piece) in [(0, 1), (1, 1), (999, 10), (1000, 300), (1001, 1001), (5000, 7), (5500, 5500)] {
            let shelf = Shelf::new();
            let content: Vec<u8> = (0..size).map(|n: usize| (n % 251) as u8).collect();
            let mut upload = shelf.upload(10_000);
            let at = upload.place.clone();
            for piece in content.chunks(piece) {
                upload.write(Bytes::copy_from_slice(piece)).await.expect("taken");
                assert!(upload.waiting.len() < 1000, "no more than a piece is held");
            }
            assert_eq!(upload.finish().await.expect("written").size, size as u64);
            assert_eq!(shelf.files(), 1);
            let read = shelf.storage.read(&at, None).await.expect("there");
            let pieces: Vec<Bytes> = read.stream.try_collect().await.expect("all of it");
            assert_eq!(pieces.concat(), content, "{size}");
        }
    }

    #[tokio::test]
    async fn a_stretch_of_it_can_be_read() {
        let shelf = Shelf::new();
        let mut upload = shelf.upload(10_000);
        let at = upload.place.clone();
        upload.write(Bytes::from_static(b"hello, world")).await.expect("taken");
        upload.finish().await.expect("written");
        let read = shelf.storage.read(&at, Some(7..9)).await.expect("there");
        assert_eq!(read.range, 7..9);
        let pieces: Vec<Bytes> = read.stream.try_collect().await.expect("all of it");
        assert_eq!(pieces.concat(), b"wo");
        shelf.storage.remove(&at).await.expect("removed");
        shelf.storage.remove(&at).await.expect("again is fine");
        assert!(matches!(shelf.storage.read(&at, None).await, Err(FilesError::Gone)));
    }

    #[tokio::test]
    async fn too_much_is_noticed_while_it_comes_and_leaves_nothing_behind() {
        let shelf = Shelf::new();
        let mut upload = shelf.upload(2500);
        for _ in 0..2 {
            upload.write(Bytes::from(vec![1; 1200])).await.expect("taken");
        }
        assert_eq!(shelf.files(), 1, "pieces are written as they come");
        assert!(matches!(upload.write(Bytes::from(vec![1; 101])).await, Err(FilesError::TooLarge(2500))));
        drop(upload);
        while shelf.files() > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(shelf.line.available_permits(), 4, "its place in line is free again");
    }

    #[test]
    fn only_places_that_can_be_used_are_opened() {
        for (url, said) in [
            ("gs://bucket/path", "files.url: gs:// is not supported; file:// and s3:// are"),
            #[cfg(not(feature = "s3"))]
            ("s3://bucket/path", "files.url: s3:// needs a hub that was built with `--features s3`"),
        ] {
            let url = url::Url::parse(url).expect("a url");
            let refused = Storage::open(&url, std::time::Duration::from_secs(1)).err().expect("refused");
            assert_eq!(refused.to_string(), said);
        }
    }
}
