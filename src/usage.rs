//! Provider usage objects, read into disjoint token buckets.
//!
//! Providers disagree on what their counts contain: one counts cached tokens inside the input, another beside it. Here
//! every token lands in exactly one bucket, so that a cost is a plain sum of bucket times price.

use std::ops::{Index, IndexMut};

use serde_json::Value;

mod anthropic;
mod bedrock;
mod bucket;
mod buckets;
mod cohere;
mod cost;
mod counters;
pub mod decimal;
mod deepseek;
mod error;
mod fields;
mod gemini;
mod groq;
mod interactions;
mod langchain;
mod mistral;
mod modality;
mod ocr;
mod ollama;
mod openai_agents;
mod openai_chat;
mod openai_images;
mod openai_realtime;
mod openai_responses;
mod openai_tally;
mod openai_transcription;
mod opentelemetry;
mod perplexity;
mod plain;
mod provider;
mod shapes;
mod source;
mod stream;
mod tier;
mod total_only;
mod vercel;
mod xai;

#[cfg(test)]
mod tests;

pub use bucket::{Bucket, Counts, MILLION};
pub use error::{Reason, UsageError};
use source::Source;
pub use tier::{STANDARD, canonical as canonical_tier};

/// What one request used, in disjoint buckets.
///
/// No count is negative when it comes from [`parse`]; the sums are checked because the fields are public.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Usage {
    /// Whose shape it was (`openai`, `anthropic`). Compatible servers of other vendors look the same, so this names the
    /// dialect, not the vendor, unless the caller named the vendor. `None` when the counts mean the same in every
    /// dialect.
    pub provider: Option<&'static str>,
    /// The model that answered, where the response says so.
    pub model: Option<String>,
    /// What was done (`embeddings`, `rerank`, `transcription`), in OpenTelemetry's words, where the shape tells.
    pub operation: Option<&'static str>,
    /// What was used of each kind, without [`parts`](Self::parts).
    pub counts: Counts,
    /// What other models used within the same request; each has the price of its own model.
    pub parts: Vec<Part>,
    /// The tier served, in the words of the price book: `batch`, `flex`, `priority`, `fast` or whatever the provider
    /// says in lower case. `None` for the standard one.
    pub service_tier: Option<String>,
    /// Where the request was processed, if the response names a place that may cost more.
    pub region: Option<String>,
    /// Whatever else the response states that list prices do not cover. The price step refuses these unless the price
    /// says that it includes them.
    pub surcharges: Vec<String>,
    /// What the provider itself says of totals and cost.
    pub stated: Stated,
    /// What did not add up.
    pub flags: Vec<Flag>,
    /// JSON paths of numeric, non-zero fields that nothing here understands: perhaps a new kind of charge.
    pub unknown_fields: Vec<String>,
}

/// What one other model used within a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Part {
    /// Its name.
    pub model: String,
    /// What it used of each kind.
    pub counts: Counts,
}

/// The provider's own totals, as they came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stated {
    /// Input tokens, whatever the provider counts as such.
    pub input_tokens: Option<i64>,
    /// Output tokens, whatever the provider counts as such.
    pub output_tokens: Option<i64>,
    /// All tokens.
    pub total_tokens: Option<i64>,
    /// The cost in nano-units, rounded half to even from what the provider wrote.
    pub cost_nanos: Option<i64>,
}

impl Index<Bucket> for Usage {
    type Output = i64;

    fn index(&self, bucket: Bucket) -> &i64 {
        &self.counts[bucket]
    }
}

impl IndexMut<Bucket> for Usage {
    fn index_mut(&mut self, bucket: Bucket) -> &mut i64 {
        &mut self.counts[bucket]
    }
}

/// A contradiction inside a usage object. The row is still usable; it is never corrected in silence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Flag {
    /// The parts of the input were more than the input; the remainder was taken as zero.
    ClampedInput,
    /// The parts of the output were more than the output; the remainder was taken as zero.
    ClampedOutput,
    /// The stated total is not the sum of what was stated beside it, nor that with the reasoning added.
    TotalMismatch,
}

impl Flag {
    /// A stable name for storage.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ClampedInput => "clamped_input",
            Self::ClampedOutput => "clamped_output",
            Self::TotalMismatch => "total_mismatch",
        }
    }
}

impl Usage {
    /// All input tokens: uncached, cached, cache writes, audio, images, video and tool prompts, of all models.
    ///
    /// # Errors
    /// [`Reason::TooLarge`] if the sum leaves `i64`.
    pub fn input_tokens(&self) -> Result<i64, UsageError> {
        self.sum("input_tokens", &Bucket::INPUT)
    }

    /// All output tokens: text, reasoning, rejected predictions, audio and images, of all models.
    ///
    /// # Errors
    /// [`Reason::TooLarge`] if the sum leaves `i64`.
    pub fn output_tokens(&self) -> Result<i64, UsageError> {
        self.sum("output_tokens", &Bucket::OUTPUT)
    }

