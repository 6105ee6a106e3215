//! The table of the goals: what was wanted, what was measured, and whether it is enough.
//!
//! A goal is met when the median of its rounds is on the right side. The range of the rounds stands beside it, so that
//! one can see how close it was.

use super::figures::{Unit, digits};
use super::spread::{Better, Spread};
use super::table::{Cell, Mark, Table};

/// One goal with what was measured for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// In words, such as `fan-out to 1,000, 32 in flight, deliveries a second`.
    pub goal: String,
    /// What it is a multiple of; empty where it is measured in its own unit.
    pub baseline: String,
    /// [`Unit::Times`] for a multiple of the baseline, else what the goal is measured in. Both steps are in it too.
    pub unit: Unit,
    pub better: Better,
    /// What is wanted first, and then.
    pub first: f64,
    pub then: f64,
    /// One value a round: for a multiple, that of the hub over that of the baseline in the same round. Empty: not
    /// measured.
    pub rounds: Vec<f64>,
    /// Why it was not measured, or what is to be known about it.
    pub note: String,
}

/// How far a goal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Met,
    FirstStep,
    NotMet,
    NotMeasured,
}

impl State {
    /// In words, as in the table.
    pub fn word(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::FirstStep => "first step",
            Self::NotMet => "not met",
            Self::NotMeasured => "not measured",
        }
    }

    fn mark(self) -> Mark {
        match self {
            Self::Met => Mark::Good,
            Self::FirstStep => Mark::Fair,
            Self::NotMet => Mark::Bad,
            Self::NotMeasured => Mark::Plain,
        }
    }
}

impl Row {
    /// From the median of the rounds.
    pub fn state(&self) -> State {
        let Some(spread) = Spread::of(self.rounds.iter().copied()) else { return State::NotMeasured };
        let reaches = |wanted: f64| match self.better {
            Better::More => spread.median >= wanted,
            Better::Less => spread.median <= wanted,
        };
        match (reaches(self.then), reaches(self.first)) {
            (true, _) => State::Met,
            (_, true) => State::FirstStep,
            _ => State::NotMet,
        }
    }

    fn cells(&self) -> [Cell; 6] {
        let wanted = |value: f64| {
            let side = if self.better == Better::More { "≥" } else { "≤" };
            match self.unit {
                Unit::Times => format!("{side} {}", digits(value)),
                unit => format!("{side} {}", unit.show(value)),
            }
        };
        let measured = match Spread::of(self.rounds.iter().copied()) {
            Some(spread) => spread.show(self.unit),
            None if self.note.is_empty() => "–".to_owned(),
            None => self.note.clone(),
        };
        let state = self.state();
        [
            self.goal.as_str().into(),
            if self.baseline.is_empty() { "–".into() } else { self.baseline.as_str().into() },
            wanted(self.first).into(),
            wanted(self.then).into(),
            measured.into(),
            Cell::marked(state.word(), state.mark()),
        ]
    }
}

/// All goals as a table, which knows how to be text, Markdown and HTML.
pub fn table(rows: &[Row]) -> Table {
    let mut table = Table::new(&["goal", "against", "first step", "then", "measured, median (min–max)", ""]);
    rows.iter().for_each(|row| table.row(row.cells()));
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(better: Better, first: f64, then: f64, rounds: &[f64]) -> Row {
        let (goal, baseline) = ("fan-out".to_owned(), "node-ws".to_owned());
        Row { goal, baseline, unit: Unit::Times, better, first, then, rounds: rounds.to_vec(), note: String::new() }
    }

    #[test]
    fn a_goal_is_judged_by_its_median() {
        for (rounds, state) in [
            (&[25.0, 19.0, 21.0][..], State::Met),
            (&[13.0, 30.0, 12.5], State::FirstStep),
            (&[11.0, 11.9, 90.0], State::NotMet),
            (&[], State::NotMeasured),
        ] {
            assert_eq!(row(Better::More, 12.0, 20.0, rounds).state(), state, "{rounds:?}");
        }
        for (median, state) in [(1.1, State::Met), (1.3, State::FirstStep), (1.4, State::NotMet)] {
            assert_eq!(row(Better::Less, 1.35, 1.2, &[median]).state(), state, "{median}");
        }
    }

    #[test]
    fn the_table_has_what_was_wanted_and_what_came() {
        let markdown = table(&[row(Better::More, 12.0, 20.0, &[13.0, 14.0, 12.5])]).markdown();
        let last = markdown.lines().last().unwrap_or_default();
        assert_eq!(last, "| fan-out | node-ws | ≥ 12.0 | ≥ 20.0 | 13.0 × (12.5–14.0) | first step |");
    }
}
