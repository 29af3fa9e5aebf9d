//! Internal rates: what an organisation charges its own parts for what it bought.

use super::cost::{PER_NANO, half_even, round_up, subject_atto};
use super::{Price, PriceError, Subject, UnitPrice};
use crate::budget::meter::Amounts;
use crate::usage::Bucket;

/// A factor on the provider's cost, and a fixed amount per unit on top.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rate {
    factor_micro: i128,
    fixed: Price,
}

/// Factors are kept in millionths.
const MICRO: i128 = 1_000_000;

impl Rate {
    /// Decimal places of a factor.
    pub const FACTOR_SCALE: u32 = 6;

    /// A rate from the factor as decimal text and fixed unit prices; a kind without one adds nothing.
    ///
    /// # Errors
    /// [`PriceError::Decimal`] for a factor that is no decimal of at most six places, [`PriceError::NegativePrice`].
    pub fn new(factor: &str, fixed: Price) -> Result<Self, PriceError> {
        let factor_micro = super::parse_decimal(factor, Self::FACTOR_SCALE)?;
        if factor_micro < 0 { Err(PriceError::NegativePrice) } else { Ok(Self { factor_micro, fixed }) }
    }

    /// The internal cost in nano-units of a request that cost `cost_atto`, rounded once, half to even.
    ///
    /// # Errors
    /// [`PriceError::Overflow`].
    pub fn apply_nanos(&self, cost_atto: i128, subjects: &[Subject<'_>]) -> Result<i64, PriceError> {
        let mut exact = cost_atto.checked_mul(self.factor_micro).ok_or(PriceError::Overflow)?;
        for subject in subjects {
            let fixed = subject_atto(subject, |bucket| self.fixed.stated(bucket), |name| self.fixed.meter(name))?;
            let fixed = fixed.checked_mul(MICRO).ok_or(PriceError::Overflow)?;
            exact = exact.checked_add(fixed).ok_or(PriceError::Overflow)?;
        }
        half_even(exact, PER_NANO * MICRO)
    }

    /// The most that a request can cost internally, in nano-units, if it costs at most `cost_nanos`.
    ///
    /// # Errors
    /// [`PriceError::Overflow`].
    pub fn bound_nanos(
        &self,
        cost_nanos: i64,
        input_tokens: i64,
        max_output_tokens: i64,
        meters: &Amounts,
    ) -> Result<i64, PriceError> {
        let dearest = |buckets: &[Bucket]| {
            buckets.iter().filter_map(|bucket| self.fixed.stated(*bucket)).max().map_or(0, UnitPrice::atto)
        };
        let of_meter = |name: &String| self.fixed.meter(name).map_or(0, UnitPrice::atto);
        let request = self.fixed.stated(Bucket::Requests).map_or(0, UnitPrice::atto);
        let lines =
            [(dearest(&Bucket::INPUT), input_tokens), (dearest(&Bucket::OUTPUT), max_output_tokens), (request, 1)];
        let lines = lines.into_iter().chain(meters.iter().map(|(name, count)| (of_meter(name), *count)));
        let exact = lines
            .map(|(unit, count)| unit.checked_mul(i128::from(count)))
            .try_fold(0_i128, |sum, line| sum.checked_add(line?))
            .and_then(|fixed| fixed.checked_mul(MICRO))
            .zip((i128::from(cost_nanos) * PER_NANO).checked_mul(self.factor_micro))
            .and_then(|(fixed, cost)| cost.checked_add(fixed))
            .ok_or(PriceError::Overflow)?;
        round_up(exact, PER_NANO * MICRO)
    }
}
