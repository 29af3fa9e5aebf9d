//! Vercel AI SDK usage: the names of Bedrock, but the cached tokens are inside `inputTokens`.
//!
//! Version 5 has `cachedInputTokens` and `reasoningTokens`; version 6 adds `inputTokenDetails` and
//! `outputTokenDetails`; providers of version 3 have the details in place of the counts. Some providers leave the
//! reasoning out of `outputTokens` and have it in `totalTokens`. Source: `LanguageModelUsage` in the packages `ai` and
//! `@ai-sdk/provider`.

use super::openai_tally::{self, Tally};
use super::{Bucket, Source, Usage, UsageError};

const MARKS: [&str; 4] = ["cachedInputTokens", "reasoningTokens", "inputTokenDetails", "outputTokenDetails"];

pub(super) fn fits(source: &Source<'_>) -> bool {
    source.has_key("inputTokens") && source.has_key("outputTokens")
}

pub(super) fn recognise(source: &Source<'_>) -> bool {
    fits(source)
        && (source.has_any_key(&MARKS) || (source.is_object("inputTokens") && source.is_object("outputTokens")))
}

pub(super) fn read(source: &Source<'_>) -> Result<Usage, UsageError> {
    let mut usage = Usage::new(None);
    let mut fields = source.fields();
    let input = if fields.is_object("inputTokens") {
        let mut input = fields.object("inputTokens")?;
        usage[Bucket::CacheRead] = input.count("cacheRead")?;
        usage[Bucket::CacheWrite] = input.count("cacheWrite")?;
        let total = input.required("total")?;
        input.known(&["noCache"]);
        input.finish(&mut usage.unknown_fields);
        total
    } else {
        fields.required("inputTokens")?
    };
    let output = if fields.is_object("outputTokens") {
        let mut output = fields.object("outputTokens")?;
        usage[Bucket::Reasoning] = output.count("reasoning")?;
        let total = output.required("total")?;
        output.known(&["text"]);
        output.finish(&mut usage.unknown_fields);
        total
    } else {
        fields.required("outputTokens")?
    };
    let mut details = fields.object("inputTokenDetails")?;
    let cached = [details.count("cacheReadTokens")?, fields.count("cachedInputTokens")?];
    let written = details.count("cacheWriteTokens")?;
    details.known(&["noCacheTokens"]);
    details.finish(&mut usage.unknown_fields);
    let mut details = fields.object("outputTokenDetails")?;
    let reasoning = [details.count("reasoningTokens")?, fields.count("reasoningTokens")?];
    details.known(&["textTokens"]);
    details.finish(&mut usage.unknown_fields);
    // Old and new names state the same thing.
    for (bucket, counts) in [
        (Bucket::CacheRead, cached.as_slice()),
        (Bucket::CacheWrite, &[written]),
        (Bucket::Reasoning, reasoning.as_slice()),
    ] {
        if let (0, Some(count)) = (usage[bucket], counts.iter().find(|count| **count > 0)) {
            usage[bucket] = *count;
        }
    }
    let tally = Tally::new(input, output, fields.optional("totalTokens")?);
    openai_tally::finish(&mut usage, &tally);
    // `raw` is the provider's own object once more.
    fields.known(&["raw"]);
    fields.finish(&mut usage.unknown_fields);
    Ok(usage)
}
