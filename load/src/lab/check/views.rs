//! What one reader saw, held to the final log: I3 (every number once, in order, the same event as for everybody), I4 (a
//! view is a prefix of the log, or the client was told), I5 by [`super::outsiders`], and I6 for the client's own fold.

use std::collections::{BTreeMap, HashMap};

use uuid::Uuid;

use super::outsiders;
use super::report::{Report, Rule};
use super::story::Story;
use crate::lab::record::{Event, Kind, Line};

/// A client's stretch of a chat, from where it began or was told anew.
#[derive(Debug, Default)]
struct View {
    /// The number of the last event seen; none after the client's own removal.
    at: Option<u64>,
    /// The first event that is not in the final log, and when it came.
    astray: Option<(u64, u64)>,
    /// The last state seen of messages that changed: deleted, and their reactions.
    changed: HashMap<Uuid, (bool, u64)>,
}

/// One reader's views of all chats. Lines come in the order of its file.
pub struct Views<'a> {
    story: &'a Story,
    name: String,
    agent: Uuid,
    chats: BTreeMap<u16, View>,
    /// Rounds in which this client saw what was lost: was it told?
    rounds: BTreeMap<usize, bool>,
}

impl<'a> Views<'a> {
    /// A reader that saw nothing yet.
    #[must_use]
    pub fn new(story: &'a Story) -> Self {
        Self { story, name: String::new(), agent: Uuid::nil(), chats: BTreeMap::new(), rounds: BTreeMap::new() }
    }

    /// Takes the next line of the reader's file.
    pub fn take(&mut self, line: &Line, report: &mut Report) {
        match line {
            Line::Who { reader, agent } => (self.name, self.agent) = (reader.clone(), *agent),
            Line::At { c, s, told, .. } => self.placed(*c, *s, told, report),
            Line::Gone { c, .. } => drop(self.chats.remove(c)),
            Line::Event(event) => self.event(event, report),
            Line::Odd { n, text, .. } => report.found(Rule::Odd, || format!("{}, connection {n}: {text}", self.name)),
            _ => {}
        }
    }

    fn placed(&mut self, c: u16, s: u64, told: &str, report: &mut Report) {
        let before = self.chats.insert(c, View { at: Some(s), ..View::default() });
        match told {
            "rewritten" => {
                report.told += 1;
                match before.and_then(|view| view.astray) {
                    Some((_, t)) => self.round(t, true),
                    None => report.told_needlessly += 1,
                }
            }
            "trimmed" => {
                report.trimmed += 1;
                self.leave(c, before, report);
            }
            _ => self.leave(c, before, report),
        }
    }

    /// A stretch ended without the client being told: all of it must be in the log.
    fn leave(&mut self, c: u16, view: Option<View>, report: &mut Report) {
        if let Some((seq, t)) = view.and_then(|view| view.astray) {
            self.round(t, false);
            report.found(Rule::NotTold, || {
                format!("{}, chat {c}: event {seq}, seen at {t}, is not in the log", self.name)
            });
        }
    }

    fn round(&mut self, t: u64, told: bool) {
        if let Some(round) = self.story.rounds.iter().position(|(from, to)| (*from..*to).contains(&t)) {
            let all = self.rounds.entry(round).or_insert(true);
            *all &= told;
        }
    }

    fn event(&mut self, event: &Event, report: &mut Report) {
        let (story, name, agent) = (self.story, &self.name, self.agent);
        let view = self.chats.entry(event.c).or_default();
        let logged = story.entry(event.c, event.s);
        let same = logged.is_some_and(|entry| entry.x == event.x);
        // A failover can take a membership away, and the client with it: then it begins where it comes in again.
        let comes =
            |at: u64| event.k == Kind::Added && event.o == Some(agent) && !story.was_member(event.c, agent, at + 1);
        if let Some(at) = view.at.filter(|at| event.s != at + 1 && !comes(*at)) {
            let rule = match event.s {
                s if s > at => Rule::Hole,
                _ if same => Rule::Repeated,
                _ => Rule::Reordered,
            };
            let (c, s, n) = (event.c, event.s, event.n);
            report.found(rule, || format!("{name}, chat {c}, connection {n}: {at} was followed by {s}"));
        }
        // What was there before the first fault is not in the record of the log.
        let known = story.chats.get(&event.c).is_some_and(|chat| event.s > chat.seq);
        if known && !same && view.astray.is_none() {
            view.astray = Some((event.s, event.t));
        }
        if same && !outsiders::may_see(story, agent, event) {
            let (c, s) = (event.c, event.s);
            report.found(Rule::Outsider, || format!("{name}, chat {c}: event {s} came to an agent who was no member"));
        }
        view.at = Some(event.s);
        match event.k {
            Kind::MessageDeleted => drop(view.changed.insert(event.m, (true, 0))),
            Kind::Reactions => view.changed.entry(event.m).or_default().1 = event.f,
            Kind::Removed if event.o == Some(agent) => *view = View::default(),
            _ => {}
        }
    }

    /// The file ends: every view stands at the end of the log, and its fold is what REST shows.
    pub fn end(mut self, report: &mut Report) {
        for c in self.story.chats.keys().copied() {
            let view = self.chats.remove(&c).unwrap_or_default();
            let (at, straight) = (view.at, view.astray.is_none());
            if at == Some(self.story.head(c)) && straight {
                self.check_fold(c, &view.changed, report);
            }
            self.leave(c, Some(view), report);
            self.check_end(c, at, report);
        }
        for (round, told) in self.rounds {
            *report.round_told.entry(round).or_insert(true) &= told;
        }
    }

    fn check_end(&self, c: u16, at: Option<u64>, report: &mut Report) {
        let head = self.story.head(c);
        if self.story.is_member(c, self.agent) && at.is_none_or(|at| at < head) {
            report.found(Rule::Hole, || format!("{}, chat {c}: the end is {head}, seen was {at:?}", self.name));
        }
    }

    fn check_fold(&self, c: u16, changed: &HashMap<Uuid, (bool, u64)>, report: &mut Report) {
        let Some(shown) = self.story.messages.values().next() else { return };
        for (id, (deleted, f)) in changed {
            let Some(message) = shown.get(id) else { continue };
            let right = if message.deleted { *deleted } else { !*deleted && message.f == *f };
            if !right {
                report
                    .found(Rule::Fold, || format!("{}, chat {c}: message {id} looks otherwise in the end", self.name));
            }
        }
    }
}
