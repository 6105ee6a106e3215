//! The ceiling for durable sends: a file that is appended to and forced to the disk before anybody is answered.
//!
//! Writers each have one record under way. One thread takes what lies there, writes it with one `write(2)`, forces it with
//! one `fdatasync(2)`, and answers all of them: group commit without any delay of its own, as the hub's embedded store
//! does it. There is no index, no check, no reading and no second file: a store that can be read costs more.
//!
//! Afterwards the file is read again. A rate counts only if every record that was answered is in it, once and in its
//! writer's order.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::path::Path;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::{Error, Options, Rate, Result};
use crate::gauge::spread::Spread;

/// Writer and number, 4 and 8 bytes, open each record.
const HEAD_BYTES: usize = 12;
/// Time before it counts.
const WARM_UP: Duration = Duration::from_millis(500);
/// Records that one write takes. No writer has more than one under way, so this bounds memory, not the group.
const GROUP_MAX: usize = 4_096;
/// A writer's stack; it does next to nothing.
const STACK_BYTES: usize = 256 * 1024;
/// A disk that takes longer for a record is broken.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

struct Record {
    writer: u32,
    number: u64,
    written: mpsc::SyncSender<()>,
}

/// Appends for as long as ordered, in a new file in `options.dir` that is removed in the end.
pub async fn measure(options: &Options) -> Result<Rate> {
    let dir = tempfile::Builder::new().prefix("raw-log-").tempdir_in(&options.dir);
    let dir = dir.map_err(Error::io(format!("making a directory in {}", options.dir.display())))?;
    let path = dir.path().join("log");
    let (log, ordered) = (path.clone(), options.clone());
    let appended = tokio::task::spawn_blocking(move || {
        let (rate, answered) = append(&log, &ordered)?;
        Ok::<_, Error>((rate, answered, read_back(&log, ordered.record_bytes)?))
    });
    let (rate, answered, found) =
        appended.await.map_err(|error| Error::Unexpected(format!("the log failed: {error}")))??;
    if found != answered {
        let what = "the log does not hold what was answered";
        return Err(Error::Unexpected(format!("{what}: {found:?} instead of {answered:?}")));
    }
    Ok(rate)
}

/// How many records of each writer are in a log, which must be whole and in each writer's order.
pub fn read_back(path: &Path, record_bytes: usize) -> Result<BTreeMap<u32, u64>> {
    let mut log = BufReader::new(File::open(path).map_err(Error::io("opening the log again"))?);
    let mut record = vec![0; record_bytes.max(HEAD_BYTES)];
    let mut found = BTreeMap::new();
    while !std::io::BufRead::fill_buf(&mut log).map_err(Error::io("reading the log"))?.is_empty() {
        log.read_exact(&mut record).map_err(Error::io("reading the log"))?;
        let (writer, number) = (record.first_chunk::<4>(), record[4..].first_chunk::<8>());
        let (Some(writer), Some(number)) = (writer, number) else { continue };
        let (writer, number) = (u32::from_le_bytes(*writer), u64::from_le_bytes(*number));
        let next = found.entry(writer).or_default();
        if number != *next {
            return Err(Error::Unexpected(format!("record {number} of writer {writer} is where {next} should be")));
        }
        *next += 1;
    }
    Ok(found)
}

/// Also says how many records of each writer were answered, those of the warm-up included.
fn append(path: &Path, options: &Options) -> Result<(Rate, BTreeMap<u32, u64>)> {
    let file = File::create(path).map_err(Error::io("making the log"))?;
    let senders = options.senders.max(1);
    let (queue, records) = mpsc::sync_channel(senders);
    let bytes = options.record_bytes;
    let log = std::thread::spawn(move || keep(file, &records, bytes));
    let begin = Instant::now() + WARM_UP;
    let end = begin + options.lasting;
    // Threads, as many as writers: on one runtime only those would lie in a group that it came to in time.
    let mut writers = Vec::new();
    for writer in 0..u32::try_from(senders).unwrap_or(u32::MAX) {
        let queue = queue.clone();
        let thread = std::thread::Builder::new().stack_size(STACK_BYTES);
        let thread = thread.spawn(move || write(writer, &queue, begin, end));
        writers.push(thread.map_err(Error::io("starting a writer"))?);
    }
    drop(queue);
    let (mut answered, mut took) = (BTreeMap::new(), Spread::default());
    for (writer, done) in (0..).zip(writers) {
        let (count, times) = done.join().map_err(|_| Error::Unexpected("a writer failed".to_owned()))?;
        answered.insert(writer, count);
        took.add(&times);
    }
    let kept = log.join().map_err(|_| Error::Unexpected("the thread of the log failed".to_owned()))?;
    let groups = kept.map_err(Error::io("appending to the log"))?;
    let all: u64 = answered.values().sum();
    let how = format!(
        "{senders} writers, records of {bytes} bytes, group commit of {:.0} on average, fdatasync before each answer",
        all as f64 / groups.max(1) as f64
    );
    let (p50, p99) = (took.percentile(50.0), took.percentile(99.0));
    Ok((Rate { operations: took.count(), seconds: options.lasting.as_secs_f64(), p50, p99, how }, answered))
}

/// One writer: the next record when the one before is on the disk. Answers how many were, and how many microseconds those
/// took that ended within the time that counts.
fn write(writer: u32, queue: &mpsc::SyncSender<Record>, begin: Instant, end: Instant) -> (u64, Spread) {
    let (mut number, mut took) = (0, Spread::default());
    let (written, answer) = mpsc::sync_channel(1);
    loop {
        let sent = Instant::now();
        if sent >= end {
            return (number, took);
        }
        // Never full: there is a place for each writer. A log that has failed says so itself.
        let record = Record { writer, number, written: written.clone() };
        if queue.send(record).is_err() || answer.recv_timeout(ANSWER_WITHIN).is_err() {
            return (number, took);
        }
        number += 1;
        let now = Instant::now();
        if (begin..end).contains(&now) {
            took.record(u64::try_from((now - sent).as_micros()).unwrap_or(u64::MAX));
        }
    }
}

/// Answers how many groups it wrote.
fn keep(mut file: File, records: &mpsc::Receiver<Record>, bytes: usize) -> std::io::Result<u64> {
    let (mut group, mut out, mut groups) = (Vec::new(), Vec::new(), 0);
    while let Ok(first) = records.recv() {
        group.push(first);
        group.extend(records.try_iter().take(GROUP_MAX - 1));
        out.clear();
        for record in &group {
            let end = out.len() + bytes.max(HEAD_BYTES);
            out.extend_from_slice(&record.writer.to_le_bytes());
            out.extend_from_slice(&record.number.to_le_bytes());
            out.resize(end, b'x');
        }
        file.write_all(&out)?;
        file.sync_data()?;
        groups += 1;
        for record in group.drain(..) {
            // A writer that is gone needs no answer.
            record.written.send(()).ok();
        }
    }
    Ok(groups)
}
