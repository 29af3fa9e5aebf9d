//! A list of the events of one streamed response.
//!
//! Every provider's counts are cumulative: the last usage is the whole usage, and a sum would count most of it several
//! times. Only Anthropic spreads it: `message_start` has the input, each `message_delta` the output so far, so those
//! are laid over each other. Sources: the streaming guides of Anthropic, OpenAI and Gemini.

use serde_json::{Map, Value};

use super::error::{Reason, UsageError, kind};
use super::source::{self, Found};

/// The usage of the stream.
pub(super) fn last_usage(events: &[Value]) -> Result<Found<'_>, UsageError> {
    let mut last: Option<Found<'_>> = None;
    for (index, event) in events.iter().enumerate() {
        let path = format!("$[{index}]");
        let event = match event {
            Value::Object(event) => event,
            // The text is the end mark of a stream, `[DONE]`.
            Value::Null | Value::String(_) => continue,
            other => return Err(UsageError::new(path, Reason::NotAnObject(kind(other)))),
        };
        let Some(found) = source::locate(event, &path)? else { continue };
        let is_delta = event.get("type").and_then(Value::as_str) == Some("message_delta");
        last = match last {
            Some(mut start) if is_delta => {
                overlay(start.usage.to_mut(), &found.usage);
                // A wrong count may come from any of the events.
                "$[*].usage".clone_into(&mut start.path);
                Some(start)
            }
            // Two responses in one list are two requests: the last alone would lose the first.
            Some(previous) if id(&previous).zip(id(&found)).is_some_and(|(one, other)| one != other) => {
                return Err(UsageError::new(path, Reason::SeveralResponses));
            }
            _ => Some(found),
        };
    }
    last.ok_or_else(|| UsageError::new("$", Reason::UnknownShape))
}

fn id<'a>(found: &Found<'a>) -> Option<&'a str> {
    found.response?.get("id")?.as_str().filter(|id| !id.is_empty())
}

/// Lays later counts over earlier ones; what is null or absent was stated before.
fn overlay(earlier: &mut Map<String, Value>, later: &Map<String, Value>) {
    for (key, value) in later.iter().filter(|(_, value)| !value.is_null()) {
        match (earlier.get_mut(key), value) {
            (Some(Value::Object(earlier)), Value::Object(later)) => overlay(earlier, later),
            _ => {
                earlier.insert(key.clone(), value.clone());
            }
        }
    }
}
