//! Prices of other tiers, and the versions of a model.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::period::{self, Dated};
use super::prices::{Prices, note};
use crate::price::ANY_REGION;
use crate::price::import::ListedPrice;
use crate::price::import::entry::ZERO_AS_LISTED;
use crate::price::import::units::{Unit, Units, drop_free_write, is_zero, to_price, zeros};
use crate::usage::{STANDARD, canonical_tier};

/// Reads the versions of a model; the error says why it is left out.
pub fn versions(model: &Map<String, Value>, ignored: &mut Vec<String>) -> Result<Vec<ListedPrice>, String> {
    let standard = period::standard(model.get("prices").unwrap_or(&Value::Null), ignored)?;
    let mut versions = Vec::new();
    let starts: Vec<Option<String>> = standard.iter().map(|dated| dated.from.clone()).collect();
    for (index, dated) in standard.iter().enumerate() {
        let until = starts.get(index + 1).cloned().flatten();
        push(&mut versions, STANDARD, (dated.from.clone(), until), &dated.prices, ignored);
    }
    for (tier, variants) in variants(model, ignored)? {
        // A variant changes with itself and with the standard price under it.
        let own = variants
            .iter()
            .map(|variant| &variant.from)
            .filter(|from| starts.first().is_some_and(|first| *from > first));
        let points: Vec<&Option<String>> = starts.iter().chain(own).collect::<BTreeSet<_>>().into_iter().collect();
        for (index, from) in points.iter().enumerate() {
            let until = points.get(index + 1).and_then(|until| (*until).clone());
            let (Some(base), Some(variant)) = (holding(&standard, from), holding(&variants, from)) else {
                continue;
            };
            push(&mut versions, &tier, ((*from).clone(), until), &variant.prices.over(&base.prices), ignored);
        }
    }
    Ok(versions)
}

/// The last of the prices that holds on a day.
fn holding<'a>(dated: &'a [Dated], day: &Option<String>) -> Option<&'a Dated> {
    dated.iter().rev().find(|dated| dated.from <= *day)
}

/// The variants by tier, each in the order of time.
fn variants(model: &Map<String, Value>, ignored: &mut Vec<String>) -> Result<BTreeMap<String, Vec<Dated>>, String> {
    let mut by_tier: BTreeMap<String, Vec<Dated>> = BTreeMap::new();
    let list = match model.get("price_variants") {
        None | Some(Value::Null) => return Ok(by_tier),
        Some(list) => list.as_array().ok_or("price_variants: expected a list")?,
    };
    for variant in list {
        let when = variant.get("when").unwrap_or(&Value::Null);
        let tier = match tier(when) {
            When::Tier(tier) => tier,
            When::Standard => continue,
            When::Unknown => {
                note(ignored, format!("price_variants: no tier in {when}"));
                continue;
            }
        };
        match period::start(variant.get("constraint")) {
            Ok(from) => {
                let prices = Prices::read(variant.get("prices").unwrap_or(&Value::Null), ignored)
                    .map_err(|why| format!("price_variants: {why}"))?;
                let dated = by_tier.entry(tier).or_default();
                dated.retain(|other| other.from != from);
                dated.push(Dated { from, prices });
            }
            Err(why) => note(ignored, format!("price_variants: {tier}: {why}")),
        }
    }
    by_tier.values_mut().for_each(|dated| dated.sort_by(|one, other| one.from.cmp(&other.from)));
    Ok(by_tier)
}

enum When {
    Tier(String),
    Standard,
    Unknown,
}

fn tier(when: &Value) -> When {
    let Some((key, Value::String(value))) =
        when.as_object().filter(|when| when.len() == 1).and_then(|when| when.iter().next())
    else {
        return When::Unknown;
    };
    match (key.as_str(), value.as_str()) {
        ("processing", "batch") | ("speed", "fast") => When::Tier(value.clone()),
        ("service_tier", name) => canonical_tier(name).map_or(When::Standard, When::Tier),
        _ => When::Unknown,
    }
}

/// Adds the rows of one tier and period.
fn push(
    versions: &mut Vec<ListedPrice>,
    tier: &str,
    (valid_from, valid_until): (Option<String>, Option<String>),
    prices: &Prices,
    ignored: &mut Vec<String>,
) {
    for (above_input_tokens, mut units) in prices.rows() {
        check_zeros(&mut units, ignored);
        if !units.is_empty() {
            versions.push(ListedPrice {
                region: ANY_REGION.to_owned(),
                service_tier: tier.to_owned(),
                above_input_tokens,
                valid_from: valid_from.clone(),
                valid_until: valid_until.clone(),
                price: to_price(&units),
            });
        }
    }
}

/// Notes what is free, and removes a free cache write beside input that is not: as a price it would make that input free.
fn check_zeros(units: &mut Units, ignored: &mut Vec<String>) {
    if units.contains_key(&Unit::INPUT) && !is_zero(units, Unit::INPUT) && drop_free_write(units) {
        note(ignored, "cache_write: 0 beside a price of input".to_owned());
    }
    for unit in zeros(units) {
        note(ignored, format!("{}: {ZERO_AS_LISTED}", unit.name()));
    }
}
