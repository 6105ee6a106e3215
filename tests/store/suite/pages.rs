//! Finding messages and events again.

use std::slice::from_ref;

use talk_hub::model::{AgentId, ChatKind, Event, Message, Micros};
use talk_hub::store::Side;

use super::{Body, Stage, Talk, said};

/// Walks through a list from one end to the other, page by page.
async fn walk(mut side: Side, limit: usize, mut page: impl AsyncFnMut(Side, usize) -> Vec<Message>) -> Vec<Message> {
    let mut found = Vec::new();
    loop {
        let rows = page(side, limit).await;
        let Some(last) = rows.last() else { return found };
        assert!(rows.len() <= limit);
        side = match side {
            Side::Before(_) => Side::Before(last.at),
            Side::After(_) => Side::After(last.at),
        };
        let short = rows.len() < limit;
        found.extend(rows);
        if short {
            assert!(page(side, limit).await.is_empty(), "a short page was not the last");
            return found;
        }
    }
}

/// A chat in which much happens between few messages; those, oldest first.
async fn eventful<B: Body>(stage: &Stage<B>) -> (Talk, Vec<Message>) {
    let talk = stage.chat(ChatKind::Group, &[AgentId::random()]).await;
    let mut messages = Vec::new();
    for round in 0..12 {
        let mut message = talk.say(&format!("message {round}")).await;
        for _ in 0..if round % 3 == 0 { 40 } else { 1 } {
            message = talk.react(&message, AgentId::random(), "👀").await;
        }
        messages.push(message);
    }
    (talk, messages)
}

pub async fn messages_are_paged_newest_first<B: Body>(stage: Stage<B>) {
    let (talk, mut messages) = eventful(&stage).await;
    messages.reverse();
    for limit in [1, 3, 5, 12, 100] {
        let found = walk(Side::Before(Micros::MAX), limit, async |side, limit| talk.page(side, limit).await).await;
        assert_eq!(found, messages, "limit {limit}");
    }
    stage.close().await;
}

pub async fn messages_are_paged_oldest_first<B: Body>(stage: Stage<B>) {
    let (talk, messages) = eventful(&stage).await;
    for limit in [1, 3, 5, 12, 100] {
        let found = walk(Side::After(Micros::ZERO), limit, async |side, limit| talk.page(side, limit).await).await;
        assert_eq!(found, messages, "limit {limit}");
    }
    stage.close().await;
}

pub async fn a_page_is_full_also_across_many_other_events<B: Body>(stage: Stage<B>) {
    let talk = stage.chat(ChatKind::Group, &[AgentId::random()]).await;
    let old = talk.say("old").await;
    for round in 0..300 {
        talk.add(Event::ChatUpdated { name: format!("name {round}"), detail: String::new() }).await;
    }
    let new = talk.say("new").await;
    assert_eq!(talk.page(Side::Before(Micros::MAX), 2).await, [new.clone(), old.clone()]);
    assert_eq!(talk.page(Side::After(talk.at), 2).await, [old, new]);
    stage.close().await;
}

pub async fn a_page_ends_before_the_moment_it_is_asked_for<B: Body>(stage: Stage<B>) {
    let talk = stage.chat(ChatKind::Group, &[AgentId::random()]).await;
    let (one, two, three) = (talk.say("1").await, talk.say("2").await, talk.say("3").await);
    assert_eq!(talk.page(Side::Before(two.at), 10).await, from_ref(&one));
    assert_eq!(talk.page(Side::After(two.at), 10).await, from_ref(&three));
    // A moment at which nothing happened, between two messages.
    assert_eq!(talk.page(Side::Before(Micros(two.at.0 + 1)), 10).await, [two.clone(), one.clone()]);
    assert_eq!(talk.page(Side::After(Micros(two.at.0 - 1)), 10).await, [two, three.clone()]);
    assert!(talk.page(Side::Before(Micros::ZERO), 10).await.is_empty());
    assert!(talk.page(Side::Before(one.at), 10).await.is_empty());
    assert!(talk.page(Side::After(Micros::MAX), 10).await.is_empty());
    assert!(talk.page(Side::After(three.at), 10).await.is_empty());
    assert!(talk.page(Side::Before(Micros::MAX), 0).await.is_empty());
    stage.close().await;
}

pub async fn a_page_holds_one_chat_only<B: Body>(stage: Stage<B>) {
    let one = stage.chat(ChatKind::Group, &[AgentId::random()]).await;
    let other = stage.chat(ChatKind::Group, &[AgentId::random()]).await;
    let mut messages = Vec::new();
    for round in 0..5 {
        messages.push(one.say(&format!("one {round}")).await);
        other.say(&format!("other {round}")).await;
    }
    assert_eq!(one.page(Side::After(Micros::ZERO), 100).await, messages);
    assert_eq!(one.log().await.len(), 6);
    assert_eq!(other.message(messages[0].at).await, None);
    stage.close().await;
}

