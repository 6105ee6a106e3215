//! Two nodes on one Redis are one hub: also when the link between them breaks, a node dies or Redis goes away. Nothing is
//! missed, nothing comes twice, and the order is the same everywhere.

use std::cell::Cell;
use std::collections::HashSet;
use std::time::{Duration, Instant};

use futures_util::future::{join, join_all};
use serde_json::Value;

use crate::support::calls::said;
use crate::support::deployment::nodes_on;
use crate::support::eventually::eventually;
use crate::support::proxy::Proxy;
use crate::support::redis::RedisServer;
use crate::support::{Agent, Deployment, HubSettings, Hubs, Socket, TestHub, id, outage, text};

/// Two nodes on a Redis of their own, with Alice and Bob in a chat.
struct Pair {
    redis: RedisServer,
    nodes: Vec<TestHub>,
    alice: Agent,
    bob: Agent,
    chat: String,
}

impl Pair {
    async fn start(adjust: impl Fn(HubSettings) -> HubSettings) -> Self {
        let redis = RedisServer::start().await;
        let settings = settings(&redis.url());
        let nodes =
            vec![TestHub::start(adjust(settings.clone())).await, TestHub::start(adjust(settings.clone())).await];
        let [alice, bob] = Hubs::new(Deployment::TwoNodes, &nodes).agents(["Alice", "Bob"]).await;
        let chat = alice.new_group(&[&bob]).await;
        Self { redis, nodes, alice, bob, chat }
    }

    /// A socket of Bob on each node.
    async fn listen_on_both(&self) -> [Socket; 2] {
        [self.bob.at(0).listen().await, self.bob.at(1).listen().await]
    }
}

fn settings(url: &str) -> HubSettings {
    nodes_on(url).set("chat.beacon_secs", 1)
}

#[test]
fn a_message_posted_on_one_node_arrives_on_the_other_once() {
    crate::support::deployment::run(Deployment::TwoNodes, async |hubs: Hubs| {
        let [alice, bob] = hubs.agents(["Alice", "Bob"]).await;
        let chat = alice.new_group(&[&bob]).await;
        for (here, there) in [(0, 1), (1, 0)] {
            let mut bobs = bob.at(there).listen().await;
            for n in 0..10 {
                let message = alice.at(here).say(&chat, &format!("from node {here}, {n}")).await;
                assert_eq!(bobs.expect_event("chatmessage_created").await["data"], message);
            }
            bobs.expect_nothing_before_a_marker(&alice.at(here), &chat).await;
        }
    });
}

#[test]
fn both_nodes_tell_the_same_order_while_both_are_written_to() {
    crate::support::deployment::run(Deployment::TwoNodes, async |hubs: Hubs| {
        let [alice, bob] = hubs.agents(["Alice", "Bob"]).await;
        let chat = alice.new_group(&[&bob]).await;
        let mut sockets = [bob.at(0).listen().await, bob.at(1).listen().await];
        let writers = [alice.at(0), alice.at(1), bob.at(0), bob.at(1)];
        let write = async |agent: &Agent| {
            for _ in 0..100 {
                agent.say(&chat, "everybody at once").await;
            }
        };
        join_all(writers.iter().map(write)).await;
        let last = alice.say(&chat, "that is all").await;
        let expected = bob.ids_of(&chat).await;
        assert_eq!(expected.len(), 401);
        for socket in &mut sockets {
            assert_eq!(socket.ids_until(&last).await, expected);
        }
    });
}

#[tokio::test]
async fn links_cut_amid_traffic_lose_nothing() {
    let pair = Pair::start(|settings| settings).await;
    let mut sockets = pair.listen_on_both().await;
    let mut cut = 0;
    for n in 0..400 {
        if n % 10 == 5 {
            cut += pair.redis.command::<usize>(&["CLIENT", "KILL", "TYPE", "pubsub"]);
        }
        // Two at a time, so that something is under way while the links are being made again.
        join(pair.alice.say(&pair.chat, "on"), pair.bob.say(&pair.chat, "and on")).await;
    }
    assert!(cut >= 20, "only {cut} links were there to be cut");
    let last = pair.alice.say(&pair.chat, "that is all").await;
    let expected = pair.bob.ids_of(&pair.chat).await;
    assert_eq!(expected.len(), 801);
    for socket in &mut sockets {
        assert_eq!(socket.ids_until(&last).await, expected);
    }
}

