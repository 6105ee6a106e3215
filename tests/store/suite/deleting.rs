//! Deleted is gone.

use talk_hub::model::{AgentId, ChatKind, Event, FileId, Media, Micros, Overlay, Owner, Post};
use talk_hub::store::{CommitError, Side};

use super::{Body, Stage, carrying, deletion, reaction};

pub async fn a_deleted_text_is_in_no_record<B: Body>(mut stage: Stage<B>) {
    const SECRET: &str = "correct horse battery staple";
    let agent = AgentId::random();
    let talk = stage.chat(ChatKind::Group, &[agent]).await;
    let parent = talk.say("a question").await;
    let secrets = vec![
        Media::File { file: FileId::random(), name: SECRET.to_owned() },
        Media::Link { url: SECRET.to_owned() },
        Media::Address { json: SECRET.to_owned() },
        Media::External { mime: SECRET.to_owned(), url: SECRET.to_owned(), name: SECRET.to_owned() },
    ];
    let post = Post { owner: Owner::Agent(agent), parent: Some(parent.at), text: SECRET.to_owned(), medias: secrets };
    let message = talk.post(post).await;
    let message = talk.react(&message, agent, SECRET).await;
    stage.watch(&talk).await;
    let left = talk.delete(&message).await;
    let log = stage.store.log.clone();
    let mut texts = vec![
        format!("{:?}", talk.page(Side::Before(Micros::MAX), 10).await),
        format!("{:?}", talk.replies(&parent, Side::Before(Micros::MAX), 10).await),
        format!("{:?}", talk.message(message.at).await),
        format!("{:?}", stage.next_arrivals(&talk).await),
    ];
    for record in talk.log().await {
        texts.push(format!("{record:?}"));
    }
    texts.push(format!("{:?}", log.events(talk.id.key(), message.seq, 1).await.unwrap()));
    for text in texts {
        assert!(!text.contains(SECRET), "{text}");
    }
    assert_eq!(talk.message(message.at).await, Some(left));
    stage.close().await;
}

pub async fn a_deleted_message_keeps_its_place<B: Body>(stage: Stage<B>) {
    let agent = AgentId::random();
    let talk = stage.chat(ChatKind::Group, &[agent]).await;
    let parent = talk.say("a question").await;
    let post = Post { owner: Owner::Agent(agent), parent: Some(parent.at), ..super::said("an answer") };
    let message = talk.post(post).await;
    let reply = talk.reply(&message, "on it").await;
    let created = talk.log().await[2].clone();
    let deleted = talk.append(vec![deletion(&message)]).await.remove(0);
    let read = talk.message(message.at).await.unwrap();
    assert_eq!((read.seq, read.at, read.replies), (message.seq, message.at, 1));
    assert_eq!(read.post, Post { owner: Owner::Agent(agent), parent: Some(parent.at), ..super::said("") });
    assert_eq!(read.overlay, Overlay { reactions: Vec::new(), updated: Some(deleted.at), deleted: true });
    assert_eq!(talk.page(Side::After(parent.at), 10).await, [read.clone(), reply]);
    assert_eq!(talk.replies(&parent, Side::After(Micros::ZERO), 10).await, [read]);
    let now = talk.log().await;
    assert_eq!(now[2].position(), created.position());
    assert_eq!(now[2].event, Event::MessageCreated(message.post.emptied()));
    assert_eq!(now[4], deleted);
    stage.close().await;
}

pub async fn a_message_is_deleted_once<B: Body>(stage: Stage<B>) {
    let agent = AgentId::random();
    let talk = stage.chat(ChatKind::Group, &[agent]).await;
    let message = talk.say("twice?").await;
    let again = talk.commit_of(vec![deletion(&message)]).await;
    let late = talk.commit_of(vec![reaction(&message, agent, "👍")]).await;
    let left = talk.delete(&message).await;
    for commit in [again, late] {
        assert!(matches!(talk.commit(&commit).await, Err(CommitError::Conflict)));
    }
    assert_eq!(talk.message(message.at).await, Some(left));
    assert_eq!(talk.log().await.len(), 3);
    stage.close().await;
}

pub async fn a_deletion_tried_again_is_made_once<B: Body>(stage: Stage<B>) {
    let talk = stage.chat(ChatKind::Group, &[AgentId::random()]).await;
    let message = talk.post(carrying(&[FileId::random()])).await;
    let mut commit = talk.commit_of(vec![deletion(&message)]).await;
    let first = talk.commit(&commit).await.unwrap();
    commit.retry_after = Some(1);
    let again = talk.commit(&commit).await.unwrap();
    assert_eq!((again.repeated, again.records), (true, first.records));
    stage.close().await;
}

pub async fn a_posted_message_tried_again_after_its_deletion_comes_back_empty<B: Body>(stage: Stage<B>) {
    let talk = stage.chat(ChatKind::Group, &[AgentId::random()]).await;
    let mut commit = talk.commit_of(vec![super::entry(Event::MessageCreated(super::said("gone soon")))]).await;
    let posted = talk.commit(&commit).await.unwrap().records.remove(0);
    talk.delete(&talk.message(posted.at).await.unwrap()).await;
    commit.retry_after = Some(1);
    let again = talk.commit(&commit).await.unwrap();
    assert!(again.repeated);
    assert_eq!(again.records[0].position(), posted.position());
    assert_eq!(again.records[0].event, Event::MessageCreated(super::said("")));
    stage.close().await;
}

pub async fn a_chat_carries_a_file_while_a_message_does<B: Body>(stage: Stage<B>) {
    let (file, other) = (FileId::random(), FileId::random());
    let talk = stage.chat(ChatKind::Group, &[AgentId::random()]).await;
    let elsewhere = stage.chat(ChatKind::Group, &[AgentId::random()]).await;
    let carries = async |file| stage.store.log.carries(talk.id.key(), file).await.unwrap();
    assert!(!carries(file).await);
    // Twice in one message is once.
    let one = talk.post(carrying(&[file, other, file])).await;
    let two = talk.post(carrying(&[file])).await;
    assert!(carries(file).await && carries(other).await);
    assert!(!stage.store.log.carries(elsewhere.id.key(), file).await.unwrap());
    talk.delete(&one).await;
    assert!(carries(file).await && !carries(other).await);
    talk.delete(&two).await;
    assert!(!carries(file).await);
    let back = talk.post(carrying(&[file])).await;
    assert!(carries(file).await);
    talk.delete(&back).await;
    assert!(!carries(file).await);
    stage.close().await;
}

pub async fn deleted_stays_deleted_after_opening_again<B: Body>(stage: Stage<B>) {
    let talk = stage.chat(ChatKind::Group, &[AgentId::random()]).await;
    let mut left = Vec::new();
    for round in 0..20 {
        let message = talk.say(&format!("secret {round}")).await;
        left.push(if round % 2 == 0 { talk.delete(&message).await } else { message });
    }
    let key = talk.id.key();
    let stage = stage.reopened().await;
    let moments: Vec<_> = left.iter().map(|message| message.at).collect();
    let read = stage.store.log.messages_at(key, &moments).await.unwrap();
    assert_eq!(read, left.into_iter().map(Some).collect::<Vec<_>>());
    stage.close().await;
}
