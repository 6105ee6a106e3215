//! Messages: posted, read and deleted; media in all their forms; the order that is the same everywhere.

use serde_json::{Value, json};

use crate::support::{Agent, Hubs, column, id, random_id, rows, text};

async fn post(agent: &Agent, chat: &str, medias: Value) -> Value {
    agent.post_message(&json!({"chat_id": chat, "type": "normal", "text": "", "medias": medias})).await.ok()
}

async fn a_message_posted_on_one_node_arrives_on_every_node_once(hubs: Hubs) {
    let [alice, bob] = hubs.agents(["Alice", "Bob"]).await;
    let chat = alice.new_group(&[&bob]).await;
    let mut sockets = Vec::new();
    for node in 0..hubs.nodes.len() {
        sockets.push(bob.at(node).listen().await);
        sockets.push(alice.at(node).listen().await);
    }
    let message = alice.say(&chat, "Hello team").await;
    let expected = json!({
        "id": message["id"],
        "customer_id": alice.customer_id,
        "owner_type": "agent",
        "owner_id": alice.id,
        "chat_id": chat,
        "type": "normal",
        "text": "Hello team",
        "medias": [],
        "metadata": {"reactions": []},
        "tm_create": message["tm_create"],
        "tm_update": message["tm_create"],
        "tm_delete": "",
        "seq": 2,
    });
    assert_eq!(message, expected);
    let marker = alice.say(&chat, "a marker").await;
    for socket in &mut sockets {
        let event = socket.expect_event("chatmessage_created").await;
        assert_eq!(event["data"], message);
        assert_eq!((&event["chat_id"], &event["seq"]), (&json!(chat), &json!(2)));
        assert_eq!(socket.expect_event("chatmessage_created").await["data"], marker, "once, and nothing else");
    }
}

async fn a_message_is_read_back_on_any_node_by_members_only(hubs: Hubs) {
    let [alice, bob, carol] = hubs.agents(["Alice", "Bob", "Carol"]).await;
    let [stranger] = hubs.agents(["Stranger"]).await;
    for chat in [alice.new_group(&[&bob]).await, alice.new_channel("open", &[&bob]).await, alice.new_direct(&bob).await]
    {
        for round in 0..4 {
            let message = alice.say(&chat, &format!("round {round}")).await;
            assert_eq!(bob.get_message(&id(&message)).await.ok(), message, "what was acknowledged is there");
            assert_eq!(bob.list_messages(&[("chat_id", &chat)]).await.ok()["result"][0], message);
            carol.get_message(&id(&message)).await.refused(403, "PERMISSION_DENIED");
            stranger.get_message(&id(&message)).await.refused(404, "TALK_MESSAGE_NOT_FOUND");
        }
        carol.list_messages(&[("chat_id", &chat)]).await.refused(403, "PERMISSION_DENIED");
        stranger.list_messages(&[("chat_id", &chat)]).await.refused(404, "CHAT_NOT_FOUND");
    }
    alice.get_message(&random_id()).await.refused(404, "TALK_MESSAGE_NOT_FOUND");
    alice.get_message("not-a-uuid").await.refused(400, "INVALID_ID");
    alice.list_messages(&[("chat_id", &random_id())]).await.refused(404, "CHAT_NOT_FOUND");
}

async fn only_members_post(hubs: Hubs) {
    let [alice, bob] = hubs.agents(["Alice", "Bob"]).await;
    let [stranger] = hubs.agents(["Stranger"]).await;
    for chat in [alice.new_group(&[]).await, alice.new_channel("open", &[]).await] {
        let body = json!({"chat_id": chat, "type": "normal", "text": "let me in"});
        bob.post_message(&body).await.refused(403, "PERMISSION_DENIED");
        stranger.post_message(&body).await.refused(404, "CHAT_NOT_FOUND");
        assert!(alice.messages_of(&chat).await.is_empty());
    }
    let nowhere = json!({"chat_id": random_id(), "type": "normal", "text": "hello?"});
    alice.post_message(&nowhere).await.refused(404, "CHAT_NOT_FOUND");
}

