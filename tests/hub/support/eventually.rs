//! Waiting for what must come true: the only place where a test lets time pass.

use std::time::{Duration, Instant};

const POLL_EVERY: Duration = Duration::from_millis(10);
const PATIENCE: Duration = Duration::from_secs(20);

/// How long anything may take before it counts as never: `TALK_TEST_PATIENCE_SECS`, 20 seconds if unset.
pub(crate) fn patience() -> Duration {
    let secs = std::env::var("TALK_TEST_PATIENCE_SECS").ok().and_then(|secs| secs.parse().ok());
    secs.map_or(PATIENCE, Duration::from_secs)
}

/// A time that the hub promises, as a bound: the promise itself, and as many times more as a slow machine is given more
/// patience than usual.
pub(crate) fn promised(time: Duration) -> Duration {
    time.mul_f64((patience().as_secs_f64() / PATIENCE.as_secs_f64()).max(1.0))
}

/// Asks `probe` again and again until it answers `Some`; fails, naming `what`, when patience runs out.
pub(crate) async fn eventually<T>(what: &str, mut probe: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + patience();
    loop {
        if let Some(answer) = probe().await {
            return answer;
        }
        assert!(Instant::now() < deadline, "waited {:?} in vain: {what}", patience());
        tokio::time::sleep(POLL_EVERY).await;
    }
}

/// Awaits `future`, but not longer than patience lasts.
pub(crate) async fn in_time<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(patience(), future).await {
        Ok(value) => value,
        Err(_) => panic!("waited {:?} in vain: {what}", patience()),
    }
}
