//! I2: one idempotency key, one message, one answer.

use std::collections::HashMap;

use uuid::Uuid;

use super::report::{Report, Rule};
use super::story::Story;
use crate::lab::record::{Deed, Kind};

/// Judges the messages of every node by the key in their text, the log by the messages it makes, and the answers.
pub fn check(story: &Story, report: &mut Report) {
    for (node, messages) in &story.messages {
        let mut by_key: HashMap<&str, Uuid> = HashMap::new();
        for message in messages.values().filter(|message| !message.key.is_empty()) {
            if let Some(other) = by_key.insert(&message.key, message.id) {
                let (key, id) = (&message.key, message.id);
                report.found(Rule::Twice, || format!("node {node}: {id} and {other} under the key {key}"));
            }
        }
    }
    for chat in story.chats.values() {
        let mut made: HashMap<Uuid, u64> = HashMap::new();
        for (seq, entry) in story.log(chat.c).filter(|(_, entry)| entry.k == Kind::MessageCreated) {
            if let Some(before) = made.insert(entry.m, *seq) {
                let (c, id) = (chat.c, entry.m);
                report.found(Rule::Twice, || format!("chat {c}: message {id} is made at {before} and at {seq}"));
            }
        }
    }
    check_answers(story, report);
}

/// A repeat after an acknowledgement names the same message. Where the first may have been lost, a second may stand in
/// for it; then only one of them is in the end, which is checked above.
fn check_answers(story: &Story, report: &mut Report) {
    let mut answered: HashMap<&str, Uuid> = HashMap::new();
    let sends = story.calls.iter().filter(|call| matches!(call.deed, Deed::Send | Deed::Again) && call.acknowledged());
    for call in sends {
        let Some(id) = call.id else { continue };
        let first = *answered.entry(&call.key).or_insert(id);
        let both = story.messages.values().any(|all| all.contains_key(&first) && all.contains_key(&id));
        if first != id && (story.run.keeps || both) {
            report.found(Rule::Twice, || format!("the key {} was answered with {first} and with {id}", call.key));
        }
    }
}
