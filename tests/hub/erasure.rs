//! A deleted message is gone: its text, its attachments and the reactions to it are in no answer, no event, no replay,
//! and nowhere in what the store keeps. Each search is first shown to find them while they are alive.

use std::collections::HashMap;
use std::path::Path;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::calls::MESSAGES;
use crate::support::redis::{RedisServer, new_prefix};
use crate::support::socket::Position;
use crate::support::{Agent, HubSettings, Hubs, TestHub, id, random_id, rows, text};

/// Words that exist once in the world: one for each place of a message that a deletion empties.
struct Words {
    text: String,
    link: String,
    address: String,
    emoji: String,
}

impl Words {
    fn new() -> Self {
        let word = |place: &str| format!("{place}-{}", random_id().replace('-', ""));
        Self { text: word("text"), link: word("link"), address: word("address"), emoji: word("emoji") }
    }

    fn all(&self) -> [&str; 4] {
        [&self.text, &self.link, &self.address, &self.emoji]
    }

    /// Those of the words that are in `bytes`.
    fn found_in(&self, bytes: &[u8]) -> Vec<&str> {
        self.all().into_iter().filter(|word| contains(bytes, word.as_bytes())).collect()
    }
}

/// Whether the first byte of `word` begins it somewhere; a plain search would take long over a large dump.
fn contains(bytes: &[u8], word: &[u8]) -> bool {
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|byte| *byte == word[0]) {
        if rest[at..].starts_with(word) {
            return true;
        }
        rest = &rest[at + 1..];
    }
    false
}

/// A chat in which a message with all the words was said, answered and reacted to, among others that stay.
struct Scene {
    alice: Agent,
    bob: Agent,
    chat: String,
    start: Position,
    message: String,
}

impl Scene {
    async fn set(hubs: &Hubs, words: &Words) -> Self {
        let [alice, bob] = hubs.agents(["Alice", "Bob"]).await;
        let chat = alice.new_group(&[&bob]).await;
        let shown = alice.get_chat(&chat).await.ok();
        let start = Position { seq: 1, cursor: text(&shown, "cursor").to_owned() };
        let around = async || {
            for n in 0..20 {
                bob.say(&chat, &format!("around it, {n}")).await;
            }
        };
        around().await;
        let body = json!({
            "chat_id": chat,
            "type": "normal",
            "text": words.text,
            "medias": [
                {"type": "link", "link_url": format!("https://example.test/{}", words.link)},
                {"type": "address", "address": {"type": "tel", "target": words.address, "name": words.address}},
            ],
        });
        // With a key, so that the first response is remembered too.
        let post = alice.call(Method::POST, MESSAGES).header("Idempotency-Key", &random_id()).json(&body);
        let message = id(&post.send().await.ok());
        bob.add_reaction(&message, &words.emoji).await.ok();
        bob.add_reaction(&message, "stays-nowhere").await.ok();
        bob.reply(&chat, &message, "a reply that stays").await;
        around().await;
        // One that comes and goes before.
        alice.add_reaction(&message, &words.emoji).await.ok();
        alice.remove_reaction(&message, &words.emoji).await.ok();
        Self { alice, bob, chat, start, message }
    }

    /// Every answer and every event in which the message appears, as text.
    async fn told(&self) -> String {
        let mut told = String::new();
        for reader in [&self.alice, &self.bob] {
            let mut answers: Vec<Value> = reader.messages_of(&self.chat).await;
            answers.push(reader.get_message(&self.message).await.ok());
            answers.push(reader.list_messages(&[]).await.ok());
            answers.push(reader.list_messages(&[("chat_id", &self.chat), ("order", "asc")]).await.ok());
            let replies = [("chat_id", self.chat.as_str()), ("parent_id", self.message.as_str())];
            answers.push(reader.list_messages(&replies).await.ok());
            answers.push(reader.get_chat(&self.chat).await.ok());
            answers.push(reader.list_chats().await.ok());
            answers.iter().for_each(|answer| told.push_str(&answer.to_string()));

            let mut socket = reader.socket().await;
            let since = HashMap::from([(self.chat.clone(), self.start.clone())]);
            let answer = socket.subscribe_since(&[&reader.topic()], &since).await;
            assert_eq!(answer["chats"][&self.chat]["recovered"], json!(true), "{answer}");
            let newest = answer["chats"][&self.chat]["seq"].clone();
            let replay = socket.events_until(|event| event["seq"] == newest).await;
            replay.iter().for_each(|event| told.push_str(&event.to_string()));
        }
        told
    }

