//! What came out: violations by rule, with examples, and the figures of the table.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::lab::record::Run;

/// What must not be. Each count of one of these above 0 is a violation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// I1: acknowledged where nothing may be lost, and not in the end.
    Lost,
    /// I2: two messages, or two answers, under one key.
    Twice,
    /// I3: a number was left out, or an event never came to a member.
    Hole,
    /// I3: an event came again.
    Repeated,
    /// I3: a number came that was not next, with another event.
    Reordered,
    /// I3: two nodes show different histories, or a history with holes.
    Differs,
    /// I4: a client saw what is not in the final log and was not told.
    NotTold,
    /// I5: an event came to somebody who was not a member.
    Outsider,
    /// I6: what REST shows is not the fold of the log, or a client's own fold is not.
    Fold,
    /// A socket was closed though nothing was done to its hub.
    Cut,
    /// A hub that was asked to leave cut its sockets off instead of closing them with 1012.
    Undrained,
    /// A frame that no client can make sense of.
    Odd,
    /// The end could not be read: nothing is shown.
    Unread,
}

/// Examples kept of each rule.
const EXAMPLES_MAX: usize = 20;

/// The violations of a rule.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Findings {
    pub count: u64,
    /// The first of them, in words.
    pub examples: Vec<String>,
}

/// Times in microseconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Times {
    pub count: u64,
    pub p50: u64,
    pub p99: u64,
    pub max: u64,
}

impl Times {
    /// Of these.
    #[must_use]
    pub fn of(mut all: Vec<u32>) -> Self {
        all.sort_unstable();
        let at = |percent: usize| all.get((all.len() * percent / 100).min(all.len().saturating_sub(1)));
        let us = |value: Option<&u32>| value.copied().map_or(0, u64::from);
        Self { count: all.len() as u64, p50: us(at(50)), p99: us(at(99)), max: us(all.last()) }
    }
}

/// What a record shows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    pub run: Run,
    pub findings: BTreeMap<Rule, Findings>,
    /// Sends that were acknowledged.
    pub messages: u64,
    /// Events that readers were sent.
    pub deliveries: u64,
    /// Faults that were done, by kind.
    pub faults: BTreeMap<String, u64>,
    /// Faults that could not be done, by kind.
    pub faults_failed: BTreeMap<String, u64>,
    /// Acknowledged and not in the end, where the durability in force allows it.
    pub lost_allowed: u64,
    /// Times that a reader was told that a chat's history was rewritten.
    pub told: u64,
    /// Of those: nothing that the reader had seen was lost.
    pub told_needlessly: u64,
    /// Times that a reader was told to fetch because the log does not reach back.
    pub trimmed: u64,
    /// Calls that no try settled.
    pub unsettled: u64,
    /// Answers and failures of calls, by kind.
    pub answers: BTreeMap<String, u64>,
    /// Sockets that ended, by code.
    pub closed: BTreeMap<u16, u64>,
    /// From the acknowledgement to a reader that was live before.
    pub seen: Times,
    /// The same in quiet chats, where every event is the last before silence.
    pub seen_quiet: Times,
    /// From the kill of a hub until its clients were live elsewhere.
    pub back: Times,
    /// Failovers of a series, and of those: that lost what somebody had seen; told; left silent.
    pub rounds: Rounds,
    /// Rounds that lost what somebody had seen, and whether all who had were told. Only while judging.
    #[serde(skip)]
    pub(in crate::lab) round_told: BTreeMap<usize, bool>,
}

/// What a series of failovers came to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Rounds {
    pub done: u64,
    /// Lost something that a client had seen.
    pub lossy: u64,
    /// Of those: every such client was told.
    pub told: u64,
    /// Of those: one was not.
    pub silent: u64,
    /// Acknowledged sends that were lost.
    pub lost: u64,
}

impl Report {
    /// An empty one.
    #[must_use]
    pub fn new(run: Run) -> Self {
        Self { run, ..Self::default() }
    }

    /// Takes a violation down; the words are made only while examples are kept.
    pub fn found(&mut self, rule: Rule, words: impl FnOnce() -> String) {
        let findings = self.findings.entry(rule).or_default();
        findings.count += 1;
        if findings.examples.len() < EXAMPLES_MAX {
            findings.examples.push(words());
        }
    }

    /// How often a rule was broken.
    #[must_use]
    pub fn count(&self, rule: Rule) -> u64 {
        self.findings.get(&rule).map_or(0, |findings| findings.count)
    }

    /// All violations.
    #[must_use]
    pub fn violations(&self) -> u64 {
        self.findings.values().map(|findings| findings.count).sum()
    }

    /// Faults that were done.
    #[must_use]
    pub fn faults_done(&self) -> u64 {
        self.faults.values().sum()
    }
}
