//! The suite over the Redis body: one server for all tests, a prefix for each.
//!
//! Below it, what only this body promises: waiting for its server, outages, the layout's version,
//! and that a deleted text is in no key.

use std::time::{Duration, Instant};

use talk_hub::model::{AgentId, ChatKind, CustomerId, Event, Micros};
use talk_hub::store::redis::{self as body, Home, RedisSettings};
use talk_hub::store::{Around, Channel, ChatList, Heard, Opened, Scope, Side, StoreError};
use talk_load::rig::redis::{Options, Server};
use tokio::sync::OnceCell;
use uuid::Uuid;

use crate::suite::{Body, PATIENCE, POLL_EVERY, Stage, entry, said};

/// A server without compressed texts, so that a deleted one would be found in its keys.
pub async fn server_of_our_own() -> Server {
    Server::start(Options::new().line("rdbcompression no")).await.unwrap()
}

async fn shared() -> &'static Server {
    static SERVER: OnceCell<Server> = OnceCell::const_new();
    SERVER.get_or_init(server_of_our_own).await
}

/// A prefix of its own on a server.
pub struct Prefix(pub RedisSettings);

impl Prefix {
    pub fn on(server: &Server) -> Self {
        let prefix = format!("test-{}:", Uuid::new_v4().simple());
        Self(RedisSettings { wait_ms: 10_000, ..RedisSettings::new(server.url(), prefix) })
    }

    pub async fn connection(&self) -> redis::aio::MultiplexedConnection {
        redis::Client::open(self.0.url.as_str()).unwrap().get_multiplexed_async_connection().await.unwrap()
    }
}

impl Body for Prefix {
    async fn fresh() -> Self {
        Self::on(shared().await)
    }

    async fn open(&self) -> Opened {
        body::open(&self.0, Home::Own).await.unwrap()
    }
}

crate::suite::keeps_every_promise!(super::Prefix);

#[tokio::test]
async fn a_long_log_is_read_across_its_segments() {
    let stage = Stage::<Prefix>::set().await;
    let talk = stage.chat(ChatKind::Group, &[AgentId::random()]).await;
    let key = talk.id.key();
    let mut messages = Vec::new();
    for number in 0..700 {
        if number % 50 == 0 {
            talk.add(Event::ChatUpdated { name: format!("{number}"), detail: String::new() }).await;
        }
        messages.push(talk.say(&format!("{number}")).await);
    }
    let log = talk.log().await;
    assert_eq!(log.iter().map(|r| r.seq).collect::<Vec<_>>(), (1..=715).collect::<Vec<_>>());
    for (from, limit) in [(1, 10), (255, 4), (256, 1), (257, 1), (250, 300), (500, 100), (512, 2), (700, 100)] {
        let read = stage.store.log.events(key, from, limit).await.unwrap();
        let expected: Vec<_> = log.iter().filter(|r| r.seq >= from).take(limit).cloned().collect();
        assert_eq!(read, expected, "{limit} from {from}");
    }
    assert_eq!(talk.page(Side::After(Micros::ZERO), 1000).await, messages);
    let newest: Vec<_> = messages.iter().rev().cloned().collect();
    assert_eq!(talk.page(Side::Before(Micros::MAX), 1000).await, newest);
    for at in (0..700).step_by(37).chain([238, 239, 240, 241, 242, 499, 500, 501, 502]) {
        let (older, newer) = (messages[..at].iter().rev(), &messages[at + 1..]);
        assert_eq!(talk.page(Side::Before(messages[at].at), 60).await, older.take(60).cloned().collect::<Vec<_>>());
        assert_eq!(
            talk.page(Side::After(messages[at].at), 60).await,
            newer.iter().take(60).cloned().collect::<Vec<_>>()
        );
        assert_eq!(talk.message(messages[at].at).await.as_ref(), Some(&messages[at]));
        assert_eq!(talk.message(Micros(messages[at].at.0 + 1)).await, None);
    }
    // One of each segment is deleted; what stands around it stays, and the log goes on.
    for at in [3, 245, 300, 600, 699] {
        messages[at] = talk.delete(&messages[at].clone()).await;
    }
    messages.push(talk.say("after").await);
    assert_eq!(talk.page(Side::After(Micros::ZERO), 1000).await, messages);
    // An attempt before the border of a segment is found from behind it.
    let commit =
        talk.commit_of(vec![entry(Event::MessageCreated(said("a"))), entry(Event::MessageCreated(said("b")))]).await;
    while stage.store.log.head(key).await.unwrap().seq % 256 != 255 {
        talk.say("up to the border").await;
    }
    let before = stage.store.log.head(key).await.unwrap().seq;
    let made = talk.commit(&commit).await.unwrap();
    for _ in 0..100 {
        talk.say("further").await;
    }
    let commit = talk_hub::store::Commit { retry_after: Some(before), ..commit };
    let again = talk.commit(&commit).await.unwrap();
    assert!(again.repeated);
    assert_eq!(again.records, made.records);
    stage.close().await;
}

