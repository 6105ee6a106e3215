//! Rounds as dots: a row for each target, a dot for each round, and a stroke at the median.

use std::fmt::Write as _;

use super::axis::{Axis, Scale, Span};
use super::draw::COLOURS;
use crate::report::escape;
use crate::report::figures::Unit;
use crate::report::spread::Spread;

const WIDTH: f64 = 520.0;
const LEFT: f64 = 118.0;
const RIGHT: f64 = 92.0;
const TOP: f64 = 6.0;
const ROW: f64 = 26.0;
const BOTTOM: f64 = 22.0;
/// Letters of a name that have room.
const NAME_MAX: usize = 18;

/// Rows of a name and the values of its rounds; nothing where there are none.
pub(in crate::report) fn dots(title: &str, unit: Unit, rows: &[(String, Vec<f64>)]) -> String {
    // Each target keeps its colour, also where another was not measured.
    let rows: Vec<_> = (0..)
        .zip(rows)
        .filter_map(|(number, (name, all))| Some((number % COLOURS, name, all, Spread::of(all.iter().copied())?)))
        .collect();
    if rows.is_empty() {
        return String::new();
    }
    let values = rows.iter().flat_map(|(_, _, values, _)| values.iter().copied());
    let span = Span::of(&Axis::new(unit, Scale::Linear), values, false);
    let place = |value: f64| LEFT + span.place(value) * (WIDTH - LEFT - RIGHT);
    let floor = TOP + ROW * rows.len() as f64;
    let (title, height) = (escape(title), floor + BOTTOM);
    let mut out = format!(
        "<figure class=\"plot\"><figcaption><b>{title}</b></figcaption>\
         <svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{title}\">"
    );
    for (value, text) in &span.ticks {
        let x = place(*value);
        let _ = write!(out, "<path class=\"grid\" d=\"M{x:.1} {TOP}V{floor}\"/>");
        let _ = write!(out, "<text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{text}</text>", floor + 15.0);
    }
    for (number, (colour, name, values, spread)) in rows.iter().enumerate() {
        let y = TOP + ROW * (number as f64 + 0.5);
        let short: String = name.chars().take(NAME_MAX).collect();
        let _ = write!(out, "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">", LEFT - 8.0, y + 3.5);
        let _ = write!(out, "<title>{}</title>{}</text>", escape(name), escape(&short));
        for value in values.iter() {
            let value = place(*value);
            let _ = write!(out, "<circle class=\"c{colour} round\" cx=\"{value:.1}\" cy=\"{y}\" r=\"4\"/>");
        }
        let _ = write!(out, "<path class=\"line c{colour}\" d=\"M{:.1} {}v16\"/>", place(spread.median), y - 8.0);
        let median = unit.show(spread.median);
        let _ = write!(
            out,
            "<text class=\"strong\" x=\"{}\" y=\"{}\" text-anchor=\"end\">{median}</text>",
            WIDTH - 4.0,
            y + 3.5
        );
    }
    out.push_str("</svg></figure>\n");
    out
}
