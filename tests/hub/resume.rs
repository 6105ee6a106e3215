//! Coming back: what a client that hands in its cursors is sent, and what it is told where events do not suffice.

use std::cell::Cell;
use std::collections::HashMap;

use futures_util::future::{join, join_all};
use serde_json::{Value, json};

use crate::support::redis::{RedisServer, new_prefix};
use crate::support::socket::Position;
use crate::support::{Agent, HubSettings, Hubs, Socket, TestHub, id, random_id, sorted, text};

type Positions = HashMap<String, Position>;

/// A socket that came back with these positions, and the `chats` of the answer.
async fn back(agent: &Agent, since: &Positions) -> (Socket, Value) {
    let mut socket = agent.socket().await;
    let answer = socket.subscribe_since(&[&agent.topic()], since).await;
    assert!(answer["chats"].is_object(), "{answer}");
    (socket, answer["chats"].clone())
}

fn named(chat: &str, position: Position) -> Positions {
    HashMap::from([(chat.to_owned(), position)])
}

fn position(resource: &Value) -> Position {
    Position { seq: resource["seq"].as_u64().unwrap(), cursor: text(resource, "cursor").to_owned() }
}

/// Where the chat stands by REST.
async fn head(agent: &Agent, chat: &str) -> Position {
    position(&agent.get_chat(chat).await.ok())
}

/// What an answer says of a chat that was brought up to date.
fn recovered(at: &Position) -> Value {
    json!({"seq": at.seq, "cursor": at.cursor, "recovered": true})
}

/// What an answer says of a chat that has to be fetched.
fn lost(at: &Position, reason: &str) -> Value {
    json!({"seq": at.seq, "cursor": at.cursor, "recovered": false, "reason": reason})
}

/// What an event is about, apart from what it carries: a replay may show the resource as it is now.
fn essence(event: &Value) -> Value {
    json!([event["type"], event["chat_id"], event["seq"], event["cursor"], event["data"]["id"], event["timestamp"]])
}

async fn from_any_event_on_a_client_is_sent_every_event_after_it(hubs: Hubs) {
    let [alice, bob, carol] = hubs.agents(["Alice", "Bob", "Carol"]).await;
    let mut live = bob.listen().await;
    let chat = alice.new_group(&[&bob]).await;
    let first = id(&alice.say(&chat, "first").await);
    alice.reply(&chat, &first, "a reply").await;
    bob.add_reaction(&first, "thumbsup").await.ok();
    let carols = id(&alice.add_participant(&chat, &carol.id).await.ok());
    alice.update_chat(&chat, &json!({"name": "renamed"})).await.ok();
    bob.remove_reaction(&first, "thumbsup").await.ok();
    alice.remove_participant(&chat, &carols).await.ok();
    alice.delete_message(&first).await.ok();
    let history = live.events_until(|event| event["type"] == "chatmessage_deleted").await;
    assert_eq!(history.len(), 11);
    let newest = position(&history[10]);
    assert_eq!(head(&bob, &chat).await, newest);
    let mut sockets = Vec::new();
    for (index, event) in history.iter().enumerate() {
        let (mut socket, chats) = back(&bob, &named(&chat, position(event))).await;
        assert_eq!(chats, json!({&chat: recovered(&newest)}));
        for expected in &history[index + 1..] {
            assert_eq!(essence(&socket.next_event().await), essence(expected));
        }
        sockets.push(socket);
    }
    let marker = alice.say(&chat, "a marker").await;
    for mut socket in sockets {
        assert_eq!(socket.next_event().await["data"], marker, "then it goes on live, and nothing comes twice");
    }
}

async fn a_client_that_comes_and_goes_amid_writers_sees_everything_once(hubs: Hubs) {
    let [alice, bob] = hubs.agents(["Alice", "Bob"]).await;
    let chat = alice.new_group(&[&bob]).await;
    let start = head(&bob, &chat).await;
    let done = Cell::new(false);
    let write = async |agent: Agent| {
        let mut said = Vec::new();
        while !done.get() {
            said.push(id(&agent.say(&chat, "chatter").await));
        }
        said
    };
    let come_and_go = async {
        let (mut since, mut heard) = (named(&chat, start), Vec::new());
        for round in 0..30 {
            let (mut socket, _) = back(&bob, &since).await;
            for _ in 0..round {
                socket.next_event().await;
            }
            heard.append(&mut socket.events);
            since = socket.positions;
        }
        done.set(true);
        (since, heard)
    };
    let ((since, mut heard), said) = join(come_and_go, join_all([write(alice.clone()), write(bob.clone())])).await;
    let (mut socket, _) = back(&bob, &since).await;
    let marker = alice.say(&chat, "a marker").await;
    socket.events_until(|event| event["data"]["id"] == marker["id"]).await;
    heard.append(&mut socket.events);
    let heard: Vec<_> = heard.iter().map(|event| id(&event["data"])).collect();
    let listed: Vec<_> = bob.ids_of(&chat).await;
    assert_eq!(heard, listed, "every message once, in the order of the chat");
    assert_eq!(sorted(said.concat()), sorted(listed[..listed.len() - 1].iter().cloned()));
}

