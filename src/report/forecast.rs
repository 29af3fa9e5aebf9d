//! How much will be used until a window ends, from hourly use so far.
//!
//! The forecast is a seasonal profile times a level. The profile is the classical ratio-to-mean index by hour of the week or
//! of the day on the local clock (Hyndman & Athanasopoulos, *Forecasting: Principles and Practice*, 3rd ed., section 3.4),
//! shrunken where it is noise. The level is simple exponential smoothing of what the profile leaves (Brown 1959; Holt 1957,
//! reprinted in *International Journal of Forecasting* 20 (2004) 5–10; with a multiplicative season it is Winters 1960 with a
//! fixed profile), with the plain mean unless a shorter memory errs clearly less over sums as long as the one asked for. A
//! growth that stands out adds half its slope, as the theta method does (Assimakopoulos & Nikolopoulos 2000; Hyndman &
//! Billah 2003).
//!
//! The band is that of a sum over a lead time under exponential smoothing (Hyndman, Koehler, Ord & Snyder, *Forecasting with
//! Exponential Smoothing*, 2008, section 6.4), from the errors that forecasts from earlier in the history would have made
//! (*Forecasting: Principles and Practice*, section 5.10), with what is not known of the level added and Student's t for the
//! few errors that there are.

mod level;
mod quantile;
mod season;

use chrono_tz::Tz;

use crate::instant::Instant;
use level::Level;
use season::Season;

const HOUR_US: i64 = 3_600_000_000;
const HOURS_PER_DAY: usize = 24;
/// History beyond this says more about the past than about the present: eight weeks.
pub const HISTORY_HOURS_MAX: usize = 8 * 7 * HOURS_PER_DAY;

/// How a forecast came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Each hour of the week has its share: two weeks of history or more.
    HourOfWeek,
    /// Each day of the week has its share, and each hour of any day: a week of history or more.
    DayAndHour,
    /// Each hour of the day has its share: two days of history or more.
    HourOfDay,
    /// The same in every hour.
    Mean,
}

impl Method {
    pub const fn name(self) -> &'static str {
        match self {
            Method::HourOfWeek => "seasonal_hour_of_week",
            Method::DayAndHour => "seasonal_day_and_hour",
            Method::HourOfDay => "seasonal_hour_of_day",
            Method::Mean => "mean",
        }
    }
}

/// Use in consecutive whole hours of UTC, from the first with any use to the last that is over.
#[derive(Clone, Debug, PartialEq)]
pub struct History {
    /// Whole hours since 1970-01-01 00:00 UTC.
    first_hour: i64,
    amounts: Vec<f64>,
}

impl History {
    /// From the hours that had use, in any order; what is not before `now`'s own hour, or too old, is left out.
    pub fn new(used: impl IntoIterator<Item = (Instant, f64)>, now: Instant) -> History {
        let end_hour = hour_of(now);
        let oldest = end_hour.saturating_sub(HISTORY_HOURS_MAX as i64);
        let used: Vec<(i64, f64)> = used
            .into_iter()
            .map(|(at, amount)| (hour_of(at), amount))
            .filter(|(hour, amount)| (oldest..end_hour).contains(hour) && amount.is_finite() && *amount != 0.0)
            .collect();
        let first_hour = used.iter().map(|(hour, _)| *hour).min().unwrap_or(end_hour);
        let mut amounts = vec![0.0; usize::try_from(end_hour - first_hour).unwrap_or(0)];
        for (hour, amount) in used {
            if let Some(slot) = usize::try_from(hour - first_hour).ok().and_then(|index| amounts.get_mut(index)) {
                *slot += amount;
            }
        }
        History { first_hour, amounts }
    }

    /// How many hours there are.
    pub fn hours(&self) -> usize {
        self.amounts.len()
    }

    fn recent(&self, hours: usize) -> (i64, &[f64]) {
        let skipped = self.amounts.len().saturating_sub(hours);
        (self.first_hour + skipped as i64, self.amounts.get(skipped..).unwrap_or_default())
    }
}

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct Question {
    pub now: Instant,
    /// When the window ends.
    pub end: Instant,
    /// Whose clock hours and weekdays are told by.
    pub zone: Tz,
    /// Probability that the truth is within the band, between 0 and 1.
    pub confidence: f64,
    /// What may still be used, where something limits it.
    pub room: Option<f64>,
}

/// What will be used from now to the end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Forecast {
    pub method: Method,
    pub expected: f64,
    pub lower: f64,
    pub upper: f64,
    /// Change per day of what is used a day; 0 where no growth stands out.
    pub drift_per_day: f64,
    /// When the room will be used up, if before the end.
    pub exhausted_at: Option<Instant>,
}

