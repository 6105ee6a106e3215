//! What the Redis body costs: `cargo test --release --test store redis_cost -- --ignored --nocapture`.
//!
//! The figures of bytes are bounds and are checked; those of time depend on the machine, and are
//! only told.

#![allow(clippy::print_stdout, reason = "figures are told to who asked for them")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use talk_hub::model::{AgentId, ChatKind, CustomerId, Event, Micros, Owner, Post};
use talk_hub::store::redis::RedisSettings;
use talk_hub::store::{Commit, Page, Scope, Side};
use talk_load::rig::redis::Server;

use crate::redis::{Prefix, server_of_our_own};
use crate::suite::{Body, Stage, Talk, entry, said};

/// A server of its own for each measurement.
struct Alone(Prefix, #[expect(dead_code, reason = "lives as long as the place")] Server);

impl Body for Alone {
    async fn fresh() -> Self {
        let server = server_of_our_own().await;
        let settings = RedisSettings::new(server.url(), "talk:");
        Self(Prefix(settings), server)
    }

    async fn open(&self) -> talk_hub::store::Opened {
        self.0.open().await
    }
}

impl Alone {
    async fn used(&self) -> i64 {
        let info: String = redis::cmd("INFO").arg("memory").query_async(&mut self.0.connection().await).await.unwrap();
        let used = info.lines().find_map(|line| line.strip_prefix("used_memory:")).unwrap();
        used.trim().parse().unwrap()
    }

    /// Tells the size of the keys of some chat.
    async fn tell_keys(&self) {
        let mut connection = self.0.connection().await;
        let info: String = redis::cmd("INFO").arg("memory").query_async(&mut connection).await.unwrap();
        println!("{info}");
        let some: Vec<String> = redis::cmd("KEYS").arg("*:m").query_async(&mut connection).await.unwrap();
        let chat = some[0].trim_end_matches('m');
        let keys: Vec<String> = redis::cmd("KEYS").arg(format!("{chat}*")).query_async(&mut connection).await.unwrap();
        for key in keys {
            let bytes: u64 = redis::cmd("MEMORY").arg("USAGE").arg(&key).query_async(&mut connection).await.unwrap();
            println!("  {key}: {bytes}");
        }
    }
}

fn post(agent: AgentId) -> Post {
    let text = "All work and no play makes Jack a dull boy. ".repeat(3)[..120].to_owned();
    Post { owner: Owner::Agent(agent), ..said(&text) }
}

async fn announced(stage: &Stage<Alone>, customer: CustomerId, agents: &[AgentId]) -> Talk {
    let talk = stage.chat(ChatKind::Group, agents).await;
    let scope = Scope { agents, channel: false, created: true };
    stage.store.index.announce(customer, talk.id, talk.at, scope).await.unwrap();
    talk
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures"]
async fn bytes_of_a_message() {
    let stage = Stage::<Alone>::set().await;
    let customer = CustomerId::random();
    let agents = [AgentId::random(), AgentId::random()];
    let before = stage.body.used().await;
    let mut talks = Vec::new();
    for _ in 0..100 {
        talks.push(announced(&stage, customer, &agents).await);
    }
    // Interleaved, as life is: entries of one chat lie apart in time.
    for _ in 0..1000 {
        for talk in &talks {
            let commit = Commit {
                chat: talk.id,
                expect: talk_hub::store::Expect::Rules(1),
                retry_after: None,
                known: None,
                entries: vec![entry(Event::MessageCreated(post(agents[0])))],
            };
            talk.commit(&commit).await.unwrap();
        }
    }
    let each = (stage.body.used().await - before) as f64 / 100_000.0;
    println!("bytes per message of 120 characters, 100 chats of 1,000, all included: {each:.1}");
    stage.body.tell_keys().await;
    assert!(each <= 180.0, "{each}");
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures"]
async fn bytes_of_a_small_chat() {
    let stage = Stage::<Alone>::set().await;
    let customer = CustomerId::random();
    let agents: Vec<AgentId> = (0..100).map(|_| AgentId::random()).collect();
    announced(&stage, customer, &agents).await;
    let before = stage.body.used().await;
    for number in 0..1000 {
        let pair = [agents[number % 100], agents[(number + 1) % 100]];
        let talk = announced(&stage, customer, &pair).await;
        talk.post(post(pair[0])).await;
        talk.post(post(pair[1])).await;
    }
    let each = (stage.body.used().await - before) as f64 / 1000.0;
    println!("bytes per chat of two members and two messages, index included: {each:.0}");
    stage.body.tell_keys().await;
    assert!(each <= 5.0 * 1024.0, "{each}");
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures"]
async fn time_of_a_deletion_and_of_pages() {
    let stage = Stage::<Alone>::set().await;
    let agent = AgentId::random();
    let talk = stage.chat(ChatKind::Group, &[agent]).await;
    let mut messages = Vec::new();
    for _ in 0..2000 {
        messages.push(talk.post(post(agent)).await);
    }
    let mut connection = stage.body.0.connection().await;
    for (what, count) in [("post", 200), ("delete", 200), ("react", 200), ("page of 50", 200), ("events of 50", 200)] {
        let () = redis::cmd("CONFIG").arg("RESETSTAT").query_async(&mut connection).await.unwrap();
        let begun = Instant::now();
        for number in 0..count {
            match what {
                "post" => drop(talk.post(post(agent)).await),
                "delete" => drop(talk.delete(&messages[number * 7]).await),
                "react" => drop(talk.react(&messages[number * 7 + 1], agent, "x").await),
                "page of 50" => {
                    let side = Side::Before(messages[1000 + number].at);
                    drop(stage.store.log.messages(talk.id.key(), Page { side, limit: 50 }).await.unwrap());
                }
                _ => drop(stage.store.log.events(talk.id.key(), 900 + number as u64, 50).await.unwrap()),
            }
        }
        let wall = begun.elapsed() / count as u32;
        let stats: String = redis::cmd("INFO").arg("commandstats").query_async(&mut connection).await.unwrap();
        let scripts = stats.lines().find(|line| line.starts_with("cmdstat_evalsha:")).unwrap_or_default();
        println!("{what}: {wall:?} wall with its reads; {scripts}");
    }
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures"]
async fn commits_a_second() {
    for callers in [1, 16, 64, 256] {
        let stage = Stage::<Alone>::set().await;
        let agent = AgentId::random();
        let mut talks = Vec::new();
        for _ in 0..4 {
            talks.push(stage.chat(ChatKind::Group, &[agent]).await);
        }
        let made = Arc::new(AtomicUsize::new(0));
        let end = Instant::now() + Duration::from_secs(4);
        let mut tasks = Vec::new();
        for caller in 0..callers {
            let (talk, made) = (talks[caller % 4].clone(), Arc::clone(&made));
            tasks.push(tokio::spawn(async move {
                let mut slowest = Vec::new();
                while Instant::now() < end {
                    let commit = Commit {
                        chat: talk.id,
                        expect: talk_hub::store::Expect::Rules(1),
                        retry_after: None,
                        known: None,
                        entries: vec![entry(Event::MessageCreated(post(agent)))],
                    };
                    let begun = Instant::now();
                    talk.commit(&commit).await.unwrap();
                    slowest.push(begun.elapsed());
                    made.fetch_add(1, Ordering::Relaxed);
                }
                slowest
            }));
        }
        let mut took = Vec::new();
        for task in tasks {
            took.extend(task.await.unwrap());
        }
        took.sort_unstable();
        let at = |share: f64| took[((took.len() - 1) as f64 * share) as usize];
        let stats: String =
            redis::cmd("INFO").arg("commandstats").query_async(&mut stage.body.0.connection().await).await.unwrap();
        let scripts = stats.lines().find(|line| line.starts_with("cmdstat_evalsha:")).unwrap_or_default();
        println!(
            "{callers} callers: {} commits/s, p50 {:?} p99 {:?}; {scripts}",
            made.load(Ordering::Relaxed) / 4,
            at(0.5),
            at(0.99)
        );
        let newest = Page { side: Side::Before(Micros::MAX), limit: 1 };
        assert_eq!(stage.store.log.messages(talks[0].id.key(), newest).await.unwrap().len(), 1);
        stage.close().await;
    }
}
