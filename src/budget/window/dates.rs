//! Windows of days, weeks, months and years.

use chrono::{DateTime, Datelike, Duration, Months, NaiveDateTime, Utc};
use chrono_tz::Tz;

use crate::budget::window::zone::{first_at, local};
use crate::budget::window::{Step, Window};

/// A window in steps on the local calendar from `anchor`.
pub fn date_window(zone: Tz, anchor: NaiveDateTime, step: Step, at: DateTime<Utc>) -> Option<Window> {
    let boundary = |count: i64| first_at(zone, step.after(anchor, count)?);
    // The estimate is off by one where the day of the month or the time of day is not reached yet, and where clocks went
    // back over a boundary: the local clock shows the time before it again, but the new window has begun.
    let mut count = step.count(anchor, local(zone, at)?);
    let mut start = boundary(count)?;
    while start > at {
        count -= 1;
        start = boundary(count)?;
    }
    let mut end = boundary(count + 1)?;
    while end <= at {
        count += 1;
        start = end;
        end = boundary(count + 1)?;
    }
    Some(Window { start: start.into(), end: end.into() })
}

impl Step {
    /// About how many steps `time` is after `anchor`; negative if before.
    fn count(self, anchor: NaiveDateTime, time: NaiveDateTime) -> i64 {
        match self {
            Step::Days(days) => time.signed_duration_since(anchor).num_seconds().div_euclid(i64::from(days) * 86_400),
            Step::Months(months) => (month_number(time) - month_number(anchor)).div_euclid(i64::from(months)),
        }
    }

    /// The local time so many steps after `anchor`, the last day of a month that has no such day.
    fn after(self, anchor: NaiveDateTime, count: i64) -> Option<NaiveDateTime> {
        match self {
            Step::Days(days) => anchor.checked_add_signed(Duration::try_days(count.checked_mul(i64::from(days))?)?),
            Step::Months(months) => {
                let months = count.checked_mul(i64::from(months))?;
                let distance = Months::new(u32::try_from(months.unsigned_abs()).ok()?);
                if months < 0 { anchor.checked_sub_months(distance) } else { anchor.checked_add_months(distance) }
            }
        }
    }
}

fn month_number(time: NaiveDateTime) -> i64 {
    i64::from(time.year()) * 12 + i64::from(time.month0())
}
