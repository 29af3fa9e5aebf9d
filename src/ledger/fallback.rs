//! What budgets in cost count usage without a price at.

use pgrx::spi::SpiClient;
use serde_json::Value;

use crate::budget::meter::{self, Amounts};
use crate::ledger::Failure;
use crate::ledger::price_book;
use crate::ledger::pricing::{Call, meter_prices};
use crate::price::{CacheWrites, Price, PriceError, hold_nanos, hold_nanos_with};
use crate::usage::Bucket;

/// The fallback prices as they are declared; none for none.
pub fn read(unit_prices: &Value) -> Option<Price> {
    Price::from_unit_prices(unit_prices).ok().filter(|fallback| *fallback != Price::default())
}

/// Every token at the dearest fallback price of its side, meters and counters at the fallback's price or their own, in
/// nano-units, rounded up.
pub fn nanos(
    client: &mut SpiClient<'_>,
    fallback: &Price,
    model: Option<&str>,
    amounts: &Amounts,
    call: &Call<'_>,
) -> Result<i64, Failure> {
    let refuse = |error: PriceError| Failure::from(price_book::refuse(model.unwrap_or("none"), &error));
    let amount = |name: &str| amounts.get(name).copied().unwrap_or(0);
    let meters: Amounts = amounts
        .iter()
        .filter(|(name, _)| !meter::is_derived(name))
        .map(|(name, count)| (name.clone(), *count))
        .collect();
    let cache_writes =
        if fallback.stated(Bucket::CacheWrite1h).is_some() { CacheWrites::OneHour } else { CacheWrites::Standard };
    let (input_tokens, output_tokens) = (amount(meter::INPUT_TOKENS), amount(meter::OUTPUT_TOKENS));
    let (others, _) = meter_prices(client, &meters, Some(fallback), call)?;
    let main = hold_nanos_with(input_tokens, output_tokens, &meters, fallback, cache_writes).map_err(refuse)?;
    let others = hold_nanos(0, 0, &meters, &others).map_err(refuse)?;
    main.checked_add(others).ok_or_else(|| refuse(PriceError::Overflow))
}
