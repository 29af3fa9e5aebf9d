//! Typed access to a usage object that remembers what was read, so that the rest can be reported.

use serde_json::{Map, Number, Value};

use super::decimal::{self, DecimalError, Rounding};
use super::error::{Reason, UsageError, kind};

/// A usage object may name this many fields that nothing here understands; a report needs no more.
const MAX_UNKNOWN_FIELDS: usize = 32;

/// Decimal places of money.
const NANO: u32 = 9;

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

    fn number(
        &mut self,
        key: &'static str,
        read: fn(&Number) -> Result<i64, Reason>,
    ) -> Result<Option<i64>, UsageError> {
        self.get(key)
            .map(|value| match value {
                Value::Number(number) => read(number),
                other => Err(Reason::NotANumber(kind(other))),
            })
            .transpose()
            .map_err(|reason| UsageError::new(self.path_of(key), reason))
    }

    /// The spelling that is there, or the first; the others are then no unknown fields.
    pub(super) fn pick(&mut self, first: &'static str, others: &[&'static str]) -> &'static str {
        self.seen.push(first);
        self.seen.extend_from_slice(others);
        let present = |key: &&str| self.map.get(*key).is_some_and(|value| !value.is_null());
        if present(&first) { first } else { others.iter().copied().find(present).unwrap_or(first) }
    }

    /// A count that may be absent or null, which both mean "not stated".
    pub(super) fn optional(&mut self, key: &'static str) -> Result<Option<i64>, UsageError> {
        self.number(key, count)
    }

    /// Seconds, which some providers state with a fraction: a second begun counts whole.
    pub(super) fn seconds(&mut self, key: &'static str) -> Result<Option<i64>, UsageError> {
        self.number(key, |number| rounded(number, 0, Rounding::Up))
    }

    /// Seconds that must be there.
    pub(super) fn required_seconds(&mut self, key: &'static str) -> Result<i64, UsageError> {
        self.seconds(key)?.ok_or_else(|| UsageError::new(self.path_of(key), Reason::Missing))
    }

    /// An amount of money in nano-units.
    pub(super) fn money(&mut self, key: &'static str) -> Result<Option<i64>, UsageError> {
        self.number(key, |number| rounded(number, NANO, Rounding::HalfEven))
    }

    /// The first of several counts that is not zero: names under which one thing is stated more than once.
    pub(super) fn first_nonzero(&mut self, keys: &[&'static str]) -> Result<i64, UsageError> {
        let mut found = 0;
        for key in keys {
            let count = self.count(key)?;
            found = if found == 0 { count } else { found };
        }
        Ok(found)
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

    /// Whether the member is true; anything else is no.
    pub(super) fn is_true(&mut self, key: &'static str) -> bool {
        self.get(key).and_then(Value::as_bool).unwrap_or(false)
    }

    /// Whether the member is an object.
    pub(super) fn is_object(&self, key: &str) -> bool {
        self.map.get(key).is_some_and(Value::is_object)
    }

    /// Whether the member is there and not null.
    pub(super) fn has(&self, key: &str) -> bool {
        self.map.get(key).is_some_and(|value| !value.is_null())
    }

    /// The members of a nested object; none if it is absent or null.
    pub(super) fn map(&mut self, key: &'static str) -> Result<Option<&'a Map<String, Value>>, UsageError> {
        match self.get(key) {
            Some(Value::Object(map)) => Ok(Some(map)),
            Some(other) => Err(UsageError::new(self.path_of(key), Reason::NotAnObject(kind(other)))),
            None => Ok(None),
        }
    }

    /// Where this object stands.
    pub(super) fn path(&self) -> &str {
        &self.path
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

    /// Reports the numeric, non-zero members that were not read and whose names begin so.
    pub(super) fn finish_prefixed(self, prefix: &str, unknown: &mut Vec<String>) {
        let unread = |key: &str| key.starts_with(prefix) && !self.seen.contains(&key);
        for (key, value) in self.map.iter().filter(|(key, _)| unread(key)) {
            report(&self.path_of(key), value, unknown);
        }
    }

    /// Reports the numeric, non-zero members that were not read.
    pub(super) fn finish(self, unknown: &mut Vec<String>) {
        self.finish_prefixed("", unknown);
    }
}

fn empty() -> &'static Map<String, Value> {
    static EMPTY: std::sync::LazyLock<Map<String, Value>> = std::sync::LazyLock::new(Map::new);
    &EMPTY
}

/// Adds a path to the report, unless it is long enough already.
pub(super) fn report_path(path: &str, unknown: &mut Vec<String>) {
    if unknown.len() < MAX_UNKNOWN_FIELDS {
        unknown.push(path.to_owned());
    }
}

fn report(path: &str, value: &Value, unknown: &mut Vec<String>) {
    if unknown.len() >= MAX_UNKNOWN_FIELDS {
        return;
    }
    match value {
        Value::Number(number) if !is_zero(number) => report_path(path, unknown),
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
pub(super) fn count(number: &Number) -> Result<i64, Reason> {
    within_range(number, |text| decimal::parse_decimal(text, 0))
}

fn rounded(number: &Number, scale: u32, rounding: Rounding) -> Result<i64, Reason> {
    within_range(number, |text| decimal::round_decimal(text, scale, rounding))
}

fn within_range(number: &Number, read: impl Fn(&str) -> Result<i128, DecimalError>) -> Result<i64, Reason> {
    let text = number.to_string();
    if text.starts_with('-') && !is_zero(number) {
        return Err(Reason::Negative);
    }
    let value = read(&text).map_err(|error| match error {
        DecimalError::TooPrecise { .. } => Reason::Fractional,
        DecimalError::Overflow => Reason::TooLarge,
        DecimalError::Syntax => Reason::NotANumber("text that is no finite number"),
    })?;
    i64::try_from(value).map_err(|_| Reason::TooLarge)
}
