//! Many at once.

use talk_hub::model::{AgentId, ChatId, ChatKind, CustomerId, Event, Micros, ParticipantId};
use talk_hub::store::{Commit, CommitError, Expect, Side};

use super::{Body, Stage, Talk, entry, reaction, said};

/// How many try at the same time.
const CROWD: usize = 16;

/// Makes all of these commits at once; answers in the same order.
async fn at_once(talk: &Talk, commits: Vec<Commit>) -> Vec<Result<talk_hub::store::Committed, CommitError>> {
    let tries: Vec<_> = commits
        .into_iter()
        .map(|commit| {
            let talk = talk.clone();
            tokio::spawn(async move { talk.commit(&commit).await })
        })
        .collect();
    let mut outcomes = Vec::new();
    for outcome in tries {
        outcomes.push(outcome.await.unwrap());
    }
    outcomes
}

pub async fn two_commits_that_expect_the_same_rules_cannot_both_change_them<B: Body>(stage: Stage<B>) {
    let talk = stage.chat(ChatKind::Group, &[AgentId::random()]).await;
    let mut commits = Vec::new();
    for _ in 0..CROWD {
        let added = Event::ParticipantAdded { agent: AgentId::random(), participant: ParticipantId::random() };
        commits.push(talk.commit_of(vec![entry(added), entry(Event::MessageCreated(said("joined")))]).await);
    }
    let outcomes = at_once(&talk, commits).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Ok(_) | Err(CommitError::Conflict))));
    let snapshot = stage.store.log.load(talk.id.key()).await.unwrap().unwrap();
    assert_eq!((snapshot.roster.len(), snapshot.rules, snapshot.head.seq), (2, 2, 3));
    stage.close().await;
}

pub async fn one_chat_is_created_under_a_key<B: Body>(stage: Stage<B>) {
    let id = ChatId::random();
    let at = stage.store.log.now(id.key()).await.unwrap();
    let create = |number: u64| {
        let (high, low) = id.0.as_u64_pair();
        let event = Event::ChatCreated {
            customer: CustomerId::random(),
            kind: ChatKind::Group,
            name: number.to_string(),
            detail: String::new(),
            members: vec![(AgentId::random(), ParticipantId::random())],
        };
        let chat = ChatId(uuid::Uuid::from_u64_pair(high ^ number, low));
        Commit { chat, expect: Expect::Absent { at }, retry_after: None, known: None, entries: vec![entry(event)] }
    };
    let log = stage.store.log.clone();
    let tries: Vec<_> = (0..CROWD as u64)
        .map(|number| {
            let (log, commit) = (log.clone(), create(number));
            tokio::spawn(async move { log.commit(&commit).await.map(|_| commit.chat) })
        })
        .collect();
    let mut made = Vec::new();
    for outcome in tries {
        match outcome.await.unwrap() {
            Ok(chat) => made.push(chat),
            Err(error) => assert!(matches!(error, CommitError::KeyTaken | CommitError::Conflict)),
        }
    }
    assert_eq!(made.len(), 1);
    let snapshot = log.load(id.key()).await.unwrap().unwrap();
    assert_eq!((snapshot.chat.id, snapshot.head.seq, snapshot.roster.len()), (made[0], 1, 1));
    stage.close().await;
}

pub async fn copies_of_one_commit_are_made_once<B: Body>(stage: Stage<B>) {
    let talk = stage.chat(ChatKind::Group, &[AgentId::random()]).await;
    let mut commit = talk.commit_of(vec![entry(Event::MessageCreated(said("once")))]).await;
    commit.retry_after = Some(1);
    let outcomes = at_once(&talk, vec![commit; CROWD]).await;
    let made: Vec<_> = outcomes.into_iter().map(Result::unwrap).collect();
    assert_eq!(made.iter().filter(|made| !made.repeated).count(), 1);
    assert!(made.iter().all(|each| each.records == made[0].records));
    assert_eq!(talk.log().await.len(), 2);
    stage.close().await;
}

pub async fn reactions_of_many_are_all_kept<B: Body>(stage: Stage<B>) {
    let agents: Vec<_> = (0..CROWD).map(|_| AgentId::random()).collect();
    let talk = stage.chat(ChatKind::Group, &agents).await;
    let message = talk.say("react!").await;
    let tries: Vec<_> = agents
        .into_iter()
        .map(|agent| {
            let (talk, at) = (talk.clone(), message.at);
            tokio::spawn(async move {
                loop {
                    let now = talk.message(at).await.unwrap();
                    let commit = talk.commit_of(vec![reaction(&now, agent, "👍")]).await;
                    match talk.commit(&commit).await {
                        Ok(_) => break,
                        Err(CommitError::Conflict) => {}
                        Err(error) => panic!("{error}"),
                    }
                }
            })
        })
        .collect();
    for each in tries {
        each.await.unwrap();
    }
    let reactions = talk.message(message.at).await.unwrap().overlay.reactions;
    assert_eq!(reactions.len(), CROWD);
    assert!(reactions.windows(2).all(|two| two[0].at < two[1].at), "not in the order in which they were made");
    assert_eq!(talk.log().await.len(), 2 + CROWD);
    stage.close().await;
}

pub async fn every_reply_is_counted<B: Body>(stage: Stage<B>) {
    let talk = stage.chat(ChatKind::Group, &[AgentId::random()]).await;
    let parent = talk.say("a question").await;
    let mut commits = Vec::new();
    for _ in 0..CROWD {
        let reply = talk_hub::model::Post { parent: Some(parent.at), ..said("me") };
        commits.push(talk.commit_of(vec![entry(Event::MessageCreated(reply))]).await);
    }
    for outcome in at_once(&talk, commits).await {
        outcome.unwrap();
    }
    assert_eq!(talk.message(parent.at).await.unwrap().replies as usize, CROWD);
    assert_eq!(talk.replies(&parent, Side::After(Micros::ZERO), 100).await.len(), CROWD);
    stage.close().await;
}

pub async fn a_message_is_deleted_by_one_of_many<B: Body>(stage: Stage<B>) {
    let talk = stage.chat(ChatKind::Group, &[AgentId::random()]).await;
    let message = talk.say("once").await;
    let mut commits = Vec::new();
    for _ in 0..CROWD {
        commits.push(talk.commit_of(vec![super::deletion(&message)]).await);
    }
    let outcomes = at_once(&talk, commits).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    assert_eq!(talk.log().await.len(), 3);
    stage.close().await;
}
