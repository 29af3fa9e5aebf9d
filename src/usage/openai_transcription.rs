//! OpenAI transcription: billed by the token or by the second, which `type` says.
//!
//! Seconds may come with a fraction; a second begun counts whole. Source: OpenAI's API specification,
//! `TranscriptTextUsageTokens` and `TranscriptTextUsageDuration`.

use super::openai_tally::{self, Tally};
use super::{Bucket, Source, Usage, UsageError};

pub(super) fn fits(source: &Source<'_>) -> bool {
    match source.text("type") {
        Some("tokens") => source.has_key("input_tokens") && source.has_key("output_tokens"),
        Some("duration") => source.has_key("seconds"),
        _ => false,
    }
}

pub(super) fn recognise(source: &Source<'_>) -> bool {
    fits(source)
}

pub(super) fn read(source: &Source<'_>) -> Result<Usage, UsageError> {
    let mut usage = Usage::new(Some("openai"));
    usage.operation = Some("transcription");
    let mut fields = source.fields();
    if fields.text("type") == Some("duration") {
        usage[Bucket::Seconds] = fields.required_seconds("seconds")?;
    } else {
        let (input, output) = (fields.required("input_tokens")?, fields.required("output_tokens")?);
        let tally = Tally::new(input, output, fields.optional("total_tokens")?);
        let key = fields.pick("input_token_details", &["input_tokens_details"]);
        openai_tally::input_details(fields.object(key)?, &mut usage)?;
        openai_tally::finish(&mut usage, &tally);
    }
    fields.finish(&mut usage.unknown_fields);
    Ok(usage)
}
