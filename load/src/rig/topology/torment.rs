//! What befalls all servers of a topology at once, and counting what they did.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Member, Topology};
use crate::rig::proxy::{EVERYBODY, Fault, Peer, Toward};
use crate::rig::{Error, Result};

/// Commands that are about the server or the connection, not about data: left out by [`Topology::key_commands`].
const ABOUT_THE_SERVER: &[&str] = &[
    "acl",
    "asking",
    "auth",
    "client",
    "cluster",
    "command",
    "config",
    "debug",
    "discard",
    "echo",
    "exec",
    "failover",
    "hello",
    "info",
    "latency",
    "memory",
    "monitor",
    "multi",
    "ping",
    "psubscribe",
    "psync",
    "pubsub",
    "punsubscribe",
    "quit",
    "readonly",
    "replconf",
    "replicaof",
    "role",
    "script",
    "select",
    "sentinel",
    "shutdown",
    "slaveof",
    "slowlog",
    "ssubscribe",
    "subscribe",
    "sunsubscribe",
    "time",
    "unsubscribe",
    "unwatch",
    "wait",
    "waitaof",
];

impl Topology {
    /// Closes all connections of a kind on all servers: `normal`, `pubsub`, `replica`. Says how many.
    pub async fn client_kill(&self, kind: &str) -> Result<u64> {
        let mut killed = 0;
        for server in self.running() {
            killed += server.ask::<u64>(&["CLIENT", "KILL", "TYPE", kind]).await?;
        }
        Ok(killed)
    }

    /// All servers let their clients wait this long. Sentinels and the Cluster may take it for death.
    pub async fn pause(&self, pause: Duration) -> Result<()> {
        for server in self.running() {
            server.ask::<String>(&["CLIENT", "PAUSE", &pause.as_millis().to_string(), "ALL"]).await?;
        }
        Ok(())
    }

    /// This is now wrong with the wires of these peers, before all servers, and nothing else. Needs [`Plan::proxied`].
    pub fn set(&self, peers: &[Peer], fault: Fault) -> Result<()> {
        for member in &self.members {
            let proxy = member.proxy.as_ref();
            proxy.ok_or_else(|| Error::Unexpected("this topology has no proxies".to_owned()))?.set(peers, fault);
        }
        Ok(())
    }

    /// From now on replicas get nothing of what their primaries say, and neither of them can tell.
    pub fn lose_replication(&self) -> Result<()> {
        self.set(&[Peer::Replica], Fault::drop(Toward::Client))
    }

    /// Nothing is wrong with any wire any more.
    pub fn heal(&self) {
        for proxy in self.members.iter().filter_map(Member::proxy) {
            proxy.set(&EVERYBODY, Fault::default());
        }
    }

    /// How often each command was run since the servers' starts, over all that live; subcommands are told apart by `|`.
    pub async fn commands(&self) -> Result<BTreeMap<String, u64>> {
        let mut sums = BTreeMap::new();
        for server in self.running() {
            let info: String = server.ask(&["INFO", "commandstats"]).await?;
            for line in info.lines().filter_map(|line| line.strip_prefix("cmdstat_")) {
                let Some((name, rest)) = line.split_once(":calls=") else { continue };
                let calls: u64 = rest.split(',').next().and_then(|calls| calls.parse().ok()).unwrap_or_default();
                *sums.entry(name.to_owned()).or_default() += calls;
            }
        }
        Ok(sums)
    }

    /// How many commands about data were run since the servers' starts; those that scripts ran count too.
    pub async fn key_commands(&self) -> Result<u64> {
        let about_data = |name: &str| !ABOUT_THE_SERVER.contains(&name.split('|').next().unwrap_or(name));
        Ok(self.commands().await?.iter().filter(|(name, _)| about_data(name)).map(|(_, calls)| calls).sum())
    }
}
