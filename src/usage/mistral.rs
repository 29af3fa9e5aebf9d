//! Mistral: the shape of OpenAI chat, with seconds of audio and connectors.
//!
//! Audio is billed by the second; its tokens are in the total and in no other count, so they have no bucket. Cached
//! tokens are taken as inside the prompt. The tokens of connectors (tools on the server) are beside the prompt
//! and inside the total: the documented `conversations` response adds up that way only. Source: Mistral's API reference
//! and Python client, `UsageInfo` and `ConversationUsageInfo`.

use super::fields::Fields;
use super::openai_tally::Tally;
use super::{Bucket, Source, Usage, UsageError};

const MARKS: [&str; 6] = [
    "prompt_audio_seconds",
    "num_cached_tokens",
    "prompt_token_details",
    "connector_tokens",
    "connectors",
    "request_count",
];

pub(super) fn recognise(source: &Source<'_>) -> bool {
    source.has_any_key(&MARKS)
}

pub(super) fn read(
    source: &Source<'_>,
    fields: &mut Fields<'_>,
    usage: &mut Usage,
    tally: &mut Tally,
) -> Result<(), UsageError> {
    usage[Bucket::Seconds] = fields.seconds("prompt_audio_seconds")?.unwrap_or(0);
    tally.has_more_in_total = usage[Bucket::Seconds] > 0;
    usage[Bucket::Requests] = fields.optional("request_count")?.unwrap_or(1);
    tally.tool_prompt = fields.count("connector_tokens")?;
    let mut connectors = fields.object("connectors")?;
    usage[Bucket::Searches] = connectors.count("web_search")?;
    usage[Bucket::Images] = connectors.count("image_generation")?;
    // Other connectors, the premium search among them, have prices of their own: they are reported.
    connectors.finish(&mut usage.unknown_fields);
    if source.response_has("text") && !source.response_has("choices") {
        usage.operation = Some("transcription");
    }
    Ok(())
}