async fn a_message_has_a_text_or_media_and_is_of_type_normal(hubs: Hubs) {
    let [alice, bob] = hubs.agents(["Alice", "Bob"]).await;
    let chat = alice.new_group(&[&bob]).await;
    let mut bobs = bob.listen().await;
    let wrong = [
        json!({"chat_id": chat, "type": "normal"}),
        json!({"chat_id": chat, "type": "normal", "text": ""}),
        json!({"chat_id": chat, "type": "normal", "text": "", "medias": []}),
        json!({"chat_id": chat, "type": "normal", "text": null, "medias": null}),
        json!({"chat_id": chat, "type": "system", "text": "Bob left the conversation."}),
        json!({"chat_id": chat, "type": "shout", "text": "of no known type"}),
        json!({"type": "normal", "text": "nowhere"}),
        json!({"chat_id": "", "type": "normal", "text": "nowhere"}),
        json!({"chat_id": chat, "type": "normal", "text": 7}),
        json!({"chat_id": chat, "type": "normal", "text": "media of no kind", "medias": [{}]}),
        json!({"chat_id": chat, "type": "normal", "text": "media without a file", "medias": [{"type": "file"}]}),
    ];
    for body in wrong {
        alice.post_message(&body).await.invalid();
    }
    bobs.expect_nothing_before_a_marker(&alice, &chat).await;
    assert_eq!(alice.messages_of(&chat).await.len(), 1, "the marker alone");
}

async fn every_form_of_media_comes_back_with_the_fields_that_apply(hubs: Hubs) {
    let [alice, bob] = hubs.agents(["Alice", "Bob"]).await;
    let chat = alice.new_group(&[&bob]).await;
    let medias = json!([
        {"type": "link", "link_url": "https://example.test/design"},
        {"type": "agent", "agent_id": bob.id},
        {"type": "address", "address": {"type": "tel", "target": "+821100000001"}},
        {"type": "image/png", "url": "https://example.test/a.png", "name": "a.png"},
    ]);
    let message = post(&alice, &chat, medias.clone()).await;
    assert_eq!((&message["text"], &message["medias"]), (&json!(""), &medias));
    assert_eq!(bob.get_message(&id(&message)).await.ok()["medias"], medias);

    let noisy =
        json!([{"type": "link", "link_url": "https://example.test", "file_id": "", "agent_id": "", "address": null}]);
    let message = post(&alice, &chat, noisy).await;
    assert_eq!(message["medias"], json!([{"type": "link", "link_url": "https://example.test"}]));
}

async fn a_file_in_a_message_carries_its_url_and_name(hubs: Hubs) {
    let [alice, bob] = hubs.agents(["Alice", "Bob"]).await;
    let chat = alice.new_group(&[&bob]).await;
    let file = id(&alice.new_file("design.txt", "the design").await);
    let message = post(&alice, &chat, json!([{"type": "file", "file_id": file}])).await;
    let media = &bob.get_message(&id(&message)).await.ok()["medias"][0];
    assert_eq!((text(media, "type"), text(media, "file_id")), ("file", file.as_str()));
    assert_eq!(text(media, "name"), "design.txt");
    assert!(text(media, "url").ends_with(&format!("/v1.0/service_agents/files/{file}/file")), "{media}");
}

async fn a_deletion_empties_the_message_everywhere_and_is_told_once(hubs: Hubs) {
    let [alice, bob] = hubs.agents(["Alice", "Bob"]).await;
    let chat = alice.new_group(&[&bob]).await;
    let body = json!({
        "chat_id": chat,
        "type": "normal",
        "text": "said in haste",
        "medias": [{"type": "link", "link_url": "https://example.test/haste"}],
    });
    let message = alice.post_message(&body).await.ok();
    bob.add_reaction(&id(&message), "thumbsup").await.ok();
    let mut bobs = bob.listen().await;

    let tombstone = alice.delete_message(&id(&message)).await.ok();
    let expected = json!({
        "id": message["id"],
        "customer_id": alice.customer_id,
        "owner_type": "agent",
        "owner_id": alice.id,
        "chat_id": chat,
        "type": "normal",
        "text": "",
        "medias": [],
        "metadata": {"reactions": []},
        "tm_create": message["tm_create"],
        "tm_update": tombstone["tm_delete"],
        "tm_delete": tombstone["tm_delete"],
        "seq": message["seq"],
    });
    assert_eq!(tombstone, expected);
    assert!(text(&tombstone, "tm_delete") > text(&tombstone, "tm_create"));
    for _ in 0..3 {
        assert_eq!(alice.delete_message(&id(&message)).await.ok(), tombstone, "a repeat answers the same");
        assert_eq!(bob.get_message(&id(&message)).await.ok(), tombstone);
        assert_eq!(bob.messages_of(&chat).await, [tombstone.clone()], "a tombstone stays in the list");
    }
    assert_eq!(bobs.expect_event("chatmessage_deleted").await["data"], tombstone);
    bobs.expect_nothing_before_a_marker(&alice, &chat).await;
}

