//! Anthropic `messages`.
//!
//! `input_tokens`, `cache_read_input_tokens` and `cache_creation_input_tokens` are three disjoint counts; thinking is
//! inside `output_tokens`. Source: Anthropic's API reference and Python SDK, `Usage` and `BetaUsage`.

use super::fields::Fields;
use super::{Flag, Source, Usage, UsageError};

/// Members that only this shape has.
const MARKS: [&str; 7] = [
    "cache_creation_input_tokens",
    "cache_read_input_tokens",
    "cache_creation",
    "server_tool_use",
    "inference_geo",
    "iterations",
    "speed",
];

pub(super) fn recognise(source: &Source<'_>) -> bool {
    let own_counts = source.usage.contains_key("input_tokens") || source.usage.contains_key("output_tokens");
    if !own_counts {
        // Gateways put these names, mostly as zeros, beside OpenAI's. A zero is harmless there; anything else makes the
        // object a mixture, because nothing says whether OpenAI's counts contain it.
        return ["cache_creation_input_tokens", "cache_read_input_tokens"].iter().any(|mark| source.is_nonzero(mark));
    }
    // Present but null is a mark too: the API sends nulls for what did not happen.
    MARKS.iter().any(|mark| source.usage.contains_key(*mark))
        || source.has_inner("output_tokens_details", "thinking_tokens")
        || source.response_text("type") == Some("message")
}

pub(super) fn read(source: &Source<'_>) -> Result<Usage, UsageError> {
    let mut usage = Usage { provider: Some("anthropic"), ..Usage::default() };
    let mut fields = source.fields();
    let counts = Counts::read(&mut fields, &mut usage)?;
    counts.add_to(&mut usage)?;

    let mut tools = fields.object("server_tool_use")?;
    usage.web_search_requests = tools.count("web_search_requests")?;
    // A fetch costs nothing beside the tokens it brings in.
    tools.known(&["web_fetch_requests"]);
    tools.finish(&mut usage.unknown_fields);

    for iteration in fields.objects("iterations")? {
        read_iteration(iteration, &mut usage)?;
    }

    usage.set_service_tier(fields.text("service_tier"));
    if let Some(speed) = fields.text("speed").filter(|speed| *speed != "standard") {
        usage.surcharge("speed", speed);
    }
    // Models without a choice of place answer `not_available`; any other place than `global` has a price of its own.
    if let Some(geo) = fields.text("inference_geo").filter(|geo| !matches!(*geo, "global" | "not_available")) {
        usage.surcharge("inference_geo", geo);
    }
    fields.finish(&mut usage.unknown_fields);
    Ok(usage)
}

/// The counts of one sampling step.
#[derive(Default)]
struct Counts {
    input: i64,
    cache_read: i64,
    cache_write: i64,
    cache_write_5m: i64,
    cache_write_1h: i64,
    output_text: i64,
    thinking: i64,
}

impl Counts {
    fn read(fields: &mut Fields<'_>, usage: &mut Usage) -> Result<Self, UsageError> {
        let output = fields.required("output_tokens")?;
        let mut counts = Self {
            input: fields.required("input_tokens")?,
            cache_read: fields.count("cache_read_input_tokens")?,
            ..Self::default()
        };
        let written = fields.optional("cache_creation_input_tokens")?;
        let mut by_life = fields.object("cache_creation")?;
        counts.cache_write_5m = by_life.count("ephemeral_5m_input_tokens")?;
        counts.cache_write_1h = by_life.count("ephemeral_1h_input_tokens")?;
        by_life.finish(&mut usage.unknown_fields);
        // Without the split the whole write has no stated time to live.
        if let Some(written) = written {
            let parts = [counts.cache_write_5m, counts.cache_write_1h];
            counts.cache_write = usage.remainder(written, &parts, Flag::ClampedInput);
        }
        let mut details = fields.object("output_tokens_details")?;
        counts.thinking = details.count("thinking_tokens")?;
        details.finish(&mut usage.unknown_fields);
        counts.output_text = usage.remainder(output, &[counts.thinking], Flag::ClampedOutput);
        Ok(counts)
    }

    fn add_to(self, usage: &mut Usage) -> Result<(), UsageError> {
        let add = |bucket: &mut i64, more: i64| {
            *bucket = super::sum("iterations", &[*bucket, more])?;
            Ok::<_, UsageError>(())
        };
        add(&mut usage.uncached_input, self.input)?;
        add(&mut usage.cache_read, self.cache_read)?;
        add(&mut usage.cache_write, self.cache_write)?;
        add(&mut usage.cache_write_5m, self.cache_write_5m)?;
        add(&mut usage.cache_write_1h, self.cache_write_1h)?;
        add(&mut usage.output_text, self.output_text)?;
        add(&mut usage.reasoning, self.thinking)
    }
}

/// Adds what a sampling step used beyond the counts at the top.
///
/// The top counts are the sum of the `message` steps only. A `compaction` step runs on the same model and is billed on
/// top; an advisor or a fallback runs on another model, so its tokens have another price: that is left to the price
/// step, which refuses an unexplained surcharge.
fn read_iteration(mut fields: Fields<'_>, usage: &mut Usage) -> Result<(), UsageError> {
    match fields.text("type") {
        Some("message") | None => Ok(()),
        Some("compaction") => {
            let counts = Counts::read(&mut fields, usage)?;
            counts.add_to(usage)?;
            fields.finish(&mut usage.unknown_fields);
            Ok(())
        }
        Some(other) => {
            usage.surcharge("iteration", other);
            Ok(())
        }
    }
}
