//! Where contents are: a directory, or a bucket. Every step is given up after `files.wait_secs`.

use std::future::Future;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{GetOptions, GetRange, MultipartUpload, ObjectStore, ObjectStoreExt, PutPayload};
use url::Url;

use crate::model::{CustomerId, FileId};

use super::{FilesError, Result};

/// The place of all contents.
#[derive(Clone)]
pub(super) struct Storage {
    objects: Arc<dyn ObjectStore>,
    wait: Duration,
}

/// The content of a file on its way out.
pub struct Content {
    /// The bytes, in pieces. Ends with an error when a piece does not come in time.
    pub stream: BoxStream<'static, Result<Bytes>>,
    /// Which bytes of the file they are.
    pub range: Range<u64>,
}

/// Where the content of a file is, under the root of all contents.
pub(super) fn place(customer: CustomerId, file: FileId) -> Path {
    let file = file.to_string();
    // Spread over 256 folders: directories with many entries are slow on some file systems.
    let shelf = file.get(..2).unwrap_or_default().to_owned();
    Path::from_iter([customer.to_string(), shelf, file])
}

impl Storage {
    /// Opens the place. A directory is made if it is absent.
    pub(super) fn open(url: &Url, wait: Duration) -> Result<Self> {
        let objects: Arc<dyn ObjectStore> = match url.scheme() {
            "file" => Arc::new(directory(url)?),
            #[cfg(feature = "s3")]
            "s3" => Arc::new(bucket(url)?),
            #[cfg(not(feature = "s3"))]
            "s3" => return Err(FilesError::Url(String::from("s3:// needs a hub that was built with `--features s3`"))),
            other => return Err(FilesError::Url(format!("{other}:// is not supported; file:// and s3:// are"))),
        };
        Ok(Self { objects, wait })
    }

    #[cfg(test)]
    pub(super) fn of(objects: Arc<dyn ObjectStore>) -> Self {
        Self { objects, wait: Duration::from_secs(5) }
    }

    /// Writes a small content at once.
    pub(super) async fn put(&self, place: &Path, bytes: Bytes) -> Result<()> {
        self.in_time(self.objects.put(place, PutPayload::from(bytes))).await.map(drop)
    }

    /// Begins to write a content in pieces.
    pub(super) async fn begin(&self, place: &Path) -> Result<Box<dyn MultipartUpload>> {
        self.in_time(self.objects.put_multipart(place)).await
    }

    /// Reads a content, or a stretch of it.
    pub(super) async fn read(&self, place: &Path, range: Option<Range<u64>>) -> Result<Content> {
        let options = GetOptions { range: range.map(GetRange::Bounded), ..GetOptions::default() };
        let got = self.in_time(self.objects.get_opts(place, options)).await?;
        let range = got.range.clone();
        let wait = self.wait;
        let stream = futures_util::stream::unfold(Some(got.into_stream()), move |pieces| async move {
            let mut pieces = pieces?;
            match tokio::time::timeout(wait, pieces.next()).await {
                Ok(Some(Ok(piece))) => Some((Ok(piece), Some(pieces))),
                Ok(Some(Err(error))) => Some((Err(error.into()), None)),
                Ok(None) => None,
                Err(_) => Some((Err(late()), None)),
            }
        });
        Ok(Content { stream: stream.boxed(), range })
    }

    /// Removes a content; one that is not there is fine.
    pub(super) async fn remove(&self, place: &Path) -> Result<()> {
        match self.in_time(self.objects.delete(place)).await {
            Err(FilesError::Gone) => Ok(()),
            other => other,
        }
    }

    /// The step's outcome, or an error when it takes too long.
    pub(super) async fn in_time<T>(&self, step: impl Future<Output = object_store::Result<T>>) -> Result<T> {
        match tokio::time::timeout(self.wait, step).await {
            Ok(outcome) => outcome.map_err(FilesError::from),
            Err(_) => Err(late()),
        }
    }
}

fn late() -> FilesError {
    FilesError::Storage(String::from("no answer in time"))
}

fn directory(url: &Url) -> Result<LocalFileSystem> {
    let wrong = |error: &dyn std::fmt::Display| FilesError::Url(format!("{url}: {error}"));
    let path = url.to_file_path().map_err(|()| wrong(&"not an absolute path"))?;
    std::fs::create_dir_all(&path).map_err(|error| wrong(&error))?;
    let directory = LocalFileSystem::new_with_prefix(&path).map_err(|error| wrong(&error))?;
    Ok(directory.with_fsync(true))
}

/// Credentials, region and endpoint come from the environment, as AWS names them (`AWS_*`).
#[cfg(feature = "s3")]
fn bucket(url: &Url) -> Result<object_store::prefix::PrefixStore<object_store::aws::AmazonS3>> {
    let wrong = |error: &dyn std::fmt::Display| FilesError::Url(error.to_string());
    let name = url.host_str().ok_or_else(|| wrong(&"s3:// needs a bucket"))?;
    let bucket =
        object_store::aws::AmazonS3Builder::from_env().with_bucket_name(name).build().map_err(|error| wrong(&error))?;
    Ok(object_store::prefix::PrefixStore::new(bucket, Path::from_url_path(url.path()).map_err(|error| wrong(&error))?))
}
