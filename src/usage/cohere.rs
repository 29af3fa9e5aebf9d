//! Cohere: `billed_units` is what is billed, `tokens` what the model saw.
//!
//! Chat has them in `usage`, embed and rerank in `meta`; the numbers are typed as floats. Nothing says whether billed
//! input contains `cached_tokens`, so beside `billed_units` they stay at the full price and are reported. Source:
//! Cohere's API reference and Python SDK, `Usage` and `ApiMeta`.

use super::{Bucket, Flag, Source, Usage, UsageError};

pub(super) fn fits(source: &Source<'_>) -> bool {
    source.is_object("billed_units") || source.is_object("tokens")
}

pub(super) fn recognise(source: &Source<'_>) -> bool {
    fits(source)
}

pub(super) fn read(source: &Source<'_>) -> Result<Usage, UsageError> {
    let mut usage = Usage::new(Some("cohere"));
    let mut fields = source.fields();
    let mut tokens = fields.object("tokens")?;
    usage.stated.input_tokens = tokens.optional("input_tokens")?;
    usage.stated.output_tokens = tokens.optional("output_tokens")?;
    tokens.finish(&mut usage.unknown_fields);

    if fields.is_object("billed_units") {
        let mut billed = fields.object("billed_units")?;
        usage[Bucket::UncachedInput] = billed.count("input_tokens")?;
        usage[Bucket::OutputText] = billed.count("output_tokens")?;
        usage[Bucket::InputImage] = billed.count("image_tokens")?;
        usage[Bucket::Images] = billed.count("images")?;
        let searches = billed.optional("search_units")?;
        usage[Bucket::Searches] = searches.unwrap_or(0);
        billed.finish(&mut usage.unknown_fields);
        if searches.is_some() && usage[Bucket::UncachedInput] == 0 {
            usage.operation = Some("rerank");
        }
    } else {
        let cached = fields.count("cached_tokens")?;
        usage[Bucket::CacheRead] = cached;
        let input = usage.stated.input_tokens.unwrap_or(0);
        usage[Bucket::UncachedInput] = usage.remainder(input, &[cached], Flag::ClampedInput);
        usage[Bucket::OutputText] = usage.stated.output_tokens.unwrap_or(0);
    }
    if source.response_has("embeddings") {
        usage.operation = Some("embeddings");
    }
    fields.known(&["api_version"]);
    fields.finish(&mut usage.unknown_fields);
    Ok(usage)
}
