//! Gemini and Vertex `usageMetadata`, in the names of JSON or those of the Python SDK.
//!
//! `promptTokenCount` contains the cached tokens, `toolUsePromptTokenCount` is beside it. Thoughts are usually beside
//! the candidates; where prompt and candidates alone make the total, they are inside. A count of zero is left out of
//! the JSON, so an answer cut off while thinking, or blocked, has no candidates at all. The Live API says `response`
//! for `candidates`. Source: Gemini API reference and python-genai, `GenerateContentResponseUsageMetadata`.

use super::fields;
use super::modality::{Split, Turn};
use super::{Source, Usage, UsageError};

const MARKS: [&str; 12] = [
    "promptTokenCount",
    "prompt_token_count",
    "candidatesTokenCount",
    "candidates_token_count",
    "totalTokenCount",
    "total_token_count",
    "responseTokenCount",
    "response_token_count",
    "thoughtsTokenCount",
    "thoughts_token_count",
    "cachedContentTokenCount",
    "cached_content_token_count",
];

pub(super) fn fits(source: &Source<'_>) -> bool {
    source.has_any_key(&MARKS)
}

pub(super) fn recognise(source: &Source<'_>) -> bool {
    fits(source)
}

pub(super) fn read(source: &Source<'_>) -> Result<Usage, UsageError> {
    let mut fields = source.fields();
    let traffic = fields.pick("trafficType", &["traffic_type"]);
    let traffic = fields.text(traffic);
    let mut usage = Usage::new(Some(if traffic.is_some() { "vertex_ai" } else { "gemini" }));

    let key = fields.pick("totalTokenCount", &["total_token_count"]);
    let total = fields.optional(key)?;
    let key = fields.pick("promptTokenCount", &["prompt_token_count"]);
    // Only a total can tell that a prompt was left out because it was nothing.
    let prompt = if total.is_some() { fields.count(key)? } else { fields.required(key)? };
    let key = fields.pick("cachedContentTokenCount", &["cached_content_token_count"]);
    let cached = fields.optional(key)?;
    let key = fields.pick("toolUsePromptTokenCount", &["tool_use_prompt_token_count"]);
    let tool_prompt = fields.count(key)?;
    let output_names = ["candidates_token_count", "responseTokenCount", "response_token_count"];
    let key = fields.pick("candidatesTokenCount", &output_names);
    let output = fields.count(key)?;
    let key = fields.pick("thoughtsTokenCount", &["thoughts_token_count"]);
    let thoughts = fields.count(key)?;

    let mut split = |first, others: &[&'static str]| {
        let key = fields.pick(first, others);
        Split::read(fields.objects(key)?, &mut usage.unknown_fields)
    };
    let prompt_split = split("promptTokensDetails", &["prompt_tokens_details"])?;
    let cached_split = split("cacheTokensDetails", &["cache_tokens_details"])?;
    let output_names = ["candidates_tokens_details", "responseTokensDetails", "response_tokens_details"];
    let output_split = split("candidatesTokensDetails", &output_names)?;
    split("toolUsePromptTokensDetails", &["tool_use_prompt_tokens_details"])?;
    if output_split.video > 0 {
        let key = fields.pick("candidatesTokensDetails", &output_names);
        fields::report_path(&format!("{}.{key}", source.path), &mut usage.unknown_fields);
    }

    let turn = Turn { prompt, prompt_split, cached, cached_split, tool_prompt, output, output_split, thoughts, total };
    turn.settle(&mut usage);
    if source.response_has("embedding") || source.response_has("embeddings") {
        usage.operation = Some("embeddings");
    }
    let tier = fields.pick("serviceTier", &["service_tier"]);
    let tier = fields.text(tier);
    usage.set_service_tier(traffic.or(tier));
    fields.finish(&mut usage.unknown_fields);
    Ok(usage)
}
