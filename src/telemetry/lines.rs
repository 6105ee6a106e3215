//! Where the lines of the log go: to stderr, by a thread of their own.
//!
//! Promised: nobody who logs waits for whoever reads stderr, a full pipe or a slow disk stops no call.
//! Lines that found no room are counted, and the log says so itself. At most [`GATHER`] of the newest
//! lines is lost when the process is killed; a hub that ends by itself writes all of them, if they are
//! taken.

use std::io::{self, BufWriter, Write};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};

use super::metric;

/// How long lines gather after some were written: the next ones then cost one call, and wake nobody.
const GATHER: Duration = Duration::from_millis(5);
/// Bytes that are written in one call.
const BYTES_AT_ONCE: usize = 64 * 1024;

/// Of the one log of the process.
static DROPPED: OnceLock<ErrorCounter> = OnceLock::new();

/// The log's end that lines are given to, with room for so many; and what has the last ones written
/// when it is dropped.
pub(super) fn open(lines_max: usize) -> (NonBlocking, WorkerGuard) {
    let stderr = Gathering(BufWriter::with_capacity(BYTES_AT_ONCE, io::stderr()));
    let builder = NonBlockingBuilder::default().lossy(true).buffered_lines_limit(lines_max).thread_name("log");
    let (lines, guard) = builder.finish(stderr);
    // A second log is refused by who asked for this one.
    let _ = DROPPED.set(lines.error_counter());
    (lines, guard)
}

/// Counts what was dropped since the last time.
pub(super) fn sample() {
    static TOLD: AtomicUsize = AtomicUsize::new(0);
    let dropped = DROPPED.get().map_or(0, ErrorCounter::dropped_lines);
    let lines = dropped.saturating_sub(TOLD.swap(dropped, Ordering::Relaxed));
    if lines > 0 {
        metrics::counter!(metric::LOG_LINES_DROPPED).increment(lines as u64);
        tracing::warn!(lines, "the log is read too slowly; lines were dropped");
    }
}

/// The appender flushes when no line waits any more.
struct Gathering<W: Write>(BufWriter<W>);

impl<W: Write> Write for Gathering<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.write(line)
    }

    #[expect(clippy::disallowed_methods, reason = "the thread of the lines has nothing else to do")]
    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()?;
        thread::sleep(GATHER);
        Ok(())
    }
}
