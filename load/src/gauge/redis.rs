//! What Redis was asked, by what it counts itself (`INFO`).

use std::collections::BTreeMap;
use std::time::Duration;

use redis::AsyncConnectionConfig;
use redis::aio::MultiplexedConnection;

use crate::results::RedisUse;

/// How long it may take to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// Commands that run scripts or functions.
const SCRIPTS: [&str; 6] = ["eval", "evalsha", "eval_ro", "evalsha_ro", "fcall", "fcall_ro"];

/// What it has counted since its start.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    pub commands: u64,
    cpu_seconds: f64,
    memory_bytes: u64,
    by_command: BTreeMap<String, (u64, u64)>,
}

/// A connection to ask on.
#[derive(Clone)]
pub struct Gauge(MultiplexedConnection);

impl std::fmt::Debug for Gauge {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Gauge")
    }
}

impl Gauge {
    /// Connects.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn connect(url: &str) -> redis::RedisResult<Self> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(ANSWER_WITHIN))
            .set_response_timeout(Some(ANSWER_WITHIN));
        Ok(Self(redis::Client::open(url)?.get_multiplexed_async_connection_with_config(&config).await?))
    }

    /// What it says now; nothing when it does not answer.
    pub async fn sample(&mut self) -> Sample {
        let mut ask = redis::cmd("INFO");
        let info: redis::RedisResult<String> = ask.arg("all").query_async(&mut self.0).await;
        info.map(|info| read(&info)).unwrap_or_default()
    }
}

fn read(info: &str) -> Sample {
    let mut sample = Sample::default();
    for (name, value) in info.lines().filter_map(|line| line.trim().split_once(':')) {
        match name {
            "total_commands_processed" => sample.commands = value.parse().unwrap_or_default(),
            "used_cpu_user" | "used_cpu_sys" => sample.cpu_seconds += value.parse().unwrap_or(0.0),
            "used_memory" => sample.memory_bytes = value.parse().unwrap_or_default(),
            _ => {
                let Some(command) = name.strip_prefix("cmdstat_") else { continue };
                let field = |name: &str| {
                    let field = value.split(',').find_map(|field| field.strip_prefix(name)?.strip_prefix('='));
                    field.and_then(|field| field.parse().ok()).unwrap_or_default()
                };
                sample.by_command.insert(command.to_owned(), (field("calls"), field("usec")));
            }
        }
    }
    sample
}

/// What it did between two samples.
#[must_use]
pub fn used(begin: &Sample, end: &Sample) -> RedisUse {
    let mut by_command = BTreeMap::new();
    for (command, (calls, micros)) in &end.by_command {
        let (calls_before, micros_before) = begin.by_command.get(command).copied().unwrap_or_default();
        let calls = calls.saturating_sub(calls_before);
        if calls > 0 {
            by_command.insert(command.clone(), (calls, micros.saturating_sub(micros_before)));
        }
    }
    RedisUse {
        commands: end.commands.saturating_sub(begin.commands),
        script_calls: SCRIPTS.iter().filter_map(|name| by_command.get(*name)).map(|(calls, _)| calls).sum(),
        cpu_seconds: (end.cpu_seconds - begin.cpu_seconds).max(0.0),
        memory_begin_bytes: begin.memory_bytes,
        memory_end_bytes: end.memory_bytes,
        by_command,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_done_is_the_difference_of_what_was_counted() {
        let info = |calls: u64| {
            format!(
                "# CPU\r\nused_cpu_sys:1.5\r\nused_cpu_user:{calls}.0\r\nused_memory:1000\r\ntotal_commands_processed:{calls}\r\ncmdstat_evalsha:calls={calls},usec=40,usec_per_call=2.00\r\n"
            )
        };
        let used = used(&read(&info(5)), &read(&info(25)));
        assert_eq!((used.commands, used.script_calls), (20, 20));
        assert!((used.cpu_seconds - 20.0).abs() < 1e-9);
        assert_eq!(used.by_command.get("evalsha"), Some(&(20, 0)));
    }
}
