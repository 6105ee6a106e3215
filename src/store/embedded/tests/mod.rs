//! What only this body promises: its directory, its bounds, its clock, a file that fails, and no
//! traces. What every body promises is tried in `tests/store`.

use super::medium::SCHEMA;
use super::*;
use crate::model::{
    AgentId, Chat, ChatId, ChatKind, CustomerId, Event, Nonce, Overlay, Owner, ParticipantId, Post, Record,
};
use crate::store::{Channel, Commit, CommitError, Committed, Entry, Expect, Heard, Notice, Page, Side, Touch};

/// A disk without room.
mod disk;
/// What comes with time.
mod time;
/// What deletions leave behind.
mod traces;

fn settings() -> EmbeddedSettings {
    EmbeddedSettings { queue_max: 256, batch_max: 64, heard_max: 64, cache_bytes: 4 << 20, wait_ms: 10_000 }
}

fn entry(event: Event) -> Entry {
    Entry { nonce: Nonce::random(), event, touch: None }
}

fn created() -> Event {
    Event::ChatCreated {
        customer: CustomerId::random(),
        kind: ChatKind::Group,
        name: String::new(),
        detail: String::new(),
        members: vec![(AgentId::random(), ParticipantId::random())],
    }
}

fn said(text: &str) -> Event {
    Event::MessageCreated(Post { owner: Owner::System, parent: None, text: text.to_owned(), medias: Vec::new() })
}

async fn begin(store: &Store) -> ChatId {
    let chat = ChatId::random();
    let at = store.log.now(chat.key()).await.unwrap();
    let entries = vec![entry(created())];
    store
        .log
        .commit(&Commit { chat, expect: Expect::Absent { at }, retry_after: None, known: None, entries })
        .await
        .unwrap();
    chat
}

async fn append(store: &Store, chat: ChatId, entry: Entry) -> std::result::Result<Committed, CommitError> {
    let commit = Commit { chat, expect: Expect::Rules(1), retry_after: None, known: None, entries: vec![entry] };
    store.log.commit(&commit).await
}

async fn say(store: &Store, chat: ChatId, text: &str) -> Record {
    append(store, chat, entry(said(text))).await.unwrap().records.remove(0)
}

async fn delete(store: &Store, chat: ChatId, at: Micros) {
    let before = store.log.messages_at(chat.key(), &[at]).await.unwrap().remove(0).unwrap();
    let touch = Some(Touch { before, overlay: Overlay::tombstone(Micros::ZERO) });
    let event = Event::MessageDeleted { message: at };
    append(store, chat, Entry { nonce: Nonce::random(), event, touch }).await.unwrap();
}

/// Waits until a condition that the writer brings about is so.
async fn eventually(mut so: impl FnMut() -> bool) {
    for _ in 0..2_000 {
        if so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("not so in time");
}

#[tokio::test]
async fn a_directory_in_use_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let opened = open(dir.path(), settings()).unwrap();
    let refused = open(dir.path(), settings()).err().unwrap().to_string();
    assert!(refused.contains(dir.path().to_str().unwrap()) && refused.contains("another process"), "{refused}");
    // The refused attempt has not taken the lock away.
    assert!(open(dir.path(), settings()).is_err());
    opened.close.await;
    open(dir.path(), settings()).unwrap().close.await;
}

#[tokio::test]
async fn another_schema_version_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    open(dir.path(), settings()).unwrap().close.await;
    let file = redb::Database::open(dir.path().join(FILE)).unwrap();
    let transaction = file.begin_write().unwrap();
    transaction.open_table(tables::META).unwrap().insert("schema", SCHEMA + 41).unwrap();
    transaction.commit().unwrap();
    drop(file);
    let refused = open(dir.path(), settings()).err().unwrap().to_string();
    assert!(refused.contains(FILE) && refused.contains("version 42"), "{refused}");
}

#[tokio::test]
async fn a_file_that_is_something_else_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join(FILE), "not a database".repeat(10_000)).unwrap();
    let refused = open(dir.path(), settings()).err().unwrap().to_string();
    assert!(refused.contains(FILE), "{refused}");
}

#[tokio::test]
async fn a_bound_of_nothing_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    for wrong in [
        EmbeddedSettings { queue_max: 0, ..settings() },
        EmbeddedSettings { batch_max: 0, ..settings() },
        EmbeddedSettings { heard_max: 0, ..settings() },
    ] {
        assert!(open(dir.path(), wrong).is_err());
    }
}

