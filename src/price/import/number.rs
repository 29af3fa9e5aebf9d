//! Numbers of a price file, exactly: a float never touches them.

use serde_json::Value;

use crate::price::{PriceError, UnitPrice};
use crate::usage::decimal::{DecimalError, parse_decimal};
use crate::usage::{Bucket, MILLION};

/// How many things a price of the file is for, with the decimal places that make it atto-units of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum For {
    /// One thing.
    One,
    /// A thousand.
    Thousand,
    /// A million.
    Million,
    /// 3600: an hour, where the thing is a second.
    Hour,
}

/// Reads a price of `per` things as a price of one. `unit_per` is what the price book prices the thing by.
///
/// Digits beyond what the book can state (1e-12 per million or per one) are rounded half to even: sources compute with
/// floats, so that their last digits are noise, and a second's share of an hour has no end. A price that would become zero
/// by that is refused.
pub fn price(value: &Value, per: For, unit_per: u32) -> Result<UnitPrice, String> {
    let text = number(value)?;
    // A price of one is stated to 1e-12, but a price of a million tokens to 1e-18 per token.
    let book_scale = if unit_per == MILLION { UnitPrice::ATTO_SCALE } else { UnitPrice::SCALE };
    let atto = match per {
        For::One => rounded(&text, book_scale),
        For::Thousand => rounded(&text, book_scale - 3),
        For::Million => rounded(&text, book_scale - 6),
        For::Hour => parse_decimal(&text, UnitPrice::SCALE).and_then(|hour| nonzero(half_even(hour, 3600), hour)),
    };
    let atto = atto.map_err(|error| error.to_string())?;
    let atto = atto.checked_mul(10_i128.pow(UnitPrice::ATTO_SCALE - book_scale)).ok_or(PriceError::TooDear);
    atto.and_then(|atto| bounded(atto, unit_per)).map_err(|error| error.to_string())
}

/// A price times a factor in units of [`FACTOR_SCALE`], rounded half to even to what the book can state per token.
pub fn scaled(price: UnitPrice, factor: i128) -> Result<UnitPrice, PriceError> {
    let product = price.atto().checked_mul(factor).ok_or(PriceError::Overflow)?;
    bounded(half_even(product, 10_i128.pow(FACTOR_SCALE)), MILLION)
}

/// Decimal places of a factor.
pub const FACTOR_SCALE: u32 = 9;

/// Reads a factor of prices: above zero and at most a hundred.
pub fn factor(value: &Value) -> Result<i128, String> {
    let factor = rounded(&number(value)?, FACTOR_SCALE).map_err(|error| error.to_string())?;
    if factor > 0 && factor <= 100 * 10_i128.pow(FACTOR_SCALE) {
        Ok(factor)
    } else {
        Err("expected a factor above 0 and up to 100".to_owned())
    }
}

/// Reads a count, written as a float (`256000.0`) or not.
pub fn count(value: &Value) -> Result<i64, String> {
    let whole = parse_decimal(&number(value)?, 0).map_err(|error| error.to_string())?;
    i64::try_from(whole).ok().filter(|count| *count >= 0).ok_or_else(|| "number out of range".to_owned())
}

/// Whether the value is a price of something: a number other than zero, or an object or list that may hold one.
pub fn is_something(value: &Value) -> bool {
    match value {
        Value::Number(number) => parse_decimal(&number.to_string(), 0) != Ok(0),
        Value::Object(parts) => parts.values().any(is_something),
        Value::Array(parts) => parts.iter().any(is_something),
        Value::String(_) => true,
        Value::Null | Value::Bool(_) => false,
    }
}

fn number(value: &Value) -> Result<String, String> {
    let found = match value {
        Value::Number(number) => return Ok(number.to_string()),
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    Err(format!("expected a number, found {found}"))
}

/// Checks the bounds of a price.
fn bounded(atto: i128, unit_per: u32) -> Result<UnitPrice, PriceError> {
    let one = 10_i128.pow(UnitPrice::ATTO_SCALE) / if unit_per == MILLION { i128::from(MILLION) } else { 1 };
    if atto > UnitPrice::MAX * one { Err(PriceError::TooDear) } else { UnitPrice::from_atto(atto) }
}

/// Reads decimal text as units of `10^-scale`, rounded half to even.
fn rounded(text: &str, scale: u32) -> Result<i128, DecimalError> {
    match parse_decimal(text, scale) {
        // Says also that the text is a decimal.
        Err(DecimalError::TooPrecise { .. }) => {}
        read => return read,
    }
    let (negative, unsigned) = text.strip_prefix('-').map_or((false, text), |unsigned| (true, unsigned));
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    // An exponent that is no i64 stands for a number too small to round to anything: large ones are out of range above.
    let exponent: i64 = exponent.parse().unwrap_or(i64::MIN);
    let whole_len = i64::try_from(whole.len()).map_err(|_| DecimalError::Overflow)?;
    let kept = exponent.saturating_add(whole_len).saturating_add(i64::from(scale));
    let (kept, rest) = usize::try_from(kept).ok().and_then(|kept| digits.split_at_checked(kept)).unwrap_or(("", "0"));
    let value = if kept.is_empty() { 0 } else { parse_decimal(kept, 0)? };
    let up = match rest.as_bytes().split_first() {
        Some((b'6'..=b'9', _)) => 1,
        Some((b'5', after)) => i128::from(value % 2 == 1 || after.iter().any(|digit| *digit != b'0')),
        _ => 0,
    };
    let value = nonzero(value + up, 1)?;
    Ok(if negative { -value } else { value })
}

/// Refuses a zero that was not zero before it was rounded.
fn nonzero(rounded: i128, before: i128) -> Result<i128, DecimalError> {
    if rounded == 0 && before != 0 {
        Err(DecimalError::TooPrecise { scale: UnitPrice::ATTO_SCALE })
    } else {
        Ok(rounded)
    }
}

/// Divides, rounding half to even; `divisor` is positive.
fn half_even(dividend: i128, divisor: i128) -> i128 {
    let (whole, rest) = (dividend.div_euclid(divisor), dividend.rem_euclid(divisor));
    whole
        + match rest.cmp(&(divisor - rest)) {
            std::cmp::Ordering::Less => 0,
            std::cmp::Ordering::Equal => whole.rem_euclid(2),
            std::cmp::Ordering::Greater => 1,
        }
}

/// What the price book prices a bucket or, without one, a meter by.
pub fn book_per(bucket: Option<Bucket>) -> u32 {
    bucket.map_or(1, Bucket::per)
}
