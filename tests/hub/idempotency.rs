//! Idempotency keys: the same call again is answered as the first time was, and is done once.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::calls::{CHATS, MESSAGES};
use crate::support::eventually::{eventually, promised};
use crate::support::redis::{RedisServer, new_prefix};
use crate::support::{Agent, Answer, Deployment, HubSettings, Hubs, TestHub, id, outage, rows, text};

async fn keyed(agent: &Agent, key: &str, path: &str, body: &Value) -> Answer {
    agent.call(Method::POST, path).header("Idempotency-Key", key).json(body).send().await
}

fn message(chat: &str, text: &str) -> Value {
    json!({"chat_id": chat, "type": "normal", "text": text})
}

async fn a_repeated_message_is_posted_once(hubs: Hubs) {
    let [alice, bob] = hubs.agents(["Alice", "Bob"]).await;
    let chat = alice.new_group(&[&bob]).await;
    let mut bobs = bob.listen().await;
    let first = keyed(&alice, "try-1", MESSAGES, &message(&chat, "once")).await.ok();
    bob.add_reaction(&id(&first), "thumbsup").await.ok();
    for _ in 0..3 {
        let again = keyed(&alice, "try-1", MESSAGES, &message(&chat, "once")).await.ok();
        assert_eq!(again, first, "the first response again, not the message as it is now");
    }
    let second = keyed(&alice, "try-2", MESSAGES, &message(&chat, "once")).await.ok();
    assert_ne!(id(&second), id(&first));
    assert_eq!(bobs.expect_event("chatmessage_created").await["data"], first);
    bobs.expect_event("chatmessage_reaction_updated").await;
    assert_eq!(bobs.expect_event("chatmessage_created").await["data"], second);
    bobs.expect_nothing_before_a_marker(&alice, &chat).await;
}

async fn a_repeated_chat_is_made_once(hubs: Hubs) {
    let [alice, bob] = hubs.agents(["Alice", "Bob"]).await;
    let mut bobs = bob.listen().await;
    for kind in ["direct", "group", "talk"] {
        let body = json!({"type": kind, "name": "Once", "participants": [bob.as_participant()]});
        let first = keyed(&alice, kind, CHATS, &body).await.ok();
        alice.update_chat(&id(&first), &json!({"name": "Renamed"})).await.ok();
        for _ in 0..3 {
            assert_eq!(keyed(&alice, kind, CHATS, &body).await.ok(), first);
        }
        assert_eq!(bobs.expect_event("chat_created").await["chat_id"], first["id"]);
        bobs.expect_event("chat_updated").await;
        bobs.expect_nothing_before_a_marker(&alice, &id(&first)).await;
    }
    assert_eq!(rows(&alice.list_chats().await.ok()).len(), 3);
}

async fn a_repeated_participant_is_the_first_one_even_after_a_removal(hubs: Hubs) {
    let [alice, bob] = hubs.agents(["Alice", "Bob"]).await;
    let chat = alice.new_group(&[]).await;
    let path = format!("{CHATS}/{chat}/participants");
    let first = keyed(&alice, "add-bob", &path, &bob.as_participant()).await.ok();
    alice.remove_participant(&chat, &id(&first)).await.ok();
    for _ in 0..3 {
        assert_eq!(keyed(&alice, "add-bob", &path, &bob.as_participant()).await.ok(), first);
    }
    assert_eq!(alice.participant(&chat, &bob).await, None, "a repeat adds nobody");
}

async fn a_repeated_join_is_the_first_one_even_after_leaving(hubs: Hubs) {
    let [alice, bob] = hubs.agents(["Alice", "Bob"]).await;
    let channel = alice.new_channel("open", &[]).await;
    let path = format!("{CHATS}/{channel}/join");
    let join = async || bob.call(Method::POST, &path).header("Idempotency-Key", "join").send().await.ok();
    let first = join().await;
    bob.remove_participant(&channel, &id(&first)).await.ok();
    assert_eq!(join().await, first);
    assert_eq!(join().await, first);
    assert_eq!(alice.participant(&channel, &bob).await, None);
}

async fn a_key_with_another_body_is_refused(hubs: Hubs) {
    let [alice] = hubs.agents(["Alice"]).await;
    let chat = alice.new_group(&[]).await;
    let first = keyed(&alice, "key", MESSAGES, &message(&chat, "one")).await.ok();
    for _ in 0..2 {
        keyed(&alice, "key", MESSAGES, &message(&chat, "two")).await.refused(409, "IDEMPOTENCY_KEY_REUSED");
    }
    assert_eq!(keyed(&alice, "key", MESSAGES, &message(&chat, "one")).await.ok(), first);

    let body = json!({"type": "group", "name": "one"});
    keyed(&alice, "chat", CHATS, &body).await.ok();
    let other = json!({"type": "group", "name": "two"});
    keyed(&alice, "chat", CHATS, &other).await.refused(409, "IDEMPOTENCY_KEY_REUSED");
    assert_eq!(alice.messages_of(&chat).await, [first]);
}