async fn a_message_is_deleted_only_by_its_author_while_a_member(hubs: Hubs) {
    let customer = hubs.customer().await;
    let [alice, bob, carol] = customer.agents(["Alice", "Bob", "Carol"]).await;
    let admin = customer.admin("Admin").await;
    let [stranger] = hubs.agents(["Stranger"]).await;
    let chat = alice.new_group(&[&bob, &admin]).await;
    let message = bob.say(&chat, "mine").await;
    for other in [&alice, &carol, &admin] {
        other.delete_message(&id(&message)).await.refused(403, "PERMISSION_DENIED");
    }
    stranger.delete_message(&id(&message)).await.refused(404, "TALK_MESSAGE_NOT_FOUND");
    let record = id(&bob.participant(&chat, &bob).await.unwrap());
    bob.remove_participant(&chat, &record).await.ok();
    bob.delete_message(&id(&message)).await.refused(403, "PERMISSION_DENIED");
    assert_eq!(alice.get_message(&id(&message)).await.ok(), message);

    let system = rows(&alice.list_messages(&[("chat_id", &chat)]).await.ok())[0].clone();
    assert_eq!(system["type"], "system");
    alice.delete_message(&id(&system)).await.refused(403, "PERMISSION_DENIED");
    alice.delete_message(&random_id()).await.refused(404, "TALK_MESSAGE_NOT_FOUND");
}

async fn history_seq_and_delivery_have_one_order(hubs: Hubs) {
    const EACH: usize = 25;
    let [alice, bob, carol] = hubs.agents(["Alice", "Bob", "Carol"]).await;
    let chat = alice.new_group(&[&bob, &carol]).await;
    let mut sockets = Vec::new();
    for node in 0..hubs.nodes.len() {
        sockets.push(carol.at(node).listen().await);
    }
    let writers = [&alice, &bob, &carol].into_iter().flat_map(|writer| (0..EACH).map(move |n| (writer, n)));
    let posts = writers.map(|(writer, n)| {
        let text = format!("{} {n}", writer.name);
        let chat = &chat;
        async move { writer.say(chat, &text).await }
    });
    futures_util::future::join_all(posts).await;

    let mut history = alice.messages_of(&chat).await;
    history.reverse();
    assert_eq!(history.len(), 3 * EACH);
    let times: Vec<_> = history.iter().map(|message| text(message, "tm_create")).collect();
    assert!(times.is_sorted_by(|older, newer| older < newer), "tm_create grows strictly: {times:?}");
    let seqs: Vec<_> = history.iter().map(|message| message["seq"].as_u64().unwrap()).collect();
    assert_eq!(seqs, (2..2 + history.len() as u64).collect::<Vec<_>>());
    for socket in &mut sockets {
        for message in &history {
            assert_eq!(socket.expect_event("chatmessage_created").await["data"], *message);
        }
    }
    let list = bob.list_messages(&[("chat_id", &chat), ("order", "asc")]).await.ok();
    assert_eq!(column(&list, "id"), history.iter().map(id).collect::<Vec<_>>());
}

async fn text_is_kept_to_the_byte(hubs: Hubs) {
    let [alice] = hubs.agents(["Alice"]).await;
    let chat = alice.new_group(&[]).await;
    for text in [
        " spaces  kept ",
        "line\nbreak\ttab",
        "quote \" backslash \\",
        "👩‍👩‍👧‍👦 é e\u{301} \u{202e}",
        "<b>&amp;</b>",
        "\u{0}nul",
    ] {
        let message = alice.say(&chat, text).await;
        assert_eq!(message["text"], text);
        assert_eq!(alice.get_message(&id(&message)).await.ok()["text"], text);
    }
}

on_every_deployment!(
    a_message_posted_on_one_node_arrives_on_every_node_once,
    a_message_is_read_back_on_any_node_by_members_only,
    only_members_post,
    a_message_has_a_text_or_media_and_is_of_type_normal,
    every_form_of_media_comes_back_with_the_fields_that_apply,
    a_file_in_a_message_carries_its_url_and_name,
    a_deletion_empties_the_message_everywhere_and_is_told_once,
    a_message_is_deleted_only_by_its_author_while_a_member,
    history_seq_and_delivery_have_one_order,
    text_is_kept_to_the_byte,
);
