//! Reserve, commit, release, remaining.

use pgrx::datum::Interval;
use pgrx::prelude::*;
use pgrx::{AnyNumeric, IntoDatum, JsonB, Uuid, composite_type, pg_sys};
use serde_json::{Value, json};

use crate::api::outcome::{Row, in_spi, or_put_aside, row};
use crate::api::token::interrupt;
use crate::budget::decision::{Balance, Claim};
use crate::budget::meter;
use crate::ledger::commit::Report;
use crate::ledger::reserve::{Hold, Request};
use crate::ledger::{commit, expire, release, remaining, reserve};
use crate::refusal::Refusal;
use crate::{clock, instant::Instant, price::format_nanos};

/// A required argument that is NULL.
pub fn missing(argument: &str) -> Refusal {
    Refusal::invalid_argument(argument, "it is null", "Pass a value.")
}

/// JSON that arrives as text. PostgreSQL nests deeper than the parser goes, and pgrx's own conversion would end in an
/// internal error.
pub fn parse_json(argument: &str, text: &str) -> Result<Value, Refusal> {
    serde_json::from_str(text).map_err(|error| {
        Refusal::invalid_argument(argument, error, "Pass JSON that is nested less than 128 levels deep.")
    })
}

/// An object that may be left out.
fn object_or_empty(argument: &str, text: Option<&str>) -> Result<Value, Refusal> {
    text.map_or_else(|| Ok(json!({})), |text| parse_json(argument, text))
}

/// Account paths that are not null.
fn paths(name: &str, paths: Option<Vec<Option<String>>>) -> Result<Vec<String>, Refusal> {
    paths.ok_or_else(|| missing(name))?.into_iter().collect::<Option<_>>().ok_or_else(|| missing(name))
}

fn timestamp(instant: Instant) -> Option<pg_sys::Datum> {
    clock::to_postgres(instant).into_datum()
}

#[allow(clippy::too_many_arguments, reason = "the arguments of tb_reserve, by name in SQL")]
#[pg_extern(sql = false)]
fn _reserve(
    account: Option<&str>,
    model: Option<&str>,
    input_tokens: Option<i64>,
    prompt: Option<&str>,
    messages: Option<&str>,
    max_output_tokens: Option<i64>,
    meters: Option<&str>,
    also: Option<Vec<Option<String>>>,
    idempotency_key: Option<&str>,
    ttl: Option<Interval>,
    attributes: Option<&str>,
) -> composite_type!('static, "tokbudget.decision") {
    let decided = request_from_sql(
        account,
        model,
        input_tokens,
        prompt,
        messages,
        max_output_tokens,
        meters,
        also,
        idempotency_key,
        ttl,
        attributes,
    )
    .and_then(|request| in_spi(|client| reserve::reserve(client, request, clock::now(), &mut interrupt)));
    match decided {
        Ok(hold) => allowed(hold),
        Err(refusal) => refused(refusal),
    }
}

#[allow(clippy::too_many_arguments, reason = "the arguments of tb_reserve, by name in SQL")]
fn request_from_sql<'a>(
    account: Option<&'a str>,
    model: Option<&'a str>,
    input_tokens: Option<i64>,
    prompt: Option<&'a str>,
    messages: Option<&str>,
    max_output_tokens: Option<i64>,
    meters: Option<&str>,
    also: Option<Vec<Option<String>>>,
    idempotency_key: Option<&'a str>,
    ttl: Option<Interval>,
    attributes: Option<&str>,
) -> Result<Request<'a>, Refusal> {
    let ttl = ttl.ok_or_else(|| missing("ttl"))?;
    Ok(Request {
        account: account.ok_or_else(|| missing("account"))?,
        model,
        input_tokens,
        prompt,
        messages: messages.map(|messages| parse_json("messages", messages)).transpose()?,
        max_output_tokens,
        meters: object_or_empty("meters", meters)?,
        also: paths("also", also)?,
        idempotency_key,
        ttl_us: i64::try_from(ttl.as_micros()).unwrap_or(i64::MAX),
        attributes: object_or_empty("attributes", attributes)?,
    })
}