/// Two nodes, of which the second hears of Redis what the wire lets through.
async fn with_a_lossy_wire() -> (RedisServer, Proxy, Vec<TestHub>, Hubs) {
    let redis = RedisServer::start().await;
    let wire = Proxy::to(&redis.url()).await;
    let settings = settings(&redis.url());
    let first = TestHub::start(settings.clone()).await;
    let nodes = vec![first, TestHub::start(settings.set("store.url", wire.url())).await];
    let hubs = Hubs::new(Deployment::TwoNodes, &nodes);
    (redis, wire, nodes, hubs)
}

#[tokio::test]
async fn the_last_event_before_silence_is_repaired() {
    let (_redis, wire, _nodes, hubs) = with_a_lossy_wire().await;
    let [alice, bob] = hubs.agents(["Alice", "Bob"]).await;
    let (alice, chat) = (alice.at(0), alice.new_group(&[&bob]).await);
    let mut bobs = bob.at(1).listen().await;
    bobs.expect_nothing_before_a_marker(&alice, &chat).await;
    for _ in 0..3 {
        let lost = wire.lost();
        wire.lose(true);
        let last = alice.say(&chat, "then nobody says anything").await;
        eventually("the event is lost on its way", async || (wire.lost() > lost).then_some(())).await;
        wire.lose(false);
        assert_eq!(bobs.next_event().await["data"], last);
    }
    bobs.expect_nothing_before_a_marker(&alice, &chat).await;
}

#[tokio::test]
async fn a_chat_made_while_the_link_loses_everything_is_heard_of() {
    let (_redis, wire, _nodes, hubs) = with_a_lossy_wire().await;
    let [alice, bob] = hubs.agents(["Alice", "Bob"]).await;
    let mut bobs = bob.at(1).listen().await;
    wire.lose(true);
    let chat = alice.at(0).new_group(&[&bob]).await;
    eventually("the news is lost on its way", async || (wire.lost() > 0).then_some(())).await;
    wire.lose(false);
    assert_eq!(bobs.expect_event("chat_created").await["chat_id"], chat.as_str());
    bobs.expect_nothing_before_a_marker(&alice.at(0), &chat).await;
}

#[tokio::test]
async fn when_a_node_is_killed_the_other_goes_on() {
    let mut pair = Pair::start(|settings| settings).await;
    let mut stays = pair.bob.at(1).listen().await;
    let mut dies = pair.bob.at(0).listen().await;
    let (alice, bob, chat) = (pair.alice.clone(), pair.bob.clone(), pair.chat.clone());
    let acknowledged = Cell::new(0);
    let write = async |writer: usize| {
        let agent = if writer.is_multiple_of(2) { &alice } else { &bob };
        let mut mine = Vec::new();
        for n in 0..50 {
            mine.push(id(&agent.say_for_sure(&chat, &format!("{writer}-{n}")).await));
            acknowledged.set(acknowledged.get() + 1);
        }
        mine
    };
    let kill = async {
        eventually("traffic", async || (acknowledged.get() >= 60).then_some(())).await;
        pair.nodes[0].kill();
    };
    let (posted, ()) = join(join_all((0..4).map(write)), kill).await;
    let last = bob.at(1).say(&chat, "that is all").await;
    let expected = bob.at(1).ids_of(&chat).await;
    assert_eq!(expected.len(), 201, "each is there once, though some were sent to both nodes");
    assert_eq!(posted.concat().into_iter().collect::<HashSet<_>>().len(), 200);
    assert_eq!(stays.ids_until(&last).await, expected);

    // Who was on the dead node comes to the other from where the connection broke.
    while let crate::support::socket::Received::Frame(_) = dies.receive().await {}
    let mut back = bob.at(1).socket().await;
    back.subscribe_since(&[&bob.topic()], &dies.positions).await;
    let mut heard: Vec<_> = dies.events.iter().map(|event| id(&event["data"])).collect();
    heard.extend(back.ids_until(&last).await);
    assert_eq!(heard, expected);

    pair.nodes[0].start_again().await;
    stays.expect_nothing_before_a_marker(&alice.at(0), &chat).await;
}

