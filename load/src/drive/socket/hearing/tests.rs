//! That a socket tells what must not happen, each with words that violate it and, first, with words that do not.

use std::sync::Arc;

use hyper::header::HeaderValue;

use super::*;
use crate::client::Dialect;
use crate::client::stream::{Node, Sources};
use crate::drive::hall::{Agent, Chat};
use crate::drive::socket::State;
use crate::gauge::clock::Clock;

const CHATS: [&str; 2] = ["113b002a-93e5-49ce-baf2-3b70c1c43c86", "213b002a-93e5-49ce-baf2-3b70c1c43c86"];

const FOREIGN: &str = "313b002a-93e5-49ce-baf2-3b70c1c43c86";

/// One agent in both chats, and not in a third.
fn hall() -> Hall {
    let chat = |id: &str| Chat::new(id.as_bytes().try_into().expect("an id"), vec![0]);
    let mut chats: Vec<_> = CHATS.iter().map(|id| chat(id)).collect();
    chats.push(Chat::new(FOREIGN.as_bytes().try_into().expect("an id"), vec![]));
    Hall {
        clock: Clock::start(),
        dialect: Dialect::Hub,
        nodes: vec![Node::of("http://127.0.0.1:1", None).expect("an address")],
        sources: Arc::new(Sources::default()),
        agents: vec![Agent {
            id: "alice".to_owned(),
            token: String::new(),
            credential: HeaderValue::from_static(""),
            chats: vec![0, 1],
        }],
        by_id: (0..).zip(&chats).map(|(place, chat)| (chat.id, place)).collect(),
        chats,
        violations: Arc::default(),
    }
}

/// An answer in which the first chat stands at one number, and the second at 1.
fn answer(seq: u64, recovered: &str) -> String {
    format!(
        r#"{{"type":"subscribed","id":"load","chats":{{"{}":{{"seq":{seq},"cursor":"c{seq}",{recovered}}},"{}":{{"seq":1,"cursor":"c","recovered":true}}}}}}"#,
        CHATS[0], CHATS[1]
    )
}

fn event(chat: usize, seq: u64) -> String {
    event_of(CHATS[chat], seq)
}

fn event_of(id: &str, seq: u64) -> String {
    format!(r#"{{"type":"chat_updated","data":{{}},"chat_id":"{id}","seq":{seq},"cursor":"c{seq}","timestamp":""}}"#)
}

/// A socket that is up, and stands at event 4 of the first chat and 1 of the second.
fn up(hall: &Hall) -> Socket {
    let mut socket = Socket::new(0, 0);
    socket.subscribed(answer(4, r#""recovered":true"#).as_bytes(), hall).expect("subscribed");
    socket.state = State::Up;
    assert_eq!(hall.violations.count(), 0);
    socket
}

/// What is told after the socket heard these.
fn told(words: &[String]) -> Vec<String> {
    let hall = hall();
    let (mut socket, mut tools, mut tally) = (up(&hall), Tools::default(), Tally::default());
    words.iter().for_each(|words| socket.text(words.as_bytes(), 0, &hall, &mut tools, &mut tally));
    hall.violations.first()
}

/// What is told when the socket comes back after event 4 and is answered this, and whether it has something to wait for.
fn back(words: &str) -> (Vec<String>, bool) {
    let hall = hall();
    let mut socket = up(&hall);
    socket.subscribed(words.as_bytes(), &hall).ok();
    (hall.violations.first(), !socket.is_live())
}

#[test]
fn events_of_several_chats_in_any_mixture_are_right() {
    assert!(told(&[event(0, 5), event(1, 2), event(1, 3), event(0, 6)]).is_empty());
}

#[test]
fn a_hole_is_told_with_who_missed_what() {
    let told = told(&[event(0, 5), event(0, 8)]);
    assert_eq!(told, [format!("the socket of agent alice on node 0 missed events 6 to 7 of chat {}", CHATS[0])]);
}

#[test]
fn a_repeat_is_told() {
    let told = told(&[event(1, 2), event(1, 2)]);
    assert_eq!(told, [format!("the socket of agent alice on node 0 was sent event 2 of chat {} after 2", CHATS[1])]);
}

#[test]
fn an_event_of_a_chat_that_the_agent_is_no_member_of_is_told() {
    let told = told(&[event(0, 5), event_of(FOREIGN, 7), event(0, 6)]);
    assert!(told.len() == 1 && told[0].contains("event 7") && told[0].contains("no member"), "{told:?}");
}

#[test]
fn being_told_that_history_was_rewritten_is_told() {
    let resync = format!(r#"{{"type":"resync","chat_id":"{}","reason":"rewritten","seq":3,"cursor":"c"}}"#, CHATS[0]);
    assert_eq!(told(&[resync]).len(), 1);
    assert_eq!(told(&[r#"{"type":"error","error":{}}"#.to_owned()]).len(), 1);
    assert!(told(&[r#"{"type":"agent_status_updated","data":{}}"#.to_owned()]).is_empty());
}

#[test]
fn who_comes_back_waits_for_what_was_missed() {
    assert_eq!(back(&answer(4, r#""recovered":true"#)), (vec![], false));
    assert_eq!(back(&answer(6, r#""recovered":true"#)), (vec![], true));
}

#[test]
fn not_being_able_to_resume_is_told() {
    let (told, _) = back(&answer(6, r#""recovered":false,"reason":"trimmed""#));
    assert!(told.len() == 1 && told[0].contains("cannot resume") && told[0].contains("trimmed"), "{told:?}");
    let (told, _) = back(&answer(3, r#""recovered":true"#));
    assert!(told.len() == 1 && told[0].contains("the newest is 3"), "history that went back: {told:?}");
}

#[test]
fn a_chat_that_is_left_out_of_the_answer_is_told() {
    let (told, _) = back(r#"{"type":"subscribed","id":"load","chats":{}}"#);
    assert!(told.len() == 2 && told[0].contains("is not told of its chat"), "{told:?}");
    assert_eq!(back("no json").0.len(), 1);
}
