//! Figures as people read them: with a unit, three digits that mean something, and thousands kept apart.

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Things, shown in full.
    Count,
    /// Things in a second, or any other quantity without a unit.
    Rate,
    /// Microseconds, shown as they are most readable.
    Micros,
    /// Bytes, shown in KiB, MiB or GiB.
    Bytes,
    /// Processor cores in use.
    Cores,
    /// Seconds since the begin.
    Seconds,
    /// A quotient.
    Times,
    /// 0 to 1, shown as 0 % to 100 %.
    Share,
}

impl Unit {
    /// For a table: as exact as makes sense.
    pub fn show(self, value: f64) -> String {
        match self {
            Self::Count => count(value.round().max(0.0) as u64),
            Self::Rate if value >= 100.0 => count(value.round() as u64),
            Self::Rate | Self::Cores => digits(value),
            Self::Micros => micros(value),
            Self::Bytes => bytes(value),
            Self::Seconds => format!("{} s", digits(value)),
            Self::Times => format!("{} ×", digits(value)),
            Self::Share => format!("{} %", digits(value * 100.0)),
        }
    }

    /// For an axis: as short as can be.
    pub fn tick(self, value: f64) -> String {
        match self {
            Self::Count | Self::Rate => match value.abs() {
                size if size >= 1e9 => format!("{}G", short(value / 1e9)),
                size if size >= 1e6 => format!("{}M", short(value / 1e6)),
                size if size >= 1e4 => format!("{}k", short(value / 1e3)),
                size if size >= 1e3 => count(value as u64),
                _ => short(value),
            },
            Self::Cores | Self::Times => short(value),
            Self::Micros => scaled(value, &[(1e6, "s"), (1e3, "ms"), (1.0, "µs")], short),
            Self::Bytes => scaled(value, BYTES, short),
            Self::Seconds if value >= 180.0 => format!("{} min", short(value / 60.0)),
            Self::Seconds => format!("{} s", short(value)),
            Self::Share => format!("{} %", short(value * 100.0)),
        }
    }
}

const BYTES: &[(f64, &str)] =
    &[((1_u64 << 30) as f64, "GiB"), ((1_u64 << 20) as f64, "MiB"), ((1_u64 << 10) as f64, "KiB"), (1.0, "B")];

/// With commas: `1,234,567`.
pub fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Three digits that mean something, thousands kept apart: `0.123`, `1.23`, `12.3`, `1,234`.
pub fn digits(value: f64) -> String {
    match value.abs() {
        size if size < 0.000_5 => "0".to_owned(),
        size if size < 0.999_5 => format!("{value:.3}"),
        size if size < 9.995 => format!("{value:.2}"),
        size if size < 99.95 => format!("{value:.1}"),
        _ if value > 0.0 => count(value.round() as u64),
        _ => format!("{value:.0}"),
    }
}

fn micros(value: f64) -> String {
    scaled(value, &[(1e6, "s"), (1e3, "ms"), (1.0, "µs")], digits)
}

fn bytes(value: f64) -> String {
    scaled(value, BYTES, digits)
}

fn scaled(value: f64, steps: &[(f64, &str)], show: fn(f64) -> String) -> String {
    let fits = steps.iter().find(|(size, _)| value.abs() >= *size * 0.999_5).or(steps.last());
    match fits {
        Some((size, unit)) => format!("{} {unit}", show(value / size)),
        None => show(value),
    }
}

/// Three places at most, without zeros at the end.
pub fn short(value: f64) -> String {
    let text = format!("{value:.3}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn figures_have_units_and_three_digits() {
        let shown = [
            (Unit::Count, 1_234_567.0, "1,234,567"),
            (Unit::Rate, 1_260_000.4, "1,260,000"),
            (Unit::Rate, 12.345, "12.3"),
            (Unit::Micros, 823.0, "823 µs"),
            (Unit::Micros, 4_120.0, "4.12 ms"),
            (Unit::Micros, 999_900.0, "1.00 s"),
            (Unit::Micros, 0.0, "0 µs"),
            (Unit::Bytes, 24_576.0, "24.0 KiB"),
            (Unit::Times, 12.0, "12.0 ×"),
            (Unit::Share, 0.05, "5.00 %"),
        ];
        for (unit, value, text) in shown {
            assert_eq!(unit.show(value), text);
        }
        assert_eq!(Unit::Rate.tick(70_000.0), "70k");
        assert_eq!(Unit::Rate.tick(1_500_000.0), "1.5M");
        assert_eq!(Unit::Micros.tick(500.0), "500 µs");
        assert_eq!(Unit::Seconds.tick(300.0), "5 min");
    }
}
