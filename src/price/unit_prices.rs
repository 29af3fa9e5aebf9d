//! Unit prices as the price book stores them: an object from name to price.

use serde_json::{Map, Number, Value};

use super::{Price, PriceError, UnitPrice};
use crate::budget::meter;
use crate::usage::Bucket;

impl Price {
    /// Reads an object such as `{"input": 2.5, "output": 10, "searches": 0.01}`: a million tokens or characters, one of
    /// anything else. A name that is no kind of token is a meter.
    ///
    /// # Errors
    /// [`PriceError::UnitPrice`] with the name and the reason.
    pub fn from_unit_prices(prices: &Value) -> Result<Self, PriceError> {
        let wrong = |name: &str, why: &str| PriceError::UnitPrice { name: name.to_owned(), why: why.to_owned() };
        let prices = prices.as_object().ok_or_else(|| wrong("unit_prices", "expected an object"))?;
        let mut price = Self::default();
        for (name, value) in prices {
            let number = match value {
                Value::Number(number) => number.to_string(),
                Value::Null => continue,
                _ => return Err(wrong(name, "expected a number")),
            };
            let bucket = Bucket::from_price_name(name);
            let read = UnitPrice::from_decimal(&number, bucket.map_or(1, Bucket::per))
                .map_err(|error| wrong(name, &error.to_string()))?;
            match bucket {
                Some(bucket) => price.set(bucket, Some(read)),
                // A bucket that is priced under another name would be a meter that nobody counts.
                None if Bucket::from_name(name).is_none() && meter::is_meter_name(name) && !meter::is_derived(name) => {
                    price.meters.insert(name.clone(), read);
                }
                None => return Err(wrong(name, "neither a kind of token nor a name of a meter")),
            }
        }
        Ok(price)
    }

    /// The object that [`from_unit_prices`](Self::from_unit_prices) reads, in a fixed order and without trailing zeros.
    pub fn to_unit_prices(&self) -> Value {
        let buckets = Bucket::ALL.into_iter().filter_map(|bucket| {
            self.stated(bucket).map(|price| (bucket.price_name().to_owned(), price.format(bucket.per())))
        });
        let meters = self.meters.iter().map(|(name, price)| (name.clone(), price.format(1)));
        let number = |text: String| text.parse::<Number>().map_or(Value::Null, Value::Number);
        Value::Object(buckets.chain(meters).map(|(name, text)| (name, number(text))).collect::<Map<_, _>>())
    }
}
