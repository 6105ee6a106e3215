//! What is shown of a result: pages that ask nobody for anything, judgements that keep to the spread. The pages lie in
//! `target/tmp` afterwards, to be looked at.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use std::path::Path;

use serde_json::json;
use talk_load::report::compare::Compared;
use talk_load::report::page;
use talk_load::results::{self, Counts, File, Latency, Machine, RedisUse, Run, SCHEMA, Second, Series, Server, Target};

/// A number between 0 and 1 that looks like chance and is always the same.
fn chance(seed: u64) -> f64 {
    let mixed = (seed ^ 0x9e37_79b9_7f4a_7c15).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    ((mixed ^ (mixed >> 31)) % 10_000) as f64 / 10_000.0
}

fn latency(count: u64, p50: f64) -> Latency {
    let percentiles = [0.0, 10.0, 25.0, 50.0, 75.0, 90.0, 95.0, 99.0, 99.5, 99.9, 99.95, 99.99, 99.999, 100.0];
    let at = |p: f64| {
        let nines = -(1.0 - p.min(99.9995) / 100.0_f64).log10();
        (p50 * 0.6 * (1.0 + nines * nines * 0.9)) as u64
    };
    Latency {
        count,
        mean: p50 * 1.2,
        min: at(0.0),
        p50: at(50.0),
        p90: at(90.0),
        p99: at(99.0),
        p999: at(99.9),
        max: at(100.0),
        curve: percentiles.map(|p| (p, at(p))).to_vec(),
    }
}

/// A run of `seconds` at `rate` deliveries a second.
fn run(kind: &str, seconds: u64, rate: f64, seed: u64) -> Run {
    let rate = rate * (0.95 + 0.1 * chance(seed));
    let second = |at: u64| {
        let wave = 1.0 + 0.1 * (chance(seed * 1_000 + at) - 0.5) - if at % 20 == 13 { 0.3 } else { 0.0 };
        let slow = if at % 20 == 13 { 8.0 } else { 1.0 + chance(at + seed) };
        Second {
            at: at as f64 + 1.0,
            sent: (rate / 1_000.0) as u64,
            acknowledged: (rate / 1_000.0 * wave) as u64,
            delivered: (rate * wave) as u64,
            failed: u64::from(at % 20 == 13) * 3,
            requests: (rate / 1_000.0 * wave) as u64,
            send_p50: (400.0 * slow.sqrt()) as u64,
            send_p99: (1_500.0 * slow) as u64,
            // A second in which nothing came: a gap, not a zero.
            delivery_p50: if at == 7 { 0 } else { (700.0 * slow.sqrt()) as u64 },
            delivery_p99: if at == 7 { 0 } else { (2_400.0 * slow) as u64 },
            delivery_p999: if at == 7 { 0 } else { (6_000.0 * slow) as u64 },
            server_cpu: 1.1 * wave,
            server_rss_bytes: 60 << 20 | at << 16,
            generator_cpu: 0.7 * wave,
            redis_commands: (rate / 900.0 * wave) as u64,
            connections: 1_000,
        }
    };
    let timeline: Vec<Second> = (0..seconds).map(second).collect();
    let delivered = timeline.iter().map(|second| second.delivered).sum::<u64>();
    let acknowledged = timeline.iter().map(|second| second.acknowledged).sum::<u64>();
    Run {
        schema: SCHEMA,
        scenario: "fan-out".to_owned(),
        sentence: "One big chat: 1,000 subscribers see every message of a few writers.".to_owned(),
        target: Target {
            kind: kind.to_owned(),
            version: if kind == "hub" { "0.1.0" } else { "ws 8.23.0 on node v20.20.2" }.to_owned(),
            commit: "6188331a".to_owned(),
            store: if kind == "hub" { "redis" } else { "" }.to_owned(),
            nodes: 1,
        },
        machine: Machine { cpu: "AMD EPYC".to_owned(), cores: 2, memory_bytes: 24 << 30, kernel: "6.18.0".to_owned() },
        started: "2026-11-22T19:00:00Z".to_owned(),
        seconds: seconds as f64,
        settings: [("subscribers", json!(1000)), ("in_flight", json!(32)), ("text_bytes", json!(120))]
            .map(|(name, value)| (name.to_owned(), value))
            .into(),
        counts: Counts {
            sent: acknowledged + 4,
            acknowledged,
            failed: 4,
            delivered,
            frames: delivered,
            reads: delivered / 11,
            bytes_read: delivered * 210,
            connected: 1_002,
            requests: acknowledged,
            ..Counts::default()
        },
        latencies: [
            ("send", latency(acknowledged, 400.0 + 90.0 * chance(seed + 1))),
            ("delivery", latency(delivered, 700.0 + 90.0 * chance(seed + 2))),
            ("delivery_across", latency(delivered / 2, 1_900.0)),
        ]
        .map(|(name, latency)| (name.to_owned(), latency))
        .into(),
        timeline,
        server: Server {
            cpu_seconds: seconds as f64 * 1.1,
            rss_begin_bytes: 30 << 20,
            rss_connected_bytes: 54 << 20,
            rss_end_bytes: 61 << 20,
            rss_peak_bytes: 64 << 20,
            cpu_us_per_delivery: 1.1e6 / rate,
            rss_bytes_per_connection: 24_000.0,
            generator_cpu_seconds: seconds as f64 * 0.7,
            ..Server::default()
        },
        redis: (kind == "hub").then(|| RedisUse {
            commands: 120_000,
            script_calls: 30_000,
            cpu_seconds: 4.2,
            memory_begin_bytes: 2 << 20,
            memory_end_bytes: 9 << 20,
            by_command: [("fcall".to_owned(), (30_000, 420_000)), ("xadd".to_owned(), (30_000, 90_000))].into(),
        }),
        violations: Vec::new(),
        violations_count: 0,
    }
}

