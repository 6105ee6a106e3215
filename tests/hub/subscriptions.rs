//! Topics: what may be asked for, what a socket then hears, in which form, in which order, and that it hears it once.

use futures_util::future::join;
use serde_json::{Value, json};

use crate::support::calls::ME;
use crate::support::{Agent, Customer, Hubs, Socket, fields, id, random_id, text};

async fn subscribed(agent: &Agent, topics: &[&str]) -> Socket {
    let mut socket = agent.socket().await;
    socket.subscribe(topics).await;
    socket
}

/// Nothing comes to any of these: `author` posts one marker, and it is the very next event of each.
async fn nothing_before_a_marker(sockets: &mut [&mut Socket], author: &Agent, chat: &str) {
    let marker = author.say(chat, "a marker").await;
    for socket in sockets {
        let event = socket.next_event().await;
        assert_eq!(event["data"]["id"], marker["id"], "expected nothing but a marker, got {event}");
    }
}

/// Asks for these topics, which must be refused.
async fn refused(socket: &mut Socket, topics: &[&str]) {
    let frame = json!({"type": "subscribe", "topics": topics});
    let answer = match socket.allows(&frame.to_string()) {
        true => socket.ask(frame).await,
        false => socket.ask_wrong(frame).await,
    };
    assert_eq!(answer["type"], "error", "{topics:?}: {answer}");
    let reason = text(&answer["error"], "reason");
    assert!(["PERMISSION_DENIED", "INVALID_ARGUMENT", "INVALID_ID"].contains(&reason), "{topics:?}: {answer}");
}

async fn every_form_of_ones_own_topics_hears_a_message_of_ones_chats(hubs: Hubs) {
    let [alice, bob] = hubs.agents(["Alice", "Bob"]).await;
    let chat = alice.new_group(&[&bob]).await;
    let own = bob.topic();
    let rests = ["", ":", ":*", "*", ":chat:*", ":chat*", ":chatmessage", ":chatmessage:*", ":chatmessage:chatm"];
    let mut topics: Vec<_> = rests.iter().map(|rest| format!("{own}{rest}")).collect();
    topics.extend([format!("{own}:chat:{chat}"), format!("{own}:chat:{chat}:*"), format!("{own}:chat:{chat}*")]);
    topics.push(format!("{own}:chatmessage:chatmessage_created"));
    topics.push(format!("{own}:chatmessage:chatmessage_created:*"));
    for topic in topics {
        let mut bobs = subscribed(&bob, &[&topic]).await;
        let message = alice.say(&chat, &topic).await;
        assert_eq!(bobs.expect_event("chatmessage_created").await["data"], message, "{topic}");
    }
}

async fn an_event_topic_hears_that_event_and_no_other(hubs: Hubs) {
    let [alice, bob, carol, dave] = hubs.agents(["Alice", "Bob", "Carol", "Dave"]).await;
    let chat = alice.new_group(&[&bob]).await;
    let own = bob.topic();
    let messages = [id(&alice.say(&chat, "one").await), id(&alice.say(&chat, "two").await)];
    let topics = [
        format!("{own}:chatparticipant:"),
        format!("{own}:chatmessage:chatmessage_deleted"),
        format!("{own}:chatmessage:chatmessage_reaction_updated:{}", messages[1]),
        format!("{own}:chat:chat_updated"),
    ];
    let mut sockets = Vec::new();
    for topic in &topics {
        sockets.push(subscribed(&bob, &[topic]).await.partial());
    }
    // Everything happens twice, so that whatever comes too much would come in between.
    for (newcomer, emoji, message) in [(&carol, "thumbsup", &messages[0]), (&dave, "heart", &messages[1])] {
        alice.say(&chat, "chatter").await;
        for message in &messages {
            bob.add_reaction(message, emoji).await;
        }
        alice.add_participant(&chat, &newcomer.id).await.ok();
        alice.update_chat(&chat, &json!({"name": emoji})).await.ok();
        alice.delete_message(message).await.ok();
    }
    let subjects = [[&carol.id, &dave.id], messages.each_ref(), [&messages[1]; 2], [&chat; 2]];
    let kinds = ["chatparticipant_added", "chatmessage_deleted", "chatmessage_reaction_updated", "chat_updated"];
    for ((socket, kind), subjects) in sockets.iter_mut().zip(kinds).zip(subjects) {
        for subject in subjects {
            let event = socket.expect_event(kind).await;
            let of = if kind == "chatparticipant_added" { "owner_id" } else { "id" };
            assert_eq!(event["data"][of], subject.as_str(), "{event}");
        }
    }
}

