//! Prices of one set of circumstances while a file is read.

use std::collections::BTreeMap;

use serde_json::Value;

use super::number::{self, For};
use crate::price::{Price, PriceError, UnitPrice};
use crate::usage::Bucket;

/// A thing with a price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unit {
    /// A kind that usages count.
    Bucket(Bucket),
    /// A meter that callers count.
    Meter(&'static str),
}

impl Unit {
    /// Plain input.
    pub const INPUT: Self = Self::Bucket(Bucket::UncachedInput);
    /// Plain output.
    pub const OUTPUT: Self = Self::Bucket(Bucket::OutputText);

    /// The name of its unit price.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bucket(bucket) => bucket.price_name(),
            Self::Meter(name) => name,
        }
    }

    /// Reads its price, stated for `per` of it.
    pub fn price(self, value: &Value, per: For) -> Result<UnitPrice, String> {
        let bucket = match self {
            Self::Bucket(bucket) => Some(bucket),
            Self::Meter(_) => None,
        };
        number::price(value, per, number::book_per(bucket))
    }

    /// Whether it is a kind of token; what a place or a speed makes dearer are those.
    pub fn is_token(self) -> bool {
        matches!(self, Self::Bucket(bucket) if Bucket::INPUT.contains(&bucket)
            || Bucket::OUTPUT.contains(&bucket)
            || bucket == Bucket::Citation)
    }
}

/// Prices by thing.
pub type Units = BTreeMap<Unit, UnitPrice>;

/// The same as a price of the book.
pub fn to_price(units: &Units) -> Price {
    let mut price = Price::default();
    for (unit, value) in units {
        match unit {
            Unit::Bucket(bucket) => price.set(*bucket, Some(*value)),
            Unit::Meter(name) => {
                price.meters.insert((*name).to_owned(), *value);
            }
        }
    }
    price
}

/// Multiplies the prices of tokens by a factor of [`number::FACTOR_SCALE`].
pub fn multiplied(units: &Units, factor: i128) -> Result<Units, PriceError> {
    let scaled = |(unit, price): (&Unit, &UnitPrice)| {
        Ok((*unit, if unit.is_token() { number::scaled(*price, factor)? } else { *price }))
    };
    units.iter().map(scaled).collect()
}

/// Whether the unit has a price and that is zero.
pub fn is_zero(units: &Units, unit: Unit) -> bool {
    units.get(&unit).is_some_and(|price| price.atto() == 0)
}

/// The units that are free.
pub fn zeros(units: &Units) -> Vec<Unit> {
    units.iter().filter(|(_, price)| price.atto() == 0).map(|(unit, _)| *unit).collect()
}

/// Removes a price of zero for a cache write, and says whether there was one.
pub fn drop_free_write(units: &mut Units) -> bool {
    let unit = Unit::Bucket(Bucket::CacheWrite);
    is_zero(units, unit) && units.remove(&unit).is_some()
}
