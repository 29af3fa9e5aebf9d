//! Bedrock `Converse`: cache counts are beside `inputTokens`, reasoning is inside `outputTokens`.
//!
//! `cacheDetails` splits the writes by their time to live. `InvokeModel` answers in the model's own shape. Source: AWS
//! API reference, `TokenUsage` and `CacheDetail`.

use super::{Bucket, Flag, Source, Usage, UsageError, sum_of};

const MARKS: [&str; 5] = [
    "cacheReadInputTokens",
    "cacheWriteInputTokens",
    "cacheDetails",
    "cacheReadInputTokenCount",
    "cacheWriteInputTokenCount",
];

pub(super) fn fits(source: &Source<'_>) -> bool {
    source.has_key("inputTokens") && source.has_key("outputTokens")
}

pub(super) fn recognise(source: &Source<'_>) -> bool {
    fits(source) && (source.has_any_key(&MARKS) || source.response_has("stopReason") || source.response_has("metrics"))
}

pub(super) fn read(source: &Source<'_>) -> Result<Usage, UsageError> {
    let mut usage = Usage::new(Some("bedrock"));
    let mut fields = source.fields();
    let (input, output) = (fields.required("inputTokens")?, fields.required("outputTokens")?);
    usage[Bucket::UncachedInput] = input;
    usage[Bucket::OutputText] = output;
    let key = fields.pick("cacheReadInputTokens", &["cacheReadInputTokenCount"]);
    usage[Bucket::CacheRead] = fields.count(key)?;
    let key = fields.pick("cacheWriteInputTokens", &["cacheWriteInputTokenCount"]);
    let written = fields.optional(key)?;
    for mut detail in fields.objects("cacheDetails")? {
        let bucket = match detail.text("ttl") {
            Some("5m") => Bucket::CacheWrite5m,
            Some("1h") => Bucket::CacheWrite1h,
            // A life that no price is for stays in the rest of the writes.
            _ => continue,
        };
        let count = detail.count("inputTokens")?;
        usage[bucket] = sum_of("cacheDetails", usage[bucket], count)?;
        detail.finish(&mut usage.unknown_fields);
    }
    if let Some(written) = written {
        let lives = [usage[Bucket::CacheWrite5m], usage[Bucket::CacheWrite1h]];
        usage[Bucket::CacheWrite] = usage.remainder(written, &lives, Flag::ClampedInput);
    }
    usage.stated.input_tokens = Some(input);
    usage.stated.output_tokens = Some(output);
    usage.stated.total_tokens = fields.optional("totalTokens")?;
    // Some models count the cache into the total and some do not.
    let sum = i128::from(input) + i128::from(output);
    let cached = [Bucket::CacheRead, Bucket::CacheWrite, Bucket::CacheWrite5m, Bucket::CacheWrite1h];
    usage.check_total(&[sum, cached.iter().fold(sum, |sum, bucket| sum + i128::from(usage[*bucket]))]);

    usage.set_service_tier(source.response_inner_text("serviceTier", "type"));
    if let Some(latency) = source.response_inner_text("performanceConfig", "latency").filter(|name| *name != "standard")
    {
        usage.surcharge("latency", latency);
    }
    fields.finish(&mut usage.unknown_fields);
    Ok(usage)
}
