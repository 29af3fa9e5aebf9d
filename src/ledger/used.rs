//! What a call really used: the provider's usage object, read and priced.

use pgrx::spi::SpiClient;
use serde_json::{Value, json};

use crate::budget::meter::{self, Amounts};
use crate::ledger::attribution::Attribution;
use crate::ledger::pricing::{Call, Charge, charge, is_unpriced, price};
use crate::ledger::spender::{Place, Spender};
use crate::ledger::{Failure, fallback};
use crate::refusal::{Code, Refusal};
use crate::usage::{self, Bucket, Counts, Stated, Usage};

const HINT: &str = "Pass the usage object as the provider returned it.";

/// A usage object with the meters that stand beside it.
pub struct Reading {
    pub usage: Usage,
    /// What stands beside it.
    pub meters: Amounts,
}

/// Reads a usage object in the dialect of `provider`, or as its shape says. `meters` may stand among its members. Nothing
/// but meters is fine where no model was called.
pub fn read(mut usage: Value, provider: Option<&str>, is_model_called: bool) -> Result<Reading, Refusal> {
    let given = usage.as_object_mut().and_then(|object| object.remove("meters"));
    let meters = given
        .map_or(Ok(Amounts::new()), |meters| meter::parse(&meters))
        .map_err(|error| Refusal::invalid_argument("usage", format!("meters: {error}"), HINT))?;
    let is_empty = usage.as_object().is_some_and(|object| object.is_empty());
    let usage = if !is_model_called && is_empty {
        Usage { counts: [(Bucket::Requests, 1)].into(), ..Usage::default() }
    } else {
        usage::parse_as(&usage, provider).map_err(|error| Refusal::invalid_argument("usage", error, HINT))?
    };
    let mut reading = Reading { usage, meters };
    if !is_model_called {
        reading.count_as_meters()?;
    }
    Ok(reading)
}

/// Tokens have a price only with a model.
pub fn tokens_without_model(detail: Value) -> Refusal {
    Refusal::new(
        Code::UnknownModelOrPrice,
        "tokens without a model have no price",
        detail,
        "Name the model when you reserve: the account has a budget in cost.",
    )
}

impl Reading {
    /// Without a model, what was searched, read and so on has the price of a meter.
    fn count_as_meters(&mut self) -> Result<(), Refusal> {
        let counters: Vec<_> = self.usage.counts.present().filter(|(bucket, _)| bucket.is_counter()).collect();
        for (bucket, count) in counters {
            let units = self.meters.entry(bucket.name().into()).or_insert(0);
            *units = units.checked_add(count).ok_or_else(|| out_of_range(bucket))?;
            self.usage[bucket] = 0;
        }
        Ok(())
    }

    /// What this has more of than an earlier reading of the same call. What the provider says of totals and cost is of the
    /// whole call, so it is left out.
    pub fn beyond(mut self, earlier: &Reading) -> Reading {
        self.usage.counts = beyond(&self.usage.counts, &earlier.usage.counts);
        for part in &mut self.usage.parts {
            for known in earlier.usage.parts.iter().filter(|known| known.model == part.model) {
                part.counts = beyond(&part.counts, &known.counts);
            }
        }
        self.usage.stated = Stated::default();
        self.meters = meter::beyond(&self.meters, &earlier.meters);
        self
    }

    /// Whether nothing at all was used.
    pub fn is_empty(&self) -> bool {
        let mut counts = [&self.usage.counts].into_iter().chain(self.usage.parts.iter().map(|part| &part.counts));
        self.meters.is_empty() && counts.all(|counts| counts.present().next().is_none())
    }

    /// What budgets count, but for cost.
    pub fn amounts(&self) -> Result<Amounts, Refusal> {
        let invalid = |error| Refusal::invalid_argument("usage", error, HINT);
        let mut amounts = self.meters.clone();
        for (bucket, count) in self.usage.counts.present().filter(|(bucket, _)| bucket.is_counter()) {
            let units = amounts.entry(bucket.name().into()).or_insert(0);
            *units = units.checked_add(count).ok_or_else(|| out_of_range(bucket))?;
        }
        amounts.insert(meter::REQUESTS.into(), self.usage[Bucket::Requests]);
        amounts.insert(meter::INPUT_TOKENS.into(), self.usage.input_tokens().map_err(invalid)?);
        amounts.insert(meter::OUTPUT_TOKENS.into(), self.usage.output_tokens().map_err(invalid)?);
        amounts.insert(meter::TOKENS.into(), self.usage.total_tokens().map_err(invalid)?);
        Ok(amounts)
    }
}

