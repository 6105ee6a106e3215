//! Bounds that were reached: counted each time, and said in the log now and then, so that a flood
//! of refusals is no flood of lines.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::metric;

/// How long a bound that was reached is not said again.
const QUIET: Duration = Duration::from_secs(10);

/// When each was said last. As many entries as there are bounds.
static SAID: LazyLock<Mutex<HashMap<&'static str, Instant>>> = LazyLock::new(Mutex::default);

/// A call was refused because of a bound, which is named as the setting that moves it.
pub fn bound_reached(bound: &'static str) {
    metrics::counter!(metric::BOUNDS_REACHED, "bound" => bound).increment(1);
    if due(bound, Instant::now()) {
        tracing::warn!(bound, "bound reached, calls are refused; raise it if this hub has room, or add a hub");
    }
}

fn due(bound: &'static str, now: Instant) -> bool {
    let mut said = SAID.lock().unwrap_or_else(PoisonError::into_inner);
    let due = said.get(bound).is_none_or(|last| now.saturating_duration_since(*last) >= QUIET);
    if due {
        said.insert(bound, now);
    }
    due
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_is_said_at_once_and_then_now_and_then() {
        let began = Instant::now();
        assert!(due("one", began) && due("another", began));
        assert!(!due("one", began + QUIET / 2));
        assert!(due("one", began + QUIET) && !due("one", began + QUIET));
    }
}
