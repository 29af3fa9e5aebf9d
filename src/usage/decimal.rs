//! Exact decimal text to scaled integers and back: the only way numbers enter counts, prices and money.

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
    let all = || whole.bytes().chain(fraction.bytes());
    let Some(last) = all().rposition_nonzero() else {
        return Ok(0);
    };
    // The place of the last digit that counts, in units of 10^-scale: >= 0 means a whole number of units.
    let fraction_len = i64::try_from(fraction.len()).map_err(|_| DecimalError::Overflow)?;
    let dropped = i64::try_from(whole.len() + fraction.len() - 1 - last).map_err(|_| DecimalError::Overflow)?;
    let place = exponent.saturating_sub(fraction_len).saturating_add(dropped).saturating_add(i64::from(scale));
    if place < 0 {
        return Err(DecimalError::TooPrecise { scale });
    }
    let sign: i128 = if negative { -1 } else { 1 };
    // Built with its sign, because i128::MIN has no positive counterpart.
    let mut value: i128 = 0;
    for digit in all().take(last + 1) {
        value = value
            .checked_mul(10)
            .and_then(|value| value.checked_add(sign * i128::from(digit - b'0')))
            .ok_or(DecimalError::Overflow)?;
    }
    let factor =
        u32::try_from(place).ok().and_then(|place| 10_i128.checked_pow(place)).ok_or(DecimalError::Overflow)?;
    value.checked_mul(factor).ok_or(DecimalError::Overflow)
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
