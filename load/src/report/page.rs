//! The page of a result: one file, no host asked, no script.

use std::fmt::Write as _;

use super::figures::{Unit, count};
use super::plot::draw;
use super::runs::{groups, shown, sweep, target_of};
use super::spread::{Metric, Point, latency_name};
use super::table::{Cell, Mark, Table};
use super::{escape, overview, plots};
use crate::results::{File, Run};

const STYLE: &str = include_str!("page.css");

/// What the figures are of, on top of the page of one run: as many as a line holds.
const TILES_MAX: usize = 6;

/// The page of one run or of several.
pub fn page(file: &File) -> String {
    let runs = file.runs();
    let mut body = String::new();
    match runs {
        [] => body.push_str("<h1>No runs</h1><p>The file holds none.</p>"),
        [run] => {
            heading(&mut body, &[run.scenario.as_str()], &[run.sentence.as_str()], runs);
            violations(&mut body, runs);
            tiles(&mut body, run);
            body.push_str(&details(run));
        }
        runs => {
            let (mut scenarios, mut sentences): (Vec<&str>, Vec<&str>) = Default::default();
            for run in runs.iter().filter(|run| !run.scenario.is_empty()) {
                if !scenarios.contains(&run.scenario.as_str()) {
                    scenarios.push(&run.scenario);
                    sentences.push(&run.sentence);
                }
            }
            heading(&mut body, &scenarios, &sentences, runs);
            violations(&mut body, runs);
            body.push_str(&overview::of(&groups(file), sweep(file)));
        }
    }
    if let Some(run) = runs.first() {
        body.push_str(&origin(run));
    }
    let title = runs.first().map_or("talk-load", |run| run.scenario.as_str());
    whole(&format!("{title} – talk-load"), &body)
}

/// A page around what is in it.
pub(super) fn whole(title: &str, body: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{}</title>\n<style>\n{STYLE}</style></head>\n\
         <body><main>\n{body}</main></body></html>\n",
        escape(title)
    )
}

fn heading(out: &mut String, scenarios: &[&str], sentences: &[&str], runs: &[Run]) {
    let _ = writeln!(out, "<header><h1>{}</h1>", escape(&scenarios.join(", ")));
    if let [sentence] = sentences {
        let _ = writeln!(out, "<p class=\"sentence\">{}</p>", escape(sentence));
    }
    let mut targets: Vec<String> = Vec::new();
    for run in runs {
        let version = run.target.version.trim();
        let target = if version.is_empty() { target_of(run) } else { format!("{} ({version})", target_of(run)) };
        if !targets.contains(&target) {
            targets.push(target);
        }
    }
    let (Some(first), Some(last)) = (runs.first(), runs.last()) else { return };
    let mut facts = vec![targets.join(" · ")];
    facts.push(match runs.len() {
        1 => format!("{} s from {}", super::figures::digits(first.seconds), first.started),
        many => format!("{many} runs, {} to {}", first.started, last.started),
    });
    facts.extend((!first.target.commit.is_empty()).then(|| format!("commit {}", first.target.commit)));
    for fact in facts {
        let _ = writeln!(out, "<p class=\"fact\">{}</p>", escape(&fact));
    }
    out.push_str("</header>\n");
}

/// In red, before anything else; or one calm line.
pub(super) fn violations(out: &mut String, runs: &[Run]) {
    let found: u64 = runs.iter().map(|run| run.violations_count.max(run.violations.len() as u64)).sum();
    if found == 0 {
        // Where nothing is delivered, nobody looked for numbers.
        let looked = runs.iter().any(|run| run.counts.delivered > 0);
        let what = if looked { ": every subscriber saw every number once and in order" } else { "" };
        let _ = writeln!(out, "<p class=\"clean\">No violation{what}.</p>");
        return;
    }
    let _ = write!(out, "<section class=\"violations\"><h2>{} violations</h2><ul>", count(found));
    let mut listed = 0;
    for run in runs {
        for violation in &run.violations {
            let whose = if runs.len() > 1 { format!("{}: ", target_of(run)) } else { String::new() };
            let _ = write!(out, "<li>{}{}</li>", escape(&whose), escape(violation));
            listed += 1;
        }
    }
    out.push_str("</ul>");
    if found > listed {
        let _ = write!(out, "<p>and {} more</p>", count(found - listed));
    }
    out.push_str("</section>\n");
}

