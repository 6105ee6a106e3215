//! Examples of frames for `/asyncapi.json`, made of the types that the hub speaks with, so that
//! none can show what it would not say. Ids and times are of one short story: a group of Alice and
//! Bob, and what Alice writes in it.

use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::model::{ChatId, EventKind, Micros, Nonce, Position};
use crate::people::AgentBody;
use crate::wire::frames::{
    AGENT_STATUS_UPDATED, AnswerFrame, ErrorFrame, EventFrame, LostReason, ResumeState, ResyncFrame,
};
use crate::wire::resources::{
    ChatResource, MediaResource, MessageResource, MetadataResource, ParticipantResource, ReactionResource,
};
use crate::wire::{ApiError, Reason, cursor, time};

const CUSTOMER: Uuid = Uuid::from_u128(0x5e4a0680_804e_11ec_8477_2fea5968d85b);
const ALICE: Uuid = Uuid::from_u128(0xeb1ac5c0_ff63_47e2_bcdb_5da9c336eb4b);
const BOB: Uuid = Uuid::from_u128(0x47fe0b7c_7333_46cf_8b23_61e14e62490a);
const CHAT: Uuid = Uuid::from_u128(0xe8b2e976_f043_44c8_bb89_e214e225e813);
const MESSAGE: Uuid = Uuid::from_u128(0xa3c5e8f2_4d3a_8b5c_9e7f_1a2b3c4d5e6f);
const PARTICIPANT: Uuid = Uuid::from_u128(0xf4d6e9b3_5c4a_4d5e_9f8a_2b3c4d5e6f70);
/// 2024-01-17 10:30:00, as the specification's samples begin.
const BEGIN: u64 = 1_705_487_400_000_000;
const MINUTE: u64 = 60_000_000;

/// Examples of the message of this name, in AsyncAPI's form. Empty for a name that is none.
pub(super) fn of(name: &str) -> Value {
    let topic = format!("agent_id:{BOB}");
    let named = |name: &str, payload: Value| json!({"name": name, "payload": payload});
    match name {
        "subscribe" => json!([
            named("VoIPBIN", json!({"type": "subscribe", "topics": [topic]})),
            named(
                "resume",
                json!({"type": "subscribe", "topics": [topic], "id": "1",
                "since": {CHAT.to_string(): place(6).1}})
            ),
        ]),
        "unsubscribe" => json!([named("answered", json!({"type": "unsubscribe", "topics": [topic], "id": "2"}))]),
        _ => {
            let frames = answer(name, &topic).into_iter().chain(event(name));
            frames.map(|(name, payload)| named(name, payload)).collect()
        }
    }
}

