//! Many servers of Redis, under Sentinel or as a Cluster: primaries change and slots move, and what an answer promised is
//! kept, or its loss is told.

use std::time::{Duration, Instant};

use futures_util::future::join;
use reqwest::Method;
use serde_json::{Value, json};
use talk_load::rig::Topology;
use talk_load::rig::proxy::{Fault, Peer, Toward};
use talk_load::rig::redis::{Options, Server};
use talk_load::rig::topology::{Failover, Plan};

use crate::support::calls::MESSAGES;
use crate::support::eventually::eventually;
use crate::support::redis::new_prefix;
use crate::support::socket::Received;
use crate::support::{Agent, Deployment, HubSettings, Hubs, Socket, TestHub, caretaker, id, text};

/// Two nodes on servers of their own, with Alice and Bob in a chat.
struct Fleet {
    servers: Topology,
    /// Held: dropped, they end.
    nodes: Vec<TestHub>,
    alice: Agent,
    bob: Agent,
    chat: String,
    settings: HubSettings,
}

impl Fleet {
    async fn start(plan: Plan, adjust: impl Fn(HubSettings) -> HubSettings) -> Self {
        let servers = Topology::start(plan).await.unwrap_or_else(|error| panic!("no servers: {error}"));
        let files = format!("file://{}", caretaker::new_dir("files-").display());
        let settings = adjust(HubSettings::redis(&servers.url(), &new_prefix()).set("files.url", files));
        let nodes = vec![TestHub::start(settings.clone()).await, TestHub::start(settings.clone()).await];
        let [alice, bob] = Hubs::new(Deployment::Sentinel, &nodes).agents(["Alice", "Bob"]).await;
        let chat = alice.new_group(&[&bob]).await;
        Self { servers, nodes, alice, bob, chat, settings }
    }

    async fn primary(&self) -> usize {
        self.servers.primaries().await.expect("a primary")[0]
    }

    /// A socket of Bob on each node.
    async fn listen_on_both(&self) -> [Socket; 2] {
        [self.bob.at(0).listen().await, self.bob.at(1).listen().await]
    }

    /// From now on replicas get nothing more, and nobody notices.
    fn lose_replication(&self) {
        for member in self.servers.members() {
            let wire = member.proxy().expect("a wire before each server");
            wire.set(&[Peer::Replica], Fault::drop(Toward::Client));
        }
    }

    /// Kills the primary, and returns when another one has taken over.
    async fn fail_over(&self) {
        let primary = self.primary().await;
        self.servers.failover(primary, Failover::Killed).await.expect("another primary");
    }
}

fn said(words: &str, chat: &str) -> Value {
    json!({"chat_id": chat, "type": "normal", "text": words})
}

/// Posts under a key, again and again, until it is acknowledged.
async fn post_for_sure(agent: &Agent, chat: &str, words: &str) -> Value {
    eventually("a message is acknowledged", async || {
        let call = agent.call(Method::POST, MESSAGES).header("Idempotency-Key", &words.replace(' ', "-"));
        let answer = call.json(&said(words, chat)).try_send().await.ok()?;
        (answer.status != 503).then(|| answer.ok())
    })
    .await
}

async fn heard_until(socket: &mut Socket, last: &Value) -> Vec<String> {
    let events = socket.events_until(|event| event["data"]["id"] == last["id"]).await;
    events.iter().map(|event| id(&event["data"])).collect()
}

async fn listed(agent: &Agent, chat: &str) -> Vec<String> {
    agent.messages_of(chat).await.iter().rev().map(id).collect()
}

/// The next frame of a socket.
async fn frame(socket: &mut Socket) -> Value {
    match socket.receive().await {
        Received::Frame(frame) => frame,
        other => panic!("the socket did not stay: {other:?}"),
    }
}

