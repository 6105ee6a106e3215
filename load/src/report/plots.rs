//! Which plots there are of runs: over time, by percentile, by target, and how cost grows with a knob.

use super::figures::Unit;
use super::plot::{Axis, Line, PLACES_MAX, Plot, Scale, mean, thinned, worst};
use super::runs::Group;
use super::spread::{Metric, Point, Spread, latency_name};
use crate::results::{Latency, Run, Second};

/// Percentiles that a curve goes up to, in nines.
const NINES_MAX: f64 = 5.0;

fn time() -> Axis {
    Axis::new(Unit::Seconds, Scale::Linear)
}

fn latency() -> Axis {
    Axis::new(Unit::Micros, Scale::Log)
}

/// A count of each second; nothing when it is 0 all along.
fn counted(run: &Run, name: &str, of: impl Fn(&Second) -> f64) -> Line {
    let points: Vec<_> = run.timeline.iter().map(|second| (second.at, Some(of(second)))).collect();
    let any = points.iter().any(|(_, value)| value.is_some_and(|value| value > 0.0));
    Line::new(name, if any { thinned(&points, mean) } else { Vec::new() })
}

/// A latency of each second; a gap where nothing came.
fn lasted(run: &Run, name: &str, of: impl Fn(&Second) -> u64) -> Line {
    let of = |second: &Second| Some(of(second)).filter(|micros| *micros > 0).map(|micros| micros as f64);
    let points: Vec<_> = run.timeline.iter().map(|second| (second.at, of(second))).collect();
    Line::new(name, thinned(&points, worst))
}

/// The curve of a latency, as far as there are values: of a thousand, up to 99.9 %.
fn curve(name: &str, latency: &Latency) -> Line {
    let nines = (latency.count.max(1) as f64).log10().clamp(1.0, NINES_MAX);
    let end = 100.0 * (1.0 - 10_f64.powf(-nines));
    let points: Vec<_> = latency.curve.iter().filter(|(at, _)| *at <= end + 1e-9).collect();
    let each = points.len().div_ceil(PLACES_MAX).max(1);
    let kept = points.chunks(each).filter_map(|group| group.last());
    Line::new(name, kept.map(|(at, micros)| (*at, (*micros > 0).then_some(*micros as f64))).collect())
}

/// All plots of one run that there is something to see in.
pub(super) fn of_run(run: &Run) -> Vec<Plot> {
    let rate = || Axis::new(Unit::Rate, Scale::Linear);
    let plots = [
        Plot::new(
            "Delivery latency",
            time(),
            latency(),
            vec![
                lasted(run, "p50", |second| second.delivery_p50),
                lasted(run, "p99", |second| second.delivery_p99),
                lasted(run, "p99.9", |second| second.delivery_p999),
            ],
        ),
        Plot::new(
            "Send latency",
            time(),
            latency(),
            vec![lasted(run, "p50", |second| second.send_p50), lasted(run, "p99", |second| second.send_p99)],
        ),
        percentiles(
            "Latency by percentile",
            run.latencies.iter().map(|(name, latency)| curve(&latency_name(name), latency)),
        ),
        Plot::new("Deliveries a second", time(), rate(), vec![counted(run, "delivered", |s| s.delivered as f64)]),
        Plot::new(
            "Sends a second",
            time(),
            rate(),
            vec![
                counted(run, "sent", |second| second.sent as f64),
                counted(run, "acknowledged", |second| second.acknowledged as f64),
                counted(run, "refused and failed", |second| second.failed as f64),
            ],
        ),
        Plot::new("Requests a second", time(), rate(), vec![requests(run)]),
        Plot::new(
            "Processor cores in use",
            time(),
            Axis::new(Unit::Cores, Scale::Linear),
            vec![
                counted(run, "server", |second| second.server_cpu),
                counted(run, "load tester", |second| second.generator_cpu),
            ],
        ),
        Plot::new(
            "Server memory (RSS)",
            time(),
            Axis::new(Unit::Bytes, Scale::Linear),
            vec![counted(run, "resident", |second| second.server_rss_bytes as f64)],
        ),
        Plot::new(
            "Redis commands a second",
            time(),
            rate(),
            vec![counted(run, "commands", |second| second.redis_commands as f64)],
        ),
        Plot::new(
            "Connections",
            time(),
            Axis::new(Unit::Count, Scale::Linear),
            vec![counted(run, "up", |second| second.connections as f64)],
        ),
    ];
    plots.into_iter().filter(|plot| !plot.is_empty()).collect()
}

