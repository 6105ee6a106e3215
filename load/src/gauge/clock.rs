//! The one clock of a run: microseconds since it began, the same for all threads, never set back.

use std::time::{Duration, Instant};

/// See the module.
#[derive(Clone, Copy, Debug)]
pub struct Clock(Instant);

impl Clock {
    /// Begins now.
    #[must_use]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Microseconds since it began.
    #[must_use]
    pub fn now(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// How long it is from now until then; nothing when it has passed.
    #[must_use]
    pub fn until(&self, micros: u64) -> Duration {
        Duration::from_micros(micros.saturating_sub(self.now()))
    }
}

/// Seconds as microseconds.
#[must_use]
pub fn micros(seconds: f64) -> u64 {
    // Saturates, and takes what is not a number as 0.
    (seconds * 1e6) as u64
}
