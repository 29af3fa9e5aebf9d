//! Cost of a usage, and the hold that is sure to cover it.

use super::{Price, PriceError, UnitPrice};
use crate::budget::meter::Amounts;
use crate::usage::{Bucket, Counts};

/// Atto-units in a nano-unit.
pub(super) const PER_NANO: i128 = 1_000_000_000;

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

/// What one model did in a request, with the price it has.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// What it used of each kind.
    pub counts: &'a Counts,
    /// What it used of other meters.
    pub meters: &'a Amounts,
    /// What it costs.
    pub price: &'a Price,
}

/// One line of a bill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The bucket or the meter.
    pub name: String,
    /// How many of it.
    pub quantity: i64,
    /// The price of `per` of it, as decimal text.
    pub unit_price: String,
    /// How many the unit price is for.
    pub per: u32,
    /// The name of the price, another one than the bucket's own where that has none.
    pub priced_as: String,
    /// Its cost in atto-units, not rounded.
    pub cost_atto: i128,
}

/// What a request costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bill {
    /// The cost in atto-units (1e-18), not rounded, minimum charges included.
    pub cost_atto: i128,
    /// Meters that have no price here.
    pub unpriced_meters: Vec<String>,
}

impl Bill {
    /// The cost in nano-units, rounded once, half to even.
    ///
    /// # Errors
    /// [`PriceError::Overflow`].
    pub fn nanos(&self) -> Result<i64, PriceError> {
        half_even(self.cost_atto, PER_NANO)
    }

    /// What the rounding adds, or takes where it is negative, in atto-units.
    ///
    /// # Errors
    /// [`PriceError::Overflow`].
    pub fn rounding_atto(&self) -> Result<i128, PriceError> {
        Ok(i128::from(self.nanos()?) * PER_NANO - self.cost_atto)
    }
}

/// Adds up what a request costs.
///
/// # Errors
/// [`PriceError::Unpriced`] for a bucket that is not empty and has neither a price nor a documented fallback,
/// [`PriceError::NegativeCount`], [`PriceError::Overflow`].
pub fn bill(subjects: &[Subject<'_>]) -> Result<Bill, PriceError> {
    let mut bill = Bill { cost_atto: 0, unpriced_meters: Vec::new() };
    for subject in subjects {
        let price = subject.price;
        check_priced(subject)?;
        let exact =
            subject_atto(subject, |bucket| price.effective(bucket).map(|(_, unit)| unit), |name| price.meter(name))?;
        let exact = price.minimum_charge.map_or(exact, |minimum| exact.max(minimum.atto()));
        bill.cost_atto = bill.cost_atto.checked_add(exact).ok_or(PriceError::Overflow)?;
        let without_price = |(name, count): &(&String, &i64)| **count != 0 && price.meter(name).is_none();
        bill.unpriced_meters.extend(subject.meters.iter().filter(without_price).map(|(name, _)| name.clone()));
    }
    Ok(bill)
}

impl Subject<'_> {
    /// The lines of its part of a bill; their costs and what a minimum charge adds make the part.
    ///
    /// # Errors
    /// As [`bill`].
    pub fn items(&self) -> Result<Vec<Item>, PriceError> {
        check_priced(self)?;
        let mut items = Vec::new();
        for (bucket, quantity) in self.counts.present() {
            if let Some((priced_as, unit)) = self.price.effective(bucket) {
                items.push(Item {
                    name: bucket.name().to_owned(),
                    quantity,
                    unit_price: unit.format(bucket.per()),
                    per: bucket.per(),
                    priced_as: priced_as.price_name().to_owned(),
                    cost_atto: line_atto(unit, quantity)?,
                });
            }
        }
        for (name, quantity) in self.meters.iter().filter(|(_, quantity)| **quantity != 0) {
            if let Some(unit) = self.price.meter(name) {
                let counter = Bucket::from_name(name).filter(|bucket| bucket.is_counter());
                let per = counter.map_or(1, Bucket::per);
                let priced_as = counter.and_then(|counter| self.price.effective(counter));
                items.push(Item {
                    name: name.clone(),
                    quantity: *quantity,
                    unit_price: unit.format(per),
                    per,
                    priced_as: priced_as.map_or_else(|| name.clone(), |(bucket, _)| bucket.price_name().to_owned()),
                    cost_atto: line_atto(unit, *quantity)?,
                });
            }
        }
        Ok(items)
    }
}

/// A request as such is no charge, so it needs no price; everything else does.
fn check_priced(subject: &Subject<'_>) -> Result<(), PriceError> {
    for (bucket, count) in subject.counts.present() {
        if count < 0 {
            return Err(PriceError::NegativeCount { bucket: bucket.name() });
        }
        if bucket != Bucket::Requests && subject.price.effective(bucket).is_none() {
            return Err(PriceError::Unpriced { bucket: bucket.name() });
        }
    }
    Ok(())
}

