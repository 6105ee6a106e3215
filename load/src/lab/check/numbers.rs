//! I3 of the log itself: every node shows the same events under the same numbers, 1, 2, 3, ... up to the number that the
//! chat names, and a message's own number is that of its event.

use super::report::{Report, Rule};
use super::story::Story;
use crate::lab::record::Kind;

/// Judges the final logs.
pub fn check(story: &Story, report: &mut Report) {
    if story.logs.is_empty() && !story.chats.is_empty() {
        report.found(Rule::Unread, || "no node's final log is in the record".to_owned());
        return;
    }
    for (node, c, seq) in &story.shown_twice {
        report.found(Rule::Differs, || format!("node {node} shows event {seq} of chat {c} twice"));
    }
    for (node, logs) in &story.logs {
        for chat in story.chats.values() {
            let mut next = chat.seq + 1;
            for (seq, entry) in logs.get(&chat.c).into_iter().flatten() {
                if *seq != next {
                    report
                        .found(Rule::Differs, || format!("node {node}, chat {}: {next} is followed by {seq}", chat.c));
                }
                next = seq + 1;
                if story.entry(chat.c, *seq) != Some(entry) {
                    report.found(Rule::Differs, || format!("node {node} shows another event {seq} of chat {}", chat.c));
                }
            }
            check_head(story, *node, chat.c, next - 1, report);
        }
    }
    check_messages(story, report);
}

fn check_head(story: &Story, node: u32, c: u16, head: u64, report: &mut Report) {
    if head != story.head(c) {
        report.found(Rule::Differs, || format!("node {node}, chat {c}: the log ends at {head}, not {}", story.head(c)));
    }
    let state = u8::try_from(node).ok().and_then(|node| story.states.get(&(node, c)));
    match state {
        Some(state) if state.seq == head => {}
        Some(state) => report.found(Rule::Differs, || {
            format!("node {node}, chat {c}: the log ends at {head}, the chat at {}", state.seq)
        }),
        None => report.found(Rule::Unread, || format!("node {node} did not show chat {c}")),
    }
}

fn check_messages(story: &Story, report: &mut Report) {
    for messages in story.messages.values() {
        for message in messages.values().filter(|message| message.s > base(story, message.c)) {
            let right = story.entry(message.c, message.s);
            if !right.is_some_and(|entry| entry.k == Kind::MessageCreated && entry.m == message.id) {
                let (node, c, s, id) = (message.node, message.c, message.s, message.id);
                report.found(Rule::Differs, || format!("node {node}, chat {c}: event {s} is not the message {id}"));
            }
        }
    }
}

fn base(story: &Story, c: u16) -> u64 {
    story.chats.get(&c).map_or(0, |chat| chat.seq)
}
