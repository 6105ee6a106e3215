//! How long things took, in a fixed space however many there were. Three digits of each value are kept, so what comes out,
//! the least and the most included, is off by a thousandth at most.

use hdrhistogram::Histogram;

use crate::results::Latency;

/// Values above it count as it: ten minutes.
const MICROS_MAX: u64 = 600_000_000;

/// Durations in microseconds.
#[derive(Clone, Debug)]
pub struct Spread(Histogram<u64>);

impl Default for Spread {
    #[expect(clippy::expect_used, reason = "the bounds are constants, and such that it takes them")]
    fn default() -> Self {
        Self(Histogram::new_with_bounds(1, MICROS_MAX, 3).expect("good bounds"))
    }
}

impl Spread {
    /// One more.
    pub fn record(&mut self, micros: u64) {
        self.0.saturating_record(micros);
    }

    /// All of another's.
    pub fn add(&mut self, other: &Self) {
        // Both have the same bounds, so that it cannot fail.
        self.0.add(&other.0).ok();
    }

    /// None any more.
    pub fn clear(&mut self) {
        self.0.reset();
    }

    /// How many.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// What so many percent are not above; 0 without any.
    #[must_use]
    pub fn percentile(&self, percent: f64) -> u64 {
        if self.0.is_empty() { 0 } else { self.0.value_at_percentile(percent).min(self.0.max()) }
    }

    /// For a result.
    #[must_use]
    pub fn latency(&self) -> Latency {
        if self.0.is_empty() {
            return Latency::default();
        }
        Latency {
            count: self.count(),
            mean: self.0.mean(),
            min: self.0.min(),
            p50: self.percentile(50.0),
            p90: self.percentile(90.0),
            p99: self.percentile(99.0),
            p999: self.percentile(99.9),
            max: self.0.max(),
            curve: self.curve(),
        }
    }

    /// Ten steps for each halving of what is left above, so that the tail is as visible as the middle.
    fn curve(&self) -> Vec<(f64, u64)> {
        let mut curve: Vec<(f64, u64)> = Vec::new();
        for value in self.0.iter_quantiles(5) {
            let percent = value.quantile_iterated_to() * 100.0;
            let point = (percent, value.value_iterated_to().min(self.0.max()));
            if curve.last().is_none_or(|last| last.0 < percent) {
                curve.push(point);
            }
        }
        curve
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_what_was_recorded() {
        let mut spread = Spread::default();
        (1..=1000).for_each(|value| spread.record(value * 10));
        let latency = spread.latency();
        assert_eq!((latency.count, latency.min), (1000, 10));
        assert!(latency.max.abs_diff(10_000) <= 10, "three digits are kept: {}", latency.max);
        assert!(latency.p50.abs_diff(5_000) <= 5 && latency.p99.abs_diff(9_900) <= 10, "{latency:?}");
        assert!(latency.curve.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 <= pair[1].1));
        assert!(latency.curve.len() > 20);
    }

    #[test]
    fn nothing_recorded_is_zero_everywhere_and_too_much_is_the_most() {
        let mut spread = Spread::default();
        assert_eq!((spread.latency(), spread.percentile(99.0)), (Latency::default(), 0));
        spread.record(u64::MAX);
        assert!(spread.percentile(50.0) >= MICROS_MAX);
    }
}