/// Sum of counts times prices, where there is a price.
pub(super) fn subject_atto(
    subject: &Subject<'_>,
    unit: impl Fn(Bucket) -> Option<UnitPrice>,
    meter: impl Fn(&str) -> Option<UnitPrice>,
) -> Result<i128, PriceError> {
    let buckets = subject.counts.present().filter_map(|(bucket, count)| Some((unit(bucket)?, count)));
    let meters = subject.meters.iter().filter_map(|(name, count)| Some((meter(name)?, *count)));
    buckets
        .chain(meters)
        .try_fold(0_i128, |sum, (unit, count)| sum.checked_add(line_atto(unit, count)?).ok_or(PriceError::Overflow))
}

fn line_atto(unit: UnitPrice, count: i64) -> Result<i128, PriceError> {
    unit.atto().checked_mul(i128::from(count)).ok_or(PriceError::Overflow)
}

/// The most that a request can cost, in nano-units of the price's currency, rounded up.
///
/// Covers every usage with at most these token counts that has no cache writes for an hour, no searches and nothing else
/// that is not in `meters`.
///
/// # Errors
/// As [`bill`].
pub fn hold_nanos(
    input_tokens: i64,
    max_output_tokens: i64,
    meters: &Amounts,
    price: &Price,
) -> Result<i64, PriceError> {
    hold_nanos_with(input_tokens, max_output_tokens, meters, price, CacheWrites::Standard)
}

/// As [`hold_nanos`], for the given kinds of cache write.
///
/// # Errors
/// As [`bill`]; with [`CacheWrites::OneHour`] also [`PriceError::Unpriced`] if there is no price for those.
pub fn hold_nanos_with(
    input_tokens: i64,
    max_output_tokens: i64,
    meters: &Amounts,
    price: &Price,
    cache_writes: CacheWrites,
) -> Result<i64, PriceError> {
    let mut dear_input: Vec<Bucket> =
        Bucket::INPUT.into_iter().filter(|bucket| *bucket != Bucket::CacheWrite1h).collect();
    if cache_writes == CacheWrites::OneHour && input_tokens > 0 {
        price.stated(Bucket::CacheWrite1h).ok_or(PriceError::Unpriced { bucket: "cache_write_1h" })?;
        dear_input.push(Bucket::CacheWrite1h);
    }
    let mut exact = bound_atto("input", input_tokens, dearest(price, Bucket::UncachedInput, &dear_input))?;
    let output = bound_atto("output", max_output_tokens, dearest(price, Bucket::OutputText, &Bucket::OUTPUT))?;
    exact = exact.checked_add(output).ok_or(PriceError::Overflow)?;
    let subject = Subject { counts: &Counts::from([(Bucket::Requests, 1)]), meters, price };
    let other = subject_atto(&subject, |bucket| price.stated(bucket), |name| price.meter(name))?;
    exact = exact.checked_add(other).ok_or(PriceError::Overflow)?;
    round_up(price.minimum_charge.map_or(exact, |minimum| exact.max(minimum.atto())), PER_NANO)
}

fn bound_atto(bucket: &'static str, count: i64, unit: Option<UnitPrice>) -> Result<i128, PriceError> {
    match count {
        0 => Ok(0),
        ..0 => Err(PriceError::NegativeCount { bucket }),
        _ => line_atto(unit.ok_or(PriceError::Unpriced { bucket })?, count),
    }
}

/// The dearest of a price and its alternatives; none without the price itself, because the alternatives are never all
/// that a request uses.
fn dearest(price: &Price, base: Bucket, others: &[Bucket]) -> Option<UnitPrice> {
    let base = price.stated(base)?;
    Some(others.iter().filter_map(|bucket| price.stated(*bucket)).fold(base, UnitPrice::max))
}

/// Divides a non-negative amount, rounding half to even.
pub(super) fn half_even(exact: i128, divisor: i128) -> Result<i64, PriceError> {
    let (whole, rest) = (exact / divisor, exact % divisor);
    let up = match (rest * 2).cmp(&divisor) {
        std::cmp::Ordering::Less => 0,
        std::cmp::Ordering::Equal => whole % 2,
        std::cmp::Ordering::Greater => 1,
    };
    i64::try_from(whole + up).map_err(|_| PriceError::Overflow)
}

/// Divides a non-negative amount, rounding up.
pub(super) fn round_up(exact: i128, divisor: i128) -> Result<i64, PriceError> {
    let (whole, rest) = (exact / divisor, exact % divisor);
    i64::try_from(whole + i128::from(rest > 0)).map_err(|_| PriceError::Overflow)
}
