//! A writer: an agent who stays in some chats and says, answers, reacts and deletes there, at a steady pace.
//!
//! Writes down every call with its key and its outcome. What it deletes and reacts on is its own, so that nobody else's
//! calls decide what must be there in the end.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::dice::{Dice, hash};
use super::fleet::{API, Agent, Caller, Fleet, Settled};
use super::people::Room;
use super::phase::{Phase, Watch, sleep_until};
use super::record::{Book, Call, Deed, Line};

/// Own messages that a writer remembers, to reply, react and delete.
const REMEMBERED_MAX: usize = 32;
const EMOJI: [&str; 4] = ["👍", "🎉", "ok", "❤"];

/// A message that the writer made.
#[derive(Clone, Debug)]
struct Own {
    c: u16,
    id: Uuid,
    key: String,
    body: Value,
    /// What it put on it and did not take off.
    emoji: Option<&'static str>,
}

/// What a writer is made of.
pub struct Writer {
    fleet: Fleet,
    caller: Caller,
    rooms: Vec<Room>,
    name: String,
    book: Book,
    /// How many sends so far.
    count: u64,
    own: VecDeque<Own>,
}

impl Writer {
    /// The writer `name`, who writes in these rooms.
    #[must_use]
    pub fn new(fleet: &Fleet, agent: &Agent, seed: u64, name: &str, rooms: Vec<Room>, book: Book) -> Self {
        let caller = Caller::new(agent.clone(), Dice::of(seed, name));
        Self { fleet: fleet.clone(), caller, rooms, name: name.to_owned(), book, count: 0, own: VecDeque::new() }
    }

    /// Writes every so often until the load ends.
    ///
    /// # Errors
    /// Its part of the record could not be written.
    pub async fn run(mut self, every: Duration, mut phase: Watch) -> io::Result<()> {
        let mut beat = tokio::time::interval(every);
        beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        loop {
            beat.tick().await;
            if *phase.borrow_and_update() >= Phase::Settle {
                break;
            }
            self.deed().await;
        }
        self.caller.note(&mut self.book);
        self.book.close()
    }

    /// Writes so many messages at once and returns whether all were acknowledged.
    pub async fn say(&mut self, count: u64) -> bool {
        let mut all = true;
        for _ in 0..count {
            all &= self.send().await;
        }
        all
    }

    /// Ends the writer's part of the record.
    ///
    /// # Errors
    /// It could not be written.
    pub fn close(mut self) -> io::Result<()> {
        self.caller.note(&mut self.book);
        self.book.close()
    }

    async fn deed(&mut self) {
        match self.caller.dice.between(0, 100) {
            0..5 => self.again().await,
            5..10 => self.react().await,
            10..12 => self.unreact().await,
            12..15 => self.delete().await,
            _ => drop(self.send().await),
        }
    }

    async fn send(&mut self) -> bool {
        let place = self.caller.dice.place(self.rooms.len());
        let Some(room) = self.rooms.get(place) else { return true };
        let (c, chat) = (room.chat.c, room.chat.id);
        self.count += 1;
        let key = format!("{}-{}", self.name, self.count);
        let mut body = json!({"chat_id": chat, "type": "normal", "text": key});
        if self.caller.dice.percent(15) {
            let parents: Vec<&Own> = self.own.iter().filter(|own| own.c == c).collect();
            if let Some(parent) = self.caller.dice.pick(&parents) {
                body["parent_id"] = json!(parent.id);
            }
        }
        let path = format!("{API}/talk_messages");
        let settled = self.fleet.settle(&mut self.caller, Method::POST, &path, Some(&key), Some(&body)).await;
        let id = super::people::id(&settled.body).ok();
        self.note(&settled, c, Deed::Send, &key, id, 0);
        if let (200, Some(id)) = (settled.status, id) {
            if self.own.len() == REMEMBERED_MAX {
                self.own.pop_front();
            }
            self.own.push_back(Own { c, id, key, body, emoji: None });
        }
        settled.status == 200
    }

    /// The same words under the same key, after they were acknowledged.
    async fn again(&mut self) {
        let Some(own) = self.some(|_| true) else { return };
        let path = format!("{API}/talk_messages");
        let settled = self.fleet.settle(&mut self.caller, Method::POST, &path, Some(&own.key), Some(&own.body)).await;
        let id = super::people::id(&settled.body).ok();
        self.note(&settled, own.c, Deed::Again, &own.key, id, 0);
    }

    async fn react(&mut self) {
        let Some(own) = self.some(|own| own.emoji.is_none()) else { return };
        let emoji = self.caller.dice.pick(&EMOJI).copied().unwrap_or("ok");
        self.reaction(&own, Deed::React, Method::POST, emoji).await;
        self.remember(own.id, |own| own.emoji = Some(emoji));
    }

    async fn unreact(&mut self) {
        let Some((own, emoji)) = self.some(|own| own.emoji.is_some()).and_then(|own| Some((own.clone(), own.emoji?)))
        else {
            return;
        };
        self.reaction(&own, Deed::Unreact, Method::DELETE, emoji).await;
    }

    async fn reaction(&mut self, own: &Own, deed: Deed, method: Method, emoji: &str) {
        let path = format!("{API}/talk_messages/{}/reactions", own.id);
        let body = json!({"emoji": emoji});
        let settled = self.fleet.settle(&mut self.caller, method, &path, None, Some(&body)).await;
        self.note(&settled, own.c, deed, "", Some(own.id), hash(emoji.as_bytes()));
    }

    async fn delete(&mut self) {
        let Some(own) = self.some(|_| true) else { return };
        self.own.retain(|other| other.id != own.id);
        let path = format!("{API}/talk_messages/{}", own.id);
        let settled = self.fleet.settle(&mut self.caller, Method::DELETE, &path, None, None).await;
        self.note(&settled, own.c, Deed::Delete, "", Some(own.id), 0);
    }

    fn some(&mut self, fits: impl Fn(&Own) -> bool) -> Option<Own> {
        let fitting: Vec<&Own> = self.own.iter().filter(|own| fits(own)).collect();
        self.caller.dice.pick(&fitting).map(|own| (*own).clone())
    }

    fn remember(&mut self, id: Uuid, change: impl FnOnce(&mut Own)) {
        if let Some(own) = self.own.iter_mut().find(|own| own.id == id) {
            change(own);
        }
    }

    fn note(&mut self, settled: &Settled, c: u16, deed: Deed, key: &str, id: Option<Uuid>, f: u64) {
        let Settled { sent, done, status, tries, unsure, .. } = *settled;
        let (key, who) = (key.to_owned(), Some(self.caller.agent.id));
        self.book.note(&Line::Call(Call { t: sent, done, c, deed, key, status, tries, unsure, id, who, f }));
    }
}

/// Writes slowly into quiet chats: each message is the last before silence.
///
/// # Errors
/// Its part of the record could not be written.
pub async fn whisper(mut writer: Writer, every: Duration, mut phase: Watch) -> io::Result<()> {
    while !sleep_until(&mut phase, Phase::Settle, every).await {
        writer.send().await;
    }
    writer.close()
}
