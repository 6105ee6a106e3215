//! One atomic act, numbers without holes, and once.

use talk_hub::model::{AgentId, ChatId, ChatKind, Event, Micros, ParticipantId, Position};
use talk_hub::store::{Commit, CommitError, Expect};
use uuid::Uuid;

use super::{Body, Stage, entry, said};

pub async fn a_chat_begins_at_the_moment_it_is_given<B: Body>(stage: Stage<B>) {
    let id = ChatId::random();
    let at = Micros(stage.store.log.now(id.key()).await.unwrap().0 - 5_000_000);
    let created = Event::ChatCreated {
        customer: talk_hub::model::CustomerId::random(),
        kind: ChatKind::Group,
        name: String::new(),
        detail: String::new(),
        members: vec![(AgentId::random(), ParticipantId::random())],
    };
    let entries = vec![entry(created), entry(Event::MessageCreated(said("first")))];
    let commit = Commit { chat: id, expect: Expect::Absent { at }, retry_after: None, known: None, entries };
    let records = stage.store.log.commit(&commit).await.unwrap().records;
    assert_eq!((records[0].seq, records[0].at), (1, at));
    assert_eq!(records[1].seq, 2);
    assert!(records[1].at > at);
    stage.close().await;
}

pub async fn two_entries_follow_each_other_without_a_gap<B: Body>(stage: Stage<B>) {
    let talk = stage.chat(ChatKind::Group, &[AgentId::random()]).await;
    let added = Event::ParticipantAdded { agent: AgentId::random(), participant: ParticipantId::random() };
    let entries = vec![entry(added), entry(Event::MessageCreated(said("joined")))];
    let nonces: Vec<_> = entries.iter().map(|entry| entry.nonce).collect();
    let records = talk.append(entries).await;
    assert_eq!(records.iter().map(|r| r.seq).collect::<Vec<_>>(), [2, 3]);
    assert_eq!(records.iter().map(|r| r.nonce).collect::<Vec<_>>(), nonces);
    assert!(talk.at < records[0].at && records[0].at < records[1].at);
    assert_eq!(talk.log().await[1..], records);
    stage.close().await;
}

pub async fn numbers_have_no_holes_and_moments_increase<B: Body>(stage: Stage<B>) {
    let talk = stage.chat(ChatKind::Group, &[AgentId::random()]).await;
    let writers = (0..16).map(|writer| {
        let talk = talk.clone();
        tokio::spawn(async move {
            let mut records = Vec::new();
            for number in 0..20 {
                records.push(talk.add(Event::MessageCreated(said(&format!("{writer}/{number}")))).await);
            }
            records
        })
    });
    let mut acknowledged = Vec::new();
    for writer in writers {
        acknowledged.extend(writer.await.unwrap());
    }
    acknowledged.sort_by_key(|record| record.seq);
    let log = talk.log().await;
    assert_eq!(log.iter().map(|r| r.seq).collect::<Vec<_>>(), (1..=321).collect::<Vec<_>>());
    assert!(log.windows(2).all(|two| two[0].at < two[1].at), "moments do not increase");
    assert_eq!(log[1..], acknowledged);
    assert_eq!(stage.store.log.head(talk.id.key()).await.unwrap(), log[320].position());
    stage.close().await;
}

pub async fn a_taken_key_is_told_and_nothing_changes<B: Body>(stage: Stage<B>) {
    let talk = stage.chat(ChatKind::Group, &[AgentId::random()]).await;
    let (high, low) = talk.id.0.as_u64_pair();
    let twin = ChatId(Uuid::from_u64_pair(high ^ (1 << 40), low));
    assert_eq!(twin.key(), talk.id.key());
    let before = stage.store.log.load(talk.id.key()).await.unwrap();
    let commit = Commit {
        chat: twin,
        expect: Expect::Absent { at: talk.at },
        retry_after: None,
        known: None,
        entries: vec![entry(talk.log().await[0].event.clone())],
    };
    assert!(matches!(stage.store.log.commit(&commit).await, Err(CommitError::KeyTaken)));
    assert!(matches!(
        stage.store.log.commit(&Commit { retry_after: Some(0), ..commit }).await,
        Err(CommitError::KeyTaken)
    ));
    assert_eq!(stage.store.log.load(talk.id.key()).await.unwrap(), before);
    assert_eq!(talk.log().await.len(), 1);
    stage.close().await;
}

