//! Google's counts by modality, and the sums that all of Google's shapes share.

use super::fields::{self, Fields};
use super::{Bucket, Flag, Reason, Usage, UsageError};

/// The parts of a count that are not text. Documents are billed as text.
#[derive(Default)]
pub(super) struct Split {
    pub(super) audio: i64,
    pub(super) image: i64,
    pub(super) video: i64,
    /// All parts, those in text included.
    pub(super) all: i64,
}

impl Split {
    /// Reads a list of `{modality, tokenCount}`. A modality that no bucket is for is reported.
    pub(super) fn read(items: Vec<Fields<'_>>, unknown: &mut Vec<String>) -> Result<Self, UsageError> {
        let mut split = Self::default();
        for mut item in items {
            let modality = item.text("modality").unwrap_or_default().to_ascii_uppercase();
            let key = item.pick("tokenCount", &["token_count", "tokens"]);
            let path = item.path().to_owned();
            let count = item.count(key)?;
            let mut rest = 0;
            let part = match modality.as_str() {
                "AUDIO" => &mut split.audio,
                "IMAGE" => &mut split.image,
                "VIDEO" => &mut split.video,
                "" | "TEXT" | "DOCUMENT" | "MODALITY_UNSPECIFIED" => &mut rest,
                _ => {
                    if count > 0 {
                        fields::report_path(&path, unknown);
                    }
                    &mut rest
                }
            };
            for sum in [part, &mut split.all] {
                *sum = sum.checked_add(count).ok_or_else(|| UsageError::new(path.clone(), Reason::TooLarge))?;
            }
            item.finish(unknown);
        }
        Ok(split)
    }
}

/// The counts of one request, under whatever names.
pub(super) struct Turn {
    /// With the cached tokens, without those of tools.
    pub(super) prompt: i64,
    pub(super) prompt_split: Split,
    pub(super) cached: Option<i64>,
    pub(super) cached_split: Split,
    /// What server-side tools added to the prompt.
    pub(super) tool_prompt: i64,
    /// With the thoughts or without them, which only the total tells.
    pub(super) output: i64,
    pub(super) output_split: Split,
    pub(super) thoughts: i64,
    pub(super) total: Option<i64>,
}

impl Turn {
    /// Puts every token into its bucket.
    pub(super) fn settle(&self, usage: &mut Usage) {
        let cached = self.cached.unwrap_or(self.cached_split.all);
        usage[Bucket::CacheReadAudio] = self.cached_split.audio;
        usage[Bucket::CacheReadImage] = self.cached_split.image;
        let apart = [self.cached_split.audio, self.cached_split.image];
        usage[Bucket::CacheRead] = usage.remainder(cached, &apart, Flag::ClampedInput);
        // The counts by modality contain what was cached of each.
        let (prompt, cached_split) = (&self.prompt_split, &self.cached_split);
        usage[Bucket::InputAudio] = usage.remainder(prompt.audio, &[cached_split.audio], Flag::ClampedInput);
        usage[Bucket::InputImage] = usage.remainder(prompt.image, &[cached_split.image], Flag::ClampedInput);
        usage[Bucket::InputVideo] = usage.remainder(prompt.video, &[cached_split.video], Flag::ClampedInput);
        let apart = [
            Bucket::CacheRead,
            Bucket::CacheReadAudio,
            Bucket::CacheReadImage,
            Bucket::InputAudio,
            Bucket::InputImage,
            Bucket::InputVideo,
        ];
        let apart = apart.map(|bucket| usage[bucket]);
        usage[Bucket::UncachedInput] = usage.remainder(self.prompt, &apart, Flag::ClampedInput);
        usage[Bucket::ToolPrompt] = self.tool_prompt;

        usage[Bucket::Reasoning] = self.thoughts;
        usage[Bucket::OutputAudio] = self.output_split.audio;
        usage[Bucket::OutputImage] = self.output_split.image;
        let turn = i128::from(self.prompt) + i128::from(self.output);
        let with_tools = turn + i128::from(self.tool_prompt);
        let thoughts = i128::from(self.thoughts);
        let is_total = |sum: i128| self.total.is_some_and(|total| i128::from(total) == sum);
        // The documented sum has the thoughts beside the candidates; where the rest adds up already, they are inside.
        let is_inside = thoughts > 0 && !is_total(with_tools + thoughts) && (is_total(with_tools) || is_total(turn));
        let thoughts_inside = if is_inside { self.thoughts } else { 0 };
        let apart = [thoughts_inside, self.output_split.audio, self.output_split.image];
        usage[Bucket::OutputText] = usage.remainder(self.output, &apart, Flag::ClampedOutput);

        usage.stated.input_tokens = Some(self.prompt);
        usage.stated.output_tokens = Some(self.output);
        usage.stated.total_tokens = self.total;
        let beside = if is_inside { 0 } else { thoughts };
        usage.check_total(&[with_tools + beside, turn + beside]);
    }
}
