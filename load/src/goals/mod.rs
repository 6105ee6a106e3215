//! The goals of the hub's speed, each a row of data ([`rows`]), and the one run that measures them all.
//!
//! A goal is what a scenario measures of the hub, alone or as a multiple of what the same scenario measures of a baseline
//! in the same round. Runs that several goals need are made once a round.

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
    /// In the order in which they were run.
    pub runs: Vec<Run>,
    /// Whether something could not be run, for another reason than that it is not on this machine.
    pub errors: bool,
}

/// Why a goal has no value in a round.
enum Unmeasured {
    /// It could not be run.
    Error(Error),
    /// It was run, and its figures say nothing.
    Void(String),
}

impl From<Error> for Unmeasured {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

/// With `quick`: turned after all others.
const QUICK: [&str; 3] = ["seconds=2", "warm_up_seconds=0.5", "chats=1000"];
/// The closed loop that says what 100 % load is.
const FULL_LOAD: [&str; 5] =
    ["arrivals=window", "window=64", "window_until=acknowledged", "seconds=4", "stalled_percent=0"];

/// Measures these goals. One that cannot be measured says why in its row; the others are measured all the same. `look` is
/// told after each round what there is so far.
pub async fn measure(goals: &[Goal], order: &Order, watch: &dyn Watch, mut look: impl FnMut(&Measured)) -> Measured {
    let rows = goals.iter().map(|goal| row(goal, order.rounds)).collect();
    let mut measured = Measured { rows, ..Measured::default() };
    for round in 1..=order.rounds {
        let mut memory = Memory { order, watch, backwards: round % 2 == 0, runs: Vec::new() };
        for (goal, row) in goals.iter().zip(&mut measured.rows) {
            watch.phase(&format!("round {round} of {}: {}", order.rounds, goal.name));
            let why = match memory.value(goal).await {
                Ok(value) => {
                    row.rounds.push(value);
                    continue;
                }
                Err(Unmeasured::Void(why)) => why,
                Err(Unmeasured::Error(error)) => {
                    measured.errors |= !error.is_missing();
                    error.to_string().lines().next().unwrap_or_default().to_owned()
                }
            };
            watch.phase(&format!("not measured: {why}"));
            row.note = format!("not in round {round}: {why}");
        }
        measured.runs.extend(memory.runs.into_iter().map(|(_, run)| run));
        look(&measured);
    }
    measured
}

/// Figures of a run that broke a promise, or in which not all that was asked for was done, say nothing.
fn sound(run: &Run) -> Result<(), Unmeasured> {
    let (name, kind, counts) = (&run.scenario, &run.target.kind, &run.counts);
    if run.violations_count > 0 {
        let (count, first) = (run.violations_count, run.violations.first().map_or("", String::as_str));
        return Err(Unmeasured::Void(format!("{count} violations in {name} on {kind}, the first: {first}")));
    }
    if counts.refused + counts.failed > 0 {
        let (refused, failed) = (counts.refused, counts.failed);
        return Err(Unmeasured::Void(format!("in {name} on {kind} {refused} were refused and {failed} failed")));
    }
    Ok(())
}

fn row(goal: &Goal, ordered: u32) -> Row {
    let baseline = match goal.over {
        Over::Nothing => String::new(),
        Over::Baseline(baseline) => baseline.name().to_owned(),
        Over::Hub(part) => format!("the hub, {}", part.set.join(" ")),
    };
    let Goal { unit, better, first, then, .. } = *goal;
    let (rounds, note) = (Vec::new(), String::new());
    Row { goal: goal.words.to_owned(), baseline, unit, better, first, then, ordered, rounds, note }
}

/// The runs of one round, by what was run, in the order in which they were.
struct Memory<'a> {
    order: &'a Order,
    watch: &'a dyn Watch,
    /// What a goal is a multiple of is run first, so that what comes later in every round favours nobody.
    backwards: bool,
    runs: Vec<(String, Run)>,
}

