//! Windows of minutes and hours.

use chrono::{DateTime, Duration, Timelike, Utc};
use chrono_tz::Tz;

use crate::budget::window::Window;
use crate::budget::window::zone::{first_instant, local, offset_seconds};
use crate::instant::Instant;

/// A window of `length_s` seconds on the local clock, cut short where the clock changes.
pub fn clock_window(zone: Tz, at: DateTime<Utc>, length_s: u32) -> Option<Window> {
    let shown = local(zone, at)?;
    let elapsed = Duration::seconds(i64::from(shown.num_seconds_from_midnight() % length_s))
        + Duration::nanoseconds(i64::from(shown.nanosecond()));
    let mut start = at.checked_sub_signed(elapsed)?;
    let mut end = start.checked_add_signed(Duration::seconds(i64::from(length_s)))?;
    let offset_s = offset_seconds(zone, at);
    if offset_seconds(zone, start) != offset_s {
        start = first_instant(start, at, |instant| offset_seconds(zone, instant) == offset_s);
    }
    if offset_seconds(zone, end) != offset_s {
        end = first_instant(at, end, |instant| offset_seconds(zone, instant) != offset_s);
    }
    Some(Window { start: start.into(), end: end.into() })
}

/// A window of `length_us` microseconds in steps from `anchor`.
pub fn elapsed_window(anchor: Instant, length_us: i64, at: Instant) -> Option<Window> {
    at.utc()?;
    // The distance of two instants can be more than 64 bits hold.
    let (anchor_us, length_us, at_us) = (i128::from(anchor.0), i128::from(length_us), i128::from(at.0));
    let start_us = anchor_us + (at_us - anchor_us).div_euclid(length_us) * length_us;
    let boundary = |us: i128| i64::try_from(us).ok().map(Instant).filter(|instant| instant.utc().is_some());
    Some(Window { start: boundary(start_us)?, end: boundary(start_us + length_us)? })
}