pub async fn a_chat_is_created_once<B: Body>(stage: Stage<B>) {
    let talk = stage.chat(ChatKind::Group, &[AgentId::random()]).await;
    let commit = Commit {
        chat: talk.id,
        expect: Expect::Absent { at: talk.at },
        retry_after: None,
        known: None,
        entries: vec![entry(talk.log().await[0].event.clone())],
    };
    assert!(talk.commit(&commit).await.is_err());
    assert_eq!(talk.log().await.len(), 1);
    stage.close().await;
}

pub async fn a_commit_on_old_rules_conflicts_and_leaves_no_trace<B: Body>(mut stage: Stage<B>) {
    let talk = stage.chat(ChatKind::Group, &[AgentId::random()]).await;
    let (one, other) = (AgentId::random(), AgentId::random());
    let added = |agent| Event::ParticipantAdded { agent, participant: ParticipantId::random() };
    let late = talk.commit_of(vec![entry(added(other)), entry(Event::MessageCreated(said("never")))]).await;
    talk.add(added(one)).await;
    let before = stage.store.log.load(talk.id.key()).await.unwrap().unwrap();
    stage.watch(&talk).await;
    assert!(matches!(talk.commit(&late).await, Err(CommitError::Conflict)));
    assert_eq!(stage.store.log.load(talk.id.key()).await.unwrap().unwrap(), before);
    assert_eq!(talk.log().await.len(), 2);
    assert!(talk.page(talk_hub::store::Side::After(Micros::ZERO), 10).await.is_empty());
    let next = talk.add(Event::MessageCreated(said("the next thing heard"))).await;
    assert_eq!(next.seq, 3);
    assert_eq!(stage.next_arrivals(&talk).await[0].record, next);
    stage.close().await;
}

pub async fn a_commit_to_a_chat_that_is_not_there_conflicts<B: Body>(stage: Stage<B>) {
    let id = ChatId::random();
    for rules in [0, 1] {
        let commit = Commit {
            chat: id,
            expect: Expect::Rules(rules),
            retry_after: None,
            known: None,
            entries: vec![entry(Event::MessageCreated(said("hello?")))],
        };
        assert!(matches!(stage.store.log.commit(&commit).await, Err(CommitError::Conflict)), "rules {rules}");
        let again = Commit { retry_after: Some(0), ..commit };
        assert!(matches!(stage.store.log.commit(&again).await, Err(CommitError::Conflict)), "rules {rules}");
    }
    assert_eq!(stage.store.log.load(id.key()).await.unwrap(), None);
    assert_eq!(stage.store.log.head(id.key()).await.unwrap(), Position::START);
    assert!(stage.store.log.events(id.key(), 1, 10).await.unwrap().is_empty());
    stage.close().await;
}

pub async fn messages_do_not_change_the_rules<B: Body>(stage: Stage<B>) {
    let talk = stage.chat(ChatKind::Group, &[AgentId::random()]).await;
    let first = talk.commit_of(vec![entry(Event::MessageCreated(said("one")))]).await;
    let second = talk.commit_of(vec![entry(Event::MessageCreated(said("two")))]).await;
    talk.commit(&first).await.unwrap();
    talk.commit(&second).await.unwrap();
    assert_eq!(talk.rules().await, 1);
    stage.close().await;
}

pub async fn a_commit_tried_again_is_made_once<B: Body>(mut stage: Stage<B>) {
    let talk = stage.chat(ChatKind::Group, &[AgentId::random()]).await;
    stage.watch(&talk).await;
    let added = Event::ParticipantAdded { agent: AgentId::random(), participant: ParticipantId::random() };
    let commit = talk.commit_of(vec![entry(added), entry(Event::MessageCreated(said("joined")))]).await;
    let first = talk.commit(&commit).await.unwrap();
    assert!(!first.repeated);
    assert_eq!(stage.next_arrivals(&talk).await.len(), 2);
    for number in 0..30 {
        talk.say(&format!("in between {number}")).await;
        stage.next_arrivals(&talk).await;
    }
    // The rules have changed, by this very commit: that must not be taken for a conflict.
    let again = talk.commit(&Commit { retry_after: Some(1), ..commit }).await.unwrap();
    assert!(again.repeated);
    assert_eq!(again.records, first.records);
    assert_eq!(talk.log().await.len(), 33);
    let next = talk.add(Event::MessageCreated(said("nothing was heard twice"))).await;
    assert_eq!(stage.next_arrivals(&talk).await[0].record, next);
    stage.close().await;
}

