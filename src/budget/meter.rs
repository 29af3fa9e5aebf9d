//! Amounts by meter, as the engine counts them and as users read them.

use std::collections::BTreeMap;

use serde_json::{Map, Number, Value};

use crate::price::{format_nanos, nanos_from_decimal};

pub const TOKENS: &str = "tokens";
pub const INPUT_TOKENS: &str = "input_tokens";
pub const OUTPUT_TOKENS: &str = "output_tokens";
pub const COST: &str = "cost";
pub const REQUESTS: &str = "requests";
/// What the account is charged internally, which is the cost after its internal rate.
pub const INTERNAL_COST: &str = "internal_cost";

/// Meters whose amounts follow from the call itself, so that a caller cannot give them.
const DERIVED: [&str; 6] = [TOKENS, INPUT_TOKENS, OUTPUT_TOKENS, COST, INTERNAL_COST, REQUESTS];

/// Units by meter: nano-units of the currency for cost, counts for every other meter.
pub type Amounts = BTreeMap<String, i64>;

/// Why an object of meters is not usable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MeterError {
    #[error("expected an object of meters")]
    NotAnObject,
    #[error("meter {0} is not a name of lower-case letters, digits and underscores")]
    BadName(String),
    #[error("meter {0} follows from the call and cannot be given")]
    Derived(String),
    #[error("amount of meter {0} is not a whole number from 0 to 9223372036854775807")]
    BadAmount(String),
}

/// Whether `name` may name a meter.
pub fn is_meter_name(name: &str) -> bool {
    name.len() <= 63
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.chars().all(|char| char.is_ascii_lowercase() || char.is_ascii_digit() || char == '_')
}

/// Whether the meter's amounts follow from the call itself.
pub fn is_derived(name: &str) -> bool {
    DERIVED.contains(&name)
}

/// Reads the meters that a caller gives, such as `{"tool_calls": 3}`.
pub fn parse(value: &Value) -> Result<Amounts, MeterError> {
    let object = value.as_object().ok_or(MeterError::NotAnObject)?;
    let mut amounts = Amounts::new();
    for (name, amount) in object {
        if !is_meter_name(name) {
            return Err(MeterError::BadName(name.clone()));
        }
        if is_derived(name) {
            return Err(MeterError::Derived(name.clone()));
        }
        let units = amount.as_i64().filter(|units| *units >= 0);
        amounts.insert(name.clone(), units.ok_or_else(|| MeterError::BadAmount(name.clone()))?);
    }
    Ok(amounts)
}

/// What `later` has more of than `earlier`, without what is no more.
pub fn beyond(later: &Amounts, earlier: &Amounts) -> Amounts {
    let more = |(name, units): (&String, &i64)| {
        let added = units.saturating_sub(earlier.get(name).copied().unwrap_or(0));
        (added > 0).then(|| (name.clone(), added))
    };
    later.iter().filter_map(more).collect()
}

/// Whether the meter is an amount of money, counted in nano-units of the currency.
pub fn is_money(name: &str) -> bool {
    name == COST || name == INTERNAL_COST
}

/// Units of a meter as users read them: a decimal for cost, a whole number otherwise.
pub fn to_json(meter: &str, units: i64) -> Value {
    if !is_money(meter) {
        return Value::from(units);
    }
    match format_nanos(units).parse::<Number>() {
        Ok(number) => Value::Number(number),
        Err(_) => Value::Null,
    }
}

/// An object from meter to amount.
pub fn amounts_to_json(amounts: &Amounts) -> Value {
    Value::Object(amounts.iter().map(|(meter, units)| (meter.clone(), to_json(meter, *units))).collect::<Map<_, _>>())
}

/// Reads back what [`amounts_to_json`] wrote; `None` for anything else.
pub fn amounts_from_json(value: &Value) -> Option<Amounts> {
    value
        .as_object()?
        .iter()
        .map(|(meter, amount)| {
            let number = amount.as_number()?;
            let units =
                if is_money(meter) { nanos_from_decimal(&number.to_string()).ok()? } else { number.as_i64()? };
            Some((meter.clone(), units))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn given_meters_are_whole_and_not_negative() {
        assert_eq!(parse(&json!({"tool_calls": 3, "pages": 0})).unwrap().get("tool_calls"), Some(&3));
        for bad in
            [json!({"tool_calls": -1}), json!({"tool_calls": 1.5}), json!({"tool_calls": "1"}), json!({"pages": 1e30})]
        {
            assert!(matches!(parse(&bad), Err(MeterError::BadAmount(_))), "{bad}");
        }
        assert!(matches!(parse(&json!({"Tool": 1})), Err(MeterError::BadName(_))));
        assert!(matches!(parse(&json!({"cost": 1})), Err(MeterError::Derived(_))));
        assert_eq!(parse(&json!([1])), Err(MeterError::NotAnObject));
    }

    #[test]
    fn only_what_is_more_counts() {
        let amounts = |amounts: &[(&str, i64)]| -> Amounts {
            amounts.iter().map(|(meter, units)| (meter.to_string(), *units)).collect()
        };
        let (earlier, later) =
            (amounts(&[("a", 5), ("b", 5), ("c", 5)]), amounts(&[("a", 7), ("b", 5), ("c", 1), ("d", 2)]));
        assert_eq!(beyond(&later, &earlier), amounts(&[("a", 2), ("d", 2)]));
        assert_eq!(beyond(&earlier, &Amounts::new()), earlier);
    }

    #[test]
    fn amounts_survive_json() {
        let amounts = Amounts::from([("cost".to_string(), 1_234_567_891), ("tokens".to_string(), i64::MAX)]);
        let json = amounts_to_json(&amounts);
        assert_eq!(json.to_string(), r#"{"cost":1.234567891,"tokens":9223372036854775807}"#);
        assert_eq!(amounts_from_json(&json), Some(amounts));
        assert_eq!(amounts_from_json(&json!({"tokens": 1.5})), None);
    }
}
