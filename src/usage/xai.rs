//! xAI: the shapes of OpenAI, with sources and server-side tools.
//!
//! `text_tokens` of the prompt includes the cached ones. The reasoning is outside `completion_tokens` but inside
//! `total_tokens`, which the common reading finds by the sum. Live search bills by the source. Source: xAI's API
//! reference and recorded responses.

use super::fields::Fields;
use super::openai_tally::Tally;
use super::{Bucket, Source, Usage, UsageError, sum_of};

const MARKS: [&str; 3] = ["num_sources_used", "cost_in_usd_ticks", "cached_prompt_text_tokens"];

pub(super) fn recognise(source: &Source<'_>) -> bool {
    source.has_any_key(&MARKS)
}

pub(super) fn read(
    _source: &Source<'_>,
    fields: &mut Fields<'_>,
    usage: &mut Usage,
    _tally: &mut Tally,
) -> Result<(), UsageError> {
    let cached = fields.count("cached_prompt_text_tokens")?;
    if usage[Bucket::CacheRead] == 0 {
        usage[Bucket::CacheRead] = cached;
    }
    fields.known(&["prompt_text_tokens", "prompt_image_tokens"]);
    read_tools(fields, usage)
}

/// Reads sources and tool calls, here and in the shape of OpenAI responses.
///
/// Where the calls are listed, the searches are billed by the call and the sources are only their result.
pub(super) fn read_tools(fields: &mut Fields<'_>, usage: &mut Usage) -> Result<(), UsageError> {
    let sources = fields.count("num_sources_used")?;
    let has_calls = fields.is_object("server_side_tool_usage_details");
    let mut calls = fields.object("server_side_tool_usage_details")?;
    let web = calls.count("web_search_calls")?;
    let x = calls.count("x_search_calls")?;
    calls.finish(&mut usage.unknown_fields);
    if has_calls {
        fields.known(&["num_server_side_tools_used"]);
    }
    let searches = if has_calls { sum_of("server_side_tool_usage_details", web, x)? } else { sources };
    usage[Bucket::Searches] = sum_of("num_sources_used", usage[Bucket::Searches], searches)?;
    // The last step's share of the counts at the top.
    fields.known(&["context_details"]);
    Ok(())
}