pub async fn a_creation_tried_again_is_made_once<B: Body>(stage: Stage<B>) {
    let id = ChatId::random();
    let at = stage.store.log.now(id.key()).await.unwrap();
    let created = Event::ChatCreated {
        customer: talk_hub::model::CustomerId::random(),
        kind: ChatKind::Talk,
        name: "n".to_owned(),
        detail: String::new(),
        members: vec![(AgentId::random(), ParticipantId::random())],
    };
    let commit = Commit {
        chat: id,
        expect: Expect::Absent { at },
        retry_after: Some(0),
        known: None,
        entries: vec![entry(created)],
    };
    let first = stage.store.log.commit(&commit).await.unwrap();
    let again = stage.store.log.commit(&commit).await.unwrap();
    assert_eq!((first.repeated, again.repeated), (false, true));
    assert_eq!(first.records, again.records);
    stage.close().await;
}

pub async fn a_reply_to_what_is_not_there_is_not_made<B: Body>(stage: Stage<B>) {
    let talk = stage.chat(ChatKind::Group, &[AgentId::random()]).await;
    let parent = talk.say("a question").await;
    // Neither a message that never was, as after a failover that lost it, nor an event of another kind.
    for parent in [Micros(parent.at.0 + 1), talk.at] {
        let post = talk_hub::model::Post { parent: Some(parent), ..said("an answer") };
        let reply = talk.commit_of(vec![entry(Event::MessageCreated(post))]).await;
        let refused = talk.commit(&reply).await;
        assert!(matches!(refused, Err(CommitError::Conflict)), "{refused:?}");
    }
    assert_eq!(talk.log().await.len(), 2);
    talk.delete(&parent).await;
    talk.reply(&parent, "an answer to what was deleted").await;
    stage.close().await;
}

pub async fn an_attempt_that_never_arrived_is_made_by_the_next<B: Body>(stage: Stage<B>) {
    let talk = stage.chat(ChatKind::Group, &[AgentId::random()]).await;
    talk.say("before").await;
    let commit = talk.commit_of(vec![entry(Event::MessageCreated(said("lost")))]).await;
    for number in 0..5 {
        talk.say(&format!("others {number}")).await;
    }
    let made = talk.commit(&Commit { retry_after: Some(2), ..commit.clone() }).await.unwrap();
    assert!(!made.repeated);
    assert_eq!(made.records[0].seq, 8);
    // What stands before the given number is not looked at.
    let blind = talk.commit(&Commit { retry_after: Some(8), ..commit.clone() }).await.unwrap();
    assert!(!blind.repeated);
    // The caller saw more than there is: its history was another one.
    let ahead = talk.commit(&Commit { retry_after: Some(10), ..commit }).await;
    assert!(matches!(ahead, Err(CommitError::Conflict)), "{ahead:?}");
    stage.close().await;
}

pub async fn what_is_acknowledged_is_there_after_opening_again<B: Body>(stage: Stage<B>) {
    let agent = AgentId::random();
    let talk = stage.chat(ChatKind::Group, &[agent]).await;
    let message = talk.say("kept").await;
    let message = talk.react(&message, agent, "👍").await;
    let log = talk.log().await;
    let snapshot = stage.store.log.load(talk.id.key()).await.unwrap();
    let stage = stage.reopened().await;
    assert_eq!(stage.store.log.load(talk.id.key()).await.unwrap(), snapshot);
    assert_eq!(stage.store.log.events(talk.id.key(), 1, 100).await.unwrap(), log);
    let read = stage.store.log.messages_at(talk.id.key(), &[message.at]).await.unwrap();
    assert_eq!(read, [Some(message)]);
    stage.close().await;
}
