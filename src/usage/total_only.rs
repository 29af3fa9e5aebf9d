//! Voyage and Jina: embeddings and rerankings whose usage is `total_tokens` and nothing else; all of it is input.
//!
//! The number alone could be anything, so the list of results must stand beside it, or the provider be named. Sources:
//! the API references of Voyage AI and Jina AI.

use serde_json::Value;

use super::{Bucket, Source, Usage, UsageError};

pub(super) fn fits(source: &Source<'_>) -> bool {
    const OTHERS: [&str; 4] = ["prompt_tokens", "completion_tokens", "input_tokens", "output_tokens"];
    source.has_key("total_tokens") && !source.has_any_key(&OTHERS)
}

pub(super) fn recognise(source: &Source<'_>) -> bool {
    fits(source) && results(source).is_some()
}

fn results<'a>(source: &Source<'a>) -> Option<&'a Vec<Value>> {
    let response = source.response?;
    ["data", "results"].iter().find_map(|key| response.get(*key)?.as_array())
}

pub(super) fn read(source: &Source<'_>) -> Result<Usage, UsageError> {
    let mut usage = Usage::new(None);
    let is_ranked = results(source).and_then(|results| results.first()?.get("relevance_score")).is_some();
    usage.operation = Some(if is_ranked { "rerank" } else { "embeddings" });
    let mut fields = source.fields();
    let total = fields.required("total_tokens")?;
    usage[Bucket::UncachedInput] = total;
    usage.stated.total_tokens = Some(total);
    // Pixels of images are billed apart: they are reported.
    fields.known(&["text_tokens"]);
    fields.finish(&mut usage.unknown_fields);
    Ok(usage)
}
