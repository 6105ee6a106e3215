//! Chats: who may make, read, change and delete them, what their members hear of it, and what a repeat does.

use serde_json::{Value, json};

use crate::support::{Hubs, column, fields, id, random_id, rows, sorted, text, without};

/// The chat as VoIPBIN knows it, without the hub's additions, which move with every event.
fn plain(chat: &Value) -> Value {
    without(chat, &["seq", "cursor", "joined"])
}

async fn a_new_chat_has_every_field_and_is_read_back_on_any_node(hubs: Hubs) {
    let [alice, bob] = hubs.agents(["Alice", "Bob"]).await;
    let body = json!({
        "type": "group",
        "name": "Project Alpha",
        "detail": "Discussion channel for Project Alpha",
        "participants": [bob.as_participant()],
        "a field nobody knows": true,
    });
    let chat = alice.create_chat(&body).await.ok();
    let expected = json!({
        "id": chat["id"],
        "customer_id": alice.customer_id,
        "type": "group",
        "name": "Project Alpha",
        "detail": "Discussion channel for Project Alpha",
        "member_count": 2,
        "tm_create": chat["tm_create"],
        "tm_update": chat["tm_create"],
        "tm_delete": "",
        "seq": 1,
        "cursor": chat["cursor"],
    });
    assert_eq!(chat, expected);
    assert!((1..=64).contains(&text(&chat, "cursor").len()), "{chat}");
    for reader in [&alice, &bob] {
        assert_eq!(reader.get_chat(&id(&chat)).await.ok(), chat);
        assert_eq!(rows(&reader.list_chats().await.ok()), [chat.clone()]);
    }
}

async fn creating_a_chat_is_one_event_for_every_member(hubs: Hubs) {
    let [alice, bob, carol] = hubs.agents(["Alice", "Bob", "Carol"]).await;
    let mut alices = alice.listen().await;
    let mut bobs = bob.listen().await;
    let mut carols = carol.listen().await;
    let chat = alice.new_chat("group", "For two", &[&bob]).await;
    for socket in [&mut alices, &mut bobs] {
        let event = socket.expect_event("chat_created").await;
        assert_eq!(event["seq"], 1);
        assert_eq!(event["chat_id"], chat["id"]);
        assert_eq!(event["cursor"], chat["cursor"]);
        assert_eq!(plain(&event["data"]), plain(&chat));
        socket.expect_nothing_before_a_marker(&alice, &id(&chat)).await;
    }
    let hers = carol.new_group(&[]).await;
    assert_eq!(carols.expect_event("chat_created").await["chat_id"], hers.as_str());
}

async fn the_creator_is_a_member_listed_or_not_and_nobody_is_a_member_twice(hubs: Hubs) {
    let [alice, bob] = hubs.agents(["Alice", "Bob"]).await;
    let (a, b) = (alice.as_participant(), bob.as_participant());
    for participants in [json!([b]), json!([a, b]), json!([b, b]), json!([a, a, b, b])] {
        let chat = alice.create_chat(&json!({"type": "group", "participants": participants})).await.ok();
        assert_eq!(chat["member_count"], 2, "{participants}");
        let members = alice.list_participants(&id(&chat)).await.ok();
        assert_eq!(sorted(column(&members, "owner_id")), sorted([alice.id.clone(), bob.id.clone()]));
    }
    for body in [json!({"type": "group"}), json!({"type": "talk", "participants": []}), json!({"type": "talk"})] {
        let chat = alice.create_chat(&body).await.ok();
        assert_eq!(chat["member_count"], 1, "{body}");
        assert_eq!(column(&alice.list_participants(&id(&chat)).await.ok(), "owner_id"), [alice.id.clone()]);
    }
}

async fn an_agent_who_does_not_exist_means_that_nothing_is_made(hubs: Hubs) {
    let [alice, bob] = hubs.agents(["Alice", "Bob"]).await;
    let [stranger] = hubs.agents(["Stranger"]).await;
    let mut bobs = bob.listen().await;
    for kind in ["direct", "group", "talk"] {
        for nobody in [random_id(), stranger.id.clone()] {
            let mut participants = vec![json!({"owner_type": "agent", "owner_id": nobody})];
            if kind != "direct" {
                participants.insert(0, bob.as_participant());
            }
            let answer = alice.create_chat(&json!({"type": kind, "participants": participants})).await;
            answer.refused(404, "AGENT_NOT_FOUND");
        }
    }
    for agent in [&alice, &bob, &stranger] {
        assert_eq!(agent.list_chats().await.ok(), json!({"result": [], "next_page_token": ""}));
    }
    assert!(rows(&alice.list_channels(&[]).await.ok()).is_empty());
    let chat = alice.new_group(&[&bob]).await;
    assert_eq!(bobs.expect_event("chat_created").await["chat_id"], chat.as_str());
}

