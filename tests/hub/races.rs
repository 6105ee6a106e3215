//! Everybody at once: whatever two nodes do at the same time, the rules of a chat hold.

use std::collections::HashSet;

use futures_util::future::{join, join_all};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::calls::MESSAGES;
use crate::support::{Agent, Customer, Deployment, Hubs, column, id, rows, sorted, text};

async fn crowd(customer: &Customer, count: usize) -> Vec<Agent> {
    join_all((0..count).map(async |n| customer.agent(&format!("Agent {n}")).await)).await
}

async fn one_agent_added_a_hundred_times_at_once_is_one_member_and_one_event(hubs: Hubs) {
    let [alice, bob, carol] = hubs.agents(["Alice", "Bob", "Carol"]).await;
    let chat = alice.new_channel("open", &[&bob]).await;
    let mut bobs = bob.listen().await;
    let adds = (0..100).map(async |n| match n % 3 {
        0 => alice.add_participant(&chat, &carol.id).await.ok(),
        1 => bob.add_participant(&chat, &carol.id).await.ok(),
        _ => carol.join(&chat).await.ok(),
    });
    let records: HashSet<_> = join_all(adds).await.iter().map(Value::to_string).collect();
    assert_eq!(records.len(), 1, "all got the same record");
    let members = alice.list_participants(&chat).await.ok();
    assert_eq!(column(&members, "owner_id").iter().filter(|owner| **owner == carol.id).count(), 1);
    assert_eq!(alice.get_chat(&chat).await.ok()["member_count"], 3);
    bobs.expect_event("chatparticipant_added").await;
    bobs.expect_event("chatmessage_created").await;
    bobs.expect_nothing_before_a_marker(&alice, &chat).await;
}

/// Whoever is added while the answer to a subscription is on its way is told there where the chat stands, or hears of it.
async fn an_agent_added_while_it_subscribes_hears_each_event_once(hubs: Hubs) {
    let [alice, bob] = hubs.agents(["Alice", "Bob"]).await;
    for _ in 0..20 {
        alice.new_group(&[&bob]).await;
    }
    let chats = join_all((0..8).map(async |n| alice.new_channel(&format!("open {n}"), &[]).await)).await;
    for round in 0..8 {
        let others = join_all(chats.iter().map(async |chat| {
            alice.say(chat, "before").await;
            let member = bob.join(chat).await.ok();
            alice.say(chat, &format!("round {round}")).await;
            member
        }));
        let subscribing = join_all((0..6).map(async |node| {
            let mut socket = bob.at(node).socket().await;
            socket.subscribe(&[&bob.topic()]).await;
            socket
        }));
        let (members, sockets) = join(others, subscribing).await;
        let last = alice.say(&chats[0], "last").await;
        for mut socket in sockets {
            // The socket holds each event to its number: one that is missing or comes twice fails here.
            socket.events_until(|event| event["data"]["id"] == last["id"]).await;
        }
        for (chat, member) in chats.iter().zip(members) {
            bob.remove_participant(chat, &id(&member)).await.ok();
        }
    }
}

async fn fifty_direct_chats_of_one_pair_at_once_are_one_chat(hubs: Hubs) {
    let [alice, bob] = hubs.agents(["Alice", "Bob"]).await;
    let mut alices = alice.listen().await;
    let made = (0..50).map(async |n| match n % 2 {
        0 => alice.new_direct(&bob).await,
        _ => bob.new_direct(&alice).await,
    });
    let ids: HashSet<_> = join_all(made).await.into_iter().collect();
    assert_eq!(ids.len(), 1);
    for agent in [&alice, &bob] {
        let chats = agent.list_chats().await.ok();
        assert_eq!(column(&chats, "id"), ids.iter().cloned().collect::<Vec<_>>());
        assert_eq!(chats["result"][0]["member_count"], 2);
    }
    let chat = ids.into_iter().next().unwrap();
    assert_eq!(alices.expect_event("chat_created").await["chat_id"], chat.as_str());
    alices.expect_nothing_before_a_marker(&bob, &chat).await;
}

async fn direct_chats_made_and_deleted_at_once_leave_at_most_one_alive(hubs: Hubs) {
    let [alice, bob] = hubs.agents(["Alice", "Bob"]).await;
    let rounds = (0..30).map(async |n| {
        let (one, other) = if n % 2 == 0 { (&alice, &bob) } else { (&bob, &alice) };
        let chat = one.new_direct(other).await;
        if n % 3 == 0 {
            one.delete_chat(&chat).await.ok();
        }
    });
    join_all(rounds).await;
    let alive = alice.list_chats().await.ok();
    assert!(rows(&alive).len() <= 1, "{alive}");
    let chat = alice.new_direct(&bob).await;
    assert_eq!(column(&bob.list_chats().await.ok(), "id"), [chat]);
}

