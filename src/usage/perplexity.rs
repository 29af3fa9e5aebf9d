//! Perplexity: the shape of OpenAI chat, with searches, citations and reasoning beside the totals.
//!
//! `citation_tokens` and `reasoning_tokens` are billed apart and are in none of the other counts: in the documented
//! response of deep research the reasoning is many times the completion. A search is counted by its context, because
//! the fee depends on it; models that search once per request state only the size. Source: Perplexity's API reference
//! and Python SDK, `UsageInfo`.

use super::fields::Fields;
use super::openai_tally::Tally;
use super::{Bucket, Source, Usage, UsageError, sum_of};

const MARKS: [&str; 3] = ["citation_tokens", "num_search_queries", "search_context_size"];

pub(super) fn recognise(source: &Source<'_>) -> bool {
    source.has_any_key(&MARKS) || source.named == Some("perplexity")
}

pub(super) fn read(
    _source: &Source<'_>,
    fields: &mut Fields<'_>,
    usage: &mut Usage,
    tally: &mut Tally,
) -> Result<(), UsageError> {
    usage[Bucket::Citation] = fields.count("citation_tokens")?;
    tally.reasoning_beside = fields.count("reasoning_tokens")?;
    let searches = fields.optional("num_search_queries")?;
    let size = fields.text("search_context_size");
    let bucket = match size {
        Some("low") => Bucket::SearchesLow,
        Some("high") => Bucket::SearchesHigh,
        _ => Bucket::Searches,
    };
    usage[bucket] = searches.unwrap_or(i64::from(size.is_some()));
    Ok(())
}

/// Reads what the Agent API adds to the shape of OpenAI responses.
pub(super) fn read_tool_calls(fields: &mut Fields<'_>, usage: &mut Usage) -> Result<(), UsageError> {
    let mut calls = fields.object("tool_calls_details")?;
    let mut search = calls.object("search_web")?;
    let count = search.count("invocation")?;
    search.finish(&mut usage.unknown_fields);
    // A fetch costs nothing beside its tokens in the list of prices, but has a price per call elsewhere: it is reported.
    calls.finish(&mut usage.unknown_fields);
    usage[Bucket::Searches] = sum_of("tool_calls_details", usage[Bucket::Searches], count)?;
    if count > 0 {
        usage.provider = Some("perplexity");
    }
    Ok(())
}
