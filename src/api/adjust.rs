//! Corrections by hand.

use pgrx::prelude::*;
use pgrx::{AnyNumeric, Uuid};

use crate::api::argument::missing;
use crate::api::outcome::{in_spi, or_put_aside};
use crate::clock;
use crate::ledger::adjust::{self, Change};
use crate::price::nanos_from_decimal;
use crate::refusal::Refusal;

fn nanos(cost: &AnyNumeric) -> Result<i64, Refusal> {
    let hint = "A cost is in currency units with at most nine decimals, and not negative.";
    nanos_from_decimal(&cost.to_string()).map_err(|error| Refusal::invalid_argument("cost", error, hint))
}

fn run(
    entry: Option<Uuid>,
    change: Result<Change, Refusal>,
    reason: Option<&str>,
    idempotency_key: Option<&str>,
) -> Option<Uuid> {
    let adjusted = entry.ok_or_else(|| missing("entry")).and_then(|entry| {
        let change = change?;
        let reason = reason.ok_or_else(|| missing("reason"))?;
        in_spi(|client| adjust::adjust(client, entry, change, reason, idempotency_key, clock::now()))
    });
    or_put_aside(adjusted).map(Uuid::from_bytes)
}

#[pg_extern(sql = false)]
fn _adjust(
    entry: Option<Uuid>,
    cost: Option<AnyNumeric>,
    reason: Option<&str>,
    idempotency_key: Option<&str>,
) -> Option<Uuid> {
    let change = cost.ok_or_else(|| missing("cost")).and_then(|cost| nanos(&cost)).map(Change::To);
    run(entry, change, reason, idempotency_key)
}

#[pg_extern(sql = false)]
fn _refund(
    entry: Option<Uuid>,
    cost: Option<AnyNumeric>,
    reason: Option<&str>,
    idempotency_key: Option<&str>,
) -> Option<Uuid> {
    let change = cost.map(|cost| nanos(&cost)).transpose().map(Change::Refund);
    run(entry, change, reason, idempotency_key)
}
