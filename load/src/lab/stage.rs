//! What a run is played on: a topology of Redis servers behind proxies, and three hubs on it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::people::{ADMIN_TOKEN, SECRET};
use super::plan::{Durability, Topology};
use crate::rig::hub::{Hub, Settings};
use crate::rig::proxy::{EVERYBODY, Fault};
use crate::rig::redis::{Fsync, Options};
use crate::rig::topology::Plan;
use crate::rig::{self, caretaker};

/// Hubs of a run.
pub const HUBS: usize = 3;

/// What to start.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The hub's program.
    pub hub: PathBuf,
    pub topology: Topology,
    pub durability: Durability,
    /// Settings of the hubs besides the lab's own, by dotted name.
    pub settings: Vec<(String, String)>,
}

/// The servers and the hubs. Dropping it ends them all.
#[derive(Debug)]
pub struct Stage {
    pub hubs: Vec<Hub>,
    pub redis: rig::Topology,
}

impl Stage {
    /// Starts everything and waits until all is well.
    ///
    /// # Errors
    /// Something does not start; a hub's last words are in it.
    pub async fn start(wanted: &Wanted) -> rig::Result<Self> {
        let plan = match wanted.topology {
            Topology::Standalone => Plan::standalone(),
            // One replica, so that whoever takes over is the one whose word was waited for.
            Topology::Sentinel => Plan::sentinel().replicas(1),
            Topology::Cluster => Plan::cluster(),
        };
        let redis = rig::Topology::start(plan.options(Options::new().append_only(Fsync::Always)).proxied()).await?;
        let settings = settings(wanted, &redis.url())?;
        let mut hubs = Vec::new();
        for _ in 0..HUBS {
            hubs.push(Hub::start(&wanted.hub, settings.clone()).await?);
        }
        Ok(Self { hubs, redis })
    }

    /// The addresses of the hubs, which they keep.
    #[must_use]
    pub fn addresses(&self) -> Vec<String> {
        self.hubs.iter().map(Hub::base).collect()
    }

    /// Mends everything, and waits until all is well.
    ///
    /// # Errors
    /// It does not get well in time.
    pub async fn heal(&self) -> rig::Result<()> {
        self.redis.heal();
        self.redis.set(&EVERYBODY, Fault::default())?;
        for (place, member) in self.redis.members().iter().enumerate() {
            member.server().thaw().ok();
            if !member.server().is_running() {
                self.redis.revive(place).await?;
            }
            member.server().ask::<String>(&PUBSUB_LIMIT).await?;
        }
        self.redis.wait_healthy().await?;
        for hub in &self.hubs {
            hub.thaw().ok();
            if hub.ended()?.is_some() {
                hub.start_again().await?;
            }
            hub.ready().await?;
        }
        Ok(())
    }

    /// Keeps what the hubs wrote beside the record.
    pub fn keep_logs(&self, dir: &Path) {
        for (number, hub) in self.hubs.iter().enumerate() {
            std::fs::write(dir.join(format!("hub-{number}.log")), hub.output()).ok();
        }
    }
}

/// What Redis has by default for its subscribers.
pub const PUBSUB_LIMIT: [&str; 4] = ["CONFIG", "SET", "client-output-buffer-limit", "pubsub 32mb 8mb 60"];

/// What the lab's hubs are started with. Short times, so that what takes long in a year happens in a minute.
fn settings(wanted: &Wanted, url: &str) -> rig::Result<Settings> {
    let files = caretaker::new_dir("files-")?;
    let mut settings = Settings::new()
        .set("auth.secret", SECRET)
        .set("auth.admin_token", ADMIN_TOKEN)
        .set("limits.agent_per_second", 0)
        .set("limits.auth_per_second", 0)
        .set("limits.idempotency_keys_per_hour", 10_000_000)
        // The end of a run reads all of it again.
        .set("limits.resume_events_max", 1_000_000)
        .set("store.kind", "redis")
        .set("store.url", url)
        .set("store.wait_ms", 2_000)
        .set("files.url", format!("file://{}", files.display()))
        .set("server.ping_secs", 2)
        .set("server.drain_secs", 1);
    // Left out at the default, so that hubs that do not know it yet can be tried too.
    if wanted.durability != Durability::Memory {
        settings = settings.set("store.durability", wanted.durability.name()).set("store.durable_ms", 1_500);
    }
    for (key, value) in &wanted.settings {
        settings = settings.set(key, value);
    }
    Ok(settings)
}

/// Milliseconds as a time.
#[must_use]
pub fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}
