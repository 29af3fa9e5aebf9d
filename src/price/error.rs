//! Why there is no cost.

use crate::usage::decimal::DecimalError;

/// A refused price, amount or cost. Nothing here ever turns into a cost of zero.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PriceError {
    /// Not an exact decimal at the scale.
    #[error(transparent)]
    Decimal(#[from] DecimalError),
    /// A price below zero.
    #[error("a price is never negative")]
    NegativePrice,
    /// A price beyond what the book may state.
    #[error("a price is at most 1000000")]
    TooDear,
    /// An entry of an object of unit prices that cannot be used.
    #[error("unit price {name}: {why}")]
    UnitPrice {
        /// Its name.
        name: String,
        /// What is wrong with it.
        why: String,
    },
    /// The model has prices, but none that was valid at the instant.
    #[error("no price was valid at that time")]
    NotYet,
    /// A count below zero.
    #[error("negative count in {bucket}")]
    NegativeCount {
        /// The bucket's name.
        bucket: &'static str,
    },
    /// Tokens in a bucket that has neither a price nor a documented fallback.
    #[error("no price for {bucket}")]
    Unpriced {
        /// The bucket's name.
        bucket: &'static str,
    },
    /// The response states a surcharge that the price does not cover.
    #[error("price does not cover {surcharge}")]
    Surcharge {
        /// As in [`Usage::surcharges`](crate::usage::Usage::surcharges).
        surcharge: String,
    },
    /// More input than the price holds for.
    #[error("price holds for up to {max_input_tokens} input tokens, not for {input_tokens}")]
    AboveThreshold {
        /// Input tokens of the request.
        input_tokens: i64,
        /// The price's bound.
        max_input_tokens: i64,
    },
    /// The amount leaves the range of signed 64-bit nano-units.
    #[error("amount out of range")]
    Overflow,
}
