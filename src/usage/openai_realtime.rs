//! OpenAI realtime (`response.done`): as `responses`, with details named in the singular and the cached part split.
//!
//! Cached audio is inside `audio_tokens` and inside `cached_tokens`. xAI's realtime API has the same form and bills by
//! the second. Source: OpenAI's API specification, `RealtimeResponseUsage`.

use super::openai_tally::{self, Tally};
use super::{Bucket, Source, Usage, UsageError, openai_transcription};

const DETAILS: [&str; 5] = ["text_tokens", "audio_tokens", "image_tokens", "cached_tokens", "cached_tokens_details"];

pub(super) fn fits(source: &Source<'_>) -> bool {
    source.has_key("input_tokens") && source.has_key("output_tokens")
}

pub(super) fn recognise(source: &Source<'_>) -> bool {
    fits(source)
        && !openai_transcription::recognise(source)
        && (source.has_any_inner("input_token_details", &DETAILS)
            || source.has_any_inner("output_token_details", &DETAILS)
            || source.has_key("billable_audio_seconds")
            || source.response_text("object") == Some("realtime.response"))
}

pub(super) fn read(source: &Source<'_>) -> Result<Usage, UsageError> {
    let mut usage = Usage::new(Some("openai"));
    let mut fields = source.fields();
    let (input, output) = (fields.required("input_tokens")?, fields.required("output_tokens")?);
    let tally = Tally::new(input, output, fields.optional("total_tokens")?);
    let key = fields.pick("input_token_details", &["input_tokens_details"]);
    openai_tally::input_details(fields.object(key)?, &mut usage)?;
    let key = fields.pick("output_token_details", &["output_tokens_details"]);
    openai_tally::output_details(fields.object(key)?, &mut usage)?;
    if let Some(seconds) = fields.seconds("billable_audio_seconds")? {
        usage.provider = Some("xai");
        usage[Bucket::Seconds] = seconds;
    }
    // What was spoken, not what is billed.
    fields.known(&["output_audio_seconds"]);
    openai_tally::finish(&mut usage, &tally);
    fields.finish(&mut usage.unknown_fields);
    Ok(usage)
}
