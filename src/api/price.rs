//! Usage, prices, cost.

use pgrx::datum::TimestampWithTimeZone;
use pgrx::prelude::*;
use pgrx::{AnyNumeric, IntoDatum, JsonB, composite_type, pg_sys};
use serde_json::json;

use crate::api::argument::{instant, missing, parse_json};
use crate::api::outcome::{Row, in_spi, or_put_aside, row};
use crate::api::spend::numeric;
use crate::budget::meter;
use crate::instant::Instant;
use crate::ledger::cost_lines::Line;
use crate::ledger::entry::{counts_to_json, parts_to_json, stated_to_json};
use crate::ledger::pricing::Call;
use crate::ledger::rerate::{Rerated, Selection};
use crate::ledger::used::{self, Reading};
use crate::ledger::{cost_lines, price_import, pricing, rerate};
use crate::price::revision::ChangeRow;
use crate::price::{Price, UnitPrice, clause, format_decimal, provider};
use crate::refusal::Refusal;
use crate::usage::{Bucket, Counts, STANDARD, Usage, canonical_tier};
use crate::{clock, invalidation, tokenizer};

fn at_or_now(at: Option<TimestampWithTimeZone>) -> Instant {
    at.map_or_else(clock::now, instant)
}

/// A currency as prices may have it.
fn known_currency(currency: Option<&str>) -> Result<&str, Refusal> {
    let currency = currency.ok_or_else(|| missing("currency"))?;
    if currency.len() == 3 && currency.bytes().all(|byte| byte.is_ascii_uppercase()) {
        Ok(currency)
    } else {
        Err(Refusal::invalid_argument("currency", "not three capital letters", "Pass an ISO 4217 code such as 'USD'."))
    }
}

fn decimal(text: &str) -> Option<pg_sys::Datum> {
    AnyNumeric::try_from(text).ok().and_then(IntoDatum::into_datum)
}

#[pg_extern(sql = false)]
fn _check_pattern(pattern: JsonB) -> bool {
    clause::check(&pattern.0).is_ok()
}

#[pg_extern(sql = false)]
fn _check_encoding(name: &str) -> bool {
    tokenizer::resolve(name).is_ok()
}

#[pg_extern(sql = false)]
fn _encoding(name: &str) -> Option<&'static str> {
    tokenizer::resolve(name).ok().map(tokenizer::Encoding::name)
}

#[pg_extern(sql = false)]
fn _check_unit_prices(unit_prices: JsonB) -> bool {
    Price::from_unit_prices(&unit_prices.0).is_ok()
}

#[pg_extern(sql = false)]
fn _normal_unit_prices(unit_prices: &str) -> Option<JsonB> {
    const HINT: &str = "A price is per 1,000,000 tokens or characters and per 1 of anything else, between 0 and 1000000, with at most twelve decimals.";
    or_put_aside(parse_json("unit_prices", unit_prices).and_then(|unit_prices| {
        Price::from_unit_prices(&unit_prices)
            .map(|price| JsonB(price.to_unit_prices()))
            .map_err(|error| Refusal::invalid_argument("price", error, HINT))
    }))
}

#[pg_extern(sql = false)]
fn _canonical_provider(provider: &str) -> String {
    provider::canonical(provider)
}

#[pg_extern(sql = false)]
fn _canonical_tier(service_tier: &str) -> String {
    canonical_tier(service_tier).unwrap_or_else(|| STANDARD.into())
}

/// Whether a price may be set for the meter by itself. Kinds of token are priced with their model.
#[pg_extern(sql = false)]
fn _check_meter(meter: &str) -> bool {
    meter::is_meter_name(meter)
        && !meter::is_derived(meter)
        && Bucket::from_price_name(meter).or_else(|| Bucket::from_name(meter)).is_none_or(Bucket::is_counter)
}

#[pg_extern(sql = false)]
fn _per(kind: &str) -> i32 {
    let per = Bucket::from_price_name(kind).map_or(1, Bucket::per);
    i32::try_from(per).unwrap_or(i32::MAX)
}