fn beyond(later: &Counts, earlier: &Counts) -> Counts {
    let mut more = Counts::default();
    for (bucket, count) in later.present() {
        more[bucket] = count.saturating_sub(earlier[bucket]).max(0);
    }
    more
}

fn out_of_range(bucket: Bucket) -> Refusal {
    Refusal::invalid_argument("usage", format!("{} is out of range", bucket.name()), HINT)
}

/// What a call really used, and what that costs.
pub struct Used {
    pub reading: Reading,
    /// What budgets count. Without a price this has the cost at the fallback, if there is one.
    pub amounts: Amounts,
    /// None where no price covers the usage and the account has that recorded.
    pub charge: Option<Charge>,
    pub service_tier: Option<String>,
    pub region: Option<String>,
    pub flags: Vec<String>,
}

/// Prices what was read with the price that held when the call was made. What it does not tell of meters counts as it was
/// `held`. `is_cost_limited` says whether a budget counts its cost.
pub fn price_reading(
    client: &mut SpiClient<'_>,
    spender: &Spender,
    mut reading: Reading,
    held: &Amounts,
    attribution: &Attribution,
    is_cost_limited: bool,
) -> Result<Used, Failure> {
    let place = Place::of(attribution);
    let call = spender.call(&place);
    let model = spender.model.as_deref();
    // Counters that the provider bills its usage object does tell.
    for (name, units) in held {
        if meter::is_derived(name) || reading.meters.contains_key(name) {
            continue;
        }
        let is_told = match Bucket::from_name(name).filter(|bucket| bucket.is_counter()) {
            None => false,
            Some(counter) if reading.usage[counter] > 0 => true,
            Some(_) => is_billed(client, model, name, &reading.usage, &call)?,
        };
        if !is_told {
            reading.meters.insert(name.clone(), *units);
        }
    }
    let mut amounts = reading.amounts()?;
    let tokens = amounts.get(meter::TOKENS).copied().unwrap_or(0);
    let is_nameless = model.is_none() && tokens > 0;
    let charged = match charge(client, model, &reading.usage, &reading.meters, &call) {
        // Nothing is free by accident: budgets in cost would count such tokens as nothing.
        Ok(_) if is_nameless && is_cost_limited && spender.fallback_unit_prices.is_none() => {
            let reservation = spender.reservation_id.map(|id| id.to_string());
            return Err(tokens_without_model(json!({"reservation": reservation, "tokens": tokens})).into());
        }
        Ok(charge) if is_nameless || model.is_none() && charge.other_price_ids.is_empty() => Err(charge.flags),
        Ok(charge) => Ok(charge),
        Err(Failure::Refused(refusal)) if is_unpriced(&refusal) && spender.fallback_unit_prices.is_some() => {
            Err(Vec::new())
        }
        Err(failure) => return Err(failure),
    };
    let mut flags: Vec<String> = reading.usage.flags.iter().map(|flag| flag.as_str().to_string()).collect();
    if !reading.usage.unknown_fields.is_empty() {
        flags.push("unknown_fields".into());
    }
    let charge = match charged {
        Ok(charge) => {
            amounts.insert(meter::COST.into(), charge.cost_nanos);
            amounts.insert(meter::INTERNAL_COST.into(), charge.internal_nanos);
            flags.extend(charge.flags.iter().map(ToString::to_string));
            Some(charge)
        }
        Err(charge_flags) => {
            flags.extend(charge_flags.iter().map(ToString::to_string));
            if model.is_some() || tokens > 0 {
                flags.push("unpriced".into());
            }
            let fallback = spender.fallback_unit_prices.as_ref().and_then(fallback::read);
            if let Some(fallback) = fallback {
                let nanos = fallback::nanos(client, &fallback, model, &amounts, &call)?;
                amounts.insert(meter::COST.into(), nanos);
                amounts.insert(meter::INTERNAL_COST.into(), nanos);
            }
            None
        }
    };
    let service_tier = reading.usage.service_tier.clone().or(place.service_tier);
    let region = reading.usage.region.clone().or(place.region);
    Ok(Used { reading, amounts, charge, service_tier, region, flags })
}

/// Whether the model has a price of its own for a counter, so that the provider's usage object tells of it.
fn is_billed(
    client: &mut SpiClient<'_>,
    model: Option<&str>,
    counter: &str,
    usage: &Usage,
    call: &Call<'_>,
) -> Result<bool, Failure> {
    match model.map(|model| price(client, model, &usage.counts, usage, call)) {
        None | Some(Err(Failure::Refused(_))) => Ok(false),
        Some(priced) => Ok(priced?.version.price.meter(counter).is_some()),
    }
}