async fn a_client_that_was_away_too_long_is_told_and_goes_on_from_now(hubs: Hubs) {
    const KEPT: u64 = 1000;
    let own = hubs.deployment.start(|settings| settings.set("limits.resume_events_max", KEPT)).await;
    let hubs = Hubs::new(hubs.deployment, &own);
    let [alice, bob] = hubs.agents(["Alice", "Bob"]).await;
    let chat = alice.new_group(&[&bob]).await;
    let long_ago = head(&bob, &chat).await;
    let mut count = 0;
    let mut just_in_time = long_ago.clone();
    while count < KEPT + 200 {
        if count == 200 {
            just_in_time = head(&bob, &chat).await;
        }
        join_all((0..20).map(|_| alice.say(&chat, "meanwhile"))).await;
        count += 20;
    }
    let newest = head(&bob, &chat).await;
    let (mut late, chats) = back(&bob, &named(&chat, long_ago)).await;
    assert_eq!(chats[&chat], lost(&newest, "trimmed"));
    let (mut in_time, chats) = back(&bob, &named(&chat, just_in_time)).await;
    assert_eq!(chats[&chat], recovered(&newest), "the last {KEPT} events can be had");
    let marker = alice.say(&chat, "a marker").await;
    assert_eq!(late.next_event().await["data"], marker);
    assert_eq!(in_time.events_until(|event| event["data"] == marker).await.len() as u64, KEPT + 1);
}

async fn what_is_no_cursor_of_the_chat_is_unknown(hubs: Hubs) {
    let [alice, bob] = hubs.agents(["Alice", "Bob"]).await;
    let chat = alice.new_group(&[&bob]).await;
    let other = alice.new_group(&[&bob]).await;
    let [stranger] = hubs.agents(["Stranger"]).await;
    let far_away = stranger.new_group(&[]).await;
    let newest = head(&bob, &chat).await;
    let mut tampered = newest.cursor.clone();
    tampered.replace_range(0..1, if tampered.starts_with('z') { "y" } else { "z" });
    let no_cursors = [
        head(&bob, &other).await.cursor,
        head(&stranger, &far_away).await.cursor,
        tampered,
        String::new(),
        "0".to_owned(),
        "1-0".to_owned(),
        chat.clone(),
        "x".repeat(64),
        "x".repeat(1000),
        "\u{0}\n☃".to_owned(),
    ];
    for cursor in no_cursors {
        let (mut socket, chats) = back(&bob, &named(&chat, Position { seq: 0, cursor: cursor.clone() })).await;
        let newest = head(&bob, &chat).await;
        assert_eq!(chats[&chat], lost(&newest, "unknown"), "{cursor:?}");
        assert_eq!(socket.positions[&chat], newest);
        socket.expect_nothing_before_a_marker(&alice, &chat).await;
    }
}

async fn the_answer_lists_every_chat_in_scope_and_no_other(hubs: Hubs) {
    let [alice, bob] = hubs.agents(["Alice", "Bob"]).await;
    let [stranger] = hubs.agents(["Stranger"]).await;
    let mut mine = Vec::new();
    for n in 0..5 {
        mine.push(if n % 2 == 0 { alice.new_group(&[&bob]).await } else { alice.new_channel("open", &[&bob]).await });
    }
    mine.push(alice.new_direct(&bob).await);
    let not_mine = [
        alice.new_group(&[]).await,
        alice.new_channel("not joined", &[]).await,
        stranger.new_group(&[]).await,
        random_id(),
    ];
    let mut since: Positions = HashMap::new();
    for chat in &mine[..2] {
        since.insert(chat.clone(), head(&bob, chat).await);
    }
    for (chat, owner) in not_mine.iter().zip([&alice, &alice, &stranger]) {
        since.insert(chat.clone(), head(owner, chat).await);
    }
    since.insert(not_mine[3].clone(), head(&bob, &mine[0]).await);
    for since in [&since, &HashMap::new()] {
        let (mut socket, chats) = back(&bob, since).await;
        assert_eq!(sorted(chats.as_object().unwrap().keys().cloned()), sorted(mine.clone()));
        for chat in &mine {
            let newest = head(&bob, chat).await;
            assert_eq!((&chats[chat]["seq"], text(&chats[chat], "cursor")), (&json!(newest.seq), &*newest.cursor));
        }
        for chat in &mine {
            socket.expect_nothing_before_a_marker(&alice, chat).await;
        }
        for (chat, owner) in not_mine.iter().zip([&alice, &alice, &stranger]) {
            owner.say(chat, "not for Bob").await;
        }
        socket.expect_nothing_before_a_marker(&alice, &mine[0]).await;
    }
}

