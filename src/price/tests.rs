use super::*;
use crate::budget::meter::Amounts;
use crate::usage::Counts;
use crate::usage::decimal::DecimalError;

mod book;
mod choose;
mod clauses;
mod cost;
mod hold;
mod hold_properties;
mod money;
mod names;
mod oracle;
mod places;
mod properties;
mod providers;
mod rate;
mod rate_properties;
mod revise;
mod revise_periods;
mod revise_properties;
mod sheet;
mod sql;
mod unit_prices;

fn unit(bucket: Bucket, text: &str) -> UnitPrice {
    UnitPrice::from_decimal(text, bucket.per()).expect("test price")
}

fn meter_unit(text: &str) -> UnitPrice {
    UnitPrice::from_decimal(text, 1).expect("test price")
}

/// A price that states no more than these.
fn prices<const N: usize>(stated: [(Bucket, &str); N]) -> Price {
    let mut price = Price::default();
    for (bucket, text) in stated {
        price.set(bucket, Some(unit(bucket, text)));
    }
    price
}

/// The prices of a model with every kind of cache.
fn price() -> Price {
    prices([
        (Bucket::UncachedInput, "3"),
        (Bucket::CacheRead, "0.3"),
        (Bucket::CacheWrite, "3.75"),
        (Bucket::CacheWrite1h, "6"),
        (Bucket::OutputText, "15"),
    ])
}

/// What one model's use costs, without other meters.
fn cost(counts: Counts, price: &Price) -> Result<i64, PriceError> {
    bill(&[Subject { counts: &counts, meters: &Amounts::new(), price }])?.nanos()
}

/// What one of a kind costs.
fn one(bucket: Bucket, price: &Price) -> Result<i64, PriceError> {
    cost(Counts::from([(bucket, 1)]), price)
}

/// A hold without other meters.
fn hold(input_tokens: i64, max_output_tokens: i64, price: &Price) -> Result<i64, PriceError> {
    hold_nanos(input_tokens, max_output_tokens, &Amounts::new(), price)
}

fn amounts<const N: usize>(meters: [(&str, i64); N]) -> Amounts {
    meters.into_iter().map(|(name, count)| (name.to_owned(), count)).collect()
}

fn unpriced<T>(bucket: &'static str) -> Result<T, PriceError> {
    Err(PriceError::Unpriced { bucket })
}
