//! OpenAI's organization usage API: `GET /v1/organization/usage/{completions,embeddings,...}`.
//!
//! Source: openai-python, `types/admin/organization/usage_completions_response.py` (generated from OpenAI's API
//! specification), which has the results of all its endpoints. `input_tokens` there includes cached and cache-write tokens;
//! periods are in seconds since 1970, and a result says in `object` which endpoint it is from.

use serde_json::Value;

use super::pages::{self, Node};
use super::{Document, Format, Line, ReadError, Skipped, instant};

pub(super) const PROVIDER: &str = "openai";

/// Quantities that are no tokens.
const METERS: [(&str, &str); 6] = [
    ("images", "images"),
    ("characters", "characters"),
    ("seconds", "seconds"),
    ("num_sessions", "code_interpreter_sessions"),
    ("num_requests", "tool_requests"),
    ("usage_bytes", "vector_store_bytes"),
];

pub fn read(value: &Value) -> Result<Document, ReadError> {
    pages::read(value, Format::OpenaiUsage, period, |document, result, period| {
        let feed = feed(result)?;
        if document.feed.is_empty() {
            document.feed = feed;
        } else if document.feed != feed {
            return Err(result.refuse("object", format!("a result of {feed} among those of {}", document.feed)));
        }
        let line = line(result, period)?;
        if document.feed == "vector_stores" {
            // A level and no flow: it says nothing of what was called.
            document.skipped.push(Skipped { at: line.at, reason: "storage, which is no use of a model".into() });
        } else {
            document.take(line);
        }
        Ok(())
    })
}

/// The bucket's period.
pub(super) fn period(bucket: &Node<'_>) -> Result<(i64, i64), ReadError> {
    pages::period(bucket, ("start_time", "end_time"), |name| Ok(instant::from_seconds(bucket.required_count(name)?)))
}

/// `completions` of `organization.usage.completions.result`.
fn feed(result: &Node<'_>) -> Result<String, ReadError> {
    let object = result.required_text("object")?;
    let feed = object.strip_prefix("organization.usage.").and_then(|rest| rest.strip_suffix(".result"));
    feed.map(str::to_string).ok_or_else(|| result.refuse("object", format!("{object} is no usage result")))
}

fn line(result: &Node<'_>, (starts_at, ends_at): (i64, i64)) -> Result<Line, ReadError> {
    let mut line = Line {
        at: result.at.clone(),
        starts_at,
        ends_at,
        provider: PROVIDER.into(),
        model: result.text("model")?,
        api_key: result.text("api_key_id")?,
        project: result.text("project_id")?,
        end_user: result.text("user_id")?,
        requests: result.count("num_model_requests")?,
        service_tier: result.text("service_tier")?,
        output_tokens: result.count("output_tokens")?,
        ..Line::default()
    };
    if let Some(input) = result.count("input_tokens")? {
        let read = result.count("input_cached_tokens")?.unwrap_or(0);
        let written = result.count("input_cache_write_tokens")?.unwrap_or(0);
        let uncached = input.checked_sub(read).and_then(|rest| rest.checked_sub(written)).filter(|rest| *rest >= 0);
        line.uncached_input_tokens =
            Some(uncached.ok_or_else(|| result.refuse("input_tokens", "less than the cached tokens in it"))?);
        line.cache_read_input_tokens = Some(read);
        line.cache_write_input_tokens = Some(written);
    }
    for (name, meter) in METERS {
        if let Some(count) = result.count(name)? {
            line.meters.insert(meter.into(), count);
        }
    }
    Ok(line)
}
