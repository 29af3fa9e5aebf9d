//! The window of a budget as a pure function of time: no job resets anything.

use std::str::FromStr;

use chrono::{DateTime, Datelike, Duration, NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeZone, Timelike, Utc};
use chrono_tz::Tz;

use crate::instant::Instant;

/// A calendar unit. Weeks begin on Monday (ISO 8601).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Calendar {
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Quarter,
    Year,
}

impl FromStr for Calendar {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        Ok(match name {
            "minute" => Calendar::Minute,
            "hour" => Calendar::Hour,
            "day" => Calendar::Day,
            "week" => Calendar::Week,
            "month" => Calendar::Month,
            "quarter" => Calendar::Quarter,
            "year" => Calendar::Year,
            _ => return Err(()),
        })
    }
}

/// From `start` up to, and without, `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    pub start: Instant,
    pub end: Instant,
}

impl Window {
    /// The one window of a budget without a calendar.
    pub const WHOLE: Window = Window { start: Instant::BEFORE_ALL, end: Instant::AFTER_ALL };
}

/// The window that holds `at`, read on the calendar of `zone`; `None` beyond what a calendar can express.
///
/// Windows of one budget are a partition of time. A day, week, month, quarter or year begins at the first instant at
/// which the local clock shows its first midnight or later, so a midnight that the clocks skip begins when they land, and
/// a day on which they go back lasts 25 hours. Hours and minutes follow the local clock between two changes of it, and a
/// change always begins a new one, so an hour that the clocks repeat is two windows.
pub fn window_at(every: Option<Calendar>, zone: Tz, at: Instant) -> Option<Window> {
    let Some(calendar) = every else {
        return Some(Window::WHOLE);
    };
    let at = at.utc()?;
    let (start, end) = match calendar {
        Calendar::Minute => clock_window(zone, at, 60)?,
        Calendar::Hour => clock_window(zone, at, 3600)?,
        _ => date_window(calendar, zone, at)?,
    };
    Some(Window { start: start.into(), end: end.into() })
}

/// A window of `length_s` seconds on the local clock, cut short where the clock changes.
fn clock_window(zone: Tz, at: DateTime<Utc>, length_s: u32) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
    let local = at.with_timezone(&zone).naive_local();
    let elapsed = Duration::seconds(i64::from(local.num_seconds_from_midnight() % length_s))
        + Duration::nanoseconds(i64::from(local.nanosecond()));
    let mut start = at.checked_sub_signed(elapsed)?;
    let mut end = start.checked_add_signed(Duration::seconds(i64::from(length_s)))?;
    let offset_s = offset_seconds(zone, at);
    if offset_seconds(zone, start) != offset_s {
        start = first_instant(start, at, |instant| offset_seconds(zone, instant) == offset_s);
    }
    if offset_seconds(zone, end) != offset_s {
        end = first_instant(at, end, |instant| offset_seconds(zone, instant) != offset_s);
    }
    Some((start, end))
}

fn offset_seconds(zone: Tz, at: DateTime<Utc>) -> i32 {
    zone.offset_from_utc_datetime(&at.naive_utc()).fix().local_minus_utc()
}

/// A window that begins at a local midnight.
fn date_window(calendar: Calendar, zone: Tz, at: DateTime<Utc>) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
    let mut first_day = first_day(calendar, at.with_timezone(&zone).date_naive())?;
    loop {
        let next_day = next_first_day(calendar, first_day)?;
        let end = day_start(zone, next_day)?;
        // Where clocks went back over midnight the local date shows yesterday again, but today has begun.
        if end > at {
            return Some((day_start(zone, first_day)?, end));
        }
        first_day = next_day;
    }
}

fn first_day(calendar: Calendar, day: NaiveDate) -> Option<NaiveDate> {
    match calendar {
        Calendar::Week => day.checked_sub_signed(Duration::days(i64::from(day.weekday().num_days_from_monday()))),
        Calendar::Month => day.with_day(1),
        Calendar::Quarter => NaiveDate::from_ymd_opt(day.year(), (day.month0() / 3) * 3 + 1, 1),
        Calendar::Year => NaiveDate::from_ymd_opt(day.year(), 1, 1),
        _ => Some(day),
    }
}

fn next_first_day(calendar: Calendar, first_day: NaiveDate) -> Option<NaiveDate> {
    let months = match calendar {
        Calendar::Month => 1,
        Calendar::Quarter => 3,
        Calendar::Year => 12,
        Calendar::Week => return first_day.checked_add_signed(Duration::days(7)),
        _ => return first_day.succ_opt(),
    };
    first_day.checked_add_months(chrono::Months::new(months))
}

/// The first instant at which the local clock shows midnight of `day` or later.
fn day_start(zone: Tz, day: NaiveDate) -> Option<DateTime<Utc>> {
    let midnight: NaiveDateTime = day.and_time(NaiveTime::MIN);
    if let Some(instant) = zone.from_local_datetime(&midnight).earliest() {
        return Some(instant.with_timezone(&Utc));
    }
    // The clocks skip this midnight. No zone is further than a day from UTC and no gap is longer than a day.
    let low = midnight.and_utc().checked_sub_signed(Duration::days(2))?;
    let high = midnight.and_utc().checked_add_signed(Duration::days(2))?;
    Some(first_instant(low, high, |instant| instant.with_timezone(&zone).naive_local() >= midnight))
}

/// The first whole second in (`low`, `high`] for which `holds`, given that it does not at `low` and does at `high`.
/// Clocks change at whole seconds.
fn first_instant(low: DateTime<Utc>, high: DateTime<Utc>, holds: impl Fn(DateTime<Utc>) -> bool) -> DateTime<Utc> {
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

#[cfg(test)]
mod tests;
