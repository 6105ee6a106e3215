//! What only the Redis body promises of histories: that a failover can give numbers out again, and that the key of a
//! caller keeps its event one.

use talk_hub::model::{AgentId, ChatKind, Event, Nonce, Position};
use talk_hub::store::{Commit, CommitError};

use crate::redis::Prefix;
use crate::suite::{Stage, entry, said};

/// A failover can lose the claim of an idempotency key, which lives with the customer, and keep the event.
#[tokio::test]
async fn the_event_of_an_idempotency_key_is_known_without_its_claim() {
    let stage = Stage::<Prefix>::set().await;
    let talk = stage.chat(ChatKind::Group, &[AgentId::random()]).await;
    let mut commit = talk.commit_of(vec![entry(Event::MessageCreated(said("once")))]).await;
    commit.entries.push(entry(Event::MessageCreated(said("with it"))));
    commit.entries[0].nonce = Nonce::of_key(7);
    let made = talk.commit(&commit).await.unwrap();
    for number in 0..300 {
        talk.say(&format!("others {number}")).await;
    }
    // Nobody knows any more where to look.
    let newest = talk.log().await.len() as u64;
    for retry_after in [None, Some(newest)] {
        let again = talk.commit(&Commit { retry_after, ..commit.clone() }).await.unwrap();
        assert!(again.repeated);
        assert_eq!(again.records, made.records);
    }
    let other = talk.commit_of(vec![entry(Event::MessageCreated(said("other")))]).await;
    assert!(!talk.commit(&other).await.unwrap().repeated);
    stage.close().await;
}

/// Numbers are given out again after a failover that lost some: the nonce tells which history is meant.
#[tokio::test]
async fn a_commit_that_was_decided_on_another_history_is_not_made() {
    let stage = Stage::<Prefix>::set().await;
    let talk = stage.chat(ChatKind::Group, &[AgentId::random()]).await;
    talk.say("one").await;
    let log = talk.log().await;
    let known = log.last().unwrap().position();
    let other = Position { nonce: Nonce(known.nonce.0 ^ 1), ..known };
    let plain = talk.commit_of(vec![entry(Event::MessageCreated(said("new")))]).await;
    let of = |known, retry_after| Commit { known: Some(known), retry_after, ..plain.clone() };
    for round in 0..3 {
        for retry_after in [None, Some(0), Some(known.seq)] {
            let refused = talk.commit(&of(other, retry_after)).await;
            assert!(matches!(refused, Err(CommitError::Conflict)), "{round}: {refused:?}");
        }
        // The log goes on: now it is looked for further back.
        talk.say("others").await;
    }
    let made = talk.commit(&of(known, Some(known.seq))).await.unwrap();
    assert_eq!(made.previous, talk.log().await.iter().rev().nth(1).map(|record| record.nonce));
    let again = talk.commit(&of(known, Some(known.seq))).await.unwrap();
    assert!(again.repeated);
    stage.close().await;
}

#[tokio::test]
async fn an_idempotency_key_means_something_new_after_a_day() {
    let stage = Stage::<Prefix>::set().await;
    let talk = stage.chat(ChatKind::Group, &[AgentId::random()]).await;
    let mut commit = talk.commit_of(vec![entry(Event::MessageCreated(said("yesterday")))]).await;
    commit.entries[0].nonce = Nonce::of_key(7);
    let made = talk.commit(&commit).await.unwrap();
    let key = format!("{}{{{}}}:k", stage.body.0.prefix, talk.id.key());
    let old = made.records[0].at.0 - 86_401 * 1_000_000;
    let mut connection = stage.body.connection().await;
    let age = redis::cmd("ZADD")
        .arg(&key)
        .arg("XX")
        .arg("CH")
        .arg(old)
        .arg(&made.records[0].nonce.0.to_be_bytes())
        .to_owned();
    let aged: u64 = age.query_async(&mut connection).await.unwrap();
    assert_eq!(aged, 1, "the store remembers the nonce under {key}");
    commit.retry_after = Some(made.records[0].seq);
    let again = talk.commit(&commit).await.unwrap();
    assert!(!again.repeated);
    stage.close().await;
}
