//! What the process takes of its machine: open files and memory, as Linux tells them. Elsewhere
//! nothing is told.

use std::fs;

use super::metric;

/// Files that a hub has open besides its connections: its store, its log, what it sends and takes.
const FILES_BESIDE: u64 = 500;

/// Takes the gauges anew. Counting many open files takes milliseconds: not for a thread that serves.
pub(super) fn sample() {
    if let Ok(files) = fs::read_dir("/proc/self/fd") {
        // One of them is this reading.
        metrics::gauge!(metric::OPEN_FILES).set(files.count().saturating_sub(1) as f64);
    }
    if let Some(most) = open_files_max() {
        metrics::gauge!(metric::OPEN_FILES_MAX).set(most as f64);
    }
    if let Some(bytes) = memory_bytes() {
        metrics::gauge!(metric::MEMORY_BYTES).set(bytes as f64);
    }
}

/// Warns if the process may not open as many files as so many connections take.
pub fn check_open_files(tcp_connections_max: usize) {
    let needed = (tcp_connections_max as u64).saturating_add(FILES_BESIDE);
    if let Some(most) = open_files_max().filter(|most| *most < needed) {
        tracing::warn!(
            open_files_max = most,
            needed,
            tcp_connections_max,
            "too few open files for server.tcp_connections_max; raise the limit (ulimit -n) or lower the setting"
        );
    }
}

/// The soft limit; `None` when there is none or it is not told.
fn open_files_max() -> Option<u64> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    limits.lines().find_map(|line| line.strip_prefix("Max open files"))?.split_whitespace().next()?.parse().ok()
}

fn memory_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let kib: u64 =
        status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1024)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn linux_tells() {
        assert!(open_files_max().is_some_and(|most| most > 10));
        assert!(memory_bytes().is_some_and(|bytes| bytes > 1 << 20));
    }
}
