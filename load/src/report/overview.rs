//! What is shown of several runs: medians with their range, quotients, rounds as dots, growth, and one run of each target
//! in full.

use std::fmt::Write as _;

use super::figures::Unit;
use super::plot::{dots, draw};
use super::runs::Group;
use super::spread::{Metric, Point};
use super::table::{Cell, Table};
use super::{escape, page, plots};
use crate::results::Run;

/// Everything for a series. With a knob that differs, how it grows comes first.
pub(super) fn of(groups: &[Group<'_>], knob: &str) -> String {
    let mut out = String::new();
    let mut scenarios: Vec<&str> = Vec::new();
    for group in groups {
        if !scenarios.contains(&group.key.scenario.as_str()) {
            scenarios.push(&group.key.scenario);
        }
    }
    for &scenario in &scenarios {
        let of: Vec<Group<'_>> = groups.iter().filter(|group| group.key.scenario == scenario).cloned().collect();
        if scenarios.len() > 1 {
            let _ = writeln!(out, "<h2 class=\"scenario\">{}</h2>", escape(scenario));
        }
        match knob {
            "" => targets(&mut out, &of),
            knob => growth(&mut out, &of, knob),
        }
        each(&mut out, &of);
    }
    out
}

fn targets(out: &mut String, groups: &[Group<'_>]) {
    page::section(out, "Side by side", &medians(groups));
    if let [first, _, ..] = groups {
        let first = escape(&first.target());
        let _ = writeln!(out, "<p class=\"note\">A quotient is {first} over the target to its left.</p>");
    }
    out.push_str("<div class=\"plots\">\n");
    for metric in Metric::all(&all(groups)).iter().filter(|metric| worth_dots(metric)) {
        let rows: Vec<_> = groups.iter().map(|group| (group.target(), values(metric, group))).collect();
        // One dot, or one target of several, says no more than the table.
        let measured = rows.iter().filter(|(_, values)| !values.is_empty()).count();
        let worth = if groups.len() > 1 { measured > 1 } else { rows.iter().any(|(_, values)| values.len() > 1) };
        if worth {
            out.push_str(&dots(&plots::capital(&metric.name()), metric.unit(), &rows));
        }
    }
    let middles: Vec<(String, &Run)> =
        groups.iter().filter_map(|group| Some((group.target(), group.middle()?))).collect();
    if middles.len() > 1 {
        plots::side_by_side(&middles).iter().for_each(|plot| out.push_str(&draw(plot)));
    }
    out.push_str("</div>\n");
}

/// What a comparison is about; the table has the rest.
fn worth_dots(metric: &Metric) -> bool {
    match metric {
        Metric::Deliveries | Metric::Sends | Metric::Requests | Metric::RssPerConnection => true,
        Metric::CpuPerDelivery | Metric::CpuPerRequest => true,
        Metric::Latency(_, point) => *point == Point::P99,
        _ => false,
    }
}

fn growth(out: &mut String, groups: &[Group<'_>], knob: &str) {
    let _ = writeln!(out, "<h2>Growth with {}</h2>", escape(knob));
    out.push_str("<div class=\"plots\">\n");
    plots::growth(groups, knob).iter().for_each(|plot| out.push_str(&draw(plot)));
    out.push_str("</div>\n");
    let metrics = Metric::all(&all(groups));
    let mut table = Table::new(&[knob]);
    table.head.extend(metrics.iter().map(Metric::name));
    for group in groups {
        let cells = metrics.iter().map(|metric| match metric.spread(&group.runs) {
            Some(spread) => Cell::from(metric.unit().show(spread.median)),
            None => Cell::from("–"),
        });
        table.row(std::iter::once(Cell::from(group.name())).chain(cells));
    }
    page::section(out, "Medians", &table);
}

fn all<'a>(groups: &[Group<'a>]) -> Vec<&'a Run> {
    groups.iter().flat_map(|group| group.runs.iter().copied()).collect()
}

fn values(metric: &Metric, group: &Group<'_>) -> Vec<f64> {
    group.runs.iter().filter_map(|run| metric.of(run)).collect()
}

/// A column for each target, and behind each but the first what the first is as a multiple of it.
fn medians(groups: &[Group<'_>]) -> Table {
    let mut table = Table::new(&["median (lowest–highest round)"]);
    for (number, group) in groups.iter().enumerate() {
        table.head.push(group.target());
        table.head.extend((number > 0).then(|| "quotient".to_owned()));
    }
    for metric in Metric::all(&all(groups)) {
        let first = groups.first().and_then(|group| metric.spread(&group.runs));
        let mut row = vec![Cell::from(metric.name())];
        for (number, group) in groups.iter().enumerate() {
            let spread = metric.spread(&group.runs);
            row.push(spread.map_or("–".to_owned(), |spread| spread.show(metric.unit())).into());
            let quotient = match (first, spread) {
                (Some(first), Some(other)) if other.median > 0.0 => Unit::Times.show(first.median / other.median),
                _ => "–".to_owned(),
            };
            row.extend((number > 0).then(|| Cell::from(quotient)));
        }
        table.row(row);
    }
    table
}

/// One run of each group in full, folded away: the one in the middle.
fn each(out: &mut String, groups: &[Group<'_>]) {
    for group in groups {
        let Some(run) = group.middle().or(group.runs.first().copied()) else { continue };
        let which = match group.runs.len() {
            1 => String::new(),
            rounds => format!(", the round in the middle of {rounds}"),
        };
        let title = format!("{}{which}", group.name());
        let _ = writeln!(out, "<details><summary>{}</summary>{}</details>", escape(&title), page::details(run));
    }
}