fn answer(name: &str, topic: &str) -> Vec<(&'static str, Value)> {
    let topics = vec![topic.to_owned()];
    let state = |seq, lost| ResumeState::new(ChatId(CHAT).key(), position(seq), lost);
    match name {
        "subscribed" => {
            let answered = |id: &str, chats| {
                let id = Some(id.to_owned());
                written(&AnswerFrame { r#type: "subscribed", id, topics: topics.clone(), chats })
            };
            vec![
                ("without since", answered("1", None)),
                ("recovered", answered("1", Some([(CHAT, state(9, None))].into()))),
                ("not recovered", answered("1", Some([(CHAT, state(9, Some(LostReason::Trimmed)))].into()))),
            ]
        }
        "unsubscribed" => {
            let id = Some("2".to_owned());
            vec![("answered", written(&AnswerFrame { r#type: "unsubscribed", id, topics: Vec::new(), chats: None }))]
        }
        "error" => {
            let error = ApiError::new(Reason::PermissionDenied, "this topic is not yours to hear");
            let request = "req_7GQ2ZJ5KX4TQ6M3WY2VDBN5ACE";
            vec![("a topic of somebody else", written(&ErrorFrame::new(Some("1".to_owned()), &error, request)))]
        }
        "resync" => {
            let (seq, cursor, _) = place(7);
            let reason = LostReason::Rewritten;
            vec![("rewritten", written(&ResyncFrame { r#type: "resync", chat_id: CHAT, reason, seq, cursor }))]
        }
        _ => Vec::new(),
    }
}

fn event(name: &str) -> Vec<(&'static str, Value)> {
    if name == AGENT_STATUS_UPDATED {
        let timestamp = moment(9);
        let frame = EventFrame { r#type: name, data: bob(), chat_id: None, seq: None, cursor: None, timestamp };
        return vec![("busy", written(&frame))];
    }
    let Some(kind) = EventKind::ALL.iter().find(|kind| kind.as_str() == name) else { return Vec::new() };
    let named = match kind {
        EventKind::ChatCreated => ("a group", happened(1, name, chat(1))),
        EventKind::ChatUpdated => ("a new name", happened(2, name, chat(2))),
        EventKind::ParticipantAdded => ("Bob joins", happened(3, name, participant())),
        EventKind::MessageCreated => ("with a file", happened(5, name, message())),
        EventKind::ReactionChanged => ("thumbs up", happened(6, name, liked())),
        EventKind::MessageDeleted => ("emptied", happened(7, name, emptied())),
        EventKind::ParticipantRemoved => ("Bob leaves", happened(8, name, participant())),
        EventKind::ChatDeleted => ("gone", happened(10, name, chat(10))),
    };
    vec![named]
}

fn happened<D: Serialize>(seq: u64, name: &str, data: D) -> Value {
    let (seq, cursor, timestamp) = place(seq);
    let (chat_id, seq, cursor) = (Some(CHAT), Some(seq), Some(cursor));
    written(&EventFrame { r#type: name, data, chat_id, seq, cursor, timestamp })
}

fn written<T: Serialize>(frame: &T) -> Value {
    serde_json::to_value(frame).unwrap_or_default()
}

fn position(seq: u64) -> Position {
    Position { seq, at: Micros(BEGIN + (seq - 1) * MINUTE), nonce: Nonce(seq * 0x0123_4567_89ab) }
}

fn moment(seq: u64) -> String {
    time::format(position(seq).at)
}

/// Number, cursor and moment of an event of the story.
fn place(seq: u64) -> (u64, String, String) {
    (seq, cursor::write(ChatId(CHAT).key(), position(seq)), moment(seq))
}

fn chat(seq: u64) -> ChatResource {
    let (seq, cursor, tm_update) = place(seq);
    ChatResource {
        id: CHAT,
        customer_id: CUSTOMER,
        r#type: "group".to_owned(),
        name: if seq == 1 { "Project Alpha" } else { "Project Beta" }.to_owned(),
        detail: String::new(),
        member_count: 1,
        tm_create: moment(1),
        tm_delete: if seq == 10 { tm_update.clone() } else { String::new() },
        tm_update,
        seq,
        cursor,
        joined: None,
    }
}

fn message() -> MessageResource {
    let file = Uuid::from_u128(0x0c811555_7a56_4802_ba27_ed9fdfd37223);
    let media = MediaResource {
        r#type: "file".to_owned(),
        file_id: Some(file),
        url: Some(format!("/v1.0/service_agents/files/{file}/file")),
        name: Some("design.pdf".to_owned()),
        ..MediaResource::default()
    };
    MessageResource {
        id: MESSAGE,
        customer_id: CUSTOMER,
        owner_type: "agent".to_owned(),
        owner_id: ALICE,
        chat_id: CHAT,
        parent_id: None,
        r#type: "normal".to_owned(),
        text: "Here is the design document.".to_owned(),
        medias: vec![media],
        metadata: MetadataResource { reactions: Vec::new() },
        tm_create: moment(5),
        tm_update: moment(5),
        tm_delete: String::new(),
        seq: 5,
        reply_count: None,
    }
}

fn liked() -> MessageResource {
    let reaction = ReactionResource {
        emoji: "\u{1F44D}".to_owned(),
        owner_type: "agent".to_owned(),
        owner_id: BOB,
        tm_create: moment(6),
    };
    MessageResource { metadata: MetadataResource { reactions: vec![reaction] }, tm_update: moment(6), ..message() }
}

fn emptied() -> MessageResource {
    let (text, medias, gone) = (String::new(), Vec::new(), moment(7));
    MessageResource { text, medias, tm_update: gone.clone(), tm_delete: gone, ..message() }
}

fn participant() -> ParticipantResource {
    ParticipantResource {
        id: PARTICIPANT,
        customer_id: CUSTOMER,
        owner_type: "agent".to_owned(),
        owner_id: BOB,
        chat_id: CHAT,
        tm_joined: moment(3),
    }
}

fn bob() -> AgentBody {
    AgentBody {
        id: BOB,
        customer_id: CUSTOMER,
        username: "bob@example.com".to_owned(),
        name: "Bob".to_owned(),
        detail: String::new(),
        status: "busy".to_owned(),
        permission: 16,
        tm_create: moment(1),
        tm_update: moment(9),
        tm_delete: String::new(),
    }
}
