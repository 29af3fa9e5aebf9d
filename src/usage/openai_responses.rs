//! OpenAI `responses`: the meanings of `chat.completions` under the names `input_*` and `output_*`.
//!
//! Source: OpenAI's API specification, `ResponseUsage`.

use super::{Source, Usage, UsageError, openai_chat};

pub(super) fn recognise(source: &Source<'_>) -> bool {
    let counts = source.usage.contains_key("input_tokens") && source.usage.contains_key("output_tokens");
    counts
        && (source.has("total_tokens")
            || source.has("input_tokens_details")
            || source.has_inner("output_tokens_details", "reasoning_tokens")
            || source.response_text("object") == Some("response"))
}

pub(super) fn read(source: &Source<'_>) -> Result<Usage, UsageError> {
    let mut usage = Usage { provider: Some("openai"), ..Usage::default() };
    let mut fields = source.fields();
    let input_tokens = fields.required("input_tokens")?;
    let output_tokens = fields.required("output_tokens")?;
    let total = fields.optional("total_tokens")?;

    let mut input = fields.object("input_tokens_details")?;
    usage.cache_read = input.count("cached_tokens")?;
    usage.cache_write = input.count("cache_write_tokens")?;
    usage.input_audio = input.count("audio_tokens")?;
    usage.input_image = input.count("image_tokens")?;
    input.known(&["text_tokens"]);
    input.finish(&mut usage.unknown_fields);

    let mut output = fields.object("output_tokens_details")?;
    usage.reasoning = output.count("reasoning_tokens")?;
    usage.output_audio = output.count("audio_tokens")?;
    usage.output_image = output.count("image_tokens")?;
    output.known(&["text_tokens"]);
    output.finish(&mut usage.unknown_fields);

    openai_chat::finish(&mut usage, input_tokens, output_tokens, total);
    usage.set_service_tier(source.response_text("service_tier"));
    fields.finish(&mut usage.unknown_fields);
    Ok(usage)
}
