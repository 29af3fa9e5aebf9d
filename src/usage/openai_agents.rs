//! OpenAI Agents SDK `Usage`: the sum over the requests of a run, in the shape of `responses`.
//!
//! `request_usage_entries` repeats the counts by request. Source: openai-agents-python, `Usage`.

use super::{Bucket, Source, Usage, UsageError, openai_tally};

pub(super) fn fits(source: &Source<'_>) -> bool {
    source.has_key("requests") && source.has_key("input_tokens") && source.has_key("output_tokens")
}

pub(super) fn recognise(source: &Source<'_>) -> bool {
    fits(source)
}

pub(super) fn read(source: &Source<'_>) -> Result<Usage, UsageError> {
    let mut usage = Usage::new(Some("openai"));
    let mut fields = source.fields();
    let (input, output) = (fields.required("input_tokens")?, fields.required("output_tokens")?);
    let tally = openai_tally::Tally::new(input, output, fields.optional("total_tokens")?);
    usage[Bucket::Requests] = fields.required("requests")?;
    openai_tally::input_details(fields.object("input_tokens_details")?, &mut usage)?;
    openai_tally::output_details(fields.object("output_tokens_details")?, &mut usage)?;
    openai_tally::finish(&mut usage, &tally);
    fields.known(&["request_usage_entries"]);
    fields.finish(&mut usage.unknown_fields);
    Ok(usage)
}
