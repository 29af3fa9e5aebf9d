//! How use is spread over the day or the week.

use chrono::{DateTime, Datelike, Offset, TimeZone, Timelike};
use chrono_tz::Tz;

use super::Method;

const DAYS: usize = 7;
const HOURS: usize = 24;

/// Use of an hour over that of an average hour.
pub struct Season {
    zone: Tz,
    /// For an hour of the week, of the day, or any.
    shares: Vec<f64>,
}

impl Season {
    /// From whole periods of hourly use.
    ///
    /// What differs between slots by chance is no season: hours of the week are drawn towards weekday times hour by as much
    /// of the difference as is noise, which is the James–Stein shrinkage of Miller & Williams (*International Journal of
    /// Forecasting* 19 (2003) 669–684).
    pub fn new(method: Method, zone: Tz, first_hour: i64, amounts: &[f64]) -> Season {
        let hours: Vec<(usize, f64)> =
            (first_hour..).zip(amounts).map(|(hour, amount)| (hour_of_week(zone, hour), *amount)).collect();
        let mean = amounts.iter().sum::<f64>() / amounts.len() as f64;
        if method == Method::Mean || mean.is_nan() || mean <= 0.0 {
            return Season { zone, shares: vec![1.0] };
        }
        let relative = |slot: fn(usize) -> usize| move |(hour, amount): &(usize, f64)| (slot(*hour), amount / mean);
        let by_hour = || Slots::new(HOURS, hours.iter().map(relative(|hour| hour % HOURS))).means();
        let shares = match method {
            Method::Mean | Method::HourOfDay => by_hour(),
            Method::DayAndHour | Method::HourOfWeek => {
                let by_day = Slots::new(DAYS, hours.iter().map(relative(|hour| hour / HOURS))).means();
                let plain = product(&by_day, &by_hour());
                if method == Method::DayAndHour {
                    plain
                } else {
                    Slots::new(DAYS * HOURS, hours.iter().map(relative(|hour| hour))).drawn_to(&plain)
                }
            }
        };
        // One in which corrections prevail counts as idle.
        Season { zone, shares: shares.into_iter().map(|share| share.max(0.0)).collect() }
    }

    /// The share of an hour.
    pub fn share(&self, hour: i64) -> f64 {
        let slots = self.shares.len().max(1);
        let slot = if slots == 1 { 0 } else { hour_of_week(self.zone, hour) % slots };
        self.shares.get(slot).copied().unwrap_or(1.0)
    }
}

/// Hour by hour, what the weekday and what the hour says.
fn product(days: &[f64], hours: &[f64]) -> Vec<f64> {
    days.iter().flat_map(|day| hours.iter().map(move |hour| day * hour)).collect()
}

/// What was seen in each slot.
struct Slots {
    values: Vec<Vec<f64>>,
}

impl Slots {
    fn new(slots: usize, values: impl Iterator<Item = (usize, f64)>) -> Slots {
        let mut seen = vec![Vec::new(); slots];
        for (slot, value) in values {
            if let Some(values) = seen.get_mut(slot) {
                values.push(value);
            }
        }
        Slots { values: seen }
    }

    /// A slot that the clocks skipped is taken for an average one.
    fn means(&self) -> Vec<f64> {
        let mean = |values: &Vec<f64>| {
            if values.is_empty() { 1.0 } else { values.iter().sum::<f64>() / values.len() as f64 }
        };
        self.values.iter().map(mean).collect()
    }

    /// The means, drawn to `plain` as far as they differ from it by no more than values of one slot differ by chance.
    fn drawn_to(&self, plain: &[f64]) -> Vec<f64> {
        let means = self.means();
        let noise_of_mean = |(values, mean): (&Vec<f64>, &f64)| {
            let count = values.len() as f64;
            let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
            if count > 1.0 { squares / (count - 1.0) / count } else { 0.0 }
        };
        let noise: f64 = self.values.iter().zip(&means).map(noise_of_mean).sum();
        let difference: f64 = means.iter().zip(plain).map(|(mean, plain)| (mean - plain).powi(2)).sum();
        let kept = if difference > 0.0 { (1.0 - noise / difference).max(0.0) } else { 1.0 };
        means.iter().zip(plain).map(|(mean, plain)| plain + kept * (mean - plain)).collect()
    }
}

/// The hour of the week on the local clock, from Monday midnight.
fn hour_of_week(zone: Tz, hour: i64) -> usize {
    let local = || {
        let utc = DateTime::from_timestamp(hour.checked_mul(3600)?, 0)?.naive_utc();
        utc.checked_add_offset(zone.offset_from_utc_datetime(&utc).fix())
    };
    local().map_or(0, |local| local.weekday().num_days_from_monday() as usize * HOURS + local.hour() as usize)
}
