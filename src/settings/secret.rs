//! Values that nobody may see: they never print themselves. And the secret that an embedded hub
//! makes for itself.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use serde::Deserialize;

use super::{Settings, SettingsError, StoreKind};

/// A text that `Debug` does not show.
#[derive(Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Keeps the text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself: for the one place that uses it, never for a log line.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether nothing was set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "(empty)" } else { "(hidden)" })
    }
}

const FILE: &str = "secret";
/// Bytes of a secret that is made here; it is written as hex.
const SECRET_BYTES: usize = 32;

impl Settings {
    /// Fills in `auth.secret` if it is empty: with the one kept as `secret` in `store.dir`, which
    /// is made on the first start and readable by the hub's user only. Tokens given out before a
    /// restart thus stay good. With Redis nothing is filled in: several hubs need the same one.
    ///
    /// # Errors
    /// The file can be neither read nor made, or was cut short.
    pub fn ensure_secret(&mut self) -> Result<(), SettingsError> {
        if self.auth.secret.is_empty() && self.store.kind == StoreKind::Embedded {
            self.auth.secret = Secret(kept_in(&self.store.dir)?);
        }
        Ok(())
    }
}

fn kept_in(dir: &Path) -> Result<String, SettingsError> {
    let path = dir.join(FILE);
    let wrong = |error: &dyn fmt::Display| {
        SettingsError::new("auth.secret", format!("cannot be kept in {}: {error}", path.display()))
    };
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(|error| wrong(&error))?;
    match fs::read_to_string(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => make(dir, &path).map_err(|error| wrong(&error))?,
        Err(error) => return Err(wrong(&error)),
        Ok(_) => {}
    }
    let text = fs::read_to_string(&path).map_err(|error| wrong(&error))?;
    let secret = text.trim().to_owned();
    if secret.len() < SECRET_BYTES * 2 {
        return Err(wrong(&"the file was cut short; remove it to have a new one made"));
    }
    Ok(secret)
}

/// Writes a new secret beside its place and links it there: whole or not at all, and when two do
/// so at once the first one counts.
fn make(dir: &Path, path: &Path) -> std::io::Result<()> {
    let bytes: [u8; SECRET_BYTES] = rand::random();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let draft = dir.join(format!("{FILE}.{}", std::process::id()));
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    file.write_all(hex.as_bytes())?;
    file.sync_all()?;
    let linked = match fs::hard_link(&draft, path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        other => other,
    };
    fs::remove_file(&draft)?;
    linked?;
    File::open(dir)?.sync_all()
}
