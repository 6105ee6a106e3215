//! Nothing outlives the tests, however they end; see [`talk_load::rig::caretaker`].

use std::path::PathBuf;

/// A new directory, removed at the end of the test process at the latest.
pub(crate) fn new_dir(name: &str) -> PathBuf {
    talk_load::rig::caretaker::new_dir(name).expect("a temporary directory")
}