async fn two_hundred_reactions_of_forty_agents_at_once_are_all_there_once(hubs: Hubs) {
    const EMOJI: [&str; 5] = ["👍", "🎉", "❤️", "👀", "thumbsup"];
    let customer = hubs.customer().await;
    let agents = crowd(&customer, 40).await;
    let everyone: Vec<_> = agents.iter().collect();
    let chat = agents[0].new_group(&everyone).await;
    let message = id(&agents[0].say(&chat, "Should we deploy today?").await);
    let mut socket = agents[0].listen().await;
    let given = |message: &Value| {
        let given = message["metadata"]["reactions"].as_array().unwrap();
        sorted(given.iter().map(|r| (text(r, "owner_id").to_owned(), text(r, "emoji").to_owned())))
    };
    let reactions = agents.iter().flat_map(|agent| EMOJI.map(|emoji| (agent, emoji)));
    let react = join_all(reactions.map(async |(agent, emoji)| agent.add_reaction(&message, emoji).await.ok()));
    let hear = async {
        let mut events = Vec::new();
        for _ in 0..agents.len() * EMOJI.len() {
            events.push(given(&socket.expect_event("chatmessage_reaction_updated").await["data"]));
        }
        events
    };
    let (_, events) = join(react, hear).await;

    let expected = agents.iter().flat_map(|agent| EMOJI.map(|emoji| (agent.id.clone(), emoji.to_owned())));
    let expected = sorted(expected);
    assert_eq!(given(&agents[7].get_message(&message).await.ok()), expected);
    assert_eq!(events.last(), Some(&expected));
    for (n, event) in events.iter().enumerate() {
        assert!(event.len() > n, "the event of the {n}th change shows fewer: {}", event.len());
    }
    socket.expect_nothing_before_a_marker(&agents[0], &chat).await;
}

/// One key, 20 times at once, and again after a restart of every hub; and that for many keys.
async fn one_idempotency_key_at_once(deployment: Deployment) {
    const KEYS: usize = 30;
    let mut running = deployment.start(|settings| settings).await;
    let hubs = Hubs::new(deployment, &running);
    let [alice, bob] = hubs.agents(["Alice", "Bob"]).await;
    let chat = alice.new_group(&[&bob]).await;
    let mut bobs = bob.listen().await;
    let body = json!({"chat_id": chat, "type": "normal", "text": "once"});
    let post = async |key: usize| {
        let call = alice.call(Method::POST, MESSAGES).header("Idempotency-Key", &format!("race-{key}"));
        call.json(&body).send().await.ok()
    };
    let mut posted = Vec::new();
    for key in 0..KEYS {
        let answers = join_all((0..20).map(async |_| post(key).await)).await;
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
        assert_eq!(bobs.expect_event("chatmessage_created").await["data"], answers[0]);
        posted.insert(0, answers[0].clone());
    }
    bobs.expect_nothing_before_a_marker(&alice, &chat).await;
    for hub in &mut running {
        hub.stop().await;
    }
    for hub in &mut running {
        hub.start_again().await;
    }
    for (key, first) in posted.iter().rev().enumerate() {
        assert_eq!(post(key).await, *first);
        assert_eq!(post(key).await, *first);
    }
    assert_eq!(alice.messages_of(&chat).await[1..], posted, "the messages, below the marker");
}

#[tokio::test]
async fn one_idempotency_key_at_once_and_after_a_restart_is_one_message_on_the_embedded_store() {
    one_idempotency_key_at_once(Deployment::Embedded).await;
}

#[tokio::test]
async fn one_idempotency_key_at_once_and_after_a_restart_is_one_message_on_two_nodes() {
    one_idempotency_key_at_once(Deployment::TwoNodes).await;
}

/// One step of the random coming and going: who acts on whom.
#[derive(Clone, Debug)]
enum Step {
    Add(usize),
    Join(usize),
    Remove(usize),
    Leave(usize),
}

