//! Nothing outlives the program, however it ends.
//!
//! What is shared lives in statics, which are never dropped, and a program may be killed. So one small shell process holds
//! the other end of a pipe: when this process is gone, for whatever reason, the pipe closes, and the shell kills what is
//! still written down as running and removes the one directory that everything lies in.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

use super::{Error, Result, held};

const SCRIPT: &str = r#"
trap '' INT TERM HUP
cat > /dev/null
for pid in "$1"/pids/*; do
    [ -e "$pid" ] && kill -9 "${pid##*/}" 2> /dev/null
done
rm -rf "$1"
"#;

static ROOT: Mutex<Option<PathBuf>> = Mutex::new(None);

/// A new directory whose name begins with `name`, removed at the end of the program at the latest.
pub fn new_dir(name: &str) -> Result<PathBuf> {
    let dir = tempfile::Builder::new().prefix(name).tempdir_in(root()?);
    Ok(dir.map_err(Error::io("making a temporary directory"))?.keep())
}

/// Writes a process down as running.
pub fn watch(pid: u32) -> Result<()> {
    std::fs::write(note(pid)?, "").map_err(Error::io("writing a process id down"))
}

/// Strikes a process that has ended off the list.
pub fn forget(pid: u32) -> Result<()> {
    std::fs::remove_file(note(pid)?).map_err(Error::io("striking a process id off"))
}

fn note(pid: u32) -> Result<PathBuf> {
    Ok(root()?.join("pids").join(pid.to_string()))
}

fn root() -> Result<PathBuf> {
    let mut root = held(&ROOT);
    if let Some(root) = root.as_ref() {
        return Ok(root.clone());
    }
    let made = tempfile::Builder::new().prefix("talk-rig-").tempdir();
    let made = made.map_err(Error::io("making the directory of the rig"))?.keep();
    std::fs::create_dir(made.join("pids")).map_err(Error::io("making a directory for process ids"))?;
    employ(&made)?;
    Ok(root.insert(made).clone())
}

fn employ(root: &Path) -> Result<()> {
    let caretaker = Command::new("sh")
        .args(["-c", SCRIPT, "caretaker"])
        .arg(root)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .map_err(Error::io("starting sh"))?;
    // Its pipe is held open until this process ends: that is the signal.
    std::mem::forget(caretaker);
    Ok(())
}