async fn each_agent_has_keys_of_ones_own(hubs: Hubs) {
    let [alice, bob] = hubs.agents(["Alice", "Bob"]).await;
    let chat = alice.new_group(&[&bob]).await;
    let alices = keyed(&alice, "the-same-key", MESSAGES, &message(&chat, "hello")).await.ok();
    let bobs = keyed(&bob, "the-same-key", MESSAGES, &message(&chat, "hello")).await.ok();
    assert_eq!((&alices["owner_id"], &bobs["owner_id"]), (&json!(alice.id), &json!(bob.id)));
    assert_eq!(alice.messages_of(&chat).await.len(), 2);
}

async fn a_key_is_one_to_128_visible_characters(hubs: Hubs) {
    let [alice] = hubs.agents(["Alice"]).await;
    let chat = alice.new_group(&[]).await;
    for key in ["k".to_owned(), "~!#$%&'*+-.^_`|{}()<>@,;:\\\"/[]?=".to_owned(), "k".repeat(128)] {
        let first = keyed(&alice, &key, MESSAGES, &message(&chat, &key)).await.ok();
        assert_eq!(keyed(&alice, &key, MESSAGES, &message(&chat, &key)).await.ok(), first);
    }
    for key in [String::new(), "k".repeat(129), "schlüssel".to_owned(), "a\tb".to_owned()] {
        let answer = keyed(&alice, &key, MESSAGES, &message(&chat, "never")).await;
        assert_eq!(answer.status, 400, "{key:?}: {answer}");
    }
    assert_eq!(alice.messages_of(&chat).await.len(), 3);
}

async fn a_repeat_is_checked_like_any_call(hubs: Hubs) {
    let customer = hubs.customer().await;
    let [alice, bob] = customer.agents(["Alice", "Bob"]).await;
    let admin = customer.admin("Admin").await;
    let chat = alice.new_group(&[&bob]).await;
    keyed(&bob, "key", MESSAGES, &message(&chat, "hello")).await.ok();
    admin.delete_agent(&bob.id).await.ok();
    keyed(&bob, "key", MESSAGES, &message(&chat, "hello")).await.refused(401, "INVALID_CREDENTIALS");
}

async fn a_repeat_of_a_deleted_message_posts_no_other(hubs: Hubs) {
    let [alice] = hubs.agents(["Alice"]).await;
    let chat = alice.new_group(&[]).await;
    let first = keyed(&alice, "key", MESSAGES, &message(&chat, "said in haste")).await.ok();
    alice.delete_message(&id(&first)).await.ok();
    let again = keyed(&alice, "key", MESSAGES, &message(&chat, "said in haste")).await.ok();
    assert_eq!(id(&again), id(&first));
    assert_eq!(alice.messages_of(&chat).await.len(), 1);
}

/// The first attempt's response was lost because the hub died: the message may or may not be there. The repeat makes
/// sure that it is, once.
async fn a_repeat_after_a_crash(deployment: Deployment) {
    let mut running = deployment.start(|settings| settings).await;
    let hubs = Hubs::new(deployment, &running);
    let [alice] = hubs.agents(["Alice"]).await;
    let chat = alice.new_group(&[]).await;
    let first = keyed(&alice, "acknowledged", MESSAGES, &message(&chat, "acknowledged")).await.ok();
    let in_flight = (0..20).map(|n| {
        let (alice, chat) = (alice.clone(), &chat);
        async move {
            let call = alice.call(Method::POST, MESSAGES).header("Idempotency-Key", &format!("lost-{n}"));
            call.json(&message(chat, &format!("lost {n}"))).try_send().await.ok();
        }
    });
    let kill = async {
        tokio::task::yield_now().await;
        running.iter_mut().for_each(|hub| hub.kill());
    };
    futures_util::future::join(futures_util::future::join_all(in_flight), kill).await;
    for hub in &mut running {
        hub.start_again().await;
    }
    assert_eq!(keyed(&alice, "acknowledged", MESSAGES, &message(&chat, "acknowledged")).await.ok(), first);
    for n in 0..20 {
        let body = message(&chat, &format!("lost {n}"));
        let repeat = keyed(&alice, &format!("lost-{n}"), MESSAGES, &body).await.ok();
        assert_eq!(keyed(&alice, &format!("lost-{n}"), MESSAGES, &body).await.ok(), repeat);
    }
    assert_eq!(alice.messages_of(&chat).await.len(), 21);
}

#[tokio::test]
async fn a_response_lost_in_a_crash_is_given_again_on_the_embedded_store() {
    a_repeat_after_a_crash(Deployment::Embedded).await;
}

#[tokio::test]
async fn a_response_lost_in_a_crash_is_given_again_on_redis() {
    a_repeat_after_a_crash(Deployment::TwoNodes).await;
}

/// The keys of a chat on a Redis, as they were at some moment.
struct Earlier<'a> {
    redis: &'a RedisServer,
    tag: String,
    keys: Vec<String>,
}