async fn a_topic_of_somebody_else_is_refused(hubs: Hubs) {
    let customer = hubs.customer().await;
    let [alice, bob] = customer.agents(["Alice", "Bob"]).await;
    let admin = customer.admin("Admin").await;
    let [stranger] = hubs.agents(["Stranger"]).await;
    let chat = alice.new_group(&[&bob]).await;
    let nobody = random_id();
    let topics = [
        alice.topic(),
        alice.chat_topic(&chat),
        format!("{}*", alice.topic()),
        stranger.topic(),
        stranger.customer_topic(),
        bob.customer_topic(),
        format!("{}:*", bob.customer_topic()),
        format!("agent_id:{nobody}"),
        format!("customer_id:{nobody}"),
        format!("chat_id:{chat}"),
        format!("chat:{chat}"),
        format!("agent_id:{}:", bob.id.to_uppercase() + "0"),
        bob.id.clone(),
        format!("agent_id:{}x", bob.id),
        format!("agent_id:{}", &bob.id[..35]),
        "agent_id:".to_owned(),
        "agent_id:*".to_owned(),
        "customer_id:*".to_owned(),
        "agent_id".to_owned(),
        "*".to_owned(),
        String::new(),
    ];
    // A socket each: five wrong frames in a row would end it.
    for topic in &topics {
        refused(&mut bob.socket().await, &[topic]).await;
    }
    for topic in [bob.topic(), stranger.customer_topic(), stranger.topic()] {
        refused(&mut admin.socket().await, &[&topic]).await;
    }
}

async fn the_rest_of_a_refused_frame_takes_no_effect(hubs: Hubs) {
    let [alice, bob] = hubs.agents(["Alice", "Bob"]).await;
    let chat = alice.new_group(&[&bob]).await;
    let other = alice.new_group(&[&bob]).await;
    let mut bobs = bob.socket().await;
    refused(&mut bobs, &[&bob.topic(), &alice.topic()]).await;
    refused(&mut bobs, &[&alice.topic(), &bob.topic()]).await;
    bobs.subscribe(&[&bob.chat_topic(&other)]).await;
    alice.say(&chat, "nobody asked for this").await;
    bobs.expect_nothing_before_a_marker(&alice, &other).await;

    bobs.ask_wrong(json!({"type": "unsubscribe", "topics": [bob.chat_topic(&other), 7]})).await;
    bobs.expect_nothing_before_a_marker(&alice, &other).await;
}

async fn a_topic_on_a_chat_that_is_not_ones_own_hears_nothing(hubs: Hubs) {
    let customer = hubs.customer().await;
    let [alice, bob, carol] = customer.agents(["Alice", "Bob", "Carol"]).await;
    let [stranger] = hubs.agents(["Stranger"]).await;
    let own = alice.new_group(&[&bob]).await;
    let not_bobs = [
        alice.new_group(&[&carol]).await,
        alice.new_channel("open", &[&carol]).await,
        stranger.new_group(&[]).await,
        stranger.new_channel("far away", &[]).await,
        random_id(),
    ];
    let mut bobs = subscribed(&bob, &[&bob.chat_topic(&own)]).await;
    for chat in &not_bobs {
        // Refused or in vain: the contract leaves that open.
        bobs.ask(json!({"type": "subscribe", "topics": [bob.chat_topic(chat)]})).await;
        bobs.subscribe(&[&bob.chat_topic(&own)]).await;
    }
    for chat in &not_bobs[..2] {
        alice.say(chat, "not for Bob").await;
    }
    for chat in &not_bobs[2..4] {
        stranger.say(chat, "not for Bob").await;
    }
    bobs.expect_nothing_before_a_marker(&alice, &own).await;
}

