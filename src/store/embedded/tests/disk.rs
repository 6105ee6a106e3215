//! A file that fails.

use std::sync::atomic::{AtomicBool, Ordering};

use redb::{StorageBackend, backends::FileBackend};

use super::super::*;
use super::{append, begin, entry, said, say, settings};
use crate::store::{Channel, CommitError, Heard};

/// A disk that can be full.
#[derive(Debug)]
struct Disk {
    file: FileBackend,
    full: Arc<AtomicBool>,
}

impl Disk {
    fn room(&self) -> std::io::Result<()> {
        match self.full.load(Ordering::SeqCst) {
            true => Err(std::io::Error::from(std::io::ErrorKind::StorageFull)),
            false => Ok(()),
        }
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> std::io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> std::io::Result<()> {
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> std::io::Result<()> {
        self.room()?;
        self.file.set_len(len)
    }

    fn sync_data(&self) -> std::io::Result<()> {
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> std::io::Result<()> {
        self.room()?;
        self.file.write(offset, data)
    }

    fn close(&self) -> std::io::Result<()> {
        self.file.close()
    }
}

#[tokio::test]
async fn a_full_disk_costs_what_was_under_way_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let full = Arc::new(AtomicBool::new(false));
    let opening: Opening = Box::new({
        let full = Arc::clone(&full);
        move |path| {
            let file = std::fs::File::options().read(true).write(true).create(true).truncate(false).open(path)?;
            let disk = Disk { file: FileBackend::new(file)?, full: Arc::clone(&full) };
            redb::Database::builder().create_with_backend(disk)
        }
    });
    let opened = open_with(dir.path(), &settings(), opening, Arc::new(system_clock)).unwrap();
    let Opened { store, mut heard, close, .. } = opened;
    let chat = begin(&store).await;
    say(&store, chat, "before").await;
    store.link.watch(vec![Channel::Chat(chat.key())]).await;
    full.store(true, Ordering::SeqCst);
    for _ in 0..3 {
        let lost = append(&store, chat, entry(said("no room"))).await;
        assert!(matches!(lost, Err(CommitError::Store(StoreError::Unavailable(_)))), "{lost:?}");
    }
    full.store(false, Ordering::SeqCst);
    let healthy = async {
        while !store.link.healthy().await {
            tokio::time::sleep(Duration::from_millis(10)).await
        }
    };
    tokio::time::timeout(Duration::from_secs(20), healthy).await.expect("never healthy again");
    let after = say(&store, chat, "after").await;
    let found = store.log.events(chat.key(), 1, 10).await.unwrap();
    assert_eq!(found.iter().map(|record| record.seq).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(found[2], after);
    // Nothing of what was lost is heard.
    match heard.recv().await.unwrap() {
        Heard::Arrived(_, arrivals) => assert_eq!(arrivals[0].record, after),
        other => panic!("{other:?}"),
    }
    close.await;
}
