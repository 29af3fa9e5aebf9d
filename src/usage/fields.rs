//! Typed access to a usage object that remembers what was read, so that the rest can be reported.

use serde_json::{Map, Number, Value};

use super::decimal::{self, DecimalError};
use super::error::{Reason, UsageError, kind};

/// A usage object may name this many fields that nothing here understands; a report needs no more.
const MAX_UNKNOWN_FIELDS: usize = 32;

pub(super) struct Fields<'a> {
    map: &'a Map<String, Value>,
    path: String,
    seen: Vec<&'static str>,
}

impl<'a> Fields<'a> {
    pub(super) const fn new(map: &'a Map<String, Value>, path: String) -> Self {
        Self { map, path, seen: Vec::new() }
    }

    fn get(&mut self, key: &'static str) -> Option<&'a Value> {
        self.seen.push(key);
        self.map.get(key).filter(|value| !value.is_null())
    }

    fn path_of(&self, key: &str) -> String {
        format!("{}.{key}", self.path)
    }

    /// A count that may be absent or null, which both mean "not stated".
    pub(super) fn optional(&mut self, key: &'static str) -> Result<Option<i64>, UsageError> {
        self.get(key)
            .map(|value| match value {
                Value::Number(number) => count(number),
                other => Err(Reason::NotANumber(kind(other))),
            })
            .transpose()
            .map_err(|reason| UsageError::new(self.path_of(key), reason))
    }

    /// A count that is zero where it is not stated.
    pub(super) fn count(&mut self, key: &'static str) -> Result<i64, UsageError> {
        Ok(self.optional(key)?.unwrap_or(0))
    }

    /// A count that must be there.
    pub(super) fn required(&mut self, key: &'static str) -> Result<i64, UsageError> {
        self.optional(key)?.ok_or_else(|| UsageError::new(self.path_of(key), Reason::Missing))
    }

    /// A text member; anything else is no tier, place or type that could be recognised.
    pub(super) fn text(&mut self, key: &'static str) -> Option<&'a str> {
        self.get(key).and_then(Value::as_str)
    }

    /// A nested object; absent and null are an empty one.
    pub(super) fn object(&mut self, key: &'static str) -> Result<Fields<'a>, UsageError> {
        let path = self.path_of(key);
        match self.get(key) {
            Some(Value::Object(map)) => Ok(Fields::new(map, path)),
            Some(other) => Err(UsageError::new(path, Reason::NotAnObject(kind(other)))),
            None => Ok(Fields::new(empty(), path)),
        }
    }

    /// A nested array of objects; absent and null are an empty one.
    pub(super) fn objects(&mut self, key: &'static str) -> Result<Vec<Fields<'a>>, UsageError> {
        let path = self.path_of(key);
        let items = match self.get(key) {
            Some(Value::Array(items)) => items.as_slice(),
            Some(other) => return Err(UsageError::new(path, Reason::NotAnArray(kind(other)))),
            None => &[],
        };
        items
            .iter()
            .enumerate()
            .map(|(index, item)| {
                let path = format!("{path}[{index}]");
                match item {
                    Value::Object(map) => Ok(Fields::new(map, path)),
                    other => Err(UsageError::new(path, Reason::NotAnObject(kind(other)))),
                }
            })
            .collect()
    }

    /// Names a member that repeats or splits what is counted elsewhere, so that it is not reported as unknown.
    pub(super) fn known(&mut self, keys: &[&'static str]) {
        self.seen.extend_from_slice(keys);
    }

    /// Reports the numeric, non-zero members that were not read.
    pub(super) fn finish(self, unknown: &mut Vec<String>) {
        for (key, value) in self.map.iter().filter(|(key, _)| !self.seen.contains(&key.as_str())) {
            report(&self.path_of(key), value, unknown);
        }
    }
}

fn empty() -> &'static Map<String, Value> {
    static EMPTY: std::sync::LazyLock<Map<String, Value>> = std::sync::LazyLock::new(Map::new);
    &EMPTY
}

fn report(path: &str, value: &Value, unknown: &mut Vec<String>) {
    if unknown.len() >= MAX_UNKNOWN_FIELDS {
        return;
    }
    match value {
        Value::Number(number) if !is_zero(number) => unknown.push(path.to_owned()),
        Value::Object(map) => map.iter().for_each(|(key, value)| report(&format!("{path}.{key}"), value, unknown)),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, item)| report(&format!("{path}[{index}]"), item, unknown));
        }
        _ => {}
    }
}

/// By the digits alone, so that neither a huge exponent nor a fraction matters.
pub(super) fn is_zero(number: &Number) -> bool {
    let text = number.to_string();
    let mantissa = text.split(['e', 'E']).next().unwrap_or_default();
    !mantissa.bytes().any(|byte| matches!(byte, b'1'..=b'9'))
}

/// A count from the number's own text, because a detour over a float would lose digits above 2^53.
fn count(number: &Number) -> Result<i64, Reason> {
    let text = number.to_string();
    if text.starts_with('-') && !is_zero(number) {
        return Err(Reason::Negative);
    }
    let value = decimal::parse_decimal(&text, 0).map_err(|error| match error {
        DecimalError::TooPrecise { .. } => Reason::Fractional,
        DecimalError::Overflow => Reason::TooLarge,
        DecimalError::Syntax => Reason::NotANumber("text that is no finite number"),
    })?;
    i64::try_from(value).map_err(|_| Reason::TooLarge)
}