#[tokio::test]
async fn a_failover_that_loses_acknowledged_messages_is_told_to_whoever_saw_them() {
    let fleet = Fleet::start(Plan::sentinel().proxied(), |settings| settings).await;
    let (alice, bob, chat) = (&fleet.alice, &fleet.bob, &fleet.chat);
    let kept = alice.say(chat, "kept").await;
    let mut live = fleet.listen_on_both().await;
    let mut away = bob.at(0).listen().await;
    fleet.servers.wait_healthy().await.expect("the replica has it");
    fleet.lose_replication();
    let lost = alice.say(chat, "acknowledged, and lost").await;
    for socket in live.iter_mut().chain([&mut away]) {
        assert_eq!(socket.next_event().await["data"], lost);
    }
    let seen = away.positions.clone();
    drop(away);

    fleet.fail_over().await;
    let anew = post_for_sure(&alice.at(1), chat, "another history").await;
    for socket in &mut live {
        let told = frame(socket).await;
        assert_eq!((text(&told, "type"), text(&told, "reason")), ("resync", "rewritten"), "{told}");
        assert_eq!(told["chat_id"], chat.as_str());
        if told["seq"].as_u64() < anew["seq"].as_u64() {
            assert_eq!(socket.next_event().await["data"], anew);
        }
    }
    let answer = bob.at(1).socket().await.subscribe_since(&[&bob.topic()], &seen).await;
    let state = &answer["chats"][chat];
    assert_eq!((&state["recovered"], &state["reason"]), (&json!(false), &json!("rewritten")), "{answer}");
    for node in 0..2 {
        assert_eq!(listed(&alice.at(node), chat).await, [id(&kept), id(&anew)]);
    }
    for mut socket in live {
        socket.expect_nothing_before_a_marker(&alice.at(0), chat).await;
    }
}

#[tokio::test]
async fn what_was_answered_as_replicated_survives_the_primary() {
    let settings = |hub: HubSettings| {
        hub.set("store.durability", "replicated").set("store.durable_ms", 300).set("store.wait_ms", 2000)
    };
    let fleet = Fleet::start(Plan::sentinel().proxied(), settings).await;
    let (alice, chat) = (&fleet.alice, &fleet.chat);
    let kept = alice.say(chat, "on the replica too").await;
    let mut live = fleet.listen_on_both().await;
    fleet.lose_replication();
    // Written, heard by those who listen, and not acknowledged.
    let refused = alice.at(0).post_message(&said("only here", chat)).await;
    refused.refused(503, "SERVICE_UNAVAILABLE");
    assert!(fleet.nodes[0].metric("talk_durability_misses_total").await > 0);
    for socket in &mut live {
        assert_eq!(socket.next_event().await["data"]["text"], "only here");
    }
    fleet.fail_over().await;
    for socket in &mut live {
        assert_eq!(frame(socket).await["type"], "resync");
    }
    for node in 0..2 {
        assert_eq!(listed(&alice.at(node), chat).await, [id(&kept)], "what was acknowledged, and nothing else");
    }
}

async fn post_for_sure_under(agent: &Agent, chat: &str, words: &str, key: &str) -> Value {
    eventually("the message is acknowledged", async || {
        let call = agent.call(Method::POST, MESSAGES).header("Idempotency-Key", key);
        let answer = call.json(&said(words, chat)).send().await;
        (answer.status == 200).then(|| answer.ok())
    })
    .await
}

#[tokio::test]
async fn a_write_that_no_replica_has_is_refused_and_made_once_by_its_repeats() {
    let settings = |hub: HubSettings| {
        hub.set("store.durability", "replicated").set("store.durable_ms", 200).set("store.wait_ms", 600)
    };
    let fleet = Fleet::start(Plan::sentinel().proxied(), settings).await;
    let (alice, chat) = (&fleet.alice, &fleet.chat);
    let mut live = fleet.bob.at(1).listen().await;
    fleet.lose_replication();
    for node in [0, 1, 0] {
        let call = alice.at(node).call(Method::POST, MESSAGES).header("Idempotency-Key", "once");
        let refused = call.json(&said("once", chat)).send().await;
        refused.refused(503, "SERVICE_UNAVAILABLE");
    }
    for member in fleet.servers.members() {
        let wire = member.proxy().expect("a wire");
        wire.set(&[Peer::Replica], Fault::default());
    }
    let made = post_for_sure_under(&alice.at(1), chat, "once", "once").await;
    let last = alice.say(chat, "last").await;
    assert_eq!(heard_until(&mut live, &last).await, [id(&made), id(&last)]);
    assert_eq!(listed(alice, chat).await, [id(&made), id(&last)]);
}

