//! What a follower does where events are not to be had: reads what was said meanwhile, and shows what
//! was not shown. And how an event looks to people.

use serde_json::json;
use uuid::Uuid;

use crate::wire::resources::{ChatResource, MessageResource};

use super::chats;
use super::failure::Result;
use super::following::{Event, Follower};
use super::moments;
use super::reading::messages_of;
use super::standing::State;
use super::telling::{Tag, reactions};

/// Messages of a chat that are read to catch up.
const CATCH_UP_MAX: usize = 10_000;

/// How far back to read.
enum Until {
    /// The number of the newest event that was shown, of the same history.
    Seq(u64),
    /// The moment of what was shown last; the history is another one.
    Moment(String),
}

impl Until {
    fn is_reached_by(&self, message: &MessageResource) -> bool {
        match self {
            Self::Seq(seq) => message.seq <= *seq,
            Self::Moment(moment) => message.tm_create <= *moment,
        }
    }
}

impl Follower<'_> {
    /// Reads what was said in a chat since it was heard last, and goes on from `state`.
    pub(super) async fn catch_up(&mut self, chat: Uuid, state: &State) -> Result<()> {
        let reason = state.reason.as_deref().unwrap_or("trimmed");
        let until = match self.standings.of(chat) {
            Some(standing) if reason == "trimmed" => Until::Seq(standing.seq),
            Some(standing) => Until::Moment(standing.floor.clone()),
            None => return self.arrive(chat, state).await,
        };
        if self.json {
            let (seq, cursor) = (state.seq, &state.cursor);
            self.screen
                .json(&json!({"type": "resync", "chat_id": chat, "reason": reason, "seq": seq, "cursor": cursor}))?;
        } else if reason != "trimmed" {
            let title = self.title(chat).await;
            let text = format!("{title}: the hub lost a part of its history; what was shown last may be gone");
            self.teller.news(&moments::now(), &text, None)?;
        }
        self.read_until(chat, state, &until).await
    }

    /// A chat that one came into while nothing was heard: what was said since one is in it.
    pub(super) async fn arrive(&mut self, chat: Uuid, state: &State) -> Result<()> {
        let members = chats::members(self.client, chat).await?;
        let own = members.iter().find(|member| member.owner_id == self.people.me.id);
        let joined = own.map_or_else(|| self.began.clone(), |own| own.tm_joined.clone());
        if !self.json {
            let title = self.title(chat).await;
            self.teller.news(&joined, &format!("you are in {title} now"), None)?;
        }
        self.read_until(chat, state, &Until::Moment(joined)).await
    }

    async fn read_until(&mut self, chat: Uuid, state: &State, until: &Until) -> Result<()> {
        let mut missed: Vec<MessageResource> = Vec::new();
        let mut whole = false;
        let client = self.client;
        client
            .pages(&messages_of(chat), "", async |page: Vec<MessageResource>| {
                for message in page {
                    if until.is_reached_by(&message) || self.standings.was_shown(message.id) {
                        whole = true;
                        return Ok(false);
                    }
                    // What is newer comes as an event.
                    if message.seq <= state.seq {
                        missed.push(message);
                    }
                }
                Ok(missed.len() < CATCH_UP_MAX)
            })
            .await?;
        if !whole && missed.len() >= CATCH_UP_MAX {
            let title = self.title(chat).await;
            super::screen::note(&format!("{title}: more was said meanwhile than is shown; history has it"));
        }
        for message in missed.iter().rev() {
            self.show_message(message).await?;
        }
        let floor = missed.first().map(|newest| newest.tm_create.clone());
        // Where one arrives and nothing was said yet, from when one came.
        let floor = floor.or_else(|| match until {
            Until::Moment(moment) if self.standings.of(chat).is_none() => Some(moment.clone()),
            _ => None,
        });
        self.standings.stand(chat, state.seq, state.cursor.clone(), floor);
        Ok(())
    }

    /// Shows an event to people. That others come and go is said by the messages of the hub itself.
    pub(super) async fn tell(&mut self, event: &Event, message: Option<&MessageResource>) -> Result<()> {
        let Some(chat) = event.chat_id else { return Ok(()) };
        let title = self.title_unless_alone(chat).await;
        let tag = title.as_ref().map(|title| Tag { chat, title });
        let own = event.data["owner_id"].as_str() == Some(self.people.me.id.to_string().as_str());
        let what = match (event.kind.as_str(), message) {
            ("chatmessage_created", Some(message)) => return self.teller.message(message, tag.as_ref()).await,
            ("chatmessage_deleted", Some(message)) => {
                let author = self.people.name(message.owner_id).await;
                format!("{author} deleted a message of {}", moments::clock(&message.tm_create))
            }
            ("chatmessage_reaction_updated", Some(message)) => {
                let (quote, reactions) = (self.teller.quote(message.id).await, reactions(message));
                let now = if reactions.is_empty() { "no reactions" } else { reactions.as_str() };
                format!("{now} to {quote}")
            }
            ("chat_created", _) => format!("{} begins", self.title(chat).await),
            ("chat_updated", _) => {
                let before = self.title(chat).await;
                self.titles.remove(&chat);
                let now = serde_json::from_value::<ChatResource>(event.data.clone()).map(|chat| chats::named(&chat));
                format!("{before} is {} now", now.unwrap_or_default())
            }
            ("chat_deleted", _) => format!("{} was deleted", self.title(chat).await),
            ("chatparticipant_added", _) if own => format!("you are in {} now", self.title(chat).await),
            ("chatparticipant_removed", _) if own => format!("you are not in {} any more", self.title(chat).await),
            _ => return Ok(()),
        };
        self.teller.news(&event.timestamp, &what, tag.as_ref())
    }
}
