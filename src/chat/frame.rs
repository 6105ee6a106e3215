//! An event of a chat, encoded for the wire: once, whoever hears it.

use crate::fanout::desk::{Outgoing, Turnover};
use crate::model::{Event, Message, Participant, Record};
use crate::wire::frames::{EventFrame, TextFrame, encode};
use crate::wire::resources::{ChatResource, MessageResource, ParticipantResource};
use crate::wire::{cursor, time};

use super::room::Room;

/// The event as it goes out. `message` is the message that the event is about, as it is now.
///
/// `None` when the event is about a message that is not handed in.
#[must_use]
pub fn outgoing(room: &Room, record: &Record, message: Option<&Message>) -> Option<Outgoing> {
    let chat = room.chat();
    let (resource, resource_id, text) = match &record.event {
        Event::ChatCreated { .. } | Event::ChatUpdated { .. } | Event::ChatDeleted => {
            let data = ChatResource::of(chat, room.roster().len(), record.position());
            ("chat", data.id, frame(room, record, data))
        }
        Event::MessageCreated(_) | Event::MessageDeleted { .. } | Event::ReactionChanged { .. } => {
            let data = MessageResource::of(chat, message?);
            ("chatmessage", data.id, frame(room, record, data))
        }
        Event::ParticipantAdded { agent, participant } => {
            let added = Participant { id: *participant, agent: *agent, joined: record.at, joined_seq: record.seq };
            let data = ParticipantResource::of(chat.customer, chat.id, &added);
            ("chatparticipant", data.id, frame(room, record, data))
        }
        Event::ParticipantRemoved { agent, participant, joined } => {
            let removed = Participant { id: *participant, agent: *agent, joined: *joined, joined_seq: 0 };
            let data = ParticipantResource::of(chat.customer, chat.id, &removed);
            ("chatparticipant", data.id, frame(room, record, data))
        }
    };
    Some(Outgoing {
        chat: chat.id,
        customer: chat.customer,
        seq: record.seq,
        topics: [format!("chat:{}", chat.id), format!("{resource}:{}:{resource_id}", record.event.name())],
        frame: text,
        turnover: turnover(&record.event),
        late: false,
        span: tracing::Span::none(),
    })
}

fn frame<D: serde::Serialize>(room: &Room, record: &Record, data: D) -> TextFrame {
    let chat = room.chat().id;
    encode(&EventFrame {
        r#type: record.event.name(),
        data,
        chat_id: Some(chat.0),
        seq: Some(record.seq),
        cursor: Some(cursor::write(chat.key(), record.position())),
        timestamp: time::format(record.at),
    })
}

fn turnover(event: &Event) -> Turnover {
    match event {
        Event::ChatCreated { members, .. } => Turnover::Came(members.iter().map(|(agent, _)| *agent).collect()),
        Event::ParticipantAdded { agent, .. } => Turnover::Came(vec![*agent]),
        Event::ParticipantRemoved { agent, .. } => Turnover::Went(*agent),
        Event::ChatUpdated { .. }
        | Event::ChatDeleted
        | Event::MessageCreated(_)
        | Event::MessageDeleted { .. }
        | Event::ReactionChanged { .. } => Turnover::None,
    }
}
