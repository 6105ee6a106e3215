//! What a run does: a set of knobs, each of which can be turned by itself. A scenario is a TOML file of them with a name
//! and a sentence; those of the product are compiled in ([`all`]). There is no code for any one scenario.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

mod checked;

/// How sends begin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Arrivals {
    /// At a rate, whatever the server does: open loop.
    #[default]
    Rate,
    /// So many under way at any time: closed loop.
    Window,
    /// Each agent does something, waits for the answer, and thinks.
    Think,
    /// Never.
    None,
}

/// What lies between two arrivals at a rate, and between two deeds of an agent who thinks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pace {
    /// Times as of people who know nothing of each other.
    #[default]
    Poisson,
    /// Always the same time.
    Constant,
}

/// When a place in the window is free again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Until {
    /// When it is answered and every subscriber has it.
    #[default]
    Delivered,
    /// When it is answered.
    Acknowledged,
}

/// The knobs. Counts are of the whole run, not of a node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Scenario {
    pub name: String,
    /// What it does, in one sentence.
    pub sentence: String,

    /// Agents.
    pub people: usize,
    pub chats: usize,
    /// Members of each chat. Chats are spread evenly over the agents.
    pub members: usize,
    /// Messages written to each chat before the run.
    pub stored_messages: usize,

    /// Sockets, in turn of the agents, in turn on the nodes. Each follows all chats of its agent.
    pub connections: usize,
    /// Handshakes under way at once.
    pub connect_at_once: usize,
    /// Handshakes begun per second; 0: as fast as they go.
    pub connect_per_second: f64,
    /// Seconds that connecting, and coming back, may take.
    pub connect_seconds: f64,

    /// HTTP connections, in turn on the nodes; each makes one request at a time.
    pub senders: usize,
    pub arrivals: Arrivals,
    pub pace: Pace,
    /// Deeds per second, with `arrivals = "rate"`.
    pub rate: f64,
    /// Deeds under way, with `arrivals = "window"`.
    pub window: usize,
    pub window_until: Until,
    /// Mean time between an answer and the next deed of an agent, with `arrivals = "think"`.
    pub think_ms: f64,
    /// Deeds that wait for a sender; more are not begun and count as failed.
    pub waiting_max: usize,

    /// Of all deeds, in proportion: messages sent.
    pub sends: u32,
    /// Reactions put and taken back. Needs `stored_messages`.
    pub reactions: u32,
    /// Newest pages read.
    pub history: u32,
    /// Bytes of the text of a message, at least 16.
    pub text_bytes: usize,
    /// Messages on a page that is read.
    pub page_size: usize,
    /// Reactions put on a message before the next message's turn.
    pub reactions_per_message: usize,
    /// Whether each send carries an `Idempotency-Key`.
    pub idempotency_keys: bool,

    /// Of the sockets, so many percent are not read from the begin of the load on. They are not judged.
    pub stalled_percent: f64,
    /// Of the sockets, so many percent are dropped at once, and come back with their cursors.
    pub dropped_percent: f64,
    /// Seconds after the begin of measuring at which they are dropped.
    pub drop_after_seconds: f64,
    /// Handshakes under way at once when they come back; 0: all.
    pub back_at_once: usize,
    /// Times that a hub is stopped and started again, on what is stored, before anybody connects. Only with `--hub`.
    pub restarts: usize,

    /// Seconds of load that are not measured.
    pub warm_up_seconds: f64,
    /// Seconds that are measured.
    pub seconds: f64,
    /// Seconds in which every subscriber must have everything, after the load.
    pub settle_seconds: f64,
    /// What is left to chance comes from it.
    pub seed: u64,
    /// Settings of hubs that are started for it, by dotted name.
    pub hub: BTreeMap<String, Value>,
}

impl Default for Scenario {
    fn default() -> Self {
        Self {
            name: String::new(),
            sentence: String::new(),
            people: 100,
            chats: 1,
            members: 100,
            stored_messages: 0,
            connections: 0,
            connect_at_once: 64,
            connect_per_second: 0.0,
            connect_seconds: 120.0,
            senders: 64,
            arrivals: Arrivals::Rate,
            pace: Pace::Poisson,
            rate: 100.0,
            window: 32,
            window_until: Until::Delivered,
            think_ms: 10_000.0,
            waiting_max: 100_000,
            sends: 1,
            reactions: 0,
            history: 0,
            text_bytes: 120,
            page_size: 50,
            reactions_per_message: 20,
            idempotency_keys: false,
            stalled_percent: 0.0,
            dropped_percent: 0.0,
            drop_after_seconds: 2.0,
            back_at_once: 0,
            restarts: 0,
            warm_up_seconds: 2.0,
            seconds: 10.0,
            settle_seconds: 30.0,
            seed: 1,
            hub: BTreeMap::new(),
        }
    }
}

/// Why there is no such scenario.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("no scenario is named {name}, and there is no such file; there are {known}")]
    Unknown { name: String, known: String },
    #[error("{path}: {source}")]
    Io { path: String, source: std::io::Error },
    #[error("{place}: {problem}")]
    Toml { place: String, problem: String },
    /// An override of something that is no knob.
    #[error("there is no knob {key}; there are {known}")]
    Knob { key: String, known: String },
    /// Values that make no sense, alone or together.
    #[error("{key}: {problem}")]
    Value { key: &'static str, problem: String },
    #[error("an override is written key=value, not {0}")]
    Override(String),
}

