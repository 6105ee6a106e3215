//! The document against the tables it is made from, and against frames as they go out.

use super::*;
use crate::model::ChatKey;
use crate::model::{Micros, Nonce, Position};
use crate::wire::frames::{ClientFrame, ResumeState, TextFrame, encode};
use crate::wire::{ApiError, Reason};

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

#[test]
fn every_event_and_every_close_cause_is_described() {
    let document = document();
    let events = EventKind::ALL.iter().map(|kind| kind.as_str()).chain([AGENT_STATUS_UPDATED]);
    for name in events.chain(["subscribe", "unsubscribe", "subscribed", "unsubscribed", "error", "resync"]) {
        let message = &document["components"]["messages"][name];
        assert_eq!(message["payload"]["properties"]["type"]["const"], name);
        assert!(!text(&message["summary"]).is_empty(), "{name}");
        for (channel, _) in CHANNELS {
            assert!(document["channels"][channel]["messages"][name].is_object(), "{channel}: {name}");
        }
        let told = document["operations"].to_string();
        assert!(told.contains(&format!("/messages/{name}\"")), "{name} is said by nobody");
    }
    for cause in CloseCause::ALL {
        let (code, reason) = cause.frame();
        assert!(text(&document["info"]["description"]).contains(&format!("| {code} | {reason} |")), "{code}");
        for (channel, _) in CHANNELS {
            let codes = document["channels"][channel]["x-close-codes"].as_array().expect("codes");
            assert!(codes.iter().any(|row| row["code"] == code && !text(&row["meaning"]).is_empty()), "{code}");
        }
    }
}

#[test]
fn close_codes_are_there_once() {
    let mut codes: Vec<u16> = CloseCause::ALL.iter().map(|cause| cause.frame().0).collect();
    let all = codes.len();
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), all);
}

#[test]
fn examples_of_clients_are_understood() {
    for (name, message) in client_messages() {
        let validator = validator(&message["payload"]);
        for example in message["examples"].as_array().expect("examples") {
            let payload = &example["payload"];
            assert!(validator.is_valid(payload), "{payload}");
            let frame = ClientFrame::parse(&payload.to_string()).expect("a frame");
            assert_eq!(matches!(frame, ClientFrame::Subscribe { .. }), name == "subscribe");
        }
        for wrong in [json!({"type": name}), json!({"type": name, "topics": []}), json!({"topics": ["x"]})] {
            assert!(!validator.is_valid(&wrong) && ClientFrame::parse(&wrong.to_string()).is_err(), "{wrong}");
        }
        let long = json!({"type": name, "topics": ["x"], "id": "x".repeat(ID_BYTES_MAX + 1)});
        assert!(!validator.is_valid(&long) && ClientFrame::parse(&long.to_string()).is_err());
    }
}

fn validator(payload: &Value) -> jsonschema::Validator {
    // Closed, so that a field nobody told of is seen.
    let mut payload = payload.clone();
    payload["unevaluatedProperties"] = json!(false);
    payload["components"] = document()["components"].clone();
    jsonschema::draft202012::new(&payload).expect("a schema")
}

fn fits(name: &str, frame: &TextFrame) {
    let frame: Value = serde_json::from_slice(frame.payload()).expect("json");
    let validator = validator(&document()["components"]["messages"][name]["payload"]);
    let faults: Vec<_> = validator.iter_errors(&frame).map(|fault| fault.to_string()).collect();
    assert!(faults.is_empty(), "{name}: {faults:?} in {frame}");
}

#[test]
fn frames_are_as_they_are_described() {
    let id = uuid::Uuid::nil();
    let head = Position { seq: 7, at: Micros(1), nonce: Nonce(2) };
    let state = ResumeState::new(ChatKey(1), head, None);
    let lost = ResumeState::new(ChatKey(1), head, Some(LostReason::Trimmed));
    let cursor = lost.cursor.clone();
    let chats = Some([(id, state), (uuid::Uuid::max(), lost)].into());
    let topics = vec!["agent_id:x".to_owned()];
    let asked = AnswerFrame { r#type: "subscribed", id: Some("1".to_owned()), topics: topics.clone(), chats };
    fits("subscribed", &encode(&asked));
    fits("unsubscribed", &encode(&AnswerFrame { r#type: "unsubscribed", id: None, topics, chats: None }));
    fits("error", &encode(&ErrorFrame::new(None, &ApiError::new(Reason::PermissionDenied, "why"), "req_1")));
    let resync = ResyncFrame { r#type: "resync", chat_id: id, reason: LostReason::Rewritten, seq: 7, cursor };
    fits("resync", &encode(&resync));
}

#[test]
fn events_carry_their_resource_and_their_place() {
    let participant = json!({"id": uuid::Uuid::nil(), "customer_id": uuid::Uuid::nil(), "owner_type": "agent",
        "owner_id": uuid::Uuid::nil(), "chat_id": uuid::Uuid::nil(), "tm_joined": "2024-01-17 10:30:00.000000"});
    let data: ParticipantResource = serde_json::from_value(participant).expect("a participant");
    let frame = EventFrame {
        r#type: "chatparticipant_added",
        data,
        chat_id: Some(uuid::Uuid::nil()),
        seq: Some(2),
        cursor: Some("c".to_owned()),
        timestamp: "2024-01-17 10:30:00.000000".to_owned(),
    };
    fits("chatparticipant_added", &encode(&frame));
    let nowhere = EventFrame { seq: None, ..frame };
    let payload = document()["components"]["messages"]["chatparticipant_added"]["payload"].clone();
    let nowhere = serde_json::to_value(&nowhere).expect("json");
    assert!(!validator(&payload).is_valid(&nowhere));
}
