//! Participants: added, joined, removed, leaving; what is told to whom, and in which order.

use serde_json::{Value, json};

use crate::support::calls::CHATS;
use crate::support::{Agent, Hubs, Socket, column, id, random_id, rows, text};

/// A member was added or removed: first that event, then the system message that says so.
async fn expect_change(socket: &mut Socket, kind: &str, participant: &Value, agent: &Agent) {
    let event = socket.expect_event(kind).await;
    assert_eq!(event["data"], *participant);
    assert_eq!(event["chat_id"], participant["chat_id"]);
    expect_system_message(socket, kind, agent).await;
}

async fn expect_system_message(socket: &mut Socket, kind: &str, agent: &Agent) {
    let verb = if kind == "chatparticipant_added" { "joined" } else { "left" };
    let event = socket.expect_event("chatmessage_created").await;
    let message = &event["data"];
    assert_eq!(text(message, "text"), format!("{} {verb} the conversation.", agent.name));
    assert_eq!(text(message, "type"), "system");
    assert_eq!(text(message, "owner_type"), "system");
    assert_eq!(text(message, "owner_id"), "00000000-0000-0000-0000-000000000000");
    assert_eq!((&message["medias"], &message["metadata"]), (&json!([]), &json!({"reactions": []})));
}

async fn count(agent: &Agent, chat: &str) -> u64 {
    let count = agent.get_chat(chat).await.ok()["member_count"].as_u64().unwrap();
    assert_eq!(rows(&agent.list_participants(chat).await.ok()).len() as u64, count);
    count
}

async fn an_added_agent_hears_of_it_and_of_all_that_follows(hubs: Hubs) {
    let [alice, bob, carol] = hubs.agents(["Alice", "Bob", "Carol"]).await;
    let chat = alice.new_group(&[&bob]).await;
    alice.say(&chat, "before Carol").await;
    let mut carols = carol.listen().await;
    let mut bobs = bob.listen().await;
    let added = alice.add_participant(&chat, &carol.id).await.ok();
    let expected = json!({
        "id": added["id"],
        "customer_id": alice.customer_id,
        "owner_type": "agent",
        "owner_id": carol.id,
        "chat_id": chat,
        "tm_joined": added["tm_joined"],
    });
    assert_eq!(added, expected);
    for socket in [&mut carols, &mut bobs] {
        expect_change(socket, "chatparticipant_added", &added, &carol).await;
        socket.expect_nothing_before_a_marker(&alice, &chat).await;
    }
    assert_eq!(count(&carol, &chat).await, 3);
    let history = carol.messages_of(&chat).await;
    assert_eq!(text(history.last().unwrap(), "text"), "before Carol", "a member reads all of the chat");
}

async fn the_same_agent_twice_is_one_member_and_one_event(hubs: Hubs) {
    let [alice, bob, carol] = hubs.agents(["Alice", "Bob", "Carol"]).await;
    let chat = alice.new_group(&[&bob]).await;
    let mut bobs = bob.listen().await;
    let added = alice.add_participant(&chat, &carol.id).await.ok();
    for again in [&alice, &bob, &carol] {
        assert_eq!(again.add_participant(&chat, &carol.id).await.ok(), added);
    }
    expect_change(&mut bobs, "chatparticipant_added", &added, &carol).await;
    bobs.expect_nothing_before_a_marker(&alice, &chat).await;
    assert_eq!(count(&alice, &chat).await, 3);
}

async fn only_a_live_agent_of_the_customer_becomes_a_member(hubs: Hubs) {
    let customer = hubs.customer().await;
    let [alice, leaver] = customer.agents(["Alice", "Leaver"]).await;
    let [stranger] = hubs.agents(["Stranger"]).await;
    let admin = customer.admin("Admin").await;
    admin.delete_agent(&leaver.id).await.ok();
    let chat = alice.new_group(&[]).await;
    for nobody in [random_id(), stranger.id.clone(), leaver.id.clone()] {
        alice.add_participant(&chat, &nobody).await.refused(404, "AGENT_NOT_FOUND");
    }
    let path = format!("{CHATS}/{chat}/participants");
    let not_agents = [
        json!({"owner_type": "customer", "owner_id": admin.id}),
        json!({"owner_type": "system", "owner_id": admin.id}),
        json!({"owner_type": "agent"}),
        json!({"owner_type": "agent", "owner_id": ""}),
        json!({"owner_type": "agent", "owner_id": "not-a-uuid"}),
        json!({}),
    ];
    for body in not_agents {
        alice.post(&path, &body).await.invalid();
    }
    assert_eq!(count(&alice, &chat).await, 1);
}

