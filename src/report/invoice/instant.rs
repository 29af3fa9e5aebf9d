//! Instants as documents have them. One without a zone is in UTC, as all these documents count.

use chrono::{DateTime, Days, NaiveDate, NaiveDateTime, Utc};

use crate::instant::Instant;

const FORMATS: [&str; 4] = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"];
/// 1970 to 9999, as everywhere.
const LAST_US: i64 = 253_402_300_799_999_999;

/// Reads a day or an instant; in microseconds since 1970.
pub fn parse(text: &str) -> Option<i64> {
    let text = text.trim();
    let zoned = DateTime::parse_from_rfc3339(text).ok().map(|instant| instant.with_timezone(&Utc));
    let naive = || {
        let bare = text.strip_suffix('Z').or_else(|| text.strip_suffix(" UTC")).unwrap_or(text);
        FORMATS.iter().find_map(|format| NaiveDateTime::parse_from_str(bare, format).ok()).map(|naive| naive.and_utc())
    };
    zoned.or_else(naive).or_else(|| parse_day(text)).and_then(|instant| in_range(instant.timestamp_micros()))
}

fn parse_day(text: &str) -> Option<DateTime<Utc>> {
    NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?.and_hms_opt(0, 0, 0).map(|midnight| midnight.and_utc())
}

/// Seconds since 1970, as OpenAI has them.
pub fn from_seconds(seconds: i64) -> Option<i64> {
    seconds.checked_mul(1_000_000).and_then(in_range)
}

fn in_range(us: i64) -> Option<i64> {
    (0..=LAST_US).contains(&us).then_some(us)
}

/// The end of the UTC day in which an instant lies.
pub fn end_of_day(us: i64) -> Option<i64> {
    let day = Instant(us).utc()?.date_naive().checked_add_days(Days::new(1))?;
    Some(day.and_hms_opt(0, 0, 0)?.and_utc().timestamp_micros())
}

pub fn format(us: i64) -> String {
    Instant(us).to_string()
}
