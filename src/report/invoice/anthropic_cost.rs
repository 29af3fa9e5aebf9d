//! Anthropic's cost report: `GET /v1/organizations/cost_report`.
//!
//! Source: Claude API reference, Admin API, «Get Cost Report»
//! (platform.claude.com/docs/en/api/admin-api/usage-cost/get-cost-report). `amount` is a decimal text in the lowest unit of
//! the currency: `"123.45"` in USD is 1.2345 dollars. Models are named only with `group_by[]=description`. Costs of the
//! priority tier are not in it (platform.claude.com/docs/en/manage-claude/usage-cost-api).

use serde_json::Value;

use super::anthropic_usage::{PROVIDER, period};
use super::pages::{self, Node};
use super::{Document, Format, Line, ReadError};

pub fn read(value: &Value) -> Result<Document, ReadError> {
    pages::read(value, Format::AnthropicCost, period, |document, result, period| {
        document.take(line(result, period)?);
        Ok(())
    })
}

fn line(result: &Node<'_>, (starts_at, ends_at): (i64, i64)) -> Result<Line, ReadError> {
    let currency = result.required_text("currency")?.to_ascii_uppercase();
    if currency != "USD" {
        // The report is always in dollars; of another currency it would have to be known how many of the lowest unit make one.
        return Err(result.refuse("currency", format!("{currency}, where the report is in USD")));
    }
    let amount = result.amount("amount")?.ok_or_else(|| result.refuse("amount", "missing"))?;
    Ok(Line {
        at: result.at.clone(),
        starts_at,
        ends_at,
        provider: PROVIDER.into(),
        model: result.text("model")?,
        workspace: result.text("workspace_id")?,
        service_tier: result.text("service_tier")?,
        region: result.text("inference_geo")?,
        cost: Some(amount.hundredth()),
        currency: Some(currency),
        description: result.text("description")?,
        ..Line::default()
    })
}
