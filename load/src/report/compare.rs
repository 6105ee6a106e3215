//! Two results side by side: medians, quotients, and what got better or worse beyond the spread of the rounds.
//!
//! Rounds of the same scenario against the same target are compared; where each file holds but one group, those are,
//! whatever they are of. How a difference is judged is said in [`super::spread`].

use std::fmt::Write as _;

use super::figures::Unit;
use super::plot::draw;
use super::runs::{Group, different_settings, groups};
use super::spread::{Metric, ROUNDS_MIN, Verdict};
use super::table::{Cell, Mark, Table};
use super::{escape, page, plots};
use crate::results::{File, Run};

/// Shown where a judgement is.
const JUDGED: &str = "Better and worse are said only where the ranges of the rounds do not overlap, with three rounds or \
                      more on both sides.";

/// Two results, each under the name that is shown: that of its file.
#[derive(Clone, Debug)]
pub struct Compared<'a> {
    pub old_name: &'a str,
    pub old: &'a File,
    pub new_name: &'a str,
    pub new: &'a File,
}

struct Pair<'a> {
    name: String,
    old: Group<'a>,
    new: Group<'a>,
}

impl<'a> Compared<'a> {
    fn pairs(&self) -> Vec<Pair<'a>> {
        let (old, new) = (groups(self.old), groups(self.new));
        if let ([old], [new]) = (old.as_slice(), new.as_slice()) {
            let (old, new) = (old.clone(), new.clone());
            let (left, right) = (old.title(), new.title());
            let name = if left == right { left } else { format!("{left} and {right}") };
            return vec![Pair { name, old, new }];
        }
        let pairs = old.into_iter().filter_map(|old| {
            let new = new.iter().find(|new| new.key == old.key)?.clone();
            Some(Pair { name: old.title(), old, new })
        });
        pairs.collect()
    }

    /// What only one of them holds.
    fn alone(&self) -> Vec<String> {
        let (old, new) = (groups(self.old), groups(self.new));
        if old.len() == 1 && new.len() == 1 {
            return Vec::new();
        }
        let missing = |here: &[Group<'_>], there: &[Group<'_>], name: &str| {
            let alone = here.iter().filter(|group| !there.iter().any(|other| other.key == group.key));
            alone.map(|group| format!("only in {name}: {}", group.title())).collect::<Vec<_>>()
        };
        [missing(&old, &new, self.old_name), missing(&new, &old, self.new_name)].concat()
    }

    /// For the terminal.
    pub fn text(&self) -> String {
        let mut out = String::new();
        for pair in self.pairs() {
            let _ = writeln!(out, "{}", pair.name);
            for note in notes(&pair) {
                let _ = writeln!(out, "  {note}");
            }
            for line in self.table(&pair).text().lines() {
                let _ = writeln!(out, "  {line}");
            }
            out.push('\n');
        }
        for line in self.alone() {
            let _ = writeln!(out, "{line}");
        }
        let _ = writeln!(out, "{JUDGED}");
        out
    }

    /// As a page.
    pub fn html(&self) -> String {
        let (old, new) = (escape(self.old_name), escape(self.new_name));
        let mut body = format!("<header><h1>{old} → {new}</h1><p class=\"note\">{JUDGED}</p></header>\n");
        let all: Vec<Run> = self.old.runs().iter().chain(self.new.runs()).cloned().collect();
        page::violations(&mut body, &all);
        for pair in self.pairs() {
            let _ = writeln!(body, "<h2 class=\"scenario\">{}</h2>", escape(&pair.name));
            for note in notes(&pair) {
                let _ = writeln!(body, "<p class=\"note\">{}</p>", escape(&note));
            }
            body.push_str(&self.table(&pair).html());
            if let (Some(old), Some(new)) = (pair.old.middle(), pair.new.middle()) {
                let both = [(self.old_name.to_owned(), old), (self.new_name.to_owned(), new)];
                body.push_str("<div class=\"plots\">\n");
                plots::side_by_side(&both).iter().for_each(|plot| body.push_str(&draw(plot)));
                body.push_str("</div>\n");
            }
        }
        for line in self.alone() {
            let _ = writeln!(body, "<p class=\"note\">{}</p>", escape(&line));
        }
        page::whole(&format!("{} → {} – talk-load", self.old_name, self.new_name), &body)
    }

    fn table(&self, pair: &Pair<'_>) -> Table {
        let mut table = Table::new(&["", self.old_name, self.new_name, "new / old", ""]);
        let all: Vec<&Run> = pair.old.runs.iter().chain(&pair.new.runs).copied().collect();
        for metric in Metric::all(&all) {
            let (old, new) = (metric.spread(&pair.old.runs), metric.spread(&pair.new.runs));
            let unit = metric.unit();
            let shown = |spread: Option<super::spread::Spread>| spread.map_or("–".to_owned(), |s| s.show(unit));
            let (mut times, mut verdict) = (Cell::from("–"), Cell::from(""));
            if let (Some(old), Some(new)) = (old, new) {
                if old.median > 0.0 {
                    times = Unit::Times.show(new.median / old.median).into();
                }
                verdict = metric.better().map_or(Cell::from(""), |better| judged(Verdict::judge(&old, &new, better)));
            }
            table.row([metric.name().into(), shown(old).into(), shown(new).into(), times, verdict]);
        }
        table
    }
}

impl Group<'_> {
    fn title(&self) -> String {
        format!("{}: {}", self.key.scenario, self.name())
    }
}

fn judged(verdict: Verdict) -> Cell {
    let mark = match verdict {
        Verdict::Better => Mark::Good,
        Verdict::Worse => Mark::Bad,
        Verdict::Same | Verdict::Unknown => Mark::Plain,
    };
    Cell::marked(verdict.word(), mark)
}

/// What makes a comparison doubtful: other rounds, another machine, other settings, violations.
fn notes(pair: &Pair<'_>) -> Vec<String> {
    let (Some(old), Some(new)) = (pair.old.runs.first(), pair.new.runs.first()) else { return Vec::new() };
    let rounds = [pair.old.runs.len(), pair.new.runs.len()];
    let few = if rounds.iter().any(|rounds| *rounds < ROUNDS_MIN) { ", too few to judge by" } else { "" };
    let mut notes = vec![format!("rounds: {} and {}{few}", rounds[0], rounds[1])];
    notes.extend((old.machine != new.machine).then(|| {
        let said = |run: &Run| format!("{} × {}, {}", run.machine.cores, run.machine.cpu, run.machine.kernel);
        format!("not the same machine: {} and {}", said(old), said(new))
    }));
    for (name, old, new) in different_settings(old, new) {
        notes.push(format!("{name}: {old} and {new}"));
    }
    let broken = |group: &Group<'_>| group.runs.iter().map(|run| run.violations_count).sum::<u64>();
    let (old, new) = (broken(&pair.old), broken(&pair.new));
    notes.extend((old + new > 0).then(|| format!("violations: {old} and {new}")));
    notes
}
