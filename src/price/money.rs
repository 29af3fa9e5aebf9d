//! Money text and nano-units.

use super::{PriceError, parse_decimal};
use crate::usage::decimal::{DecimalError, format_decimal};

/// Decimal places of an amount of money.
const SCALE: u32 = 9;

/// Nano-units as decimal text, without trailing zeros; `numeric` reads it back exactly.
pub fn format_nanos(nanos: i64) -> String {
    format_decimal(i128::from(nanos), SCALE)
}

/// Decimal text as nano-units, exactly.
///
/// # Errors
/// [`PriceError::Decimal`]: not a finite decimal, a non-zero digit beyond the ninth place, or out of range.
pub fn nanos_from_decimal(text: &str) -> Result<i64, PriceError> {
    i64::try_from(parse_decimal(text, SCALE)?).map_err(|_| DecimalError::Overflow.into())
}