async fn a_frame_with_an_id_is_answered_and_one_without_is_not(hubs: Hubs) {
    let [alice, bob] = hubs.agents(["Alice", "Bob"]).await;
    let chat = alice.new_group(&[&bob]).await;
    let mut bobs = bob.socket().await;
    bobs.send(&json!({"type": "subscribe", "topics": [bob.topic()]})).await;
    bobs.send(&json!({"type": "unsubscribe", "topics": [bob.topic()]})).await;
    // Frames are taken in order, so an answer to one of these would come first.
    let answer = bobs.subscribe(&[&bob.topic()]).await;
    let topics = answer["topics"].as_array().unwrap_or_else(|| panic!("no topics in {answer}"));
    assert!(topics.contains(&json!(bob.topic())), "{answer}");
    assert!(answer.get("chats").is_none(), "nobody said since: {answer}");
    bobs.expect_nothing_before_a_marker(&alice, &chat).await;

    let long = "x".repeat(64);
    let frame = json!({"type": "subscribe", "topics": [bob.topic()], "id": long, "unknown": {"field": 1}});
    bobs.send(&frame).await;
    bobs.send(&json!({"type": "unsubscribe", "topics": [bob.topic()], "id": ""})).await;
    for (kind, expected) in [("subscribed", long.as_str()), ("unsubscribed", "")] {
        let crate::support::socket::Received::Frame(answer) = bobs.receive().await else { panic!("closed") };
        assert_eq!((text(&answer, "type"), text(&answer, "id")), (kind, expected));
    }
}

async fn what_was_unsubscribed_is_not_heard_and_what_was_not_is(hubs: Hubs) {
    let [alice, bob] = hubs.agents(["Alice", "Bob"]).await;
    let chats = [alice.new_group(&[&bob]).await, alice.new_group(&[&bob]).await];
    let topics = chats.each_ref().map(|chat| bob.chat_topic(chat));
    let mut bobs = subscribed(&bob, &[&topics[0], &topics[1]]).await;
    bobs.unsubscribe(&[&topics[0]]).await;
    alice.say(&chats[0], "unheard").await;
    bobs.expect_nothing_before_a_marker(&alice, &chats[1]).await;

    // Of two topics that match, one is enough.
    bobs.subscribe(&[&bob.topic(), &topics[0]]).await;
    bobs.unsubscribe(&[&topics[0]]).await;
    bobs.expect_nothing_before_a_marker(&alice, &chats[0]).await;

    // What was never subscribed can be unsubscribed, and everything can be had again.
    bobs.unsubscribe(&[&topics[0], &bob.topic(), &topics[1]]).await;
    alice.say(&chats[0], "unheard").await;
    bobs.subscribe(&[&bob.topic()]).await;
    for chat in &chats {
        bobs.expect_nothing_before_a_marker(&alice, chat).await;
    }
}

async fn an_event_comes_once_however_many_topics_match(hubs: Hubs) {
    let customer = hubs.customer().await;
    let admin = customer.admin("Admin").await;
    let alice = customer.agent("Alice").await;
    let chat = alice.new_group(&[&admin]).await;
    let mut admins = admin.socket().await;
    for _ in 0..3 {
        admins.subscribe(&[&admin.topic(), &format!("{}:*", admin.topic()), &admin.chat_topic(&chat)]).await;
        admins.subscribe(&[&admin.customer_topic(), &format!("{}:chatmessage:*", admin.customer_topic())]).await;
        admins.subscribe(&[&format!("{}:chat:{chat}", admin.customer_topic())]).await;
    }
    // The socket fails on a seq that comes twice.
    for n in 0..20 {
        let message = alice.say(&chat, &format!("message {n}")).await;
        assert_eq!(admins.expect_event("chatmessage_created").await["data"], message);
    }
    admins.expect_nothing_before_a_marker(&alice, &chat).await;
}

