//! A plot as SVG.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::axis::Span;
use super::{Line, Plot};
use crate::report::escape;

const WIDTH: f64 = 520.0;
const HEIGHT: f64 = 230.0;
const LEFT: f64 = 58.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 26.0;
/// Colours that the page has.
pub(super) const COLOURS: usize = 6;
/// Room that a letter takes, about.
const LETTER: f64 = 7.0;

/// A figure with its title, its legend and the drawing; nothing where there is nothing to draw.
pub(in crate::report) fn draw(plot: &Plot) -> String {
    if plot.is_empty() {
        return String::new();
    }
    let (x, y) = (Span::of(&plot.x, plot.xs(), true), Span::of(&plot.y, plot.ys(), false));
    let place = Place { x, y };
    let title = escape(&plot.title);
    let mut out = format!("<figure class=\"plot\"><figcaption><b>{title}</b>");
    legend(&mut out, &plot.lines);
    let _ = write!(out, "</figcaption><svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{title}\">");
    grid(&mut out, plot, &place);
    for (number, line) in plot.lines.iter().enumerate() {
        curve(&mut out, line, number % COLOURS, &place);
    }
    strips(&mut out, plot, &place);
    out.push_str("</svg></figure>\n");
    out
}

/// From values to the drawing.
struct Place {
    x: Span,
    y: Span,
}

impl Place {
    fn x(&self, value: f64) -> f64 {
        LEFT + self.x.place(value) * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, value: f64) -> f64 {
        HEIGHT - BOTTOM - self.y.place(value) * (HEIGHT - TOP - BOTTOM)
    }
}

fn legend(out: &mut String, lines: &[Line]) {
    if lines.len() < 2 {
        return;
    }
    for (number, line) in lines.iter().enumerate() {
        let _ = write!(out, "<span class=\"key c{}\">{}</span>", number % COLOURS, escape(&line.name));
    }
}

fn grid(out: &mut String, plot: &Plot, place: &Place) {
    for (value, text) in &place.y.ticks {
        let y = place.y(*value);
        let _ = write!(out, "<path class=\"grid\" d=\"M{LEFT} {y:.1}H{:.1}\"/>", WIDTH - RIGHT);
        let _ = write!(out, "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{text}</text>", LEFT - 6.0, y + 3.5);
    }
    let floor = HEIGHT - BOTTOM;
    // The values of a sweep are few, and each is written; so that they do not run into each other, from the right.
    let chosen = plot.lines.iter().any(|line| line.marked);
    let mut ticks = place.x.ticks.clone();
    if chosen {
        ticks = plot.xs().map(|x| (x, plot.x.unit.tick(x))).collect();
        ticks.sort_by(|a, b| a.0.total_cmp(&b.0));
        ticks.dedup_by(|a, b| a.0 == b.0);
    }
    let mut free = WIDTH;
    for (value, text) in ticks.iter().rev() {
        let x = place.x(*value);
        let half = text.chars().count() as f64 * LETTER / 2.0;
        let middle = x.clamp(half, WIDTH - half);
        if middle + half > free {
            continue;
        }
        free = middle - half - LETTER;
        let _ = write!(out, "<path class=\"tick\" d=\"M{x:.1} {floor}v4\"/>");
        let _ = write!(out, "<text x=\"{middle:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{text}</text>", floor + 16.0);
    }
    let _ = write!(out, "<path class=\"axis\" d=\"M{LEFT} {floor}H{:.1}\"/>", WIDTH - RIGHT);
}

fn curve(out: &mut String, line: &Line, colour: usize, place: &Place) {
    if line.band.len() > 1 {
        let mut path = String::new();
        let (there, back) = (line.band.iter().map(|(x, low, _)| (x, low)), line.band.iter().rev());
        for (x, y) in there.chain(back.map(|(x, _, high)| (x, high))) {
            let _ = write!(path, "{}{:.1} {:.1}", if path.is_empty() { "M" } else { "L" }, place.x(*x), place.y(*y));
        }
        let _ = write!(out, "<path class=\"band c{colour}\" d=\"{path}Z\"/>");
    }
    let mut path = String::new();
    let mut down = false;
    for (x, y) in &line.points {
        let Some(y) = y else {
            down = false;
            continue;
        };
        // A point alone is drawn as a dot: the stroke has round ends.
        let pen = if down { "L" } else { "M" };
        let _ = write!(path, "{pen}{:.1} {:.1}{}", place.x(*x), place.y(*y), if down { "" } else { "h0" });
        down = true;
    }
    let _ = write!(out, "<path class=\"line c{colour}\" d=\"{path}\"/>");
    for (x, y) in line.points.iter().filter_map(|(x, y)| line.marked.then_some((x, (*y)?))) {
        let _ = write!(out, "<circle class=\"c{colour}\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\"/>", place.x(*x), place.y(y));
    }
}

/// What is seen while one points at a place: a line, and the values of all lines there.
fn strips(out: &mut String, plot: &Plot, place: &Place) {
    let mut places: BTreeMap<i64, (f64, Vec<(usize, f64)>)> = BTreeMap::new();
    for (number, line) in plot.lines.iter().enumerate() {
        for (x, y) in line.points.iter().filter_map(|(x, y)| Some((*x, (*y)?))) {
            let at = places.entry((place.x(x) * 2.0).round() as i64).or_insert((x, Vec::new()));
            // Of places that fall together, the last is the highest percentile or the latest second.
            at.1.retain(|(other, _)| *other != number);
            at.0 = x;
            at.1.push((number, y));
        }
    }
    let edges: Vec<f64> = places.keys().map(|place| *place as f64 / 2.0).collect();
    for (index, (x, values)) in places.into_values().enumerate() {
        let here = edges[index];
        let left = index.checked_sub(1).map_or(LEFT, |before| f64::midpoint(edges[before], here));
        let right = edges.get(index + 1).map_or(WIDTH - RIGHT, |next| f64::midpoint(*next, here));
        let (height, width) = (HEIGHT - TOP - BOTTOM, (right - left).max(0.5));
        let _ =
            write!(out, "<g class=\"at\"><rect x=\"{left:.1}\" y=\"{TOP}\" width=\"{width:.1}\" height=\"{height}\"/>");
        let _ = write!(out, "<path d=\"M{here:.1} {TOP}v{height}\"/>");
        let on_left = here > WIDTH * 0.62;
        let (anchor, x_text) = if on_left { ("end", here - 7.0) } else { ("start", here + 7.0) };
        let head = match plot.x.scale {
            super::Scale::Nines => format!("{} %", crate::report::figures::short(x)),
            _ => plot.x.unit.tick(x),
        };
        let _ =
            write!(out, "<text text-anchor=\"{anchor}\"><tspan x=\"{x_text:.1}\" y=\"{}\">{head}</tspan>", TOP + 12.0);
        for (number, y) in values {
            let (colour, name) = (number % COLOURS, escape(&plot.lines[number].name));
            let value = plot.y.unit.show(y);
            let _ = write!(out, "<tspan x=\"{x_text:.1}\" dy=\"13\" class=\"c{colour}\">{name} {value}</tspan>");
        }
        out.push_str("</text></g>");
    }
}
