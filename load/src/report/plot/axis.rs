//! Axes: where a value lies, and which values are written beside them.

use crate::report::figures::Unit;

/// How values are spread over an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::report) enum Scale {
    /// From zero.
    Linear,
    /// From the lowest to the highest, nothing below zero.
    Log,
    /// Percentiles: each nine takes as much space as the one before.
    Nines,
}

/// One axis of a plot.
#[derive(Clone, Copy, Debug)]
pub(in crate::report) struct Axis {
    pub(in crate::report) unit: Unit,
    pub(in crate::report) scale: Scale,
}

impl Axis {
    pub(in crate::report) fn new(unit: Unit, scale: Scale) -> Self {
        Self { unit, scale }
    }
}

/// An axis with its ends, from the values that are on it.
#[derive(Clone, Debug)]
pub(super) struct Span {
    scale: Scale,
    low: f64,
    high: f64,
    pub(super) ticks: Vec<(f64, String)>,
}

impl Span {
    /// `tight`: ends at the last value, as time does; else at the tick beyond it.
    pub(super) fn of(axis: &Axis, values: impl Iterator<Item = f64>, tight: bool) -> Self {
        let values: Vec<f64> = values.filter(|value| value.is_finite()).collect();
        let above = || values.iter().copied().filter(|value| *value > 0.0);
        // Without anything above nothing, any axis will do.
        let high = above().reduce(f64::max).unwrap_or(1.0);
        let low = above().fold(high, f64::min);
        match axis.scale {
            Scale::Linear => Self::linear(axis.unit, high, tight),
            Scale::Log if tight => Self::between(axis.unit, low, high),
            Scale::Log => Self::log(axis.unit, low, high),
            Scale::Nines => Self::nines(high),
        }
    }

    fn linear(unit: Unit, high: f64, tight: bool) -> Self {
        const TICKS: f64 = 5.0;
        let step = step(unit, high / TICKS);
        let end = if tight { high } else { (high / step - 1e-9).ceil() * step };
        let count = (end / step + 1e-9).floor() as u32;
        let ticks = (0..=count).map(|tick| f64::from(tick) * step).map(|value| (value, unit.tick(value)));
        Self { scale: Scale::Linear, low: 0.0, high: end, ticks: ticks.collect() }
    }

    /// Ends at one, two or five times a power of ten.
    fn log(unit: Unit, low: f64, high: f64) -> Self {
        let all: Vec<f64> = (-3..12).flat_map(|power| [1.0, 2.0, 5.0].map(|lead| lead * 10_f64.powi(power))).collect();
        let first = all.iter().rposition(|value| *value <= low * 1.000_1).unwrap_or(0);
        let last = all.iter().position(|value| *value >= high * 0.999_9).unwrap_or(all.len() - 1).max(first + 1);
        let range = &all[first..=last.min(all.len() - 1)];
        // Over many powers only these are written.
        let powers = range.len() > 9;
        let ticks = range.iter().filter(|value| !powers || (value.log10() - value.log10().round()).abs() < 1e-6);
        let ticks = ticks.map(|value| (*value, unit.tick(*value))).collect();
        Self { scale: Scale::Log, low: range[0], high: range[range.len() - 1], ticks }
    }

    /// Of chosen values, such as those of a sweep: ends at them, without ticks of its own.
    fn between(unit: Unit, low: f64, high: f64) -> Self {
        let ticks = vec![(low, unit.tick(low)), (high, unit.tick(high))];
        Self { scale: Scale::Log, low, high: if high > low { high } else { low * 10.0 }, ticks }
    }

    fn nines(high: f64) -> Self {
        const NINES: [f64; 7] = [0.0, 50.0, 90.0, 99.0, 99.9, 99.99, 99.999];
        let high = high.clamp(90.0, 99.999);
        let ticks = NINES.iter().filter(|tick| **tick <= high + 1e-9).map(|tick| (*tick, format!("{tick} %")));
        Self { scale: Scale::Nines, low: 0.0, high, ticks: ticks.collect() }
    }

    /// 0 at the low end, 1 at the high end.
    pub(super) fn place(&self, value: f64) -> f64 {
        let place = match self.scale {
            Scale::Linear => (value - self.low) / (self.high - self.low),
            Scale::Log => (value.max(self.low) / self.low).ln() / (self.high / self.low).ln(),
            Scale::Nines => {
                let nines = |percentile: f64| -(1.0 - percentile.min(self.high) / 100.0).log10();
                nines(value) / nines(self.high)
            }
        };
        place.clamp(0.0, 1.0)
    }
}

/// The next of 1, 2, 5 times a power of ten; for bytes, times a power of 1,024; for time, minutes that make sense.
fn step(unit: Unit, rough: f64) -> f64 {
    let base = match unit {
        Unit::Bytes => {
            [30, 20, 10].map(|power| 2_f64.powi(power)).into_iter().find(|size| rough >= *size).unwrap_or(1.0)
        }
        Unit::Seconds if rough >= 30.0 => 60.0,
        _ => 1.0,
    };
    let rough = rough / base;
    let power = 10_f64.powf(rough.log10().floor());
    let lead = [1.0, 2.0, 5.0, 10.0].into_iter().find(|lead| lead * power >= rough * 0.999).unwrap_or(10.0);
    let step = lead * power * base;
    if matches!(unit, Unit::Count) { step.max(1.0) } else { step }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticks(unit: Unit, scale: Scale, values: &[f64], tight: bool) -> Vec<String> {
        let span = Span::of(&Axis::new(unit, scale), values.iter().copied(), tight);
        span.ticks.into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn ticks_are_round_and_few() {
        assert_eq!(ticks(Unit::Rate, Scale::Linear, &[81_800.0], false), ["0", "20k", "40k", "60k", "80k", "100k"]);
        assert_eq!(ticks(Unit::Seconds, Scale::Linear, &[30.0], true), ["0 s", "10 s", "20 s", "30 s"]);
        assert_eq!(ticks(Unit::Bytes, Scale::Linear, &[3e8], false), ["0 B", "100 MiB", "200 MiB", "300 MiB"]);
        assert_eq!(
            ticks(Unit::Micros, Scale::Log, &[300.0, 4_100.0], false),
            ["200 µs", "500 µs", "1 ms", "2 ms", "5 ms"]
        );
        assert_eq!(ticks(Unit::Micros, Scale::Log, &[30.0, 410_000.0], false), ["100 µs", "1 ms", "10 ms", "100 ms"]);
        assert_eq!(ticks(Unit::Share, Scale::Nines, &[50.0, 99.93], false), ["0 %", "50 %", "90 %", "99 %", "99.9 %"]);
    }

    #[test]
    fn nothing_or_one_value_is_no_reason_to_fail() {
        for scale in [Scale::Linear, Scale::Log, Scale::Nines] {
            for values in [&[][..], &[0.0], &[7.0]] {
                for tight in [true, false] {
                    let span = Span::of(&Axis::new(Unit::Rate, scale), values.iter().copied(), tight);
                    let place = span.place(7.0);
                    assert!((0.0..=1.0).contains(&place), "{scale:?} {values:?} {tight}: {place}");
                }
            }
        }
    }

    #[test]
    fn each_nine_takes_the_same_space() {
        let span = Span::of(&Axis::new(Unit::Share, Scale::Nines), [99.99].into_iter(), false);
        let places: Vec<i64> = [90.0, 99.0, 99.9, 99.99].map(|p| (span.place(p) * 1000.0).round() as i64).into();
        assert_eq!(places, [250, 500, 750, 1000]);
        assert_eq!(span.place(100.0), 1.0);
    }
}
