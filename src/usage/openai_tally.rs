//! What OpenAI's shapes have in common: the parts are always inside the whole.
//!
//! Source: OpenAI's API specification, `CompletionUsage`, `ResponseUsage` and `RealtimeResponseUsage`.

use super::fields::Fields;
use super::{Bucket, Flag, Stated, Usage, UsageError};

/// The totals of a usage, of which the parts are already in their buckets.
pub(super) struct Tally {
    pub(super) input: i64,
    pub(super) output: i64,
    pub(super) total: Option<i64>,
    /// What tools added to the prompt: not in `input`, but in `total`.
    pub(super) tool_prompt: i64,
    /// Reasoning that is neither in `output` nor in `total`.
    pub(super) reasoning_beside: i64,
    /// Whether `total` may have tokens that are billed otherwise and counted nowhere else.
    pub(super) has_more_in_total: bool,
}

impl Tally {
    pub(super) const fn new(input: i64, output: i64, total: Option<i64>) -> Self {
        Self { input, output, total, tool_prompt: 0, reasoning_beside: 0, has_more_in_total: false }
    }
}

/// Reads the parts of the input.
///
/// Where the cached part is split, cached audio and images leave those that were not cached. Without the split, cached
/// audio is counted as cached and as audio; the text then comes out too low by the overlap, which errs upwards in cost
/// because audio is dearer than text.
pub(super) fn input_details(mut details: Fields<'_>, usage: &mut Usage) -> Result<(), UsageError> {
    let cached = details.first_nonzero(&["cached_tokens", "cache_read_input_tokens"])?;
    let mut split = details.object("cached_tokens_details")?;
    usage[Bucket::CacheReadAudio] = split.count("audio_tokens")?;
    usage[Bucket::CacheReadImage] = split.count("image_tokens")?;
    split.known(&["text_tokens"]);
    split.finish(&mut usage.unknown_fields);
    let (cached_audio, cached_image) = (usage[Bucket::CacheReadAudio], usage[Bucket::CacheReadImage]);
    usage[Bucket::CacheRead] = usage.remainder(cached, &[cached_audio, cached_image], Flag::ClampedInput);
    usage[Bucket::CacheWrite] =
        details.first_nonzero(&["cache_write_tokens", "cache_creation_tokens", "cache_creation_input_tokens"])?;
    let (audio, image) = (details.count("audio_tokens")?, details.count("image_tokens")?);
    usage[Bucket::InputAudio] = usage.remainder(audio, &[cached_audio], Flag::ClampedInput);
    usage[Bucket::InputImage] = usage.remainder(image, &[cached_image], Flag::ClampedInput);
    usage[Bucket::InputVideo] = details.count("video_tokens")?;
    details.known(&["text_tokens"]);
    details.finish(&mut usage.unknown_fields);
    Ok(())
}

/// Reads the parts of the output. Accepted predictions are text like any other.
pub(super) fn output_details(mut details: Fields<'_>, usage: &mut Usage) -> Result<(), UsageError> {
    usage[Bucket::Reasoning] = details.count("reasoning_tokens")?;
    usage[Bucket::OutputAudio] = details.count("audio_tokens")?;
    usage[Bucket::OutputImage] = details.count("image_tokens")?;
    usage[Bucket::RejectedPrediction] = details.count("rejected_prediction_tokens")?;
    details.known(&["text_tokens", "accepted_prediction_tokens"]);
    details.finish(&mut usage.unknown_fields);
    Ok(())
}

/// The remainders, once the parts are in their buckets.
///
/// Some servers (xAI) leave the reasoning out of the output but have it in the total: only the sum shows it.
pub(super) fn finish(usage: &mut Usage, tally: &Tally) {
    let is_inside = |bucket: &Bucket| !matches!(bucket, Bucket::UncachedInput | Bucket::ToolPrompt);
    let parts: Vec<_> = Bucket::INPUT.into_iter().filter(is_inside).map(|bucket| usage[bucket]).collect();
    usage[Bucket::UncachedInput] = usage.remainder(tally.input, &parts, Flag::ClampedInput);
    usage[Bucket::ToolPrompt] = tally.tool_prompt;

    let reasoning = usage[Bucket::Reasoning];
    let sum = i128::from(tally.input) + i128::from(tally.output) + i128::from(tally.tool_prompt);
    let with_reasoning = sum + i128::from(reasoning);
    let is_outside = reasoning > 0 && tally.total.is_some_and(|total| i128::from(total) == with_reasoning);
    let inside = [
        usage[Bucket::RejectedPrediction],
        usage[Bucket::OutputAudio],
        usage[Bucket::OutputImage],
        if is_outside { 0 } else { reasoning },
    ];
    usage[Bucket::OutputText] = usage.remainder(tally.output, &inside, Flag::ClampedOutput);
    if tally.reasoning_beside > 0 {
        usage[Bucket::Reasoning] = tally.reasoning_beside;
    }
    let cost_nanos = usage.stated.cost_nanos;
    usage.stated = Stated {
        input_tokens: Some(tally.input),
        output_tokens: Some(tally.output),
        total_tokens: tally.total,
        cost_nanos,
    };
    let is_more = tally.total.is_some_and(|total| i128::from(total) > sum);
    if !(tally.has_more_in_total && is_more) {
        usage.check_total(&[if is_outside { with_reasoning } else { sum }]);
    }
}
