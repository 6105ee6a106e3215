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
fn what_a_client_may_say_is_what_is_understood() {
    let topic = "agent_id:0c811555-7a56-4802-ba27-ed9fdfd37223";
    let kinds = [None, Some(json!(7)), Some(json!("dance")), Some(json!("subscribe")), Some(json!("unsubscribe"))];
    let ids = [json!(null), json!("1"), json!(""), json!(7), json!("x".repeat(64)), json!("x".repeat(65))];
    let topics = [json!(null), json!(topic), json!([]), json!([7]), json!([topic]), json!([topic, 7])];
    let cursors = json!({"6c1fd2a4-9f6c-4d43-8ad0-2f6f3b0b7f21": "c"});
    let since = [json!(null), json!("x"), json!({}), cursors, json!({"6c1fd2a4-9f6c-4d43-8ad0-2f6f3b0b7f21": 7})];
    let or_none = |values: &[Value]| -> Vec<Option<Value>> {
        std::iter::once(None).chain(values.iter().cloned().map(Some)).collect()
    };
    let validators: Vec<_> = client_messages().values().map(|message| validator_of(&message["payload"])).collect();
    let (mut good, mut all) = (0, 0);
    for (kind, id) in kinds.iter().flat_map(|kind| or_none(&ids).into_iter().map(move |id| (kind, id))) {
        for (topics, since) in or_none(&topics)
            .into_iter()
            .flat_map(|topics| or_none(&since).into_iter().map(move |s| (topics.clone(), s)))
        {
            let fields = [("type", kind.clone()), ("id", id.clone()), ("topics", topics), ("since", since)];
            let fields = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
            let frame = Value::Object(fields.collect());
            let described = validators.iter().any(|validator| validator.is_valid(&frame));
            assert_eq!(described, ClientFrame::parse(&frame.to_string()).is_ok(), "{frame}");
            (good, all) = (good + usize::from(described), all + 1);
        }
    }
    assert!(good > 20 && good < all / 4, "{good} of {all}");
}

#[test]
fn examples_are_what_they_are_examples_of() {
    let document = document();
    let messages = document["components"]["messages"].as_object().expect("messages");
    for (name, message) in messages {
        let examples = message["examples"].as_array().expect("examples");
        assert!(!examples.is_empty(), "{name} has no example");
        for example in examples {
            let faults: Vec<_> = validator(&message["payload"])
                .iter_errors(&example["payload"])
                .map(|fault| format!("{}: {fault}", fault.instance_path()))
                .collect();
            assert!(faults.is_empty(), "{name}: {faults:?}");
        }
    }
}

#[test]
fn nothing_that_the_hub_says_is_null_or_without_a_word_about_it() {
    let document = document();
    let said = ["subscribe", "unsubscribe"];
    let messages = document["components"]["messages"].as_object().expect("messages");
    for (name, message) in messages.iter().filter(|(name, _)| !said.contains(&name.as_str())) {
        assert!(!message["payload"].to_string().contains("\"null\""), "{name}");
    }
    assert!(!document["components"]["schemas"].to_string().contains("\"null\""));
    let text = document.to_string();
    for reference in text.split("\"#/").skip(1).filter_map(|rest| rest.split('"').next()) {
        assert!(document.pointer(&format!("/{reference}")).is_some(), "{reference} leads nowhere");
    }
    for reason in Reason::ALL {
        assert!(document["components"]["schemas"]["ErrorBody"].to_string().contains(reason.as_str()));
    }
}

fn validator(payload: &Value) -> jsonschema::Validator {
    // Closed, so that a field nobody told of is seen.
    let mut payload = payload.clone();
    payload["unevaluatedProperties"] = json!(false);
    validator_of(&payload)
}

fn validator_of(payload: &Value) -> jsonschema::Validator {
    let mut payload = payload.clone();
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
