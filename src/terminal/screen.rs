//! The one place that writes: stdout for what was asked for, stderr for what is said about it.
//! Colours, and how wide it is, are known here.

use std::io::{IsTerminal, Write, stderr, stdout};

use serde::Serialize;
use tokio::sync::oneshot;
use uuid::Uuid;

use super::arguments::Colours;
use super::clean;
use super::failure::{Failure, Result};

/// Columns of a terminal that does not say how wide it is.
const WIDTH: usize = 80;
/// Narrower than this nothing can be laid out.
const WIDTH_MIN: usize = 24;

/// Of the 256 colours those that can be read on dark and on light.
const NAMES: [u8; 12] = [33, 37, 67, 70, 72, 99, 133, 136, 162, 166, 167, 173];

/// How a piece of text looks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// Said by the hub or about what was said.
    Dim,
    Strong,
    /// An agent's or a chat's own colour, the same every time.
    Of(Uuid),
}

/// Where output goes.
pub(super) struct Screen {
    colours: bool,
    /// Columns, when somebody looks; a file or a program gets lines as they are.
    width: Option<usize>,
}

impl Screen {
    /// As stdout is.
    pub(super) fn open(colours: Colours) -> Self {
        let terminal = stdout().is_terminal();
        let plain = |name: &str, value: &str| std::env::var_os(name).is_some_and(|is| is == value);
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|is| !is.is_empty()) || plain("TERM", "dumb");
        let colours = match colours {
            Colours::Auto => terminal && !unwanted,
            Colours::Always => true,
            Colours::Never => false,
        };
        Self { colours, width: terminal.then(terminal_width) }
    }

    /// The text with its look, where there are colours. It must be clean.
    pub(super) fn paint(&self, look: Look, text: &str) -> String {
        if !self.colours || text.is_empty() {
            return text.to_owned();
        }
        match look {
            Look::Dim => format!("\u{1b}[2m{text}\u{1b}[0m"),
            Look::Strong => format!("\u{1b}[1m{text}\u{1b}[0m"),
            Look::Of(id) => {
                // Ids are random at their end, whoever made them.
                let colour = NAMES[usize::from(id.as_bytes()[15]) % NAMES.len()];
                format!("\u{1b}[1;38;5;{colour}m{text}\u{1b}[0m")
            }
        }
    }

    /// Columns of the screen; `None` when lines are not to be broken.
    pub(super) fn width(&self) -> Option<usize> {
        self.width
    }

    /// Writes a line, which must be clean, and sees that it is out.
    pub(super) fn line(&self, line: &str) -> Result<()> {
        let mut out = stdout().lock();
        writeln!(out, "{line}").and_then(|()| out.flush()).map_err(Failure::writing)
    }

    /// Writes a text of this program's own, as it is.
    pub(super) fn own(&self, text: &[u8]) -> Result<()> {
        let mut out = stdout().lock();
        out.write_all(text).and_then(|()| out.flush()).map_err(Failure::writing)
    }

    /// Writes a value as a line of JSON.
    pub(super) fn json<T: Serialize>(&self, value: &T) -> Result<()> {
        let text = serde_json::to_string(value).map_err(|error| Failure::Refused(error.to_string()))?;
        self.line(&clean::json(&text))
    }
}

/// Says something about what is being done, on stderr. Nobody has to read it.
pub(super) fn note(text: &str) {
    let _ = writeln!(stderr(), "{}", clean::line(text));
}

/// Says why nothing came of it, on stderr. Its lines stay lines: a list of candidates is one.
pub(super) fn trouble(text: &str) {
    let _ = writeln!(stderr(), "talk-hub: {}", clean::lines(text));
}

fn terminal_width() -> usize {
    let asked = rustix::termios::tcgetwinsize(stdout()).ok().map(|size| usize::from(size.ws_col));
    let said = || std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok());
    asked.filter(|width| *width > 0).or_else(said).unwrap_or(WIDTH).max(WIDTH_MIN)
}

/// Comes true when whoever read stdout has gone; for a command that may have nothing to write for hours.
pub(super) fn unread() -> oneshot::Receiver<()> {
    use rustix::event::{PollFd, PollFlags, poll};
    let (gone, told) = oneshot::channel();
    // Left behind when the program ends.
    std::thread::spawn(move || {
        let out = stdout();
        // Asked for nothing, a pipe only says that its other end is gone.
        let mut watched = [PollFd::new(&out, PollFlags::empty())];
        while poll(&mut watched, None).is_err() {}
        let _ = gone.send(());
    });
    told
}
