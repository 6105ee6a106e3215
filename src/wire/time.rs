//! The one form of a moment on the wire: `2024-01-17 10:30:00.000000`, UTC, always six digits.

use chrono::{DateTime, NaiveDateTime, Utc};

use crate::model::Micros;

/// Writes a moment. By hand, because a page of messages has two hundred of them: with chrono's
/// formatter a quarter of the time of a page went here. What lies beyond the year 9999 is written as its end.
#[must_use]
pub fn format(at: Micros) -> String {
    let at = at.0.min(Micros::MAX.0);
    let (seconds, micros) = (at / 1_000_000, at % 1_000_000);
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = date(days);
    let mut text = *b"0000-00-00 00:00:00.000000";
    let parts = [
        (0..4, year),
        (5..7, month),
        (8..10, day),
        (11..13, second / 3_600),
        (14..16, second / 60 % 60),
        (17..19, second % 60),
        (20..26, micros),
    ];
    for (place, mut number) in parts {
        for digit in text[place].iter_mut().rev() {
            *digit = b"0123456789"[(number % 10) as usize];
            number /= 10;
        }
    }
    text.iter().copied().map(char::from).collect()
}

/// Year, month and day of so many days after the first of 1970, by the Gregorian calendar.
///
/// Counted in eras of 400 years, all of one length, and years that begin in March, so that a leap
/// day is the last of its year.
fn date(days: u64) -> (u64, u64, u64) {
    const ERA: u64 = 146_097;
    /// From the first of March of the year 0.
    const BEFORE_1970: u64 = 719_468;
    let days = days + BEFORE_1970;
    let (era, day) = (days / ERA, days % ERA);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let march = (5 * day + 2) / 153;
    let month = if march < 10 { march + 3 } else { march - 9 };
    (era * 400 + year + u64::from(month <= 2), month, day - (153 * march + 2) / 5 + 1)
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
        fn it_is_the_calendar_s_date_and_time(us in 0..=Micros::MAX.0) {
            let known = DateTime::<Utc>::from_timestamp_micros(us as i64).expect("a moment");
            prop_assert_eq!(format(Micros(us)), known.format("%Y-%m-%d %H:%M:%S%.6f").to_string());
        }

        #[test]
        fn no_text_makes_it_stumble(text in "\\PC{0,60}") {
            let _ = parse(&text);
        }
    }

    #[test]
    fn every_day_has_its_date() {
        for day in 0..=Micros::MAX.0 / 86_400_000_000 {
            let known = DateTime::<Utc>::from_timestamp_secs((day * 86_400) as i64).expect("a day");
            assert_eq!(format(Micros(day * 86_400_000_000))[..10], known.format("%Y-%m-%d").to_string());
        }
        assert_eq!(format(Micros(u64::MAX)), "9999-12-31 23:59:59.999999");
    }

    #[test]
    fn rfc_3339_is_read_too() {
        assert_eq!(parse("2024-01-17T10:30:00.000001Z"), parse("2024-01-17 10:30:00.000001"));
        assert_eq!(parse("2024-01-17T11:30:00+01:00"), parse("2024-01-17 10:30:00"));
        assert_eq!(parse("yesterday"), None);
    }
}
