//! Threads: replies at any depth, counted on their parent, kept together when messages are deleted.

use serde_json::{Value, json};

use crate::support::calls::MESSAGES;
use crate::support::{Agent, Hubs, column, id, random_id, text};

async fn reply_count(agent: &Agent, message: &str) -> Value {
    agent.get_message(message).await.ok()["reply_count"].clone()
}

async fn a_reply_names_its_parent_and_the_parent_counts_it(hubs: Hubs) {
    let [alice, bob] = hubs.agents(["Alice", "Bob"]).await;
    let chat = alice.new_group(&[&bob]).await;
    let mut alices = alice.listen().await;
    let parent = alice.say(&chat, "What's the status of the API integration?").await;
    assert!(parent.get("parent_id").is_none() && parent.get("reply_count").is_none(), "{parent}");
    alices.expect_event("chatmessage_created").await;
    for n in 1..=3 {
        let reply = bob.reply(&chat, &id(&parent), &format!("reply {n}")).await;
        assert_eq!(reply["parent_id"], parent["id"]);
        assert_eq!(bob.get_message(&id(&reply)).await.ok(), reply);
        assert_eq!(alices.expect_event("chatmessage_created").await["data"], reply);
        assert_eq!(reply_count(&alice, &id(&parent)).await, n);
    }
    let listed = bob.messages_of(&chat).await;
    assert_eq!(listed.last().unwrap()["reply_count"], 3);
    assert!(listed[0].get("reply_count").is_none(), "{}", listed[0]);
}

async fn replies_have_replies_and_each_counts_its_direct_ones(hubs: Hubs) {
    let [alice] = hubs.agents(["Alice"]).await;
    let chat = alice.new_group(&[]).await;
    let mut chain = vec![id(&alice.say(&chat, "depth 0").await)];
    for depth in 1..=20 {
        let reply = alice.reply(&chat, chain.last().unwrap(), &format!("depth {depth}")).await;
        chain.push(id(&reply));
    }
    for message in &chain[..20] {
        assert_eq!(reply_count(&alice, message).await, 1);
    }
    assert_eq!(reply_count(&alice, &chain[20]).await, Value::Null);
}

async fn deletion_keeps_the_thread(hubs: Hubs) {
    let [alice, bob] = hubs.agents(["Alice", "Bob"]).await;
    let chat = alice.new_group(&[&bob]).await;
    let parent = id(&alice.say(&chat, "the parent").await);
    let reply = id(&bob.reply(&chat, &parent, "the reply").await);
    alice.reply(&chat, &reply, "below the reply").await;

    let tombstone = bob.delete_message(&reply).await.ok();
    assert_eq!((text(&tombstone, "parent_id"), text(&tombstone, "text")), (parent.as_str(), ""));
    assert_eq!(tombstone["reply_count"], 1);
    assert_eq!(reply_count(&alice, &parent).await, 1, "deleted replies count");

    alice.delete_message(&parent).await.ok();
    assert_eq!(reply_count(&alice, &parent).await, 1);
    let late = bob.reply(&chat, &parent, "to a deleted parent").await;
    assert_eq!(text(&late, "parent_id"), parent);
    assert_eq!(reply_count(&alice, &parent).await, 2);
    let thread = alice.list_messages(&[("chat_id", &chat), ("parent_id", &parent)]).await.ok();
    assert_eq!(column(&thread, "id"), [id(&late), reply]);
}

async fn a_parent_is_a_message_of_the_same_chat(hubs: Hubs) {
    let [alice, bob] = hubs.agents(["Alice", "Bob"]).await;
    let [stranger] = hubs.agents(["Stranger"]).await;
    let chat = alice.new_group(&[&bob]).await;
    let other_chat = alice.new_group(&[&bob]).await;
    let elsewhere = id(&alice.say(&other_chat, "of another chat").await);
    let far_away = stranger.new_group(&[]).await;
    let foreign = id(&stranger.say(&far_away, "of another customer").await);
    let mut bobs = bob.listen().await;
    for parent in [elsewhere, foreign, random_id(), chat.clone(), "not-a-uuid".to_owned()] {
        let body = json!({"chat_id": chat, "type": "normal", "text": "a reply", "parent_id": parent});
        alice.post_message(&body).await.invalid();
    }
    bobs.expect_nothing_before_a_marker(&alice, &chat).await;
}

async fn no_parent_can_be_said_in_three_ways(hubs: Hubs) {
    let [alice] = hubs.agents(["Alice"]).await;
    let chat = alice.new_group(&[]).await;
    let absent = json!({"chat_id": chat, "type": "normal", "text": "top level"});
    for parent in [None, Some(Value::Null), Some(json!(""))] {
        let mut body = absent.clone();
        if let Some(parent) = parent {
            body["parent_id"] = parent;
        }
        let message = alice.post_message(&body).await.ok();
        assert!(message.get("parent_id").is_none(), "{message}");
    }
}

async fn the_replies_to_a_message_are_listed_page_by_page(hubs: Hubs) {
    let [alice, bob] = hubs.agents(["Alice", "Bob"]).await;
    let chat = alice.new_group(&[&bob]).await;
    let parents = [id(&alice.say(&chat, "one").await), id(&alice.say(&chat, "two").await)];
    let mut replies = [Vec::new(), Vec::new()];
    for n in 0..30 {
        let reply = id(&bob.reply(&chat, &parents[n % 2], &format!("reply {n}")).await);
        bob.reply(&chat, &reply, "a reply to the reply").await;
        replies[n % 2].push(reply);
    }
    for (parent, oldest_first) in parents.iter().zip(replies) {
        let query = [("chat_id", chat.as_str()), ("parent_id", parent.as_str())];
        let forward = [query[0], query[1], ("order", "asc")];
        let walked: Vec<_> = alice.walk(MESSAGES, &forward, 4).await.iter().map(id).collect();
        assert_eq!(walked, oldest_first);
        let mut walked: Vec<_> = alice.walk(MESSAGES, &query, 7).await.iter().map(id).collect();
        walked.reverse();
        assert_eq!(walked, oldest_first);
    }
}

on_every_deployment!(
    a_reply_names_its_parent_and_the_parent_counts_it,
    replies_have_replies_and_each_counts_its_direct_ones,
    deletion_keeps_the_thread,
    a_parent_is_a_message_of_the_same_chat,
    no_parent_can_be_said_in_three_ways,
    the_replies_to_a_message_are_listed_page_by_page,
);