    /// Input and output tokens.
    ///
    /// # Errors
    /// [`Reason::TooLarge`] if the sum leaves `i64`.
    pub fn total_tokens(&self) -> Result<i64, UsageError> {
        let total = self.input_tokens()?.checked_add(self.output_tokens()?);
        total.ok_or_else(|| UsageError::new("total_tokens", Reason::TooLarge))
    }

    /// Sum over some kinds, of all models.
    ///
    /// # Errors
    /// [`Reason::TooLarge`] if the sum leaves `i64`.
    pub fn sum(&self, what: &'static str, buckets: &[Bucket]) -> Result<i64, UsageError> {
        self.parts
            .iter()
            .map(|part| &part.counts)
            .try_fold(self.counts.sum(buckets), |sum, counts| Some(sum?.checked_add(counts.sum(buckets)?)))
            .flatten()
            .ok_or_else(|| UsageError::new(what, Reason::TooLarge))
    }

    /// One request in the shape of a provider.
    fn new(provider: Option<&'static str>) -> Self {
        Self { provider, counts: Counts::from([(Bucket::Requests, 1)]), ..Self::default() }
    }

    fn flag(&mut self, flag: Flag) {
        if !self.flags.contains(&flag) {
            self.flags.push(flag);
        }
    }

    /// `total` without its `parts`; clamped at zero and flagged where the parts are more than the total.
    fn remainder(&mut self, total: i64, parts: &[i64], flag: Flag) -> i64 {
        // Wide, because the parts are each within i64 but their sum may not be.
        let left = parts.iter().fold(i128::from(total), |left, part| left - i128::from(*part));
        match i64::try_from(left) {
            Ok(left) if left >= 0 => left,
            _ => {
                self.flag(flag);
                0
            }
        }
    }

    /// Flags a stated total that is none of the sums that it could be.
    fn check_total(&mut self, sums: &[i128]) {
        if self.stated.total_tokens.is_some_and(|total| !sums.contains(&i128::from(total))) {
            self.flag(Flag::TotalMismatch);
        }
    }

    /// Records the tier served.
    fn set_service_tier(&mut self, tier: Option<&str>) {
        self.service_tier = tier.and_then(tier::canonical);
    }

    fn surcharge(&mut self, what: &str, value: &str) {
        let surcharge = format!("{what}:{value}");
        if !self.surcharges.contains(&surcharge) {
            self.surcharges.push(surcharge);
        }
    }
}

/// Reads a usage object, a whole response that has one, or the list of the events of one streamed response.
///
/// Optional counts may be absent or null. A count may be written as `25`, `25.0` or `2.5e1`. Prefer the whole response:
/// OpenAI states the tier served beside the usage, so without it a dearer tier passes for the standard one. Seconds may
/// have a fraction, and a second begun counts whole.
///
/// # Errors
/// [`UsageError`] with the JSON path and the reason: not an object, no known shape, two shapes at once, a required
/// count missing, a count that is not a number, negative, fractional or above `i64`; a list of more than one response.
pub fn parse(value: &Value) -> Result<Usage, UsageError> {
    parse_as(value, None)
}

/// Reads a usage as [`parse`] does, in the shapes of one provider only, if one is named.
///
/// The name may be that of the provider's own API, of `LiteLLM` or of OpenTelemetry, in any case. A named provider
/// decides what the marks of two shapes at once would leave open.
///
/// # Errors
/// As [`parse`]; [`Reason::UnknownProvider`] for a name that is not known.
pub fn parse_as(value: &Value, provider: Option<&str>) -> Result<Usage, UsageError> {
    let provider = provider.map(provider::find).transpose()?;
    let found = match value {
        Value::Object(outer) => source::locate_or_whole(outer)?,
        Value::Array(events) if !events.is_empty() => stream::last_usage(events)?,
        other => return Err(UsageError::new("$", Reason::NotAnObject(error::kind(other)))),
    };
    let source = Source::new(&found, provider.map(|provider| provider.name));
    let shape = match provider {
        Some(provider) => shapes::fitting(&source, provider.shapes),
        None => shapes::recognised(&source)?,
    };
    let shape = shape.ok_or_else(|| UsageError::new(source.path, Reason::UnknownShape))?;
    let mut usage = (shape.read)(&source)?;
    if let Some(vendor) = provider.filter(|provider| provider.is_vendor) {
        usage.provider = Some(vendor.name);
    }
    if usage.model.is_none() {
        usage.model = source.model();
    }
    if found.is_batch && usage.service_tier.is_none() {
        usage.set_service_tier(Some("batch"));
    }
    Ok(usage)
}

/// Adds two counts of one kind.
fn sum_of(what: &'static str, one: i64, other: i64) -> Result<i64, UsageError> {
    one.checked_add(other).ok_or_else(|| UsageError::new(what, Reason::TooLarge))
}