async fn an_event_has_exactly_this_shape(hubs: Hubs) {
    let [alice, bob] = hubs.agents(["Alice", "Bob"]).await;
    let mut bobs = bob.listen().await;
    let chat = alice.new_group(&[&bob]).await;
    let message = alice.say(&chat, "hello").await;
    let created = bobs.expect_event("chat_created").await;
    let said = bobs.expect_event("chatmessage_created").await;
    for (event, seq) in [(&created, 1), (&said, 2)] {
        assert_eq!(fields(event), ["chat_id", "cursor", "data", "seq", "timestamp", "type"]);
        assert_eq!((&event["chat_id"], &event["seq"]), (&json!(chat), &json!(seq)));
    }
    assert_eq!(said["data"], message);
    assert_eq!((&said["data"]["seq"], &said["timestamp"]), (&json!(2), &message["tm_create"]));
    let shown = bob.get_chat(&chat).await.ok();
    assert_eq!((&shown["seq"], &shown["cursor"]), (&said["seq"], &said["cursor"]));
}

async fn a_new_chat_is_one_event_and_its_members_are_none(hubs: Hubs) {
    let [alice, bob, carol] = hubs.agents(["Alice", "Bob", "Carol"]).await;
    let mut sockets = [alice.listen().await, bob.listen().await, carol.listen().await];
    for kind in ["group", "talk"] {
        let chat = alice.new_chat(kind, "A chat", &[&bob, &carol]).await;
        for socket in &mut sockets {
            let event = socket.expect_event("chat_created").await;
            assert_eq!((&event["data"]["id"], &event["seq"]), (&chat["id"], &json!(1)));
            assert_eq!((&event["data"]["member_count"], &event["data"]["name"]), (&json!(3), &json!("A chat")));
        }
        let marker = alice.say(&id(&chat), "a marker").await;
        for socket in &mut sockets {
            assert_eq!(socket.next_event().await["data"], marker);
        }
    }
}

/// Posts until told that the others are done.
async fn chatter(agent: &Agent, chat: &str, done: &std::cell::Cell<bool>) {
    while !done.get() {
        agent.say(chat, "chatter").await;
    }
}

async fn membership_begins_and_ends_between_two_events_amid_writers(hubs: Hubs) {
    let [alice, bob, carol] = hubs.agents(["Alice", "Bob", "Carol"]).await;
    let chat = alice.new_group(&[&bob]).await;
    let elsewhere = alice.new_group(&[&carol]).await;
    let mut carols = carol.listen().await;
    let done = std::cell::Cell::new(false);
    let stays = async {
        for _ in 0..10 {
            let added = alice.add_participant(&chat, &carol.id).await.ok();
            let first = carols.next_event().await;
            assert_eq!((text(&first, "type"), &first["data"]), ("chatparticipant_added", &added));
            alice.remove_participant(&chat, &id(&added)).await.ok();
            // Between the two the socket checks that no number is missing.
            let events = carols.events_until(|event| event["type"] == "chatparticipant_removed").await;
            assert_eq!(events.last().unwrap()["data"], added);
            carols.expect_nothing_before_a_marker(&alice, &elsewhere).await;
        }
        done.set(true);
    };
    join(stays, chatter(&bob, &chat, &done)).await;
}

async fn a_chat_joined_later_is_heard_from_then_on(hubs: Hubs) {
    let [alice, bob] = hubs.agents(["Alice", "Bob"]).await;
    let channel = alice.new_channel("open", &[]).await;
    let mut by_agent = bob.listen().await;
    let mut by_chat = subscribed(&bob, &[&bob.chat_topic(&channel)]).await;
    alice.say(&channel, "before Bob").await;
    let joined = bob.join(&channel).await.ok();
    for socket in [&mut by_agent, &mut by_chat] {
        assert_eq!(socket.expect_event("chatparticipant_added").await["data"], joined);
        socket.expect_event("chatmessage_created").await;
    }
    nothing_before_a_marker(&mut [&mut by_agent, &mut by_chat], &alice, &channel).await;
}

