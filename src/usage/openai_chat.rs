//! OpenAI `chat.completions`, legacy completions and embeddings.
//!
//! `prompt_tokens` contains cached tokens, cache writes, audio and images; `completion_tokens` contains reasoning,
//! audio and rejected predictions, which are billed as output. Source: OpenAI's API specification, `CompletionUsage`.

use super::{Flag, Source, Usage, UsageError};

pub(super) fn recognise(source: &Source<'_>) -> bool {
    source.usage.contains_key("prompt_tokens") || source.usage.contains_key("completion_tokens")
}

pub(super) fn read(source: &Source<'_>) -> Result<Usage, UsageError> {
    let mut usage = Usage { provider: Some("openai"), ..Usage::default() };
    let mut fields = source.fields();
    let prompt = fields.required("prompt_tokens")?;
    let total = fields.optional("total_tokens")?;
    // An embedding has no output, and says so by leaving the count out. Only a total equal to the prompt proves it: a
    // chat usage cut off in the middle must not pass for one without output.
    let completion = if total == Some(prompt) {
        fields.count("completion_tokens")?
    } else {
        fields.required("completion_tokens")?
    };

    let mut input = fields.object("prompt_tokens_details")?;
    usage.cache_read = input.count("cached_tokens")?;
    usage.cache_write = input.count("cache_write_tokens")?;
    usage.input_audio = input.count("audio_tokens")?;
    usage.input_image = input.count("image_tokens")?;
    input.known(&["text_tokens"]);
    input.finish(&mut usage.unknown_fields);

    let mut output = fields.object("completion_tokens_details")?;
    usage.reasoning = output.count("reasoning_tokens")?;
    usage.output_audio = output.count("audio_tokens")?;
    usage.output_image = output.count("image_tokens")?;
    // Predictions are text already counted in the completion, the rejected ones too.
    output.known(&["text_tokens", "accepted_prediction_tokens", "rejected_prediction_tokens"]);
    output.finish(&mut usage.unknown_fields);

    finish(&mut usage, prompt, completion, total);
    usage.set_service_tier(source.response_text("service_tier"));
    fields.finish(&mut usage.unknown_fields);
    Ok(usage)
}

/// The remainders of OpenAI's counts, in which the parts are always inside the whole.
///
/// Cached audio is counted as cached and as audio; the text then comes out too low by the overlap, which errs upwards
/// in cost because audio is dearer than text.
pub(super) fn finish(usage: &mut Usage, input: i64, output: i64, total: Option<i64>) {
    let parts = [usage.cache_read, usage.cache_write, usage.input_audio, usage.input_image];
    usage.uncached_input = usage.remainder(input, &parts, Flag::ClampedInput);
    let parts = [usage.reasoning, usage.output_audio, usage.output_image];
    usage.output_text = usage.remainder(output, &parts, Flag::ClampedOutput);
    if total.is_some_and(|total| i128::from(total) != i128::from(input) + i128::from(output)) {
        usage.flag(Flag::TotalMismatch);
    }
}
