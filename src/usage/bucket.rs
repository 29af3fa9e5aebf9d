//! The kinds of thing that a request can be charged for; every token of a usage lands in exactly one.

/// A kind of token, or a counter of something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(usize)]
pub enum Bucket {
    /// Input that was neither read from nor written to a prompt cache, without what is counted apart below.
    UncachedInput,
    /// Input read from a prompt cache, audio and images apart where the provider splits it.
    CacheRead,
    /// Audio input read from a prompt cache.
    CacheReadAudio,
    /// Image input read from a prompt cache.
    CacheReadImage,
    /// Input written to a prompt cache, time to live not stated.
    CacheWrite,
    /// Input written to a prompt cache for five minutes.
    CacheWrite5m,
    /// Input written to a prompt cache for one hour.
    CacheWrite1h,
    /// Audio input. Never part of `UncachedInput`, because it costs several times as much as text.
    InputAudio,
    /// Image input, where the provider counts it apart.
    InputImage,
    /// Video input, where the provider counts it apart.
    InputVideo,
    /// What server-side tools added to the prompt, where the provider counts it beside the prompt.
    ToolPrompt,
    /// Visible output.
    OutputText,
    /// Reasoning ("thinking") output.
    Reasoning,
    /// Predicted output that the model did not take; billed as output.
    RejectedPrediction,
    /// Audio output.
    OutputAudio,
    /// Image output.
    OutputImage,
    /// Text of citations that the model read, where the provider bills it apart (Perplexity).
    Citation,
    /// Calls. Priced only where a price per request is set.
    Requests,
    /// Searches that the provider ran, size of the search context not stated.
    Searches,
    /// Searches with a small context.
    SearchesLow,
    /// Searches with a large context.
    SearchesHigh,
    /// Seconds of audio or video.
    Seconds,
    /// Pages of documents.
    Pages,
    /// Characters of text.
    Characters,
    /// Images, where they are billed by the piece.
    Images,
}

/// What tokens and characters are priced by.
pub const MILLION: u32 = 1_000_000;

impl Bucket {
    /// How many kinds there are.
    pub const COUNT: usize = 25;

    /// Every kind, in the order in which they are shown.
    pub const ALL: [Self; Self::COUNT] = [
        Self::UncachedInput,
        Self::CacheRead,
        Self::CacheReadAudio,
        Self::CacheReadImage,
        Self::CacheWrite,
        Self::CacheWrite5m,
        Self::CacheWrite1h,
        Self::InputAudio,
        Self::InputImage,
        Self::InputVideo,
        Self::ToolPrompt,
        Self::OutputText,
        Self::Reasoning,
        Self::RejectedPrediction,
        Self::OutputAudio,
        Self::OutputImage,
        Self::Citation,
        Self::Requests,
        Self::Searches,
        Self::SearchesLow,
        Self::SearchesHigh,
        Self::Seconds,
        Self::Pages,
        Self::Characters,
        Self::Images,
    ];

    /// Tokens that count as input.
    pub const INPUT: [Self; 11] = [
        Self::UncachedInput,
        Self::CacheRead,
        Self::CacheReadAudio,
        Self::CacheReadImage,
        Self::CacheWrite,
        Self::CacheWrite5m,
        Self::CacheWrite1h,
        Self::InputAudio,
        Self::InputImage,
        Self::InputVideo,
        Self::ToolPrompt,
    ];

    /// Tokens that count as output.
    pub const OUTPUT: [Self; 5] =
        [Self::OutputText, Self::Reasoning, Self::RejectedPrediction, Self::OutputAudio, Self::OutputImage];

    /// Input tokens read from a cache.
    pub const CACHE_READ: [Self; 3] = [Self::CacheRead, Self::CacheReadAudio, Self::CacheReadImage];

    /// Input tokens written to a cache.
    pub const CACHE_WRITE: [Self; 3] = [Self::CacheWrite, Self::CacheWrite5m, Self::CacheWrite1h];

