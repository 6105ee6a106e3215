//! Where the lines of the log go: to stderr, by a thread of their own.
//!
//! Promised: nobody who logs waits for whoever reads stderr; a full pipe or a slow disk stops no call.
//! Lines that found no room, or could not be written, are counted, and the log says so itself. Where
//! stderr is taken at once, a process that is killed loses the lines of its last [`GATHER`], and one that
//! ends by itself loses none.

use std::io::{self, BufWriter, Write};
use std::panic::{self, PanicHookInfo};
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

/// Of the one log of the process: lines that found no room, and attempts to write that failed.
static NO_ROOM: OnceLock<ErrorCounter> = OnceLock::new();
static UNWRITTEN: AtomicUsize = AtomicUsize::new(0);

/// The log's end that lines are given to, with room for so many; and what has the last ones written
/// when it is dropped.
pub(super) fn open(lines_max: usize) -> (NonBlocking, WorkerGuard) {
    let stderr = Gathering(BufWriter::with_capacity(BYTES_AT_ONCE, io::stderr()));
    let builder = NonBlockingBuilder::default().lossy(true).buffered_lines_limit(lines_max).thread_name("log");
    let (lines, guard) = builder.finish(stderr);
    // A second log is refused by who asked for this one.
    let _ = NO_ROOM.set(lines.error_counter());
    (lines, guard)
}

/// From now on a panic is a line of the log: a thread that panics waits for nobody either.
pub(super) fn tell_of_panics() {
    panic::set_hook(Box::new(|panicked: &PanicHookInfo<'_>| tracing::error!("{panicked}")));
}

/// Counts what was lost since the last time.
pub(super) fn sample() {
    static TOLD: AtomicUsize = AtomicUsize::new(0);
    let no_room = NO_ROOM.get().map_or(0, ErrorCounter::dropped_lines);
    let lost = no_room.saturating_add(UNWRITTEN.load(Ordering::Relaxed));
    let lines = lost.saturating_sub(TOLD.swap(lost, Ordering::Relaxed));
    if lines > 0 {
        metrics::counter!(metric::LOG_LINES_DROPPED).increment(lines as u64);
        tracing::warn!(lost_so_far = lost, "stderr does not take all lines of the log; some were dropped");
    }
}

/// The appender flushes when no line waits any more.
struct Gathering<W: Write>(BufWriter<W>);

impl<W: Write> Write for Gathering<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.write(line).inspect_err(count)
    }

    #[expect(clippy::disallowed_methods, reason = "the thread of the lines has nothing else to do")]
    fn flush(&mut self) -> io::Result<()> {
        self.0.flush().inspect_err(count)?;
        thread::sleep(GATHER);
        Ok(())
    }
}

/// The appender keeps what went wrong to itself.
fn count(_: &io::Error) {
    UNWRITTEN.fetch_add(1, Ordering::Relaxed);
}
