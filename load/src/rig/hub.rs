//! A hub as its operator has it: a process, started with settings, stopped by a signal, restarted on the same directory.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use super::process::Process;
use super::{Error, Result, caretaker, held, patience, ports};

/// How long a hub may take to answer a question of the rig.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// The hub's program: what `TALK_HUB_BIN` names, else this.
pub fn program(otherwise: impl Into<PathBuf>) -> PathBuf {
    std::env::var_os("TALK_HUB_BIN").map_or_else(|| otherwise.into(), PathBuf::from)
}

/// Settings by their dotted names (`limits.agent_per_second`), handed over as environment, and command line arguments.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    values: BTreeMap<String, String>,
    args: Vec<String>,
}

impl Settings {
    /// Nothing set: what a newcomer has.
    pub fn new() -> Self {
        Self::default()
    }

    /// Hands a setting over as `TALK__SECTION__KEY`.
    pub fn set(mut self, key: &str, value: impl ToString) -> Self {
        self.values.insert(key.to_owned(), value.to_string());
        self
    }

    /// Takes a setting back: the hub's default holds.
    pub fn unset(mut self, key: &str) -> Self {
        self.values.remove(key);
        self
    }

    /// One more argument.
    pub fn arg(mut self, arg: impl Into<String>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// What is set for a name.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(String::as_str)
    }

    fn command(&self, program: &Path, dir: &Path) -> Command {
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("TALK__")) {
            command.env_remove(name);
        }
        for (key, value) in &self.values {
            command.env(format!("TALK__{}", key.to_uppercase().replace('.', "__")), value);
        }
        command.args(&self.args).current_dir(dir).stdin(Stdio::null());
        command
    }
}

/// A hub process. Dropping it kills the process and removes its directory.
#[derive(Debug)]
pub struct Hub {
    program: PathBuf,
    settings: Mutex<Settings>,
    dir: PathBuf,
    base: Mutex<String>,
    process: Mutex<Option<Process>>,
    http: reqwest::Client,
}

impl Hub {
    /// Starts a hub and waits until it says that it is ready. One that refuses is [`Error::Ended`].
    ///
    /// Unless the settings name them, it listens on a port that stays free while it is down, and its store is in a
    /// directory of its own.
    pub async fn start(program: impl Into<PathBuf>, settings: Settings) -> Result<Self> {
        let settings = match settings.get("server.bind") {
            None | Some("127.0.0.1:0") => settings.set("server.bind", format!("127.0.0.1:{}", ports::free_port()?)),
            Some(_) => settings,
        };
        let hub = Self::spawn(program, settings)?;
        hub.comes_up().await?;
        Ok(hub)
    }

    /// Starts a hub with exactly these settings and waits for nothing: its store may be away. Then [`Self::comes_up`].
    /// Only `store.dir` is added, when there are settings at all.
    pub fn spawn(program: impl Into<PathBuf>, mut settings: Settings) -> Result<Self> {
        let dir = caretaker::new_dir("hub-")?;
        if !settings.values.is_empty() && settings.get("store.dir").is_none() {
            settings = settings.set("store.dir", dir.join("store").display());
        }
        let http = reqwest::Client::builder().timeout(ANSWER_WITHIN).build();
        let http = http.map_err(|source| Error::Http { url: "a new client".to_owned(), source })?;
        let hub = Self {
            program: program.into(),
            settings: Mutex::new(settings),
            dir,
            base: Mutex::default(),
            process: Mutex::default(),
            http,
        };
        hub.launch()?;
        Ok(hub)
    }

    /// Waits until it listens and says that it is ready.
    pub async fn comes_up(&self) -> Result<()> {
        self.listens().await?;
        self.ready().await
    }

    /// Waits for the first line, which names the real address.
    pub async fn listens(&self) -> Result<()> {
        let line = patience::eventually("the hub names its address on the first line", async || {
            let stdout = std::fs::read_to_string(self.dir.join("stdout")).unwrap_or_default();
            match stdout.split_once('\n') {
                Some((line, _)) => Ok(Some(line.to_owned())),
                None => self.lives().map(|()| None),
            }
        })
        .await?;
        let Some(address) = line.strip_prefix("listening on http://") else {
            return Err(Error::Unexpected(format!("the first line is not `listening on http://<address>`: {line}")));
        };
        *held(&self.base) = format!("http://{address}");
        Ok(())
    }

    /// Waits until it says that it is ready.
    pub async fn ready(&self) -> Result<()> {
        patience::eventually("the hub is ready", async || {
            self.lives()?;
            let (status, _) = self.get("/health/ready").await?;
            Ok((status == 200).then_some(()))
        })
        .await
    }

    /// Status and body of a path.
    pub async fn get(&self, path: &str) -> Result<(u16, String)> {
        let url = format!("{}{path}", self.base());
        let failed = |source| Error::Http { url: url.clone(), source };
        let answer = self.http.get(&url).send().await.map_err(failed)?;
        let status = answer.status().as_u16();
        Ok((status, answer.text().await.map_err(failed)?))
    }

