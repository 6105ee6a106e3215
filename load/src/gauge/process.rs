//! A process from outside, by `/proc`: processor time and memory. A process that is gone has used nothing.

use std::time::Duration;

/// Ticks of `/proc/<pid>/stat` in a second; Linux has had no other for user space in decades.
const TICKS_PER_SECOND: u64 = 100;

/// What some processes have used together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// User and system time since their begin, to ten milliseconds.
    pub cpu: Duration,
    /// Resident now.
    pub rss_bytes: u64,
}

/// Looks at these processes.
#[must_use]
pub fn usage(pids: &[u32]) -> Usage {
    let mut all = Usage::default();
    for pid in pids {
        all.cpu += cpu(&pid.to_string()).unwrap_or_default();
        all.rss_bytes += rss(&pid.to_string()).unwrap_or_default();
    }
    all
}

/// Processor time of this process.
#[must_use]
pub fn own_cpu() -> Duration {
    cpu("self").unwrap_or_default()
}

fn cpu(pid: &str) -> Option<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may have anything in it.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(Duration::from_millis((user + system) * 1_000 / TICKS_PER_SECOND))
}

fn rss(pid: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().trim_end_matches(" kB").parse::<u64>().ok()? * 1024)
}

/// Whether a process has ended, waited for or not.
#[must_use]
pub fn has_ended(pid: u32) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { return true };
    stat.rsplit_once(')').is_none_or(|(_, rest)| matches!(rest.trim_start().chars().next(), None | Some('Z' | 'X')))
}

/// Descriptors that this process may have open; `None` where it cannot be told.
#[must_use]
pub fn descriptors_max() -> Option<u64> {
    limit("self")
}

/// Whether a process has nearly as many descriptors open as it may have.
#[must_use]
pub fn is_out_of_descriptors(pid: u32) -> bool {
    let open = std::fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, |entries| entries.count() as u64);
    limit(&pid.to_string()).is_some_and(|max| open + DESCRIPTORS_LEFT_MIN >= max)
}

/// With fewer left, a server accepts no more.
const DESCRIPTORS_LEFT_MIN: u64 = 16;

fn limit(pid: &str) -> Option<u64> {
    let limits = std::fs::read_to_string(format!("/proc/{pid}/limits")).ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_used_something_and_one_that_is_not_there_nothing() {
        assert!(usage(&[std::process::id()]).rss_bytes > 1_000_000);
        assert_eq!(usage(&[u32::MAX]), Usage::default());
        assert!(descriptors_max().is_some_and(|max| max > 10));
        assert!(!has_ended(std::process::id()) && has_ended(u32::MAX));
        assert!(!is_out_of_descriptors(std::process::id()));
    }
}
