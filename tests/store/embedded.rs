//! The suite over the embedded body, in a directory of its own for each test.

use talk_hub::store::Opened;
use talk_hub::store::embedded::{self, EmbeddedSettings};

use crate::suite::Body;

/// A directory that lives as long as the test.
struct Directory(tempfile::TempDir);

/// Settings that no test comes near to, except where it says so.
fn settings() -> EmbeddedSettings {
    EmbeddedSettings { queue_max: 1024, batch_max: 256, heard_max: 4096, cache_bytes: 16 << 20, wait_ms: 10_000 }
}

impl Body for Directory {
    async fn fresh() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    async fn open(&self) -> Opened {
        embedded::open(self.0.path(), settings()).unwrap()
    }
}

crate::suite::keeps_every_promise!(super::Directory);
