//! I6: what REST shows of a chat, on every node, is the fold of its log: members, name, deletes, reactions, counts of
//! replies. A reader's own fold is held to the same end in [`super::views`].

use std::collections::{BTreeSet, HashMap};

use uuid::Uuid;

use super::report::{Report, Rule};
use super::story::Story;
use crate::lab::record::{Kind, State};

/// A message as the log makes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Folded {
    deleted: bool,
    f: u64,
    replies: u32,
}

/// Judges what every node showed.
pub fn check(story: &Story, report: &mut Report) {
    for chat in story.chats.values() {
        let mut name = None;
        let mut messages: HashMap<Uuid, Folded> = HashMap::new();
        for (_, entry) in story.log(chat.c) {
            match entry.k {
                Kind::ChatUpdated => name = Some(entry.f),
                Kind::MessageCreated => {
                    messages.entry(entry.m).or_default();
                    match entry.p.map(|parent| (parent, messages.get_mut(&parent))) {
                        Some((_, Some(parent))) => parent.replies += 1,
                        Some((parent, None)) => report.found(Rule::Fold, || {
                            format!("chat {}: {} replies to {parent}, which is not in the log", chat.c, entry.m)
                        }),
                        None => {}
                    }
                }
                Kind::MessageDeleted => {
                    let message = messages.entry(entry.m).or_default();
                    (message.deleted, message.f) = (true, 0);
                }
                Kind::Reactions => messages.entry(entry.m).or_default().f = entry.f,
                Kind::ChatCreated | Kind::ChatDeleted | Kind::Added | Kind::Removed => {}
            }
        }
        let members = story.members(chat.c);
        for state in story.states.values().filter(|state| state.c == chat.c) {
            check_state(state, &members, name, report);
        }
        for node in story.messages.keys() {
            check_messages(story, *node, chat.c, &messages, report);
        }
    }
}

fn check_state(state: &State, members: &BTreeSet<Uuid>, name: Option<u64>, report: &mut Report) {
    let State { node, c, .. } = state;
    let shown: BTreeSet<Uuid> = state.members.iter().copied().collect();
    if shown != *members || shown.len() != state.members.len() {
        let (extra, missing) = (shown.difference(members).count(), members.difference(&shown).count());
        report.found(Rule::Fold, || format!("node {node}, chat {c}: {extra} members too many, {missing} missing"));
    }
    if state.member_count != state.members.len() as u64 {
        let (count, are) = (state.member_count, state.members.len());
        report.found(Rule::Fold, || format!("node {node}, chat {c}: member_count is {count} of {are}"));
    }
    if name.is_some_and(|name| name != state.f) {
        report.found(Rule::Fold, || format!("node {node}, chat {c}: another name than the log's last"));
    }
}

fn check_messages(story: &Story, node: u8, c: u16, folded: &HashMap<Uuid, Folded>, report: &mut Report) {
    let Some(shown) = story.messages.get(&node) else { return };
    for (id, fold) in folded {
        let Some(message) = shown.get(id) else {
            report.found(Rule::Fold, || format!("node {node}, chat {c}: message {id} is in the log and not in REST"));
            continue;
        };
        let have = Folded { deleted: message.deleted, f: message.f, replies: message.replies };
        if have != *fold {
            report.found(Rule::Fold, || {
                format!("node {node}, chat {c}: message {id} is {have:?}, the log makes {fold:?}")
            });
        }
    }
}
