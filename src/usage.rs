//! Provider usage objects, read into disjoint token buckets.
//!
//! Providers disagree on what their counts contain: one counts cached tokens inside the input, another beside it. Here
//! every token lands in exactly one bucket, so that a cost is a plain sum of bucket times price.

use serde_json::{Map, Value};

mod anthropic;
pub mod decimal;
mod error;
mod fields;
mod openai_chat;
mod openai_responses;
mod plain;

#[cfg(test)]
mod tests;

pub use error::{Reason, UsageError};
use fields::Fields;

/// One request's tokens in disjoint buckets.
///
/// Every count is a number of tokens and never negative when it comes from [`parse`]; the sums are checked because the
/// fields are public.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Usage {
    /// Whose shape it was (`openai`, `anthropic`). Compatible servers of other vendors look the same, so this names the
    /// dialect, not the vendor. `None` when the counts mean the same in every dialect.
    pub provider: Option<&'static str>,
    /// Input that was neither read from nor written to a prompt cache, without audio and images counted apart.
    pub uncached_input: i64,
    /// Input read from a prompt cache.
    pub cache_read: i64,
    /// Input written to a prompt cache, time to live not stated.
    pub cache_write: i64,
    /// Input written to a prompt cache for five minutes.
    pub cache_write_5m: i64,
    /// Input written to a prompt cache for one hour.
    pub cache_write_1h: i64,
    /// Audio input. Never part of `uncached_input`, because it costs several times as much as text.
    pub input_audio: i64,
    /// Image input, where the provider counts it apart.
    pub input_image: i64,
    /// Visible output.
    pub output_text: i64,
    /// Reasoning ("thinking") output.
    pub reasoning: i64,
    /// Audio output.
    pub output_audio: i64,
    /// Image output.
    pub output_image: i64,
    /// Server-side web searches: requests, not tokens, but billed all the same.
    pub web_search_requests: i64,
    /// The tier the response says it was served at, as the provider spells it.
    pub service_tier: Option<String>,
    /// Whatever the response states that list prices do not cover, such as `service_tier:priority` or `speed:fast`.
    /// The price step refuses these unless the price says that it includes them.
    pub surcharges: Vec<String>,
    /// What did not add up.
    pub flags: Vec<Flag>,
    /// JSON paths of numeric, non-zero fields that nothing here understands: perhaps a new kind of charge.
    pub unknown_fields: Vec<String>,
}

/// A contradiction inside a usage object. The row is still usable; it is never corrected in silence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Flag {
    /// The parts of the input were more than the input; the remainder was taken as zero.
    ClampedInput,
    /// The parts of the output were more than the output; the remainder was taken as zero.
    ClampedOutput,
    /// The stated total is not input plus output. Known cause: servers that count reasoning only in the total.
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
    /// All input tokens: uncached, cached, cache writes, audio and images.
    ///
    /// # Errors
    /// [`Reason::TooLarge`] if the sum leaves `i64`.
    pub fn input_tokens(&self) -> Result<i64, UsageError> {
        sum(
            "input_tokens",
            &[self.uncached_input, self.cache_read, self.cache_write_tokens()?, self.input_audio, self.input_image],
        )
    }

    /// All output tokens: text, reasoning, audio and images.
    ///
    /// # Errors
    /// [`Reason::TooLarge`] if the sum leaves `i64`.
    pub fn output_tokens(&self) -> Result<i64, UsageError> {
        sum("output_tokens", &[self.output_text, self.reasoning, self.output_audio, self.output_image])
    }

    /// Input and output tokens.
    ///
    /// # Errors
    /// [`Reason::TooLarge`] if the sum leaves `i64`.
    pub fn total_tokens(&self) -> Result<i64, UsageError> {
        sum("total_tokens", &[self.input_tokens()?, self.output_tokens()?])
    }

    /// Tokens written to a prompt cache, whatever their time to live.
    ///
    /// # Errors
    /// [`Reason::TooLarge`] if the sum leaves `i64`.
    pub fn cache_write_tokens(&self) -> Result<i64, UsageError> {
        sum("cache_write_tokens", &[self.cache_write, self.cache_write_5m, self.cache_write_1h])
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

    /// Records the tier; one that is not known to cost the list price or less becomes a surcharge.
    fn set_service_tier(&mut self, tier: Option<&str>) {
        // Flex and batch cost less than the list price, scale is paid beforehand; the list price then errs upwards.
        const LIST_PRICE_OR_LESS: [&str; 7] = ["", "auto", "default", "standard", "flex", "batch", "scale"];
        if let Some(tier) = tier {
            if !LIST_PRICE_OR_LESS.contains(&tier) {
                self.surcharge("service_tier", tier);
            }
            self.service_tier = Some(tier.to_owned());
        }
    }

    fn surcharge(&mut self, what: &str, value: &str) {
        let surcharge = format!("{what}:{value}");
        if !self.surcharges.contains(&surcharge) {
            self.surcharges.push(surcharge);
        }
    }
}