fn allowed(hold: Hold) -> Row {
    row(
        c"decision",
        [
            true.into_datum(),
            None,
            None,
            None,
            None,
            Uuid::from_bytes(hold.reservation).into_datum(),
            JsonB(hold.held).into_datum(),
            JsonB(hold.remaining).into_datum(),
            timestamp(hold.expires_at),
            hold.input_tokens.into_datum(),
            hold.max_output_tokens.into_datum(),
            hold.count_basis.into_datum(),
        ],
    )
}

fn refused(refusal: Refusal) -> Row {
    row(
        c"decision",
        [
            false.into_datum(),
            refusal.code.sqlstate().into_datum(),
            refusal.reason.into_datum(),
            JsonB(refusal.detail).into_datum(),
            refusal.hint.into_datum(),
            None,
            None,
            None,
            None,
            None,
            None,
            None,
        ],
    )
}

#[pg_extern(sql = false)]
fn _commit(
    reservation: Option<Uuid>,
    usage: Option<&str>,
    attributes: Option<&str>,
    provider: Option<&str>,
    usage_source: Option<&str>,
) -> Option<composite_type!('static, "tokbudget.commit_result")> {
    let committed = reservation.ok_or_else(|| missing("reservation")).and_then(|reservation| {
        let usage = parse_json("usage", usage.ok_or_else(|| missing("usage"))?)?;
        let attributes = object_or_empty("attributes", attributes)?;
        let usage_source = usage_source.ok_or_else(|| missing("usage_source"))?;
        let report = Report { usage, attributes, provider, usage_source };
        in_spi(|client| commit::commit(client, reservation, report, clock::now()))
    });
    or_put_aside(committed).map(|receipt| {
        row(
            c"commit_result",
            [
                Uuid::from_bytes(receipt.entry).into_datum(),
                receipt.cost_nanos.and_then(|nanos| numeric(meter::COST, nanos)),
                receipt.currency.into_datum(),
                receipt.tokens.into_datum(),
                receipt.overrun.into_datum(),
                JsonB(receipt.released).into_datum(),
                JsonB(receipt.remaining).into_datum(),
                receipt.internal_nanos.and_then(|nanos| numeric(meter::COST, nanos)),
                receipt.flags.into_datum(),
            ],
        )
    })
}

#[pg_extern(sql = false)]
fn _release(reservation: Option<Uuid>, reason: Option<&str>) -> Option<bool> {
    or_put_aside(
        reservation
            .ok_or_else(|| missing("reservation"))
            .and_then(|reservation| in_spi(|client| release::release(client, reservation, reason, clock::now()))),
    )
}

#[pg_extern(sql = false)]
fn _expire(batch_size: i32) -> Option<i32> {
    or_put_aside(in_spi(|client| expire::expire(client, batch_size, clock::now())))
}

#[pg_extern(sql = false)]
fn _remaining(
    account: Option<&str>,
    also: Option<Vec<Option<String>>>,
) -> SetOfIterator<'static, composite_type!('static, "tokbudget.remaining")> {
    let budgets = account.ok_or_else(|| missing("account")).and_then(|account| {
        let also = paths("also", also)?;
        in_spi(|client| remaining::remaining(client, account, &also, clock::now()))
    });
    SetOfIterator::new(or_put_aside(budgets).unwrap_or_default().into_iter().map(remaining_row))
}

fn remaining_row((claim, balance): (Claim, Balance)) -> Row {
    let Claim { budget, window, .. } = claim;
    let amount = |units| numeric(&budget.meter, units);
    row(
        c"remaining",
        [
            budget.budget_id.into_datum(),
            budget.account.clone().into_datum(),
            budget.meter.clone().into_datum(),
            amount(budget.limit_units),
            amount(balance.spent_units),
            amount(balance.held_units),
            amount(balance.remaining_units(budget.limit_units)),
            timestamp(window.start).filter(|_| window.start.is_finite()),
            timestamp(window.end).filter(|_| window.end.is_finite()),
            budget.hard.into_datum(),
        ],
    )
}

/// Units of a meter as SQL shows them: currency units for money, counts otherwise.
pub fn numeric(meter: &str, units: i64) -> Option<pg_sys::Datum> {
    if meter::is_money(meter) {
        AnyNumeric::try_from(format_nanos(units).as_str()).ok().into_datum()
    } else {
        AnyNumeric::from(units).into_datum()
    }
}
