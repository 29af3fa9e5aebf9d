//! `DeepSeek`: the shape of OpenAI chat, with the prompt split into cache hits and misses.
//!
//! `prompt_tokens` is the sum of `prompt_cache_hit_tokens` and `prompt_cache_miss_tokens`. The hits are read with the
//! other names of cached tokens. Source: `DeepSeek`'s API reference, `usage`.

use super::fields::Fields;
use super::openai_tally::Tally;
use super::{Flag, Source, Usage, UsageError};

pub(super) fn recognise(source: &Source<'_>) -> bool {
    source.has_any_key(&["prompt_cache_hit_tokens", "prompt_cache_miss_tokens"])
}

pub(super) fn read(
    _source: &Source<'_>,
    fields: &mut Fields<'_>,
    usage: &mut Usage,
    tally: &mut Tally,
) -> Result<(), UsageError> {
    let hit = fields.optional("prompt_cache_hit_tokens")?;
    let miss = fields.optional("prompt_cache_miss_tokens")?;
    if hit.zip(miss).is_some_and(|(hit, miss)| i128::from(hit) + i128::from(miss) != i128::from(tally.input)) {
        usage.flag(Flag::TotalMismatch);
    }
    Ok(())
}
