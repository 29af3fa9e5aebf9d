//! Cost of a usage, and the hold that is sure to cover it.

use super::{PerMillion, Price, PriceError};
use crate::usage::Usage;

/// A token's price is in 1e-18 of the currency (pico per million); a nano-unit is a billion of those.
const PER_NANO: i128 = 1_000_000_000;

/// Which cache writes a hold must be able to pay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CacheWrites {
    /// All but those for an hour, which a client must ask for. They cost twice the input where the others cost a
    /// quarter more, so that counting on them would hold far too much for everyone else.
    #[default]
    Standard,
    /// Also those for an hour.
    OneHour,
}

impl Price {
    fn check_threshold(&self, input_tokens: i64) -> Result<(), PriceError> {
        match self.max_input_tokens {
            Some(max_input_tokens) if input_tokens > max_input_tokens => {
                Err(PriceError::AboveThreshold { input_tokens, max_input_tokens })
            }
            _ => Ok(()),
        }
    }
}

/// What a usage costs, in nano-units of the price's currency.
///
/// The buckets are summed exactly and rounded once, half to even.
///
/// # Errors
/// [`PriceError::Unpriced`] for a bucket that is not empty and has neither a price nor a documented fallback,
/// [`PriceError::Surcharge`] for a surcharge the price does not cover, [`PriceError::AboveThreshold`] for a request
/// longer than the price holds for, [`PriceError::NegativeCount`], and [`PriceError::Overflow`].
pub fn cost_nanos(usage: &Usage, price: &Price) -> Result<i64, PriceError> {
    // Before the sums: a negative count could bring a long request back below the threshold.
    let mut exact = 0_i128;
    for (bucket, count, unit) in buckets(usage, price) {
        let cost = bucket_cost(bucket, count, unit)?;
        exact = exact.checked_add(cost).ok_or(PriceError::Overflow)?;
    }
    if let Some(surcharge) = usage.surcharges.iter().find(|surcharge| !price.covers.contains(surcharge)) {
        return Err(PriceError::Surcharge { surcharge: surcharge.clone() });
    }
    price.check_threshold(usage.input_tokens()?)?;
    half_even(exact)
}

/// The most that a request can cost, in nano-units of the price's currency, rounded up.
///
/// Covers every usage with at most these token counts that has no cache writes for an hour and no web searches.
///
/// # Errors
/// As [`cost_nanos`].
pub fn hold_nanos(input_tokens: i64, max_output_tokens: i64, price: &Price) -> Result<i64, PriceError> {
    hold_nanos_with(input_tokens, max_output_tokens, price, CacheWrites::Standard)
}

/// As [`hold_nanos`], for the given kinds of cache write.
///
/// # Errors
/// As [`cost_nanos`]; with [`CacheWrites::OneHour`] also [`PriceError::Unpriced`] if there is no price for those.
pub fn hold_nanos_with(
    input_tokens: i64,
    max_output_tokens: i64,
    price: &Price,
    cache_writes: CacheWrites,
) -> Result<i64, PriceError> {
    price.check_threshold(input_tokens)?;
    let mut input = dearest(
        price.input,
        &[price.cache_read, price.cache_write, price.cache_write_5m, price.input_audio, price.input_image],
    );
    if cache_writes == CacheWrites::OneHour && input_tokens > 0 {
        let one_hour = price.cache_write_1h.ok_or(PriceError::Unpriced { bucket: "cache_write_1h" })?;
        input = dearest(input, &[Some(one_hour)]);
    }
    let output = dearest(price.output, &[price.reasoning, price.output_audio, price.output_image]);
    let input = bucket_cost("input", input_tokens, input)?;
    let output = bucket_cost("output", max_output_tokens, output)?;
    round_up(input.checked_add(output).ok_or(PriceError::Overflow)?)
}

/// Every bucket with its count and its price, fallbacks applied; [`Price`] gives the reason for each.
fn buckets(usage: &Usage, price: &Price) -> [(&'static str, i64, Option<PerMillion>); 12] {
    // No `..`: a new bucket must get a price here, or it would be free.
    let Usage {
        provider: _,
        uncached_input,
        cache_read,
        cache_write,
        cache_write_5m,
        cache_write_1h,
        input_audio,
        input_image,
        output_text,
        reasoning,
        output_audio,
        output_image,
        web_search_requests,
        service_tier: _,
        surcharges: _,
        flags: _,
        unknown_fields: _,
    } = usage;
    [
        ("uncached_input", *uncached_input, price.input),
        ("cache_read", *cache_read, price.cache_read.or(price.input)),
        ("cache_write", *cache_write, price.cache_write),
        ("cache_write_5m", *cache_write_5m, price.cache_write_5m.or(price.cache_write)),
        ("cache_write_1h", *cache_write_1h, price.cache_write_1h),
        ("input_audio", *input_audio, price.input_audio),
        ("input_image", *input_image, price.input_image.or(price.input)),
        ("output_text", *output_text, price.output),
        ("reasoning", *reasoning, price.reasoning.or(price.output)),
        ("output_audio", *output_audio, price.output_audio),
        ("output_image", *output_image, price.output_image),
        ("web_search_requests", *web_search_requests, price.web_search),
    ]
}

fn bucket_cost(bucket: &'static str, count: i64, unit: Option<PerMillion>) -> Result<i128, PriceError> {
    match count {
        0 => Ok(0),
        ..0 => Err(PriceError::NegativeCount { bucket }),
        _ => {
            let unit = unit.ok_or(PriceError::Unpriced { bucket })?;
            unit.pico().checked_mul(i128::from(count)).ok_or(PriceError::Overflow)
        }
    }
}

/// The dearest of a price and its alternatives; none without the price itself, because the alternatives are never all
/// that a request uses.
fn dearest(base: Option<PerMillion>, others: &[Option<PerMillion>]) -> Option<PerMillion> {
    base.map(|base| others.iter().flatten().copied().fold(base, PerMillion::max))
}

/// Rounds a non-negative amount of 1e-18 units to nano-units, half to even.
fn half_even(exact: i128) -> Result<i64, PriceError> {
    let (whole, rest) = (exact / PER_NANO, exact % PER_NANO);
    let up = match (rest * 2).cmp(&PER_NANO) {
        std::cmp::Ordering::Less => 0,
        std::cmp::Ordering::Equal => whole % 2,
        std::cmp::Ordering::Greater => 1,
    };
    i64::try_from(whole + up).map_err(|_| PriceError::Overflow)
}

/// Rounds a non-negative amount of 1e-18 units up to nano-units.
fn round_up(exact: i128) -> Result<i64, PriceError> {
    let (whole, rest) = (exact / PER_NANO, exact % PER_NANO);
    i64::try_from(whole + i128::from(rest > 0)).map_err(|_| PriceError::Overflow)
}
