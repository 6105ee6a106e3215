//! What gets lost between Redis and a node is noticed within a second and read from the log: once per node and chat,
//! without closing a socket, also when nothing follows that would show the gap.

use std::time::{Duration, Instant};

use futures_util::future::{join, join_all};

use crate::support::eventually::{eventually, promised};
use crate::support::proxy::Proxy;
use crate::support::redis::{RedisServer, new_prefix};
use crate::support::{Agent, Deployment, HubSettings, Hubs, Socket, TestHub, caretaker, id};

/// The promise.
const SOON: Duration = Duration::from_secs(1);

/// Two nodes, of which the second hears of Redis what the wire lets through. The slow net is out of the way: what is
/// repaired in time is repaired by beacons, and by what the link knows about itself.
struct Fleet {
    redis: RedisServer,
    wire: Proxy,
    nodes: Vec<TestHub>,
    hubs: Hubs,
}

impl Fleet {
    async fn start() -> Self {
        let redis = RedisServer::start().await;
        let wire = Proxy::to(&redis.url()).await;
        let files = format!("file://{}", caretaker::new_dir("files-").display());
        let settings = HubSettings::redis(&redis.url(), &new_prefix()).set("files.url", files);
        // What is repaired at once has to fit into a socket's outbox at once.
        let settings = settings.set("chat.beacon_secs", 3600).set("limits.outbox_bytes_max", 64 << 20);
        let first = TestHub::start(settings.clone()).await;
        let nodes = vec![first, TestHub::start(settings.set("store.url", wire.url())).await];
        let hubs = Hubs::new(Deployment::TwoNodes, &nodes);
        Self { redis, wire, nodes, hubs }
    }

    /// Holes that the second node has repaired.
    async fn repaired(&self) -> u64 {
        self.nodes[1].metric("talk_holes_repaired_total").await
    }
}

