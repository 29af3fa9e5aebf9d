//! Prices and exact cost arithmetic.
//!
//! Money is a signed 64-bit count of nano-units (1e-9 of a currency); prices are finer, and a cost is rounded once.

use std::collections::BTreeMap;

use crate::usage::{Bucket, MILLION};

mod candidates;
pub mod clause;
mod cost;
mod error;
pub mod import;
mod money;
pub mod provider;
mod rate;
pub mod revision;
mod unit_prices;
mod version;

#[cfg(test)]
mod tests;

pub use crate::usage::decimal::format_decimal;
pub use candidates::{Candidate, Resolution, candidates};
pub use cost::{Bill, CacheWrites, Item, Subject, bill, hold_nanos, hold_nanos_with};
pub use error::PriceError;
pub use money::{format_nanos, nanos_from_decimal};
pub use rate::Rate;
pub use version::{ANY_REGION, Chosen, Request, Version, choose};

/// Reads decimal text as an integer in units of `10^-scale`, exactly.
///
/// # Errors
/// [`PriceError::Decimal`]: not a finite decimal, a non-zero digit beyond the scale, or beyond `i128`.
pub fn parse_decimal(text: &str, scale: u32) -> Result<i128, PriceError> {
    Ok(crate::usage::decimal::parse_decimal(text, scale)?)
}

/// A price of one thing in atto-units (1e-18) of the currency; never negative.
///
/// A millionth of 1e-12, the last decimal of a price per million, is one atto-unit, so every price that the book can state
/// is exact here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnitPrice(i128);

impl UnitPrice {
    /// Decimal places of a price as it is written, per million or per one.
    pub const SCALE: u32 = 12;

    /// Decimal places of a price of one.
    pub const ATTO_SCALE: u32 = 18;

    /// The dearest price that a book may state, per million or per one, in currency units.
    pub const MAX: i128 = 1_000_000;

    /// Reads a price of `per` things (a million or one) from decimal text, such as what `numeric` prints.
    ///
    /// # Errors
    /// [`PriceError::Decimal`] for what is no exact price, [`PriceError::NegativePrice`] below zero,
    /// [`PriceError::TooDear`] above [`MAX`](Self::MAX).
    pub fn from_decimal(text: &str, per: u32) -> Result<Self, PriceError> {
        let pico = parse_decimal(text, Self::SCALE)?;
        if pico < 0 {
            return Err(PriceError::NegativePrice);
        }
        if pico > Self::MAX * 10_i128.pow(Self::SCALE) {
            return Err(PriceError::TooDear);
        }
        Ok(Self(if per == MILLION { pico } else { pico * i128::from(MILLION) }))
    }

    /// A price of one thing in atto-units.
    ///
    /// # Errors
    /// [`PriceError::NegativePrice`] below zero.
    pub const fn from_atto(atto: i128) -> Result<Self, PriceError> {
        if atto < 0 { Err(PriceError::NegativePrice) } else { Ok(Self(atto)) }
    }

    /// The price of one thing in atto-units.
    pub const fn atto(self) -> i128 {
        self.0
    }

    /// The price of `per` things as decimal text, exactly.
    pub fn format(self, per: u32) -> String {
        if per == MILLION { format_decimal(self.0, Self::SCALE) } else { format_decimal(self.0, Self::ATTO_SCALE) }
    }
}

/// What one model costs under fixed circumstances (place, tier, length). `None` means that there is no price, which
/// refuses; a free bucket has a price of zero.
///
/// Some buckets fall back to another price ([`Price::effective`]); all others must have a price of their own as soon as
/// there is something in them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Price {
    units: [Option<UnitPrice>; Bucket::COUNT],
    /// Prices of one unit of other meters.
    pub meters: BTreeMap<String, UnitPrice>,
    /// The least that a request costs.
    pub minimum_charge: Option<UnitPrice>,
    /// The price holds for requests of up to this many input tokens. `None` has no bound. Above it the provider charges
    /// more for the *whole* request, so that this price would be too low for every token of it.
    pub max_input_tokens: Option<i64>,
    /// Entries of [`Usage::surcharges`](crate::usage::Usage::surcharges) that this price covers already.
    pub covers: Vec<String>,
}

impl Price {
    /// The price stated for a bucket, without fallbacks.
    #[allow(clippy::indexing_slicing, reason = "the discriminants are the indices")]
    pub const fn stated(&self, bucket: Bucket) -> Option<UnitPrice> {
        self.units[bucket as usize]
    }

    /// States the price of a bucket.
    #[allow(clippy::indexing_slicing, reason = "the discriminants are the indices")]
    pub const fn set(&mut self, bucket: Bucket, price: Option<UnitPrice>) {
        self.units[bucket as usize] = price;
    }

    /// The price that a bucket has, with the bucket that states it.
    ///
    /// - Cached input falls back to plain input: a cached token is an input token, and no provider charges more for it, so
    ///   the fallback errs upwards. Cached audio and images fall back to cached input where they cost what text costs, and
    ///   to their uncached price where that is their own; cached audio of a model without a price for audio has none.
    /// - A write for five minutes falls back to a write without a stated life, because five minutes is the life that
    ///   Anthropic gives such a write. Nothing else does for a write: it costs more than input, by a factor that differs.
    /// - Images, video and tool prompts fall back to plain input, at which the models that meter them as tokens bill them.
    ///   Audio does not: it is dearer than text.
    /// - Reasoning and rejected predictions fall back to output, as which they are billed.
    /// - Searches of a stated context size fall back to searches.
    pub fn effective(&self, bucket: Bucket) -> Option<(Bucket, UnitPrice)> {
        if let Some(price) = self.stated(bucket) {
            return Some((bucket, price));
        }
        let fallback = match bucket {
            Bucket::CacheRead | Bucket::InputImage | Bucket::InputVideo | Bucket::ToolPrompt => Bucket::UncachedInput,
            Bucket::CacheReadAudio if !self.costs_what_text_costs(Bucket::InputAudio) => Bucket::InputAudio,
            Bucket::CacheReadImage if self.has_own_price(Bucket::InputImage) => Bucket::InputImage,
            Bucket::CacheReadAudio | Bucket::CacheReadImage => Bucket::CacheRead,
            Bucket::CacheWrite5m => Bucket::CacheWrite,
            Bucket::Reasoning | Bucket::RejectedPrediction => Bucket::OutputText,
            Bucket::SearchesLow | Bucket::SearchesHigh => Bucket::Searches,
            _ => return None,
        };
        self.effective(fallback)
    }

    /// The price of one unit of a meter: its own, or that of the counter of its name (searches, seconds, pages and the like).
    pub fn meter(&self, name: &str) -> Option<UnitPrice> {
        let counter = || Bucket::from_name(name).filter(|bucket| bucket.is_counter());
        self.meters.get(name).copied().or_else(|| self.effective(counter()?).map(|(_, unit)| unit))
    }

    fn costs_what_text_costs(&self, bucket: Bucket) -> bool {
        self.stated(bucket).is_some() && self.stated(bucket) == self.stated(Bucket::UncachedInput)
    }

    fn has_own_price(&self, bucket: Bucket) -> bool {
        self.stated(bucket).is_some() && !self.costs_what_text_costs(bucket)
    }
}