/// Where all requests are sends, those say it.
fn requests(run: &Run) -> Line {
    match run.counts.requests > run.counts.acknowledged {
        true => counted(run, "answered", |second| second.requests as f64),
        false => Line::default(),
    }
}

fn percentiles(title: &str, lines: impl Iterator<Item = Line>) -> Plot {
    Plot::new(title, Axis::new(Unit::Share, Scale::Nines), latency(), lines.collect())
}

/// The same of several runs, each under its name: latencies by percentile, and what was done in each second.
pub(super) fn side_by_side(runs: &[(String, &Run)]) -> Vec<Plot> {
    let mut names: Vec<&String> = runs.iter().flat_map(|(_, run)| run.latencies.keys()).collect();
    names.sort();
    names.dedup();
    let mut plots = Vec::new();
    for latency in names {
        let lines = runs.iter().filter_map(|(name, run)| Some(curve(name, run.latencies.get(latency)?)));
        plots.push(percentiles(&format!("{} by percentile", capital(&latency_name(latency))), lines));
    }
    let mut over_time = |title: &str, of: &dyn Fn(&Second) -> f64| {
        let lines = runs.iter().map(|(name, run)| counted(run, name, of)).collect();
        plots.push(Plot::new(title, time(), Axis::new(Unit::Rate, Scale::Linear), lines));
    };
    over_time("Deliveries a second", &|second| second.delivered as f64);
    over_time("Acknowledged a second", &|second| second.acknowledged as f64);
    over_time("Server cores in use", &|second| second.server_cpu);
    plots.retain(|plot| !plot.is_empty());
    plots
}

/// How everything grows with a knob: a line for each target, through medians, with the range of the rounds. Nothing when
/// the knob is no number.
pub(super) fn growth(groups: &[Group<'_>], knob: &str) -> Vec<Plot> {
    let all: Vec<&Run> = groups.iter().flat_map(|group| group.runs.iter().copied()).collect();
    let shown = |metric: &Metric| !matches!(metric, Metric::NotDone | Metric::Latency(_, Point::P999));
    let plots = Metric::all(&all).into_iter().filter(shown).map(|metric| {
        let lines = grown(groups, &metric);
        let y =
            Axis::new(metric.unit(), scale(lines.iter().flat_map(|line| line.points.iter().filter_map(|(_, y)| *y))));
        let x = Axis::new(Unit::Rate, scale(groups.iter().filter_map(knob_value)));
        Plot::new(format!("{} by {knob}", capital(&metric.name())), x, y, lines)
    });
    plots.filter(|plot| !plot.is_empty()).collect()
}

/// Values that are far apart are spread by their powers, others from zero.
fn scale(values: impl Iterator<Item = f64>) -> Scale {
    const FAR: f64 = 8.0;
    match Spread::of(values) {
        Some(spread) if spread.min > 0.0 && spread.max / spread.min >= FAR => Scale::Log,
        _ => Scale::Linear,
    }
}

fn knob_value(group: &Group<'_>) -> Option<f64> {
    group.key.knob.as_ref()?.parse().ok()
}

fn grown(groups: &[Group<'_>], metric: &Metric) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    for group in groups {
        let (Some(x), Some(spread)) = (knob_value(group), metric.spread(&group.runs)) else { continue };
        let name = group.target();
        let at = lines.iter().position(|line| line.name == name).unwrap_or_else(|| {
            lines.push(Line { name, marked: true, ..Line::default() });
            lines.len() - 1
        });
        lines[at].points.push((x, Some(spread.median)));
        lines[at].band.push((x, spread.min, spread.max));
    }
    for line in &mut lines {
        line.points.sort_by(|a, b| a.0.total_cmp(&b.0));
        line.band.sort_by(|a, b| a.0.total_cmp(&b.0));
    }
    lines
}

/// With a capital at its begin, for titles.
pub(super) fn capital(text: &str) -> String {
    let mut rest = text.chars();
    rest.next().map(|first| first.to_uppercase().chain(rest).collect()).unwrap_or_default()
}