    /// A stable name for storage.
    pub const fn name(self) -> &'static str {
        match self {
            Self::UncachedInput => "uncached_input",
            Self::CacheRead => "cache_read",
            Self::CacheReadAudio => "cache_read_audio",
            Self::CacheReadImage => "cache_read_image",
            Self::CacheWrite => "cache_write",
            Self::CacheWrite5m => "cache_write_5m",
            Self::CacheWrite1h => "cache_write_1h",
            Self::InputAudio => "input_audio",
            Self::InputImage => "input_image",
            Self::InputVideo => "input_video",
            Self::ToolPrompt => "tool_prompt",
            Self::OutputText => "output_text",
            Self::Reasoning => "reasoning",
            Self::RejectedPrediction => "rejected_prediction",
            Self::OutputAudio => "output_audio",
            Self::OutputImage => "output_image",
            Self::Citation => "citation",
            Self::Requests => "requests",
            Self::Searches => "searches",
            Self::SearchesLow => "searches_low",
            Self::SearchesHigh => "searches_high",
            Self::Seconds => "seconds",
            Self::Pages => "pages",
            Self::Characters => "characters",
            Self::Images => "images",
        }
    }

    /// The name of its unit price. Only plain input and output are called otherwise than the bucket.
    pub const fn price_name(self) -> &'static str {
        match self {
            Self::UncachedInput => "input",
            Self::OutputText => "output",
            other => other.name(),
        }
    }

    /// The bucket of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|bucket| bucket.name() == name)
    }

    /// The bucket whose unit price has that name.
    pub fn from_price_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|bucket| bucket.price_name() == name)
    }

    /// How many of it a unit price is for: a million tokens or characters, one of anything else.
    pub const fn per(self) -> u32 {
        match self {
            Self::Requests
            | Self::Searches
            | Self::SearchesLow
            | Self::SearchesHigh
            | Self::Seconds
            | Self::Pages
            | Self::Images => 1,
            _ => MILLION,
        }
    }

    /// Whether it counts something that a caller may also give as a meter of that name.
    pub const fn is_counter(self) -> bool {
        matches!(
            self,
            Self::Searches
                | Self::SearchesLow
                | Self::SearchesHigh
                | Self::Seconds
                | Self::Pages
                | Self::Characters
                | Self::Images
        )
    }
}

/// A count for each kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts([i64; Bucket::COUNT]);

impl Counts {
    /// Nothing of any kind.
    pub const fn none() -> Self {
        Self([0; Bucket::COUNT])
    }

    /// The kinds that are not empty, with their counts.
    pub fn present(&self) -> impl Iterator<Item = (Bucket, i64)> + '_ {
        Bucket::ALL.into_iter().zip(self.0).filter(|(_, count)| *count != 0)
    }

    /// Sum over some kinds; none if it leaves `i64`.
    pub fn sum(&self, buckets: &[Bucket]) -> Option<i64> {
        buckets.iter().try_fold(0_i64, |sum, bucket| sum.checked_add(self[*bucket]))
    }

    /// Adds the counts of another; none if a sum leaves `i64`.
    #[must_use = "the sum may have left the range"]
    pub fn add(&mut self, other: &Self) -> Option<()> {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine = mine.checked_add(theirs)?;
        }
        Some(())
    }
}

impl std::ops::Index<Bucket> for Counts {
    type Output = i64;

    #[allow(clippy::indexing_slicing, reason = "the discriminants are the indices")]
    fn index(&self, bucket: Bucket) -> &i64 {
        &self.0[bucket as usize]
    }
}

impl std::ops::IndexMut<Bucket> for Counts {
    #[allow(clippy::indexing_slicing, reason = "the discriminants are the indices")]
    fn index_mut(&mut self, bucket: Bucket) -> &mut i64 {
        &mut self.0[bucket as usize]
    }
}

impl<const N: usize> From<[(Bucket, i64); N]> for Counts {
    fn from(counts: [(Bucket, i64); N]) -> Self {
        let mut all = Self::default();
        for (bucket, count) in counts {
            all[bucket] = count;
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bucket_is_listed_once_under_its_own_name() {
        for (index, bucket) in Bucket::ALL.into_iter().enumerate() {
            assert_eq!(bucket as usize, index);
            assert_eq!(Bucket::from_name(bucket.name()), Some(bucket));
            assert_eq!(Bucket::from_price_name(bucket.price_name()), Some(bucket));
        }
        let (input, output) = (Bucket::INPUT, Bucket::OUTPUT);
        assert!(!input.iter().any(|bucket| output.contains(bucket)));
        assert!(Bucket::CACHE_READ.iter().chain(&Bucket::CACHE_WRITE).all(|bucket| input.contains(bucket)));
    }
}
