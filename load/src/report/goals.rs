//! The table of the goals: what was wanted, what was measured, and whether it is enough.
//!
//! A goal is met when the median of its rounds is on the right side, and it was measured in all of them. The range of the rounds stands beside it, so that
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
    /// Rounds that were to be measured.
    pub ordered: u32,
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
    /// In fewer rounds than were ordered: whatever it came to, it is not judged.
    TooFew,
    NotMeasured,
}

impl State {
    /// In words, as in the table.
    pub fn word(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::FirstStep => "first step",
            Self::NotMet => "not met",
            Self::TooFew => "not in all rounds",
            Self::NotMeasured => "not measured",
        }
    }

    fn mark(self) -> Mark {
        match self {
            Self::Met => Mark::Good,
            Self::FirstStep => Mark::Fair,
            Self::NotMet => Mark::Bad,
            Self::TooFew | Self::NotMeasured => Mark::Plain,
        }
    }
}

impl Row {
    /// From the median of the rounds, if there are all of them.
    pub fn state(&self) -> State {
        let Some(spread) = Spread::of(self.rounds.iter().copied()) else { return State::NotMeasured };
        if self.is_short() {
            return State::TooFew;
        }
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

    fn is_short(&self) -> bool {
        self.rounds.len() < self.ordered as usize
    }

    /// What is to be known about it, with how many rounds it was measured in where some are missing.
    pub fn note(&self) -> String {
        if !self.is_short() || self.rounds.is_empty() {
            return self.note.clone();
        }
        let (measured, note) = (self.rounds.len(), &self.note);
        let between = if note.is_empty() { "" } else { "; " };
        format!("in {measured} of {} rounds{between}{note}", self.ordered)
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
            Some(spread) if self.note().is_empty() => spread.show(self.unit),
            Some(spread) => format!("{}, {}", spread.show(self.unit), self.note()),
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
        let (ordered, note) = (u32::try_from(rounds.len()).expect("few"), String::new());
        Row { goal, baseline, unit: Unit::Times, better, first, then, ordered, rounds: rounds.to_vec(), note }
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
    fn a_goal_that_was_not_measured_in_all_rounds_is_not_met_and_says_so() {
        let mut row = row(Better::More, 12.0, 20.0, &[25.0, 26.0]);
        row.ordered = 3;
        row.note = "not in round 2: somebody missed something".to_owned();
        assert_eq!(row.state(), State::TooFew);
        let markdown = table(&[row]).markdown();
        assert!(markdown.contains("in 2 of 3 rounds; not in round 2: somebody missed something"), "{markdown}");
    }

    #[test]
    fn the_table_has_what_was_wanted_and_what_came() {
        let markdown = table(&[row(Better::More, 12.0, 20.0, &[13.0, 14.0, 12.5])]).markdown();
        let last = markdown.lines().last().unwrap_or_default();
        assert_eq!(last, "| fan-out | node-ws | ≥ 12.0 | ≥ 20.0 | 13.0 × (12.5–14.0) | first step |");
    }
}