/// The forecast; none without history, or from numbers that are beyond what can be computed with.
pub fn forecast(history: &History, question: &Question) -> Option<Forecast> {
    if history.hours() == 0 {
        return None;
    }
    let method = method(history.hours());
    let horizon_hours = (question.end.0.saturating_sub(question.now.0)).max(0) as f64 / HOUR_US as f64;
    let (season, level) = fit(history, method, question.zone, horizon_hours);
    let mut ahead =
        Ahead { exhausted_at: question.room.filter(|room| *room <= 0.0).map(|_| question.now), ..Ahead::default() };
    for hour in hour_of(question.now)..=hour_of(question.end) {
        ahead.add(hour, question, &season, &level);
    }
    // It may as well grow not at all, or by its whole slope.
    let deviation = level
        .deviation(ahead.weight)
        .hypot(ahead.growth)
        .hypot(unseen_weekend(history, horizon_hours) * ahead.expected);
    let reach = quantile::student(0.5 + question.confidence / 2.0, level.degrees_of_freedom) * deviation;
    let forecast = Forecast {
        method,
        expected: ahead.expected,
        lower: (ahead.expected - reach).max(0.0),
        upper: ahead.expected + reach,
        drift_per_day: level.drift_per_day(),
        exhausted_at: ahead.exhausted_at,
    };
    [forecast.expected, forecast.upper, forecast.drift_per_day]
        .iter()
        .all(|value| value.is_finite())
        .then_some(forecast)
}

/// The profile and the level.
fn fit(history: &History, method: Method, zone: Tz, horizon_hours: f64) -> (Season, Level) {
    // Whole periods, so that every slot of the profile was seen as often.
    let period = match method {
        Method::HourOfWeek | Method::DayAndHour => 7 * HOURS_PER_DAY,
        Method::HourOfDay => HOURS_PER_DAY,
        Method::Mean => 1,
    };
    let periods = history.hours() / period;
    let (first_hour, amounts) = history.recent(periods * period);
    let shares =
        |season: &Season| -> Vec<f64> { (first_hour..).take(amounts.len()).map(|hour| season.share(hour)).collect() };
    let season = Season::new(method, zone, first_hour, amounts);
    match method {
        Method::DayAndHour => {
            // A week that was seen once fits itself. How much weeks differ is guessed from how much days do.
            let (_, by_day) = fit(history, Method::HourOfDay, zone, horizon_hours);
            (season, by_day.around_mean_of(amounts))
        }
        Method::HourOfWeek => {
            // Growth within the weeks is not their profile.
            let trend = level::trend(amounts, &shares(&season), Some(periods));
            let season = match &trend {
                Some(trend) => Season::new(method, zone, first_hour, &trend.removed_from(amounts)),
                None => season,
            };
            let level = Level::fit(amounts, &shares(&season), horizon_hours, Some(periods));
            (season, level)
        }
        Method::HourOfDay | Method::Mean => {
            let periods = (method == Method::HourOfDay).then_some(periods);
            let level = Level::fit(amounts, &shares(&season), horizon_hours, periods);
            (season, level)
        }
    }
}

/// How far off a forecast may be that has not seen a whole week: where weekends are idle, an average day has two sevenths
/// less than a working day.
fn unseen_weekend(history: &History, horizon_hours: f64) -> f64 {
    let is_seen = history.hours() >= 7 * HOURS_PER_DAY || horizon_hours <= HOURS_PER_DAY as f64;
    if is_seen { 0.0 } else { 2.0 / 7.0 }
}

fn method(hours: usize) -> Method {
    match hours {
        _ if hours >= 14 * HOURS_PER_DAY => Method::HourOfWeek,
        _ if hours >= 7 * HOURS_PER_DAY => Method::DayAndHour,
        _ if hours >= 2 * HOURS_PER_DAY => Method::HourOfDay,
        _ => Method::Mean,
    }
}

fn hour_of(at: Instant) -> i64 {
    at.0.div_euclid(HOUR_US)
}

/// The sum over the hours ahead.
#[derive(Default)]
struct Ahead {
    expected: f64,
    /// The part of it that is growth.
    growth: f64,
    /// Hours, each as busy as the profile says.
    weight: f64,
    exhausted_at: Option<Instant>,
}

impl Ahead {
    fn add(&mut self, hour: i64, question: &Question, season: &Season, level: &Level) {
        let start_us = hour.saturating_mul(HOUR_US);
        let from_us = start_us.max(question.now.0);
        let length_us = start_us.saturating_add(HOUR_US).min(question.end.0) - from_us;
        if length_us <= 0 {
            return;
        }
        let weight = season.share(hour) * (length_us as f64 / HOUR_US as f64);
        let amount = level.per_hour_after(self.weight) * weight;
        if self.exhausted_at.is_none()
            && let Some(room) = question.room
            && self.expected + amount >= room
            && amount > 0.0
        {
            let part = ((room - self.expected) / amount).clamp(0.0, 1.0);
            self.exhausted_at = Some(Instant(from_us + (part * length_us as f64) as i64));
        }
        self.expected += amount;
        self.growth += level.growth_after(self.weight) * weight;
        self.weight += weight;
    }
}

#[cfg(test)]
mod tests;
