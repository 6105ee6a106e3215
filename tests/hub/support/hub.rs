//! A hub as its operator has it: a process, started with settings, stopped by a signal, restarted on the same directory.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use super::caretaker;
use super::eventually::{eventually, in_time};
use super::token::{ADMIN_TOKEN, SECRET};

const BINARY: &str = env!("CARGO_BIN_EXE_talk-hub");

/// Settings by their dotted names (`limits.agent_per_second`), handed over as environment, and command line arguments.
#[derive(Clone)]
pub(crate) struct HubSettings {
    values: BTreeMap<String, String>,
    args: Vec<String>,
}

impl HubSettings {
    /// Nothing set: what a newcomer has.
    pub(crate) fn bare() -> Self {
        Self { values: BTreeMap::new(), args: Vec::new() }
    }

    /// A hub on its own directory, for tests: a free port, the known secrets, no throttling.
    pub(crate) fn embedded() -> Self {
        Self::bare()
            .set("server.bind", "127.0.0.1:0")
            .set("auth.secret", SECRET)
            .set("auth.admin_token", ADMIN_TOKEN)
            .set("limits.agent_per_second", 0)
            .set("limits.auth_per_second", 0)
            .set("server.linger_secs", 0)
            .set("store.kind", "embedded")
    }

    /// A hub on a Redis, for tests; hubs with the same `prefix` are nodes of one hub.
    pub(crate) fn redis(url: &str, prefix: &str) -> Self {
        Self::embedded().set("store.kind", "redis").set("store.url", url).set("store.prefix", prefix)
    }

    pub(crate) fn set(mut self, key: &str, value: impl ToString) -> Self {
        self.values.insert(key.to_owned(), value.to_string());
        self
    }

    pub(crate) fn unset(mut self, key: &str) -> Self {
        self.values.remove(key);
        self
    }

    pub(crate) fn arg(mut self, arg: impl Into<String>) -> Self {
        self.args.push(arg.into());
        self
    }

    fn command(&self, dir: &Path) -> Command {
        let mut command = Command::new(BINARY);
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

/// A hub that could not start, or that ended: what it left behind.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) output: String,
}

/// A running hub process. Dropping it kills the process and removes its directory.
pub(crate) struct TestHub {
    settings: HubSettings,
    dir: PathBuf,
    base: String,
    process: Child,
}

impl TestHub {
    /// Starts a hub and waits until it says that it is ready.
    pub(crate) async fn start(settings: HubSettings) -> Self {
        match Self::try_start(settings).await {
            Ok(hub) => hub,
            Err(ended) => panic!("the hub ended at its start with {}:\n{}", ended.status, ended.output),
        }
    }

    /// Starts a hub that is expected to refuse, and returns what it said.
    pub(crate) async fn refusal(settings: HubSettings) -> Ended {
        match Self::try_start(settings).await {
            Ok(hub) => panic!("the hub started; it said:\n{}", hub.output()),
            Err(ended) => ended,
        }
    }

    async fn try_start(settings: HubSettings) -> Result<Self, Ended> {
        let mut hub = Self::spawn(settings);
        hub.comes_up().await?;
        Ok(hub)
    }

    /// Starts a hub and waits for nothing: its store may be away. Then [`Self::comes_up`].
    pub(crate) fn spawn(mut settings: HubSettings) -> Self {
        let dir = caretaker::new_dir("hub-");
        if !settings.values.is_empty() && !settings.values.contains_key("store.dir") {
            settings = settings.set("store.dir", dir.join("store").display());
        }
        let process = Self::launch(&settings, &dir);
        Self { settings, dir, base: String::new(), process }
    }

    fn launch(settings: &HubSettings, dir: &Path) -> Child {
        let log = |name| File::options().create(true).append(true).open(dir.join(name)).expect("a log file");
        File::create(dir.join("stdout")).expect("an empty log file");
        let process = settings
            .command(dir)
            .stdout(log("stdout"))
            .stderr(log("stderr"))
            .spawn()
            .expect("the hub's binary can be executed");
        caretaker::watch(process.id());
        process
    }