async fn a_direct_chat_has_exactly_one_other(hubs: Hubs) {
    let [alice, bob, carol] = hubs.agents(["Alice", "Bob", "Carol"]).await;
    let (a, b, c) = (alice.as_participant(), bob.as_participant(), carol.as_participant());
    for participants in [json!([]), json!([a]), json!([b, c]), json!([a, b, c])] {
        let answer = alice.create_chat(&json!({"type": "direct", "participants": participants})).await;
        answer.refused(400, "INVALID_ARGUMENT");
    }
    alice.create_chat(&json!({"type": "direct"})).await.refused(400, "INVALID_ARGUMENT");
    assert!(rows(&alice.list_chats().await.ok()).is_empty());
}

async fn a_pair_has_one_direct_chat_whoever_asks(hubs: Hubs) {
    let [alice, bob, carol] = hubs.agents(["Alice", "Bob", "Carol"]).await;
    let mut bobs = bob.listen().await;
    let chat = alice.new_chat("direct", "", &[&bob]).await;
    assert_eq!((&chat["type"], &chat["member_count"]), (&json!("direct"), &json!(2)));
    for (asking, other) in [(&alice, &bob), (&bob, &alice), (&alice, &bob)] {
        assert_eq!(asking.new_chat("direct", "Another name", &[other]).await, chat);
    }
    let with_carol = alice.new_direct(&carol).await;
    assert_ne!(with_carol, id(&chat));
    assert_eq!(bobs.expect_event("chat_created").await["chat_id"], chat["id"]);
    bobs.expect_nothing_before_a_marker(&alice, &id(&chat)).await;
}

async fn a_deleted_direct_chat_is_followed_by_a_new_one(hubs: Hubs) {
    let [alice, bob] = hubs.agents(["Alice", "Bob"]).await;
    let first = alice.new_direct(&bob).await;
    alice.say(&first, "of the first").await;
    bob.delete_chat(&first).await.ok();
    let second = bob.new_chat("direct", "", &[&alice]).await;
    assert_ne!(id(&second), first);
    assert_eq!((&second["seq"], &second["tm_delete"]), (&json!(1), &json!("")));
    assert!(alice.messages_of(&id(&second)).await.is_empty());
    assert_eq!(id(&alice.new_chat("direct", "", &[&bob]).await), id(&second));
}

async fn normal_is_taken_as_group_and_no_other_type_is_invented(hubs: Hubs) {
    let [alice] = hubs.agents(["Alice"]).await;
    assert_eq!(alice.create_chat(&json!({"type": "normal"})).await.ok()["type"], "group");
    for kind in [json!("secret"), json!(""), json!("GROUP"), json!("system")] {
        alice.create_chat(&json!({"type": kind})).await.refused(400, "INVALID_ARGUMENT");
    }
}

async fn my_chats_are_the_live_ones_i_am_in(hubs: Hubs) {
    let [alice, bob] = hubs.agents(["Alice", "Bob"]).await;
    let with_bob = alice.new_group(&[&bob]).await;
    let channel = alice.new_channel("open", &[]).await;
    let direct = alice.new_direct(&bob).await;
    let deleted = alice.new_group(&[&bob]).await;
    alice.delete_chat(&deleted).await.ok();
    assert_eq!(column(&alice.list_chats().await.ok(), "id"), [direct.clone(), channel.clone(), with_bob.clone()]);
    assert_eq!(column(&bob.list_chats().await.ok(), "id"), [direct.clone(), with_bob.clone()]);
    bob.join(&channel).await.ok();
    let mine = bob.participant(&with_bob, &bob).await.unwrap();
    bob.remove_participant(&with_bob, &id(&mine)).await.ok();
    assert_eq!(column(&bob.list_chats().await.ok(), "id"), [direct, channel]);
}

async fn members_read_a_chat_and_anyone_of_the_customer_a_channel(hubs: Hubs) {
    let [alice, bob, carol] = hubs.agents(["Alice", "Bob", "Carol"]).await;
    let [stranger] = hubs.agents(["Stranger"]).await;
    for chat in [alice.new_group(&[&bob]).await, alice.new_direct(&bob).await] {
        assert_eq!(id(&bob.get_chat(&chat).await.ok()), chat);
        carol.get_chat(&chat).await.refused(403, "PERMISSION_DENIED");
        stranger.get_chat(&chat).await.refused(404, "CHAT_NOT_FOUND");
    }
    let channel = alice.new_channel("open", &[]).await;
    assert_eq!(id(&carol.get_chat(&channel).await.ok()), channel);
    stranger.get_chat(&channel).await.refused(404, "CHAT_NOT_FOUND");
    alice.get_chat(&random_id()).await.refused(404, "CHAT_NOT_FOUND");
    alice.get_chat("not-a-uuid").await.refused(400, "INVALID_ID");
}

