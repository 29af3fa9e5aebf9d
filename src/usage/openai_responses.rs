//! OpenAI `responses` and batches: the meanings of `chat.completions` under the names `input_*` and `output_*`.
//!
//! A batch object has the sum of its requests, and how many of them were answered. Source: OpenAI's API specification,
//! `ResponseUsage` and `Batch`.

use super::openai_tally::{self, Tally};
use super::{
    Bucket, Source, Usage, UsageError, cost, langchain, openai_agents, openai_images, openai_realtime,
    openai_transcription, perplexity, xai,
};

pub(super) fn fits(source: &Source<'_>) -> bool {
    source.has_key("input_tokens") && source.has_key("output_tokens")
}

pub(super) fn recognise(source: &Source<'_>) -> bool {
    let is_marked = source.has("total_tokens")
        || source.has("input_tokens_details")
        || source.has_inner("output_tokens_details", "reasoning_tokens")
        || matches!(source.response_text("object"), Some("response" | "batch"));
    // These have the same counts, and marks that are narrower.
    let is_other = [
        openai_agents::recognise,
        openai_images::recognise,
        openai_realtime::recognise,
        openai_transcription::recognise,
        langchain::recognise,
    ]
    .iter()
    .any(|recognise| recognise(source));
    fits(source) && is_marked && !is_other
}

pub(super) fn read(source: &Source<'_>) -> Result<Usage, UsageError> {
    let mut usage = Usage::new(Some(if xai::recognise(source) { "xai" } else { "openai" }));
    let mut fields = source.fields();
    let (input, output) = (fields.required("input_tokens")?, fields.required("output_tokens")?);
    let tally = Tally::new(input, output, fields.optional("total_tokens")?);
    openai_tally::input_details(fields.object("input_tokens_details")?, &mut usage)?;
    openai_tally::output_details(fields.object("output_tokens_details")?, &mut usage)?;
    if cost::read(&mut fields, &mut usage)? {
        usage.provider = Some("openrouter");
    }
    xai::read_tools(&mut fields, &mut usage)?;
    perplexity::read_tool_calls(&mut fields, &mut usage)?;
    openai_tally::finish(&mut usage, &tally);
    usage.set_service_tier(source.response_text("service_tier").or_else(|| fields.text("service_tier")));
    if let Some(mut counts) = source.response_fields("request_counts") {
        usage[Bucket::Requests] = counts.optional("completed")?.unwrap_or(1);
    }
    fields.finish(&mut usage.unknown_fields);
    Ok(usage)
}
