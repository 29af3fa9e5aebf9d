//! Groq: the shape of OpenAI chat, with times beside the counts. Source: Groq's API reference, `usage`.

use super::fields::Fields;
use super::openai_tally::Tally;
use super::{Source, Usage, UsageError};

/// Seconds that the server took; nothing is billed by them.
const TIMES: [&str; 4] = ["queue_time", "prompt_time", "completion_time", "total_time"];

pub(super) fn recognise(source: &Source<'_>) -> bool {
    source.has_any_key(&TIMES) || source.response_has("x_groq")
}

pub(super) fn read(
    _source: &Source<'_>,
    fields: &mut Fields<'_>,
    _usage: &mut Usage,
    _tally: &mut Tally,
) -> Result<(), UsageError> {
    fields.known(&TIMES);
    Ok(())
}
