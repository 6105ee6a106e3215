//! A history that changes under a node while it hears nothing: what the node knows and what the log has are of the same
//! length, so that numbers alone do not tell.

use redis::{Commands, Connection};
use serde_json::{Value, json};

use crate::support::deployment::nodes_on;
use crate::support::proxy::Proxy;
use crate::support::redis::RedisServer;
use crate::support::{Agent, Deployment, Hubs, TestHub, id};

/// Two nodes on a Redis of their own; the second is deaf while its wire loses what is published.
struct World {
    redis: RedisServer,
    wire: Proxy,
    /// Held: dropped, they end.
    _nodes: Vec<TestHub>,
    alice: Agent,
    bob: Agent,
    chat: String,
}

impl World {
    async fn begin() -> Self {
        let redis = RedisServer::start().await;
        let wire = Proxy::to(&redis.url()).await;
        // Nobody looks by itself while the test lasts.
        let settings = nodes_on(&redis.url()).set("chat.beacon_secs", 600);
        let first = TestHub::start(settings.clone()).await;
        let nodes = vec![first, TestHub::start(settings.set("store.url", wire.url())).await];
        let [alice, bob] = Hubs::new(Deployment::TwoNodes, &nodes).agents(["Alice", "Bob"]).await;
        let chat = alice.new_group(&[&bob]).await;
        Self { redis, wire, _nodes: nodes, alice, bob, chat }
    }

    fn connection(&self) -> Connection {
        redis::Client::open(self.redis.url()).expect("an address").get_connection().expect("Redis is there")
    }

    /// All that Redis has of the only chat.
    fn photograph(&self) -> Vec<(String, Vec<u8>)> {
        let mut redis = self.connection();
        let metas: Vec<String> = redis.keys("*:m").expect("keys");
        let [meta] = metas.as_slice() else { panic!("one chat: {metas:?}") };
        let keys: Vec<String> = redis.keys(format!("{}*", meta.trim_end_matches('m'))).expect("keys");
        let dumped = |key: String| {
            let bytes = redis::cmd("DUMP").arg(&key).query(&mut redis).expect("a dump");
            (key, bytes)
        };
        keys.into_iter().map(dumped).collect()
    }

    /// Puts the chat back to what it was, as a failover to a replica that lagged does.
    fn set_back(&self, photograph: &[(String, Vec<u8>)]) {
        let mut redis = self.connection();
        for (key, bytes) in photograph {
            let mut restore = redis::cmd("RESTORE");
            restore.arg(key).arg(0).arg(bytes).arg("REPLACE").exec(&mut redis).expect("restored");
        }
    }
}

fn ids(messages: &[&Value]) -> Vec<String> {
    messages.iter().map(|message| id(message)).collect()
}

#[tokio::test]
async fn a_node_that_writes_onto_a_history_it_does_not_know_notices_and_tells() {
    let world = World::begin().await;
    let (alice, bob, chat) = (&world.alice, &world.bob, &world.chat);
    let kept = alice.at(0).say(chat, "kept").await;
    let mut live = [bob.at(0).listen().await, bob.at(1).listen().await];
    let photograph = world.photograph();
    let lost = alice.at(0).say(chat, "lost").await;
    for socket in &mut live {
        assert_eq!(socket.next_event().await["data"], lost);
    }
    world.wire.lose(true);
    world.set_back(&photograph);
    let first = alice.at(0).say(chat, "in its place").await;
    assert_eq!(first["seq"], lost["seq"], "the number is given out again");
    let second = alice.at(1).say(chat, "from the node that heard nothing").await;
    for socket in &mut live {
        socket.expect_resync().await;
    }
    world.wire.lose(false);
    let last = alice.at(0).say(chat, "last").await;
    for socket in &mut live {
        socket.events_until(|event| event["data"]["id"] == last["id"]).await;
    }
    for node in 0..2 {
        assert_eq!(alice.at(node).ids_of(chat).await, ids(&[&kept, &first, &second, &last]));
    }
}

#[tokio::test]
async fn an_event_that_follows_what_a_node_does_not_know_is_not_taken_for_the_next() {
    let world = World::begin().await;
    let (alice, bob, chat) = (&world.alice, &world.bob, &world.chat);
    let kept = alice.at(0).say(chat, "kept").await;
    let mut live = bob.at(1).listen().await;
    let photograph = world.photograph();
    let lost = alice.at(0).say(chat, "lost").await;
    assert_eq!(live.next_event().await["data"], lost);
    world.wire.lose(true);
    world.set_back(&photograph);
    let first = alice.at(0).say(chat, "in its place").await;
    world.wire.lose(false);
    let second = alice.at(0).say(chat, "by its number it is next").await;
    assert_eq!(second["seq"], json!(lost["seq"].as_u64().unwrap() + 1));
    live.expect_resync().await;
    let last = alice.at(0).say(chat, "last").await;
    live.events_until(|event| event["data"]["id"] == last["id"]).await;
    assert_eq!(alice.at(1).ids_of(chat).await, ids(&[&kept, &first, &second, &last]));
}
