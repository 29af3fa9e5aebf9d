//! The cost that a provider states itself, in its own currency unit (US dollars everywhere so far).
//!
//! Sources: OpenRouter `cost`, `cost_details`, `is_byok`; Perplexity `cost`, a number or an object; `DeepInfra`
//! `estimated_cost`; xAI `cost_in_usd_ticks`, one tick being `1e-10` dollars.

use super::decimal::{Rounding, round_decimal};
use super::fields::Fields;
use super::{Reason, Usage, UsageError};

/// Reads the cost, and says whether it came with the marks of OpenRouter.
pub(super) fn read(fields: &mut Fields<'_>, usage: &mut Usage) -> Result<bool, UsageError> {
    let mut cost = if fields.is_object("cost") {
        let mut parts = fields.object("cost")?;
        let total = parts.money("total_cost")?;
        parts.known(&[
            "input_tokens_cost",
            "output_tokens_cost",
            "citation_tokens_cost",
            "reasoning_tokens_cost",
            "search_queries_cost",
            "request_cost",
            "input_cost",
            "output_cost",
            "tool_calls_cost",
            "cache_creation_cost",
            "cache_read_cost",
        ]);
        parts.finish(&mut usage.unknown_fields);
        total
    } else {
        let key = fields.pick("cost", &["estimated_cost"]);
        fields.money(key)?
    };
    let ticks = fields.optional("cost_in_usd_ticks")?;
    if let (None, Some(ticks)) = (cost, ticks) {
        let nanos = round_decimal(&format!("{ticks}e-10"), 9, Rounding::HalfEven).ok();
        cost = nanos.and_then(|nanos| i64::try_from(nanos).ok());
    }

    let is_openrouter = fields.is_object("cost_details") || fields.has("is_byok");
    let mut details = fields.object("cost_details")?;
    let upstream = details.money("upstream_inference_cost")?;
    details.known(&[
        "upstream_inference_prompt_cost",
        "upstream_inference_completions_cost",
        "upstream_inference_input_cost",
        "upstream_inference_output_cost",
    ]);
    details.finish(&mut usage.unknown_fields);
    // With a key of one's own, `cost` is OpenRouter's fee only and the provider bills the rest.
    if let (true, Some(upstream)) = (fields.is_true("is_byok"), upstream) {
        let sum = cost.unwrap_or(0).checked_add(upstream);
        cost = Some(sum.ok_or_else(|| UsageError::new(fields.path(), Reason::TooLarge))?);
    }
    usage.stated.cost_nanos = cost;
    Ok(is_openrouter)
}
