//! The baselines on Node: their packages are installed once, exactly as their lock file says, outside of the sources.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use super::servers::Program;
use super::{Error, Result};

/// How long the packages may take to come.
const INSTALL_WITHIN: Duration = Duration::from_secs(180);

/// Built into this program, so that it needs no sources where it runs.
const FILES: [(&str, &str); 4] = [
    ("package.json", include_str!("../../baselines/node/package.json")),
    ("package-lock.json", include_str!("../../baselines/node/package-lock.json")),
    ("ws.js", include_str!("../../baselines/node/ws.js")),
    ("socket.io.js", include_str!("../../baselines/node/socket.io.js")),
];

const GET_NODE: &str =
    "get Node 20 or later from https://nodejs.org or your system's packages (`apt-get install nodejs npm`)";

/// A directory with the programs and their packages.
pub(super) struct Home {
    dir: PathBuf,
    node: String,
}

impl Home {
    pub(super) fn program(&self, file: &str, args: &[String]) -> Program {
        let mut words = vec!["node".to_owned(), self.dir.join(file).to_string_lossy().into_owned()];
        words.extend_from_slice(args);
        let package = file.trim_end_matches(".js");
        Program { words, version: format!("{package} {} on node {}", self.version(package), self.node) }
    }

    /// The version of a package that is installed.
    fn version(&self, package: &str) -> String {
        let file = self.dir.join("node_modules").join(package).join("package.json");
        let text = std::fs::read_to_string(file).unwrap_or_default();
        let json: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        json["version"].as_str().unwrap_or("of unknown version").to_owned()
    }
}

/// The packages, installed by `npm ci` unless they are already there. Several programs may ask at once.
pub(super) async fn installed() -> Result<Home> {
    let version = run("node", &["--version"], None).await?;
    let node = String::from_utf8_lossy(&version.stdout).trim().to_owned();
    let dir = cache()?;
    if !dir.is_dir() {
        install(&dir).await?;
    }
    Ok(Home { dir, node })
}

/// Beside this program, below `target/`: named for what is in it, so that other files mean another directory.
fn cache() -> Result<PathBuf> {
    let here = std::env::current_exe().map_err(Error::io("asking for the own path"))?;
    let beside = here.ancestors().skip(1).find(|folder| !folder.ends_with("deps"));
    let mut hasher = DefaultHasher::new();
    FILES.hash(&mut hasher);
    Ok(beside.unwrap_or(Path::new(".")).join(format!("talk-baselines-node-{:016x}", hasher.finish())))
}

/// Into a directory of its own first, which then takes its name: what has the name is complete.
async fn install(dir: &Path) -> Result<()> {
    let parent = dir.parent().unwrap_or(Path::new("."));
    let made = tempfile::Builder::new().prefix("talk-baselines-node-new-").tempdir_in(parent);
    let made = made.map_err(Error::io("making a directory for Node packages"))?;
    for (name, text) in FILES {
        std::fs::write(made.path().join(name), text).map_err(Error::io(format!("writing {name}")))?;
    }
    run("npm", &["ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund"], Some(made.path())).await?;
    match std::fs::rename(made.path(), dir) {
        // Somebody else was faster; theirs is the same.
        Err(_) if dir.is_dir() => Ok(()),
        renamed => renamed.map_err(Error::io("naming the directory of Node packages")),
    }
}

async fn run(program: &str, args: &[&str], dir: Option<&Path>) -> Result<Output> {
    let mut command = tokio::process::Command::new(program);
    command.args(args).stdin(Stdio::null()).kill_on_drop(true);
    if let Some(dir) = dir {
        command.current_dir(dir);
    }
    let ended = tokio::time::timeout(INSTALL_WITHIN, command.output()).await;
    let output = ended
        .map_err(|_| Error::Unexpected(format!("{program} {} took longer than {INSTALL_WITHIN:?}", args.join(" "))))?
        .map_err(Error::starting(program, GET_NODE))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(Error::Unexpected(format!("{program} {} ended with {}:\n{said}", args.join(" "), output.status)));
    }
    Ok(output)
}
