//! I1: what was acknowledged is in the end: messages on every node, deletes, reactions and memberships in their last
//! acknowledged state. Where the durability in force allows loss it is counted, and [`super::views`] sees that it is told.

use std::collections::HashMap;

use uuid::Uuid;

use super::report::{Report, Rule};
use super::story::Story;
use crate::lab::record::{Call, Deed};

/// Judges the calls.
pub fn check(story: &Story, report: &mut Report) {
    let mut lost = Vec::new();
    for call in story.calls.iter().filter(|call| call.acknowledged()) {
        match (call.deed, call.id) {
            (Deed::Send, Some(id)) if !on_every_node(story, id, |_| true) => {
                count_round(story, call, report);
                lost.push(format!("message {id} of chat {}, key {}, acknowledged at {}", call.c, call.key, call.done));
            }
            (Deed::Delete, Some(id)) if exists(story, id) && !on_every_node(story, id, |deleted| deleted) => {
                lost.push(format!("the delete of message {id} of chat {}, acknowledged at {}", call.c, call.done));
            }
            _ => {}
        }
    }
    lost.extend(lost_reactions(story));
    lost.extend(lost_members(story));
    for words in lost {
        if story.run.keeps {
            report.found(Rule::Lost, || words);
        } else {
            report.lost_allowed += 1;
        }
    }
}

fn count_round(story: &Story, call: &Call, report: &mut Report) {
    if story.rounds.iter().any(|(from, to)| (*from..*to).contains(&call.done)) {
        report.rounds.lost += 1;
    }
}

fn exists(story: &Story, id: Uuid) -> bool {
    story.messages.values().any(|messages| messages.contains_key(&id))
}

fn on_every_node(story: &Story, id: Uuid, holds: impl Fn(bool) -> bool) -> bool {
    story.messages.values().all(|messages| messages.get(&id).is_some_and(|message| holds(message.deleted)))
}

/// A reaction by one agent: its last call counts, unless one of its calls may have taken effect late.
fn lost_reactions(story: &Story) -> Vec<String> {
    let mut slots: HashMap<(Uuid, Uuid, u64), Vec<&Call>> = HashMap::new();
    for call in &story.calls {
        if let (Deed::React | Deed::Unreact, Some(id), Some(who)) = (call.deed, call.id, call.who) {
            slots.entry((id, who, call.f)).or_default().push(call);
        }
    }
    let has: HashMap<Uuid, u64> = fold_reactions(story);
    let mut lost = Vec::new();
    for ((id, _, _), calls) in slots {
        let sure = calls.iter().all(|call| call.acknowledged() && !call.unsure);
        let alone = has.get(&id) == Some(&1);
        let deleted = story.messages.values().any(|all| all.get(&id).is_none_or(|message| message.deleted));
        if !sure || !alone || deleted {
            continue;
        }
        let wanted = calls.last().is_some_and(|call| call.deed == Deed::React);
        let shown = story.messages.values().all(|all| all.get(&id).is_some_and(|message| (message.f != 0) == wanted));
        if !shown {
            lost.push(format!(
                "the reaction on message {id}, which should {}be there",
                if wanted { "" } else { "not " }
            ));
        }
    }
    lost
}

/// How many different reactions were ever put on a message: only where it is one, its hash tells whether it is there.
fn fold_reactions(story: &Story) -> HashMap<Uuid, u64> {
    let mut slots: HashMap<Uuid, Vec<(Option<Uuid>, u64)>> = HashMap::new();
    for call in story.calls.iter().filter(|call| matches!(call.deed, Deed::React | Deed::Unreact)) {
        if let Some(id) = call.id {
            let all = slots.entry(id).or_default();
            if !all.contains(&(call.who, call.f)) {
                all.push((call.who, call.f));
            }
        }
    }
    slots.into_iter().map(|(id, all)| (id, all.len() as u64)).collect()
}

/// Comings and goings of an agent in a chat are asked for by one writer, one after the other: the last one counts.
fn lost_members(story: &Story) -> Vec<String> {
    let mut last: HashMap<(u16, Uuid), &Call> = HashMap::new();
    for call in &story.calls {
        if let (Deed::Add | Deed::Remove, Some(who)) = (call.deed, call.who) {
            last.insert((call.c, who), call);
        }
    }
    let mut lost = Vec::new();
    for ((c, who), call) in last.into_iter().filter(|(_, call)| call.acknowledged()) {
        let wanted = call.deed == Deed::Add;
        let shown =
            story.states.values().filter(|state| state.c == c).all(|state| state.members.contains(&who) == wanted);
        if !shown {
            lost.push(format!("{who} in chat {c}: {:?}, acknowledged at {}, is undone", call.deed, call.done));
        }
    }
    lost
}
