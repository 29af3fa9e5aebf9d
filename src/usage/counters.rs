//! Counts of something other than tokens, under the names of their buckets: `{"characters": 120}`, `{"seconds": 61.5}`.
//!
//! For calls that are billed by the piece: speech, transcription, search, images. An object with any other member is
//! not of this shape. A second begun counts whole.

use super::{Bucket, Source, Usage, UsageError};

const COUNTERS: [Bucket; 8] = [
    Bucket::Requests,
    Bucket::Searches,
    Bucket::SearchesLow,
    Bucket::SearchesHigh,
    Bucket::Seconds,
    Bucket::Pages,
    Bucket::Characters,
    Bucket::Images,
];

pub(super) fn fits(source: &Source<'_>) -> bool {
    let is_counter = |key: &String| COUNTERS.iter().any(|bucket| bucket.name() == key);
    !source.usage.is_empty() && source.usage.keys().all(is_counter)
}

pub(super) fn recognise(source: &Source<'_>) -> bool {
    fits(source)
}

pub(super) fn read(source: &Source<'_>) -> Result<Usage, UsageError> {
    let mut usage = Usage::new(None);
    let mut fields = source.fields();
    for bucket in COUNTERS {
        let count = match bucket {
            Bucket::Seconds => fields.seconds(bucket.name())?,
            _ => fields.optional(bucket.name())?,
        };
        usage[bucket] = count.unwrap_or(usage[bucket]);
    }
    Ok(usage)
}
