//! Anthropic's usage report: `GET /v1/organizations/usage_report/messages`.
//!
//! Source: Claude API reference, Admin API, «Get Messages Usage Report»
//! (platform.claude.com/docs/en/api/admin-api/usage-cost/get-messages-usage-report). The three counts of input exclude one
//! another. The report counts no requests.

use serde_json::Value;

use super::pages::{self, Node};
use super::{Document, Format, Line, ReadError, instant};

pub(super) const PROVIDER: &str = "anthropic";

pub fn read(value: &Value) -> Result<Document, ReadError> {
    pages::read(value, Format::AnthropicUsage, period, |document, result, period| {
        document.take(line(result, period)?);
        Ok(())
    })
}

/// The bucket's period.
pub(super) fn period(bucket: &Node<'_>) -> Result<(i64, i64), ReadError> {
    pages::period(bucket, ("starting_at", "ending_at"), |name| Ok(instant::parse(&bucket.required_text(name)?)))
}

fn line(result: &Node<'_>, (starts_at, ends_at): (i64, i64)) -> Result<Line, ReadError> {
    let mut line = Line {
        at: result.at.clone(),
        starts_at,
        ends_at,
        provider: PROVIDER.into(),
        model: result.text("model")?,
        api_key: result.text("api_key_id")?,
        workspace: result.text("workspace_id")?,
        end_user: result.text("account_id")?,
        service_tier: result.text("service_tier")?,
        region: result.text("inference_geo")?,
        uncached_input_tokens: Some(result.required_count("uncached_input_tokens")?),
        cache_read_input_tokens: Some(result.count("cache_read_input_tokens")?.unwrap_or(0)),
        cache_write_input_tokens: Some(0),
        output_tokens: Some(result.required_count("output_tokens")?),
        ..Line::default()
    };
    if let Some(written) = result.child("cache_creation")? {
        let short = written.count("ephemeral_5m_input_tokens")?.unwrap_or(0);
        let long = written.count("ephemeral_1h_input_tokens")?.unwrap_or(0);
        let sum = short.checked_add(long).ok_or_else(|| result.refuse("cache_creation", "out of range"))?;
        line.cache_write_input_tokens = Some(sum);
    }
    if let Some(tools) = result.child("server_tool_use")?
        && let Some(searches) = tools.count("web_search_requests")?
    {
        line.meters.insert("searches".into(), searches);
    }
    Ok(line)
}