async fn adds_and_removes_at_random_leave_the_count_equal_to_the_list(hubs: Hubs) {
    const AGENTS: usize = 6;
    let customer = hubs.customer().await;
    let alice = customer.agent("Alice").await;
    let agents = crowd(&customer, AGENTS).await;
    let chat = alice.new_channel("open", &[]).await;
    let mut alices = alice.listen().await;
    let step = (0..4u8, 0..AGENTS).prop_map(|(kind, agent)| match kind {
        0 => Step::Add(agent),
        1 => Step::Join(agent),
        2 => Step::Remove(agent),
        _ => Step::Leave(agent),
    });
    let steps = proptest::collection::vec(step, 30);
    let mut runner = TestRunner::deterministic();
    for _ in 0..8 {
        let steps = steps.new_tree(&mut runner).unwrap().current();
        join_all(steps.iter().map(async |step| {
            let (by, agent, comes) = match step {
                Step::Add(n) => (&alice, &agents[*n], true),
                Step::Remove(n) => (&alice, &agents[*n], false),
                Step::Join(n) => (&agents[*n], &agents[*n], true),
                Step::Leave(n) => (&agents[*n], &agents[*n], false),
            };
            if comes {
                by.add_participant(&chat, &agent.id).await.ok();
            } else if let Some(record) = alice.participant(&chat, agent).await {
                let answer = by.remove_participant(&chat, &id(&record)).await;
                assert!([200, 403, 404].contains(&answer.status), "{answer}");
            }
        }))
        .await;
        let members = sorted(column(&alice.list_participants(&chat).await.ok(), "owner_id"));
        let unique: HashSet<_> = members.iter().collect();
        assert_eq!(unique.len(), members.len(), "nobody is a member twice: {members:?}");
        assert_eq!(alice.get_chat(&chat).await.ok()["member_count"], members.len());
        let listed = alice.list_chats().await.ok();
        assert_eq!(listed["result"][0]["member_count"], members.len());
        for agent in &agents {
            let chats = column(&agent.list_chats().await.ok(), "id");
            assert_eq!(chats.contains(&chat), members.contains(&agent.id), "{}", agent.name);
        }
    }
    // The events tell the same story: replayed, they give the same members.
    let marker = id(&alice.say(&chat, "the end").await);
    let mut members = HashSet::from([alice.id.clone()]);
    for event in alices.events_until(|event| event["data"]["id"] == marker.as_str()).await {
        let owner = event["data"]["owner_id"].as_str().unwrap().to_owned();
        match text(&event, "type") {
            "chatparticipant_added" => assert!(members.insert(owner), "added twice: {event}"),
            "chatparticipant_removed" => assert!(members.remove(&owner), "removed twice: {event}"),
            _ => {}
        }
    }
    assert_eq!(sorted(members), sorted(column(&alice.list_participants(&chat).await.ok(), "owner_id")));
}

async fn no_message_lands_after_the_deletion_of_its_chat(hubs: Hubs) {
    let [alice, bob] = hubs.agents(["Alice", "Bob"]).await;
    for _ in 0..5 {
        let chat = alice.new_group(&[&bob]).await;
        let mut bobs = bob.listen().await;
        let body = json!({"chat_id": chat, "type": "normal", "text": "in time?"});
        let posts = join_all((0..40).map(async |n| if n % 2 == 0 { &alice } else { &bob }.post_message(&body).await));
        let deletion = async {
            for _ in 0..5 {
                alice.get_chat(&chat).await.ok();
            }
            join_all((0..4).map(async |_| alice.delete_chat(&chat).await.ok())).await
        };
        let (posts, deletions) = join(posts, deletion).await;
        let deleted = &deletions[0];
        assert!(deletions.iter().all(|answer| answer == deleted), "{deletions:?}");
        let (posted, late): (Vec<_>, Vec<_>) = posts.into_iter().partition(|answer| answer.status == 200);
        late.into_iter().for_each(|answer| drop(answer.refused(409, "STATE_INVALID")));
        for message in &posted {
            assert!(text(&message.body, "tm_create") < text(deleted, "tm_delete"), "{message}");
        }
        let history = sorted(bob.messages_of(&chat).await.iter().map(id));
        assert_eq!(history, sorted(posted.iter().map(|answer| id(&answer.body))));
        let events = bobs.events_until(|event| event["type"] == "chat_deleted").await;
        assert_eq!(events.len(), posted.len() + 1, "the deletion is the last event");
        assert_eq!(alice.get_chat(&chat).await.ok()["seq"], events.last().unwrap()["seq"]);
    }
}

async fn a_message_deleted_while_others_react_is_a_tombstone_without_reactions(hubs: Hubs) {
    let [alice, bob] = hubs.agents(["Alice", "Bob"]).await;
    let chat = alice.new_group(&[&bob]).await;
    for round in 0..5 {
        let message = id(&alice.say(&chat, &format!("round {round}")).await);
        let reactions = join_all((0..20).map(async |n| bob.add_reaction(&message, &format!("emoji-{n}")).await));
        let (reactions, tombstone) = join(reactions, async { alice.delete_message(&message).await.ok() }).await;
        for answer in reactions.into_iter().filter(|answer| answer.status != 200) {
            answer.refused(409, "STATE_INVALID");
        }
        assert_eq!(bob.get_message(&message).await.ok(), tombstone);
        assert_eq!(tombstone["metadata"], json!({"reactions": []}));
    }
}

on_every_deployment!(
    one_agent_added_a_hundred_times_at_once_is_one_member_and_one_event,
    an_agent_added_while_it_subscribes_hears_each_event_once,
    fifty_direct_chats_of_one_pair_at_once_are_one_chat,
    direct_chats_made_and_deleted_at_once_leave_at_most_one_alive,
    two_hundred_reactions_of_forty_agents_at_once_are_all_there_once,
    adds_and_removes_at_random_leave_the_count_equal_to_the_list,
    no_message_lands_after_the_deletion_of_its_chat,
    a_message_deleted_while_others_react_is_a_tombstone_without_reactions,
);
