//! Since when a price holds.

use serde_json::Value;

use super::prices::Prices;
use crate::price::import::entry::date;

/// The first day of what the file lists as having always held.
pub const ALWAYS: &str = "1970-01-01";

/// Prices with the day from which they hold. Without a day they hold as far as the file knows.
#[derive(Debug, Clone)]
pub struct Dated {
    /// First day, in UTC.
    pub from: Option<String>,
    /// The prices.
    pub prices: Prices,
}

/// Reads the prices of a model: an object, or a list of objects of which the last one holds that applies.
pub fn standard(prices: &Value, ignored: &mut Vec<String>) -> Result<Vec<Dated>, String> {
    let Value::Array(parts) = prices else {
        return Ok(vec![Dated { from: None, prices: Prices::read(prices, ignored)? }]);
    };
    let mut dated: Vec<Dated> = Vec::new();
    for part in parts {
        let from = start(part.get("constraint"))?.unwrap_or_else(|| ALWAYS.to_owned());
        let prices = Prices::read(part.get("prices").unwrap_or(&Value::Null), ignored)?;
        // Of two that start together, the later one in the list holds.
        dated.retain(|other| other.from.as_ref() != Some(&from));
        dated.push(Dated { from: Some(from), prices });
    }
    dated.sort_by(|one, other| one.from.cmp(&other.from));
    Ok(dated)
}

/// The day in a constraint; none without a constraint. The error says why the price cannot be taken.
pub fn start(constraint: Option<&Value>) -> Result<Option<String>, String> {
    let constraint = match constraint {
        None | Some(Value::Null) => return Ok(None),
        Some(constraint) => constraint.as_object().ok_or("constraint: expected an object")?,
    };
    if constraint.contains_key("start_time") || constraint.contains_key("end_time") {
        return Err("price depends on the time of day".to_owned());
    }
    match constraint.get("start_date").map(date) {
        Some(Some(day)) if constraint.len() == 1 => Ok(Some(day)),
        Some(None) => Err("constraint: start_date is not a day".to_owned()),
        _ => Err("constraint: not a known one".to_owned()),
    }
}
