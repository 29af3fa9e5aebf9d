use super::*;
use crate::usage::Usage;
use crate::usage::decimal::DecimalError;

mod book;
mod cost;
mod names;
mod oracle;
mod properties;

fn per_million(text: &str) -> Option<PerMillion> {
    Some(PerMillion::from_decimal(text).expect("test price"))
}

/// The prices of a model with every kind of cache.
fn price() -> Price {
    Price {
        currency: "USD".to_owned(),
        input: per_million("3"),
        cache_read: per_million("0.3"),
        cache_write: per_million("3.75"),
        cache_write_1h: per_million("6"),
        output: per_million("15"),
        ..Price::default()
    }
}