fn tiles(out: &mut String, run: &Run) {
    let wanted = |metric: &Metric| match metric {
        Metric::Deliveries | Metric::Sends | Metric::CpuPerDelivery | Metric::RssPerConnection => true,
        Metric::Latency(_, point) => *point == Point::P99,
        _ => false,
    };
    out.push_str("<div class=\"tiles\">");
    for metric in Metric::all(&[run]).into_iter().filter(wanted).take(TILES_MAX) {
        let Some(value) = metric.of(run) else { continue };
        let (value, name) = (metric.unit().show(value), metric.name());
        let _ = write!(out, "<div><b>{}</b><span>{}</span></div>", escape(&value), escape(&name));
    }
    out.push_str("</div>\n");
}

/// Plots and tables of one run.
pub(super) fn details(run: &Run) -> String {
    let mut out = String::from("<div class=\"plots\">\n");
    plots::of_run(run).iter().for_each(|plot| out.push_str(&draw(plot)));
    out.push_str("</div>\n<div class=\"tables\">");
    section(&mut out, "Latency", &latencies(run));
    section(&mut out, "Counts", &counts(run));
    section(&mut out, "Server", &server(run));
    if let Some(table) = redis(run) {
        section(&mut out, "Redis", &table);
    }
    section(&mut out, "Settings", &settings(run));
    out.push_str("</div>\n");
    out
}

pub(super) fn section(out: &mut String, title: &str, table: &Table) {
    if !table.rows.is_empty() {
        let _ = write!(out, "<section><h2>{}</h2>{}</section>", escape(title), table.html());
    }
}

fn latencies(run: &Run) -> Table {
    let mut table = Table::new(&["", "count", "mean", "p50", "p90", "p99", "p99.9", "max"]);
    for (name, latency) in run.latencies.iter().filter(|(_, latency)| latency.count > 0) {
        let values = [latency.p50, latency.p90, latency.p99, latency.p999, latency.max];
        let values = std::iter::once(latency.mean).chain(values.map(|value| value as f64));
        let name = Cell::from(latency_name(name));
        let shown = |value| if value > 0.0 { Unit::Micros.show(value) } else { "–".to_owned() };
        let values = values.map(|value| Cell::from(shown(value)));
        table.row([name, count(latency.count).into()].into_iter().chain(values));
    }
    table
}

fn counts(run: &Run) -> Table {
    let (mut table, counts) = (Table::new(&["", "", "a second"]), &run.counts);
    let bad = |value: u64| if value > 0 { Mark::Bad } else { Mark::Plain };
    let rows = [
        ("sent", counts.sent, Mark::Plain),
        ("acknowledged", counts.acknowledged, Mark::Plain),
        ("refused", counts.refused, bad(counts.refused)),
        ("failed", counts.failed, bad(counts.failed)),
        ("delivered", counts.delivered, Mark::Plain),
        ("frames", counts.frames, Mark::Plain),
        ("reads that brought something", counts.reads, Mark::Plain),
        ("requests answered", counts.requests, Mark::Plain),
    ];
    for (name, value, mark) in rows.into_iter().filter(|(_, value, mark)| *value > 0 || *mark == Mark::Bad) {
        let rate = crate::results::per_second(value, run.seconds);
        table.row([name.into(), Cell::marked(count(value), mark), Unit::Rate.show(rate).into()]);
    }
    let once = [
        ("sockets that came up", counts.connected, Mark::Plain),
        ("tries to connect that failed", counts.connect_failed, bad(counts.connect_failed)),
        ("sockets resumed", counts.resumed, Mark::Plain),
        ("sockets that the server closed", counts.closed, Mark::Plain),
    ];
    for (name, value, mark) in once.into_iter().filter(|(_, value, _)| *value > 0) {
        table.row([name.into(), Cell::marked(count(value), mark), "".into()]);
    }
    for (name, value) in [("bytes read from sockets", counts.bytes_read), ("bytes of answers", counts.body_bytes)] {
        if value > 0 {
            let rate = Unit::Bytes.show(crate::results::per_second(value, run.seconds));
            table.row([name.into(), Unit::Bytes.show(value as f64).into(), rate.into()]);
        }
    }
    if let Some(frames) = Metric::FramesPerRead.of(run) {
        table.row(["frames per read".into(), Unit::Rate.show(frames).into(), "".into()]);
    }
    table
}

