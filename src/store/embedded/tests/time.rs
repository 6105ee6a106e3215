//! What comes with time: moments, and what expires.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::future::try_join_all;
use redb::{ReadableDatabase as _, ReadableTableMetadata as _};

use super::super::*;
use super::{begin, say, settings};
use crate::model::{AgentId, ChatId, CustomerId};
use crate::store::{Around, ChatList, Scope};

/// A clock that a test sets.
#[derive(Default)]
struct Hands(AtomicU64);

impl Hands {
    fn set(&self, us: u64) {
        self.0.store(us, Ordering::SeqCst);
    }
}

/// A store whose clock the test sets.
fn with_clock(dir: &Path) -> (Opened, Arc<Hands>) {
    let hands = Arc::new(Hands::default());
    hands.set(1_000 * tidy::HOUR);
    let clock: Clock = Arc::new({
        let hands = Arc::clone(&hands);
        move || Micros(hands.0.load(Ordering::SeqCst))
    });
    let opening: Opening = Box::new(|path| redb::Database::create(path));
    (open_with(dir, &settings(), opening, clock).unwrap(), hands)
}

#[tokio::test]
async fn moments_increase_while_the_clock_stands_still_or_goes_back() {
    let dir = tempfile::tempdir().unwrap();
    let (opened, hands) = with_clock(dir.path());
    let chat = begin(&opened.store).await;
    let start = 1_000 * tidy::HOUR;
    let at = async || say(&opened.store, chat, "x").await.at.0;
    assert_eq!((at().await, at().await), (start + 1, start + 2));
    hands.set(start - 1_000_000);
    assert_eq!(at().await, start + 3);
    hands.set(start + 500);
    assert_eq!((at().await, at().await), (start + 500, start + 501));
    opened.close.await;
}

#[tokio::test]
async fn a_key_is_remembered_for_a_day_and_counts_for_an_hour() {
    let dir = tempfile::tempdir().unwrap();
    let (opened, hands) = with_clock(dir.path());
    let (customer, agent) = (CustomerId::random(), AgentId::random());
    let index = opened.store.index.clone();
    let claim =
        async |key: &'static str, claim: &'static [u8]| index.claim_key(customer, agent, key, claim, 2).await.unwrap();
    let start = 1_000 * tidy::HOUR;
    assert_eq!(claim("a", b"1").await.unwrap(), b"1");
    assert_eq!(claim("b", b"1").await.unwrap(), b"1");
    assert_eq!(claim("c", b"1").await, None);
    hands.set(start + tidy::HOUR);
    assert_eq!(claim("c", b"2").await.unwrap(), b"2");
    hands.set(start + 24 * tidy::HOUR - 1);
    index.settle_key(customer, agent, "a", b"settled").await.unwrap();
    assert_eq!(claim("a", b"3").await.unwrap(), b"settled", "settling prolongs nothing, and loses nothing");
    hands.set(start + 24 * tidy::HOUR);
    index.settle_key(customer, agent, "a", b"too late").await.unwrap();
    assert_eq!(claim("a", b"4").await.unwrap(), b"4");
    opened.close.await;
}

#[tokio::test]
async fn what_has_expired_is_let_go() {
    let dir = tempfile::tempdir().unwrap();
    let (opened, hands) = with_clock(dir.path());
    let (customer, agent, stays) = (CustomerId::random(), AgentId::random(), AgentId::random());
    let Opened { store, close, heard: _heard, .. } = opened;
    let keys: Vec<_> = (0..600).map(|number| number.to_string()).collect();
    let claims = keys.iter().map(|key| store.index.claim_key(customer, agent, key, b"x", 1_000));
    try_join_all(claims).await.unwrap();
    // As many as the keys, more than one step lets go: when all chats are gone, so are all keys.
    let chats: Vec<_> = (0..600).map(|_| ChatId::random()).collect();
    let leaver = [agent];
    let scope = Scope { agents: &[agent, stays], channel: false, created: false };
    try_join_all(chats.iter().map(|chat| store.index.announce(customer, *chat, Micros(7), scope))).await.unwrap();
    try_join_all(chats.iter().map(|chat| store.index.forget(customer, *chat, &leaver))).await.unwrap();
    let start = 1_000 * tidy::HOUR;
    hands.set(start + tidy::HOUR - 1);
    let scope = Scope { agents: &[agent], channel: false, created: false };
    store.index.announce(customer, chats[3], Micros(7), scope).await.unwrap();
    hands.set(start + 25 * tidy::HOUR);
    let listed =
        async |agent| store.index.chats(customer, ChatList::Agent(agent), Around::Oldest, 1_000).await.unwrap().len();
    for _ in 0..1_000 {
        if listed(agent).await == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!((listed(agent).await, listed(stays).await), (1, 600));
    close.await;
    let file = redb::Database::open(dir.path().join(FILE)).unwrap();
    let read = file.begin_read().unwrap();
    assert_eq!(read.open_table(tables::CLAIMS).unwrap().len().unwrap(), 0);
    assert_eq!(read.open_table(tables::CLAIMS_DUE).unwrap().len().unwrap(), 0);
    assert_eq!(read.open_table(tables::CLAIM_COUNTS).unwrap().len().unwrap(), 0);
    assert_eq!(read.open_table(tables::FORGOTTEN).unwrap().len().unwrap(), 0);
}

#[tokio::test]
async fn who_came_in_again_before_leaving_was_heard_of_keeps_the_chat() {
    let dir = tempfile::tempdir().unwrap();
    let (opened, hands) = with_clock(dir.path());
    let Opened { store, close, heard: _heard, .. } = opened;
    let chat = begin(&store).await;
    let snapshot = store.log.load(chat.key()).await.unwrap().unwrap();
    let (customer, at) = (snapshot.chat.customer, snapshot.chat.created);
    let (member, stranger) = (snapshot.roster.newest_first()[0].agent, AgentId::random());
    let scope = Scope { agents: &[member, stranger], channel: false, created: false };
    store.index.announce(customer, chat, at, scope).await.unwrap();
    store.index.forget(customer, chat, &[member, stranger]).await.unwrap();
    hands.set(1_002 * tidy::HOUR);
    let listed =
        async |agent| store.index.chats(customer, ChatList::Agent(agent), Around::Oldest, 10).await.unwrap().len();
    for _ in 0..1_000 {
        if listed(stranger).await == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!((listed(member).await, listed(stranger).await), (1, 0));
    close.await;
    let file = redb::Database::open(dir.path().join(FILE)).unwrap();
    let read = file.begin_read().unwrap();
    assert_eq!(read.open_table(tables::FORGOTTEN).unwrap().len().unwrap(), 0, "the mark is settled");
}
