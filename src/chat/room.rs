//! The projection of one chat: the fold of its events. Pure: no actor, no store, no clock.

use std::sync::Arc;

use crate::model::{Chat, ChatId, Event, Message, Overlay, Participant, Position, Record, Roster};
use crate::store::{Arrival, Snapshot};
use crate::wire::resources::{ChatResource, MessageResource};

use super::command::ChatView;
use super::recent::Recent;

/// How much of a chat is kept.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    pub messages_max: usize,
    pub events_max: usize,
}

/// A chat as this node knows it.
#[derive(Debug)]
pub struct Room {
    /// Shared with pages that were written: they are answered to members alone.
    chat: Arc<Chat>,
    roster: Arc<Roster>,
    head: Position,
    /// Number of the newest event that changed the chat or its roster.
    rules: u64,
    recent: Recent,
}

/// What became of an event that was handed to a room.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// It was the next one, and is part of the room now.
    Applied,
    /// It was known already.
    Known,
    /// Events between the head and this one are missing.
    Gap,
    /// The room has another event of this number: its history is not the log's.
    Rewritten,
}

impl Room {
    /// The chat as the store has it.
    #[must_use]
    pub fn from_snapshot(snapshot: Snapshot, bounds: Bounds) -> Self {
        let recent = Recent::new(snapshot.head.at, bounds.messages_max, bounds.events_max);
        Self {
            chat: Arc::new(snapshot.chat),
            roster: Arc::new(snapshot.roster),
            head: snapshot.head,
            rules: snapshot.rules,
            recent,
        }
    }

    /// The chat that begins with this record; `None` if it is not a first one.
    #[must_use]
    pub fn begin(id: ChatId, record: &Record, bounds: Bounds) -> Option<Self> {
        let Event::ChatCreated { customer, kind, name, detail, members } = &record.event else { return None };
        if record.seq != 1 {
            return None;
        }
        let mut recent = Recent::new(record.at, bounds.messages_max, bounds.events_max);
        recent.begins();
        recent.push_event(record);
        let joined = |(agent, id): &(_, _)| Participant { id: *id, agent: *agent, joined: record.at, joined_seq: 1 };
        Some(Self {
            chat: Arc::new(Chat {
                id,
                customer: *customer,
                kind: *kind,
                name: name.clone(),
                detail: detail.clone(),
                created: record.at,
                updated: record.at,
                deleted: None,
            }),
            roster: Arc::new(members.iter().map(joined).collect()),
            head: record.position(),
            rules: 1,
            recent,
        })
    }

    /// Takes an event in, if it is the next one.
    pub fn offer(&mut self, arrival: &Arrival) -> Step {
        let record = &arrival.record;
        if record.seq <= self.head.seq {
            return match self.recent.nonce(record.seq) {
                Some(nonce) if nonce != record.nonce => Step::Rewritten,
                Some(_) | None => Step::Known,
            };
        }
        if record.seq > self.head.seq + 1 {
            return Step::Gap;
        }
        if arrival.previous.is_some_and(|previous| previous != self.head.nonce) {
            return Step::Rewritten;
        }
        self.apply(record, arrival.message.as_ref());
        Step::Applied
    }

    /// Takes an event although others are missing before it. Only a hub without that safeguard does.
    pub(super) fn ignore_gap(&mut self, arrival: &Arrival) -> Step {
        self.apply(&arrival.record, arrival.message.as_ref());
        Step::Applied
    }

    fn apply(&mut self, record: &Record, changed: Option<&Message>) {
        self.head = record.position();
        if record.event.changes_rules() {
            self.rules = record.seq;
        }
        self.recent.push_event(record);
        match &record.event {
            Event::ChatCreated { .. } => {}
            Event::ChatUpdated { name, detail } => {
                let chat = Arc::make_mut(&mut self.chat);
                chat.name.clone_from(name);
                chat.detail.clone_from(detail);
                chat.updated = record.at;
            }
            Event::ChatDeleted => {
                let chat = Arc::make_mut(&mut self.chat);
                chat.updated = record.at;
                chat.deleted = Some(record.at);
            }
            Event::MessageCreated(post) => self.recent.push_message(Message {
                seq: record.seq,
                at: record.at,
                post: post.clone(),
                overlay: Overlay::default(),
                replies: 0,
            }),
            Event::MessageDeleted { .. } | Event::ReactionChanged { .. } => {
                if let Some(message) = changed {
                    self.recent.change(message);
                }
            }
            Event::ParticipantAdded { agent, participant } => Arc::make_mut(&mut self.roster).insert(Participant {
                id: *participant,
                agent: *agent,
                joined: record.at,
                joined_seq: record.seq,
            }),
            Event::ParticipantRemoved { agent, .. } => {
                Arc::make_mut(&mut self.roster).remove(*agent);
            }
        }
    }

    /// Keeps these newest events, and their messages, if they go up to the head.
    pub fn remember(&mut self, newest: &[Arrival]) {
        if newest.last().map(|arrival| arrival.record.position()) != Some(self.head) {
            return;
        }
        self.recent.replace_events(newest.iter().map(|arrival| &arrival.record));
        let is_message = |arrival: &&Arrival| matches!(arrival.record.event, Event::MessageCreated(_));
        let messages = newest.iter().rev().filter(is_message);
        let messages: Option<Vec<Message>> = messages.map(|arrival| arrival.message.clone()).collect();
        if let Some(messages) = messages {
            self.recent.learn(&messages, false);
        }
    }

    /// The message an event is about, if the room knows it.
    #[must_use]
    pub fn message_of(&self, record: &Record) -> Option<&Message> {
        let at = match &record.event {
            Event::MessageCreated(_) => record.at,
            other => other.changes_message()?,
        };
        self.recent.message(at)
    }

    #[must_use]
    pub fn chat(&self) -> &Chat {
        &self.chat
    }

    #[must_use]
    pub fn roster(&self) -> &Roster {
        &self.roster
    }

    /// The chat and its roster as they are now, to be kept beside the room.
    #[must_use]
    pub fn of_now(&self) -> (Arc<Chat>, Arc<Roster>) {
        (Arc::clone(&self.chat), Arc::clone(&self.roster))
    }

    #[must_use]
    pub fn head(&self) -> Position {
        self.head
    }

    #[must_use]
    pub fn rules(&self) -> u64 {
        self.rules
    }

    #[must_use]
    pub fn recent(&self) -> &Recent {
        &self.recent
    }

    pub fn recent_mut(&mut self) -> &mut Recent {
        &mut self.recent
    }

    /// The chat as this caller sees it.
    #[must_use]
    pub fn view(&self, agent: crate::model::AgentId) -> ChatView {
        ChatView {
            resource: ChatResource::of(&self.chat, self.roster.len(), self.head),
            kind: self.chat.kind,
            deleted: self.chat.is_deleted(),
            member: self.roster.contains(agent),
            created: self.chat.created,
            newest: self.head.at,
        }
    }

    /// A message of this chat for the wire.
    #[must_use]
    pub fn resource(&self, message: &Message) -> MessageResource {
        MessageResource::of(&self.chat, message)
    }
}
