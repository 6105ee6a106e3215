//! The ceiling for sends on Redis: `redis-benchmark` adding entries of the same size to as many streams, and nothing else.
//!
//! The server is one of its own, with the append-only file synced every second, as the hub wants it. With a pipeline of 16
//! it is what one Redis can do at best; with 1 what it does for clients that wait for each answer. No script runs, nobody
//! is told, no member is checked. Afterwards the entries in the streams are counted: a rate counts only if all are there.

use std::time::{Duration, Instant};

use super::{Error, Options, Rate, Result};
use crate::rig::redis::{self, Fsync};

/// Entries that find out how many to order for the time that is wanted; they warm up, too.
const TRIAL: u64 = 40_000;
/// Longer than any measure that anybody should order.
const WITHIN: Duration = Duration::from_secs(600);
/// Entries that a measure orders at most: they lie in memory, and 10 million of 160 bytes are 2 GB.
const ENTRIES_MAX: u64 = 10_000_000;
/// Keys that one scan looks at.
const SCAN: u64 = 10_000;

const GET: &str = "it comes with the Redis server's tools (`apt-get install redis-tools`)";

/// Adds entries for about as long as ordered.
pub async fn measure(options: &Options) -> Result<Rate> {
    let server = redis::Server::start(redis::Options::new().append_only(Fsync::EverySecond)).await?;
    let trial = run(server.port(), TRIAL, options).await?;
    let wanted = (trial.per_second() * options.lasting.as_secs_f64()) as u64;
    let rate = run(server.port(), wanted.clamp(TRIAL, ENTRIES_MAX), options).await?;
    let (found, answered) = (entries(&server).await?, trial.operations + rate.operations);
    if found != answered {
        return Err(Error::Unexpected(format!("{found} entries are in the streams, and {answered} were answered")));
    }
    Ok(rate)
}

async fn run(port: u16, operations: u64, options: &Options) -> Result<Rate> {
    let mut command = tokio::process::Command::new("redis-benchmark");
    let (senders, pipeline) = (options.senders.max(1), options.pipeline.max(1));
    for (flag, value) in [("-p", u64::from(port)), ("-c", senders as u64), ("-P", pipeline as u64)] {
        command.arg(flag).arg(value.to_string());
    }
    // It sends whole pipelines only, and would add some that it does not count.
    let operations = operations.next_multiple_of(pipeline as u64);
    command.args(["-n", &operations.to_string(), "-r", &options.streams.max(1).to_string(), "--csv"]);
    command.args(["XADD", "log:__rand_int__", "*", "m"]).arg("x".repeat(options.record_bytes)).kill_on_drop(true);
    let begin = Instant::now();
    let ended = tokio::time::timeout(WITHIN, command.output()).await;
    let output = ended
        .map_err(|_| Error::Unexpected(format!("redis-benchmark took longer than {WITHIN:?}")))?
        .map_err(Error::starting("redis-benchmark", GET))?;
    let told = String::from_utf8_lossy(&output.stdout);
    // After the name of the test, which is quoted and long: rps, then avg, min, p50, p95, p99, max in milliseconds.
    let row: Vec<f64> = match told.lines().rfind(|line| line.contains("XADD")) {
        Some(line) => line.rsplit('"').filter_map(|cell| cell.parse().ok()).take(7).collect(),
        None => Vec::new(),
    };
    let &[_, p99, _, p50, _, _, per_second] = row.as_slice() else {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(Error::Unexpected(format!(
            "redis-benchmark gave no rate after {:?}: {told}{said}",
            begin.elapsed()
        )));
    };
    let micros = |millis: f64| (millis * 1_000.0) as u64;
    let how = format!(
        "redis-benchmark -P {pipeline} -c {senders} XADD, {} bytes, {} streams, append-only file, everysec",
        options.record_bytes, options.streams
    );
    let seconds = if per_second > 0.0 { operations as f64 / per_second } else { 0.0 };
    Ok(Rate { operations, seconds, p50: micros(p50), p99: micros(p99), how })
}

/// How many entries are in all streams of a server.
pub async fn entries(server: &redis::Server) -> Result<u64> {
    let mut found = 0;
    let mut cursor = "0".to_owned();
    loop {
        let (next, keys): (String, Vec<String>) =
            server.ask(&["SCAN", &cursor, "TYPE", "stream", "COUNT", &SCAN.to_string()]).await?;
        for key in keys {
            found += server.ask::<u64>(&["XLEN", &key]).await?;
        }
        if next == "0" {
            return Ok(found);
        }
        cursor = next;
    }
}