    /// Waits until it listens and says that it is ready.
    pub(crate) async fn comes_up(&mut self) -> Result<(), Ended> {
        self.listens().await?;
        self.ready().await
    }

    /// Waits for the first line, which names the real address.
    pub(crate) async fn listens(&mut self) -> Result<(), Ended> {
        let line = eventually("the hub names its address on the first line", async || {
            let stdout = std::fs::read_to_string(self.dir.join("stdout")).expect("what the hub said");
            match stdout.split_once('\n') {
                Some((line, _)) => Some(Ok(line.to_owned())),
                None => self.ended().map(Err),
            }
        })
        .await?;
        let Some(address) = line.strip_prefix("listening on http://") else {
            panic!("the first line is not `listening on http://<address>`: {line}")
        };
        self.base = format!("http://{address}");
        Ok(())
    }

    async fn ready(&mut self) -> Result<(), Ended> {
        let url = format!("{}/health/ready", self.base);
        let http = reqwest::Client::new();
        eventually("the hub is ready", async || match http.get(&url).send().await {
            Ok(answer) if answer.status() == 200 => Some(Ok(())),
            _ => self.ended().map(Err),
        })
        .await
    }

    fn ended(&mut self) -> Option<Ended> {
        let status = self.process.try_wait().expect("the state of the hub's process")?;
        Some(Ended { status, output: self.output() })
    }

    /// `http://<address>`
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// The directory of this hub; its store is `store` in it unless the settings say otherwise.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// All that the hub wrote to stdout since its last start and to stderr since its first.
    pub(crate) fn output(&self) -> String {
        ["stdout", "stderr"].map(|name| std::fs::read_to_string(self.dir.join(name)).unwrap_or_default()).concat()
    }

    /// A sample of `/metrics`, by its name and labels; 0 while there is none.
    pub(crate) async fn metric(&self, sample: &str) -> u64 {
        let url = format!("{}/metrics", self.base);
        let read = async || reqwest::get(&url).await.ok()?.text().await.ok();
        let text = eventually("the metrics are read", read).await;
        let value = text.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
        value.map_or(0, |value| value.parse::<f64>().expect("a number") as u64)
    }

    /// Resident memory in bytes.
    pub(crate) fn resident_bytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("the process is there");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its resident size");
        let kib: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number of KiB");
        kib * 1024
    }

    /// Sends a signal by name, such as `TERM`, `STOP` or `CONT`.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.pid().to_string()]).status();
        assert!(sent.expect("kill runs").success(), "the signal {name} was not sent");
    }

    /// Waits for the process to end by itself.
    pub(crate) async fn wait(&mut self) -> Ended {
        in_time("the hub ends", eventually("the hub ends", async || self.ended())).await
    }

    /// Stops it as an operator does, and waits until it has left.
    pub(crate) async fn stop(&mut self) -> Ended {
        self.signal("TERM");
        self.wait().await
    }

    /// Kills it as a power cut does.
    pub(crate) fn kill(&mut self) {
        self.process.kill().expect("the hub is killed");
        self.process.wait().expect("the hub ends");
    }

    /// Starts it again, after [`Self::stop`] or [`Self::kill`], on the same directory and the same address.
    pub(crate) async fn start_again(&mut self) {
        assert!(self.ended().is_some(), "the hub is still running");
        caretaker::forget(self.process.id());
        let address = self.base.trim_start_matches("http://").to_owned();
        self.settings = self.settings.clone().set("server.bind", address);
        self.process = Self::launch(&self.settings, &self.dir);
        if let Err(ended) = self.comes_up().await {
            panic!("the hub ended at its second start with {}:\n{}", ended.status, ended.output);
        }
    }

    /// The last lines it wrote, for a test that failed.
    pub(crate) fn last_words(&self) -> String {
        let output = self.output();
        let lines: Vec<_> = output.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }
}

impl Drop for TestHub {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the last words of the hub at {}\n{}", self.base, self.last_words());
        }
        self.process.kill().ok();
        self.process.wait().ok();
        caretaker::forget(self.process.id());
        std::fs::remove_dir_all(&self.dir).ok();
    }
}
