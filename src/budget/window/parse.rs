//! A schedule from the words of a user.

use chrono::{Datelike, Days, NaiveDate, NaiveDateTime, NaiveTime, Weekday};
use chrono_tz::{TZ_VARIANTS, Tz};

use crate::budget::window::zone::{first_at, local};
use crate::budget::window::{Rule, Schedule, Step};
use crate::instant::Instant;
use crate::nearest::nearest;

/// What an error repeats of a text; a longer one is no schedule anyway.
const SHOWN_CHARS_MAX: usize = 100;
/// The longest interval in days: ten years have two leap days or three.
const DAYS_MAX: u32 = 3652;

/// Why there is no such schedule. The text is what the user reads.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    #[error(
        "'{0}' is neither minute, hour, day, week, month, quarter or year nor a count of one of them such as '5 hours'"
    )]
    UnknownWindow(String),
    #[error("'{0}' is more than one count and one unit; write for example '36 hours' instead of '1 day 12 hours'")]
    Mixed(String),
    #[error("'{0}' is no count of units; a count is a whole number, 1 or more")]
    InvalidCount(String),
    #[error("'{0}' is longer than ten years")]
    TooLong(String),
    #[error("no time zone has the name '{name}'{}", .nearest.map(|near| format!("; the nearest is '{near}'")).unwrap_or_default())]
    UnknownTimeZone { name: String, nearest: Option<&'static str> },
    #[error("'{0}' is not a day of the week: monday, tuesday, wednesday, thursday, friday, saturday or sunday")]
    UnknownWeekStart(String),
    #[error("'{0}' takes no anchor; an interval such as '1 {0}' does")]
    AnchoredUnit(String),
    #[error("one window without end takes no anchor")]
    AnchoredWhole,
    #[error("the anchor is not an instant that a calendar can express")]
    AnchorOutOfRange,
}

