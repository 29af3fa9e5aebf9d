//! `LangChain` `usage_metadata`: `input_tokens` is the sum of all kinds of input, whatever the provider says.
//!
//! Details: `cache_read`, `cache_creation`, `audio`, `reasoning`; Anthropic's lives of the cache stand beside
//! `cache_creation`, which is then their sum or zero; `OpenAI`'s tiers prefix the names (`flex_cache_read`) and have a
//! count of their own that repeats the rest. Source: langchain-core, `UsageMetadata`; langchain-anthropic;
//! langchain-openai.

use super::openai_tally::{self, Tally};
use super::{Bucket, Flag, Source, Usage, UsageError};

const INPUT: [&str; 9] = [
    "cache_read",
    "cache_creation",
    "audio",
    "ephemeral_5m_input_tokens",
    "ephemeral_1h_input_tokens",
    "flex",
    "flex_cache_read",
    "priority",
    "priority_cache_read",
];
const OUTPUT: [&str; 6] = ["reasoning", "audio", "flex", "flex_reasoning", "priority", "priority_reasoning"];

pub(super) fn fits(source: &Source<'_>) -> bool {
    source.has_key("input_tokens") && source.has_key("output_tokens")
}

pub(super) fn recognise(source: &Source<'_>) -> bool {
    fits(source)
        && (source.path.ends_with(".usage_metadata")
            || source.has_any_inner("input_token_details", &INPUT)
            || source.has_any_inner("output_token_details", &OUTPUT))
}

pub(super) fn read(source: &Source<'_>) -> Result<Usage, UsageError> {
    let mut usage = Usage::new(None);
    let mut fields = source.fields();
    let (input, output) = (fields.required("input_tokens")?, fields.required("output_tokens")?);
    let tally = Tally::new(input, output, fields.optional("total_tokens")?);

    let mut details = fields.object("input_token_details")?;
    usage[Bucket::CacheRead] = details.first_nonzero(&["cache_read", "flex_cache_read", "priority_cache_read"])?;
    let written = details.count("cache_creation")?;
    usage[Bucket::CacheWrite5m] = details.count("ephemeral_5m_input_tokens")?;
    usage[Bucket::CacheWrite1h] = details.count("ephemeral_1h_input_tokens")?;
    if written > 0 {
        let lives = [usage[Bucket::CacheWrite5m], usage[Bucket::CacheWrite1h]];
        usage[Bucket::CacheWrite] = usage.remainder(written, &lives, Flag::ClampedInput);
    }
    usage[Bucket::InputAudio] = details.count("audio")?;
    for tier in ["flex", "priority"] {
        if details.optional(tier)?.is_some() {
            usage.set_service_tier(Some(tier));
        }
    }
    details.finish(&mut usage.unknown_fields);

    let mut details = fields.object("output_token_details")?;
    usage[Bucket::Reasoning] = details.first_nonzero(&["reasoning", "flex_reasoning", "priority_reasoning"])?;
    usage[Bucket::OutputAudio] = details.count("audio")?;
    details.known(&["flex", "priority"]);
    details.finish(&mut usage.unknown_fields);

    openai_tally::finish(&mut usage, &tally);
    if usage.service_tier.is_none() {
        usage.set_service_tier(source.response_inner_text("response_metadata", "service_tier"));
    }
    fields.finish(&mut usage.unknown_fields);
    Ok(usage)
}