fn rounds(rounds: u32, rates: &[(&str, f64)]) -> File {
    let runs = (0..rounds).flat_map(|round| {
        rates.iter().map(move |(kind, rate)| run(kind, 30, *rate, u64::from(round) * 7 + kind.len() as u64))
    });
    File::Series(Series { schema: SCHEMA, runs: runs.collect(), rounds, sweep: String::new() })
}

fn sweep() -> File {
    let one = |round: u64, connections: u64, kind: &'static str, cost: f64| {
        let mut run = run(kind, 10, 90_000.0 - cost * connections as f64, round + connections);
        run.scenario = "connections".to_owned();
        run.settings.insert("connections".to_owned(), json!(connections));
        // What follows from the knob is no knob of its own.
        run.settings.insert("senders".to_owned(), json!(connections / 100));
        run
    };
    let runs = (0..3).flat_map(|round| {
        [1_000, 5_000, 10_000, 20_000]
            .into_iter()
            .flat_map(move |connections| [one(round, connections, "hub", 1.1), one(round, connections, "node-ws", 2.9)])
    });
    File::Series(Series { schema: SCHEMA, runs: runs.collect(), rounds: 3, sweep: "connections".to_owned() })
}

/// Leaves a page to be looked at.
fn leave(name: &str, page: &str) {
    std::fs::write(Path::new(env!("CARGO_TARGET_TMPDIR")).join(name), page).expect("written");
}

/// Nothing that a browser would fetch, and nothing that runs.
fn stands_alone(page: &str) {
    for word in ["<script", "<link", "<img", "<iframe", "<use", " src=", "href=", "url(", "@import", "http:", "https:"]
    {
        assert!(!page.contains(word), "{word} is in the page");
    }
    assert!(!page.contains("NaN") && !page.contains("inf "), "a place that is no number");
    for tag in ["svg", "figure", "section", "table", "tr", "td", "g", "text", "details", "main", "div"] {
        let (open, close) = (page.matches(&format!("<{tag}>")).count(), page.matches(&format!("</{tag}>")).count());
        let open = open + page.matches(&format!("<{tag} ")).count();
        assert_eq!(open, close, "<{tag}> is opened and closed");
    }
}

#[test]
fn the_page_of_a_run_stands_alone_and_shows_what_was_measured() {
    let run = run("hub", 60, 1_200_000.0, 3);
    let page = page(&File::Run(Box::new(run.clone())));
    leave("run.html", &page);
    stands_alone(&page);
    for plot in [
        "Delivery latency",
        "Send latency",
        "Latency by percentile",
        "Deliveries a second",
        "Sends a second",
        "Processor cores in use",
        "Server memory (RSS)",
        "Redis commands a second",
    ] {
        assert!(page.contains(&format!("<b>{plot}</b>")), "{plot}");
    }
    for fact in ["AMD EPYC", "6188331a", "in_flight", "No violation", "99.99 %", &run.sentence] {
        assert!(page.contains(fact), "{fact}");
    }
}

#[test]
fn violations_stand_on_top_and_cannot_break_the_page() {
    let mut run = run("hub", 5, 1_000.0, 1);
    run.violations = vec!["agent 3: seq 7 came twice <b>\"&".to_owned(); 2];
    run.violations_count = 1_234;
    let page = page(&File::Run(Box::new(run)));
    leave("violations.html", &page);
    stands_alone(&page);
    let (first, plots) = (page.find("1,234 violations").expect("they are counted"), page.find("<svg"));
    assert!(Some(first) < plots, "before any plot");
    assert!(page.contains("seq 7 came twice &lt;b&gt;&quot;&amp;") && page.contains("and 1,232 more"));
    assert!(!page.contains("No violation"));
}

