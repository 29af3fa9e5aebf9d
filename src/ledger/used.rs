//! What a call really used: the provider's usage object, read and priced.

use pgrx::spi::SpiClient;
use serde_json::Value;

use crate::budget::meter::{self, Amounts};
use crate::ledger::reservation::Reservation;
use crate::ledger::{Failure, price_book};
use crate::price::cost_nanos;
use crate::refusal::Refusal;
use crate::usage::{self, Usage};

/// What a call really used.
pub struct Used {
    pub usage: Usage,
    pub amounts: Amounts,
    pub meters: Amounts,
    pub cost_nanos: Option<i64>,
    pub price_id: Option<i64>,
    pub provider: Option<String>,
    pub flags: Vec<String>,
}

/// Reads the usage object and prices it with the price that held when the reservation was made.
pub fn read_usage(client: &mut SpiClient<'_>, reservation: &Reservation, mut usage: Value) -> Result<Used, Failure> {
    const HINT: &str = "Pass the usage object as the provider returned it.";
    let given_meters = usage.as_object_mut().and_then(|object| object.remove("meters"));
    let given_meters = given_meters
        .map_or(Ok(Amounts::new()), |meters| meter::parse(&meters))
        .map_err(|error| Refusal::invalid_argument("usage", format!("meters: {error}"), HINT))?;
    let is_empty = usage.as_object().is_some_and(|object| object.is_empty());
    let usage = if reservation.model.is_none() && is_empty {
        // A call of a tool and not of a model has meters and no tokens.
        Usage::default()
    } else {
        usage::parse(&usage).map_err(|error| Refusal::invalid_argument("usage", error, HINT))?
    };
    let invalid = |error| Failure::from(Refusal::invalid_argument("usage", error, HINT));
    let input_tokens = usage.input_tokens().map_err(invalid)?;
    let output_tokens = usage.output_tokens().map_err(invalid)?;
    let tokens = usage.total_tokens().map_err(invalid)?;

    let mut flags: Vec<String> = usage.flags.iter().map(|flag| flag.as_str().to_string()).collect();
    if !usage.unknown_fields.is_empty() {
        flags.push("unknown_fields".into());
    }
    let mut used = Used {
        amounts: Amounts::new(),
        meters: Amounts::new(),
        cost_nanos: None,
        price_id: None,
        provider: usage.provider.map(str::to_string),
        flags,
        usage,
    };
    match &reservation.model {
        Some(model) => {
            let listed = price_book::find(client, model, &reservation.currency, reservation.created_at)?;
            let nanos = cost_nanos(&used.usage, &listed.price).map_err(|error| price_book::refuse(model, &error))?;
            used.cost_nanos = Some(nanos);
            used.price_id = Some(listed.price_id);
            used.provider = Some(listed.provider);
            used.amounts.insert(meter::COST.into(), nanos);
        }
        None if tokens > 0 => used.flags.push("unpriced".into()),
        None => {}
    }
    used.amounts.insert(meter::REQUESTS.into(), 1);
    used.amounts.insert(meter::INPUT_TOKENS.into(), input_tokens);
    used.amounts.insert(meter::OUTPUT_TOKENS.into(), output_tokens);
    used.amounts.insert(meter::TOKENS.into(), tokens);
    // What the usage does not tell of the other meters counts as it was held.
    for (name, units) in &reservation.held {
        if !used.amounts.contains_key(name) && name != meter::COST {
            used.meters.insert(name.clone(), *units);
        }
    }
    used.meters.extend(given_meters);
    used.amounts.extend(used.meters.clone());
    Ok(used)
}
