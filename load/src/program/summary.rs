//! What is said of a run when it is over: a few lines.

use std::fmt::Write as _;

use crate::results::{Run, per_second};

/// Violations that are printed; the others are in the file.
const VIOLATIONS_SHOWN: usize = 10;

/// See the module.
pub(super) fn of(run: &Run) -> String {
    let mut text = String::new();
    let (counts, seconds) = (&run.counts, run.seconds);
    let rate = |count| thousands(per_second(count, seconds));
    let target = &run.target;
    let _ = write!(text, "{} on {}", run.scenario, target.kind);
    if !target.store.is_empty() {
        let _ = write!(text, ", {}", target.store);
    }
    if target.nodes > 1 {
        let _ = write!(text, ", {} nodes", target.nodes);
    }
    let _ = writeln!(text, ", {seconds:.1} s");
    if counts.sent > 0 {
        let (refused, failed) = (counts.refused, counts.failed);
        let _ = writeln!(text, "  acknowledged   {}/s, refused {refused}, failed {failed}", rate(counts.acknowledged));
    }
    if counts.delivered > 0 {
        let per_read = counts.frames as f64 / counts.reads.max(1) as f64;
        let _ = writeln!(text, "  delivered      {}/s, {per_read:.1} frames a read", rate(counts.delivered));
    }
    if counts.requests > counts.acknowledged {
        let _ = writeln!(text, "  requests       {}/s, pages {}/s", rate(counts.requests), rate(counts.pages));
    }
    for (name, latency) in &run.latencies {
        let _ = writeln!(
            text,
            "  {name:<14} p50 {}, p99 {}, p99.9 {}, max {} ({})",
            time(latency.p50),
            time(latency.p99),
            time(latency.p999),
            time(latency.max),
            latency.count
        );
    }
    server(&mut text, run);
    if run.violations_count > 0 {
        let _ = writeln!(text, "  VIOLATIONS: {}", run.violations_count);
        for words in run.violations.iter().take(VIOLATIONS_SHOWN) {
            let _ = writeln!(text, "    {words}");
        }
    }
    text.trim_end().to_owned()
}

fn server(text: &mut String, run: &Run) {
    let (server, seconds) = (&run.server, run.seconds.max(1e-9));
    if server.cpu_seconds > 0.0 || server.rss_end_bytes > 0 {
        let _ = write!(text, "  server         {:.2} cores", server.cpu_seconds / seconds);
        if server.cpu_us_per_delivery > 0.0 {
            let _ = write!(text, ", {:.2} µs a delivery", server.cpu_us_per_delivery);
        }
        if server.cpu_us_per_request > 0.0 {
            let _ = write!(text, ", {:.1} µs a request", server.cpu_us_per_request);
        }
        let _ = write!(text, ", {} MiB at most", server.rss_peak_bytes >> 20);
        if server.rss_bytes_per_connection > 0.0 {
            let _ = write!(text, ", {:.1} KiB a connection", server.rss_bytes_per_connection / 1024.0);
        }
        let _ = writeln!(text, "; generator {:.2} cores", server.generator_cpu_seconds / seconds);
    }
    if let Some(redis) = &run.redis {
        let (commands, cores) = (thousands(per_second(redis.commands, seconds)), redis.cpu_seconds / seconds);
        let scripts = thousands(per_second(redis.script_calls, seconds));
        let _ = writeln!(text, "  redis          {commands} commands/s, {scripts} scripts/s, {cores:.2} cores");
    }
}

/// Microseconds, as people read them.
pub(super) fn time(micros: u64) -> String {
    match micros {
        0..1_000 => format!("{micros} µs"),
        1_000..1_000_000 => format!("{:.2} ms", micros as f64 / 1e3),
        _ => format!("{:.2} s", micros as f64 / 1e6),
    }
}

/// A rate, as people read it.
pub(super) fn thousands(value: f64) -> String {
    match value {
        value if value >= 1e6 => format!("{:.2}M", value / 1e6),
        value if value >= 1e4 => format!("{:.1}k", value / 1e3),
        value => format!("{value:.0}"),
    }
}