#[test]
fn rounds_are_shown_as_medians_with_their_range_and_quotients() {
    let file = rounds(5, &[("hub", 1_200_000.0), ("node-ws", 70_000.0), ("write-loop", 2_100_000.0)]);
    let page = page(&file);
    leave("rounds.html", &page);
    stands_alone(&page);
    for part in
        ["hub, redis over the target", "deliveries a second", "the round in the middle of 5", "class=\"c0 round\""]
    {
        assert!(page.contains(part), "{part}");
    }
}

#[test]
fn the_same_scenario_with_other_knobs_is_another_thing() {
    let mut file = rounds(3, &[("hub", 1_200_000.0), ("node-ws", 70_000.0)]);
    if let (File::Series(series), File::Series(other)) = (&mut file, rounds(3, &[("hub", 80_000.0)])) {
        series.runs.extend(other.runs.into_iter().map(|mut run| {
            run.settings.insert("in_flight".to_owned(), json!(1));
            run.settings.insert("rate".to_owned(), json!(run.counts.sent));
            run
        }));
    }
    let page = page(&file);
    leave("goals.html", &page);
    stands_alone(&page);
    let (first, second) = page.split_once("<h2 class=\"scenario\">fan-out, in_flight = 1</h2>").expect("its own part");
    assert!(first.contains("<h2 class=\"scenario\">fan-out, in_flight = 32</h2>") && first.contains("node-ws"));
    assert!(second.contains("the round in the middle of 3") && !second.contains("node-ws"), "no other rounds in it");
}

#[test]
fn a_sweep_is_shown_as_growth() {
    let page = page(&sweep());
    leave("sweep.html", &page);
    stands_alone(&page);
    assert_eq!(page.matches("<h2>Growth").count(), 1, "one section");
    for part in ["Growth with connections", "class=\"band c1\"", "5,000", "20k"] {
        assert!(page.contains(part), "{part}");
    }
}

#[test]
fn a_run_in_which_nothing_happened_is_shown_too() {
    for file in [
        File::Run(Box::default()),
        File::Series(Series::default()),
        File::Series(Series { runs: vec![Run::default(); 2], sweep: "nothing".to_owned(), ..Series::default() }),
    ] {
        stands_alone(&page(&file));
        let compared = Compared { old_name: "a", old: &file, new_name: "b", new: &file };
        stands_alone(&compared.html());
        assert!(!compared.text().contains("NaN"));
    }
}

#[test]
fn a_long_run_makes_no_big_page() {
    let page = page(&File::Run(Box::new(run("hub", 7_200, 1_000.0, 1))));
    leave("soak.html", &page);
    assert!(page.len() < 1_500_000, "{} bytes", page.len());
}

#[test]
fn two_results_are_judged_by_the_range_of_their_rounds() {
    let old = rounds(5, &[("hub", 800_000.0), ("node-ws", 70_000.0)]);
    let mut new = rounds(5, &[("hub", 1_200_000.0), ("node-ws", 70_000.0)]);
    if let File::Series(series) = &mut new {
        for run in &mut series.runs {
            run.settings.insert("in_flight".to_owned(), json!(8));
            run.server.rss_bytes_per_connection *= 1.5;
        }
    }
    let compared = Compared { old_name: "old.json", old: &old, new_name: "new.json", new: &new };
    let text = compared.text();
    leave("compare.txt", &text);
    let page = compared.html();
    leave("compare.html", &page);
    stands_alone(&page);
    let hub = text.split("fan-out: node-ws").next().expect("the hub's part");
    let line = |name: &str| hub.lines().find(|line| line.trim_start().starts_with(name)).expect("a line").to_owned();
    assert!(line("deliveries a second").ends_with("better"), "{hub}");
    assert!(line("server memory per connection").ends_with("worse"), "{hub}");
    assert!(line("delivery p99 ").ends_with('×'), "the same latencies are not judged: {hub}");
    assert!(hub.contains("in_flight: 32 and 8"), "{hub}");
}

#[test]
fn a_single_round_is_not_judged() {
    let (old, new) = (rounds(1, &[("hub", 800_000.0)]), rounds(1, &[("node-ws", 70_000.0)]));
    let text = Compared { old_name: "a", old: &old, new_name: "b", new: &new }.text();
    assert!(text.contains("fan-out: hub, redis and fan-out: node-ws"), "one of each is compared: {text}");
    assert!(text.contains("too few to judge by") && !text.contains("worse\n"), "{text}");
}

#[test]
fn a_result_is_read_again_as_it_was_written() {
    let dir = tempfile::tempdir().expect("a directory");
    for (name, file) in [("run.json", File::Run(Box::new(run("hub", 5, 1_000.0, 1)))), ("sweep.json", sweep())] {
        let path = dir.path().join(name);
        match &file {
            File::Run(run) => results::write(&path, run),
            File::Series(series) => results::write(&path, series),
        }
        .expect("written");
        assert_eq!(page(&File::read(&path).expect("read")), page(&file));
    }
}
