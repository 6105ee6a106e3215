//! Changing older messages: only as they were when the decision was made.

use talk_hub::model::{AgentId, ChatKind, Event, Message, Micros, Overlay, Reaction};
use talk_hub::store::CommitError;

use super::{Body, Stage, deletion, entry, reaction, said, withdrawal};

pub async fn a_reaction_has_the_moment_of_its_event<B: Body>(stage: Stage<B>) {
    let (one, two) = (AgentId::random(), AgentId::random());
    let talk = stage.chat(ChatKind::Group, &[one, two]).await;
    let message = talk.say("react!").await;
    let first = talk.append(vec![reaction(&message, one, "👍")]).await.remove(0);
    let message = talk.message(message.at).await.unwrap();
    let thumb = Reaction { emoji: "👍".to_owned(), agent: one, at: first.at };
    assert_eq!(message.overlay.reactions, std::slice::from_ref(&thumb));
    assert_eq!(message.updated(), first.at);
    let second = talk.append(vec![reaction(&message, two, "🎉")]).await.remove(0);
    let message = talk.message(message.at).await.unwrap();
    let party = Reaction { emoji: "🎉".to_owned(), agent: two, at: second.at };
    assert_eq!(message.overlay, Overlay { reactions: vec![thumb, party], updated: Some(second.at), deleted: false });
    assert_eq!(message.post.text, "react!");
    stage.close().await;
}

pub async fn a_reaction_can_be_taken_off_and_put_on_again<B: Body>(stage: Stage<B>) {
    let agent = AgentId::random();
    let talk = stage.chat(ChatKind::Group, &[agent]).await;
    let bare = talk.say("react!").await;
    let on = talk.react(&bare, agent, "👍").await;
    let both = talk.react(&on, agent, "🎉").await;
    let off = talk.append(vec![withdrawal(&both, agent, "👍")]).await.remove(0);
    let read = talk.message(bare.at).await.unwrap();
    assert_eq!(read.overlay, both.overlay.without("👍", agent, off.at).unwrap());
    let none = talk.append(vec![withdrawal(&read, agent, "🎉")]).await.remove(0);
    let read = talk.message(bare.at).await.unwrap();
    assert_eq!(read.overlay, Overlay { reactions: Vec::new(), updated: Some(none.at), deleted: false });
    let again = talk.react(&read, agent, "👍").await;
    assert_eq!(talk.message(bare.at).await, Some(again));
    stage.close().await;
}

pub async fn a_reaction_decided_on_an_older_state_conflicts<B: Body>(stage: Stage<B>) {
    let (one, two) = (AgentId::random(), AgentId::random());
    let talk = stage.chat(ChatKind::Group, &[one, two]).await;
    let message = talk.say("react!").await;
    let late = talk.commit_of(vec![reaction(&message, two, "👍")]).await;
    let after = talk.react(&message, one, "👍").await;
    assert!(matches!(talk.commit(&late).await, Err(CommitError::Conflict)));
    assert_eq!(talk.message(message.at).await, Some(after.clone()));
    assert_eq!(talk.log().await.len(), 3);
    // Decided again, on what is there now, it is made.
    let both = talk.react(&after, two, "👍").await;
    assert_eq!(talk.message(message.at).await, Some(both));
    stage.close().await;
}

pub async fn a_reaction_taken_off_elsewhere_cannot_be_taken_off_again<B: Body>(stage: Stage<B>) {
    let agent = AgentId::random();
    let talk = stage.chat(ChatKind::Group, &[agent]).await;
    let message = talk.say("react!").await;
    let message = talk.react(&message, agent, "👍").await;
    let late = talk.commit_of(vec![withdrawal(&message, agent, "👍")]).await;
    talk.append(vec![withdrawal(&message, agent, "👍")]).await;
    assert!(matches!(talk.commit(&late).await, Err(CommitError::Conflict)));
    stage.close().await;
}

pub async fn a_message_that_is_not_there_cannot_be_changed<B: Body>(stage: Stage<B>) {
    let agent = AgentId::random();
    let talk = stage.chat(ChatKind::Group, &[agent]).await;
    let said = talk.say("here").await;
    let elsewhere = Message { at: Micros(said.at.0 + 1), ..said };
    // The chat's creation is an event, but no message.
    let creation = Message { at: talk.at, seq: 1, ..elsewhere.clone() };
    for message in [elsewhere, creation] {
        for change in [reaction(&message, agent, "👍"), deletion(&message)] {
            let commit = talk.commit_of(vec![change]).await;
            assert!(matches!(talk.commit(&commit).await, Err(CommitError::Conflict)));
        }
    }
    assert_eq!(talk.log().await.len(), 2);
    stage.close().await;
}

pub async fn replies_and_other_messages_do_not_disturb_a_reaction<B: Body>(stage: Stage<B>) {
    let agent = AgentId::random();
    let talk = stage.chat(ChatKind::Group, &[agent]).await;
    let (message, other) = (talk.say("react!").await, talk.say("other").await);
    let decided = talk.commit_of(vec![reaction(&message, agent, "👍")]).await;
    talk.reply(&message, "meanwhile").await;
    talk.react(&other, agent, "👀").await;
    talk.commit(&decided).await.unwrap();
    let read = talk.message(message.at).await.unwrap();
    assert_eq!((read.overlay.reactions.len(), read.replies), (1, 1));
    stage.close().await;
}

pub async fn a_conflict_of_the_second_entry_leaves_no_trace_of_the_first<B: Body>(stage: Stage<B>) {
    let agent = AgentId::random();
    let talk = stage.chat(ChatKind::Group, &[agent]).await;
    let message = talk.say("react!").await;
    let entries = vec![entry(Event::MessageCreated(said("never"))), reaction(&message, agent, "👍")];
    let late = talk.commit_of(entries).await;
    talk.react(&message, agent, "🎉").await;
    let before = stage.store.log.load(talk.id.key()).await.unwrap();
    assert!(matches!(talk.commit(&late).await, Err(CommitError::Conflict)));
    assert_eq!(stage.store.log.load(talk.id.key()).await.unwrap(), before);
    assert_eq!(talk.page(talk_hub::store::Side::After(Micros::ZERO), 10).await.len(), 1);
    assert_eq!(talk.log().await.len(), 3);
    stage.close().await;
}

pub async fn a_reaction_tried_again_is_made_once<B: Body>(stage: Stage<B>) {
    let agent = AgentId::random();
    let talk = stage.chat(ChatKind::Group, &[agent]).await;
    let message = talk.say("react!").await;
    let mut commit = talk.commit_of(vec![reaction(&message, agent, "👍")]).await;
    let first = talk.commit(&commit).await.unwrap();
    commit.retry_after = Some(2);
    let again = talk.commit(&commit).await.unwrap();
    assert!(again.repeated);
    assert_eq!(again.records, first.records);
    assert_eq!(talk.message(message.at).await.unwrap().overlay.reactions.len(), 1);
    stage.close().await;
}
