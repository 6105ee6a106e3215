//! How far a transfer is, on stderr: a bar where somebody looks, else a line when it begins and ends.

use std::cell::Cell;
use std::io::{IsTerminal, Write, stderr};
use std::time::{Duration, Instant};

use super::clean;
use super::screen::note;
use super::wrapping::{padded, shortened};

/// Time between two pictures of a bar.
const EVERY: Duration = Duration::from_millis(100);
/// Columns of the bar, and of what it is about.
const BAR: usize = 24;
const LABEL: usize = 32;

/// A transfer of so many bytes.
pub(super) struct Progress {
    label: String,
    total: u64,
    done: Cell<u64>,
    drawn: Cell<Option<Instant>>,
    terminal: bool,
}

impl Progress {
    /// `doing` and `name` say what it is, such as `uploading` and a file's name.
    pub(super) fn begin(doing: &str, name: &str, total: u64) -> Self {
        let terminal = stderr().is_terminal();
        let label = clean::line(name);
        if !terminal {
            note(&format!("{doing} {label} ({})", size(total)));
        }
        Self { label, total, done: Cell::new(0), drawn: Cell::new(None), terminal }
    }

    /// So many bytes more have gone.
    pub(super) fn moved(&self, bytes: usize) {
        self.done.set(self.done.get() + bytes as u64);
        if self.terminal && self.drawn.get().is_none_or(|drawn| drawn.elapsed() >= EVERY) {
            self.drawn.set(Some(Instant::now()));
            self.draw();
        }
    }

    /// Bytes that have gone.
    pub(super) fn done(&self) -> u64 {
        self.done.get()
    }

    /// All has gone.
    pub(super) fn end(self, said: &str) {
        if self.terminal {
            self.draw();
        } else {
            note(&format!("{said} {} ({})", self.label, size(self.done.get())));
        }
    }

    fn draw(&self) {
        let (done, total) = (self.done.get().min(self.total), self.total.max(1));
        let full = usize::try_from(done * BAR as u64 / total).unwrap_or(BAR);
        let label = padded(&shortened(&self.label, LABEL), LABEL);
        let bar = format!("{}{}", "█".repeat(full), "░".repeat(BAR - full));
        let _ = write!(stderr(), "\r{label} {bar} {:>3}%  {}\u{1b}[K", done * 100 / total, size(self.total));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.terminal && self.drawn.get().is_some() {
            let _ = writeln!(stderr());
        }
    }
}

/// Bytes as people say them.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1024 {
        return format!("{bytes} bytes");
    }
    let mut size = bytes as f64 / 1024.0;
    let mut unit = 0;
    while size >= 1024.0 && unit + 1 < UNITS.len() {
        size /= 1024.0;
        unit += 1;
    }
    format!("{size:.1} {}", UNITS[unit])
}
