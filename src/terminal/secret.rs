//! Asking for what nobody may see: a password or an access key, typed without an echo.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, IsTerminal, Read, Write, stdin};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use tokio::sync::oneshot;

use super::failure::{Failure, Result};

/// The longest line that is read, in bytes.
const LINE_BYTES_MAX: u64 = 64 * 1024;

/// Asks for a line in the open: on the terminal, or from stdin.
pub(super) async fn ask(question: &str) -> Result<String> {
    answer(question, true).await
}

/// Asks for a line without an echo: on the terminal, or from stdin when that is none.
pub(super) async fn ask_hidden(question: &str) -> Result<String> {
    answer(question, false).await
}

async fn answer(question: &str, echo: bool) -> Result<String> {
    if !stdin().is_terminal() {
        return read_line(&mut stdin().lock());
    }
    let reading = Failure::of("cannot ask on this terminal");
    let mut terminal = OpenOptions::new().read(true).write(true).open("/dev/tty").map_err(reading)?;
    let silence =
        if echo { None } else { Some(Silence::begin(&terminal).map_err(Failure::of("cannot hide the echo"))?) };
    // Asked only then: what is typed at once is neither shown nor thrown away.
    write!(terminal, "{question}: ").map_err(Failure::of("cannot ask on this terminal"))?;
    let answer = typed(&terminal).await;
    drop(silence);
    if !echo {
        let _ = writeln!(terminal);
    }
    answer
}

/// A line as it is typed. It is waited for on a thread of its own, so that Ctrl-C is heard meanwhile
/// and the echo can be given back.
async fn typed(terminal: &File) -> Result<String> {
    let (done, line) = oneshot::channel();
    let terminal = terminal.try_clone().map_err(Failure::of("cannot ask on this terminal"))?;
    std::thread::spawn(move || {
        let _ = done.send(read_line(&mut BufReader::new(terminal)));
    });
    tokio::select! {
        line = line => line.unwrap_or(Err(Failure::Interrupted)),
        _ = tokio::signal::ctrl_c() => Err(Failure::Interrupted),
    }
}

fn read_line(from: &mut impl BufRead) -> Result<String> {
    let mut line = String::new();
    from.take(LINE_BYTES_MAX).read_line(&mut line).map_err(Failure::of("cannot read the answer"))?;
    let line = line.trim_end_matches(['\n', '\r']);
    if line.is_empty() { Err(Failure::Usage(String::from("nothing was typed"))) } else { Ok(line.to_owned()) }
}

/// A terminal without an echo, until this is dropped.
struct Silence {
    terminal: File,
    before: Termios,
}

impl Silence {
    fn begin(terminal: &File) -> io::Result<Self> {
        let terminal = terminal.try_clone()?;
        let before = tcgetattr(&terminal)?;
        let mut silent = before.clone();
        silent.local_modes -= LocalModes::ECHO | LocalModes::ECHONL;
        tcsetattr(&terminal, OptionalActions::Flush, &silent)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        let _ = tcsetattr(&self.terminal, OptionalActions::Now, &self.before);
    }
}
