//! Where the usage stands within what was passed in, and what a shape gets to see of it.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::error::{Reason, UsageError, kind};
use super::fields::{self, Fields};

/// A usage object within a response.
pub(super) struct Found<'a> {
    pub(super) usage: Cow<'a, Map<String, Value>>,
    /// The response around it, if that was given: some facts (the tier served) stand only there.
    pub(super) response: Option<&'a Map<String, Value>>,
    /// JSON path of `usage`.
    pub(super) path: String,
    /// Whether it is the result of a batch, which has a price of its own but may not say so in its tier.
    pub(super) is_batch: bool,
}

/// A place where a usage may stand: the way to the response, then the way to the usage within it.
struct Place {
    response: &'static [&'static str],
    usage: &'static [&'static str],
    /// Members of which the usage must have one, where the name of the place alone says too little.
    only_with: &'static [&'static str],
}

const fn place(response: &'static [&'static str], usage: &'static [&'static str]) -> Place {
    Place { response, usage, only_with: &[] }
}

/// In this order; the first place that is not empty wins.
const PLACES: [Place; 20] = [
    // The AI SDK has the last step in `usage` and all steps in `totalUsage`.
    place(&[], &["totalUsage"]),
    place(&[], &["usage"]),
    place(&[], &["usageMetadata"]),
    place(&[], &["usage_metadata"]),
    place(&[], &["usage_info"]),
    place(&[], &["batch_usage"]),
    place(&[], &["x_groq", "usage"]),
    place(&["response"], &["usage"]),
    place(&["response"], &["usageMetadata"]),
    place(&["response", "body"], &["usage"]),
    place(&["response", "body"], &["usage_info"]),
    place(&["message"], &["usage"]),
    place(&["result", "message"], &["usage"]),
    place(&["result"], &["usage"]),
    place(&["interaction"], &["usage"]),
    place(&["delta"], &["usage"]),
    place(&["metadata"], &["usage"]),
    Place { response: &[], usage: &["meta"], only_with: &["billed_units", "tokens"] },
    Place { response: &["response", "body"], usage: &["meta"], only_with: &["billed_units", "tokens"] },
    Place { response: &[], usage: &["attributes"], only_with: super::opentelemetry::COUNTS },
];

/// The usage of a response; none if no member of it has one.
pub(super) fn locate<'a>(outer: &'a Map<String, Value>, root: &str) -> Result<Option<Found<'a>>, UsageError> {
    for place in &PLACES {
        let Some(response) = descend(outer, place.response) else { continue };
        let Some((member, way)) = place.usage.split_last() else { continue };
        let Some(value) = descend(response, way).and_then(|parent| parent.get(*member)) else { continue };
        let path = || [place.response, place.usage].concat().iter().fold(root.to_owned(), |path, key| path + "." + key);
        match value {
            Value::Object(usage) if !usage.is_empty() => {
                let has = |key: &&str| usage.contains_key(*key);
                if !place.only_with.is_empty() && !place.only_with.iter().any(has) {
                    continue;
                }
                let is_batch = place.response == ["response", "body"]
                    || response.get("object").and_then(Value::as_str) == Some("batch")
                    || place.usage == ["batch_usage"];
                let usage = Cow::Borrowed(usage);
                return Ok(Some(Found { usage, response: Some(response), path: path(), is_batch }));
            }
            Value::Object(_) | Value::Null => {}
            _ if !place.only_with.is_empty() => {}
            other => return Err(UsageError::new(path(), Reason::NotAnObject(kind(other)))),
        }
    }
    Ok(None)
}