    async fn delete(&self) {
        let tombstone = self.alice.delete_message(&self.message).await.ok();
        assert_eq!(tombstone["text"], json!(""));
        assert_eq!((&tombstone["medias"], &tombstone["metadata"]), (&json!([]), &json!({"reactions": []})));
        let replies = self.bob.list_messages(&[("chat_id", &self.chat), ("parent_id", &self.message)]).await.ok();
        assert_eq!(rows(&replies).len(), 1, "the thread stays");
    }
}

async fn a_deleted_message_is_in_no_answer_and_no_event(hubs: Hubs) {
    let words = Words::new();
    let scene = Scene::set(&hubs, &words).await;
    assert_eq!(words.found_in(scene.told().await.as_bytes()), words.all(), "alive, it is told");
    scene.delete().await;
    assert_eq!(words.found_in(scene.told().await.as_bytes()), [""; 0]);
}

on_every_deployment!(a_deleted_message_is_in_no_answer_and_no_event);

/// All that this Redis would write to disk, and what it says of each key.
fn all_of(redis: &RedisServer) -> Vec<u8> {
    // Uncompressed, or a search proves nothing.
    redis.command::<()>(&["CONFIG", "SET", "rdbcompression", "no"]);
    redis.command::<()>(&["SAVE"]);
    let mut bytes = std::fs::read(redis.dir().join("dump.rdb")).expect("the dump");
    let mut cursor = "0".to_owned();
    loop {
        let (next, keys): (String, Vec<String>) = redis.command(&["SCAN", &cursor, "COUNT", "1000"]);
        for key in keys {
            bytes.extend_from_slice(key.as_bytes());
            bytes.extend(redis.command::<Option<Vec<u8>>>(&["DUMP", &key]).unwrap_or_default());
        }
        if next == "0" {
            return bytes;
        }
        cursor = next;
    }
}

#[tokio::test]
async fn a_deleted_message_is_nowhere_in_redis() {
    let redis = RedisServer::start().await;
    let hub = TestHub::start(HubSettings::redis(&redis.url(), &new_prefix())).await;
    let words = Words::new();
    let scene = Scene::set(&Hubs::of(&hub), &words).await;
    assert_eq!(words.found_in(&all_of(&redis)), words.all(), "alive, it is found");
    scene.delete().await;
    assert_eq!(words.found_in(&all_of(&redis)), [""; 0]);
}

/// Every file under a directory, one after the other.
fn all_under(dir: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in std::fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            bytes.extend(all_under(&path));
        } else {
            bytes.extend(std::fs::read(path).expect("a file"));
        }
    }
    bytes
}

#[tokio::test]
async fn a_deleted_message_is_nowhere_in_the_directory_of_a_hub_that_was_stopped() {
    let mut hub = TestHub::start(HubSettings::embedded().set("server.drain_secs", 0)).await;
    let words = Words::new();
    let scene = Scene::set(&Hubs::of(&hub), &words).await;
    hub.stop().await;
    assert_eq!(words.found_in(&all_under(hub.dir())), words.all(), "alive, it is found");
    hub.start_again().await;
    scene.delete().await;
    hub.stop().await;
    assert_eq!(words.found_in(&all_under(hub.dir())), [""; 0]);
    hub.start_again().await;
    assert_eq!(words.found_in(scene.told().await.as_bytes()), [""; 0]);
}

#[tokio::test]
async fn a_hub_killed_after_a_deletion_erases_the_text_at_its_next_stop() {
    let mut hub = TestHub::start(HubSettings::embedded().set("server.drain_secs", 0)).await;
    let words = Words::new();
    let scene = Scene::set(&Hubs::of(&hub), &words).await;
    scene.delete().await;
    hub.kill();
    hub.start_again().await;
    assert_eq!(words.found_in(scene.told().await.as_bytes()), [""; 0]);
    hub.stop().await;
    assert_eq!(words.found_in(&all_under(hub.dir())), [""; 0]);
}
