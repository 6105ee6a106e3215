//! Times: the wire's are UTC, people's are their own zone's.

use chrono::{DateTime, Days, Duration, Local, NaiveDate, NaiveDateTime, NaiveTime, TimeZone, Utc};

use crate::model::Micros;
use crate::wire::time;

/// A moment of the wire in the zone of this machine; `None` when it is none.
fn local(moment: &str) -> Option<DateTime<Local>> {
    let micros = i64::try_from(time::parse(moment)?.0).ok()?;
    DateTime::<Utc>::from_timestamp_micros(micros).map(|at| at.with_timezone(&Local))
}

/// The day of a moment, as a heading.
pub(super) fn day(moment: &str) -> String {
    local(moment).map(|at| at.format("%A, %-d %B %Y").to_string()).unwrap_or_default()
}

/// The time of day of a moment.
pub(super) fn clock(moment: &str) -> String {
    local(moment).map_or_else(|| String::from("--:--"), |at| at.format("%H:%M").to_string())
}

/// A moment for a list: the time when it is of today, else the day.
pub(super) fn brief(moment: &str) -> String {
    let Some(at) = local(moment) else { return String::new() };
    let form = if at.date_naive() == Local::now().date_naive() { "%H:%M" } else { "%Y-%m-%d" };
    at.format(form).to_string()
}

/// This moment, as the wire writes it.
pub(super) fn now() -> String {
    wire(Utc::now())
}

fn wire(at: DateTime<Utc>) -> String {
    time::format(Micros(u64::try_from(at.timestamp_micros()).unwrap_or_default()))
}

/// A moment that somebody typed, as the wire writes it: `90m`, `2h`, `3d` ago, `today`, `yesterday`, a
/// day, a day and a time of this machine's zone, or RFC 3339.
pub(super) fn typed(text: &str) -> Option<String> {
    typed_at(text.trim(), Local::now()).map(|at| wire(at.with_timezone(&Utc)))
}

fn typed_at(text: &str, now: DateTime<Local>) -> Option<DateTime<Local>> {
    let morning = |day: NaiveDate| Local.from_local_datetime(&day.and_time(NaiveTime::MIN)).earliest();
    match text {
        "now" => return Some(now),
        "today" => return morning(now.date_naive()),
        "yesterday" => return morning(now.date_naive().checked_sub_days(Days::new(1))?),
        _ => {}
    }
    if let Some((number, unit)) = text.len().checked_sub(1).and_then(|end| text.split_at_checked(end))
        && let Ok(number) = number.parse::<u32>()
    {
        let ago = match unit {
            "m" => Duration::minutes(number.into()),
            "h" => Duration::hours(number.into()),
            "d" => Duration::days(number.into()),
            "w" => Duration::weeks(number.into()),
            _ => return None,
        };
        return now.checked_sub_signed(ago);
    }
    if let Ok(day) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        return morning(day);
    }
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Some(at.with_timezone(&Local));
    }
    let forms = ["%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f"];
    let at = forms.iter().find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())?;
    Local.from_local_datetime(&at).earliest()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_understood_as_people_type_them() {
        let now = Local.with_ymd_and_hms(2024, 1, 17, 10, 30, 0).unwrap();
        let at = |text| typed_at(text, now).map(|at| at.format("%m-%d %H:%M").to_string()).unwrap_or_default();
        assert_eq!(at("90m"), "01-17 09:00");
        assert_eq!(at("2h"), "01-17 08:30");
        assert_eq!(at("1w"), "01-10 10:30");
        assert_eq!(at("today"), "01-17 00:00");
        assert_eq!(at("yesterday"), "01-16 00:00");
        assert_eq!(at("2024-01-15"), "01-15 00:00");
        assert_eq!(at("2024-01-15 18:05"), "01-15 18:05");
        assert_eq!(typed("2024-01-17T11:30:00+01:00").as_deref(), Some("2024-01-17 10:30:00.000000"));
        for wrong in ["", "h", "2x", "-1h", "tomorrow", "99999999999d", "4294967295w", "1é"] {
            assert_eq!(at(wrong), "", "{wrong}");
        }
    }
}