/// The usage of a response, or the object itself where it is a bare usage.
pub(super) fn locate_or_whole(outer: &Map<String, Value>) -> Result<Found<'_>, UsageError> {
    if let Some(found) = locate(outer, "$")? {
        return Ok(found);
    }
    match outer.get("usage") {
        Some(Value::Object(usage)) => Ok(Found {
            usage: Cow::Borrowed(usage),
            response: Some(outer),
            path: "$.usage".to_owned(),
            is_batch: false,
        }),
        Some(other) => Err(UsageError::new("$.usage", Reason::NotAnObject(kind(other)))),
        None => Ok(Found { usage: Cow::Borrowed(outer), response: None, path: "$".to_owned(), is_batch: false }),
    }
}

fn descend<'a>(from: &'a Map<String, Value>, way: &[&str]) -> Option<&'a Map<String, Value>> {
    way.iter().try_fold(from, |map, key| map.get(*key)?.as_object())
}

/// What a shape gets to see.
pub(super) struct Source<'a> {
    pub(super) usage: &'a Map<String, Value>,
    pub(super) response: Option<&'a Map<String, Value>>,
    pub(super) path: &'a str,
    /// The provider that the caller named.
    pub(super) named: Option<&'static str>,
}

impl<'a> Source<'a> {
    pub(super) fn new(found: &'a Found<'a>, named: Option<&'static str>) -> Self {
        Self { usage: &found.usage, response: found.response, path: &found.path, named }
    }

    /// Whether a member is there, be it null.
    pub(super) fn has_key(&self, key: &str) -> bool {
        self.usage.contains_key(key)
    }

    /// Whether one of the members is there, be it null.
    pub(super) fn has_any_key(&self, keys: &[&str]) -> bool {
        keys.iter().any(|key| self.has_key(key))
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.usage.get(key).is_some_and(|value| !value.is_null())
    }

    pub(super) fn is_nonzero(&self, key: &str) -> bool {
        match self.usage.get(key) {
            Some(Value::Number(number)) => !fields::is_zero(number),
            _ => false,
        }
    }

    pub(super) fn is_object(&self, key: &str) -> bool {
        self.usage.get(key).is_some_and(Value::is_object)
    }

    /// Whether the object at `key` has the non-null member `inner`.
    pub(super) fn has_inner(&self, key: &str, inner: &str) -> bool {
        self.usage.get(key).and_then(|value| value.get(inner)).is_some_and(|value| !value.is_null())
    }

    /// Whether the object at `key` has one of the members, be it null.
    pub(super) fn has_any_inner(&self, key: &str, inner: &[&str]) -> bool {
        self.usage.get(key).and_then(Value::as_object).is_some_and(|map| inner.iter().any(|key| map.contains_key(*key)))
    }

    pub(super) fn text(&self, key: &str) -> Option<&'a str> {
        self.usage.get(key)?.as_str()
    }

    pub(super) fn response_text(&self, key: &str) -> Option<&'a str> {
        self.response?.get(key)?.as_str()
    }

    /// A text within an object of the response.
    pub(super) fn response_inner_text(&self, key: &str, inner: &str) -> Option<&'a str> {
        self.response?.get(key)?.get(inner)?.as_str()
    }

    pub(super) fn response_has(&self, key: &str) -> bool {
        self.response.is_some_and(|response| response.get(key).is_some_and(|value| !value.is_null()))
    }

    /// An object of the response, as typed fields.
    pub(super) fn response_fields(&self, key: &str) -> Option<Fields<'a>> {
        let map = self.response?.get(key)?.as_object()?;
        Some(Fields::new(map, format!("$.{key}")))
    }

    /// The model that the response names.
    pub(super) fn model(&self) -> Option<String> {
        ["model", "modelVersion", "model_version", "model_name", "modelId"]
            .iter()
            .find_map(|key| self.response_text(key))
            .or_else(|| self.response_inner_text("response_metadata", "model_name"))
            .or_else(|| self.response_inner_text("response_metadata", "model"))
            .or_else(|| self.response_inner_text("response", "modelId"))
            .filter(|model| !model.is_empty())
            .map(str::to_owned)
    }

    pub(super) fn fields(&self) -> Fields<'a> {
        Fields::new(self.usage, self.path.to_owned())
    }
}
