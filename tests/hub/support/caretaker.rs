//! Nothing outlives the tests, however they end.
//!
//! Hubs shared by several tests live in statics, which are never dropped, and a test process may be killed. So one small
//! shell process holds the other end of a pipe: when this process is gone, for whatever reason, the pipe closes, and the
//! shell kills what is still written down as running and removes the tests' directory.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

const SCRIPT: &str = r#"
trap '' INT TERM HUP
cat > /dev/null
for pid in "$1"/pids/*; do
    [ -e "$pid" ] && kill -9 "${pid##*/}" 2> /dev/null
done
rm -rf "$1"
"#;

static ROOT: LazyLock<PathBuf> = LazyLock::new(|| {
    let root = tempfile::Builder::new().prefix("talk-hub-tests-").tempdir().expect("a temporary directory").keep();
    std::fs::create_dir(root.join("pids")).expect("a directory for process ids");
    let caretaker = Command::new("sh")
        .args(["-c", SCRIPT, "caretaker"])
        .arg(&root)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .expect("sh starts");
    // Held open until this process ends: that is the signal.
    std::mem::forget(caretaker);
    root
});

/// A new directory, removed at the end of the test process at the latest.
pub(crate) fn new_dir(name: &str) -> PathBuf {
    tempfile::Builder::new().prefix(name).tempdir_in(&*ROOT).expect("a temporary directory").keep()
}

/// Writes a process down as running.
pub(crate) fn watch(pid: u32) {
    std::fs::write(note(pid), "").expect("the process id is written down");
}

/// Strikes a process that has ended off the list.
pub(crate) fn forget(pid: u32) {
    std::fs::remove_file(note(pid)).expect("the process id was written down");
}

fn note(pid: u32) -> PathBuf {
    Path::new(&*ROOT).join("pids").join(pid.to_string())
}