async fn one_chat_alone_can_be_resumed(hubs: Hubs) {
    let [alice, bob] = hubs.agents(["Alice", "Bob"]).await;
    let chats = [alice.new_group(&[&bob]).await, alice.new_group(&[&bob]).await];
    let mut since = HashMap::new();
    for chat in &chats {
        since.insert(chat.clone(), head(&bob, chat).await);
        alice.say(chat, "missed").await;
    }
    let mut socket = bob.socket().await;
    let answer = socket.subscribe_since(&[&bob.chat_topic(&chats[0])], &since).await;
    assert_eq!(answer["chats"], json!({&chats[0]: recovered(&head(&bob, &chats[0]).await)}));
    assert_eq!(text(&socket.next_event().await["data"], "text"), "missed");
    alice.say(&chats[1], "not asked for").await;
    socket.expect_nothing_before_a_marker(&alice, &chats[0]).await;
}

async fn from_the_cursor_that_rest_gave_nothing_is_missed(hubs: Hubs) {
    let [alice, bob] = hubs.agents(["Alice", "Bob"]).await;
    let chat = alice.new_group(&[&bob]).await;
    let done = Cell::new(false);
    let writer = async {
        while !done.get() {
            alice.say(&chat, "chatter").await;
        }
    };
    let reader = async {
        for _ in 0..10 {
            let start = head(&bob, &chat).await;
            let mut known: Vec<_> = bob.ids_of(&chat).await;
            let (mut socket, chats) = back(&bob, &named(&chat, start)).await;
            assert_eq!(chats[&chat]["recovered"], json!(true), "{chats}");
            for _ in 0..10 {
                let message = id(&socket.next_event().await["data"]);
                if !known.contains(&message) {
                    known.push(message);
                }
            }
            let listed: Vec<_> = bob.ids_of(&chat).await;
            assert_eq!(known, listed[..known.len()], "what was listed and what came after it are all there is");
        }
        done.set(true);
    };
    join(writer, reader).await;
}

async fn a_deleted_chat_is_in_scope_only_when_it_is_named(hubs: Hubs) {
    let [alice, bob] = hubs.agents(["Alice", "Bob"]).await;
    let chat = alice.new_group(&[&bob]).await;
    let stays = alice.new_group(&[&bob]).await;
    let (before, of_stays) = (head(&bob, &chat).await, head(&bob, &stays).await);
    alice.say(&chat, "last words").await;
    alice.delete_chat(&chat).await.ok();
    let (_, chats) = back(&bob, &named(&stays, of_stays.clone())).await;
    assert_eq!(chats, json!({&stays: recovered(&of_stays)}));
    let mut since = named(&chat, before);
    since.insert(stays.clone(), of_stays.clone());
    let (mut socket, chats) = back(&bob, &since).await;
    let newest = head(&bob, &chat).await;
    assert_eq!(chats, json!({&stays: recovered(&of_stays), &chat: recovered(&newest)}));
    assert_eq!(text(&socket.next_event().await["data"], "text"), "last words");
    socket.expect_event("chat_deleted").await;
    assert_eq!(socket.positions[&chat], newest);
    socket.expect_nothing_before_a_marker(&alice, &stays).await;
}

async fn a_chat_left_while_away_is_absent_and_one_joined_again_is_told_in_between(hubs: Hubs) {
    let [alice, bob] = hubs.agents(["Alice", "Bob"]).await;
    let chat = alice.new_group(&[&bob]).await;
    let stays = alice.new_group(&[&bob]).await;
    let before = head(&bob, &chat).await;
    alice.remove_participant(&chat, &id(&alice.participant(&chat, &bob).await.unwrap())).await.ok();
    let between = id(&alice.say(&chat, "while Bob was no member").await);
    let (mut socket, chats) = back(&bob, &named(&chat, before.clone())).await;
    assert_eq!(chats.as_object().unwrap().keys().collect::<Vec<_>>(), [&stays], "what is missing is not Bob's");
    socket.expect_nothing_before_a_marker(&alice, &stays).await;

    let again = alice.add_participant(&chat, &bob.id).await.ok();
    let (mut socket, chats) = back(&bob, &named(&chat, before)).await;
    assert_eq!(chats[&chat], recovered(&head(&bob, &chat).await));
    socket.expect_event("chatparticipant_removed").await;
    socket.expect_event("chatmessage_created").await;
    assert_eq!(socket.expect_event("chatmessage_created").await["data"]["id"], between.as_str());
    assert_eq!(socket.expect_event("chatparticipant_added").await["data"], again);
    socket.expect_event("chatmessage_created").await;
    socket.expect_nothing_before_a_marker(&alice, &chat).await;
}

