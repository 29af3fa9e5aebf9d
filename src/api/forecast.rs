//! Forecasts.

use chrono_tz::Tz;
use pgrx::datum::TimestampWithTimeZone;
use pgrx::prelude::*;
use pgrx::{IntoDatum, composite_type};

use crate::api::argument::{instant, timestamp};
use crate::api::outcome::row;
use crate::report::forecast::{History, Question, forecast};

#[pg_extern(sql = false)]
fn _use_ahead(
    hours: Option<Vec<Option<TimestampWithTimeZone>>>,
    amounts: Option<Vec<Option<f64>>>,
    present: TimestampWithTimeZone,
    until: TimestampWithTimeZone,
    time_zone: &str,
    confidence: f64,
    room: Option<f64>,
) -> Option<composite_type!('static, "tokbudget.use_ahead")> {
    let used = hours.unwrap_or_default().into_iter().zip(amounts.unwrap_or_default());
    let now = instant(present);
    let history = History::new(used.filter_map(|(hour, amount)| Some((instant(hour?), amount?))), now);
    // Whoever reports has checked the name, unless a zone of a budget has gone from the zone database since.
    let zone = time_zone.parse::<Tz>().unwrap_or(Tz::UTC);
    let question = Question { now, end: instant(until), zone, confidence, room };
    let forecast = forecast(&history, &question)?;
    Some(row(
        c"use_ahead",
        [
            forecast.method.name().into_datum(),
            forecast.expected.into_datum(),
            forecast.lower.into_datum(),
            forecast.upper.into_datum(),
            forecast.drift_per_day.into_datum(),
            forecast.exhausted_at.and_then(timestamp),
        ],
    ))
}
