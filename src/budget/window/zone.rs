//! Between instants and the local clock of a zone.

use chrono::{DateTime, Duration, NaiveDateTime, Offset, TimeZone, Utc};
use chrono_tz::Tz;

/// What the local clock shows at an instant.
pub fn local(zone: Tz, at: DateTime<Utc>) -> Option<NaiveDateTime> {
    // chrono's own naive_local() panics within a day of the calendar's ends.
    at.naive_utc().checked_add_offset(zone.offset_from_utc_datetime(&at.naive_utc()).fix())
}

/// How far the local clock is ahead of UTC.
pub fn offset_seconds(zone: Tz, at: DateTime<Utc>) -> i32 {
    zone.offset_from_utc_datetime(&at.naive_utc()).fix().local_minus_utc()
}

/// The first instant at which the local clock shows `time` or later.
pub fn first_at(zone: Tz, time: NaiveDateTime) -> Option<DateTime<Utc>> {
    if let Some(instant) = zone.from_local_datetime(&time).earliest() {
        return Some(instant.with_timezone(&Utc));
    }
    // The clocks skip this time. No zone is further than a day from UTC and no gap is longer than a day.
    let low = time.and_utc().checked_sub_signed(Duration::days(2))?;
    let high = time.and_utc().checked_add_signed(Duration::days(2))?;
    Some(first_instant(low, high, |instant| local(zone, instant).is_some_and(|shown| shown >= time)))
}

/// The first whole second in (`low`, `high`] for which `holds`, given that it does not at `low` and does at `high`.
/// Clocks change at whole seconds.
pub fn first_instant(low: DateTime<Utc>, high: DateTime<Utc>, holds: impl Fn(DateTime<Utc>) -> bool) -> DateTime<Utc> {
    let (mut low_s, mut high_s) = (low.timestamp(), high.timestamp());
    while high_s - low_s > 1 {
        let middle_s = low_s + (high_s - low_s) / 2;
        if DateTime::from_timestamp(middle_s, 0).is_some_and(&holds) {
            high_s = middle_s;
        } else {
            low_s = middle_s;
        }
    }
    DateTime::from_timestamp(high_s, 0).unwrap_or(high)
}
