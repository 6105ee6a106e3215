//! What gets lost between Redis and a node is noticed within a second and read from the log: once per node and chat,
//! without closing a socket, also when nothing follows that would show the gap.

use std::time::{Duration, Instant};

use futures_util::future::{join, join_all};
use serde_json::json;

use crate::accesskeys::full_key;
use crate::support::eventually::{eventually, promised};
use crate::support::proxy::Proxy;
use crate::support::raw::RawSocket;
use crate::support::redis::{RedisServer, new_prefix};
use crate::support::{Agent, Credential, Deployment, HubSettings, Hubs, Socket, TestHub, caretaker, id};

/// The promise is a second; the other one is for a machine that does something else meanwhile.
const SOON: Duration = Duration::from_secs(2);

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
        let settings = settings.set("chat.beacon_secs", 3600);
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

/// Alice on the first node and Bob on the second, of one customer.
async fn two(fleet: &Fleet) -> (Agent, Agent) {
    let [alice, bob] = fleet.hubs.agents(["Alice", "Bob"]).await;
    (alice.at(0), bob.at(1))
}

/// Has something done of which nothing comes to the second node, and answers with when that was over.
async fn unheard<T>(fleet: &Fleet, done: impl AsyncFnOnce() -> T) -> (T, Instant) {
    let lost = fleet.wire.lost();
    fleet.wire.lose(true);
    let done = done().await;
    eventually("the news is lost on its way", async || (fleet.wire.lost() > lost).then_some(())).await;
    fleet.wire.lose(false);
    (done, Instant::now())
}

#[tokio::test]
async fn a_chat_whose_announcement_was_lost_is_heard_of_within_a_second() {
    let fleet = Fleet::start().await;
    let (alice, bob) = two(&fleet).await;
    let mut listens = bob.listen().await;
    let (chat, begun) = unheard(&fleet, async || alice.new_group(&[&bob]).await).await;
    assert_eq!(listens.expect_event("chat_created").await["chat_id"], chat.as_str());
    assert!(begun.elapsed() < promised(SOON), "it took {:?}", begun.elapsed());
    listens.expect_nothing_before_a_marker(&alice, &chat).await;
}

#[tokio::test]
async fn a_key_that_was_revoked_unheard_closes_its_socket_within_a_second() {
    let fleet = Fleet::start().await;
    let (_, bob) = two(&fleet).await;
    let made = bob.create_accesskey(&json!({"name": "a key", "detail": ""})).await.ok();
    let mut listens = bob.with(Credential::QueryToken(full_key(&made))).listen().await;
    let mut stays = bob.listen().await;
    let elsewhere = bob.at(0);
    let (revoked, begun) = unheard(&fleet, async || elsewhere.delete_accesskey(&id(&made)).await).await;
    revoked.ok();
    listens.expect_close(4001).await;
    assert!(begun.elapsed() < promised(SOON), "it took {:?}", begun.elapsed());
    let chat = elsewhere.new_group(&[]).await;
    assert_eq!(stays.expect_event("chat_created").await["chat_id"], chat.as_str());
}

#[tokio::test]
async fn news_that_was_heard_is_told_of_without_a_question_from_whoever_hears_it() {
    let fleet = Fleet::start().await;
    let (alice, bob) = two(&fleet).await;
    let mut listens = bob.listen().await;
    let asked = async |node: usize| fleet.nodes[node].metric("talk_store_seconds_count{call=\"notices\"}").await;
    let told = async || fleet.nodes[0].metric("talk_store_seconds_count{call=\"tell_heads\"}").await;
    let before = (asked(0).await, asked(1).await, told().await);
    for _ in 0..3 {
        let chat = alice.new_group(&[&bob]).await;
        assert_eq!(listens.expect_event("chat_created").await["chat_id"], chat.as_str());
    }
    eventually("all beacons are out", async || (told().await >= before.2 + 5).then_some(())).await;
    assert!(
        (1..=6).contains(&(asked(0).await - before.0)),
        "who gives news asks once for a beacon, and never more often than it gave some"
    );
    assert_eq!(asked(1).await, before.1, "and who hears them never");
}

/// Loses so many messages of 16 KiB, and answers with all of them in order. Nothing is repaired before it returns.
async fn lose_many(fleet: &Fleet, alice: &Agent, chat: &str, count: usize) -> Vec<String> {
    let lost = fleet.wire.lost();
    fleet.wire.lose(true);
    let mut said = Vec::new();
    for n in 0..count {
        said.push(id(&alice.say(chat, &format!("{n} {}", "x".repeat(16_000))).await));
    }
    eventually("the messages are lost on their way", async || (fleet.wire.lost() > lost).then_some(())).await;
    said
}

fn messages(events: &[serde_json::Value]) -> Vec<String> {
    // Without those that the hub itself posts when somebody comes or goes.
    let messages =
        events.iter().filter(|event| event["type"] == "chatmessage_created" && event["data"]["type"] == "normal");
    messages.map(|event| id(&event["data"])).collect()
}

