//! A hub as its operator has it: a process, started with settings, stopped by a signal, restarted on the same directory.
//!
//! The process is the rig's ([`talk_load::rig::hub`]); here it speaks of tests: what fails, fails the test.

use std::path::Path;
use std::process::ExitStatus;

use talk_load::rig::hub::{Hub, Settings};
use talk_load::rig::{Error, patience};

use super::token::{ADMIN_TOKEN, SECRET};

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_talk-hub");

/// Settings by their dotted names (`limits.agent_per_second`), handed over as environment, and command line arguments.
#[derive(Clone)]
pub(crate) struct HubSettings(Settings);

impl HubSettings {
    /// Nothing set: what a newcomer has.
    pub(crate) fn bare() -> Self {
        Self(Settings::new())
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

    pub(crate) fn set(self, key: &str, value: impl ToString) -> Self {
        Self(self.0.set(key, value))
    }

    pub(crate) fn unset(self, key: &str) -> Self {
        Self(self.0.unset(key))
    }

    pub(crate) fn arg(self, arg: impl Into<String>) -> Self {
        Self(self.0.arg(arg))
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
    hub: Hub,
    base: String,
}

impl TestHub {
    /// Starts a hub and waits until it says that it is ready.
    pub(crate) async fn start(settings: HubSettings) -> Self {
        let mut hub = Self::spawn(settings);
        match hub.comes_up().await {
            Ok(()) => hub,
            Err(ended) => panic!("the hub ended at its start with {}:\n{}", ended.status, ended.output),
        }
    }

    /// Starts a hub that is expected to refuse, and returns what it said.
    pub(crate) async fn refusal(settings: HubSettings) -> Ended {
        let mut hub = Self::spawn(settings);
        match hub.comes_up().await {
            Ok(()) => panic!("the hub started; it said:\n{}", hub.output()),
            Err(ended) => ended,
        }
    }

    /// Starts a hub and waits for nothing: its store may be away. Then [`Self::comes_up`].
    pub(crate) fn spawn(settings: HubSettings) -> Self {
        let hub = Hub::spawn(BINARY, settings.0).expect("the hub's binary can be executed");
        Self { hub, base: String::new() }
    }

    /// Waits until it listens and says that it is ready.
    pub(crate) async fn comes_up(&mut self) -> Result<(), Ended> {
        self.listens().await?;
        self.hub.ready().await.or_else(ended)
    }

    /// Waits for the first line, which names the real address.
    pub(crate) async fn listens(&mut self) -> Result<(), Ended> {
        self.hub.listens().await.or_else(ended)?;
        self.base = self.hub.base();
        // Now, and not when a test that has broken something opens its first socket.
        super::asyncapi::of(&self.base).await;
        Ok(())
    }

    /// `http://<address>`
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// The directory of this hub; its store is `store` in it unless the settings say otherwise.
    pub(crate) fn dir(&self) -> &Path {
        self.hub.dir()
    }

    /// All that the hub wrote to stdout since its last start and to stderr since its first.
    pub(crate) fn output(&self) -> String {
        self.hub.output()
    }

    /// [`Self::output`] up to now: the log is written a moment after it is told. Only where calls are logged.
    pub(crate) async fn whole_output(&self) -> String {
        let marker = format!("/marker-{}", super::random_id());
        self.hub.get(&marker).await.expect("an answer");
        patience::eventually("the marker is in the log", async || {
            let output = self.output();
            Ok(output.contains(&marker).then_some(output))
        })
        .await
        .expect("the marker")
    }

    /// A sample of `/metrics`, by its name and labels; 0 while there is none.
    pub(crate) async fn metric(&self, sample: &str) -> u64 {
        let read = async || self.hub.metrics().await.map(Some);
        let samples = patience::eventually("the metrics are read", read).await.expect("the metrics");
        samples.get(sample).map_or(0, |value| *value as u64)
    }

    /// Resident memory in bytes.
    pub(crate) fn resident_bytes(&self) -> u64 {
        self.hub.resident_bytes().expect("the process is there")
    }

    /// Sends a signal by name, such as `TERM`, `STOP` or `CONT`.
    pub(crate) fn signal(&self, name: &str) {
        self.hub.signal(name).expect("the signal is sent");
    }

    /// Waits for the process to end by itself.
    pub(crate) async fn wait(&mut self) -> Ended {
        let status = self.hub.wait().await.expect("the hub ends");
        Ended { status, output: self.output() }
    }

    /// Stops it as an operator does, and waits until it has left.
    pub(crate) async fn stop(&mut self) -> Ended {
        self.signal("TERM");
        self.wait().await
    }

    /// Kills it as a power cut does.
    pub(crate) fn kill(&mut self) {
        self.hub.kill().expect("the hub is killed");
    }

    /// Starts it again, after [`Self::stop`] or [`Self::kill`], on the same directory and the same address.
    pub(crate) async fn start_again(&mut self) {
        self.hub.launch_again().expect("the hub has ended before");
        if let Err(ended) = self.comes_up().await {
            panic!("the hub ended at its second start with {}:\n{}", ended.status, ended.output);
        }
    }

    /// The last lines it wrote, for a test that failed.
    pub(crate) fn last_words(&self) -> String {
        self.hub.last_words()
    }
}

/// Its end, if that is why it failed.
fn ended(error: Error) -> Result<(), Ended> {
    match error {
        Error::Ended { status, output, .. } => Err(Ended { status, output }),
        error => panic!("{error}"),
    }
}

impl Drop for TestHub {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the last words of the hub at {}\n{}", self.base, self.last_words());
        }
    }
}
