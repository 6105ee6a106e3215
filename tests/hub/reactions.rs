//! Reactions: each agent's own, each emoji once per agent, told when something changed and only then.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::calls::MESSAGES;
use crate::support::{Hubs, id, random_id, sorted, text, without};

/// Who reacted with what, in no particular order.
fn reactions(message: &Value) -> Vec<(String, String)> {
    let reactions = message["metadata"]["reactions"].as_array().unwrap();
    sorted(reactions.iter().map(|r| (text(r, "owner_id").to_owned(), text(r, "emoji").to_owned())))
}

async fn a_reaction_is_on_the_message_and_told_to_the_members(hubs: Hubs) {
    let [alice, bob] = hubs.agents(["Alice", "Bob"]).await;
    let chat = alice.new_group(&[&bob]).await;
    let message = alice.say(&chat, "The deployment was successful!").await;
    let mut alices = alice.listen().await;
    let reacted = bob.add_reaction(&id(&message), "👍").await.ok();
    let moving = ["metadata", "tm_update"];
    assert_eq!(without(&reacted, &moving), without(&message, &moving));
    let reaction = &reacted["metadata"]["reactions"][0];
    let expected = json!({
        "emoji": "👍",
        "owner_type": "agent",
        "owner_id": bob.id,
        "tm_create": reacted["tm_update"],
    });
    assert_eq!(*reaction, expected);
    assert!(text(&reacted, "tm_update") > text(&message, "tm_update"));
    assert_eq!(alices.expect_event("chatmessage_reaction_updated").await["data"], reacted);
    for reader in [&alice, &bob] {
        assert_eq!(reader.get_message(&id(&message)).await.ok(), reacted);
        assert_eq!(reader.messages_of(&chat).await, [reacted.clone()]);
    }
}

async fn the_same_reaction_again_changes_nothing_and_tells_nobody(hubs: Hubs) {
    let [alice, bob] = hubs.agents(["Alice", "Bob"]).await;
    let chat = alice.new_group(&[&bob]).await;
    let message = id(&alice.say(&chat, "hello").await);
    let mut alices = alice.listen().await;
    let reacted = bob.add_reaction(&message, "thumbsup").await.ok();
    for _ in 0..3 {
        assert_eq!(bob.add_reaction(&message, "thumbsup").await.ok(), reacted);
    }
    alices.expect_event("chatmessage_reaction_updated").await;
    alices.expect_nothing_before_a_marker(&alice, &chat).await;
}

async fn many_agents_react_with_many_emoji(hubs: Hubs) {
    let [alice, bob] = hubs.agents(["Alice", "Bob"]).await;
    let chat = alice.new_group(&[&bob]).await;
    let message = id(&alice.say(&chat, "Should we deploy today?").await);
    let mut given = Vec::new();
    for agent in [&alice, &bob] {
        for emoji in ["👍", "🎉", "❤️", "thumbsup", "heart"] {
            given.push((agent.id.clone(), emoji.to_owned()));
            let reacted = agent.add_reaction(&message, emoji).await.ok();
            assert_eq!(reactions(&reacted), sorted(given.clone()));
        }
    }
    assert_eq!(reactions(&bob.get_message(&message).await.ok()), sorted(given));
}

async fn a_reaction_is_taken_back_by_body_or_by_query(hubs: Hubs) {
    let [alice, bob] = hubs.agents(["Alice", "Bob"]).await;
    let chat = alice.new_group(&[&bob]).await;
    let message = id(&alice.say(&chat, "hello").await);
    for emoji in ["👍", "a b&c=d%"] {
        alice.add_reaction(&message, emoji).await.ok();
        bob.add_reaction(&message, emoji).await.ok();
    }
    let mut alices = alice.listen().await;
    let after = bob.remove_reaction(&message, "👍").await.ok();
    assert_eq!(reactions(&after).len(), 3);
    assert!(!reactions(&after).contains(&(bob.id.clone(), "👍".to_owned())));
    assert_eq!(alices.expect_event("chatmessage_reaction_updated").await["data"], after);

    let path = format!("{MESSAGES}/{message}/reactions");
    let after = bob.call(Method::DELETE, &path).query(&[("emoji", "a b&c=d%")]).send().await.ok();
    let alices_own = ["👍", "a b&c=d%"].map(|emoji| (alice.id.clone(), emoji.to_owned()));
    assert_eq!(reactions(&after), sorted(alices_own));
    assert_eq!(alices.expect_event("chatmessage_reaction_updated").await["data"], after);
    assert_eq!(alice.get_message(&message).await.ok(), after);
}

