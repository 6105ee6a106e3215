//! How long to wait before trying again.

use std::time::Duration;

/// Waits that double from the first to the longest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Backoff {
    pub(crate) first: Duration,
    pub(crate) longest: Duration,
}

impl Backoff {
    /// The wait after this many failures in a row, without jitter.
    pub(crate) fn after(&self, failures: u32) -> Duration {
        let doubled = 2u32.checked_pow(failures.saturating_sub(1)).and_then(|times| self.first.checked_mul(times));
        doubled.unwrap_or(self.longest).min(self.longest)
    }

    /// The same, somewhere between half of it and all: so that many nodes do not come at once.
    pub(crate) fn jittered(&self, failures: u32) -> Duration {
        self.after(failures).mul_f64(0.5 + rand::random::<f64>() / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let backoff = Backoff { first: Duration::from_millis(50), longest: Duration::from_secs(2) };
        let table = [(1, 50), (2, 100), (3, 200), (4, 400), (5, 800), (6, 1600), (7, 2000), (8, 2000), (200, 2000)];
        for (failures, millis) in table {
            assert_eq!(backoff.after(failures), Duration::from_millis(millis), "after {failures}");
        }
    }

    #[test]
    fn jitter_takes_away_half_at_most() {
        let backoff = Backoff { first: Duration::from_millis(100), longest: Duration::from_secs(1) };
        for failures in 1..8 {
            let whole = backoff.after(failures);
            let wait = backoff.jittered(failures);
            assert!(wait >= whole / 2 && wait <= whole, "{wait:?} of {whole:?}");
        }
    }
}
