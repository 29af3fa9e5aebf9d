//! Windows of time.

use pgrx::datum::TimestampWithTimeZone;
use pgrx::prelude::*;
use pgrx::{IntoDatum, composite_type};
use serde_json::json;

use crate::api::argument::{instant, missing};
use crate::api::outcome::{or_put_aside, row};
use crate::budget::window::{Schedule, Window};
use crate::clock;
use crate::instant::Instant;
use crate::refusal::{Code, Refusal};

/// What a refusal repeats of an argument.
const SHOWN_CHARS_MAX: usize = 100;

const HINT: &str = "Use minute, hour, day, week, month, quarter, year, or a count of one of them such as '5 hours' with or without an anchor; an IANA time zone such as 'Europe/Berlin'; and week_start from 'monday' to 'sunday'.";

#[pg_extern(sql = false)]
fn _check_schedule(
    every: Option<&str>,
    time_zone: Option<&str>,
    week_start: Option<&str>,
    anchor: Option<TimestampWithTimeZone>,
) -> Option<String> {
    schedule(every, time_zone, week_start, anchor.map(instant)).err()
}

#[pg_extern(sql = false)]
fn _window(
    every: Option<&str>,
    at: Option<TimestampWithTimeZone>,
    time_zone: Option<&str>,
    week_start: Option<&str>,
    anchor: Option<TimestampWithTimeZone>,
) -> Option<composite_type!('static, "tokbudget.budget_window")> {
    let anchor = anchor.map(instant);
    let window = at.ok_or_else(|| missing("at")).and_then(|at| {
        let schedule = schedule(every, time_zone, week_start, anchor).map_err(|why| {
            let shown = |text: Option<&str>| text.map(|text| text.chars().take(SHOWN_CHARS_MAX).collect::<String>());
            Refusal::new(
                Code::InvalidArgument,
                "invalid schedule",
                json!({
                    "every": shown(every),
                    "time_zone": shown(time_zone),
                    "week_start": shown(week_start),
                    "anchor": anchor.map(|anchor| anchor.to_string()),
                    "why": why,
                }),
                HINT,
            )
        })?;
        window_at(schedule, instant(at))
    });
    or_put_aside(window).map(|(start, end)| row(c"budget_window", [start.into_datum(), end.into_datum()]))
}

/// The schedule, or why there is none in words.
fn schedule(
    every: Option<&str>,
    time_zone: Option<&str>,
    week_start: Option<&str>,
    anchor: Option<Instant>,
) -> Result<Schedule, String> {
    let time_zone = time_zone.ok_or("time_zone is null")?;
    let week_start = week_start.ok_or("week_start is null")?;
    Schedule::parse(every, time_zone, week_start, anchor).map_err(|error| error.to_string())
}

type Bounds = (Option<TimestampWithTimeZone>, Option<TimestampWithTimeZone>);

/// The two ends of the window, NULL for one that there is not.
fn window_at(schedule: Schedule, at: Instant) -> Result<Bounds, Refusal> {
    let invalid = |why: &str| Refusal::invalid_argument("at", why, "Pass an instant of the present age.");
    // The window without end would hold these too, but nobody means them.
    at.utc().ok_or_else(|| invalid("it is not an instant that a calendar can express"))?;
    let beyond = || invalid("its window is beyond what a timestamp can express");
    match schedule.window_at(at).ok_or_else(beyond)? {
        Window::WHOLE => Ok((None, None)),
        Window { start, end } => {
            let bound = |instant| clock::to_postgres(instant).ok_or_else(beyond);
            Ok((Some(bound(start)?), Some(bound(end)?)))
        }
    }
}
