//! What the rig promises, tried with real servers.

#![expect(clippy::expect_used, clippy::panic, reason = "this is how a test fails")]

use talk_load::rig::redis::{Fsync, Options, Server};
use talk_load::rig::topology::{Failover, Plan, Topology};

const FAILOVERS: [Failover; 4] = [Failover::Killed, Failover::Asked, Failover::Forced, Failover::Takeover];

async fn topology(plan: Plan) -> Topology {
    Topology::start(plan).await.unwrap_or_else(|error| panic!("no topology: {error}"))
}

/// By each means somebody else becomes primary, all is well again, and what was written is there.
async fn fails_over_by_every_means(topology: Topology, ways: &[Failover]) {
    for how in ways {
        let old = topology.primaries().await.expect("primaries")[0];
        let new = topology.failover(old, *how).await.unwrap_or_else(|error| panic!("{how:?}: {error}"));
        assert_ne!(new, old, "{how:?}");
        if *how == Failover::Killed {
            topology.revive(old).await.expect("it comes back");
        }
        topology.wait_healthy().await.unwrap_or_else(|error| panic!("after {how:?}: {error}"));
        let primaries = topology.primaries().await.expect("primaries");
        assert!(primaries.contains(&new) && !primaries.contains(&old), "{how:?}: {primaries:?}");
        assert!(topology.replicas_of(new).await.expect("replicas").contains(&old), "{how:?}");
    }
}

#[tokio::test]
async fn a_server_alone_keeps_what_is_on_its_disk_when_it_is_killed() {
    let server = Server::start(Options::new().append_only(Fsync::Always)).await.expect("a server");
    server.ask::<String>(&["SET", "a", "1"]).await.expect("it is set");
    server.kill().expect("it is killed");
    assert!(!server.is_running());
    server.start_again().await.expect("it comes back");
    assert_eq!(server.ask::<String>(&["GET", "a"]).await.expect("a value"), "1");
}

#[tokio::test]
async fn sentinels_fail_over_by_every_means() {
    let topology = topology(Plan::sentinel()).await;
    assert!(topology.url().starts_with("redis+sentinel://127.0.0.1:") && topology.url().ends_with("/talk"));
    fails_over_by_every_means(topology, &FAILOVERS[..2]).await;
}

#[tokio::test]
async fn a_cluster_fails_over_by_every_means() {
    fails_over_by_every_means(topology(Plan::cluster()).await, &FAILOVERS).await;
}

#[tokio::test]
async fn sentinels_fail_over_by_every_means_behind_proxies() {
    fails_over_by_every_means(topology(Plan::sentinel().proxied()).await, &FAILOVERS[..2]).await;
}

#[tokio::test]
async fn a_cluster_fails_over_by_every_means_behind_proxies() {
    fails_over_by_every_means(topology(Plan::cluster().proxied()).await, &FAILOVERS).await;
}