async fn members_add_to_a_group_and_anyone_adds_oneself_to_a_channel(hubs: Hubs) {
    let [alice, bob, carol] = hubs.agents(["Alice", "Bob", "Carol"]).await;
    let [stranger] = hubs.agents(["Stranger"]).await;
    let group = alice.new_group(&[]).await;
    bob.add_participant(&group, &carol.id).await.refused(403, "PERMISSION_DENIED");
    bob.add_participant(&group, &bob.id).await.refused(403, "PERMISSION_DENIED");
    let channel = alice.new_channel("open", &[]).await;
    bob.add_participant(&channel, &carol.id).await.refused(403, "PERMISSION_DENIED");
    assert_eq!(text(&bob.add_participant(&channel, &bob.id).await.ok(), "owner_id"), bob.id);
    assert_eq!(text(&bob.add_participant(&channel, &carol.id).await.ok(), "owner_id"), carol.id);
    for chat in [&group, &channel] {
        stranger.add_participant(chat, &stranger.id).await.refused(404, "CHAT_NOT_FOUND");
    }
    alice.add_participant(&random_id(), &bob.id).await.refused(404, "CHAT_NOT_FOUND");
    assert_eq!((count(&alice, &group).await, count(&alice, &channel).await), (1, 3));
}

async fn a_direct_chat_keeps_its_two_members_and_says_nothing_of_them(hubs: Hubs) {
    let [alice, bob, carol] = hubs.agents(["Alice", "Bob", "Carol"]).await;
    let chat = alice.new_direct(&bob).await;
    let mut bobs = bob.listen().await;
    alice.add_participant(&chat, &carol.id).await.refused(409, "STATE_INVALID");
    for member in [&alice, &bob] {
        let participant = id(&alice.participant(&chat, member).await.unwrap());
        alice.remove_participant(&chat, &participant).await.refused(409, "STATE_INVALID");
    }
    bobs.expect_nothing_before_a_marker(&alice, &chat).await;
    assert_eq!(count(&alice, &chat).await, 2);
    assert_eq!(alice.messages_of(&chat).await.len(), 1, "the marker, and no system message");
}

async fn the_removed_agent_hears_of_the_removal_and_of_nothing_after_it(hubs: Hubs) {
    let [alice, bob, carol] = hubs.agents(["Alice", "Bob", "Carol"]).await;
    let chat = alice.new_group(&[&bob, &carol]).await;
    let elsewhere = alice.new_group(&[&carol]).await;
    let record = alice.participant(&chat, &carol).await.unwrap();
    let mut bobs = bob.listen().await;
    let mut carols = carol.listen().await;

    assert_eq!(alice.remove_participant(&chat, &id(&record)).await.ok(), record);

    assert_eq!(carols.expect_event("chatparticipant_removed").await["data"], record);
    expect_change(&mut bobs, "chatparticipant_removed", &record, &carol).await;
    bobs.expect_nothing_before_a_marker(&alice, &chat).await;
    carols.expect_nothing_before_a_marker(&alice, &elsewhere).await;

    assert_eq!(count(&alice, &chat).await, 2);
    carol.get_chat(&chat).await.refused(403, "PERMISSION_DENIED");
    carol.list_participants(&chat).await.refused(403, "PERMISSION_DENIED");
    carol.list_messages(&[("chat_id", &chat)]).await.refused(403, "PERMISSION_DENIED");
    assert_eq!(column(&carol.list_chats().await.ok(), "id"), [elsewhere]);
}

async fn a_removal_is_for_good_and_adding_again_makes_a_new_record(hubs: Hubs) {
    let [alice, bob] = hubs.agents(["Alice", "Bob"]).await;
    let chat = alice.new_group(&[&bob]).await;
    let mut alices = alice.listen().await;
    let first = alice.participant(&chat, &bob).await.unwrap();
    alice.remove_participant(&chat, &id(&first)).await.ok();
    expect_change(&mut alices, "chatparticipant_removed", &first, &bob).await;
    alice.remove_participant(&chat, &id(&first)).await.refused(404, "PARTICIPANT_NOT_FOUND");

    let second = alice.add_participant(&chat, &bob.id).await.ok();
    expect_change(&mut alices, "chatparticipant_added", &second, &bob).await;
    assert_ne!(id(&second), id(&first));
    assert!(text(&second, "tm_joined") > text(&first, "tm_joined"));
    alice.remove_participant(&chat, &id(&first)).await.refused(404, "PARTICIPANT_NOT_FOUND");
    assert_eq!(alice.participant(&chat, &bob).await.unwrap(), second);
    alices.expect_nothing_before_a_marker(&alice, &chat).await;
}

async fn a_member_leaves_by_removing_oneself(hubs: Hubs) {
    let [alice, bob] = hubs.agents(["Alice", "Bob"]).await;
    for kind in ["group", "talk"] {
        let chat = id(&alice.new_chat(kind, "For a while", &[&bob]).await);
        let mut alices = alice.listen().await;
        let record = bob.participant(&chat, &bob).await.unwrap();
        assert_eq!(bob.remove_participant(&chat, &id(&record)).await.ok(), record);
        expect_change(&mut alices, "chatparticipant_removed", &record, &bob).await;
        assert_eq!(count(&alice, &chat).await, 1);
    }
}