#[tokio::test]
async fn after_closing_every_call_ends() {
    let dir = tempfile::tempdir().unwrap();
    let Opened { store, heard: _heard, close, .. } = open(dir.path(), settings()).unwrap();
    let chat = begin(&store).await;
    close.await;
    assert!(matches!(store.log.load(chat.key()).await, Err(StoreError::Unavailable(_))));
    let lost = append(&store, chat, entry(said("too late"))).await;
    assert!(matches!(lost, Err(CommitError::Store(StoreError::Unavailable(_)))));
    assert!(!store.link.healthy().await);
}

#[tokio::test]
async fn who_waits_for_a_fan_out_that_stands_still_is_told_in_time() {
    let dir = tempfile::tempdir().unwrap();
    let narrow = EmbeddedSettings { queue_max: 2, batch_max: 1, heard_max: 1, wait_ms: 300, ..settings() };
    let Opened { store, mut heard, close, .. } = open(dir.path(), narrow).unwrap();
    let chat = begin(&store).await;
    store.link.watch(vec![Channel::Chat(chat.key())]).await;
    let mut lost = Vec::new();
    for number in 0..6 {
        let told = entry(said(&number.to_string()));
        if let Err(CommitError::Store(StoreError::Unavailable(_))) = append(&store, chat, told.clone()).await {
            lost.push(told);
        }
    }
    assert!(!lost.is_empty(), "nobody had to wait");
    // As soon as the fan-out moves on, so does the writer; trying again settles what became of them.
    let listener = tokio::spawn(async move { while heard.recv().await.is_some() {} });
    for entry in lost {
        let commit = Commit { chat, expect: Expect::Rules(1), retry_after: Some(1), known: None, entries: vec![entry] };
        store.log.commit(&commit).await.unwrap();
    }
    let page = Page { side: Side::After(Micros::ZERO), limit: 100 };
    let mut texts: Vec<_> =
        store.log.messages(chat.key(), page).await.unwrap().into_iter().map(|message| message.post.text).collect();
    texts.sort();
    assert_eq!(texts, ["0", "1", "2", "3", "4", "5"]);
    close.await;
    drop(store);
    listener.await.unwrap();
}

#[tokio::test]
async fn a_command_that_is_refused_does_not_hurt_its_neighbours() {
    let dir = tempfile::tempdir().unwrap();
    let opened = open(dir.path(), settings()).unwrap();
    let chat = begin(&opened.store).await;
    let tries: Vec<_> = (0..40)
        .map(|number| {
            let store = opened.store.clone();
            // Every other one is unsound: a chat is not created twice.
            let event = if number % 2 == 0 { said("fine") } else { created() };
            tokio::spawn(async move { append(&store, chat, entry(event)).await })
        })
        .collect();
    for (number, outcome) in tries.into_iter().enumerate() {
        match outcome.await.unwrap() {
            Ok(_) => assert_eq!(number % 2, 0),
            Err(CommitError::Store(StoreError::Corrupt(_))) => assert_eq!(number % 2, 1),
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(opened.store.log.head(chat.key()).await.unwrap().seq, 21);
    opened.close.await;
}

#[tokio::test]
async fn notices_of_a_batch_are_told_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let Opened { store, mut heard, close, .. } = open(dir.path(), settings()).unwrap();
    let customer = CustomerId::random();
    store.link.watch(vec![Channel::Customer(customer)]).await;
    let listener = tokio::spawn(async move {
        let mut seen = Vec::new();
        while let Some(news) = heard.recv().await {
            if let Heard::Noticed { number, .. } = news {
                seen.push(number);
            }
        }
        seen
    });
    let notice = Notice::AgentChanged { agent: AgentId::random() };
    let tries = (0..200).map(|_| store.link.notify(customer, notice.clone()));
    futures_util::future::try_join_all(tries).await.unwrap();
    close.await;
    drop(store);
    assert_eq!(listener.await.unwrap(), (1..=200).collect::<Vec<_>>());
}

#[test]
fn a_chat_is_read_as_it_was_written() {
    for deleted in [None, Some(Micros(9))] {
        let chat = Chat {
            id: ChatId::random(),
            customer: CustomerId::random(),
            kind: ChatKind::Talk,
            name: "Ünï".to_owned(),
            detail: String::new(),
            created: Micros(1),
            updated: Micros(u64::MAX),
            deleted,
        };
        let bytes = state::chat(&chat);
        assert_eq!(state::read_chat(&bytes).unwrap(), chat);
        for end in 0..bytes.len() {
            assert!(state::read_chat(&bytes[..end]).is_err());
        }
    }
}
