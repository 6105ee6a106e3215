//! Overwriting what deletions leave behind.
//!
//! redb never changes a page in place: it writes a new one and frees the old one, with the old
//! bytes in it, until it happens to be used again. So, after messages were deleted, all free pages
//! are taken and filled with zeros: filler is written until the file has to grow, which it does
//! only when no page is free, and is taken away again. That goes in steps, between which others
//! write; it is due from the deletion on, also across a crash, until it is done.
//!
//! What is promised: once [`Scrub::finish`] has returned, and while the hub runs within
//! [`PAUSE`] and the time it takes, no page of the file holds the text. What is not: file systems
//! and disks that write elsewhere instead of in place, snapshots, and backups.

use std::time::{Duration, Instant};

use redb::ReadableTable;

use super::super::StoreError;
use super::medium::Medium;
use super::tables::{FILLER, Step, Tables, meta};

/// How long free pages are left alone after they were overwritten: it may mean to write as much
/// again as the file is long.
const PAUSE: Duration = Duration::from_secs(300);
/// Pages of filler written in one transaction: four mebibytes.
const STEP_PAGES: u64 = 1_024;
/// Bytes of a piece of filler: more than half a page and less than one, so that each takes one.
const FILLER_BYTES: usize = 3_000;
/// Pieces of filler between two looks at the length of the file.
const LOOK_EVERY: u64 = 16;
/// Commits after which a page that was freed before can be used again, with some to spare.
const COMMITS_TO_FREE: usize = 4;

/// In `meta`: messages deleted so far.
const DELETED: &str = "deleted";
/// In `meta`: how many of them had their traces overwritten.
const SCRUBBED: &str = "scrubbed";

/// Notes that a message was deleted.
pub(super) fn count_deletion(tables: &mut Tables<'_>) -> Step<()> {
    let meta = tables.meta.open()?;
    let count = meta.get(DELETED)?.map_or(0, |count| count.value());
    meta.insert(DELETED, count + 1)?;
    Ok(())
}

/// Overwrites free pages, step by step.
#[derive(Default)]
pub(super) struct Scrub {
    under_way: Option<Fill>,
    ended: Option<Instant>,
}

/// Free pages being filled.
struct Fill {
    /// The deletions that had been made when it began: these it settles.
    deletions: u64,
    /// The name of the next piece of filler.
    next: u64,
}

impl Scrub {
    /// Does some of what is due; whether there is more to do at once.
    pub(super) fn step(&mut self, medium: &Medium) -> Step<bool> {
        if self.under_way.is_none() && self.ended.is_some_and(|ended| ended.elapsed() < PAUSE) {
            return Ok(false);
        }
        let more = self.begin(medium).and_then(|()| self.fill(medium));
        if more.is_err() {
            self.under_way = None;
            self.ended = Some(Instant::now());
        }
        more
    }

    /// Does all that is due.
    pub(super) fn finish(&mut self, medium: &Medium) -> Step<()> {
        self.begin(medium)?;
        while self.fill(medium)? {}
        // Deletions made after the last scrubbing began, if one was under way.
        self.begin(medium)?;
        while self.fill(medium)? {}
        Ok(())
    }

    /// Begins if it is due and not under way: makes the pages free that deletions have left.
    fn begin(&mut self, medium: &Medium) -> Step<()> {
        if self.under_way.is_some() {
            return Ok(());
        }
        let (deleted, scrubbed, next) = medium.read(|file| {
            let filler = file.open_table(FILLER)?.last()?.map_or(0, |(last, _)| last.value() + 1);
            Ok((meta(file, DELETED)?, meta(file, SCRUBBED)?, filler))
        })?;
        if deleted == scrubbed {
            return Ok(());
        }
        // A reader keeps pages of its time from being used again.
        medium.outlast_readers();
        for _ in 0..COMMITS_TO_FREE {
            medium.write(|batch| {
                batch.tables.meta.open()?.insert(SCRUBBED, scrubbed)?;
                Ok(())
            })?;
        }
        self.under_way = Some(Fill { deletions: deleted, next });
        Ok(())
    }

    /// Fills some pages; whether there are more. Takes the filler away after the last.
    fn fill(&mut self, medium: &Medium) -> Step<bool> {
        let Some(fill) = &mut self.under_way else { return Ok(false) };
        let before = length(medium)?;
        let full = medium.write(|batch| {
            let filler = batch.tables.filler.open()?;
            for piece in 1..=STEP_PAGES {
                filler.insert(fill.next, &[0; FILLER_BYTES][..])?;
                fill.next += 1;
                if piece % LOOK_EVERY == 0 && length(medium)? > before {
                    return Ok(true);
                }
            }
            Ok(length(medium)? > before)
        })?;
        if !full {
            return Ok(true);
        }
        let settled = fill.deletions;
        medium.write(|batch| {
            batch.tables.filler.clear()?;
            batch.tables.meta.open()?.insert(SCRUBBED, settled)?;
            Ok(())
        })?;
        tracing::debug!(deletions = settled, "free pages overwritten");
        self.under_way = None;
        self.ended = Some(Instant::now());
        Ok(false)
    }
}

fn length(medium: &Medium) -> Step<u64> {
    let found = std::fs::metadata(medium.path());
    Ok(found.map_err(|error| StoreError::Unavailable(format!("cannot look at the file: {error}")))?.len())
}
