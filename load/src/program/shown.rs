//! `talk-load report` and `talk-load compare`: results, for people.

use std::path::{Path, PathBuf};

use clap::Args;

use super::{Result, said};
use crate::lab::voice::say;
use crate::report::{self, compare::Compared};
use crate::results::File;

/// A page of a result.
#[derive(Debug, Args)]
pub(super) struct Report {
    /// What a run wrote.
    result: PathBuf,
    /// Where the page goes; beside the result if it is not said.
    #[arg(long)]
    out: Option<PathBuf>,
}

impl Report {
    pub(super) fn run(&self) -> Result<bool> {
        let file = File::read(&self.result).map_err(said)?;
        let out = self.out.clone().unwrap_or_else(|| self.result.with_extension("html"));
        write(&out, &report::page(&file))?;
        Ok(true)
    }
}

/// Two results side by side.
#[derive(Debug, Args)]
pub(super) struct Compare {
    /// What was before.
    old: PathBuf,
    /// What is now.
    new: PathBuf,
    /// A page, too, and where it goes.
    #[arg(long)]
    out: Option<PathBuf>,
}

impl Compare {
    pub(super) fn run(&self) -> Result<bool> {
        let (old, new) = (File::read(&self.old).map_err(said)?, File::read(&self.new).map_err(said)?);
        let (old_name, new_name) = names(&self.old, &self.new);
        let compared = Compared { old_name: &old_name, old: &old, new_name: &new_name, new: &new };
        say(compared.text().trim_end());
        if let Some(out) = &self.out {
            write(out, &compared.html())?;
        }
        Ok(true)
    }
}

/// The names of the files; with their folders where they are the same.
fn names(old: &Path, new: &Path) -> (String, String) {
    let short = |path: &Path| path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let (old_name, new_name) = (short(old), short(new));
    if old_name == new_name {
        return (old.display().to_string(), new.display().to_string());
    }
    (old_name, new_name)
}

fn write(path: &Path, page: &str) -> Result<()> {
    std::fs::write(path, page).map_err(|error| format!("{}: {error}", path.display()))?;
    say(&format!("page: {}", path.display()));
    Ok(())
}
