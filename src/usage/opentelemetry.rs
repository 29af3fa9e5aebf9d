//! OpenTelemetry attributes of a generative client span, as flat dotted keys.
//!
//! `gen_ai.usage.input_tokens` contains cached tokens and `gen_ai.usage.output_tokens` contains reasoning; the older
//! names end in `prompt_tokens` and `completion_tokens`. Other numbers of a span, limits and temperatures, are no
//! usage. Source: OpenTelemetry semantic conventions for generative AI.

use super::openai_tally::{self, Tally};
use super::{Bucket, Source, Usage, UsageError, provider};

const INPUT: &str = "gen_ai.usage.input_tokens";
const OLD_INPUT: &str = "gen_ai.usage.prompt_tokens";
const OUTPUT: &str = "gen_ai.usage.output_tokens";
const OLD_OUTPUT: &str = "gen_ai.usage.completion_tokens";

/// One of these makes attributes a usage.
pub(super) const COUNTS: &[&str] = &[INPUT, OLD_INPUT, OUTPUT, OLD_OUTPUT];

pub(super) fn fits(source: &Source<'_>) -> bool {
    source.has_any_key(COUNTS)
}

pub(super) fn recognise(source: &Source<'_>) -> bool {
    fits(source)
}

pub(super) fn read(source: &Source<'_>) -> Result<Usage, UsageError> {
    let named = source.text("gen_ai.provider.name").or_else(|| source.text("gen_ai.system"));
    let mut usage = Usage::new(named.and_then(provider::canonical));
    usage.operation = match source.text("gen_ai.operation.name") {
        Some("embeddings") => Some("embeddings"),
        Some("rerank") => Some("rerank"),
        Some("transcription") => Some("transcription"),
        Some("image_generation") => Some("image_generation"),
        Some("text_to_speech") => Some("text_to_speech"),
        _ => None,
    };
    usage.model = source.text("gen_ai.response.model").filter(|model| !model.is_empty()).map(str::to_owned);
    let mut fields = source.fields();
    let key = fields.pick(INPUT, &[OLD_INPUT]);
    let input = fields.required(key)?;
    let key = fields.pick(OUTPUT, &[OLD_OUTPUT]);
    let stated = fields.optional(key)?;
    // What makes no text has no output to state.
    let output = if usage.operation.is_some() { stated.unwrap_or(0) } else { fields.required(key)? };
    usage[Bucket::CacheRead] = fields.count("gen_ai.usage.cache_read.input_tokens")?;
    usage[Bucket::CacheWrite] =
        fields.first_nonzero(&["gen_ai.usage.cache_write.input_tokens", "gen_ai.usage.cache_creation.input_tokens"])?;
    usage[Bucket::InputAudio] = fields.count("gen_ai.usage.audio.input_tokens")?;
    usage[Bucket::InputImage] = fields.count("gen_ai.usage.image.input_tokens")?;
    usage[Bucket::Reasoning] = fields.count("gen_ai.usage.reasoning.output_tokens")?;
    usage[Bucket::OutputAudio] = fields.count("gen_ai.usage.audio.output_tokens")?;
    usage[Bucket::OutputImage] = fields.count("gen_ai.usage.image.output_tokens")?;
    fields.known(&["gen_ai.usage.text.input_tokens", "gen_ai.usage.text.output_tokens"]);
    let total = fields.optional("gen_ai.usage.total_tokens")?;
    openai_tally::finish(&mut usage, &Tally::new(input, output, total));
    usage.stated.output_tokens = stated;
    let tier =
        fields.text("gen_ai.openai.response.service_tier").or_else(|| fields.text("openai.response.service_tier"));
    usage.set_service_tier(tier);
    fields.finish_prefixed("gen_ai.usage.", &mut usage.unknown_fields);
    Ok(usage)
}
