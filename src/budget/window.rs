//! The window of a budget as a pure function of time: no job resets anything.

mod clock;
mod dates;
mod parse;
mod zone;

use chrono::NaiveDateTime;
use chrono_tz::Tz;

use crate::instant::Instant;

pub use parse::ScheduleError;

/// From `start` up to, and without, `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    pub start: Instant,
    pub end: Instant,
}

impl Window {
    /// The one window of a budget without a schedule.
    pub const WHOLE: Window = Window { start: Instant::BEFORE_ALL, end: Instant::AFTER_ALL };
}

/// How time is cut into windows. The windows of one schedule are a partition of time: each ends where the next begins.
///
/// A day, week, month, quarter or year, and an interval of any number of them, begins at the first instant at which the
/// local clock shows its first midnight (of an interval: the anchor's time of day) or later. So one that the clocks skip
/// begins when they land, one that they show twice begins at the first, and a day on which they go back lasts 25 hours.
/// The boundaries of an interval are counted from the anchor each by itself: monthly from 31 January they are 28
/// February, 31 March, 30 April. An interval of minutes or hours has that length whatever the clocks do.
///
/// The units `minute` and `hour` follow the local clock between two changes of it, and a change always begins a new one,
/// so an hour that the clocks repeat is two windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    zone: Tz,
    rule: Rule,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    /// One window without beginning and end.
    Whole,
    /// Whole minutes or hours on the local clock.
    Clock { length_s: u32 },
    /// Steps of a fixed length, one of which begins at the anchor.
    Elapsed { anchor: Instant, length_us: i64 },
    /// Steps on the local calendar, one of which begins at the anchor.
    Dates { anchor: NaiveDateTime, step: Step },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Days(u32),
    Months(u32),
}

impl Schedule {
    /// Reads a schedule as a budget states it.
    ///
    /// `every` is `minute`, `hour`, `day`, `week`, `month`, `quarter`, `year`, or a count of one of them such as
    /// `5 hours`; `None` is one window without end. An interval is counted from `anchor`, before it as well as after it.
    /// Without an anchor that is midnight of 1970-01-01 in the zone, and for weeks that of the first `week_start` on or
    /// after it; so `1 day`, `1 week`, `1 month`, `3 months` and `1 year` without an anchor are the calendar's own.
    ///
    /// # Errors
    /// [`ScheduleError`], also for a `week_start` that does not matter to `every`.
    pub fn parse(
        every: Option<&str>,
        time_zone: &str,
        week_start: &str,
        anchor: Option<Instant>,
    ) -> Result<Schedule, ScheduleError> {
        parse::schedule(every, time_zone, week_start, anchor)
    }

    /// The window that holds `at`; `None` beyond what a calendar can express.
    pub fn window_at(&self, at: Instant) -> Option<Window> {
        match self.rule {
            Rule::Whole => Some(Window::WHOLE),
            Rule::Clock { length_s } => clock::clock_window(self.zone, at.utc()?, length_s),
            Rule::Elapsed { anchor, length_us } => clock::elapsed_window(anchor, length_us, at),
            Rule::Dates { anchor, step } => dates::date_window(self.zone, anchor, step, at.utc()?),
        }
    }

    /// The window that ends where `window` begins; `None` before one without beginning.
    ///
    /// If `window` is of another schedule, which a budget had earlier, it is the window that was open just before.
    pub fn previous(&self, window: Window) -> Option<Window> {
        match self.rule {
            Rule::Whole => None,
            _ => self.window_at(window.start.checked_add_us(-1)?),
        }
    }
}

#[cfg(test)]
mod tests;