#[tokio::test]
async fn a_deleted_text_is_in_no_key() {
    let stage = Stage::<Prefix>::set().await;
    let talk = stage.chat(ChatKind::Group, &[AgentId::random()]).await;
    for number in 0..300 {
        talk.say(&format!("{number}")).await;
    }
    let secret = Uuid::new_v4().to_string();
    let message = talk.say(&secret).await;
    talk.say("after").await;
    let mut connection = Prefix::on(shared().await).connection().await;
    assert!(holds(&mut connection, secret.as_bytes()).await, "the test cannot find what is there");
    talk.delete(&message).await;
    assert!(!holds(&mut connection, secret.as_bytes()).await);
    stage.close().await;
}

/// Whether some key of the server holds these bytes.
async fn holds(connection: &mut redis::aio::MultiplexedConnection, bytes: &[u8]) -> bool {
    let keys: Vec<Vec<u8>> = redis::cmd("KEYS").arg("*").query_async(connection).await.unwrap();
    for key in keys {
        let dump: Vec<u8> = redis::cmd("DUMP").arg(&key).query_async(connection).await.unwrap();
        if dump.windows(bytes.len()).any(|window| window == bytes) {
            return true;
        }
    }
    false
}

#[tokio::test]
async fn another_layout_is_refused_by_its_version() {
    let place = Prefix::fresh().await;
    let key = format!("{}schema", place.0.prefix);
    let () = redis::cmd("SET").arg(&key).arg("77").query_async(&mut place.connection().await).await.unwrap();
    let Err(StoreError::Corrupt(why)) = body::open(&place.0, Home::Own).await else { panic!("opened") };
    assert!(why.contains("77") && why.contains(&key), "{why}");
}

#[tokio::test]
async fn a_hub_waits_for_the_server_it_starts_before() {
    let away = server_of_our_own().await;
    away.kill().unwrap();
    let settings = RedisSettings::new(away.url(), "early:");
    let mut opening = tokio::spawn(async move { body::open(&settings, Home::Own).await.map(|opened| opened.store) });
    let early = tokio::time::timeout(Duration::from_millis(200), &mut opening).await;
    assert!(early.is_err(), "opened without a server");
    away.start_again().await.unwrap();
    let store = tokio::time::timeout(PATIENCE, opening).await.unwrap().unwrap().unwrap();
    assert!(store.log.now(talk_hub::model::ChatKey(1)).await.unwrap() > Micros::ZERO);
}

#[tokio::test]
async fn refused_credentials_end_the_start() {
    let url = shared().await.url().replace("redis://", "redis://nobody:wrong@");
    let Err(error) = body::open(&RedisSettings::new(url, "p:"), Home::Own).await else { panic!("opened") };
    assert!(!error.to_string().contains("wrong@"), "{error}");
}

/// The next thing heard, whatever it is.
async fn next(heard: &mut tokio::sync::mpsc::Receiver<Heard>) -> Heard {
    tokio::time::timeout(PATIENCE, heard.recv()).await.expect("nothing heard in time").expect("the link has ended")
}