async fn an_update_changes_what_it_names_and_tells_the_members(hubs: Hubs) {
    let [alice, bob] = hubs.agents(["Alice", "Bob"]).await;
    let body = json!({"type": "group", "name": "Old", "detail": "Kept", "participants": [bob.as_participant()]});
    let chat = alice.create_chat(&body).await.ok();
    let mut bobs = bob.listen().await;
    let steps = [
        (json!({"name": "New"}), ("New", "Kept")),
        (json!({"name": null, "detail": "Changed"}), ("New", "Changed")),
        (json!({"name": "", "detail": null}), ("", "Changed")),
        (json!({"name": "Both", "detail": ""}), ("Both", "")),
    ];
    let mut before = chat.clone();
    for (change, (name, detail)) in steps {
        let updated = bob.update_chat(&id(&chat), &change).await.ok();
        assert_eq!((text(&updated, "name"), text(&updated, "detail")), (name, detail), "{change}");
        assert_eq!(updated["tm_create"], chat["tm_create"]);
        assert!(text(&updated, "tm_update") > text(&before, "tm_update"), "{updated}");
        assert_eq!(updated["seq"].as_u64().unwrap(), before["seq"].as_u64().unwrap() + 1);
        let event = bobs.expect_event("chat_updated").await;
        assert_eq!(plain(&event["data"]), plain(&updated));
        assert_eq!((&event["seq"], &event["cursor"]), (&updated["seq"], &updated["cursor"]));
        assert_eq!(alice.get_chat(&id(&chat)).await.ok(), updated);
        before = updated;
    }
}

async fn an_update_of_nothing_is_refused_and_so_is_one_by_a_stranger(hubs: Hubs) {
    let [alice, bob] = hubs.agents(["Alice", "Bob"]).await;
    let [stranger] = hubs.agents(["Stranger"]).await;
    let change = json!({"name": "Mine now"});
    for chat in [alice.new_group(&[]).await, alice.new_channel("open", &[]).await] {
        let before = alice.get_chat(&chat).await.ok();
        for nothing in
            [json!({}), json!({"name": null}), json!({"name": null, "detail": null}), json!({"type": "talk"})]
        {
            alice.update_chat(&chat, &nothing).await.refused(400, "INVALID_ARGUMENT");
        }
        bob.update_chat(&chat, &change).await.refused(403, "PERMISSION_DENIED");
        stranger.update_chat(&chat, &change).await.refused(404, "CHAT_NOT_FOUND");
        assert_eq!(alice.get_chat(&chat).await.ok(), before);
    }
    alice.update_chat(&random_id(), &change).await.refused(404, "CHAT_NOT_FOUND");
}

async fn a_deletion_is_told_once_and_a_repeat_answers_the_same(hubs: Hubs) {
    let [alice, bob] = hubs.agents(["Alice", "Bob"]).await;
    let witness = alice.new_group(&[&bob]).await;
    let chat = alice.new_chat("group", "Short-lived", &[&bob]).await;
    let mut bobs = bob.listen().await;
    let deleted = alice.delete_chat(&id(&chat)).await.ok();
    assert_ne!(deleted["tm_delete"], "");
    assert_eq!(deleted["tm_update"], deleted["tm_delete"]);
    assert!(text(&deleted, "tm_delete") > text(&chat, "tm_create"));
    assert_eq!((&deleted["name"], &deleted["member_count"]), (&json!("Short-lived"), &json!(2)));
    for again in [&alice, &bob, &alice] {
        assert_eq!(again.delete_chat(&id(&chat)).await.ok(), deleted);
    }
    let event = bobs.expect_event("chat_deleted").await;
    assert_eq!(plain(&event["data"]), plain(&deleted));
    assert_eq!(event["seq"], 2);
    bobs.expect_nothing_before_a_marker(&alice, &witness).await;
}

async fn only_a_member_deletes_a_chat(hubs: Hubs) {
    let [alice, bob] = hubs.agents(["Alice", "Bob"]).await;
    let [stranger] = hubs.agents(["Stranger"]).await;
    for chat in [alice.new_group(&[]).await, alice.new_channel("open", &[]).await] {
        bob.delete_chat(&chat).await.refused(403, "PERMISSION_DENIED");
        stranger.delete_chat(&chat).await.refused(404, "CHAT_NOT_FOUND");
        assert_eq!(alice.get_chat(&chat).await.ok()["tm_delete"], "");
    }
    alice.delete_chat(&random_id()).await.refused(404, "CHAT_NOT_FOUND");
}