/// The scenarios that are compiled in: name and text.
const TEXTS: [(&str, &str); 12] = [
    ("fan-out", include_str!("../../scenarios/fan-out.toml")),
    ("contact-centre", include_str!("../../scenarios/contact-centre.toml")),
    ("send-only", include_str!("../../scenarios/send-only.toml")),
    ("history", include_str!("../../scenarios/history.toml")),
    ("reactions", include_str!("../../scenarios/reactions.toml")),
    ("idle", include_str!("../../scenarios/idle.toml")),
    ("connect-ramp", include_str!("../../scenarios/connect-ramp.toml")),
    ("reconnect-storm", include_str!("../../scenarios/reconnect-storm.toml")),
    ("slow-readers", include_str!("../../scenarios/slow-readers.toml")),
    ("send-to-receive", include_str!("../../scenarios/send-to-receive.toml")),
    ("start", include_str!("../../scenarios/start.toml")),
    ("soak", include_str!("../../scenarios/soak.toml")),
];

/// The scenarios of the product, as they are without overrides.
///
/// # Errors
/// One of them is wrong; a test holds that none is.
pub fn all() -> Result<Vec<Scenario>, Error> {
    TEXTS.iter().map(|(name, _)| find(name, &[])).collect()
}

/// A scenario by its name, or from a file, with overrides `key=value`.
///
/// # Errors
/// There is none, an override names no knob, or a value makes no sense.
pub fn find(name: &str, overrides: &[String]) -> Result<Scenario, Error> {
    let known = || TEXTS.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    let text = match TEXTS.iter().find(|(known, _)| *known == name) {
        Some((_, text)) => (*text).to_owned(),
        None if Path::new(name).is_file() => {
            std::fs::read_to_string(name).map_err(|source| Error::Io { path: name.to_owned(), source })?
        }
        None => return Err(Error::Unknown { name: name.to_owned(), known: known() }),
    };
    read(name, &text, overrides)
}

/// A scenario from its text, with overrides.
///
/// # Errors
/// As [`find`].
pub fn read(place: &str, text: &str, overrides: &[String]) -> Result<Scenario, Error> {
    let wrong = |error: &dyn std::fmt::Display| Error::Toml { place: place.to_owned(), problem: error.to_string() };
    let mut table: toml::Table = text.parse().map_err(|error| wrong(&error))?;
    for order in overrides {
        turn(&mut table, order)?;
    }
    let mut scenario: Scenario = table.try_into().map_err(|error: toml::de::Error| wrong(&error.message()))?;
    if scenario.name.is_empty() {
        scenario.name =
            Path::new(place).file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
    }
    scenario.check()?;
    Ok(scenario)
}

/// Turns one knob, `key=value`; `hub.section.key=value` is a setting of the hubs.
fn turn(table: &mut toml::Table, order: &str) -> Result<(), Error> {
    let (key, value) = order.split_once('=').ok_or_else(|| Error::Override(order.to_owned()))?;
    let (key, value) = (key.trim().replace('-', "_"), value.trim());
    let value = match format!("x = {value}").parse::<toml::Table>() {
        Ok(mut parsed) => parsed.remove("x").unwrap_or_else(|| value.into()),
        // A word without quotes.
        Err(_) => value.into(),
    };
    if let Some(setting) = key.strip_prefix("hub.") {
        let hub = table.entry("hub").or_insert_with(|| toml::Table::new().into());
        if let Some(hub) = hub.as_table_mut() {
            hub.insert(setting.to_owned(), value);
        }
        return Ok(());
    }
    let known = knobs();
    if !known.contains(&key) {
        return Err(Error::Knob { key, known: known.join(", ") });
    }
    table.insert(key, value);
    Ok(())
}

/// The names of all knobs.
#[must_use]
pub fn knobs() -> Vec<String> {
    let Value::Object(fields) = serde_json::to_value(Scenario::default()).unwrap_or_default() else {
        return Vec::new();
    };
    fields.keys().cloned().collect()
}

impl Scenario {
    /// Every knob with its value, for a result.
    #[must_use]
    pub fn settings(&self) -> BTreeMap<String, Value> {
        let Value::Object(fields) = serde_json::to_value(self).unwrap_or_default() else { return BTreeMap::new() };
        fields.into_iter().filter(|(name, _)| name != "name" && name != "sentence").collect()
    }

    /// The members of a chat, by their places among the agents.
    pub fn members_of(&self, chat: usize) -> impl Iterator<Item = usize> + use<> {
        let (people, members) = (self.people.max(1), self.members);
        let apart = (people / members.max(1)).max(1);
        (0..members).map(move |step| (chat + step * apart) % people)
    }

    /// Sockets that are not read.
    #[must_use]
    pub fn stalled(&self) -> usize {
        share(self.connections, self.stalled_percent)
    }

    /// Sockets that are dropped.
    #[must_use]
    pub fn dropped(&self) -> usize {
        share(self.connections, self.dropped_percent)
    }
}

fn share(of: usize, percent: f64) -> usize {
    // Percents are checked to be between 0 and 100.
    (of as f64 * percent / 100.0).round() as usize
}

#[cfg(test)]
mod tests;
