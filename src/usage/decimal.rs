//! Exact decimal text to scaled integers and back: the only way numbers enter counts, prices and money.

use std::cmp::Ordering;

/// Why a text is not an exact decimal at the scale asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecimalError {
    /// Not decimal text; `NaN` and `Infinity`, which Postgres `numeric` can print, are among these.
    #[error("not a finite decimal number")]
    Syntax,
    /// A non-zero digit beyond the scale.
    #[error("more than {scale} decimal places")]
    TooPrecise {
        /// Decimal places allowed.
        scale: u32,
    },
    /// Does not fit the integer.
    #[error("number out of range")]
    Overflow,
}

/// Reads decimal text as an integer in units of `10^-scale`, exactly.
///
/// Accepts an optional sign, digits, an optional fraction with digits on both sides of the point, and an optional
/// exponent. Trailing zeros beyond the scale are no precision, so `1.500` is fine at scale 1. The time is linear in the
/// length of the text whatever the exponent says.
///
/// # Errors
/// [`DecimalError`]: not a decimal, a digit beyond the scale, or beyond `i128`.
pub fn parse_decimal(text: &str, scale: u32) -> Result<i128, DecimalError> {
    let Some(number) = Number::parse(text, scale)? else {
        return Ok(0);
    };
    if number.place < 0 {
        return Err(DecimalError::TooPrecise { scale });
    }
    let factor = u32::try_from(number.place).ok().and_then(|place| 10_i128.checked_pow(place));
    number.leading(number.len)?.checked_mul(factor.ok_or(DecimalError::Overflow)?).ok_or(DecimalError::Overflow)
}

/// What becomes of digits beyond the scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rounding {
    /// To the nearest, and to the even one from the middle.
    HalfEven,
    /// Away from zero.
    Up,
}

/// Reads decimal text as [`parse_decimal`] does, but rounds what is beyond the scale.
///
/// # Errors
/// [`DecimalError`]: not a decimal, or beyond `i128`.
pub fn round_decimal(text: &str, scale: u32, rounding: Rounding) -> Result<i128, DecimalError> {
    match parse_decimal(text, scale) {
        Err(DecimalError::TooPrecise { .. }) => {}
        exact => return exact,
    }
    let Some(number) = Number::parse(text, scale)? else {
        return Ok(0);
    };
    // The last digit is not zero and lies beyond the scale, so something is always cut off.
    let cut = usize::try_from(number.place.saturating_neg()).unwrap_or(usize::MAX);
    let kept = number.leading(number.len.saturating_sub(cut))?;
    let up = match rounding {
        Rounding::Up => true,
        Rounding::HalfEven if cut > number.len => false,
        Rounding::HalfEven => {
            let first = number.digits().nth(number.len - cut).unwrap_or(b'0');
            match first.cmp(&b'5') {
                Ordering::Less => false,
                Ordering::Greater => true,
                Ordering::Equal => cut > 1 || kept % 2 != 0,
            }
        }
    };
    let step = if number.negative { -1 } else { 1 };
    kept.checked_add(if up { step } else { 0 }).ok_or(DecimalError::Overflow)
}

/// The digits of a decimal that is not zero, down to the last one that is not zero.
struct Number<'a> {
    negative: bool,
    whole: &'a str,
    fraction: &'a str,
    /// How many digits there are up to the last that is not zero.
    len: usize,
    /// The place of that digit in units of the scale: a whole number of units if it is not negative.
    place: i64,
}

impl<'a> Number<'a> {
    /// None for zero.
    fn parse(text: &'a str, scale: u32) -> Result<Option<Self>, DecimalError> {
        let (negative, unsigned) = match text.as_bytes().first() {
            Some(b'-') => (true, text.get(1..)),
            Some(b'+') => (false, text.get(1..)),
            _ => (false, Some(text)),
        };
        let unsigned = unsigned.ok_or(DecimalError::Syntax)?;
        let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, parse_exponent(exponent)?),
            None => (unsigned, 0),
        };
        let (whole, fraction) = match mantissa.split_once('.') {
            Some((whole, fraction)) => (whole, digits(fraction)?),
            None => (mantissa, ""),
        };
        let whole = digits(whole)?;
        // Zeros at either end carry no value, but would make a number look too large or too precise.
        let Some(last) = whole.bytes().chain(fraction.bytes()).rposition_nonzero() else {
            return Ok(None);
        };
        let fraction_len = i64::try_from(fraction.len()).map_err(|_| DecimalError::Overflow)?;
        let dropped = i64::try_from(whole.len() + fraction.len() - 1 - last).map_err(|_| DecimalError::Overflow)?;
        let place = exponent.saturating_sub(fraction_len).saturating_add(dropped).saturating_add(i64::from(scale));
        Ok(Some(Self { negative, whole, fraction, len: last + 1, place }))
    }

    fn digits(&self) -> impl Iterator<Item = u8> + '_ {
        self.whole.bytes().chain(self.fraction.bytes())
    }

    /// The first digits as an integer.
    fn leading(&self, count: usize) -> Result<i128, DecimalError> {
        let sign: i128 = if self.negative { -1 } else { 1 };
        // Built with its sign, because i128::MIN has no positive counterpart.
        self.digits().take(count).try_fold(0_i128, |value, digit| {
            value
                .checked_mul(10)
                .and_then(|value| value.checked_add(sign * i128::from(digit - b'0')))
                .ok_or(DecimalError::Overflow)
        })
    }
}

/// Writes an integer in units of `10^-scale` as decimal text, without trailing zeros.
pub fn format_decimal(value: i128, scale: u32) -> String {
    let sign = if value < 0 { "-" } else { "" };
    let width = scale as usize;
    let digits = format!("{:0>1$}", value.unsigned_abs(), width + 1);
    let (whole, fraction) = digits.split_at(digits.len() - width);
    let fraction = fraction.trim_end_matches('0');
    if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

fn digits(text: &str) -> Result<&str, DecimalError> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        Ok(text)
    } else {
        Err(DecimalError::Syntax)
    }
}

/// An exponent too long for `i64` saturates: with a non-zero mantissa it is out of range either way.
fn parse_exponent(text: &str) -> Result<i64, DecimalError> {
    let (negative, unsigned) = match text.as_bytes().first() {
        Some(b'-') => (true, text.get(1..)),
        Some(b'+') => (false, text.get(1..)),
        _ => (false, Some(text)),
    };
    let size = digits(unsigned.ok_or(DecimalError::Syntax)?)?
        .bytes()
        .fold(0_i64, |size, digit| size.saturating_mul(10).saturating_add(i64::from(digit - b'0')));
    Ok(if negative { -size } else { size })
}

trait LastNonzero {
    /// Index of the last byte that is not the digit zero.
    fn rposition_nonzero(self) -> Option<usize>;
}

impl<I: Iterator<Item = u8>> LastNonzero for I {
    fn rposition_nonzero(self) -> Option<usize> {
        self.enumerate().filter(|(_, byte)| *byte != b'0').last().map(|(index, _)| index)
    }
}
