//! What the hub costs, measured through its API and held against its budgets; the figures are printed.
//!
//! `TALK_TEST_COST_MESSAGES` sets how many messages are measured: 100,000 in a release build, 20,000 otherwise.

use futures_util::StreamExt;
use futures_util::stream;
use reqwest::Method;
use serde_json::json;

use crate::support::calls::MESSAGES;
use crate::support::raw::{RawSocket, TEXT};
use crate::support::redis::{RedisServer, new_prefix};
use crate::support::{Agent, HubSettings, Hubs, TestHub};

const CHATS: usize = 100;
const AT_ONCE: usize = 32;
/// Budgets, in bytes.
const PER_MESSAGE: f64 = 180.0;
const PER_SMALL_CHAT: f64 = 5.0 * 1024.0;
const PER_CONNECTION: f64 = 8.0 * 1024.0;
const CONNECTIONS: usize = 2_000;

fn messages() -> usize {
    let set = std::env::var("TALK_TEST_COST_MESSAGES").ok().and_then(|count| count.parse().ok());
    set.unwrap_or(if cfg!(debug_assertions) { 20_000 } else { 100_000 })
}

/// A number that Redis reports about itself.
fn info(redis: &RedisServer, section: &str, key: &str) -> u64 {
    let report: String = redis.command(&["INFO", section]);
    let value = report.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
    value.and_then(|value| value.trim().parse().ok()).unwrap_or_else(|| panic!("no {key} in {report}"))
}

/// How many scripts and functions were called so far.
fn scripts(redis: &RedisServer) -> u64 {
    let report: String = redis.command(&["INFO", "commandstats"]);
    let calls = |command: &str| {
        let line = report.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:calls=")));
        line.and_then(|rest| rest.split(',').next()?.parse::<u64>().ok()).unwrap_or(0)
    };
    ["evalsha", "eval", "evalsha_ro", "eval_ro", "fcall", "fcall_ro"].into_iter().map(calls).sum()
}

/// A message of 120 characters. The contract's checks of each answer are left out here: they would take longer than the
/// hub does.
async fn post(agent: &Agent, chat: &str) {
    let text = "The deployment was successful, thank you all! ".repeat(3)[..120].to_owned();
    let call = agent.call(Method::POST, MESSAGES).json(&json!({"chat_id": chat, "type": "normal", "text": text}));
    let answer = call.try_send().await.expect("the hub answers");
    assert_eq!(answer.status, 200, "{answer}");
}

async fn each<Item, Task: Future<Output = ()>>(items: impl Iterator<Item = Item>, work: impl FnMut(Item) -> Task) {
    stream::iter(items.map(work)).buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;
}

async fn on_redis() -> (RedisServer, TestHub, Agent, Agent) {
    let redis = RedisServer::start().await;
    let hub = TestHub::start(HubSettings::redis(&redis.url(), &new_prefix())).await;
    let [alice, bob] = Hubs::of(&hub).agents(["Alice", "Bob"]).await;
    (redis, hub, alice, bob)
}

#[tokio::test]
async fn a_message_of_120_characters_takes_at_most_180_bytes_of_redis() {
    let (redis, _hub, alice, bob) = on_redis().await;
    let mut chats = Vec::new();
    for _ in 0..CHATS {
        let chat = alice.new_group(&[&bob]).await;
        post(&alice, &chat).await;
        chats.push(chat);
    }
    let before = info(&redis, "memory", "used_memory");
    let count = messages();
    each(0..count, |n| post(if n % 2 == 0 { &alice } else { &bob }, &chats[n % CHATS])).await;
    let bytes = (info(&redis, "memory", "used_memory") - before) as f64 / count as f64;
    eprintln!("{bytes:.1} bytes of Redis per message of 120 characters, over {count} messages in {CHATS} chats");
    assert!(bytes <= PER_MESSAGE, "{bytes:.1} bytes per message");
}

#[tokio::test]
async fn a_chat_with_two_messages_takes_at_most_5_kib_of_redis() {
    const COUNT: usize = 1_000;
    let (redis, _hub, alice, bob) = on_redis().await;
    let make = async |_: usize| {
        let body = json!({"type": "group", "name": "A chat", "participants": [bob.as_participant()]});
        let answer = alice.call(Method::POST, crate::support::calls::CHATS).json(&body).try_send().await;
        let chat = crate::support::id(&answer.expect("the hub answers").ok());
        post(&alice, &chat).await;
        post(&bob, &chat).await;
    };
    each(0..100, make).await;
    let before = info(&redis, "memory", "used_memory");
    each(0..COUNT, make).await;
    let bytes = (info(&redis, "memory", "used_memory") - before) as f64 / COUNT as f64;
    eprintln!("{bytes:.0} bytes of Redis per chat of two members with two messages, over {COUNT} chats");
    assert!(bytes <= PER_SMALL_CHAT, "{bytes:.0} bytes per chat");
}

#[tokio::test]
async fn a_message_is_one_script_call() {
    const COUNT: u64 = 500;
    let (redis, _hub, alice, bob) = on_redis().await;
    let chat = alice.new_group(&[&bob]).await;
    let _listener = bob.listen().await;
    post(&alice, &chat).await;
    let before = scripts(&redis);
    for _ in 0..COUNT {
        post(&alice, &chat).await;
    }
    let calls = scripts(&redis) - before;
    eprintln!("{calls} script calls for {COUNT} messages");
    // The hub may look around now and then meanwhile.
    assert!((COUNT..=COUNT + COUNT / 50).contains(&calls), "{calls} script calls for {COUNT} messages");
}

#[tokio::test]
async fn an_idle_subscribed_connection_takes_at_most_8_kib() {
    let hub = TestHub::start(HubSettings::embedded()).await;
    let agents = Hubs::of(&hub).agents(["Ann", "Ben", "Cid", "Dot"]).await;
    let chat = agents[0].new_group(&agents.each_ref()).await;
    let open = async |n: usize| {
        let agent = &agents[n % agents.len()];
        let mut socket = RawSocket::open(agent).await;
        socket.subscribe(agent).await;
        socket
    };
    // The first ones pay for what all share.
    let mut sockets = stream::iter((0..200).map(open)).buffer_unordered(AT_ONCE).collect::<Vec<_>>().await;
    let before = hub.resident_bytes();
    sockets.extend(stream::iter((0..CONNECTIONS).map(open)).buffer_unordered(AT_ONCE).collect::<Vec<_>>().await);
    let bytes = (hub.resident_bytes() - before) as f64 / CONNECTIONS as f64;
    eprintln!("{:.1} KiB of memory per idle, subscribed connection, over {CONNECTIONS}", bytes / 1024.0);
    assert!(bytes <= PER_CONNECTION, "{bytes:.0} bytes per connection");
    // They are subscribed indeed.
    agents[0].say(&chat, "a marker").await;
    for socket in sockets.iter_mut().step_by(100) {
        let mut frame = socket.next().await.expect("an event");
        while frame.opcode != TEXT {
            frame = socket.next().await.expect("an event");
        }
        assert!(String::from_utf8_lossy(&frame.payload).contains("a marker"));
    }
}