/// What unit prices ask for as many of an item as a price is for. An item is what a line of a bill names, a bucket or a meter;
/// `is_stated` leaves out what a bucket is billed as where it has no price of its own.
#[pg_extern(sql = false)]
fn _unit_price(unit_prices: JsonB, item: &str, is_meter: bool, is_stated: bool) -> Option<AnyNumeric> {
    let price = Price::from_unit_prices(&unit_prices.0).ok()?;
    let bucket = Bucket::from_name(item);
    let unit = match bucket {
        _ if is_meter => price.meter(item),
        Some(bucket) if is_stated => price.stated(bucket),
        Some(bucket) => price.effective(bucket).map(|(_, unit)| unit),
        None => None,
    }?;
    AnyNumeric::try_from(unit.format(bucket.map_or(1, Bucket::per)).as_str()).ok()
}

#[pg_extern(sql = false)]
fn _notice_change(changed: pg_sys::Oid) {
    invalidation::notice_change(changed);
}

#[pg_extern(sql = false)]
fn _usage(usage: Option<&str>, provider: Option<&str>) -> Option<composite_type!('static, "tokbudget.usage")> {
    let read = usage.ok_or_else(|| missing("usage")).and_then(|usage| {
        let reading = used::read(parse_json("usage", usage)?, provider, true)?;
        let amounts = reading.amounts()?;
        Ok((reading, amounts))
    });
    or_put_aside(read).map(|(Reading { usage, .. }, amounts)| {
        let amount = |name: &str| amounts.get(name).copied().unwrap_or(0).into_datum();
        let flags: Vec<String> = usage.flags.iter().map(|flag| flag.as_str().to_string()).collect();
        row(
            c"usage",
            [
                usage.provider.into_datum(),
                usage.model.clone().into_datum(),
                usage.operation.into_datum(),
                amount(meter::INPUT_TOKENS),
                amount(meter::OUTPUT_TOKENS),
                amount(meter::TOKENS),
                JsonB(counts_to_json(&usage.counts)).into_datum(),
                usage.service_tier.clone().into_datum(),
                usage.region.clone().into_datum(),
                usage.surcharges.clone().into_datum(),
                JsonB(stated_to_json(&usage.stated)).into_datum(),
                JsonB(parts_to_json(&usage)).into_datum(),
                flags.into_datum(),
                usage.unknown_fields.into_datum(),
            ],
        )
    })
}

#[pg_extern(sql = false)]
fn _price(
    model: Option<&str>,
    at: Option<TimestampWithTimeZone>,
    region: Option<&str>,
    service_tier: Option<&str>,
    input_tokens: Option<i64>,
    currency: Option<&str>,
) -> Option<i64> {
    let at = at_or_now(at);
    or_put_aside(model.ok_or_else(|| missing("model")).and_then(|model| {
        let service_tier = service_tier.and_then(canonical_tier);
        let call = Call {
            tenant_id: 0,
            chain: &[],
            currency: known_currency(currency)?,
            at,
            region,
            service_tier: service_tier.as_deref(),
        };
        let input_tokens = input_tokens.ok_or_else(|| missing("input_tokens"))?;
        if input_tokens < 0 {
            return Err(Refusal::invalid_argument("input_tokens", "a count is not negative", "Pass 0 or more."));
        }
        let counts = Counts::from([(Bucket::UncachedInput, input_tokens)]);
        in_spi(|client| pricing::price(client, model, &counts, &Usage::default(), &call))
            .map(|priced| priced.version.price_id)
    }))
}

#[pg_extern(sql = false)]
fn _cost(
    model: Option<&str>,
    usage: Option<&str>,
    at: Option<TimestampWithTimeZone>,
    region: Option<&str>,
    service_tier: Option<&str>,
    provider: Option<&str>,
    currency: Option<&str>,
) -> SetOfIterator<'static, composite_type!('static, "tokbudget.cost_item")> {
    let at = at_or_now(at);
    let lines = usage.ok_or_else(|| missing("usage")).and_then(|usage| {
        let reading = used::read(parse_json("usage", usage)?, provider, model.is_some())?;
        let tokens = reading.amounts()?.get(meter::TOKENS).copied().unwrap_or(0);
        if model.is_none() && tokens > 0 {
            return Err(used::tokens_without_model(json!({"tokens": tokens})));
        }
        let service_tier = service_tier.and_then(canonical_tier);
        let call = Call {
            tenant_id: 0,
            chain: &[],
            currency: known_currency(currency)?,
            at,
            region,
            service_tier: service_tier.as_deref(),
        };
        in_spi(|client| cost_lines::cost_lines(client, model, &reading, &call))
    });
    let currency = currency.unwrap_or_default().to_string();
    SetOfIterator::new(or_put_aside(lines).unwrap_or_default().into_iter().map(move |line| cost_row(line, &currency)))
}

