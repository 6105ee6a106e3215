//! The goals of the hub's speed, each a row of data ([`rows`]), and the one run that measures them all.
//!
//! A goal is what a scenario measures of the hub, alone or as a multiple of what the same scenario measures of a baseline
//! in the same round. Runs that several goals need are made once a round.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

use crate::baseline::Baseline;
use crate::drive::contender::Contender;
use crate::drive::run::{Error, Watch};
use crate::drive::target::{Hubs, Store};
use crate::report::figures::Unit;
use crate::report::goals::Row;
use crate::report::spread::Better;
use crate::results::{Run, per_second};
use crate::scenario::{self, Scenario};

pub mod rows;

/// A run of the hub that a goal needs.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    pub scenario: &'static str,
    /// Knobs that are turned.
    pub set: &'static [&'static str],
    pub store: Store,
    pub nodes: usize,
    /// The rate is this share of what the same chats get answered in a closed loop, measured just before.
    pub load: Option<f64>,
}

/// What a goal is a multiple of.
#[derive(Clone, Copy, Debug)]
pub enum Over {
    /// Nothing: it is measured in its own unit.
    Nothing,
    /// The same scenario against something else.
    Baseline(Baseline),
    /// Another run of the hub.
    Hub(Part),
}

/// See the module.
#[derive(Clone, Copy, Debug)]
pub struct Goal {
    /// For `--only`.
    pub name: &'static str,
    /// In words.
    pub words: &'static str,
    pub hub: Part,
    pub over: Over,
    /// Of each run; `None` where it was not measured.
    pub measure: fn(&Run) -> Option<f64>,
    pub unit: Unit,
    pub better: Better,
    pub first: f64,
    pub then: f64,
}

/// How goals are measured.
#[derive(Clone, Debug)]
pub struct Order {
    pub hub: PathBuf,
    pub rounds: u32,
    /// Seconds are few: whether it works, not how fast it is.
    pub quick: bool,
    pub sources: Vec<IpAddr>,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Measured {
    pub rows: Vec<Row>,
    pub runs: Vec<Run>,
}

/// With `quick`: turned after all others.
const QUICK: [&str; 3] = ["seconds=2", "warm_up_seconds=0.5", "chats=1000"];
/// The closed loop that says what 100 % load is.
const FULL_LOAD: [&str; 5] =
    ["arrivals=window", "window=64", "window_until=acknowledged", "seconds=4", "stalled_percent=0"];

/// Measures these goals. One that cannot be measured says why in its row; the others are measured all the same.
pub async fn measure(goals: &[Goal], order: &Order, watch: &dyn Watch) -> Measured {
    let mut measured = Measured { rows: goals.iter().map(row).collect(), runs: Vec::new() };
    for round in 1..=order.rounds {
        let mut memory = Memory { order, watch, runs: BTreeMap::new() };
        for (goal, row) in goals.iter().zip(&mut measured.rows) {
            watch.phase(&format!("round {round} of {}: {}", order.rounds, goal.name));
            match memory.value(goal).await {
                Ok(Some(value)) => row.rounds.push(value),
                Ok(None) => row.note = "nothing was measured".to_owned(),
                Err(error) => row.note = error.to_string().lines().next().unwrap_or_default().to_owned(),
            }
        }
        let runs = memory.runs.into_values();
        for run in runs {
            if run.violations_count > 0 {
                let words = run.violations.first().cloned().unwrap_or_default();
                watch.phase(&format!("VIOLATION in {} on {}: {words}", run.scenario, run.target.kind));
            }
            measured.runs.push(run);
        }
    }
    measured
}

fn row(goal: &Goal) -> Row {
    let baseline = match goal.over {
        Over::Nothing => String::new(),
        Over::Baseline(baseline) => baseline.name().to_owned(),
        Over::Hub(part) => format!("the hub, {}", part.set.join(" ")),
    };
    let Goal { unit, better, first, then, .. } = *goal;
    let (rounds, note) = (Vec::new(), String::new());
    Row { goal: goal.words.to_owned(), baseline, unit, better, first, then, rounds, note }
}

/// The runs of one round, by what was run.
struct Memory<'a> {
    order: &'a Order,
    watch: &'a dyn Watch,
    runs: BTreeMap<String, Run>,
}

impl Memory<'_> {
    async fn value(&mut self, goal: &Goal) -> Result<Option<f64>, Error> {
        let hub = self.hub(&goal.hub).await?;
        let page_bytes = page_bytes(&hub);
        let Some(value) = (goal.measure)(&hub) else { return Ok(None) };
        let other = match &goal.over {
            Over::Nothing => return Ok(Some(value)),
            Over::Hub(part) => self.hub(part).await?,
            Over::Baseline(baseline) => {
                let scenario = self.scenario(&goal.hub, &[])?;
                let key = format!("{baseline} {:?} {page_bytes:?}", goal.hub);
                self.once(key, &Contender::Baseline(*baseline), &scenario, page_bytes).await?
            }
        };
        Ok((goal.measure)(&other).filter(|other| *other > 0.0).map(|other| value / other))
    }

    async fn hub(&mut self, part: &Part) -> Result<Run, Error> {
        let hubs = Hubs { program: self.order.hub.clone(), store: part.store, nodes: part.nodes };
        let contender = Contender::Hubs(hubs);
        let mut rate = Vec::new();
        if let Some(load) = part.load {
            let scenario = self.scenario(part, &FULL_LOAD.map(str::to_owned))?;
            let full = self.once(format!("full {part:?}"), &contender, &scenario, None).await?;
            rate.push(format!("rate={:.1}", per_second(full.counts.acknowledged, full.seconds) * load));
        }
        let scenario = self.scenario(part, &rate)?;
        self.once(format!("{part:?}"), &contender, &scenario, None).await
    }

    fn scenario(&self, part: &Part, more: &[String]) -> Result<Scenario, Error> {
        let mut set: Vec<String> = part.set.iter().map(|set| (*set).to_owned()).collect();
        set.extend_from_slice(more);
        let read = |set: &[String]| scenario::find(part.scenario, set).map_err(|error| Error::Wrong(error.to_string()));
        let scenario = read(&set)?;
        if !self.order.quick {
            return Ok(scenario);
        }
        let fewer = |order: &&&str| match order.split_once('=') {
            Some(("chats", chats)) => chats.parse().is_ok_and(|chats: usize| scenario.chats > chats),
            Some((_, value)) => value.parse().is_ok_and(|value: f64| scenario.seconds > value),
            None => false,
        };
        set.extend(QUICK.iter().filter(fewer).map(|order| (*order).to_owned()));
        read(&set)
    }

    async fn once(
        &mut self,
        key: String,
        contender: &Contender,
        scenario: &Scenario,
        page_bytes: Option<usize>,
    ) -> Result<Run, Error> {
        if let Some(run) = self.runs.get(&key) {
            return Ok(run.clone());
        }
        let run = contender.run(scenario, &self.order.sources, page_bytes, self.watch).await?;
        self.runs.insert(key, run.clone());
        Ok(run)
    }
}

/// How large the pages were that a run read; `None` when it read none.
#[must_use]
pub fn page_bytes(run: &Run) -> Option<usize> {
    let (counts, read) = (&run.counts, run.latencies.contains_key("history"));
    let pages = counts.requests.checked_sub(counts.acknowledged).filter(|pages| *pages > 0 && read)?;
    usize::try_from(counts.body_bytes / pages).ok()
}
