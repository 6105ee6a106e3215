//! What the rig promises, tried with real servers.

#![expect(clippy::expect_used, clippy::panic, reason = "this is how a test fails")]

use std::time::{Duration, Instant};

use talk_load::rig::patience::patience;
use talk_load::rig::proxy::{EVERYBODY, Fault, Peer, Proxy, Pushes, Toward};
use talk_load::rig::redis::{Fsync, Options, Server};
use talk_load::rig::topology::{Failover, Plan, Topology};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

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

/// How often the failovers with lost bytes are repeated: `TALK_RIG_ROUNDS`, 2 if unset.
fn rounds() -> u64 {
    std::env::var("TALK_RIG_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(2)
}

/// Appends entries on one connection, and says how many replicas have them all within this time.
async fn append(server: &Server, count: usize, within: Duration) -> u64 {
    let mut connection = server.connect().await.expect("a connection");
    let mut entries = redis::pipe();
    for _ in 0..count {
        entries.cmd("XADD").arg("log").arg("*").arg("text").arg("x".repeat(300)).ignore();
    }
    entries.query_async::<()>(&mut connection).await.expect("appended");
    let millis = u64::try_from(within.as_millis()).expect("few");
    redis::cmd("WAIT").arg(1).arg(millis).query_async(&mut connection).await.expect("a count")
}

/// What is acknowledged while replication loses bytes is gone after the failover, and `WAIT` would have told.
async fn loses_what_was_not_replicated(topology: Topology, how: impl Fn(u64) -> Failover) {
    const ENTRIES: usize = 200;
    for round in 1..=rounds() {
        let old = topology.owner_of_log().await;
        let begin = Instant::now();
        assert_eq!(append(topology.server(old).expect("a server"), ENTRIES, Duration::from_secs(1)).await, 1);
        topology.lose_replication().expect("proxies");
        assert_eq!(append(topology.server(old).expect("a server"), ENTRIES, Duration::from_millis(100)).await, 0);
        let new = topology.failover(old, how(round)).await.unwrap_or_else(|error| panic!("round {round}: {error}"));
        topology.heal();
        topology.revive_if_down(old).await;
        topology.wait_healthy().await.unwrap_or_else(|error| panic!("round {round}: {error}"));
        for place in [new, old] {
            let server = topology.server(place).expect("a server");
            let mut connection = server.connect().await.expect("a connection");
            redis::cmd("READONLY").query_async::<redis::Value>(&mut connection).await.ok();
            let left: u64 = redis::cmd("XLEN").arg("log").query_async(&mut connection).await.expect("a length");
            assert_eq!(left, ENTRIES as u64 * round, "round {round}, server {place}");
        }
        eprintln!("round {round}: {:?}", begin.elapsed());
    }
}

/// What these tests ask of a topology beyond what it offers.
trait Asked {
    async fn owner_of_log(&self) -> usize;
    async fn revive_if_down(&self, member: usize);
}

impl Asked for Topology {
    async fn owner_of_log(&self) -> usize {
        let primaries = self.primaries().await.expect("primaries");
        if primaries.len() == 1 {
            return primaries[0];
        }
        let slot = self.slot_of("log").await.expect("a slot");
        self.owner_of(slot).await.expect("an owner")
    }

    async fn revive_if_down(&self, member: usize) {
        if !self.server(member).expect("a server").is_running() {
            self.revive(member).await.expect("it comes back");
        }
    }
}

#[tokio::test]
async fn sentinels_promote_a_replica_that_missed_what_was_acknowledged() {
    let topology = topology(Plan::sentinel().replicas(1).proxied()).await;
    let how = |round| if round % 2 == 1 { Failover::Killed } else { Failover::Asked };
    loses_what_was_not_replicated(topology, how).await;
}

#[tokio::test]
async fn a_cluster_promotes_a_replica_that_missed_what_was_acknowledged() {
    let how = |round| if round % 2 == 1 { Failover::Killed } else { Failover::Takeover };
    loses_what_was_not_replicated(topology(Plan::cluster().proxied()).await, how).await;
}

#[tokio::test]
async fn a_slot_is_moved_with_its_keys_and_can_be_held_half_way() {
    let topology = topology(Plan::cluster()).await;
    let slot = topology.slot_of("{chat}").await.expect("a slot");
    let from = topology.owner_of(slot).await.expect("an owner");
    let to = (from + 1) % 3;
    let giver = topology.server(from).expect("a server");
    let taker = topology.server(to).expect("a server");
    for number in 0..30 {
        giver.ask::<String>(&["SET", &format!("{{chat}}{number}"), "x"]).await.expect("it is set");
    }
    let held = async |server: &Server| -> usize {
        server.ask(&["CLUSTER", "COUNTKEYSINSLOT", &slot.to_string()]).await.expect("a count")
    };

    let moving = topology.begin_move(slot, to).await.expect("it begins");
    assert_eq!(moving.carry(10).await.expect("keys move"), 10);
    assert_eq!((held(giver).await, held(taker).await), (20, 10));
    let refused = giver.ask::<String>(&["GET", "{chat}new"]).await.expect_err("it is not here").to_string();
    assert!(refused.contains("Ask"), "{refused}");
    moving.call_off().await.expect("it is called off");
    assert_eq!((held(giver).await, held(taker).await), (30, 0));
    giver.ask::<Option<String>>(&["GET", "{chat}new"]).await.expect("it is here if anywhere");

    topology.reshard([slot], to).await.expect("it moves");
    assert_eq!((held(giver).await, held(taker).await), (0, 30));
    assert_eq!(topology.owner_of(slot).await.expect("an owner"), to);
    topology.wait_healthy().await.expect("all is well");
}

/// A plain connection: what is written and what comes back, byte by byte.
struct Plain(TcpStream);

impl Plain {
    async fn to(port: u16) -> Self {
        Self(TcpStream::connect(("127.0.0.1", port)).await.expect("a connection"))
    }

    async fn say(&mut self, line: &str) {
        self.0.write_all(format!("{line}\r\n").as_bytes()).await.expect("it is sent");
    }

    /// Everything up to `end`.
    async fn hear(&mut self, end: &str) -> String {
        let mut heard = Vec::new();
        while !heard.ends_with(end.as_bytes()) {
            let byte = tokio::time::timeout(patience(), self.0.read_u8()).await;
            heard.push(byte.unwrap_or_else(|_| panic!("in vain: {heard:?}")).expect("the connection stays"));
        }
        String::from_utf8(heard).expect("text")
    }

    /// Whether it ends, while patience lasts.
    async fn ends(&mut self) -> bool {
        tokio::time::timeout(patience(), self.0.read_u8()).await.expect("it ends").is_err()
    }
}

async fn wire() -> (Server, Proxy) {
    let server = Server::start(Options::new()).await.expect("a server");
    let proxy = Proxy::to(server.port()).await.expect("a proxy");
    (server, proxy)
}

/// The numbers that a subscriber hears of those published, up to the last one.
async fn heard_of(pushes: Pushes, hello: &str, published: u64) -> (Vec<u64>, Proxy) {
    let (server, proxy) = wire().await;
    let mut subscriber = Plain::to(proxy.port()).await;
    subscriber.say(hello).await;
    subscriber.say("SUBSCRIBE numbers").await;
    subscriber.hear("subscribe\r\n$7\r\nnumbers\r\n:1\r\n").await;
    proxy.set(&[Peer::Client], Fault::pushes(pushes));
    for number in 1..=published {
        server.ask::<u64>(&["PUBLISH", "numbers", &number.to_string()]).await.expect("published");
    }
    server.ask::<u64>(&["PUBLISH", "numbers", "end"]).await.expect("published");
    let heard = subscriber.hear("\r\nend\r\n").await;
    let words: Vec<_> = heard.split("\r\n").collect();
    let numbers = words.windows(3).filter(|three| three[0] == "numbers").filter_map(|three| three[2].parse().ok());
    (numbers.collect(), proxy)
}

#[tokio::test]
async fn a_wire_loses_exactly_every_third_push() {
    for hello in ["HELLO 3", "HELLO 2"] {
        let (heard, proxy) = heard_of(Pushes::Lose { every: 3 }, hello, 30).await;
        assert_eq!(heard, (1..=30).filter(|number| number % 3 != 0).collect::<Vec<_>>(), "{hello}");
        assert_eq!((proxy.pushes(), proxy.lost(), proxy.repeated()), (31, 10, 0), "{hello}");
    }
}

#[tokio::test]
async fn a_wire_repeats_exactly_every_third_push() {
    let (heard, proxy) = heard_of(Pushes::Repeat { every: 3 }, "HELLO 3", 30).await;
    let twice = |number: u64| std::iter::repeat_n(number, if number.is_multiple_of(3) { 2 } else { 1 });
    assert_eq!(heard, (1..=30).flat_map(twice).collect::<Vec<_>>());
    assert_eq!((proxy.pushes(), proxy.lost(), proxy.repeated()), (31, 0, 10));
}

#[tokio::test]
async fn a_wire_swallows_and_the_connection_stays_until_bytes_would_pass_again() {
    let (_server, proxy) = wire().await;
    let mut plain = Plain::to(proxy.port()).await;
    plain.say("PING").await;
    plain.hear("+PONG\r\n").await;
    proxy.set(&[Peer::Replica], Fault::drop(Toward::Both));
    plain.say("PING").await;
    plain.hear("+PONG\r\n").await;
    proxy.set(&EVERYBODY, Fault::drop(Toward::Client));
    plain.say("PING").await;
    let silent = tokio::time::timeout(Duration::from_millis(200), plain.0.read_u8()).await;
    assert!(silent.is_err(), "nothing comes, and the connection stays: {silent:?}");
    assert_eq!(proxy.dropped_bytes(), 7);
    proxy.heal();
    assert!(plain.ends().await);
}

#[tokio::test]
async fn a_wire_holds_back_and_loses_nothing() {
    let (_server, proxy) = wire().await;
    let mut plain = Plain::to(proxy.port()).await;
    proxy.set(&EVERYBODY, Fault::hold(Toward::Client));
    plain.say("PING").await;
    let silent = tokio::time::timeout(Duration::from_millis(200), plain.0.read_u8()).await;
    assert!(silent.is_err(), "nothing comes, and the connection stays: {silent:?}");
    proxy.heal();
    plain.hear("+PONG\r\n").await;
}

#[tokio::test]
async fn a_wire_is_cut_refuses_and_lets_pass_again() {
    let (_server, proxy) = wire().await;
    let mut plain = Plain::to(proxy.port()).await;
    plain.say("PING").await;
    plain.hear("+PONG\r\n").await;
    proxy.cut(&[Peer::Sentinel]);
    plain.say("PING").await;
    plain.hear("+PONG\r\n").await;
    proxy.cut(&[Peer::Client]);
    assert!(plain.ends().await);
    proxy.set(&[Peer::Client], Fault::refuse());
    let mut refused = Plain::to(proxy.port()).await;
    refused.0.write_all(b"PING\r\n").await.ok();
    assert!(refused.ends().await);
    proxy.heal();
    let mut plain = Plain::to(proxy.port()).await;
    plain.say("PING").await;
    plain.hear("+PONG\r\n").await;
}

#[tokio::test]
async fn a_wire_is_late_and_slow() {
    let (server, proxy) = wire().await;
    server.ask::<String>(&["SET", "a", &"x".repeat(20_000)]).await.expect("it is set");
    let mut plain = Plain::to(proxy.port()).await;
    proxy.set(&[Peer::Client], Fault::delay(Duration::from_millis(100)));
    let begin = Instant::now();
    plain.say("PING").await;
    plain.hear("+PONG\r\n").await;
    assert!(begin.elapsed() >= Duration::from_millis(200), "late both ways: {:?}", begin.elapsed());
    proxy.set(&[Peer::Client], Fault::throttle(100_000));
    let begin = Instant::now();
    plain.say("GET a").await;
    plain.hear("xx\r\n").await;
    assert!(begin.elapsed() >= Duration::from_millis(200), "20 kB at 100 kB/s: {:?}", begin.elapsed());
}

#[tokio::test]
async fn a_topology_that_closes_links_and_counts_commands() {
    let topology = topology(Plan::standalone()).await;
    let server = topology.server(0).expect("a server");
    let before = topology.key_commands().await.expect("a count");
    for _ in 0..5 {
        server.ask::<String>(&["SET", "a", "1"]).await.expect("it is set");
        server.ask::<String>(&["PING"]).await.expect("it answers");
    }
    assert_eq!(topology.key_commands().await.expect("a count"), before + 5);

    let mut plain = Plain::to(server.port()).await;
    plain.say("SUBSCRIBE a").await;
    plain.hear(":1\r\n").await;
    assert_eq!(topology.client_kill("pubsub").await.expect("a count"), 1);
    assert!(plain.ends().await);

    topology.pause(Duration::from_millis(300)).await.expect("it pauses");
    let begin = Instant::now();
    server.ask::<String>(&["PING"]).await.expect("it answers");
    assert!(begin.elapsed() >= Duration::from_millis(200), "{:?}", begin.elapsed());
}
