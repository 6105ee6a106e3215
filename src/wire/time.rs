//! The one form of a moment on the wire: `2024-01-17 10:30:00.000000`, UTC, always six digits.

use chrono::{DateTime, NaiveDateTime, Utc};

use crate::model::Micros;

const FORM: &str = "%Y-%m-%d %H:%M:%S%.6f";

/// Writes a moment.
#[must_use]
pub fn format(at: Micros) -> String {
    let micros = i64::try_from(at.0).unwrap_or(i64::MAX);
    DateTime::<Utc>::from_timestamp_micros(micros).unwrap_or(DateTime::<Utc>::MAX_UTC).format(FORM).to_string()
}

/// `""` for a moment that has not come: the one value that says "not deleted".
#[must_use]
pub fn format_option(at: Option<Micros>) -> String {
    at.map(format).unwrap_or_default()
}

/// Reads our own form, and RFC 3339 too. `None` for anything else, and for times before 1970.
#[must_use]
pub fn parse(text: &str) -> Option<Micros> {
    if text.len() > 40 {
        return None;
    }
    let utc = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f")
        .map(|naive| naive.and_utc())
        .or_else(|_| DateTime::parse_from_rfc3339(text).map(|at| at.with_timezone(&Utc)))
        .ok()?;
    u64::try_from(utc.timestamp_micros()).ok().map(Micros).filter(|at| *at <= Micros::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read_again(us in 0..=Micros::MAX.0) {
            let text = format(Micros(us));
            prop_assert_eq!(text.len(), 26);
            prop_assert_eq!(parse(&text), Some(Micros(us)));
        }

        #[test]
        fn no_text_makes_it_stumble(text in "\\PC{0,60}") {
            let _ = parse(&text);
        }
    }

    #[test]
    fn rfc_3339_is_read_too() {
        assert_eq!(parse("2024-01-17T10:30:00.000001Z"), parse("2024-01-17 10:30:00.000001"));
        assert_eq!(parse("2024-01-17T11:30:00+01:00"), parse("2024-01-17 10:30:00"));
        assert_eq!(parse("yesterday"), None);
    }
}