#[tokio::test]
async fn a_durability_that_the_server_cannot_keep_ends_the_start() {
    let server = Server::start(Options::new()).await.expect("a redis-server");
    let settings = HubSettings::redis(&server.url(), &new_prefix()).set("store.durability", "fsync");
    let ended = TestHub::refusal(settings).await;
    assert!(ended.output.contains("store.durability") && ended.output.contains("appendonly"), "{}", ended.output);
}

#[tokio::test]
async fn a_hub_starts_reads_and_stays_ready_while_its_replica_is_away() {
    let server = Server::start(Options::new()).await.expect("a redis-server");
    let files = format!("file://{}", caretaker::new_dir("files-").display());
    let settings = HubSettings::redis(&server.url(), &new_prefix()).set("files.url", files);
    let strict = settings.clone().set("store.durability", "replicated");
    let nodes = vec![TestHub::start(settings).await, TestHub::start(strict).await];
    let hubs = Hubs::new(Deployment::Sentinel, &nodes);
    let [alice, bob] = hubs.agents(["Alice", "Bob"]).await;
    let chat = alice.at(0).new_group(&[&bob]).await;
    let kept = alice.at(0).say(&chat, "by the hub that asks for no replica").await;
    assert_eq!(listed(&bob.at(1), &chat).await, [id(&kept)]);
    // While writes wait for a replica, and one after the other is refused, the hub is in service for all else.
    let (nobody, over) = (hubs.nobody().on_node(1), std::cell::Cell::new(false));
    let ask = async {
        while !over.get() {
            let begun = Instant::now();
            assert_eq!(nobody.get("/health/ready").await.status, 200);
            assert!(begun.elapsed() < Duration::from_secs(1), "ready only after {:?}", begun.elapsed());
        }
    };
    let post = async {
        alice.at(1).post_message(&said("waits for a replica", &chat)).await.refused(503, "SERVICE_UNAVAILABLE");
        over.set(true);
    };
    join(post, ask).await;
}

#[tokio::test]
async fn a_server_that_evicts_or_lacks_replicas_is_warned_of_at_the_start() {
    let evicting = Options::new().line("maxmemory 100mb").line("maxmemory-policy allkeys-lru");
    let server = Server::start(evicting).await.expect("a redis-server");
    let settings = HubSettings::redis(&server.url(), &new_prefix());
    let strict = settings.clone().set("store.durability", "replicated").set("store.replicas_min", 2);
    let hubs = [TestHub::start(settings).await, TestHub::start(strict).await];
    for hub in &hubs {
        assert_eq!(hub.output().matches("maxmemory-policy has to be noeviction").count(), 1, "{}", hub.output());
    }
    let said = |hub: &TestHub| hub.output().matches("fewer replicas follow than store.replicas_min").count();
    assert_eq!((said(&hubs[0]), said(&hubs[1])), (0, 1), "{}", hubs[1].output());
}

/// Messages are posted through a change of the servers, and heard on both nodes: each once, in order.
async fn outlives(fleet: &Fleet, change: impl Future<Output = ()>) {
    let (alice, chat) = (&fleet.alice, &fleet.chat);
    let mut sockets = fleet.listen_on_both().await;
    let over = std::cell::Cell::new(false);
    let write = async {
        let mut count = 0;
        while !over.get() || count < 30 {
            post_for_sure(&alice.at(count % 2), chat, &format!("message {count}")).await;
            count += 1;
        }
        count
    };
    let change = async {
        change.await;
        over.set(true);
    };
    let (count, ()) = join(write, change).await;
    let last = alice.say(chat, "that is all").await;
    let expected = listed(&alice.at(1), chat).await;
    assert_eq!(expected.len(), count + 1, "each is there once");
    for socket in &mut sockets {
        assert_eq!(heard_until(socket, &last).await, expected);
    }
}

