//! Reads one model's prices and facts.

use pgrx::spi::{SpiClient, SpiHeapTupleData};
use pgrx::{AnyNumeric, JsonB};

use super::target::Target;
use super::{Facts, Listing};
use crate::ledger::Failure;
use crate::price::{Price, UnitPrice, Version};
use crate::statement::{instant, optional, optional_instant, required, statement};

statement! {
    read read_versions(TEXTOID, TEXTOID, TEXTOID) =
    "SELECT price.origin, price.price_id, price.region, price.service_tier, price.above_input_tokens, price.effective_at,
         price.ends_at, price.unit_prices, price.minimum_charge, price.max_input_tokens, price.covers
     FROM tokbudget.price
     WHERE price.provider OPERATOR(pg_catalog.=) $1 AND price.model OPERATOR(pg_catalog.=) $2
         AND price.currency OPERATOR(pg_catalog.=) $3 AND price.superseded_at IS NULL"
}

statement! {
    read read_facts(TEXTOID, TEXTOID) =
    "SELECT model.origin, model.operation, model.encoding, model.count_basis, model.max_output_tokens
     FROM tokbudget.model
     WHERE model.provider OPERATOR(pg_catalog.=) $1 AND model.model OPERATOR(pg_catalog.=) $2"
}

/// Origins, those that win first.
const ORIGINS: [&str; 3] = ["user", "import", "book"];

pub fn listing(client: &mut SpiClient<'_>, target: Target, currency: &str) -> Result<Listing, Failure> {
    let Target { provider, model, region } = target;
    let mut origins = vec![Vec::new(); ORIGINS.len()];
    for row in read_versions(client, &[provider.as_str().into(), model.as_str().into(), currency.into()])? {
        let origin: String = required(&row, 1)?;
        let place = ORIGINS.iter().position(|known| *known == origin);
        if let Some(versions) = place.and_then(|place| origins.get_mut(place)) {
            versions.push(version(&row)?);
        }
    }
    origins.retain(|versions| !versions.is_empty());
    let facts = facts(client, &provider, &model)?;
    Ok(Listing { provider, model, region, facts, origins })
}

fn version(row: &SpiHeapTupleData<'_>) -> Result<Version, Failure> {
    let unit_prices: JsonB = required(row, 8)?;
    let minimum_charge: Option<AnyNumeric> = optional(row, 9)?;
    let unreadable = |_| Failure::Internal("a price of the book is unreadable");
    let minimum_charge =
        minimum_charge.map(|charge| UnitPrice::from_decimal(&charge.to_string(), 1)).transpose().map_err(unreadable)?;
    let mut price = Price::from_unit_prices(&unit_prices.0).map_err(unreadable)?;
    price.minimum_charge = minimum_charge;
    price.max_input_tokens = optional(row, 10)?;
    price.covers = required(row, 11)?;
    Ok(Version {
        price_id: required(row, 2)?,
        region: required(row, 3)?,
        service_tier: required(row, 4)?,
        above_input_tokens: required(row, 5)?,
        valid_from: instant(row, 6)?,
        valid_until: optional_instant(row, 7)?,
        price,
    })
}

/// Each fact from the origin that wins among those that state it.
fn facts(client: &mut SpiClient<'_>, provider: &str, model: &str) -> Result<Facts, Failure> {
    let mut rows = Vec::new();
    for row in read_facts(client, &[provider.into(), model.into()])? {
        let origin: String = required(&row, 1)?;
        let operation: Option<String> = optional(&row, 2)?;
        let encoding: Option<String> = optional(&row, 3)?;
        let count_basis: Option<String> = optional(&row, 4)?;
        let max_output_tokens: Option<i64> = optional(&row, 5)?;
        rows.push((origin, operation, encoding, count_basis, max_output_tokens));
    }
    let mut facts = Facts::default();
    for origin in ORIGINS {
        for (_, operation, encoding, count_basis, max_output_tokens) in rows.iter().filter(|row| row.0 == origin) {
            facts.operation = facts.operation.or_else(|| operation.clone());
            facts.max_output_tokens = facts.max_output_tokens.or(*max_output_tokens);
            if facts.encoding.is_none() && encoding.is_some() {
                facts.encoding.clone_from(encoding);
                facts.is_estimate = count_basis.as_deref() == Some("estimated");
            }
        }
    }
    Ok(facts)
}
