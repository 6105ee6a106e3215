//! `follow`: every event once and in order, over every loss of the connection, for as long as somebody
//! reads.
//!
//! A chat is followed from a cursor. When the connection is lost, for whatever reason, a new one
//! resumes from the cursors of the last events that were shown. Where the hub cannot resume, the
//! messages in between are read, see [`super::catching_up`].

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::wire::resources::{ChatResource, MessageResource};

use super::account::Account;
use super::arguments::Follow;
use super::calling::{BASE, Client, backoff};
use super::chats::{self, Among};
use super::clean;
use super::failure::{Failure, Result};
use super::live::{Ended, Live, refused, understood};
use super::moments;
use super::people::People;
use super::reading::{messages_of, newest, newest_moment};
use super::renewing;
use super::screen::{self, Screen, note};
use super::standing::{Standings, State};
use super::telling::{Tag, Teller};

/// Chats that can be named: as many as a connection may hold topics.
const NAMED_MAX: usize = 100;
/// A connection that held so long was a good one; the next loss is tried again soon.
const STEADY: Duration = Duration::from_secs(10);
/// Titles of chats that are kept.
const TITLES_MAX: usize = 10_000;
/// The name of the one question that is asked on a connection.
const QUESTION: &str = "follow";

/// An event.
#[derive(Deserialize)]
pub(super) struct Event {
    #[serde(rename = "type")]
    pub(super) kind: String,
    #[serde(default)]
    pub(super) data: Value,
    pub(super) chat_id: Option<Uuid>,
    #[serde(default)]
    pub(super) seq: u64,
    #[serde(default)]
    pub(super) cursor: String,
    #[serde(default)]
    pub(super) timestamp: String,
}

/// Who follows.
pub(super) struct Follower<'a> {
    pub(super) client: &'a Client,
    pub(super) people: &'a People<'a>,
    pub(super) screen: &'a Screen,
    pub(super) teller: Teller<'a>,
    pub(super) standings: Standings,
    pub(super) json: bool,
    /// The chats that were named; `None`: all.
    named: Option<Vec<Uuid>>,
    /// When one began, by the hub's clock: what is newer was said since.
    pub(super) began: String,
    pub(super) titles: HashMap<Uuid, String>,
}

/// Follows until Ctrl-C, or until nobody reads any more.
///
/// # Errors
/// Chats that are not there, or a credential that ended; before the first connection also what a call
/// meets. A hub that is away afterwards is waited for.
///
/// The token of a `kept` account is renewed meanwhile.
pub(super) async fn follow(client: &Client, screen: &Screen, asked: &Follow, kept: Option<Account>) -> Result<()> {
    let unread = screen::unread();
    tokio::select! {
        ended = followed(client, screen, asked) => ended,
        never = renewing::stay_signed_in(client, kept) => match never {},
        _ = unread => Ok(()),
        _ = tokio::signal::ctrl_c() => Ok(()),
    }
}

async fn followed(client: &Client, screen: &Screen, asked: &Follow) -> Result<()> {
    if asked.chats.len() > NAMED_MAX {
        return Err(Failure::Usage(format!("at most {NAMED_MAX} chats can be named; without any, all are followed")));
    }
    let people = People::of(client).await?;
    // Before the chats are read: nothing falls in between.
    let began = newest_moment(client).await?;
    let mut chats: Vec<ChatResource> = Vec::new();
    for typed in &asked.chats {
        let found = chats::find(client, &people, typed, Among::Own).await?;
        if chats.iter().all(|chat| chat.id != found.id) {
            chats.push(found);
        }
    }
    let named = (!chats.is_empty()).then(|| chats.iter().map(|chat| chat.id).collect());
    if chats.is_empty() {
        chats = chats::own(client).await?;
    }
    let count = if named.is_some() { asked.count as usize } else { 0 };
    let mut follower = Follower {
        client,
        people: &people,
        screen,
        teller: Teller::new(client, &people, screen, asked.ids),
        standings: Standings::default(),
        json: asked.json,
        named,
        began,
        titles: HashMap::new(),
    };
    for chat in chats {
        follower.begin(chat, count).await?;
    }
    follower.for_good().await
}

