//! Counts and times that are no promise, and sockets that closed without a cause.

use std::collections::HashMap;

use uuid::Uuid;

use super::report::{Report, Rule, Times};
use super::story::Story;
use crate::lab::plan;
use crate::lab::record::{Deed, Event, Kind, Line};

/// Microseconds after the end of a fault on a hub in which its sockets may still end because of it.
const AFTERMATH_US: u64 = 15_000_000;
/// A stretch of time in which something was done to a hub.
type Stretch = (u8, u64, u64);

/// A send that was acknowledged.
struct Acknowledged {
    sent: u64,
    done: u64,
    quiet: bool,
}

/// Gathers over all readers' files.
pub struct Measures {
    acknowledged: HashMap<Uuid, Acknowledged>,
    /// Anything that ends sockets.
    disturbed: Vec<Stretch>,
    kills: Vec<Stretch>,
    /// Hubs asked to leave: nothing else may have been done to them at that time.
    drains: Vec<Stretch>,
    /// Of the file at hand: the node of each connection, the newest that is live and since when, a kill to come back from.
    node: HashMap<u32, u8>,
    live: Option<(u32, u64)>,
    killed: Option<u64>,
    seen: Vec<u32>,
    seen_quiet: Vec<u32>,
    back: Vec<u32>,
}

impl Measures {
    /// Counts what the story alone shows, and is ready for the readers.
    #[must_use]
    pub fn new(story: &Story, report: &mut Report) -> Self {
        let quiet = |c: u16| story.chats.get(&c).is_some_and(|chat| chat.quiet);
        let mut acknowledged = HashMap::new();
        for call in &story.calls {
            report.unsettled += u64::from(call.status == 0);
            if let (Deed::Send, true, Some(id)) = (call.deed, call.acknowledged(), call.id) {
                report.messages += 1;
                acknowledged.insert(id, Acknowledged { sent: call.t, done: call.done, quiet: quiet(call.c) });
            }
        }
        for fault in &story.faults {
            let counted = if fault.failed.is_empty() { &mut report.faults } else { &mut report.faults_failed };
            *counted.entry(fault.kind.clone()).or_default() += 1;
        }
        report.answers = story.answers.clone();
        report.rounds.done = story.rounds.len() as u64;
        if let Some((_, ended)) = story.rounds.last() {
            report.run.seconds = ended / 1_000_000;
        }
        let on_hubs = story.faults.iter().filter_map(|fault| Some((fault.node?, fault)));
        let disturbed = on_hubs.clone().map(|(node, fault)| (node, fault.t, fault.ended + AFTERMATH_US));
        let drains = on_hubs.clone().filter(|(_, fault)| fault.kind == plan::Kind::HubDrain.name());
        let drains = drains.map(|(node, fault)| (node, fault.t, fault.ended)).collect();
        let kills = on_hubs.filter(|(_, fault)| fault.kind == plan::Kind::HubKill.name());
        Self {
            acknowledged,
            disturbed: disturbed.collect(),
            kills: kills.map(|(node, fault)| (node, fault.t, fault.ended)).collect(),
            drains,
            node: HashMap::new(),
            live: None,
            killed: None,
            seen: Vec::new(),
            seen_quiet: Vec::new(),
            back: Vec::new(),
        }
    }

    /// Takes the next line of a reader's file.
    pub fn take(&mut self, line: &Line, report: &mut Report) {
        match line {
            Line::Open { n, node, .. } => drop(self.node.insert(*n, *node)),
            Line::Live { t, n } => {
                self.live = Some((*n, *t));
                if let Some(killed) = self.killed.take() {
                    self.back.push(small(t.saturating_sub(killed)));
                }
            }
            Line::Event(event) => {
                report.deliveries += 1;
                self.event(event);
            }
            Line::Closed { t, n, code } => self.closed(*t, *n, *code, report),
            Line::Answers { kind, count } => *report.answers.entry(kind.clone()).or_default() += count,
            _ => {}
        }
    }

    fn event(&mut self, event: &Event) {
        let (Some((n, since)), Kind::MessageCreated) = (self.live, event.k) else { return };
        let Some(call) = self.acknowledged.get(&event.m).filter(|call| n == event.n && since < call.sent) else {
            return;
        };
        let took = small(event.t.saturating_sub(call.done));
        self.seen.push(took);
        if call.quiet {
            self.seen_quiet.push(took);
        }
    }

    fn closed(&mut self, t: u64, n: u32, code: u16, report: &mut Report) {
        *report.closed.entry(code).or_default() += 1;
        let was_live = self.live.take_if(|(live, _)| *live == n).is_some();
        let Some(node) = self.node.get(&n).copied() else { return };
        let hit = self.kills.iter().find(|(killed, at, ended)| *killed == node && (*at..*ended).contains(&t));
        if let (Some((_, at, _)), true) = (hit, was_live) {
            self.killed.get_or_insert(*at);
        }
        let caused = self.disturbed.iter().any(|(hub, from, to)| *hub == node && (*from..*to).contains(&t));
        let drained = self.drains.iter().any(|(hub, from, to)| *hub == node && (*from..*to).contains(&t));
        if drained && was_live && code != 1012 {
            report.found(Rule::Undrained, || {
                format!("connection {n} to node {node}, which left, ended at {t} with {code}")
            });
        }
        // 1000 is the client's own goodbye at the end.
        if code != 1000 && !caused {
            report.found(Rule::Cut, || format!("connection {n} to node {node} was closed at {t} with {code}"));
        }
    }

    /// The next line is of another reader.
    pub fn end_of_reader(&mut self) {
        self.node.clear();
        (self.live, self.killed) = (None, None);
    }

    /// Works the times out.
    pub fn end(self, report: &mut Report) {
        report.seen = Times::of(self.seen);
        report.seen_quiet = Times::of(self.seen_quiet);
        report.back = Times::of(self.back);
        for told in report.round_told.values() {
            report.rounds.lossy += 1;
            *(if *told { &mut report.rounds.told } else { &mut report.rounds.silent }) += 1;
        }
    }
}

fn small(us: u64) -> u32 {
    u32::try_from(us).unwrap_or(u32::MAX)
}
