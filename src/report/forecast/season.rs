//! How use is spread over the day or the week.

use chrono::{DateTime, Datelike, Offset, TimeZone, Timelike};
use chrono_tz::Tz;

use super::Method;

/// Use of an hour over that of an average hour.
pub struct Season {
    zone: Tz,
    /// For an hour of the week, of the day, or any.
    shares: Vec<f64>,
}

impl Season {
    /// From whole periods of hourly use.
    pub fn new(method: Method, zone: Tz, first_hour: i64, amounts: &[f64]) -> Season {
        let shares = |slots, slot: fn(usize) -> usize| {
            let slots_of_hours = (first_hour..).zip(amounts).map(|(hour, amount)| (slot(hour_of_week(zone, hour)), *amount));
            ratios_to_mean(slots, slots_of_hours)
        };
        let shares = match method {
            Method::HourOfWeek => shares(168, |hour| hour),
            Method::HourOfDay => shares(24, |hour| hour % 24),
            Method::DayAndHour => {
                let (days, hours) = (shares(7, |hour| hour / 24), shares(24, |hour| hour % 24));
                days.iter().flat_map(|day| hours.iter().map(move |hour| day * hour)).collect()
            }
            Method::Mean => vec![1.0],
        };
        Season { zone, shares }
    }

    /// The share of an hour.
    pub fn share(&self, hour: i64) -> f64 {
        let slots = self.shares.len().max(1);
        let slot = if slots == 1 { 0 } else { hour_of_week(self.zone, hour) % slots };
        self.shares.get(slot).copied().unwrap_or(1.0)
    }
}

/// The mean of each slot over that of all hours.
fn ratios_to_mean(slots: usize, hours: impl Iterator<Item = (usize, f64)>) -> Vec<f64> {
    let mut sums = vec![(0.0, 0.0); slots];
    for (slot, amount) in hours {
        if let Some((sum, count)) = sums.get_mut(slot) {
            *sum += amount;
            *count += 1.0;
        }
    }
    let (sum, count) = sums.iter().fold((0.0, 0.0), |all, one| (all.0 + one.0, all.1 + one.1));
    let mean = sum / count;
    // A slot that the clocks skipped is taken for an average one; one in which corrections prevail counts as idle.
    let ratio = |(sum, count): (f64, f64)| if count > 0.0 && mean > 0.0 { (sum / count / mean).max(0.0) } else { 1.0 };
    sums.into_iter().map(ratio).collect()
}

/// The hour of the week on the local clock, from Monday midnight.
fn hour_of_week(zone: Tz, hour: i64) -> usize {
    let local = || {
        let utc = DateTime::from_timestamp(hour.checked_mul(3600)?, 0)?.naive_utc();
        utc.checked_add_offset(zone.offset_from_utc_datetime(&utc).fix())
    };
    local().map_or(0, |local| local.weekday().num_days_from_monday() as usize * 24 + local.hour() as usize)
}