    /// All samples of `/metrics`, by name and labels as they are written there.
    pub async fn metrics(&self) -> Result<BTreeMap<String, f64>> {
        let (_, text) = self.get("/metrics").await?;
        let samples = text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.rsplit_once(' '));
        Ok(samples.filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?))).collect())
    }

    /// The sum of a metric over all its labels; 0 when nothing was counted yet.
    pub async fn metric(&self, name: &str) -> Result<f64> {
        let is = |sample: &str| sample.split('{').next() == Some(name);
        Ok(self.metrics().await?.iter().filter(|(sample, _)| is(sample)).map(|(_, value)| value).sum())
    }

    /// `http://<address>`; empty until it has named it.
    pub fn base(&self) -> String {
        held(&self.base).clone()
    }

    /// The directory of this hub; its store is `store` in it unless the settings say otherwise.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Its process id; `None` while it is down.
    pub fn pid(&self) -> Option<u32> {
        held(&self.process).as_ref().map(Process::pid)
    }

    /// How it ended; `None` while it runs, a stopped one too.
    pub fn ended(&self) -> Result<Option<ExitStatus>> {
        self.with_process(Process::ended)
    }

    /// All that the hub wrote to stdout since its last start and to stderr since its first.
    pub fn output(&self) -> String {
        // A pipe that somebody put there instead would be waited for.
        let said = |path: PathBuf| path.is_file().then(|| std::fs::read_to_string(path).unwrap_or_default());
        ["stdout", "stderr"].map(|name| said(self.dir.join(name)).unwrap_or_default()).concat()
    }

    /// The last lines it wrote, for a report of a failure.
    pub fn last_words(&self) -> String {
        let output = self.output();
        let lines: Vec<_> = output.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }

    /// Resident memory in bytes.
    pub fn resident_bytes(&self) -> Result<u64> {
        self.with_process(Process::resident_bytes)
    }

    /// Open file descriptors.
    pub fn open_files(&self) -> Result<usize> {
        self.with_process(Process::open_files)
    }

    /// Sends a signal by name, such as `TERM`, `STOP` or `CONT`.
    pub fn signal(&self, name: &str) -> Result<()> {
        self.with_process(|process| process.signal(name))
    }

    /// Stops it in its tracks: its sockets stay, nothing answers.
    pub fn freeze(&self) -> Result<()> {
        self.signal("STOP")
    }

    /// Ends [`Self::freeze`].
    pub fn thaw(&self) -> Result<()> {
        self.signal("CONT")
    }

    /// Waits for the process to end by itself.
    pub async fn wait(&self) -> Result<ExitStatus> {
        patience::eventually("the hub ends", async || self.ended()).await
    }

    /// Stops it as an operator does, and waits until it has left.
    pub async fn stop(&self) -> Result<ExitStatus> {
        self.signal("TERM")?;
        self.wait().await
    }

    /// Kills it as a power cut does. Does nothing when it has ended.
    pub fn kill(&self) -> Result<()> {
        self.with_process(Process::kill)
    }

    /// Starts it again, after [`Self::stop`] or [`Self::kill`], on the same directory and the same address.
    pub async fn start_again(&self) -> Result<()> {
        self.launch_again()?;
        self.comes_up().await
    }

    /// As [`Self::start_again`], and waits for nothing.
    pub fn launch_again(&self) -> Result<()> {
        if self.ended()?.is_none() {
            return Err(Error::Unexpected("the hub is still running".to_owned()));
        }
        let address = self.base().trim_start_matches("http://").to_owned();
        if !address.is_empty() {
            self.adjust(|settings| settings.set("server.bind", &address));
        }
        self.launch()
    }

    /// Changes the settings of its next start.
    pub fn adjust(&self, change: impl FnOnce(Settings) -> Settings) {
        let mut settings = held(&self.settings);
        *settings = change(std::mem::take(&mut settings));
    }

    fn launch(&self) -> Result<()> {
        let log = |name: &str| {
            let path = self.dir.join(name);
            File::options().create(true).append(true).open(&path).map_err(Error::io(path.display().to_string()))
        };
        // The old process must be gone before the file is emptied that its address is read from.
        drop(held(&self.process).take());
        File::create(self.dir.join("stdout")).map_err(Error::io("emptying a log file"))?;
        let mut command = held(&self.settings).command(&self.program, &self.dir);
        command.stdout(log("stdout")?).stderr(log("stderr")?);
        *held(&self.process) = Some(Process::spawn(&mut command)?);
        Ok(())
    }

    /// An error when the process has ended.
    fn lives(&self) -> Result<()> {
        match self.ended()? {
            None => Ok(()),
            Some(status) => Err(Error::Ended { program: "the hub".to_owned(), status, output: self.output() }),
        }
    }

    fn with_process<T>(&self, ask: impl FnOnce(&Process) -> Result<T>) -> Result<T> {
        match held(&self.process).as_ref() {
            Some(process) => ask(process),
            None => Err(Error::Unexpected("the hub was not started".to_owned())),
        }
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        // The process goes first, or it would write into what is being removed.
        drop(held(&self.process).take());
        std::fs::remove_dir_all(&self.dir).ok();
    }
}
