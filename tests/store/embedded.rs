//! The suite over the embedded body, in a directory of its own for each test; and what can only be
//! tried from outside: another process, and a process that is killed.

use std::collections::HashMap;
use std::path::Path;
use std::process::Stdio;
use std::time::Instant;

use futures_util::future::join_all;
use talk_hub::model::{AgentId, ChatId, ChatKind, CustomerId, Event, Micros, Nonce, ParticipantId};
use talk_hub::store::embedded::{self, EmbeddedSettings};
use talk_hub::store::{Commit, Expect, Opened, Page, Side, Store};
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::suite::{Body, entry, said};

/// A directory that lives as long as the test.
struct Directory(tempfile::TempDir);

/// Settings that no test comes near to, except where it says so.
fn settings() -> EmbeddedSettings {
    EmbeddedSettings { queue_max: 1024, batch_max: 256, heard_max: 4096, cache_bytes: 64 << 20, wait_ms: 10_000 }
}

impl Body for Directory {
    async fn fresh() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    async fn open(&self) -> Opened {
        embedded::open(self.0.path(), settings()).unwrap()
    }
}

crate::suite::keeps_every_promise!(super::Directory);

/// Names the directory to the process that is to be killed.
const DIRECTORY: &str = "TALK_TEST_DIRECTORY";
/// How many write at once.
const WRITERS: usize = 64;

/// A new chat, and commits of one message each to it.
async fn begin(store: &Store) -> ChatId {
    let chat = ChatId::random();
    let at = store.log.now(chat.key()).await.unwrap();
    let created = Event::ChatCreated {
        customer: CustomerId::random(),
        kind: ChatKind::Group,
        name: String::new(),
        detail: String::new(),
        members: vec![(AgentId::random(), ParticipantId::random())],
    };
    let entries = vec![entry(created)];
    store
        .log
        .commit(&Commit { chat, expect: Expect::Absent { at }, retry_after: None, known: None, entries })
        .await
        .unwrap();
    chat
}

fn message(chat: ChatId, text: &str) -> Commit {
    let entries = vec![entry(Event::MessageCreated(said(text)))];
    Commit { chat, expect: Expect::Rules(1), retry_after: None, known: None, entries }
}

/// Not a test: what the process does that [`what_was_acknowledged_survives_kill_9`] kills.
#[tokio::test]
#[ignore = "run by what_was_acknowledged_survives_kill_9 in a process of its own"]
#[expect(clippy::print_stdout, reason = "it is how the process tells what was acknowledged")]
async fn writes_until_it_is_killed() {
    let Some(dir) = std::env::var_os(DIRECTORY) else { return };
    let opened = embedded::open(Path::new(&dir), settings()).unwrap();
    let chat = begin(&opened.store).await;
    join_all((0..WRITERS).map(|_| async {
        loop {
            let record = opened.store.log.commit(&message(chat, "kept")).await.unwrap().records.remove(0);
            println!("kept {} {} {}", chat, record.seq, record.nonce.0);
        }
    }))
    .await;
}

#[tokio::test]
async fn what_was_acknowledged_survives_kill_9() {
    let dir = tempfile::tempdir().unwrap();
    for round in 1..=3 {
        let mut process = tokio::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "embedded::writes_until_it_is_killed", "--ignored", "--nocapture"])
            .env(DIRECTORY, dir.path())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut kept: HashMap<u64, Nonce> = HashMap::new();
        let mut chat = None;
        while let Some(line) = lines.next_line().await.unwrap() {
            let words: Vec<_> = line.split(' ').collect();
            let ["kept", id, seq, nonce] = words[..] else { continue };
            chat = ChatId::parse(id);
            kept.insert(seq.parse().unwrap(), Nonce(nonce.parse().unwrap()));
            if kept.len() == 500 * round {
                // While it lives, the directory is its own.
                let refused = embedded::open(dir.path(), settings()).err().unwrap().to_string();
                assert!(refused.contains(dir.path().to_str().unwrap()), "{refused}");
                process.start_kill().unwrap();
            }
        }
        process.wait().await.unwrap();
        let chat = chat.expect("the process has written nothing");
        let opened = embedded::open(dir.path(), settings()).unwrap();
        let log = opened.store.log.events(chat.key(), 1, 1_000_000).await.unwrap();
        assert!(log.iter().map(|record| record.seq).eq(1..=log.len() as u64), "a hole");
        for (seq, nonce) in kept {
            assert_eq!(log.get(seq as usize - 1).map(|record| record.nonce), Some(nonce), "event {seq} was lost");
        }
        assert_eq!(opened.store.log.head(chat.key()).await.unwrap().seq, log.len() as u64);
        opened.close.await;
    }
}

/// Prints how fast this machine is: `cargo test --release --test store measured -- --ignored --nocapture`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement, not a promise"]
#[expect(clippy::print_stdout, reason = "it is what it is for")]
async fn measured() {
    const APPENDS: usize = 1_000;
    let dir = tempfile::tempdir_in(std::env::var_os("TALK_TEST_DISK").unwrap_or_else(|| "target".into()))
        .unwrap_or_else(|_| tempfile::tempdir().unwrap());
    let Opened { store, heard: _heard, close, .. } = embedded::open(dir.path(), settings()).unwrap();
    let text =
        "a message of a hundred and twenty characters, which is about what people write to each other ".repeat(2);
    let text = &text[..120];
    let mut chats = Vec::new();
    for _ in 0..100 {
        chats.push(begin(&store).await);
    }
    for writers in [1, WRITERS] {
        let appends = if writers == 1 { APPENDS } else { APPENDS * 40 };
        let began = Instant::now();
        let tasks = (0..writers).map(|writer| {
            let (store, chats, text) = (store.clone(), chats.clone(), text.to_owned());
            tokio::spawn(async move {
                for number in 0..appends / writers {
                    let chat = chats[(writer + number * writers) % chats.len()];
                    store.log.commit(&message(chat, &text)).await.unwrap();
                }
            })
        });
        for task in tasks.collect::<Vec<_>>() {
            task.await.unwrap();
        }
        let took = began.elapsed();
        let rate = appends as f64 / took.as_secs_f64();
        println!("{writers:>3} at once: {rate:>8.0} durable appends/s, {appends} in {took:.2?}");
    }
    let began = Instant::now();
    for round in 0..10_000 {
        let page = Page { side: Side::Before(Micros::MAX), limit: 50 };
        assert_eq!(store.log.messages(chats[round % chats.len()].key(), page).await.unwrap().len(), 50);
    }
    println!("page of 50: {:.1?}", began.elapsed() / 10_000);
    let began = Instant::now();
    for round in 0..10_000 {
        store.log.load(chats[round % chats.len()].key()).await.unwrap().unwrap();
    }
    println!("load of a chat: {:.1?}", began.elapsed() / 10_000);
    let before = std::fs::metadata(dir.path().join("talk.redb")).unwrap().len();
    drop(store);
    let began = Instant::now();
    close.await;
    println!("closing: {:.1?}, {} MiB for {} messages", began.elapsed(), before >> 20, APPENDS * 41);
    let began = Instant::now();
    let opened = embedded::open(dir.path(), settings()).unwrap();
    println!("opening: {:.1?}", began.elapsed());
    opened.close.await;
}
