//! Arguments on their way in.

use pgrx::datum::Interval;
use pgrx::{IntoDatum, pg_sys};
use serde_json::{Value, json};

use crate::clock;
use crate::instant::Instant;
use crate::refusal::Refusal;

/// A required argument that is NULL.
pub fn missing(argument: &str) -> Refusal {
    Refusal::invalid_argument(argument, "it is null", "Pass a value.")
}

/// JSON that arrives as text. PostgreSQL nests deeper than the parser goes, and pgrx's own conversion would end in an
/// internal error.
pub fn parse_json(argument: &str, text: &str) -> Result<Value, Refusal> {
    serde_json::from_str(text).map_err(|error| {
        Refusal::invalid_argument(argument, error, "Pass JSON that is nested less than 128 levels deep.")
    })
}

/// An object that may be left out.
pub fn object_or_empty(argument: &str, text: Option<&str>) -> Result<Value, Refusal> {
    text.map_or_else(|| Ok(json!({})), |text| parse_json(argument, text))
}

/// Account paths that are not null.
pub fn paths(name: &str, paths: Option<Vec<Option<String>>>) -> Result<Vec<String>, Refusal> {
    paths.ok_or_else(|| missing(name))?.into_iter().collect::<Option<_>>().ok_or_else(|| missing(name))
}

/// The length of an interval; one that is too long is longer than any that is allowed.
pub fn interval_us(interval: &Interval) -> i64 {
    i64::try_from(interval.as_micros()).unwrap_or(i64::MAX)
}

/// An instant as a column has it.
pub fn timestamp(instant: Instant) -> Option<pg_sys::Datum> {
    clock::to_postgres(instant).into_datum()
}
