//! What a usage costs: its models' prices, its meters' prices, the account's internal rate.

use std::rc::Rc;

use pgrx::spi::SpiClient;
use serde_json::{Map, Value, json};

use crate::budget::meter::Amounts;
use crate::instant::Instant;
use crate::ledger::price_book::{self, Listing};
use crate::ledger::{Failure, rate_book};
use crate::price::{Chosen, Price, PriceError, Request, Subject, Version, bill};
use crate::refusal::Refusal;
use crate::usage::{Bucket, Counts, Usage};

/// Who spends, and under which circumstances.
pub struct Call<'a> {
    pub tenant_id: i32,
    /// From the root down to the account that spends.
    pub chain: &'a [i64],
    pub currency: &'a str,
    pub at: Instant,
    /// What the caller says, where the usage does not.
    pub region: Option<&'a str>,
    /// What the caller says, where the usage does not.
    pub service_tier: Option<&'a str>,
}

/// The cost of a usage.
pub struct Charge {
    pub cost_nanos: i64,
    pub internal_nanos: i64,
    pub price_id: Option<i64>,
    pub rate_id: Option<i64>,
    pub provider: Option<String>,
    pub operation: Option<String>,
    pub flags: Vec<&'static str>,
    /// Versions of the prices of other models and of meters.
    pub other_price_ids: Map<String, Value>,
}

/// A model of the call with the version of its price.
pub struct Priced {
    pub listing: Rc<Listing>,
    pub version: Version,
    flags: Vec<&'static str>,
}

/// The version of a model's price that a request gets.
pub fn price(
    client: &mut SpiClient<'_>,
    model: &str,
    counts: &Counts,
    usage: &Usage,
    call: &Call<'_>,
) -> Result<Priced, Failure> {
    let listing = price_book::find(client, model, call.currency)?;
    let refuse = |error: PriceError| Failure::from(price_book::refuse(model, &error));
    let input_tokens = counts.sum(&Bucket::INPUT).ok_or_else(|| refuse(PriceError::Overflow))?;
    let stated = usage.region.as_deref().or(call.region);
    let request = Request {
        at: call.at,
        region: stated.or(listing.region.as_deref()),
        is_region_a_guess: stated.is_none(),
        service_tier: usage.service_tier.as_deref().or(call.service_tier),
        input_tokens,
    };
    let Chosen { version, is_standard_for_tier, is_general_for_region } = listing.choose(request).map_err(refuse)?;
    let version = version.clone();
    if let Some(surcharge) = usage.surcharges.iter().find(|surcharge| !version.price.covers.contains(surcharge)) {
        return Err(refuse(PriceError::Surcharge { surcharge: surcharge.clone() }));
    }
    let mut flags = Vec::new();
    if is_standard_for_tier {
        flags.push("standard_price_for_tier");
    }
    if is_general_for_region {
        flags.push("general_price_for_region");
    }
    Ok(Priced { listing, version, flags })
}

/// Prices of meters that the model itself does not price, as far as they have one.
pub fn meter_prices(
    client: &mut SpiClient<'_>,
    meters: &Amounts,
    main: Option<&Price>,
    call: &Call<'_>,
) -> Result<(Price, Map<String, Value>), Failure> {
    let mut prices = Price::default();
    let mut price_ids = Map::new();
    for name in meters.keys() {
        if main.is_some_and(|main| main.meter(name).is_some()) {
            continue;
        }
        let Some(listing) = price_book::find_meter(client, name, call.currency)? else { continue };
        let request =
            Request { at: call.at, region: None, is_region_a_guess: true, service_tier: None, input_tokens: 0 };
        if let Ok(Chosen { version, .. }) = listing.choose(request)
            && let Some(unit) = version.price.meter(name)
        {
            prices.meters.insert(name.clone(), unit);
            price_ids.insert(name.clone(), version.price_id.into());
        }
    }
    Ok((prices, price_ids))
}

/// Everything that a bill is made of.
pub struct Priceable {
    pub main: Option<Priced>,
    pub parts: Vec<Priced>,
    pub meter_prices: Price,
    own_meters: Amounts,
    other_meters: Amounts,
    meter_price_ids: Map<String, Value>,
}

