//! Many servers of Redis, under Sentinel or as a Cluster: primaries change and slots move, and what an answer promised is
//! kept, or its loss is told.

use std::time::{Duration, Instant};

use futures_util::future::join;
use reqwest::Method;
use serde_json::json;
use talk_load::rig::Topology;
use talk_load::rig::redis::{Options, Server};
use talk_load::rig::topology::{Failover, Plan};

use crate::support::calls::{MESSAGES, said};
use crate::support::deployment::nodes_on;
use crate::support::eventually::eventually;
use crate::support::redis::new_prefix;
use crate::support::{Agent, Deployment, HubSettings, Hubs, Socket, TestHub, caretaker, id};

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
        let settings = adjust(nodes_on(&servers.url()));
        let nodes = vec![TestHub::start(settings.clone()).await, TestHub::start(settings.clone()).await];
        let [alice, bob] = Hubs::new(Deployment::TwoNodes, &nodes).agents(["Alice", "Bob"]).await;
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

    /// Kills the primary, and returns when another one has taken over.
    async fn fail_over(&self) {
        let primary = self.primary().await;
        self.servers.failover(primary, Failover::Killed).await.expect("another primary");
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
    fleet.servers.lose_replication().expect("a wire before each server");
    let lost = alice.say(chat, "acknowledged, and lost").await;
    for socket in live.iter_mut().chain([&mut away]) {
        assert_eq!(socket.next_event().await["data"], lost);
    }
    let seen = away.positions.clone();
    drop(away);

    fleet.fail_over().await;
    let anew = alice.at(1).say_for_sure(chat, "another history").await;
    for socket in &mut live {
        let told = socket.expect_resync().await;
        assert_eq!(told["chat_id"], chat.as_str());
        if told["seq"].as_u64() < anew["seq"].as_u64() {
            assert_eq!(socket.next_event().await["data"], anew);
        }
    }
    let answer = bob.at(1).socket().await.subscribe_since(&[&bob.topic()], &seen).await;
    let state = &answer["chats"][chat];
    assert_eq!((&state["recovered"], &state["reason"]), (&json!(false), &json!("rewritten")), "{answer}");
    for node in 0..2 {
        assert_eq!(alice.at(node).ids_of(chat).await, [id(&kept), id(&anew)]);
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
    fleet.servers.lose_replication().expect("a wire before each server");
    // Written, heard by those who listen, and not acknowledged.
    let refused = alice.at(0).post_message(&said("only here", chat)).await;
    refused.refused(503, "SERVICE_UNAVAILABLE");
    assert!(fleet.nodes[0].metric("talk_durability_misses_total").await > 0);
    for socket in &mut live {
        assert_eq!(socket.next_event().await["data"]["text"], "only here");
    }
    fleet.fail_over().await;
    for socket in &mut live {
        socket.expect_resync().await;
    }
    for node in 0..2 {
        assert_eq!(alice.at(node).ids_of(chat).await, [id(&kept)], "what was acknowledged, and nothing else");
    }
}

#[tokio::test]
async fn a_write_that_no_replica_has_is_refused_and_made_once_by_its_repeats() {
    let settings = |hub: HubSettings| {
        hub.set("store.durability", "replicated").set("store.durable_ms", 200).set("store.wait_ms", 600)
    };
    let fleet = Fleet::start(Plan::sentinel().proxied(), settings).await;
    let (alice, chat) = (&fleet.alice, &fleet.chat);
    let mut live = fleet.bob.at(1).listen().await;
    fleet.servers.lose_replication().expect("a wire before each server");
    for node in [0, 1, 0] {
        let call = alice.at(node).call(Method::POST, MESSAGES).header("Idempotency-Key", "once");
        let refused = call.json(&said("once", chat)).send().await;
        refused.refused(503, "SERVICE_UNAVAILABLE");
    }
    fleet.servers.heal();
    let made = alice.at(1).say_for_sure(chat, "once").await;
    let last = alice.say(chat, "last").await;
    assert_eq!(live.ids_until(&last).await, [id(&made), id(&last)]);
    assert_eq!(alice.ids_of(chat).await, [id(&made), id(&last)]);
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
    let hubs = Hubs::new(Deployment::TwoNodes, &nodes);
    let [alice, bob] = hubs.agents(["Alice", "Bob"]).await;
    let chat = alice.at(0).new_group(&[&bob]).await;
    let kept = alice.at(0).say(&chat, "by the hub that asks for no replica").await;
    assert_eq!(bob.at(1).ids_of(&chat).await, [id(&kept)]);
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
    for (settings, replicas_lack) in [(settings, 0), (strict, 1)] {
        let said = TestHub::start(settings).await.stop().await.output;
        assert_eq!(said.matches("maxmemory-policy has to be noeviction").count(), 1, "{said}");
        assert_eq!(said.matches("fewer replicas follow than store.replicas_min").count(), replicas_lack, "{said}");
    }
}

/// Messages are posted through a change of the servers, and heard on both nodes: each once, in order.
async fn outlives(fleet: &Fleet, change: impl Future<Output = ()>) {
    let (alice, chat) = (&fleet.alice, &fleet.chat);
    let mut sockets = fleet.listen_on_both().await;
    let over = std::cell::Cell::new(false);
    let write = async {
        let mut count = 0;
        while !over.get() || count < 30 {
            alice.at(count % 2).say_for_sure(chat, &format!("message {count}")).await;
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
    let expected = alice.at(1).ids_of(chat).await;
    assert_eq!(expected.len(), count + 1, "each is there once");
    for socket in &mut sockets {
        assert_eq!(socket.ids_until(&last).await, expected);
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
    assert_eq!(fleet.bob.at(1).ids_of(&fleet.chat).await, [id(&kept)]);
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
    let asked = "talk_store_redirects_total{reason=\"ask\"}";
    let paused = async || fleet.nodes[0].metric(asked).await + fleet.nodes[1].metric(asked).await;
    let change = async {
        for _ in 0..3 {
            let owner = fleet.servers.owner_of(slot).await.expect("an owner");
            let primaries = fleet.servers.primaries().await.expect("primaries");
            let to = *primaries.iter().find(|primary| **primary != owner).expect("another primary");
            let moving = fleet.servers.begin_move(slot, to).await.expect("the move begins");
            // Half of the chat's keys are there, half are here, until a call has met that.
            let before = paused().await;
            moving.carry(2).await.expect("some keys are carried");
            eventually("somebody is told to wait", async || (paused().await > before).then_some(())).await;
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
