//! Anthropic `messages`.
//!
//! `input_tokens`, `cache_read_input_tokens` and `cache_creation_input_tokens` are three disjoint counts; thinking is
//! inside `output_tokens`. Source: Anthropic's API reference and Python SDK, `Usage` and `BetaUsage`.

use super::fields::Fields;
use super::{Bucket, Counts, Flag, Part, Reason, Source, Usage, UsageError};

/// Members that only this shape has.
const MARKS: [&str; 8] = [
    "cache_creation_input_tokens",
    "cache_read_input_tokens",
    "cache_creation",
    "server_tool_use",
    "inference_geo",
    "iterations",
    "speed",
    "fallback_credit",
];

pub(super) fn fits(source: &Source<'_>) -> bool {
    source.has_any_key(&["input_tokens", "output_tokens"])
}

pub(super) fn recognise(source: &Source<'_>) -> bool {
    if !fits(source) {
        // Gateways put these names, mostly as zeros, beside OpenAI's. A zero is harmless there; anything else makes the
        // object a mixture, because nothing says whether OpenAI's counts contain it.
        return ["cache_creation_input_tokens", "cache_read_input_tokens"].iter().any(|mark| source.is_nonzero(mark));
    }
    // Present but null is a mark too: the API sends nulls for what did not happen.
    source.has_any_key(&MARKS)
        || source.has_inner("output_tokens_details", "thinking_tokens")
        || matches!(source.response_text("type"), Some("message" | "message_delta"))
}

pub(super) fn read(source: &Source<'_>) -> Result<Usage, UsageError> {
    let mut usage = Usage::new(Some("anthropic"));
    let mut fields = source.fields();
    let counts = read_counts(&mut fields, &mut usage)?;
    add(&mut usage.counts, &counts)?;
    usage.stated.input_tokens = fields.optional("input_tokens")?;
    usage.stated.output_tokens = fields.optional("output_tokens")?;
    // Only gateways state one, and not all of them the same sum.
    usage.stated.total_tokens = fields.optional("total_tokens")?;

    let mut tools = fields.object("server_tool_use")?;
    usage[Bucket::Searches] = tools.count("web_search_requests")?;
    // A fetch costs nothing beside the tokens it brings in.
    tools.known(&["web_fetch_requests"]);
    tools.finish(&mut usage.unknown_fields);

    for iteration in fields.objects("iterations")? {
        read_iteration(iteration, &mut usage)?;
    }

    usage.set_service_tier(fields.text("service_tier"));
    if let Some(speed) = fields.text("speed").filter(|speed| *speed != "standard") {
        // Fast mode is the tier by another name; whoever states both has something that no list price is for.
        match usage.service_tier {
            None => usage.set_service_tier(Some(speed)),
            Some(_) => usage.surcharge("speed", speed),
        }
    }
    // Models without a choice of place answer `not_available`; any other place than `global` has a price of its own.
    if let Some(geo) = fields.text("inference_geo").filter(|geo| !matches!(*geo, "global" | "not_available")) {
        usage.region = Some(geo.to_owned());
    }
    read_credit(&mut fields, &mut usage)?;
    fields.finish(&mut usage.unknown_fields);
    Ok(usage)
}

/// The credit for a refusal that another model answered. Redeemed, it changes the price of tokens in a way that the
/// counts do not show.
fn read_credit(fields: &mut Fields<'_>, usage: &mut Usage) -> Result<(), UsageError> {
    if !fields.has("fallback_credit") {
        return Ok(());
    }
    let mut credit = fields.object("fallback_credit")?;
    let mut status = credit.object("status")?;
    match status.text("type") {
        Some("not_applied") => {}
        other => usage.surcharge("fallback_credit", other.unwrap_or("unknown")),
    }
    status.finish(&mut usage.unknown_fields);
    credit.finish(&mut usage.unknown_fields);
    Ok(())
}

/// The counts of one sampling step.
fn read_counts(fields: &mut Fields<'_>, usage: &mut Usage) -> Result<Counts, UsageError> {
    let mut counts = Counts::default();
    let output = fields.required("output_tokens")?;
    counts[Bucket::UncachedInput] = fields.required("input_tokens")?;
    counts[Bucket::CacheRead] = fields.count("cache_read_input_tokens")?;
    let written = fields.optional("cache_creation_input_tokens")?;
    let mut by_life = fields.object("cache_creation")?;
    counts[Bucket::CacheWrite5m] = by_life.count("ephemeral_5m_input_tokens")?;
    counts[Bucket::CacheWrite1h] = by_life.count("ephemeral_1h_input_tokens")?;
    by_life.finish(&mut usage.unknown_fields);
    // Without the split the whole write has no stated time to live.
    if let Some(written) = written {
        let lives = [counts[Bucket::CacheWrite5m], counts[Bucket::CacheWrite1h]];
        counts[Bucket::CacheWrite] = usage.remainder(written, &lives, Flag::ClampedInput);
    }
    let mut details = fields.object("output_tokens_details")?;
    counts[Bucket::Reasoning] = details.count("thinking_tokens")?;
    details.finish(&mut usage.unknown_fields);
    counts[Bucket::OutputText] = usage.remainder(output, &[counts[Bucket::Reasoning]], Flag::ClampedOutput);
    Ok(counts)
}

fn add(to: &mut Counts, more: &Counts) -> Result<(), UsageError> {
    to.add(more).ok_or_else(|| UsageError::new("iterations", Reason::TooLarge))
}

/// Adds what a sampling step used beyond the counts at the top.
///
/// The top counts are the sum of the `message` steps only. A `compaction` step runs on the same model and is billed on
/// top; an advisor or a fallback runs on another model, so its tokens have another price. Where such a step names no
/// model, it is left to the price step, which refuses an unexplained surcharge.
fn read_iteration(mut fields: Fields<'_>, usage: &mut Usage) -> Result<(), UsageError> {
    let kind = match fields.text("type") {
        Some("message") | None => return Ok(()),
        Some(kind) => kind,
    };
    let model = fields.text("model").filter(|model| !model.is_empty());
    if kind == "compaction" {
        let counts = read_counts(&mut fields, usage)?;
        add(&mut usage.counts, &counts)?;
    } else if let Some(model) = model {
        let counts = read_counts(&mut fields, usage)?;
        match usage.parts.iter_mut().find(|part| part.model == model) {
            Some(part) => add(&mut part.counts, &counts)?,
            None => usage.parts.push(Part { model: model.to_owned(), counts }),
        }
    } else {
        usage.surcharge("iteration", kind);
        return Ok(());
    }
    fields.finish(&mut usage.unknown_fields);
    Ok(())
}
