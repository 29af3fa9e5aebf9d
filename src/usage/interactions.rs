//! Gemini Interactions API: the counts of Gemini under names of their own.
//!
//! `total_input_tokens` contains the cached tokens; thoughts and tools are beside input and output. Source:
//! python-genai, `interactions.types.Usage`.

use super::fields;
use super::modality::{Split, Turn};
use super::{Bucket, Reason, Source, Usage, UsageError};

const MARKS: [&str; 4] = ["total_input_tokens", "totalInputTokens", "total_output_tokens", "totalOutputTokens"];

pub(super) fn fits(source: &Source<'_>) -> bool {
    source.has_any_key(&MARKS)
}

pub(super) fn recognise(source: &Source<'_>) -> bool {
    fits(source)
}

pub(super) fn read(source: &Source<'_>) -> Result<Usage, UsageError> {
    let mut usage = Usage::new(Some("gemini"));
    let mut fields = source.fields();
    let key = fields.pick("total_input_tokens", &["totalInputTokens"]);
    let prompt = fields.required(key)?;
    let key = fields.pick("total_cached_tokens", &["totalCachedTokens"]);
    let cached = fields.optional(key)?;
    let key = fields.pick("total_tool_use_tokens", &["totalToolUseTokens"]);
    let tool_prompt = fields.count(key)?;
    let key = fields.pick("total_output_tokens", &["totalOutputTokens"]);
    let output = fields.count(key)?;
    let key = fields.pick("total_thought_tokens", &["totalThoughtTokens", "total_reasoning_tokens"]);
    let thoughts = fields.count(key)?;
    let key = fields.pick("total_tokens", &["totalTokens"]);
    let total = fields.optional(key)?;

    let mut split = |first, other| {
        let key = fields.pick(first, &[other]);
        Split::read(fields.objects(key)?, &mut usage.unknown_fields)
    };
    let prompt_split = split("input_tokens_by_modality", "inputTokensByModality")?;
    let cached_split = split("cached_tokens_by_modality", "cachedTokensByModality")?;
    let output_split = split("output_tokens_by_modality", "outputTokensByModality")?;
    split("tool_use_tokens_by_modality", "toolUseTokensByModality")?;
    if output_split.video > 0 {
        let path = format!("{}.output_tokens_by_modality", source.path);
        fields::report_path(&path, &mut usage.unknown_fields);
    }

    let key = fields.pick("grounding_tool_count", &["groundingToolCount"]);
    for mut tool in fields.objects(key)? {
        let searches = usage[Bucket::Searches].checked_add(tool.count("count")?);
        usage[Bucket::Searches] = searches.ok_or_else(|| UsageError::new(tool.path(), Reason::TooLarge))?;
        tool.finish(&mut usage.unknown_fields);
    }
    let turn = Turn { prompt, prompt_split, cached, cached_split, tool_prompt, output, output_split, thoughts, total };
    turn.settle(&mut usage);
    usage.set_service_tier(source.response_text("service_tier"));
    fields.finish(&mut usage.unknown_fields);
    Ok(usage)
}