const WAIT: Duration = Duration::from_millis(1000);

/// A write while Redis is away is refused as it should be, and in time.
async fn refused_in_time(agent: &Agent, body: &Value) {
    let begun = Instant::now();
    let answer = agent.post_message(body).await;
    let took = begun.elapsed();
    answer.refused(503, "SERVICE_UNAVAILABLE");
    // The second is for the way there and back on a busy machine.
    assert!(took < WAIT + Duration::from_secs(1), "the refusal took {took:?}");
}

/// What holds while Redis is away and afterwards, however it went.
async fn outlives(pair: &mut Pair, mut sockets: [Socket; 2], end_of_outage: impl AsyncFnOnce(&mut Pair)) {
    let (alice, chat) = (pair.alice.clone(), pair.chat.clone());
    join_all((0..10).map(async |n| {
        let body = said(&format!("refused {n}"), &chat);
        refused_in_time(&alice, &body).await;
    }))
    .await;
    refused_in_time(&alice, &said("refused after a while", &chat)).await;
    for socket in &mut sockets {
        // Frames that ask nothing of Redis are taken: the connection is alive.
        socket.send_wrong(r#"{"type":"dance"}"#).await;
        socket.expect_error("INVALID_ARGUMENT").await;
    }
    end_of_outage(pair).await;
    let mut texts = Vec::new();
    for n in 0..20 {
        let words = format!("afterwards {n}");
        alice.say_for_sure(&chat, &words).await;
        texts.push(words);
    }
    let last = alice.say(&chat, "that is all").await;
    let expected = alice.ids_of(&chat).await;
    for socket in &mut sockets {
        let events = socket.events_until(|event| event["data"]["id"] == last["id"]).await;
        let heard: Vec<_> = events.iter().map(|event| id(&event["data"])).collect();
        assert_eq!(heard, expected[expected.len() - heard.len()..], "no hole");
        let heard: Vec<_> = events.iter().map(|event| text(&event["data"], "text").to_owned()).collect();
        let after: Vec<_> = heard.iter().filter(|text| text.starts_with("afterwards")).cloned().collect();
        assert_eq!(after, texts);
        for n in 0..10 {
            // Refused means unknown: it may be there, but not twice.
            assert!(heard.iter().filter(|text| **text == format!("refused {n}")).count() <= 1);
        }
    }
}

#[tokio::test]
async fn a_redis_that_hangs_is_outlived_without_a_hole() {
    let mut pair = Pair::start(|settings| settings.set("store.wait_ms", WAIT.as_millis())).await;
    pair.alice.say(&pair.chat, "before").await;
    let sockets = pair.listen_on_both().await;
    let frozen = outage::freeze(&pair.redis);
    outlives(&mut pair, sockets, async |_: &mut Pair| drop(frozen)).await;
}

#[tokio::test]
async fn a_redis_that_is_restarted_with_its_data_is_outlived_without_a_hole() {
    let mut pair = Pair::start(|settings| settings.set("store.wait_ms", WAIT.as_millis())).await;
    pair.alice.say(&pair.chat, "before").await;
    let sockets = pair.listen_on_both().await;
    outage::shut_down(&mut pair.redis).await;
    outlives(&mut pair, sockets, async |pair: &mut Pair| pair.redis.start_again().await).await;
}

/// How long an outage that is a long one lasts: `TALK_TEST_OUTAGE_SECS`, 5 if unset.
fn long() -> Duration {
    let secs = std::env::var("TALK_TEST_OUTAGE_SECS").ok().and_then(|secs| secs.parse().ok());
    Duration::from_secs(secs.unwrap_or(5))
}

/// While Redis is away for long and writers knock all the time, sockets stay, refusals are quick and say when to come
/// again, nodes are not ready, and memory does not grow with what was refused.
#[tokio::test]
async fn a_long_outage_costs_no_socket_and_no_memory() {
    const WRITERS: usize = 32;
    const GROWTH_MAX: u64 = 32 * 1024 * 1024;
    let mut pair = Pair::start(|settings| settings.set("store.wait_ms", WAIT.as_millis())).await;
    let before = pair.alice.say(&pair.chat, "before").await;
    let mut sockets = pair.listen_on_both().await;
    outage::shut_down(&mut pair.redis).await;
    let (begun, refused) = (Instant::now(), Cell::new(0));
    let nodes = &pair.nodes;
    let memory = || nodes.iter().map(TestHub::resident_bytes).max().unwrap_or_default();
    let knock = async |until: Duration| {
        let words = "never heard of ".repeat(500);
        join_all((0..WRITERS).map(async |_| {
            while begun.elapsed() < until {
                let asked = Instant::now();
                let answer = pair.alice.post_message(&said(&words, &pair.chat)).await;
                assert_eq!((answer.status, answer.header("retry-after").is_empty()), (503, false), "{answer}");
                assert!(asked.elapsed() < WAIT * 2 + Duration::from_secs(2), "refused after {:?}", asked.elapsed());
                refused.set(refused.get() + 1);
            }
        }))
        .await;
    };
    // The first ones fill what is there to be filled.
    knock(long() / 4).await;
    let filled = memory();
    knock(long()).await;
    let grown = memory().saturating_sub(filled);
    for node in 0..2 {
        let ready = pair.alice.at(node).get("/health/ready").await;
        assert_eq!(ready.status, 503, "{ready}");
        assert_eq!(pair.alice.at(node).get("/health/live").await.status, 200);
    }
    for socket in &mut sockets {
        socket.send_wrong(r#"{"type":"dance"}"#).await;
        socket.expect_error("INVALID_ARGUMENT").await;
    }
    pair.redis.start_again().await;
    let after = pair.alice.say_for_sure(&pair.chat, "afterwards").await;
    for socket in &mut sockets {
        let events = socket.events_until(|event| event["data"]["id"] == after["id"]).await;
        assert!(events.iter().all(|event| event["data"]["id"] != before["id"]), "what came before was heard before");
    }
    eprintln!("{} calls refused in {:?}, {} KiB of memory more", refused.get(), long(), grown / 1024);
    assert!(grown < GROWTH_MAX, "{grown} bytes more");
}

/// Writers that never stop, a Redis that stops again and again: who is told "done" is right, who is told nothing tries
/// again under the same key, and a listener on each node sees every message once.
#[tokio::test]
async fn stumbling_amid_writers_loses_and_doubles_nothing() {
    let pair = Pair::start(|settings| settings.set("store.wait_ms", 300)).await;
    let mut sockets = pair.listen_on_both().await;
    let (alice, bob, chat) = (pair.alice.clone(), pair.bob.clone(), pair.chat.clone());
    let done = Cell::new(false);
    let write = async |writer: usize| {
        let agent = if writer.is_multiple_of(2) { &alice } else { &bob };
        let mut mine = Vec::new();
        while !done.get() {
            mine.push(id(&agent.say_for_sure(&chat, &format!("{writer}-{}", mine.len())).await));
        }
        mine
    };
    let refused = Cell::new(0);
    let stumble = async {
        for _ in 0..5 {
            let frozen = outage::freeze(&pair.redis);
            // It hangs for as long as it takes until somebody is refused.
            let answer = alice.post_message(&said("without a key", &chat)).await;
            refused.set(refused.get() + usize::from(answer.status == 503));
            drop(frozen);
            alice.say_for_sure(&chat, &format!("stumbled {}", refused.get())).await;
        }
        done.set(true);
    };
    let (posted, ()) = join(join_all((0..4).map(write)), stumble).await;
    assert_eq!(refused.get(), 5, "each time somebody was refused");
    let last = bob.say_for_sure(&chat, "that is all").await;
    let expected = bob.ids_of(&chat).await;
    for socket in &mut sockets {
        assert_eq!(socket.ids_until(&last).await, expected);
    }
    let mut places = std::collections::HashMap::new();
    for (place, message) in expected.iter().enumerate() {
        assert_eq!(places.insert(message, place), None);
    }
    for mine in posted {
        let mine: Vec<_> = mine.iter().map(|message| places[message]).collect();
        assert!(mine.is_sorted_by(|a, b| a < b), "one after the other, each once: {mine:?}");
    }
}