fn cost_row(line: Line, currency: &str) -> Row {
    let unit = line.unit.as_ref();
    row(
        c"cost_item",
        [
            line.item.into_datum(),
            unit.map(|unit| unit.quantity).into_datum(),
            unit.and_then(|unit| decimal(&unit.unit_price)),
            unit.and_then(|unit| i32::try_from(unit.per).ok()).into_datum(),
            unit.map(|unit| unit.priced_as.clone()).into_datum(),
            decimal(&format_decimal(line.cost_atto, UnitPrice::ATTO_SCALE)),
            currency.into_datum(),
            line.provider.into_datum(),
            line.model.into_datum(),
            line.price_id.into_datum(),
        ],
    )
}

#[pg_extern(sql = false)]
fn _import_prices(
    document: Option<&str>,
    source: &str,
    effective_at: TimestampWithTimeZone,
    currency: &str,
    confirm: bool,
    origin: &str,
) -> SetOfIterator<'static, composite_type!('static, "tokbudget.price_change")> {
    let changes = document.ok_or_else(|| missing("document")).and_then(|document| {
        let document = parse_json("document", document)?;
        let import = price_import::Import {
            source,
            effective_at: instant(effective_at),
            currency,
            is_confirmed: confirm,
            origin,
        };
        in_spi(|client| price_import::import(client, &document, &import))
    });
    SetOfIterator::new(or_put_aside(changes).unwrap_or_default().into_iter().map(change_row))
}

fn change_row(change: ChangeRow) -> Row {
    let text = |text: &Option<String>| text.as_deref().and_then(decimal);
    row(
        c"price_change",
        [
            change.provider.into_datum(),
            change.model.into_datum(),
            change.change.into_datum(),
            change.region.into_datum(),
            change.service_tier.into_datum(),
            change.above_input_tokens.into_datum(),
            change.kind.into_datum(),
            text(&change.old_price),
            text(&change.new_price),
            text(&change.ratio),
            change.reason.into_datum(),
        ],
    )
}

#[pg_extern(sql = false)]
fn _rerate(
    account: Option<&str>,
    model: Option<&str>,
    since: Option<TimestampWithTimeZone>,
    until: Option<TimestampWithTimeZone>,
    batch_size: Option<i32>,
    dry_run: Option<bool>,
    include_priced: Option<bool>,
) -> SetOfIterator<'static, composite_type!('static, "tokbudget.rerated")> {
    let rerated = account.ok_or_else(|| missing("account")).and_then(|account| {
        let batch_size = batch_size.and_then(|size| usize::try_from(size).ok()).filter(|size| *size > 0);
        let selection = Selection {
            account,
            model,
            since: since.map(instant).ok_or_else(|| missing("since"))?,
            until: until.map(instant).ok_or_else(|| missing("until"))?,
            batch_size: batch_size
                .ok_or_else(|| Refusal::invalid_argument("batch_size", "not above zero", "Pass 1 or more."))?,
            is_dry_run: dry_run.ok_or_else(|| missing("dry_run"))?,
            is_all: include_priced.ok_or_else(|| missing("include_priced"))?,
        };
        in_spi(|client| rerate::rerate(client, &selection, clock::now()))
    });
    SetOfIterator::new(or_put_aside(rerated).unwrap_or_default().into_iter().map(rerated_row))
}

fn rerated_row(rerated: Rerated) -> Row {
    let Rerated { entry_id, account, model, old_nanos, new_nanos, currency, correction_id } = rerated;
    row(
        c"rerated",
        [
            entry_id.into_datum(),
            account.into_datum(),
            model.into_datum(),
            old_nanos.and_then(|nanos| numeric(meter::COST, nanos)),
            numeric(meter::COST, new_nanos),
            currency.into_datum(),
            correction_id.into_datum(),
        ],
    )
}