#[tokio::test]
async fn a_hole_that_is_larger_than_an_outbox_closes_no_socket_that_reads() {
    /// Of 16 KiB each: fourteen times what may wait for a socket, and not so many that the chat is loaded anew.
    const LARGE: usize = 900;
    let fleet = Fleet::start().await;
    let (alice, chat, mut sockets) = talk(&fleet, 8).await;
    let reads = async || fleet.nodes[1].metric("talk_store_seconds_count{call=\"events\"}").await;
    let (before, repaired) = (reads().await, fleet.repaired().await);
    let said = lose_many(&fleet, &alice, &chat, LARGE).await;
    fleet.wire.lose(false);
    let heard = join_all(sockets.iter_mut().map(async |socket| {
        let events = socket.events_until(|event| Some(&id(&event["data"])) == said.last()).await;
        messages(&events)
    }))
    .await;
    for one in heard {
        assert!(one == said, "a socket heard {} of {LARGE}, or in another order", one.len());
    }
    let reads = reads().await - before;
    eprintln!("{reads} readings of the log for a hole of {LARGE} events and {} sockets", sockets.len());
    assert_eq!(fleet.repaired().await - repaired, 1);
    assert_eq!(fleet.nodes[1].metric("talk_slow_closes_total").await, 0);
}

#[tokio::test]
async fn who_comes_and_goes_within_a_large_hole_hears_its_part_of_it() {
    const LARGE: usize = 400;
    let fleet = Fleet::start().await;
    let customer = fleet.hubs.customer().await;
    let [alice, bob, carol, dora] = customer.agents(["Alice", "Bob", "Carol", "Dora"]).await;
    let (alice, nodes) = (alice.at(0), [bob.at(1), carol.at(1), dora.at(1)]);
    let chat = alice.new_group(&[&bob, &carol]).await;
    let mut sockets = join_all(nodes.iter().map(async |agent| agent.listen().await)).await;
    let mut said = lose_many(&fleet, &alice, &chat, LARGE).await;
    let carols = alice.participant(&chat, &carol).await.expect("carol is in it");
    alice.remove_participant(&chat, &id(&carols)).await.ok();
    alice.add_participant(&chat, &dora.id).await.ok();
    let to_dora = lose_many(&fleet, &alice, &chat, LARGE).await;
    fleet.wire.lose(false);
    let last = alice.say(&chat, "that is all").await;
    let is_last = |event: &serde_json::Value| event["data"]["id"] == last["id"];

    let left = sockets[1].events_until(|event| event["type"] == "chatparticipant_removed").await;
    assert!(messages(&left) == said, "carol heard {} of {LARGE}", messages(&left).len());
    let came = sockets[2].events_until(is_last).await;
    assert_eq!(came[0]["type"], "chatparticipant_added");
    said.extend(to_dora.iter().cloned().chain([id(&last)]));
    assert!(messages(&came) == said[LARGE..], "dora heard {}", messages(&came).len());
    let stayed = sockets[0].events_until(is_last).await;
    assert!(messages(&stayed) == said, "bob heard {} of {}", messages(&stayed).len(), said.len());
    assert_eq!(fleet.nodes[1].metric("talk_slow_closes_total").await, 0);
}

#[tokio::test]
async fn a_socket_that_reads_nothing_of_a_large_hole_is_closed_as_slow() {
    let fleet = Fleet::start().await;
    let [alice, bob] = fleet.hubs.agents(["Alice", "Bob"]).await;
    let (alice, bob) = (alice.at(0), bob.at(1));
    let chat = alice.new_group(&[&bob]).await;
    let mut stalled = RawSocket::open_with(&bob, Some(4096)).await;
    stalled.subscribe(&bob).await;
    let mut reads = bob.listen().await;
    let said = lose_many(&fleet, &alice, &chat, 600).await;
    fleet.wire.lose(false);
    reads.events_until(|event| Some(&id(&event["data"])) == said.last()).await;
    let closed = async || fleet.nodes[1].metric("talk_slow_closes_total").await;
    assert_eq!(closed().await, 0, "it was given no more than fits");
    let listen = reads.events_until(|event| event["data"]["text"] == "that is all");
    let write = async {
        eventually("who takes nothing while there is more and more for it is closed", async || {
            alice.say(&chat, &"x".repeat(16_000)).await;
            (closed().await == 1).then_some(())
        })
        .await;
        alice.say(&chat, "that is all").await;
    };
    join(listen, write).await;
    assert_eq!(closed().await, 1, "and nobody else");
}

#[tokio::test]
async fn a_link_that_falls_silent_is_noticed_within_seconds_and_costs_nobody_an_event() {
    let fleet = Fleet::start().await;
    let (alice, chat, mut sockets) = talk(&fleet, 2).await;
    let nobody = fleet.hubs.nobody().on_node(1);
    // No connection breaks, and nothing comes over any of them.
    fleet.wire.swallow(true);
    let silent = Instant::now();
    let last = alice.say(&chat, "then nobody says anything").await;
    eventually("the node says that it is deaf", async || {
        (nobody.get("/health/ready").await.status == 503 && fleet.nodes[1].metric("talk_link_up").await == 0)
            .then_some(())
    })
    .await;
    assert!(silent.elapsed() < promised(SOON + SOON), "deaf for {:?}", silent.elapsed());
    fleet.wire.swallow(false);
    let healed = Instant::now();
    for socket in &mut sockets {
        assert_eq!(socket.next_event().await["data"], last);
    }
    assert!(healed.elapsed() < promised(SOON + SOON), "heard only after {:?}", healed.elapsed());
    eprintln!("deaf for {:?}, heard {:?} after it could be", healed - silent, healed.elapsed());
    let ready = async || (nobody.get("/health/ready").await.status == 200).then_some(());
    eventually("the node is ready again", ready).await;
}