impl Follower<'_> {
    /// Begins with a chat: its last messages, and from where it is followed.
    async fn begin(&mut self, chat: ChatResource, count: usize) -> Result<()> {
        if count > 0 {
            let messages = newest(self.client, &messages_of(chat.id), count).await?;
            // The chat was read first: what is newer than that comes as an event.
            for message in messages.iter().filter(|message| message.seq <= chat.seq) {
                self.show_message(message).await?;
            }
        }
        self.standings.stand(chat.id, chat.seq, chat.cursor, Some(self.began.clone()));
        Ok(())
    }

    async fn for_good(&mut self) -> Result<()> {
        let mut attempts = 0;
        let mut lost = false;
        loop {
            let began = Instant::now();
            let credential = self.client.credential();
            let why = match self.connection(&mut lost).await {
                Ended::ForGood(failure) => return Err(failure),
                Ended::Again(why) => why,
                Ended::Credential if self.client.credential() != credential => String::from("the token was renewed"),
                Ended::Credential => {
                    let text = "the token has expired or was revoked; talk-hub chat sign-in";
                    return Err(Failure::Refused(String::from(text)));
                }
            };
            if !lost {
                note(&format!("connection lost: {why}; coming back"));
                lost = true;
            }
            if began.elapsed() > STEADY {
                attempts = 0;
            }
            tokio::time::sleep(backoff(attempts)).await;
            attempts += 1;
        }
    }

    /// Follows over one connection, to its end.
    async fn connection(&mut self, lost: &mut bool) -> Ended {
        match self.followed_over(lost).await {
            Ok(never) => match never {},
            Err(ended) => ended,
        }
    }

    async fn followed_over(&mut self, lost: &mut bool) -> std::result::Result<std::convert::Infallible, Ended> {
        let mut live = Live::open(self.client).await?;
        let me = self.people.me.id;
        let topics: Vec<String> = match &self.named {
            Some(chats) => chats.iter().map(|chat| format!("agent_id:{me}:chat:{chat}")).collect(),
            None => vec![format!("agent_id:{me}")],
        };
        let since = self.standings.since();
        live.say(&json!({"type": "subscribe", "id": QUESTION, "topics": topics, "since": since})).await?;
        loop {
            let text = live.next().await?;
            let frame: Value = understood(&text)?;
            match (frame["type"].as_str(), frame["id"].as_str()) {
                (Some("subscribed"), Some(QUESTION)) => {
                    live.meanwhile(self.settle(&frame, &since)).await?;
                    break;
                }
                (Some("error"), _) => return Err(refused(&frame)),
                _ => live.meanwhile(self.take(&text)).await?,
            }
        }
        if std::mem::take(lost) {
            note("connected again");
        }
        loop {
            let text = live.next().await?;
            live.meanwhile(self.take(&text)).await?;
        }
    }

    /// Takes in what the hub says of each chat: whether its events follow, or are to be read.
    async fn settle(&mut self, answer: &Value, since: &BTreeMap<Uuid, String>) -> std::result::Result<(), Ended> {
        let chats: BTreeMap<Uuid, State> = understood(&answer["chats"].to_string())?;
        for (chat, state) in &chats {
            match self.standings.of(*chat) {
                None => self.arrive(*chat, state).await?,
                Some(_) if since.contains_key(chat) && state.recovered => {}
                Some(standing) if state.recovered && standing.seq == state.seq => {}
                Some(_) => self.catch_up(*chat, state).await?,
            }
        }
        for chat in self.standings.chats() {
            if !chats.contains_key(&chat) {
                self.leave(chat, &moments::now(), "you are not a member").await?;
            }
        }
        if self.named.is_some() && self.standings.chats().is_empty() {
            return Err(Ended::ForGood(Failure::Refused(String::from("you are in none of these chats"))));
        }
        Ok(())
    }

    /// Takes in a frame.
    async fn take(&mut self, text: &str) -> std::result::Result<(), Ended> {
        let event: Event = understood(text)?;
        let Some(chat) = event.chat_id else {
            // News of no chat, such as somebody's status, is for scripts.
            if self.json && event.kind != "subscribed" {
                self.screen.line(&clean::json(text))?;
            }
            return Ok(());
        };
        if event.kind == "resync" {
            let state: State = understood(text)?;
            return Ok(self.catch_up(chat, &state).await?);
        }
        if let Some(standing) = self.standings.of(chat) {
            if event.seq <= standing.seq {
                return Ok(());
            }
            if event.seq != standing.seq + 1 {
                return Err(Ended::Again(format!("event {} came after {}", event.seq, standing.seq)));
            }
        }
        self.show(&event, text).await?;
        let said = event.kind == "chatmessage_created" || self.standings.of(chat).is_none();
        self.standings.stand(chat, event.seq, event.cursor.clone(), said.then(|| event.timestamp.clone()));
        let own = event.data["owner_id"].as_str() == Some(self.people.me.id.to_string().as_str());
        if event.kind == "chat_deleted" || (event.kind == "chatparticipant_removed" && own) {
            self.standings.leave(chat);
        }
        Ok(())
    }

    /// Shows an event, unless it is a message that was shown.
    async fn show(&mut self, event: &Event, text: &str) -> Result<()> {
        let message = event.kind.starts_with("chatmessage_").then(|| serde_json::from_value(event.data.clone()).ok());
        let message: Option<MessageResource> = message.flatten();
        let said = message.as_ref().filter(|_| event.kind == "chatmessage_created").map(|message| message.id);
        if said.is_some_and(|id| self.standings.was_shown(id)) {
            return Ok(());
        }
        if self.json {
            self.screen.line(&clean::json(text))?;
        } else {
            self.tell(event, message.as_ref()).await?;
        }
        // Only now: what could not be written was not shown.
        said.into_iter().for_each(|id| self.standings.show(id));
        Ok(())
    }

    /// Shows a message that was read, not heard.
    pub(super) async fn show_message(&mut self, message: &MessageResource) -> Result<()> {
        if self.standings.was_shown(message.id) {
            return Ok(());
        }
        if self.json {
            let at = &message.tm_create;
            self.screen.json(&json!({"type": "chatmessage_created", "data": message, "chat_id": message.chat_id,
                "seq": message.seq, "timestamp": at, "fetched": true}))?;
        } else {
            let title = self.title_unless_alone(message.chat_id).await;
            let tag = title.as_ref().map(|title| Tag { chat: message.chat_id, title });
            self.teller.message(message, tag.as_ref()).await?;
        }
        self.standings.show(message.id);
        Ok(())
    }

    /// The chat is not one's own any more.
    pub(super) async fn leave(&mut self, chat: Uuid, at: &str, why: &str) -> Result<()> {
        self.standings.leave(chat);
        if self.json {
            return self.screen.json(&json!({"type": "left", "chat_id": chat}));
        }
        let title = self.title(chat).await;
        self.teller.news(at, &format!("{title}: {why}"), None)
    }

    /// What a chat is called.
    pub(super) async fn title(&mut self, chat: Uuid) -> String {
        if let Some(title) = self.titles.get(&chat) {
            return title.clone();
        }
        let Some(found) = self.client.glimpse::<ChatResource>(&format!("{BASE}/talk_chats/{chat}")).await else {
            return format!("chat {}", super::people::short(chat));
        };
        let title = chats::title(self.client, self.people, &found).await;
        if self.titles.len() < TITLES_MAX {
            self.titles.insert(chat, title.clone());
        }
        title
    }

    /// What a chat is called, where several are followed.
    pub(super) async fn title_unless_alone(&mut self, chat: Uuid) -> Option<String> {
        match &self.named {
            Some(named) if named.len() == 1 => None,
            _ => Some(self.title(chat).await),
        }
    }
}