#[tokio::test]
async fn a_failover_that_loses_nothing_is_outlived_without_a_hole() {
    // What is acknowledged is at the replica: the failover takes nothing away.
    let replicated = |hub: HubSettings| hub.set("store.durability", "replicated");
    let fleet = Fleet::start(Plan::sentinel().replicas(1), replicated).await;
    let change = async {
        let old = fleet.primary().await;
        fleet.fail_over().await;
        fleet.servers.revive(old).await.expect("the old primary follows the new one");
        fleet.servers.wait_healthy().await.expect("all is well");
    };
    outlives(&fleet, change).await;
}

#[tokio::test]
async fn a_read_that_a_frozen_primary_never_answers_is_answered_by_the_next_one() {
    let fleet = Fleet::start(Plan::sentinel().replicas(1), |hub| hub.set("store.wait_ms", 20_000)).await;
    let kept = fleet.alice.at(0).say(&fleet.chat, "kept").await;
    fleet.servers.wait_healthy().await.expect("the replica has it");
    let primary = fleet.primary().await;
    fleet.servers.server(primary).and_then(Server::freeze).expect("a frozen primary");
    // The second node has read nothing of the chat yet.
    assert_eq!(listed(&fleet.bob.at(1), &fleet.chat).await, [id(&kept)]);
}

/// The slot of the fleet's only chat, by a key of it.
async fn slot_of_the_chat(servers: &Topology) -> u16 {
    for member in servers.primaries().await.expect("primaries") {
        let keys: Vec<String> = servers.server(member).expect("a server").ask(&["KEYS", "*:m"]).await.expect("keys");
        if let Some(key) = keys.first() {
            return servers.slot_of(key).await.expect("a slot");
        }
    }
    panic!("no server has the chat")
}

#[tokio::test]
async fn a_chat_moves_with_its_slot_and_its_sockets_stay() {
    let fleet = Fleet::start(Plan::cluster(), |settings| settings).await;
    let slot = slot_of_the_chat(&fleet.servers).await;
    let change = async {
        for _ in 0..3 {
            let owner = fleet.servers.owner_of(slot).await.expect("an owner");
            let primaries = fleet.servers.primaries().await.expect("primaries");
            let to = *primaries.iter().find(|primary| **primary != owner).expect("another primary");
            let moving = fleet.servers.begin_move(slot, to).await.expect("the move begins");
            // Half of the chat's keys are there, half are here, for longer than a call takes.
            moving.carry(2).await.expect("some keys are carried");
            tokio::time::timeout(Duration::from_millis(300), std::future::pending::<()>()).await.ok();
            while moving.carry(100).await.expect("the others are carried") > 0 {}
            moving.finish().await.expect("the move ends");
        }
    };
    outlives(&fleet, change).await;
    // Now slots lie in pieces: each server is one all the same, also for a hub that begins with that.
    assert_eq!(fleet.nodes[0].metric("talk_store_servers").await, 3);
    let late = TestHub::start(fleet.settings.clone()).await;
    assert_eq!(late.metric("talk_store_servers").await, 3);
}

#[tokio::test]
async fn a_cluster_that_loses_a_primary_goes_on_with_its_replica() {
    let replicated = |hub: HubSettings| hub.set("store.durability", "replicated").set("store.wait_ms", 8000);
    let fleet = Fleet::start(Plan::cluster(), replicated).await;
    let slot = slot_of_the_chat(&fleet.servers).await;
    let change = async {
        let owner = fleet.servers.owner_of(slot).await.expect("an owner");
        fleet.servers.failover(owner, Failover::Killed).await.expect("another primary");
        fleet.servers.revive(owner).await.expect("the old one follows");
        fleet.servers.wait_healthy().await.expect("all is well");
        let owner = fleet.servers.owner_of(slot).await.expect("an owner");
        fleet.servers.failover(owner, Failover::Asked).await.expect("back again");
    };
    outlives(&fleet, change).await;
}