impl Memory<'_> {
    async fn value(&mut self, goal: &Goal) -> Result<f64, Unmeasured> {
        let value = |run: &Run| {
            sound(run)?;
            let nothing = || Unmeasured::Void(format!("nothing was measured of {}", run.target.kind));
            (goal.measure)(run).ok_or_else(nothing)
        };
        // A page is as large as those that the hub answered with, so that the hub must come first.
        let needs_hub = matches!(goal.over, Over::Baseline(Baseline::StaticPage));
        if self.backwards && !needs_hub {
            self.over(goal, None).await?;
        }
        let hub = self.hub(&goal.hub).await?;
        let own = value(&hub)?;
        let Some(other) = self.over(goal, page_bytes(&hub).filter(|_| needs_hub)).await? else { return Ok(own) };
        let other = value(&other)?;
        if other > 0.0 { Ok(own / other) } else { Err(Unmeasured::Void("the baseline did nothing".to_owned())) }
    }

    /// The run of what a goal is a multiple of; `None` where it is one of nothing.
    async fn over(&mut self, goal: &Goal, page_bytes: Option<usize>) -> Result<Option<Run>, Unmeasured> {
        Ok(Some(match &goal.over {
            Over::Nothing => return Ok(None),
            Over::Hub(part) => self.hub(part).await?,
            Over::Baseline(baseline) => {
                let scenario = self.scenario(&goal.hub, &[])?;
                let key = format!("{baseline} {:?} {page_bytes:?}", goal.hub);
                self.once(key, &Contender::Baseline(*baseline), &scenario, page_bytes).await?
            }
        }))
    }

    async fn hub(&mut self, part: &Part) -> Result<Run, Unmeasured> {
        let hubs = Hubs { program: self.order.hub.clone(), store: part.store, nodes: part.nodes };
        let contender = Contender::Hubs(hubs);
        let mut rate = Vec::new();
        if let Some(load) = part.load {
            let scenario = self.scenario(part, &FULL_LOAD.map(str::to_owned))?;
            let full = self.once(format!("full {part:?}"), &contender, &scenario, None).await?;
            sound(&full)?;
            rate.push(format!("rate={:.1}", per_second(full.counts.acknowledged, full.seconds) * load));
        }
        let scenario = self.scenario(part, &rate)?;
        Ok(self.once(format!("{part:?}"), &contender, &scenario, None).await?)
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
        if let Some((_, run)) = self.runs.iter().find(|(known, _)| *known == key) {
            return Ok(run.clone());
        }
        let run = contender.run(scenario, &self.order.sources, page_bytes, self.watch).await?;
        self.runs.push((key, run.clone()));
        Ok(run)
    }
}

/// How large the pages were that a run read; `None` when it read none.
#[must_use]
pub fn page_bytes(run: &Run) -> Option<usize> {
    usize::try_from(run.counts.page_bytes.checked_div(run.counts.pages)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::Counts;

    #[test]
    fn figures_of_a_run_that_broke_a_promise_or_left_something_undone_are_void() {
        let said = |run: Run| match sound(&run) {
            Err(Unmeasured::Void(why)) => why,
            _ => String::new(),
        };
        assert_eq!(said(Run::default()), "");
        let violated = Run { violations_count: 3, violations: vec!["alice missed 5".to_owned()], ..Run::default() };
        assert!(said(violated).contains("3 violations") && !said(Run::default()).contains("alice"));
        for counts in [Counts { refused: 1, ..Counts::default() }, Counts { failed: 1, ..Counts::default() }] {
            assert!(!said(Run { counts, ..Run::default() }).is_empty());
        }
    }

    #[test]
    fn a_page_is_as_large_as_those_that_were_answered_with_success() {
        let counts = Counts { pages: 4, page_bytes: 4_000, requests: 9, body_bytes: 4_100, ..Counts::default() };
        assert_eq!(page_bytes(&Run { counts, ..Run::default() }), Some(1_000));
        assert_eq!(page_bytes(&Run::default()), None);
    }
}