/// The channels that are heard again.
async fn again(heard: &mut tokio::sync::mpsc::Receiver<Heard>) -> Vec<Channel> {
    loop {
        match next(heard).await {
            Heard::Again(channels) if channels.is_empty() => {}
            Heard::Again(channels) => return channels,
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn an_outage_is_told_and_ends_by_itself() {
    let server = server_of_our_own().await;
    let settings = RedisSettings { wait_ms: 300, beat_ms: 100, ..RedisSettings::new(server.url(), "outage:") };
    let Opened { store, mut heard, close, .. } = body::open(&settings, Home::Own).await.unwrap();
    let customer = CustomerId::random();
    store.link.watch(vec![Channel::Customer(customer)]).await;
    assert!(store.link.healthy().await);

    server.kill().unwrap();
    while store.link.healthy().await {
        tokio::time::sleep(POLL_EVERY).await;
    }
    let begun = Instant::now();
    let refused = store.index.chats(customer, ChatList::All, Around::Newest, 1).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    assert!(begun.elapsed() < Duration::from_secs(3));
    assert!(!store.link.healthy().await);
    // Watched while it is down: heard with the others when it is back.
    let late = CustomerId::random();
    store.link.watch(vec![Channel::Customer(late)]).await;

    server.start_again().await.unwrap();
    let back = again(&mut heard).await;
    assert!(back.contains(&Channel::Customer(customer)) && back.contains(&Channel::Customer(late)), "{back:?}");
    let agents = [AgentId::random()];
    let scope = Scope { agents: &agents, channel: false, created: true };
    for told in [customer, late] {
        let chat = talk_hub::model::ChatId::random();
        // The lanes come back on their own, within their backoff.
        while store.index.announce(told, chat, Micros(5), scope).await.is_err() {}
        assert!(matches!(next(&mut heard).await, Heard::Noticed { customer, .. } if customer == told));
        assert_eq!(store.index.chats(told, ChatList::All, Around::Newest, 9).await.unwrap(), [(Micros(5), chat)]);
    }
    close.await;
    let closed = store.index.chats(customer, ChatList::All, Around::Newest, 1).await;
    assert!(matches!(closed, Err(StoreError::Unavailable(_))), "{closed:?}");
}

#[tokio::test]
async fn a_slow_hub_loses_the_link_and_not_its_memory() {
    let server = server_of_our_own().await;
    let settings = RedisSettings { heard_max: 4, link_queue_max: 8, ..RedisSettings::new(server.url(), "slow:") };
    let Opened { store, mut heard, close, .. } = body::open(&settings, Home::Own).await.unwrap();
    let customer = CustomerId::random();
    store.link.watch(vec![Channel::Customer(customer)]).await;
    for _ in 0..100 {
        let notice = talk_hub::store::Notice::AgentChanged { agent: AgentId::random() };
        store.link.notify(customer, notice).await.unwrap();
    }
    // What is heard is a beginning without a hole; then the loss is told, and the link comes back.
    let mut number = 0;
    loop {
        match next(&mut heard).await {
            Heard::Noticed { number: told, .. } => {
                assert_eq!(told, number + 1);
                number = told;
            }
            Heard::Again(channels) if channels.contains(&Channel::Customer(customer)) => break,
            Heard::Again(_) => {}
            other => panic!("{other:?}"),
        }
    }
    assert!((4..100).contains(&number), "{number}");
    assert_eq!(store.link.notices(customer).await.unwrap(), 100);
    close.await;
}

/// A commit whose connection dies has an unknown outcome; the same commit again settles it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_commit_is_made_once_while_connections_are_cut() {
    let server = server_of_our_own().await;
    let settings = RedisSettings { wait_ms: 5_000, ..RedisSettings::new(server.url(), "cut:") };
    let Opened { store, heard, close, .. } = body::open(&settings, Home::Own).await.unwrap();
    let stage = Stage { body: Prefix(settings), store, close, heard };
    let talk = stage.chat(ChatKind::Group, &[AgentId::random()]).await;
    let (stop, mut stopped) = tokio::sync::oneshot::channel::<()>();
    let mut knife = stage.body.connection().await;
    let cutting = tokio::spawn(async move {
        let mut cuts = 0;
        while stopped.try_recv().is_err() {
            for kind in ["normal", "pubsub"] {
                let mut cut = redis::cmd("CLIENT");
                cut.arg("KILL").arg("TYPE").arg(kind).arg("SKIPME").arg("yes");
                cuts += cut.query_async::<u32>(&mut knife).await.unwrap();
            }
            tokio::time::sleep(POLL_EVERY).await;
        }
        cuts
    });
    let writers: Vec<_> = (0..32)
        .map(|writer| {
            let talk = talk.clone();
            tokio::spawn(async move {
                let (mut nonces, mut retries) = (Vec::new(), 0);
                for number in 0..50 {
                    let said = entry(Event::MessageCreated(said(&format!("{writer}/{number}"))));
                    nonces.push(said.nonce);
                    let mut commit = talk_hub::store::Commit {
                        chat: talk.id,
                        expect: talk_hub::store::Expect::Rules(1),
                        retry_after: None,
                        known: None,
                        entries: vec![said],
                    };
                    while talk.commit(&commit).await.is_err() {
                        commit.retry_after = Some(1);
                        retries += 1;
                    }
                }
                (nonces, retries)
            })
        })
        .collect();
    let (mut nonces, mut retries) = (std::collections::HashSet::new(), 0);
    for writer in writers {
        let (its, again) = writer.await.unwrap();
        nonces.extend(its);
        retries += again;
    }
    stop.send(()).unwrap();
    let cuts = cutting.await.unwrap();
    assert!(cuts > 0 && retries > 0, "{cuts} cuts and {retries} retries prove nothing");
    let log = talk.log().await;
    assert_eq!(log.iter().map(|record| record.seq).collect::<Vec<_>>(), (1..=1601).collect::<Vec<_>>());
    assert_eq!(log[1..].iter().map(|record| record.nonce).collect::<std::collections::HashSet<_>>(), nonces);
    stage.close().await;
}
