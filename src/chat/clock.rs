//! The store's clock against this node's. The store's alone decides moments and order; this one
//! serves only to tell the operator when the two go apart.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::model::Micros;
use crate::telemetry::metric;

/// From here on the log says so: less is what clocks on two machines differ by.
const APART: Duration = Duration::from_secs(1);

/// Whether the log has said that they are apart.
static TOLD: AtomicBool = AtomicBool::new(false);

/// Measures how long ago an event was, by our clock, and what the clocks say of each other.
pub(super) fn heard(at: Micros) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let at = Duration::from_micros(at.0);
    let behind = at.saturating_sub(now);
    metrics::histogram!(metric::LINK_LAG).record(now.saturating_sub(at));
    metrics::gauge!(metric::CLOCK_BEHIND).set(behind.as_secs_f64());
    if turned(&TOLD, behind) {
        let seconds = behind.as_secs_f64();
        tracing::warn!(
            seconds,
            "an event is later than this node's clock; set the clocks of redis and the hubs by ntp"
        );
    }
}

/// Whether the clocks have just gone apart. That they are together again is kept for the next time.
fn turned(told: &AtomicBool, behind: Duration) -> bool {
    let apart = behind >= APART;
    // Almost always a read of what is so already.
    told.load(Ordering::Relaxed) != apart && told.swap(apart, Ordering::Relaxed) != apart && apart
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_that_go_apart_are_told_once() {
        let told = AtomicBool::new(false);
        let said: Vec<_> =
            [0, 900, 1_000, 5_000, 0, 0, 2_000].map(|ms| turned(&told, Duration::from_millis(ms))).into();
        assert_eq!(said, [false, false, true, false, false, false, true]);
    }
}