/// See [`Schedule::parse`].
pub fn schedule(
    every: Option<&str>,
    time_zone: &str,
    week_start: &str,
    anchor: Option<Instant>,
) -> Result<Schedule, ScheduleError> {
    let zone = parse_zone(time_zone)?;
    let week_start = parse_weekday(week_start)?;
    let rule = match (every, anchor) {
        (None, None) => Rule::Whole,
        (None, Some(_)) => return Err(ScheduleError::AnchoredWhole),
        (Some(unit), anchor) => match (Unit::parse_singular(unit), anchor) {
            (Some(named), None) => named.calendar(week_start),
            (Some(_), Some(_)) => return Err(ScheduleError::AnchoredUnit(unit.to_string())),
            (None, anchor) => Interval::parse(unit)?.anchored(zone, week_start, anchor)?,
        },
    };
    Ok(Schedule { zone, rule })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Unit {
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Quarter,
    Year,
}

impl Unit {
    fn parse_singular(name: &str) -> Option<Unit> {
        Some(match name {
            "minute" => Unit::Minute,
            "hour" => Unit::Hour,
            "day" => Unit::Day,
            "week" => Unit::Week,
            "month" => Unit::Month,
            "quarter" => Unit::Quarter,
            "year" => Unit::Year,
            _ => return None,
        })
    }

    fn parse(name: &str) -> Option<Unit> {
        Unit::parse_singular(name.strip_suffix('s').unwrap_or(name))
    }

    /// The most of these that an interval may have.
    fn count_max(self) -> u32 {
        match self {
            Unit::Minute => DAYS_MAX * 24 * 60,
            Unit::Hour => DAYS_MAX * 24,
            Unit::Day => DAYS_MAX,
            Unit::Week => DAYS_MAX / 7,
            Unit::Month => 120,
            Unit::Quarter => 40,
            Unit::Year => 10,
        }
    }

    /// The windows of the calendar itself.
    fn calendar(self, week_start: Weekday) -> Rule {
        match self.length() {
            Length::Seconds(length_s) => Rule::Clock { length_s },
            Length::Dates(step) => Rule::Dates { anchor: self.default_anchor(week_start), step },
        }
    }

    /// From where the windows are counted that have no anchor of their own.
    fn default_anchor(self, week_start: Weekday) -> NaiveDateTime {
        let epoch = NaiveDate::default();
        let days_later = match self {
            Unit::Week => week_start.days_since(epoch.weekday()),
            _ => 0,
        };
        epoch.checked_add_days(Days::new(u64::from(days_later))).unwrap_or(epoch).and_time(NaiveTime::MIN)
    }

    fn length(self) -> Length {
        match self {
            Unit::Minute => Length::Seconds(60),
            Unit::Hour => Length::Seconds(3600),
            Unit::Day => Length::Dates(Step::Days(1)),
            Unit::Week => Length::Dates(Step::Days(7)),
            Unit::Month => Length::Dates(Step::Months(1)),
            Unit::Quarter => Length::Dates(Step::Months(3)),
            Unit::Year => Length::Dates(Step::Months(12)),
        }
    }
}

/// How long a unit is.
enum Length {
    Seconds(u32),
    Dates(Step),
}

/// A count of one unit.
struct Interval {
    count: u32,
    unit: Unit,
}

impl Interval {
    fn parse(text: &str) -> Result<Interval, ScheduleError> {
        let (count_text, unit_text) = text.split_once(' ').unwrap_or_default();
        let unit = match Unit::parse(unit_text) {
            Some(unit) if !count_text.is_empty() => unit,
            _ if is_mixed(text) => return Err(ScheduleError::Mixed(shortened(text))),
            _ => return Err(ScheduleError::UnknownWindow(shortened(text))),
        };
        let is_whole = count_text.bytes().all(|byte| byte.is_ascii_digit());
        if !is_whole || count_text.bytes().all(|byte| byte == b'0') {
            return Err(ScheduleError::InvalidCount(shortened(count_text)));
        }
        match count_text.parse() {
            Ok(count) if count <= unit.count_max() => Ok(Interval { count, unit }),
            _ => Err(ScheduleError::TooLong(shortened(text))),
        }
    }

    fn anchored(self, zone: Tz, week_start: Weekday, anchor: Option<Instant>) -> Result<Rule, ScheduleError> {
        let Interval { count, unit } = self;
        let anchor_utc = match anchor {
            None => first_at(zone, unit.default_anchor(week_start)),
            Some(instant) => instant.utc(),
        }
        .ok_or(ScheduleError::AnchorOutOfRange)?;
        let step = match unit.length() {
            Length::Seconds(unit_s) => {
                let length_us = i64::from(count) * i64::from(unit_s) * 1_000_000;
                return Ok(Rule::Elapsed { anchor: anchor_utc.into(), length_us });
            }
            Length::Dates(Step::Days(days)) => Step::Days(days * count),
            Length::Dates(Step::Months(months)) => Step::Months(months * count),
        };
        let anchor = match anchor {
            None => unit.default_anchor(week_start),
            Some(_) => local(zone, anchor_utc).ok_or(ScheduleError::AnchorOutOfRange)?,
        };
        Ok(Rule::Dates { anchor, step })
    }
}

/// Whether the text is several counts with units.
fn is_mixed(text: &str) -> bool {
    let words: Vec<&str> = text.splitn(5, ' ').collect();
    matches!(words.as_slice(), [_, first, _, second, ..] if Unit::parse(first).is_some() && Unit::parse(second).is_some())
}

fn parse_zone(name: &str) -> Result<Tz, ScheduleError> {
    name.parse().map_err(|_| ScheduleError::UnknownTimeZone {
        name: shortened(name),
        nearest: nearest(name, TZ_VARIANTS.iter().map(|zone| zone.name())).first().copied(),
    })
}

fn parse_weekday(name: &str) -> Result<Weekday, ScheduleError> {
    Ok(match name {
        "monday" => Weekday::Mon,
        "tuesday" => Weekday::Tue,
        "wednesday" => Weekday::Wed,
        "thursday" => Weekday::Thu,
        "friday" => Weekday::Fri,
        "saturday" => Weekday::Sat,
        "sunday" => Weekday::Sun,
        _ => return Err(ScheduleError::UnknownWeekStart(shortened(name))),
    })
}

fn shortened(text: &str) -> String {
    text.chars().take(SHOWN_CHARS_MAX).collect()
}
