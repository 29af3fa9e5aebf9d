//! Reserve, extend, commit, release, charge.

use std::borrow::Cow;

use pgrx::datum::Interval;
use pgrx::prelude::*;
use pgrx::spi::SpiClient;
use pgrx::{AnyNumeric, IntoDatum, JsonB, Uuid, composite_type, pg_sys};

use crate::api::argument::{JsonbText, interval_us, missing, object_or_empty, parse_json, paths, timestamp};
use crate::api::outcome::{Row, in_spi, or_put_aside, row};
use crate::api::raise::export_raising;
use crate::api::token::interrupt;
use crate::budget::meter;
use crate::clock;
use crate::jsonb::Json;
use crate::ledger::batch::Answer;
use crate::ledger::commit::{Receipt, Report};
use crate::ledger::estimate::Wanted;
use crate::ledger::reserve::{Hold, Request};
use crate::ledger::{Failure, charge, commit, expire, extend, release, reserve};
use crate::price::format_nanos;
use crate::privilege::Privilege;
use crate::refusal::Refusal;

/// Runs a call that has the form of a batch, and takes the one answer.
fn one<T>(call: impl FnOnce(&mut SpiClient<'_>) -> Result<Vec<Answer<T>>, Failure>) -> Result<T, Refusal> {
    in_spi(|client| {
        let answer = call(client)?.pop().ok_or(Failure::Internal("a call has no answer"))?;
        Ok(answer?)
    })
}

/// Defines an entry point with the arguments of `tb_reserve`, whose answer becomes what it returns.
macro_rules! reserving {
    ($function:ident, [$($returned:tt)+], $answered:path) => {
        #[allow(clippy::too_many_arguments, reason = "the arguments of tb_reserve, by name in SQL")]
        #[pg_extern(sql = false)]
        fn $function(
            account: Option<&str>,
            model: Option<&str>,
            input_tokens: Option<i64>,
            prompt: Option<&str>,
            messages: Option<JsonbText>,
            max_output_tokens: Option<i64>,
            meters: Option<JsonbText>,
            also: Option<Vec<Option<String>>>,
            idempotency_key: Option<&str>,
            ttl: Option<Interval>,
            attributes: Option<JsonbText>,
        ) -> $($returned)+ {
            let request = || {
                Ok(Request {
                    account: account.ok_or_else(|| missing("account"))?.to_string(),
                    model: model.map(str::to_string),
                    wanted: Wanted {
                        input_tokens,
                        prompt: prompt.map(Cow::Borrowed),
                        messages: messages.map(|messages| parse_json("messages", messages.as_str())).transpose()?,
                        max_output_tokens,
                    },
                    meters: object_or_empty("meters", meters)?,
                    also: paths("also", also)?,
                    idempotency_key: idempotency_key.map(str::to_string),
                    ttl_us: interval_us(&ttl.ok_or_else(|| missing("ttl"))?),
                    attributes: object_or_empty("attributes", attributes)?,
                })
            };
            $answered(one(|client| reserve::reserve(client, vec![request()], clock::now(), &mut interrupt)))
        }
    };
}
reserving!(_reserve, [Option<composite_type!('static, "tokbudget.reservation_result")>], reservation_result);
reserving!(_try_reserve, [composite_type!('static, "tokbudget.decision")], decision);

/// A hold as a row, or nothing with the refusal put aside.
fn reservation_result(held: Answer<Hold>) -> Option<Row> {
    let hold = or_put_aside(held)?;
    Some(row(
        c"reservation_result",
        [
            Uuid::from_bytes(hold.reservation).into_datum(),
            "held".into_datum(),
            hold.input_tokens.into_datum(),
            hold.max_output_tokens.into_datum(),
            Json(&hold.held).into_datum(),
            Json(&hold.remaining).into_datum(),
            timestamp(hold.expires_at),
            hold.count_basis.into_datum(),
            hold.flags.into_datum(),
        ],
    ))
}

/// A hold, or why there is none, as a row.
pub fn decision(held: Answer<Hold>) -> Row {
    match held {
        Ok(hold) => row(
            c"decision",
            [
                true.into_datum(),
                None,
                None,
                None,
                None,
                Uuid::from_bytes(hold.reservation).into_datum(),
                Json(&hold.held).into_datum(),
                Json(&hold.remaining).into_datum(),
                timestamp(hold.expires_at),
                hold.input_tokens.into_datum(),
                hold.max_output_tokens.into_datum(),
                hold.count_basis.into_datum(),
                hold.flags.into_datum(),
            ],
        ),
        Err(refusal) => row(
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
                None,
            ],
        ),
    }
}

#[pg_extern(sql = false)]
fn _extend(
    reservation: Option<Uuid>,
    add_output_tokens: Option<i64>,
    ttl: Option<Interval>,
) -> Option<composite_type!('static, "tokbudget.reservation_result")> {
    let extended = reservation.ok_or_else(|| missing("reservation")).and_then(|reservation| {
        let add_output_tokens = add_output_tokens.ok_or_else(|| missing("add_output_tokens"))?;
        let ttl_us = ttl.as_ref().map(interval_us);
        in_spi(|client| extend::extend(client, reservation, add_output_tokens, ttl_us, clock::now(), &mut interrupt))
    });
    reservation_result(extended)
}

#[allow(clippy::too_many_arguments, reason = "the arguments of tb_commit, by name in SQL")]
#[pg_extern(sql = false)]
fn _commit(
    reservation: Option<Uuid>,
    usage: Option<JsonbText>,
    attributes: Option<JsonbText>,
    provider: Option<&str>,
    usage_source: Option<&str>,
    without_usage: Option<&str>,
    idempotency_key: Option<&str>,
) -> Option<composite_type!('static, "tokbudget.commit_result")> {
    let report = || {
        Ok(Report {
            reservation_id: reservation.ok_or_else(|| missing("reservation"))?,
            usage: usage.map(|usage| parse_json("usage", usage.as_str())).transpose()?,
            attributes: object_or_empty("attributes", attributes)?,
            provider: provider.map(str::to_string),
            usage_source: usage_source.ok_or_else(|| missing("usage_source"))?.to_string(),
            without_usage: without_usage.ok_or_else(|| missing("without_usage"))?.to_string(),
            idempotency_key: idempotency_key.map(str::to_string),
        })
    };
    or_put_aside(one(|client| commit::commit(client, vec![report()], clock::now())))
        .map(|receipt| row(c"commit_result", receipt_fields(receipt)))
}

/// What was booked, in the order of `tokbudget.commit_result`.
pub fn receipt_fields(receipt: Receipt) -> [Option<pg_sys::Datum>; 9] {
    [
        Uuid::from_bytes(receipt.entry).into_datum(),
        receipt.cost_nanos.and_then(|nanos| numeric(meter::COST, nanos)),
        receipt.currency.into_datum(),
        receipt.tokens.into_datum(),
        receipt.overrun.into_datum(),
        Json(&receipt.released).into_datum(),
        Json(&receipt.remaining).into_datum(),
        receipt.internal_nanos.and_then(|nanos| numeric(meter::COST, nanos)),
        receipt.flags.into_datum(),
    ]
}

#[pg_extern(sql = false)]
fn _release(reservation: Option<Uuid>, reason: Option<&str>, idempotency_key: Option<&str>) -> Option<bool> {
    or_put_aside(reservation.ok_or_else(|| missing("reservation")).and_then(|reservation| {
        in_spi(|client| release::release(client, reservation, reason, idempotency_key, clock::now()))
    }))
}

#[allow(clippy::too_many_arguments, reason = "the arguments of tb_charge, by name in SQL")]
#[pg_extern(sql = false)]
fn _charge(
    account: Option<&str>,
    model: Option<&str>,
    usage: Option<JsonbText>,
    meters: Option<JsonbText>,
    also: Option<Vec<Option<String>>>,
    attributes: Option<JsonbText>,
    provider: Option<&str>,
    usage_source: Option<&str>,
    idempotency_key: Option<&str>,
    enforce: Option<bool>,
) -> Option<composite_type!('static, "tokbudget.commit_result")> {
    let request = || {
        Ok(charge::Request {
            account: account.ok_or_else(|| missing("account"))?.to_string(),
            model: model.map(str::to_string),
            usage: parse_json("usage", usage.ok_or_else(|| missing("usage"))?.as_str())?,
            meters: object_or_empty("meters", meters)?,
            also: paths("also", also)?,
            attributes: object_or_empty("attributes", attributes)?,
            provider: provider.map(str::to_string),
            usage_source: usage_source.ok_or_else(|| missing("usage_source"))?.to_string(),
            idempotency_key: idempotency_key.map(str::to_string),
            before: None,
        })
    };
    let charged = enforce.ok_or_else(|| missing("enforce")).and_then(|enforce| {
        one(|client| charge::charge(client, vec![request()], Privilege::Spend.into(), enforce, clock::now()))
    });
    or_put_aside(charged).map(|receipt| row(c"commit_result", receipt_fields(receipt)))
}

#[pg_extern(sql = false)]
fn _expire(batch_size: i32) -> Option<i32> {
    or_put_aside(in_spi(|client| expire::expire(client, batch_size, clock::now())))
}

/// Units of a meter as SQL shows them: currency units for money, counts otherwise.
pub fn numeric(meter: &str, units: i64) -> Option<pg_sys::Datum> {
    if meter::is_money(meter) {
        AnyNumeric::try_from(format_nanos(units).as_str()).ok().into_datum()
    } else {
        AnyNumeric::from(units).into_datum()
    }
}

export_raising!(tb_reserve, pg_finfo_tb_reserve, _reserve_wrapper);
export_raising!(tb_extend, pg_finfo_tb_extend, _extend_wrapper);
export_raising!(tb_commit, pg_finfo_tb_commit, _commit_wrapper);
export_raising!(tb_release, pg_finfo_tb_release, _release_wrapper);
export_raising!(tb_charge, pg_finfo_tb_charge, _charge_wrapper);
