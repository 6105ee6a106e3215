//! Runs of a file, put together: rounds of the same target are one group.

use std::collections::BTreeSet;

use serde_json::Value;

use super::spread::middle;
use crate::results::{File, Run};

/// What rounds have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    /// With the knobs in which it differs from others of the file.
    pub(super) scenario: String,
    kind: String,
    store: String,
    nodes: u32,
    /// Of the knob that differs in a sweep.
    pub(super) knob: Option<String>,
}

/// Rounds of one target.
#[derive(Clone, Debug)]
pub(super) struct Group<'a> {
    pub(super) key: Key,
    pub(super) runs: Vec<&'a Run>,
}

impl Group<'_> {
    /// Such as `hub`, `hub, redis, 2 nodes`, `node-ws`.
    pub(super) fn target(&self) -> String {
        target(&self.key.kind, &self.key.store, self.key.nodes)
    }

    /// The same with the value of the knob.
    pub(super) fn name(&self) -> String {
        match &self.key.knob {
            Some(knob) => format!("{} {knob}", self.target()),
            None => self.target(),
        }
    }

    pub(super) fn middle(&self) -> Option<&Run> {
        middle(&self.runs)
    }
}

fn target(kind: &str, store: &str, nodes: u32) -> String {
    let mut parts = vec![kind.to_owned()];
    parts.extend((!store.is_empty()).then(|| store.to_owned()));
    parts.extend((nodes > 1).then(|| format!("{nodes} nodes")));
    parts.join(", ")
}

/// The target of one run, as [`Group::target`] says it.
pub(super) fn target_of(run: &Run) -> String {
    target(&run.target.kind, &run.target.store, run.target.nodes)
}

/// The knob that a file sweeps over; empty for none.
pub(super) fn sweep(file: &File) -> &str {
    match file {
        File::Run(_) => "",
        File::Series(series) => &series.sweep,
    }
}

/// All groups, in the order in which they were first run.
pub(super) fn groups(file: &File) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for run in file.runs() {
        let key = Key {
            scenario: variant(run, &varied(file, &run.scenario)),
            kind: run.target.kind.clone(),
            store: run.target.store.clone(),
            nodes: run.target.nodes,
            knob: (!sweep(file).is_empty()).then(|| shown(setting(run, sweep(file)))),
        };
        match groups.iter_mut().find(|group| group.key == key) {
            Some(group) => group.runs.push(run),
            None => groups.push(Group { key, runs: vec![run] }),
        }
    }
    groups
}

/// Knobs in which runs of a scenario against the same target differ: those are no rounds of the same thing. Not the rate,
/// which may have been found anew in each round. None in a sweep, where one knob is turned and shown by itself.
fn varied(file: &File, scenario: &str) -> BTreeSet<String> {
    let mut firsts: Vec<&Run> = Vec::new();
    let mut varied = BTreeSet::new();
    if !sweep(file).is_empty() {
        return varied;
    }
    for run in file.runs().iter().filter(|run| run.scenario == scenario) {
        match firsts.iter().find(|first| target_of(first) == target_of(run)) {
            Some(first) => varied.extend(different_settings(first, run).into_iter().map(|(name, ..)| name)),
            None => firsts.push(run),
        }
    }
    varied.remove("rate");
    varied
}

/// The scenario, with what is particular about this run of it.
fn variant(run: &Run, varied: &BTreeSet<String>) -> String {
    let knobs = varied.iter().map(|name| format!("{name} = {}", shown(run.settings.get(name))));
    std::iter::once(run.scenario.clone()).chain(knobs).collect::<Vec<_>>().join(", ")
}

/// A knob as it is named on the command line: with `-` or `_`, and `hub.SECTION.KEY` for a setting of the hubs.
fn setting<'a>(run: &'a Run, knob: &str) -> Option<&'a Value> {
    match knob.strip_prefix("hub.") {
        Some(key) => run.settings.get("hub")?.get(key),
        None => run.settings.get(&knob.replace('-', "_")),
    }
}

/// A setting in words.
pub(super) fn shown(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "–".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
    }
}

/// Settings in which runs differ, each with what it is in either.
pub(super) fn different_settings(old: &Run, new: &Run) -> Vec<(String, String, String)> {
    let names: BTreeSet<&String> = old.settings.keys().chain(new.settings.keys()).collect();
    let values = names.into_iter().map(|name| (name, old.settings.get(name), new.settings.get(name)));
    let different = values.filter(|(_, old, new)| old != new);
    different.map(|(name, old, new)| (name.clone(), shown(old), shown(new))).collect()
}