impl<'a> Earlier<'a> {
    fn of(redis: &'a RedisServer, chat: &str) -> Self {
        let all: Vec<String> = redis.command(&["KEYS", "*"]);
        let end = chat.replace('-', "").split_off(17);
        let tag = all.iter().filter_map(|key| key.split_once('{')?.1.split_once('}').map(|(tag, _)| tag));
        let tag = tag.filter(|tag| !tag.is_empty()).find(|tag| tag.ends_with(&end)).expect("the chat's tag").to_owned();
        let keys: Vec<String> = all.into_iter().filter(|key| key.contains(&tag)).collect();
        for key in &keys {
            redis.command::<()>(&["COPY", key, &format!("copy of {key}")]);
        }
        Self { redis, tag, keys }
    }

    /// The chat is as it was then, and everything else as it is: the failover of one server of several.
    fn comes_back(self) {
        let there: Vec<String> = self.redis.command(&["KEYS", &format!("*{{{}}}*", self.tag)]);
        for key in there.iter().filter(|key| !key.starts_with("copy of ")) {
            self.redis.command::<()>(&["DEL", key]);
        }
        for key in &self.keys {
            self.redis.command::<()>(&["RENAME", &format!("copy of {key}"), key]);
        }
        self.redis.command::<usize>(&["CLIENT", "KILL", "TYPE", "pubsub"]);
    }
}

#[tokio::test]
async fn a_repeat_of_what_a_failover_lost_makes_it_again_once() {
    let redis = RedisServer::start().await;
    let hub = TestHub::start(HubSettings::redis(&redis.url(), &new_prefix())).await;
    let [alice, bob] = Hubs::of(&hub).agents(["Alice", "Bob"]).await;
    let chat = alice.new_group(&[]).await;
    let path = format!("{CHATS}/{chat}/participants");
    for n in 0..3 {
        alice.say(&chat, &format!("kept {n}")).await;
    }
    let earlier = Earlier::of(&redis, &chat);
    alice.say(&chat, "lost, and nobody repeats it").await;
    let lost = keyed(&alice, "message", MESSAGES, &message(&chat, "lost")).await.ok();
    keyed(&alice, "bob", &path, &bob.as_participant()).await.ok();
    earlier.comes_back();

    let posted = keyed(&alice, "message", MESSAGES, &message(&chat, "lost")).await.ok();
    assert_ne!(id(&posted), id(&lost));
    let added = keyed(&alice, "bob", &path, &bob.as_participant()).await.ok();
    assert_eq!(alice.participant(&chat, &bob).await.as_ref(), Some(&added));
    for _ in 0..3 {
        assert_eq!(keyed(&alice, "message", MESSAGES, &message(&chat, "lost")).await.ok(), posted);
        assert_eq!(keyed(&alice, "bob", &path, &bob.as_participant()).await.ok(), added);
    }
    let texts: Vec<_> = alice.messages_of(&chat).await.iter().rev().map(|one| text(one, "text").to_owned()).collect();
    assert_eq!(
        texts,
        ["kept 0", "kept 1", "kept 2", "lost", "Bob joined the conversation."],
        "what nobody repeats stays lost, the rest is there once"
    );
    // What was taken out since then is not lost: it stays out.
    alice.remove_participant(&chat, &id(&added)).await.ok();
    assert_eq!(keyed(&alice, "bob", &path, &bob.as_participant()).await.ok(), added);
    assert_eq!(alice.participant(&chat, &bob).await, None);
}

#[tokio::test]
async fn a_call_under_a_key_is_refused_in_time_however_many_answers_of_the_store_it_takes() {
    const WAIT: Duration = Duration::from_secs(1);
    let redis = RedisServer::start().await;
    let settings = HubSettings::redis(&redis.url(), &new_prefix()).set("store.wait_ms", WAIT.as_millis());
    let hub = TestHub::start(settings).await;
    let [alice] = Hubs::of(&hub).agents(["Alice"]).await;
    let chat = alice.new_group(&[]).await;
    alice.say(&chat, "before").await;
    let frozen = outage::freeze(&redis);
    for n in 0..3 {
        let begun = Instant::now();
        let refused = keyed(&alice, &format!("key-{n}"), MESSAGES, &message(&chat, "refused")).await;
        let took = begun.elapsed();
        refused.refused(503, "SERVICE_UNAVAILABLE");
        assert!(took < promised(WAIT + Duration::from_millis(500)), "the refusal took {took:?}");
    }
    drop(frozen);
    for n in 0..3 {
        eventually("it is posted", async || {
            let again = keyed(&alice, &format!("key-{n}"), MESSAGES, &message(&chat, "refused")).await;
            (again.status != 503).then(|| again.ok())
        })
        .await;
    }
    assert_eq!(alice.messages_of(&chat).await.len(), 4, "each once");
}

on_every_deployment!(
    a_repeated_message_is_posted_once,
    a_repeated_chat_is_made_once,
    a_repeated_participant_is_the_first_one_even_after_a_removal,
    a_repeated_join_is_the_first_one_even_after_leaving,
    a_key_with_another_body_is_refused,
    each_agent_has_keys_of_ones_own,
    a_key_is_one_to_128_visible_characters,
    a_repeat_is_checked_like_any_call,
    a_repeat_of_a_deleted_message_posts_no_other,
);
