//! kill -9 of a hub on its own directory, amid writers, thirty times: what was acknowledged is there, once and in order.

use std::collections::HashMap;

use futures_util::future::{join, join_all};
use rand::RngExt;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::support::calls::MESSAGES;
use crate::support::luck::Luck;
use crate::support::socket::Position;
use crate::support::{Agent, HubSettings, Hubs, TestHub, id, text};

const KILLS: usize = 30;
const WRITERS: usize = 8;
const CHATS: usize = 3;

/// One writer: what it said, and which of that was acknowledged.
struct Writer {
    agent: Agent,
    number: usize,
    chat: String,
    said: usize,
    /// The acknowledged messages, in the order in which they were sent.
    acknowledged: Vec<Value>,
}

impl Writer {
    /// Half of the writers give each message a key, and may therefore send it again.
    fn has_keys(&self) -> bool {
        self.number.is_multiple_of(2)
    }

    /// Writes one message after the other until the hub is gone.
    async fn write(&mut self, acknowledged: &Semaphore) {
        while self.say().await {
            acknowledged.add_permits(1);
            self.said += 1;
        }
        // Without a key nobody can say whether it is there, and it must not be said again.
        if !self.has_keys() {
            self.said += 1;
        }
    }

    async fn say(&mut self) -> bool {
        let words = format!("writer {} says {}", self.number, self.said);
        let mut call = self.agent.call(Method::POST, MESSAGES);
        if self.has_keys() {
            call = call.header("Idempotency-Key", &words.replace(' ', "-"));
        }
        match call.json(&json!({"chat_id": self.chat, "type": "normal", "text": words})).try_send().await {
            Ok(answer) => {
                self.acknowledged.push(answer.ok());
                true
            }
            Err(_) => false,
        }
    }
}

/// All that is in a chat, oldest first, held against what each of its writers was told.
async fn check_chat(reader: &Agent, chat: &str, start: &Position, writers: &[Writer]) {
    let mut messages = reader.messages_of(chat).await;
    messages.reverse();
    assert!(messages.is_sorted_by(|a, b| text(a, "tm_create") < text(b, "tm_create")), "one order");
    assert!(messages.is_sorted_by(|a, b| a["seq"].as_u64() < b["seq"].as_u64()), "and the same by number");

    let mut places: HashMap<&str, usize> = HashMap::new();
    for (place, message) in messages.iter().enumerate() {
        assert_eq!(places.insert(text(message, "text"), place), None, "it is there once: {message}");
    }
    for writer in writers.iter().filter(|writer| writer.chat == chat) {
        let mut before = None;
        for message in &writer.acknowledged {
            let place = places.get(text(message, "text")).copied();
            let place = place.unwrap_or_else(|| panic!("it was acknowledged and is gone: {message}"));
            assert_eq!(messages[place], *message, "as it was acknowledged");
            assert!(before < Some(place), "in the order in which it was sent: {message}");
            before = Some(place);
        }
        if writer.has_keys() {
            let own = format!("writer {} ", writer.number);
            let there = messages.iter().filter(|message| text(message, "text").starts_with(&own)).count();
            assert!((writer.said..=writer.said + 1).contains(&there), "{there} of {} with keys", writer.said);
        }
    }

    // The log tells the same story, without a hole: the socket checks each number.
    let mut socket = reader.socket().await;
    let since = HashMap::from([(chat.to_owned(), start.clone())]);
    let answer = socket.subscribe_since(&[&reader.chat_topic(chat)], &since).await;
    assert_eq!(answer["chats"][chat]["recovered"], json!(true), "{answer}");
    for message in &messages {
        assert_eq!(socket.expect_event("chatmessage_created").await["data"], *message);
    }
}

#[tokio::test]
async fn killed_thirty_times_amid_writers_the_hub_has_all_it_acknowledged_once_and_in_order() {
    let luck = Luck::new();
    let mut chance = luck.of(0);
    let mut hub = TestHub::start(HubSettings::embedded().set("limits.resume_events_max", 1_000_000)).await;
    let hubs = Hubs::of(&hub);
    let [alice, bob] = hubs.agents(["Alice", "Bob"]).await;
    let mut chats = Vec::new();
    for _ in 0..CHATS {
        let chat = alice.new_group(&[&bob]).await;
        let shown = alice.get_chat(&chat).await.ok();
        chats.push((id(&shown), Position { seq: 1, cursor: text(&shown, "cursor").to_owned() }));
    }
    let new_writer = |number: usize| Writer {
        agent: if number % 4 < 2 { alice.clone() } else { bob.clone() },
        number,
        chat: chats[number % CHATS].0.clone(),
        said: 0,
        acknowledged: Vec::new(),
    };
    let mut writers: Vec<_> = (0..WRITERS).map(new_writer).collect();
    for _ in 0..KILLS {
        let acknowledged = Semaphore::new(0);
        let enough = chance.random_range(1..60);
        let kill = async {
            // Right after some acknowledgement, while all the others are under way.
            acknowledged.acquire_many(enough).await.expect("the writers write").forget();
            hub.kill();
        };
        join(join_all(writers.iter_mut().map(|writer| writer.write(&acknowledged))), kill).await;
        hub.start_again().await;
    }
    // The last of those with a key: under way at the last kill, and now sent for sure.
    for writer in writers.iter_mut().filter(|writer| writer.has_keys()) {
        assert!(writer.say().await);
        writer.said += 1;
    }
    for (chat, start) in &chats {
        check_chat(&bob, chat, start, &writers).await;
    }
    let total: usize = writers.iter().map(|writer| writer.acknowledged.len()).sum();
    eprintln!("{KILLS} kills, {total} acknowledged messages, none lost");
}
