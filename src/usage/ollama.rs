//! Ollama's own API: the counts stand in the answer itself, beside times in nanoseconds.
//!
//! `eval_count` is the output, with the thinking. Embeddings have no output. Source: Ollama's API reference.

use super::openai_tally::{self, Tally};
use super::{Source, Usage, UsageError};

pub(super) fn fits(source: &Source<'_>) -> bool {
    source.has_any_key(&["prompt_eval_count", "eval_count"])
}

pub(super) fn recognise(source: &Source<'_>) -> bool {
    fits(source)
}

pub(super) fn read(source: &Source<'_>) -> Result<Usage, UsageError> {
    let mut usage = Usage::new(Some("ollama"));
    let mut fields = source.fields();
    let is_embedding = source.has("embeddings") || source.has("embedding");
    // A prompt that was still in memory is not counted again.
    let input = fields.count("prompt_eval_count")?;
    let stated = fields.optional("eval_count")?;
    let output = if is_embedding { stated.unwrap_or(0) } else { fields.required("eval_count")? };
    openai_tally::finish(&mut usage, &Tally::new(input, output, None));
    usage.stated.output_tokens = stated;
    usage.operation = is_embedding.then_some("embeddings");
    usage.model = fields.text("model").filter(|model| !model.is_empty()).map(str::to_owned);
    // The rest of the answer is no usage: times, the context and vectors are numbers too.
    Ok(usage)
}
