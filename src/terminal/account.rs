//! Who is signed in on this machine, at which hub: a file that only its owner can read.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::failure::{Failure, Result};

/// What is kept between commands.
// No `Debug`: the token is in no log.
#[derive(Serialize, Deserialize)]
pub(super) struct Account {
    pub(super) hub: String,
    pub(super) username: String,
    pub(super) token: String,
}

impl Account {
    /// The one that is signed in.
    ///
    /// # Errors
    /// The file is there and cannot be read.
    pub(super) fn load() -> Result<Option<Self>> {
        let path = path()?;
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Failure::Refused(format!("{}: {error}", path.display()))),
        };
        // The parser's words can hold parts of the file, so they are not passed on.
        let broken = |_| Failure::Refused(format!("{} cannot be understood; sign in again", path.display()));
        serde_json::from_slice(&bytes).map(Some).map_err(broken)
    }

    /// Keeps it; whole or not at all, and never readable for others.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(super) fn save(&self) -> Result<()> {
        let path = path()?;
        let failed = |error| Failure::Refused(format!("{}: {error}", path.display()));
        if let Some(folder) = path.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
        }
        let text = serde_json::to_string(self).map_err(|error| failed(error.into()))?;
        let new = path.with_extension(format!("new-{}", std::process::id()));
        let kept = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new).and_then(|mut file| {
            writeln!(file, "{text}")?;
            file.sync_all()?;
            fs::rename(&new, &path)
        });
        kept.map_err(|error| {
            let _ = fs::remove_file(&new);
            failed(error)
        })
    }

    /// Whether it is the same user at the same hub.
    pub(super) fn is_as(&self, other: &Self) -> bool {
        self.hub == other.hub && self.username == other.username
    }

    /// Keeps it, if what is kept is still the same account with the token `before`: nobody who signed out
    /// or in meanwhile is overruled.
    ///
    /// # Errors
    /// The file cannot be read or written.
    pub(super) fn save_over(&self, before: &str) -> Result<()> {
        match Self::load()? {
            Some(kept) if kept.is_as(self) && kept.token == before => self.save(),
            _ => Ok(()),
        }
    }

    /// Forgets it; whether there was one.
    ///
    /// # Errors
    /// The file cannot be removed.
    pub(super) fn forget() -> Result<bool> {
        let path = path()?;
        match fs::remove_file(&path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(Failure::Refused(format!("{}: {error}", path.display()))),
        }
    }
}

/// `$XDG_CONFIG_HOME/talk-hub/account.json`, or below `~/.config`.
fn path() -> Result<PathBuf> {
    let folder = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = folder("XDG_CONFIG_HOME").or_else(|| folder("HOME").map(|home| home.join(".config")));
    let base = base.ok_or_else(|| Failure::Usage(String::from("neither XDG_CONFIG_HOME nor HOME names a folder")))?;
    Ok(base.join("talk-hub").join("account.json"))
}