async fn a_removal_by_a_stranger_or_of_an_unknown_record_is_refused(hubs: Hubs) {
    let [alice, bob, carol] = hubs.agents(["Alice", "Bob", "Carol"]).await;
    let [stranger] = hubs.agents(["Stranger"]).await;
    let other_chat = alice.new_group(&[&bob]).await;
    let elsewhere = id(&alice.participant(&other_chat, &bob).await.unwrap());
    for chat in [alice.new_group(&[&bob]).await, alice.new_channel("open", &[&bob]).await] {
        let record = id(&alice.participant(&chat, &bob).await.unwrap());
        carol.remove_participant(&chat, &record).await.refused(403, "PERMISSION_DENIED");
        stranger.remove_participant(&chat, &record).await.refused(404, "CHAT_NOT_FOUND");
        for unknown in [random_id(), elsewhere.clone(), bob.id.clone()] {
            alice.remove_participant(&chat, &unknown).await.refused(404, "PARTICIPANT_NOT_FOUND");
        }
        alice.remove_participant(&chat, "not-a-uuid").await.refused(400, "INVALID_ID");
        assert_eq!(count(&alice, &chat).await, 2);
    }
    alice.remove_participant(&random_id(), &elsewhere).await.refused(404, "CHAT_NOT_FOUND");
    assert_eq!(count(&alice, &other_chat).await, 2);
}

async fn participants_are_a_bare_array_newest_joined_first(hubs: Hubs) {
    let [alice, bob, carol, dave] = hubs.agents(["Alice", "Bob", "Carol", "Dave"]).await;
    let [stranger] = hubs.agents(["Stranger"]).await;
    let channel = alice.new_channel("open", &[]).await;
    carol.join(&channel).await.ok();
    alice.add_participant(&channel, &bob.id).await.ok();
    let list = dave.list_participants(&channel).await.ok();
    assert!(list.is_array(), "{list}");
    assert_eq!(column(&list, "owner_id"), [bob.id.clone(), carol.id.clone(), alice.id.clone()]);
    let times = column(&list, "tm_joined");
    assert!(times.is_sorted_by(|newer, older| newer > older), "{times:?}");

    let group = alice.new_group(&[]).await;
    bob.list_participants(&group).await.refused(403, "PERMISSION_DENIED");
    stranger.list_participants(&group).await.refused(404, "CHAT_NOT_FOUND");
    stranger.list_participants(&channel).await.refused(404, "CHAT_NOT_FOUND");
}

async fn joining_a_channel_is_told_once_and_a_repeat_answers_the_same(hubs: Hubs) {
    let [alice, bob] = hubs.agents(["Alice", "Bob"]).await;
    let channel = alice.new_channel("open", &[]).await;
    let mut alices = alice.listen().await;
    let mut bobs = bob.listen().await;
    let joined = bob.join(&channel).await.ok();
    assert_eq!((text(&joined, "owner_id"), text(&joined, "chat_id")), (bob.id.as_str(), channel.as_str()));
    for _ in 0..3 {
        assert_eq!(bob.join(&channel).await.ok(), joined);
    }
    for socket in [&mut alices, &mut bobs] {
        expect_change(socket, "chatparticipant_added", &joined, &bob).await;
        socket.expect_nothing_before_a_marker(&alice, &channel).await;
    }
    assert_eq!(count(&bob, &channel).await, 2);
}

async fn only_a_channel_of_the_own_customer_can_be_joined(hubs: Hubs) {
    let [alice, bob] = hubs.agents(["Alice", "Bob"]).await;
    let [stranger] = hubs.agents(["Stranger"]).await;
    let group = alice.new_group(&[]).await;
    let direct = alice.new_direct(&bob).await;
    for (chat, agent) in [(&group, &bob), (&group, &alice), (&direct, &bob)] {
        agent.join(chat).await.refused(400, "INVALID_ARGUMENT");
    }
    let channel = alice.new_channel("open", &[]).await;
    stranger.join(&channel).await.refused(404, "CHAT_NOT_FOUND");
    bob.join(&random_id()).await.refused(404, "CHAT_NOT_FOUND");
    assert_eq!(count(&alice, &group).await, 1);
    assert_eq!(count(&alice, &channel).await, 1);
}

on_every_deployment!(
    an_added_agent_hears_of_it_and_of_all_that_follows,
    the_same_agent_twice_is_one_member_and_one_event,
    only_a_live_agent_of_the_customer_becomes_a_member,
    members_add_to_a_group_and_anyone_adds_oneself_to_a_channel,
    a_direct_chat_keeps_its_two_members_and_says_nothing_of_them,
    the_removed_agent_hears_of_the_removal_and_of_nothing_after_it,
    a_removal_is_for_good_and_adding_again_makes_a_new_record,
    a_member_leaves_by_removing_oneself,
    a_removal_by_a_stranger_or_of_an_unknown_record_is_refused,
    participants_are_a_bare_array_newest_joined_first,
    joining_a_channel_is_told_once_and_a_repeat_answers_the_same,
    only_a_channel_of_the_own_customer_can_be_joined,
);