static NOTHING: Counts = Counts::none();

impl Priceable {
    /// Finds all prices that a usage needs.
    pub fn find(
        client: &mut SpiClient<'_>,
        model: Option<&str>,
        usage: &Usage,
        meters: &Amounts,
        call: &Call<'_>,
    ) -> Result<Priceable, Failure> {
        let main = model.map(|model| price(client, model, &usage.counts, usage, call)).transpose()?;
        let parts = usage
            .parts
            .iter()
            .map(|part| price(client, &part.model, &part.counts, usage, call))
            .collect::<Result<Vec<Priced>, Failure>>()?;
        let main_price = main.as_ref().map(|main| &main.version.price);
        let (meter_prices, meter_price_ids) = meter_prices(client, meters, main_price, call)?;
        let (own_meters, other_meters) = meters
            .iter()
            .map(|(name, count)| (name.clone(), *count))
            .partition(|(name, _)| main_price.is_some_and(|main| main.meter(name).is_some()));
        Ok(Priceable { main, parts, meter_prices, own_meters, other_meters, meter_price_ids })
    }

    /// What is billed, each with its price and the listing it is from; none for meters.
    pub fn subjects<'a>(&'a self, usage: &'a Usage) -> Vec<(Subject<'a>, Option<&'a Priced>)> {
        static NO_METERS: Amounts = Amounts::new();
        let main = self.main.iter().map(|main| {
            let subject = Subject { counts: &usage.counts, meters: &self.own_meters, price: &main.version.price };
            (subject, Some(main))
        });
        let parts = self.parts.iter().zip(&usage.parts).map(|(priced, part)| {
            (Subject { counts: &part.counts, meters: &NO_METERS, price: &priced.version.price }, Some(priced))
        });
        let meters = Subject { counts: &NOTHING, meters: &self.other_meters, price: &self.meter_prices };
        main.chain(parts).chain([(meters, None)]).collect()
    }
}

/// Prices a usage. A usage without a model has the cost of its meters.
pub fn charge(
    client: &mut SpiClient<'_>,
    model: Option<&str>,
    usage: &Usage,
    meters: &Amounts,
    call: &Call<'_>,
) -> Result<Charge, Failure> {
    let priceable = Priceable::find(client, model, usage, meters, call)?;
    let subjects: Vec<Subject<'_>> = priceable.subjects(usage).into_iter().map(|(subject, _)| subject).collect();
    let refuse = |error: PriceError| Failure::from(price_book::refuse(model.unwrap_or("none"), &error));
    let bill = bill(&subjects).map_err(refuse)?;
    let main = priceable.main.as_ref();
    let mut charge = Charge {
        cost_nanos: bill.nanos().map_err(refuse)?,
        internal_nanos: 0,
        price_id: main.map(|main| main.version.price_id),
        rate_id: None,
        provider: main.map(|main| main.listing.provider.clone()),
        operation: main.and_then(|main| main.listing.facts.operation.clone()),
        flags: main.map(|main| main.flags.clone()).unwrap_or_default(),
        other_price_ids: priceable.meter_price_ids.clone(),
    };
    charge.internal_nanos = charge.cost_nanos;
    if !bill.unpriced_meters.is_empty() {
        charge.flags.push("unpriced_meters");
    }
    for part in &priceable.parts {
        let name = format!("{}/{}", part.listing.provider, part.listing.model);
        charge.other_price_ids.insert(name, json!(part.version.price_id));
    }
    let rates = rate_book::find(client, call.tenant_id)?;
    let (provider, model) = (charge.provider.as_deref(), main.map(|main| main.listing.model.as_str()));
    if let Some(listed) = rate_book::choose(&rates, call.chain, provider, model, call.at) {
        charge.rate_id = Some(listed.rate_id);
        charge.internal_nanos = listed.rate.apply_nanos(bill.cost_atto, &subjects).map_err(refuse)?;
    }
    Ok(charge)
}

/// Whether a refusal says that there is no price, which a tree of accounts may want recorded instead.
pub fn is_unpriced(refusal: &Refusal) -> bool {
    refusal.code == crate::refusal::Code::UnknownModelOrPrice
}
