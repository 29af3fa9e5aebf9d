//! What entries of both formats have in common.

use chrono::NaiveDate;
use serde_json::{Map, Value};

use super::number;

/// The reason noted beside a price of zero.
pub const ZERO_AS_LISTED: &str = "price of 0 as listed";

/// A day as both formats write it, `2026-10-14`; none if it is no day.
pub fn date(value: &Value) -> Option<String> {
    let text = value.as_str().filter(|text| text.len() == "2026-10-14".len())?;
    NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().map(|_| text.to_owned())
}

/// A limit of the entry. One that is no count is only noted, because no price depends on it.
pub fn limit(entry: &Map<String, Value>, key: &str, ignored: &mut Vec<String>) -> Option<i64> {
    let value = entry.get(key).filter(|value| !value.is_null())?;
    number::count(value).map_err(|why| ignored.push(format!("{key}: {why}"))).ok()
}