async fn taking_back_what_is_not_there_changes_nothing_and_tells_nobody(hubs: Hubs) {
    let [alice, bob] = hubs.agents(["Alice", "Bob"]).await;
    let chat = alice.new_group(&[&bob]).await;
    let message = id(&alice.say(&chat, "hello").await);
    let reacted = alice.add_reaction(&message, "thumbsup").await.ok();
    let mut alices = alice.listen().await;
    for (agent, emoji) in [(&bob, "thumbsup"), (&alice, "heart"), (&bob, "heart")] {
        assert_eq!(agent.remove_reaction(&message, emoji).await.ok(), reacted, "{}'s {emoji}", agent.name);
    }
    alices.expect_nothing_before_a_marker(&alice, &chat).await;
    assert_eq!(alice.get_message(&message).await.ok(), reacted);
}

async fn only_members_react(hubs: Hubs) {
    let [alice, bob] = hubs.agents(["Alice", "Bob"]).await;
    let [stranger] = hubs.agents(["Stranger"]).await;
    for chat in [alice.new_group(&[]).await, alice.new_channel("open", &[]).await] {
        let message = id(&alice.say(&chat, "hello").await);
        let reacted = alice.add_reaction(&message, "thumbsup").await.ok();
        for answer in [bob.add_reaction(&message, "heart").await, bob.remove_reaction(&message, "thumbsup").await] {
            answer.refused(403, "PERMISSION_DENIED");
        }
        for answer in
            [stranger.add_reaction(&message, "heart").await, stranger.remove_reaction(&message, "heart").await]
        {
            answer.refused(404, "TALK_MESSAGE_NOT_FOUND");
        }
        assert_eq!(alice.get_message(&message).await.ok(), reacted);
    }
    for answer in [alice.add_reaction(&random_id(), "heart").await, alice.remove_reaction(&random_id(), "heart").await]
    {
        answer.refused(404, "TALK_MESSAGE_NOT_FOUND");
    }
    alice.add_reaction("not-a-uuid", "heart").await.refused(400, "INVALID_ID");
}

async fn an_emoji_is_a_short_text_without_control_characters(hubs: Hubs) {
    let [alice] = hubs.agents(["Alice"]).await;
    let chat = alice.new_group(&[]).await;
    let message = id(&alice.say(&chat, "hello").await);
    for emoji in ["x".repeat(64), "👍".repeat(16), "é".repeat(32)] {
        alice.add_reaction(&message, &emoji).await.ok();
        alice.remove_reaction(&message, &emoji).await.ok();
    }
    let long = ["x".repeat(65), "👍".repeat(17), "é".repeat(33)];
    let control = ["\n", "a\u{0}b", "\u{7f}", "\u{85}", "tab\t"].map(str::to_owned);
    for emoji in long.into_iter().chain(control).chain([String::new()]) {
        alice.add_reaction(&message, &emoji).await.refused(400, "INVALID_ARGUMENT");
    }
    let path = format!("{MESSAGES}/{message}/reactions");
    alice.post(&path, &json!({})).await.invalid();
    alice.post(&path, &json!({"emoji": 7})).await.invalid();
    assert_eq!(alice.call(Method::DELETE, &path).send().await.status, 400);
    assert!(reactions(&alice.get_message(&message).await.ok()).is_empty());
}

async fn a_message_bears_fifty_different_emoji(hubs: Hubs) {
    let [alice, bob] = hubs.agents(["Alice", "Bob"]).await;
    let chat = alice.new_group(&[&bob]).await;
    let message = id(&alice.say(&chat, "hello").await);
    for n in 0..50 {
        alice.add_reaction(&message, &format!("emoji-{n}")).await.ok();
    }
    for agent in [&alice, &bob] {
        agent.add_reaction(&message, "one-too-many").await.refused(400, "INVALID_ARGUMENT");
    }
    assert_eq!(reactions(&bob.add_reaction(&message, "emoji-7").await.ok()).len(), 51, "not another emoji");
    alice.remove_reaction(&message, "emoji-0").await.ok();
    assert_eq!(reactions(&alice.add_reaction(&message, "now-there-is-room").await.ok()).len(), 51);
}

async fn a_tombstone_takes_no_reaction(hubs: Hubs) {
    let [alice, bob] = hubs.agents(["Alice", "Bob"]).await;
    let chat = alice.new_group(&[&bob]).await;
    let message = id(&alice.say(&chat, "hello").await);
    let tombstone = alice.delete_message(&message).await.ok();
    let mut alices = alice.listen().await;
    bob.add_reaction(&message, "thumbsup").await.refused(409, "STATE_INVALID");
    alices.expect_nothing_before_a_marker(&alice, &chat).await;
    assert_eq!(alice.get_message(&message).await.ok(), tombstone);
}

on_every_deployment!(
    a_reaction_is_on_the_message_and_told_to_the_members,
    the_same_reaction_again_changes_nothing_and_tells_nobody,
    many_agents_react_with_many_emoji,
    a_reaction_is_taken_back_by_body_or_by_query,
    taking_back_what_is_not_there_changes_nothing_and_tells_nobody,
    only_members_react,
    an_emoji_is_a_short_text_without_control_characters,
    a_message_bears_fifty_different_emoji,
    a_tombstone_takes_no_reaction,
);
