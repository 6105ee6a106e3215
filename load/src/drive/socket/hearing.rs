//! What a socket makes of what it hears: answers to its subscription, and events, each of which is judged.

use std::collections::HashMap;

use serde::Deserialize;

use super::super::follow::{Follow, Heard};
use super::super::hall::Hall;
use super::{Over, Socket, Tools};
use crate::client::event::{Event, Said};
use crate::client::handshake;
use crate::gauge::tally::{Span, Tally};

#[derive(Deserialize)]
struct Subscribed<'a> {
    #[serde(borrow, default)]
    chats: HashMap<&'a str, Head<'a>>,
}

#[derive(Deserialize)]
struct Head<'a> {
    seq: u64,
    #[serde(borrow)]
    cursor: &'a str,
    recovered: bool,
    #[serde(borrow, default)]
    reason: Option<&'a str>,
}

impl Socket {
    /// The answer to a subscription says where each chat stands.
    pub(super) fn subscribed(&mut self, payload: &[u8], hall: &Hall) -> Result<(), Over> {
        let Ok(answer) = serde_json::from_slice::<Subscribed<'_>>(payload) else {
            hall.violations.add(|| format!("{} was told what makes no sense on subscribing", self.name(hall)));
            return Err(Over::new("the answer to its subscription makes no sense"));
        };
        let name = self.name(hall);
        let first = self.follows.is_empty();
        let mut follows = std::mem::take(&mut self.follows);
        if first {
            let agent = hall.agents.get(self.agent as usize);
            let chats = agent.map_or(&[][..], |agent| &agent.chats);
            follows = chats.iter().map(|chat| Follow::after(*chat, 0, b"")).collect();
        }
        self.behind = 0;
        for follow in &mut follows {
            let id = hall.chats.get(follow.chat as usize).map_or("", |chat| chat.id());
            let Some(head) = answer.chats.get(id) else {
                hall.violations.add(|| format!("{name} is not told of its chat {id} on subscribing"));
                continue;
            };
            if first {
                *follow = Follow::after(follow.chat, head.seq, head.cursor.as_bytes());
                continue;
            }
            if !head.recovered || head.seq < follow.last() {
                let (reason, last) = (head.reason.unwrap_or("no reason"), follow.last());
                hall.violations.add(|| {
                    format!("{name} cannot resume chat {id} after {last}: {reason}, the newest is {}", head.seq)
                });
                *follow = Follow::after(follow.chat, head.seq, head.cursor.as_bytes());
            }
            self.behind += u32::from(follow.resume(head.seq));
        }
        self.follows = follows;
        Ok(())
    }

    pub(super) fn text(&mut self, payload: &[u8], now: u64, hall: &Hall, tools: &mut Tools, tally: &mut Tally) {
        let json = handshake::event_in(hall.dialect, payload);
        match tools.finders.look(json) {
            Said::Event(event) => self.event(&event, now, hall, tools, tally),
            Said::Other => match handshake::sign_of_life(hall.dialect, payload) {
                Some(sign) => self.out.extend_from_slice(&sign),
                None if json.starts_with(br#"{"type":"resync""#) || json.starts_with(br#"{"type":"error""#) => {
                    let words = String::from_utf8_lossy(json);
                    hall.violations.add(|| format!("{} was told {words}", self.name(hall)));
                }
                None => {}
            },
        }
    }

    fn event(&mut self, event: &Event<'_>, now: u64, hall: &Hall, tools: &mut Tools, tally: &mut Tally) {
        let Some(chat) = self.place_of(event, hall) else { return };
        let Some(follow) = self.follows.get_mut(self.hit) else { return };
        tally.counts.delivered += 1;
        let live = follow.is_live(event.seq);
        match follow.hear(event.seq, event.cursor) {
            Heard::Next => {}
            Heard::CaughtUp => self.behind = self.behind.saturating_sub(1),
            Heard::Again => {
                let last = follow.last();
                hall.violations.add(|| {
                    format!(
                        "{} was sent event {} of {} after {last}",
                        self.name(hall),
                        event.seq,
                        chat_name(hall, chat)
                    )
                });
                return;
            }
            Heard::Hole(from, to) => {
                // Whoever waits for what is left out would wait for ever.
                self.behind = self.follows.iter().filter(|follow| follow.is_behind()).count() as u32;
                hall.violations.add(|| {
                    let (name, chat) = (self.name(hall), chat_name(hall, chat));
                    format!("{name} missed events {from} to {} of {chat}", to - 1)
                });
            }
        }
        let Some(stamp) = event.stamp else { return };
        if tools.wanted {
            tools.heard.push((chat, event.seq));
        }
        if live {
            let span = if u32::from(stamp.node) == self.node { Span::Delivery } else { Span::Across };
            tally.took(span, now.saturating_sub(stamp.micros));
        }
    }

    /// The chat of an event, which is then the one that was hit; `None` when it is not followed.
    fn place_of(&mut self, event: &Event<'_>, hall: &Hall) -> Option<u32> {
        let hit = self.follows.get(self.hit).map(|follow| follow.chat);
        if let Some(chat) = hit.filter(|chat| hall.chats.get(*chat as usize).is_some_and(|chat| chat.id == *event.chat))
        {
            return Some(chat);
        }
        let chat = *hall.by_id.get(event.chat)?;
        let Ok(hit) = self.follows.binary_search_by_key(&chat, |follow| follow.chat) else {
            hall.violations.add(|| {
                let (name, chat) = (self.name(hall), chat_name(hall, chat));
                format!("{name} was sent event {} of {chat}, of which its agent is no member", event.seq)
            });
            return None;
        };
        self.hit = hit;
        Some(chat)
    }
}

/// How a chat is called in what is said about it.
#[must_use]
pub(in crate::drive) fn chat_name(hall: &Hall, chat: u32) -> String {
    hall.chats.get(chat as usize).map_or_else(String::new, |chat| format!("chat {}", chat.id()))
}

/// Where a chat goes on, as a member of `since`.
pub(super) fn since(hall: &Hall, follow: &Follow) -> Option<String> {
    let chat = hall.chats.get(follow.chat as usize)?;
    Some(format!("\"{}\":\"{}\"", chat.id(), std::str::from_utf8(follow.cursor()).ok()?))
}

#[cfg(test)]
mod tests;
