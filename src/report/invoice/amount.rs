//! Exact decimals as documents have them.

use std::fmt;

/// Digits before and after the point. Far beyond any invoice, and few enough that no exponent makes a text explode.
const WHOLE_MAX: i64 = 20;
const FRACTION_MAX: i64 = 40;

/// A decimal with all the digits that were written, also the zeros at its end: they say how exact it is meant to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Amount {
    is_negative: bool,
    /// Digits without leading zeros; empty for zero.
    digits: String,
    /// How many of them stand after the point.
    scale: usize,
}

impl Amount {
    /// Reads decimal text, also with an exponent: OpenAI writes a cost of nothing as `0E-6176`.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn parse(text: &str) -> Result<Amount, &'static str> {
        const SYNTAX: &str = "not a decimal number";
        let (is_negative, unsigned) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => {
                let is_number = !exponent.is_empty()
                    && exponent.strip_prefix(['-', '+']).unwrap_or(exponent).bytes().all(|byte| byte.is_ascii_digit())
                    && exponent.bytes().any(|byte| byte.is_ascii_digit());
                if !is_number {
                    return Err(SYNTAX);
                }
                // One that does not fit is out of range whatever the digits are, unless they are all zero.
                let huge = if exponent.starts_with('-') { i64::MIN / 4 } else { i64::MAX / 4 };
                (mantissa, exponent.parse::<i64>().unwrap_or(huge).clamp(i64::MIN / 4, i64::MAX / 4))
            }
            None => (unsigned, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let is_bare_point = mantissa.contains('.') && fraction.is_empty();
        if whole.is_empty() || is_bare_point || !whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit())
        {
            return Err(SYNTAX);
        }
        let digits = format!("{whole}{fraction}");
        let digits = digits.trim_start_matches('0');
        let fraction_len = i64::try_from(fraction.len()).map_err(|_| "too many digits")?;
        let scale = fraction_len - exponent;
        if digits.is_empty() {
            let scale = usize::try_from(scale.clamp(0, 2)).unwrap_or_default();
            return Ok(Amount { is_negative: false, digits: String::new(), scale });
        }
        let mut digits = digits.to_string();
        let mut scale = scale;
        // Zeros that say nothing any more make room for a long text of one.
        while scale > FRACTION_MAX && digits.ends_with('0') {
            digits.pop();
            scale -= 1;
        }
        let len = i64::try_from(digits.len()).map_err(|_| "too many digits")?;
        if scale > FRACTION_MAX || len - scale > WHOLE_MAX {
            return Err("out of range: up to 20 digits before the point and 40 after it");
        }
        if scale < 0 {
            digits.extend(std::iter::repeat_n('0', usize::try_from(-scale).unwrap_or_default()));
            scale = 0;
        }
        Ok(Amount { is_negative, digits, scale: usize::try_from(scale).unwrap_or_default() })
    }

    /// The same amount in units a hundred times as large: cents as the currency's unit.
    #[must_use]
    pub fn hundredth(mut self) -> Amount {
        self.scale += 2;
        self
    }

    pub fn is_zero(&self) -> bool {
        self.digits.is_empty()
    }

    /// The amount as a count: not negative, and whole.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn count(&self) -> Result<i64, &'static str> {
        if self.is_negative {
            return Err("a count is not negative");
        }
        let (whole, fraction) = self.digits.split_at(self.digits.len().saturating_sub(self.scale));
        if fraction.bytes().any(|byte| byte != b'0') {
            return Err("a count has no fraction");
        }
        if whole.is_empty() { Ok(0) } else { whole.parse().map_err(|_| "out of range") }
    }

    /// The amount times a power of ten.
    #[must_use]
    pub fn times_power_of_ten(mut self, power: usize) -> Amount {
        let from_scale = power.min(self.scale);
        self.scale -= from_scale;
        if !self.digits.is_empty() {
            self.digits.extend(std::iter::repeat_n('0', power - from_scale));
        }
        self
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let padded = format!("{:0>1$}", self.digits, self.scale + 1);
        let (whole, fraction) = padded.split_at(padded.len() - self.scale);
        let sign = if self.is_negative { "-" } else { "" };
        if fraction.is_empty() { write!(f, "{sign}{whole}") } else { write!(f, "{sign}{whole}.{fraction}") }
    }
}