fn server(run: &Run) -> Table {
    let (mut table, server) = (Table::new(&["", ""]), &run.server);
    let rows = [
        ("processor time", server.cpu_seconds, Unit::Seconds),
        ("processor time per delivery", server.cpu_us_per_delivery, Unit::Micros),
        ("processor time per request", server.cpu_us_per_request, Unit::Micros),
        ("memory per connection", server.rss_bytes_per_connection, Unit::Bytes),
        ("memory before the first socket", server.rss_begin_bytes as f64, Unit::Bytes),
        ("memory with all connected", server.rss_connected_bytes as f64, Unit::Bytes),
        ("memory in the end", server.rss_end_bytes as f64, Unit::Bytes),
        ("memory, peak", server.rss_peak_bytes as f64, Unit::Bytes),
        ("processor time of the load tester", server.generator_cpu_seconds, Unit::Seconds),
    ];
    rows.iter().filter(|row| row.1 > 0.0).for_each(|(name, value, unit)| table.pair(name, unit.show(*value)));
    table
}

fn redis(run: &Run) -> Option<Table> {
    let redis = run.redis.as_ref()?;
    let mut table = Table::new(&["", "calls", "each"]);
    table.row(["all commands".into(), count(redis.commands).into(), "".into()]);
    table.row(["scripts and functions".into(), count(redis.script_calls).into(), "".into()]);
    let cpu = Unit::Seconds.show(redis.cpu_seconds);
    table.row(["processor time".into(), cpu.into(), "".into()]);
    let memory = [redis.memory_begin_bytes, redis.memory_end_bytes].map(|bytes| Unit::Bytes.show(bytes as f64));
    table.row(["memory, before and after".into(), memory.join(" → ").into(), "".into()]);
    let mut commands: Vec<_> = redis.by_command.iter().filter(|(_, (calls, _))| *calls > 0).collect();
    commands.sort_by_key(|(_, (_, micros))| std::cmp::Reverse(*micros));
    for (name, (calls, micros)) in commands {
        let each = Unit::Micros.show(*micros as f64 / *calls as f64);
        table.row([name.as_str().into(), count(*calls).into(), each.into()]);
    }
    Some(table)
}

pub(super) fn settings(run: &Run) -> Table {
    let mut table = Table::new(&["", ""]);
    run.settings.iter().for_each(|(name, value)| table.pair(name, shown(Some(value))));
    table
}

/// Where and with what it was measured.
pub(super) fn origin(run: &Run) -> String {
    let machine = &run.machine;
    let (mut table, mut out) = (Table::new(&["", ""]), String::new());
    table.pair("processor", format!("{} × {}", machine.cores, machine.cpu));
    table.pair("memory", Unit::Bytes.show(machine.memory_bytes as f64));
    table.pair("kernel", machine.kernel.as_str());
    table.pair("commit", run.target.commit.as_str());
    table.pair("load tester", env!("CARGO_PKG_VERSION"));
    table.pair("schema of the result", run.schema.to_string());
    out.push_str("<div class=\"tables\">");
    section(&mut out, "Machine", &table);
    out.push_str("</div>\n");
    out
}