pub async fn replies_are_paged_in_both_directions<B: Body>(stage: Stage<B>) {
    let talk = stage.chat(ChatKind::Group, &[AgentId::random()]).await;
    let parent = talk.say("a question").await;
    let other = talk.say("another").await;
    let mut replies = Vec::new();
    for round in 0..11 {
        talk.reply(&other, "elsewhere").await;
        replies.push(talk.reply(&parent, &format!("answer {round}")).await);
    }
    let nested = talk.reply(&replies[0], "an answer to an answer").await;
    replies[0].replies = 1;
    for limit in [1, 4, 11, 50] {
        let page = async |side, limit| talk.replies(&parent, side, limit).await;
        assert_eq!(walk(Side::After(Micros::ZERO), limit, page).await, replies, "limit {limit}");
        let mut back = walk(Side::Before(Micros::MAX), limit, page).await;
        back.reverse();
        assert_eq!(back, replies, "limit {limit}");
    }
    assert_eq!(talk.replies(&replies[0], Side::After(Micros::ZERO), 5).await, [nested]);
    assert_eq!(talk.replies(&parent, Side::Before(replies[1].at), 5).await, [replies[0].clone()]);
    assert_eq!(talk.replies(&parent, Side::After(replies[10].at), 5).await, []);
    stage.close().await;
}

pub async fn a_message_counts_its_direct_replies<B: Body>(stage: Stage<B>) {
    let talk = stage.chat(ChatKind::Group, &[AgentId::random()]).await;
    let parent = talk.say("a question").await;
    let one = talk.reply(&parent, "one").await;
    let two = talk.reply(&parent, "two").await;
    talk.reply(&two, "below two").await;
    assert_eq!(talk.message(parent.at).await.unwrap().replies, 2);
    // Deleted replies count, and are there.
    let gone = talk.delete(&one).await;
    let read = talk.message(parent.at).await.unwrap();
    assert_eq!(read, Message { replies: 2, ..parent.clone() });
    assert_eq!(talk.replies(&parent, Side::After(Micros::ZERO), 5).await[0], gone);
    // So do those of a deleted message.
    talk.delete(&read).await;
    assert_eq!(talk.message(parent.at).await.unwrap().replies, 2);
    assert_eq!(talk.page(Side::After(Micros::ZERO), 1).await[0].replies, 2);
    stage.close().await;
}

pub async fn messages_are_found_by_their_moments<B: Body>(stage: Stage<B>) {
    let talk = stage.chat(ChatKind::Group, &[AgentId::random()]).await;
    let (one, two) = (talk.say("1").await, talk.say("2").await);
    let asked = [two.at, talk.at, Micros(two.at.0 + 1), one.at, two.at, Micros::ZERO];
    let found = stage.store.log.messages_at(talk.id.key(), &asked).await.unwrap();
    assert_eq!(found, [Some(two.clone()), None, None, Some(one), Some(two.clone()), None]);
    assert!(stage.store.log.messages_at(talk.id.key(), &[]).await.unwrap().is_empty());
    let many = vec![two.at; 1_000];
    let found = stage.store.log.messages_at(talk.id.key(), &many).await.unwrap();
    assert_eq!(found, vec![Some(two); 1_000]);
    stage.close().await;
}

pub async fn events_are_read_from_any_number_on<B: Body>(stage: Stage<B>) {
    let talk = stage.chat(ChatKind::Group, &[AgentId::random()]).await;
    for round in 0..20 {
        talk.add(Event::MessageCreated(said(&round.to_string()))).await;
    }
    let log = talk.log().await;
    let events = async |from, limit| stage.store.log.events(talk.id.key(), from, limit).await.unwrap();
    assert_eq!(events(1, 5).await, log[..5]);
    assert_eq!(events(8, 5).await, log[7..12]);
    assert_eq!(events(21, 5).await, log[20..]);
    assert!(events(22, 5).await.is_empty());
    assert!(events(1, 0).await.is_empty());
    stage.close().await;
}

pub async fn a_large_text_is_kept_whole<B: Body>(stage: Stage<B>) {
    let talk = stage.chat(ChatKind::Group, &[AgentId::random()]).await;
    let message = talk.say(&"größer ".repeat(2_000)).await;
    assert_eq!(talk.message(message.at).await, Some(message.clone()));
    let gone = talk.delete(&message).await;
    assert_eq!(talk.message(message.at).await, Some(gone));
    stage.close().await;
}