/// Everything of all chats of the customer, and nothing of another's.
async fn hears_the_whole_customer(customer: &Customer, boss: &Agent, stranger: &Agent) {
    let [alice, bob] = customer.agents(["Alice", "Bob"]).await;
    let before = alice.new_group(&[&bob]).await;
    let mut socket = subscribed(boss, &[&boss.customer_topic()]).await;
    let far_away = stranger.new_group(&[]).await;
    stranger.say(&far_away, "of another customer").await;
    let direct = bob.new_direct(&alice).await;
    let event = socket.expect_event("chat_created").await;
    assert_eq!((text(&event, "chat_id"), &event["seq"]), (direct.as_str(), &json!(1)));
    for chat in [&before, &direct] {
        socket.expect_nothing_before_a_marker(&alice, chat).await;
    }
    let participant = id(&bob.participant(&before, &bob).await.unwrap());
    bob.remove_participant(&before, &participant).await.ok();
    socket.expect_event("chatparticipant_removed").await;
    socket.expect_event("chatmessage_created").await;
    alice.delete_chat(&before).await.ok();
    socket.expect_event("chat_deleted").await;
}

async fn an_admin_and_a_manager_hear_all_chats_of_their_customer(hubs: Hubs) {
    let customer = hubs.customer().await;
    let [stranger] = hubs.agents(["Stranger"]).await;
    for boss in [customer.admin("Admin").await, customer.manager("Manager").await] {
        hears_the_whole_customer(&customer, &boss, &stranger).await;
    }
}

async fn a_change_of_status_is_told_to_those_who_share_the_customer(hubs: Hubs) {
    let customer = hubs.customer().await;
    let [alice, bob] = customer.agents(["Alice", "Bob"]).await;
    let admin = customer.admin("Admin").await;
    let [stranger] = hubs.agents(["Stranger"]).await;
    let chat = alice.new_group(&[&bob, &admin]).await;
    let far_away = stranger.new_group(&[]).await;
    let mut strangers = stranger.listen().await;
    let mut bobs = bob.listen().await;
    let mut admins = subscribed(&admin, &[&admin.topic(), &admin.customer_topic()]).await;
    alice.put(&format!("{ME}/status"), &json!({"status": "busy"})).await.ok();
    for socket in [&mut bobs, &mut admins] {
        let event = socket.expect_event("agent_status_updated").await;
        assert_eq!(fields(&event), ["data", "timestamp", "type"]);
        let data: &Value = &event["data"];
        assert_eq!((text(data, "id"), text(data, "status")), (alice.id.as_str(), "busy"));
        assert!(data.get("password").is_none() && data.get("password_hash").is_none(), "{event}");
    }
    nothing_before_a_marker(&mut [&mut bobs, &mut admins], &alice, &chat).await;
    strangers.expect_nothing_before_a_marker(&stranger, &far_away).await;
}

on_every_deployment!(
    every_form_of_ones_own_topics_hears_a_message_of_ones_chats,
    an_event_topic_hears_that_event_and_no_other,
    a_topic_of_somebody_else_is_refused,
    the_rest_of_a_refused_frame_takes_no_effect,
    a_topic_on_a_chat_that_is_not_ones_own_hears_nothing,
    a_frame_with_an_id_is_answered_and_one_without_is_not,
    what_was_unsubscribed_is_not_heard_and_what_was_not_is,
    an_event_comes_once_however_many_topics_match,
    an_event_has_exactly_this_shape,
    a_new_chat_is_one_event_and_its_members_are_none,
    membership_begins_and_ends_between_two_events_amid_writers,
    a_chat_joined_later_is_heard_from_then_on,
    an_admin_and_a_manager_hear_all_chats_of_their_customer,
    a_change_of_status_is_told_to_those_who_share_the_customer,
);
