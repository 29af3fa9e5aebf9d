//! Prices and exact cost arithmetic.
//!
//! Money is a signed 64-bit count of nano-units (1e-9 of a currency); prices are finer, and a cost is rounded once.

mod candidates;
mod cost;
mod error;
mod money;

#[cfg(test)]
mod tests;

pub use crate::usage::decimal::format_decimal;
pub use candidates::{Candidate, Resolution, candidates};
pub use cost::{CacheWrites, cost_nanos, hold_nanos, hold_nanos_with};
pub use error::PriceError;
pub use money::{format_nanos, nanos_from_decimal};

/// Reads decimal text as an integer in units of `10^-scale`, exactly.
///
/// # Errors
/// [`PriceError::Decimal`]: not a finite decimal, a non-zero digit beyond the scale, or beyond `i128`.
pub fn parse_decimal(text: &str, scale: u32) -> Result<i128, PriceError> {
    Ok(crate::usage::decimal::parse_decimal(text, scale)?)
}

/// A price in pico-units (1e-12) of the currency per one million of the thing priced; never negative.
///
/// One pico-unit per million is 1e-18 per token, which is finer than any price published so far by several orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PerMillion(i128);

impl PerMillion {
    /// Decimal places of a price per million.
    pub const SCALE: u32 = 12;

    /// Reads a price per million from decimal text, such as what `numeric` prints.
    ///
    /// # Errors
    /// [`PriceError::Decimal`] for what is no exact price, [`PriceError::NegativePrice`] below zero.
    pub fn from_decimal(text: &str) -> Result<Self, PriceError> {
        Self::from_pico(parse_decimal(text, Self::SCALE)?)
    }

    /// A price from pico-units per million.
    ///
    /// # Errors
    /// [`PriceError::NegativePrice`] below zero.
    pub const fn from_pico(pico: i128) -> Result<Self, PriceError> {
        if pico < 0 { Err(PriceError::NegativePrice) } else { Ok(Self(pico)) }
    }

    /// The price in pico-units per million.
    pub const fn pico(self) -> i128 {
        self.0
    }
}

/// What one model costs. `None` means that there is no price, which refuses; a free bucket has a price of zero.
///
/// Some buckets fall back to another price; each says so, with the reason. All others must have a price of their own as
/// soon as there is a token in them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Price {
    /// ISO 4217 code or whatever the price book uses. Nothing here converts.
    pub currency: String,
    /// Plain input.
    pub input: Option<PerMillion>,
    /// Input read from a cache. Falls back to `input`: a cached token is an input token, and no provider charges more
    /// for it than for a plain one, so the fallback errs upwards.
    pub cache_read: Option<PerMillion>,
    /// Input written to a cache, time to live not stated. No fallback: writes cost more than input, by a factor that
    /// differs between providers and lives.
    pub cache_write: Option<PerMillion>,
    /// Input written for five minutes. Falls back to `cache_write`, because five minutes is the life that Anthropic
    /// gives a write without a stated one, and list prices name that first.
    pub cache_write_5m: Option<PerMillion>,
    /// Input written for an hour. No fallback: it costs more than `cache_write`.
    pub cache_write_1h: Option<PerMillion>,
    /// Audio input. No fallback: audio is dearer than text.
    pub input_audio: Option<PerMillion>,
    /// Image input. Falls back to `input`: on OpenAI's text models images are metered as tokens and billed at the rate
    /// of text input. Models that bill images otherwise need this price.
    pub input_image: Option<PerMillion>,
    /// Output.
    pub output: Option<PerMillion>,
    /// Reasoning output. Falls back to `output`: OpenAI and Anthropic bill reasoning as output.
    pub reasoning: Option<PerMillion>,
    /// Audio output. No fallback.
    pub output_audio: Option<PerMillion>,
    /// Image output. No fallback.
    pub output_image: Option<PerMillion>,
    /// Server-side web searches, per million searches. No fallback.
    pub web_search: Option<PerMillion>,
    /// The price holds for requests of up to this many input tokens. `None` has no bound. Above it the provider charges
    /// more for the *whole* request, so that this price would be too low for every token of it.
    pub max_input_tokens: Option<i64>,
    /// Entries of [`Usage::surcharges`](crate::usage::Usage::surcharges) that this price covers already.
    pub covers: Vec<String>,
}
