//! Attributes of a call: the known ones become columns of the entry, the rest its labels.

use serde_json::{Map, Value};

use crate::refusal::Refusal;

/// Attributes that are columns of `entry`, in the order of the table.
pub const COLUMNS: [&str; 8] = ["workflow", "step", "session", "task", "end_user", "agent", "outcome", "trace_id"];
/// Attributes that say what was called rather than for whom.
const CALL: [&str; 4] = ["operation", "response_model", "service_tier", "region"];

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
        Ok(Attribution { attributes })
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

    /// Everything that has no column.
    pub fn labels(&self) -> Value {
        let known = |key: &str| COLUMNS.contains(&key) || CALL.contains(&key);
        Value::Object(
            self.attributes.iter().filter(|(key, _)| !known(key)).map(|(k, v)| (k.clone(), v.clone())).collect(),
        )
    }

    pub fn to_json(&self) -> Value {
        Value::Object(self.attributes.clone())
    }
}
