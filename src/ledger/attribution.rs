//! Attributes of a call: the known ones become columns of the entry, the rest its labels.

use serde_json::{Map, Value};

use crate::refusal::Refusal;

/// Attributes that are columns of `entry`, in the order of the table.
pub const COLUMNS: [&str; 8] = ["workflow", "step", "session", "task", "end_user", "agent", "outcome", "trace_id"];
/// Attributes that say what was called rather than for whom.
const CALL: [&str; 4] = ["operation", "response_model", "service_tier", "region"];
/// How often the same call has been tried before.
const RETRY_COUNT: &str = "retry_count";

/// Attributes of one call.
pub struct Attribution {
    attributes: Map<String, Value>,
}

impl Attribution {
    /// Reads attributes: an object whose known members are text, numbers or booleans.
    pub fn parse(value: Value) -> Result<Self, Refusal> {
        const HINT: &str = "Pass an object such as '{\"workflow\": \"triage\", \"session\": \"42\"}'.";
        let Value::Object(attributes) = value else {
            return Err(Refusal::invalid_argument("attributes", "expected an object", HINT));
        };
        for key in COLUMNS.iter().chain(&CALL) {
            if attributes.get(*key).is_some_and(|value| value.is_array() || value.is_object()) {
                return Err(Refusal::invalid_argument("attributes", format!("\"{key}\" must be a single value"), HINT));
            }
        }
        let attribution = Attribution { attributes };
        let retries = attribution.attributes.get(RETRY_COUNT).filter(|retries| !retries.is_null());
        if retries.is_some() && attribution.retry_count().is_none() {
            return Err(Refusal::invalid_argument("attributes", "\"retry_count\" must be a count", HINT));
        }
        Ok(attribution)
    }

    /// These attributes, with those of `later` in the place of the same ones.
    pub fn overridden_by(mut self, later: Attribution) -> Self {
        self.attributes.extend(later.attributes);
        self
    }

    /// The text of a known attribute.
    pub fn text(&self, key: &str) -> Option<String> {
        match self.attributes.get(key)? {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        }
    }

    /// How often the same call has been tried before, where the caller says so.
    pub fn retry_count(&self) -> Option<i64> {
        self.attributes.get(RETRY_COUNT)?.as_i64().filter(|retries| *retries >= 0)
    }

    /// Everything that has no column.
    pub fn labels(&self) -> Value {
        let known = |key: &str| COLUMNS.contains(&key) || CALL.contains(&key) || key == RETRY_COUNT;
        Value::Object(
            self.attributes.iter().filter(|(key, _)| !known(key)).map(|(k, v)| (k.clone(), v.clone())).collect(),
        )
    }

    pub fn to_json(&self) -> Value {
        Value::Object(self.attributes.clone())
    }
}