/// Alice on the first node and Bob on the second, in a chat; Bob listens with so many sockets, to which all has come.
async fn talk(fleet: &Fleet, sockets: usize) -> (Agent, String, Vec<Socket>) {
    let [alice, bob] = fleet.hubs.agents(["Alice", "Bob"]).await;
    let (alice, bob) = (alice.at(0), bob.at(1));
    let chat = alice.new_group(&[&bob]).await;
    let mut listening = join_all((0..sockets).map(async |_| bob.listen().await)).await;
    let first = alice.say(&chat, "first").await;
    for socket in &mut listening {
        socket.events_until(|event| event["data"]["id"] == first["id"]).await;
    }
    (alice, chat, listening)
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

#[tokio::test]
async fn the_last_event_before_silence_is_repaired_within_a_second_and_once_for_all_sockets() {
    const ROUNDS: usize = 15;
    let fleet = Fleet::start().await;
    let (alice, chat, mut sockets) = talk(&fleet, 8).await;
    let (before, mut times) = (fleet.repaired().await, Vec::new());
    for round in 0..ROUNDS {
        let lost = fleet.wire.lost();
        fleet.wire.lose(true);
        let begun = Instant::now();
        let last = alice.say(&chat, &format!("then nobody says anything, {round}")).await;
        eventually("the event is lost on its way", async || (fleet.wire.lost() > lost).then_some(())).await;
        fleet.wire.lose(false);
        for socket in &mut sockets {
            assert_eq!(socket.next_event().await["data"], last);
        }
        times.push(begun.elapsed());
    }
    let slowest = times.iter().max().copied().unwrap_or_default();
    eprintln!("repaired after {:?} in the median, {slowest:?} at most, over {ROUNDS} holes", median(times));
    assert!(slowest < promised(SOON), "a hole was there for {slowest:?}");
    assert_eq!(fleet.repaired().await - before, ROUNDS as u64, "once each, however many sockets there are");
}

#[tokio::test]
async fn the_first_beacon_may_get_lost_too() {
    let fleet = Fleet::start().await;
    let (alice, chat, mut sockets) = talk(&fleet, 1).await;
    let lost = fleet.wire.lost();
    fleet.wire.lose(true);
    let last = alice.say(&chat, "then nobody says anything").await;
    eventually("the event and a beacon are lost", async || (fleet.wire.lost() >= lost + 2).then_some(())).await;
    fleet.wire.lose(false);
    assert_eq!(sockets[0].next_event().await["data"], last);
}

#[tokio::test]
async fn what_was_lost_in_many_chats_is_repaired_once_in_each() {
    const CHATS: usize = 20;
    let fleet = Fleet::start().await;
    let mut talks = Vec::new();
    for _ in 0..CHATS {
        talks.push(talk(&fleet, 2).await);
    }
    let (before, lost) = (fleet.repaired().await, fleet.wire.lost());
    fleet.wire.lose(true);
    let said = join_all(talks.iter().map(async |(alice, chat, _)| {
        alice.say(chat, "one").await;
        alice.say(chat, "two").await
    }))
    .await;
    eventually("something is lost", async || (fleet.wire.lost() > lost).then_some(())).await;
    fleet.wire.lose(false);
    for ((_, _, sockets), last) in talks.iter_mut().zip(&said) {
        for socket in sockets {
            socket.events_until(|event| event["data"]["id"] == last["id"]).await;
        }
    }
    let repaired = fleet.repaired().await - before;
    assert!((1..=CHATS as u64).contains(&repaired), "{repaired} repairs for {CHATS} chats");
}

#[tokio::test]
async fn a_link_that_is_killed_before_silence_is_repaired_in_time() {
    const ROUNDS: usize = 10;
    let fleet = Fleet::start().await;
    let (alice, chat, mut sockets) = talk(&fleet, 4).await;
    let mut times = Vec::new();
    for round in 0..ROUNDS {
        let killed: usize = fleet.redis.command(&["CLIENT", "KILL", "TYPE", "pubsub"]);
        assert!(killed >= 1, "there was a link to be killed");
        let begun = Instant::now();
        let last = alice.say(&chat, &format!("then nobody says anything, {round}")).await;
        for socket in &mut sockets {
            assert_eq!(socket.next_event().await["data"], last);
        }
        times.push(begun.elapsed());
        // Both nodes are there for the next one.
        eventually("both links are back", async || {
            let list: String = fleet.redis.command(&["CLIENT", "LIST", "TYPE", "pubsub"]);
            (list.lines().count() >= 2).then_some(())
        })
        .await;
    }
    let slowest = times.iter().max().copied().unwrap_or_default();
    eprintln!("heard after {:?} in the median, {slowest:?} at most, over {ROUNDS} killed links", median(times));
    assert!(slowest < promised(SOON), "a hole was there for {slowest:?}");
}

#[tokio::test]
async fn a_link_that_redis_cuts_because_it_lags_costs_nobody_an_event() {
    const WRITERS: usize = 16;
    const EACH: usize = 60;
    let fleet = Fleet::start().await;
    let (alice, chat, mut sockets) = talk(&fleet, 2).await;
    let limit = "pubsub 65536 65536 1";
    fleet.redis.command::<()>(&["CONFIG", "SET", "client-output-buffer-limit", limit]);
    let losses = async || fleet.nodes[1].metric("talk_link_losses_total{reason=\"lost\"}").await;
    let before = losses().await;
    // The node does not read for a while; what it does not read piles up in Redis until that hangs up.
    fleet.wire.hold(true);
    let text = "a burst of words ".repeat(900);
    let write = async |writer: usize| {
        for n in 0..EACH {
            alice.say(&chat, &format!("{writer}-{n} {text}")).await;
        }
    };
    join_all((0..WRITERS).map(write)).await;
    eventually("redis hangs up", async || {
        let list: String = fleet.redis.command(&["CLIENT", "LIST", "TYPE", "pubsub"]);
        (list.lines().count() < 2).then_some(())
    })
    .await;
    let last = alice.say(&chat, "that is all").await;
    fleet.wire.hold(false);
    let listen = async |socket: &mut Socket| socket.events_until(|event| event["data"]["id"] == last["id"]).await;
    let (first, rest) = sockets.split_at_mut(1);
    let (one, other) = join(listen(&mut first[0]), listen(&mut rest[0])).await;
    assert_eq!(one.iter().map(|event| id(&event["data"])).collect::<Vec<_>>().len(), WRITERS * EACH + 1);
    assert_eq!(one, other);
    assert!(losses().await > before, "the link was cut");
}