/// A hub on a Redis of its own, in which a chat of Alice and Bob goes back to an older state: what a failover does that
/// loses acknowledged writes. Returns the positions that Bob had before and after the loss of five messages.
struct Rewound {
    redis: RedisServer,
    hub: TestHub,
    alice: Agent,
    bob: Agent,
    chat: String,
    kept: Position,
    lost: Position,
}

impl Rewound {
    async fn begin() -> (Self, Socket) {
        let redis = RedisServer::start().await;
        let hub = TestHub::start(HubSettings::redis(&redis.url(), &new_prefix()).set("chat.beacon_secs", 1)).await;
        let [alice, bob] = Hubs::of(&hub).agents(["Alice", "Bob"]).await;
        let chat = alice.new_group(&[&bob]).await;
        alice.say(&chat, "kept").await;
        let kept = head(&bob, &chat).await;
        let mut live = bob.listen().await;
        redis.command::<()>(&["SAVE"]);
        for n in 0..5 {
            alice.say(&chat, &format!("acknowledged and lost {n}")).await;
            live.next_event().await;
        }
        let lost = head(&bob, &chat).await;
        (Self { redis, hub, alice, bob, chat, kept, lost }, live)
    }

    /// Redis comes back as it was when it was saved.
    async fn rewind(&mut self) {
        self.redis.kill();
        self.redis.start_again().await;
    }

    /// Posts until history is as long as it was, or longer.
    async fn write_anew(&self, count: usize) {
        for n in 0..count {
            let body = json!({"chat_id": self.chat, "type": "normal", "text": format!("written anew {n}")});
            crate::support::eventually::eventually("the hub writes again", async || {
                let answer = self.alice.post_message(&body).await;
                (answer.status != 503).then(|| answer.ok())
            })
            .await;
        }
    }
}

#[tokio::test]
async fn a_history_that_was_rewritten_is_told_however_long_the_new_one_is() {
    for anew in [0, 3, 5, 9] {
        let (mut world, live) = Rewound::begin().await;
        drop(live);
        world.hub.kill();
        world.rewind().await;
        world.hub.start_again().await;
        world.write_anew(anew).await;
        let newest = head(&world.bob, &world.chat).await;
        let (mut socket, chats) = back(&world.bob, &named(&world.chat, world.lost.clone())).await;
        assert_eq!(chats[&world.chat], lost(&newest, "rewritten"), "{anew} messages were written anew");
        socket.expect_nothing_before_a_marker(&world.alice, &world.chat).await;
        let (mut socket, chats) = back(&world.bob, &named(&world.chat, world.kept.clone())).await;
        assert_eq!(chats[&world.chat]["recovered"], json!(true), "what was kept is of this history too");
        assert_eq!(socket.next_event().await["seq"], json!(world.kept.seq + 1));
    }
}

#[tokio::test]
async fn a_live_client_is_told_that_the_history_was_rewritten_under_it() {
    for anew in [0, 5, 9] {
        let (mut world, mut live) = Rewound::begin().await;
        world.rewind().await;
        world.write_anew(anew).await;
        // New events may come first only if they follow what the client saw, which they do not.
        let frame = live.expect_resync().await;
        assert_eq!(text(&frame, "chat_id"), world.chat);
        assert!(frame["seq"].as_u64().unwrap() <= world.kept.seq + anew as u64, "{frame}");
        // From the position in the frame the socket goes on without a hole.
        world.write_anew(1).await;
        let newest = head(&world.bob, &world.chat).await;
        live.events_until(|event| event["seq"] == json!(newest.seq)).await;
        assert_eq!(live.positions[&world.chat], newest);
    }
}

on_every_deployment!(
    from_any_event_on_a_client_is_sent_every_event_after_it,
    a_client_that_comes_and_goes_amid_writers_sees_everything_once,
    a_client_that_was_away_too_long_is_told_and_goes_on_from_now,
    what_is_no_cursor_of_the_chat_is_unknown,
    the_answer_lists_every_chat_in_scope_and_no_other,
    one_chat_alone_can_be_resumed,
    from_the_cursor_that_rest_gave_nothing_is_missed,
    a_deleted_chat_is_in_scope_only_when_it_is_named,
    a_chat_left_while_away_is_absent_and_one_joined_again_is_told_in_between,
);