async fn a_deleted_chat_is_read_by_its_members_and_changed_by_nobody(hubs: Hubs) {
    let [alice, bob, carol] = hubs.agents(["Alice", "Bob", "Carol"]).await;
    for kind in ["group", "talk"] {
        let chat = id(&alice.new_chat(kind, "Gone", &[&bob]).await);
        let message = id(&alice.say(&chat, "still here").await);
        alice.add_reaction(&message, "thumbsup").await.ok();
        let participant = id(&alice.participant(&chat, &bob).await.unwrap());
        let deleted = alice.delete_chat(&chat).await.ok();

        assert_eq!(bob.get_chat(&chat).await.ok(), deleted);
        assert_eq!(bob.messages_of(&chat).await.len(), 1);
        assert_eq!(text(&bob.get_message(&message).await.ok(), "text"), "still here");
        assert_eq!(rows(&bob.list_participants(&chat).await.ok()).len(), 2);

        let post = json!({"chat_id": chat, "type": "normal", "text": "too late"});
        let refused = [
            alice.update_chat(&chat, &json!({"name": "Risen"})).await,
            alice.add_participant(&chat, &carol.id).await,
            alice.remove_participant(&chat, &participant).await,
            bob.remove_participant(&chat, &participant).await,
            alice.post_message(&post).await,
            alice.delete_message(&message).await,
            bob.add_reaction(&message, "heart").await,
            alice.remove_reaction(&message, "thumbsup").await,
        ];
        for answer in refused {
            answer.refused(409, "STATE_INVALID");
        }
        if kind == "talk" {
            carol.join(&chat).await.refused(409, "STATE_INVALID");
        }
        assert_eq!(alice.get_chat(&chat).await.ok(), deleted);
        assert_eq!(alice.messages_of(&chat).await.len(), 1);
    }
}

async fn channels_are_listed_to_everyone_with_whether_they_joined(hubs: Hubs) {
    let customer = hubs.customer().await;
    let [alice, bob] = customer.agents(["Alice", "Bob"]).await;
    let [stranger] = hubs.agents(["Stranger"]).await;
    let general = alice.new_channel("General", &[&bob]).await;
    let random = alice.new_channel("random talk", &[]).await;
    let gone = alice.new_channel("General, the former", &[]).await;
    alice.delete_chat(&gone).await.ok();
    alice.new_group(&[&bob]).await;

    let list = bob.list_channels(&[]).await.ok();
    assert_eq!(column(&list, "id"), [random.clone(), general.clone()]);
    let joined: Vec<_> = rows(&list).iter().map(|chat| chat["joined"].clone()).collect();
    assert_eq!(joined, [json!(false), json!(true)]);
    assert_eq!(fields(&plain(&rows(&list)[0])), fields(&plain(&alice.get_chat(&random).await.ok())));
    assert!(rows(&stranger.list_channels(&[]).await.ok()).is_empty());

    for (name, expected) in [("GENERAL", vec![&general]), ("N", vec![&random, &general]), ("nothing", vec![])] {
        assert_eq!(
            column(&bob.list_channels(&[("name", name)]).await.ok(), "id"),
            expected.into_iter().cloned().collect::<Vec<_>>()
        );
    }
    bob.join(&random).await.ok();
    let list = bob.list_channels(&[("name", "random")]).await.ok();
    assert_eq!(
        (list["result"][0]["joined"].clone(), list["result"][0]["member_count"].clone()),
        (json!(true), json!(2))
    );
}

on_every_deployment!(
    a_new_chat_has_every_field_and_is_read_back_on_any_node,
    creating_a_chat_is_one_event_for_every_member,
    the_creator_is_a_member_listed_or_not_and_nobody_is_a_member_twice,
    an_agent_who_does_not_exist_means_that_nothing_is_made,
    a_direct_chat_has_exactly_one_other,
    a_pair_has_one_direct_chat_whoever_asks,
    a_deleted_direct_chat_is_followed_by_a_new_one,
    normal_is_taken_as_group_and_no_other_type_is_invented,
    my_chats_are_the_live_ones_i_am_in,
    members_read_a_chat_and_anyone_of_the_customer_a_channel,
    an_update_changes_what_it_names_and_tells_the_members,
    an_update_of_nothing_is_refused_and_so_is_one_by_a_stranger,
    a_deletion_is_told_once_and_a_repeat_answers_the_same,
    only_a_member_deletes_a_chat,
    a_deleted_chat_is_read_by_its_members_and_changed_by_nobody,
    channels_are_listed_to_everyone_with_whether_they_joined,
);