fn sum(what: &'static str, parts: &[i64]) -> Result<i64, UsageError> {
    parts
        .iter()
        .try_fold(0_i64, |sum, part| sum.checked_add(*part))
        .ok_or_else(|| UsageError::new(what, Reason::TooLarge))
}

/// What a shape gets to see.
struct Source<'a> {
    usage: &'a Map<String, Value>,
    /// The response around it, if that was given: some facts (the tier served) stand only there.
    response: Option<&'a Map<String, Value>>,
    /// JSON path of `usage`.
    path: &'a str,
}

impl<'a> Source<'a> {
    fn has(&self, key: &str) -> bool {
        self.usage.get(key).is_some_and(|value| !value.is_null())
    }

    fn is_nonzero(&self, key: &str) -> bool {
        match self.usage.get(key) {
            Some(Value::Number(number)) => !fields::is_zero(number),
            _ => false,
        }
    }

    /// Whether the object at `key` has the non-null member `inner`.
    fn has_inner(&self, key: &str, inner: &str) -> bool {
        self.usage.get(key).and_then(|value| value.get(inner)).is_some_and(|value| !value.is_null())
    }

    fn response_text(&self, key: &str) -> Option<&'a str> {
        self.response?.get(key)?.as_str()
    }

    fn fields(&self) -> Fields<'a> {
        Fields::new(self.usage, self.path.to_owned())
    }
}

/// One provider's way to write usage. To add one: a file with `recognise` and `read`, and a line in [`SHAPES`].
struct Shape {
    name: &'static str,
    recognise: fn(&Source<'_>) -> bool,
    read: fn(&Source<'_>) -> Result<Usage, UsageError>,
}

/// Every recogniser asks for a mark of its own, so that at most one should say yes; two mean a mixture of dialects, in
/// which the same name may count different things.
const SHAPES: [Shape; 3] = [
    Shape { name: "openai chat", recognise: openai_chat::recognise, read: openai_chat::read },
    Shape { name: "openai responses", recognise: openai_responses::recognise, read: openai_responses::read },
    Shape { name: "anthropic messages", recognise: anthropic::recognise, read: anthropic::read },
];

/// Reads a usage object, or a whole response that has a `usage` member.
///
/// Optional counts may be absent or null. A count may be written as `25`, `25.0` or `2.5e1`. Prefer the whole response:
/// OpenAI states the tier served beside the usage, so without it a dearer tier passes for the standard one.
///
/// # Errors
/// [`UsageError`] with the JSON path and the reason: not an object, no known shape, two shapes at once, a required
/// count missing, a count that is not a number, negative, fractional or above `i64`.
pub fn parse(value: &Value) -> Result<Usage, UsageError> {
    let Value::Object(outer) = value else {
        return Err(UsageError::new("$", Reason::NotAnObject(error::kind(value))));
    };
    let source = match outer.get("usage") {
        Some(Value::Object(usage)) => Source { usage, response: Some(outer), path: "$.usage" },
        Some(other) => {
            return Err(UsageError::new("$.usage", Reason::NotAnObject(error::kind(other))));
        }
        None => Source { usage: outer, response: None, path: "$" },
    };
    let mut matching = SHAPES.iter().filter(|shape| (shape.recognise)(&source));
    match (matching.next(), matching.next()) {
        (Some(first), Some(second)) => {
            Err(UsageError::new(source.path, Reason::MixedShapes { first: first.name, second: second.name }))
        }
        (Some(shape), None) => (shape.read)(&source),
        (None, _) if plain::recognise(&source) => plain::read(&source),
        (None, _) => Err(UsageError::new(source.path, Reason::UnknownShape)),
    }
}
