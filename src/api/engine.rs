//! The engine, as SQL and its operator see it.

use std::sync::atomic::Ordering;

use pgrx::datum::TimestampWithTimeZone;
use pgrx::iter::SetOfIterator;
use pgrx::prelude::*;
use pgrx::{IntoDatum, composite_type};

use crate::api::argument::instant;
use crate::api::outcome::{Row, in_spi, or_put_aside, row};
use crate::clock;
use crate::engine::escrow::statistics::Statistics;
use crate::engine::escrow::{closing, memory};
use crate::engine::handover::{self, Kind};
use crate::engine::{self, Settlement};
use crate::instant::Instant;
use crate::statement::timestamp;

#[pg_extern(sql = false)]
fn tb_engine() -> &'static str {
    match handover::kind() {
        Kind::Rows => "rows",
        Kind::Escrow => "escrow",
    }
}

#[pg_extern(sql = false)]
fn _incarnation() -> String {
    handover::incarnation()
}

#[pg_extern(sql = false)]
fn _engine_statistics() -> composite_type!('static, "tokbudget.engine_statistics") {
    let (mut balances, mut in_flight) = (0_i64, 0_i64);
    memory::sweep(|place| {
        balances += 1;
        in_flight += i64::from(place.pins > 0);
    });
    let count = |of: fn(&Statistics) -> u64| memory::statistics().map(|it| of(it) as i64).into_datum();
    row(
        c"engine_statistics",
        [
            tb_engine().into_datum(),
            (memory::balances_max() as i64).into_datum(),
            balances.into_datum(),
            in_flight.into_datum(),
            (memory::bytes() as i64).into_datum(),
            count(|it| it.hits.load(Ordering::Relaxed)),
            count(|it| it.loads.load(Ordering::Relaxed)),
            count(|it| it.evictions.load(Ordering::Relaxed)),
            count(|it| it.refusals.load(Ordering::Relaxed)),
            count(|it| it.fallbacks.load(Ordering::Relaxed)),
            count(|it| it.checkpoints.load(Ordering::Relaxed)),
            None,
        ],
    )
}

#[pg_extern(sql = false)]
fn _count_checkpoint() {
    if let Some(statistics) = memory::statistics() {
        Statistics::count(&statistics.checkpoints);
    }
}

#[pg_extern(sql = false)]
fn _balances_in_memory() -> SetOfIterator<'static, composite_type!('static, "tokbudget.balance_in_memory")> {
    let ledger = handover::ledger();
    let mut places = Vec::new();
    memory::sweep(|place| {
        // One that is to be read anew as soon as it can be says nothing.
        if ledger.has(&place.key) && !place.is_stale {
            places.push(*place);
        }
    });
    SetOfIterator::new(places.into_iter().map(|place| {
        let carried_units = place.is_carry_known.then_some(place.base.carried_units);
        let start = timestamp(Instant(place.key.window_start)).ok();
        row(
            c"balance_in_memory",
            [
                place.key.tenant_id.into_datum(),
                place.key.budget_id.into_datum(),
                start.into_datum(),
                place.base.spent_units.into_datum(),
                place.base.held_units.into_datum(),
                place.base.granted_units.into_datum(),
                carried_units.into_datum(),
                i64::from(place.pins).into_datum(),
                place.is_committed.into_datum(),
                place.is_open().into_datum(),
            ],
        )
    }))
}

#[pg_extern(sql = false)]
fn _close_windows(
    tenant_id: i32,
    budget_id: i64,
) -> SetOfIterator<'static, composite_type!('static, "tokbudget.window_in_memory")> {
    let closed = in_spi(|client| match handover::kind() {
        Kind::Rows => Ok(Vec::new()),
        Kind::Escrow => closing::close(handover::require(client, Kind::Escrow)?, tenant_id, budget_id),
    });
    SetOfIterator::new(
        closed.unwrap_or_default().into_iter().map(|(start, carried_units)| window(start, carried_units)),
    )
}

fn window(start: Instant, carried_units: Option<i64>) -> Row {
    row(c"window_in_memory", [timestamp(start).ok().into_datum(), carried_units.into_datum()])
}

#[pg_extern(sql = false)]
fn _windows_in_memory(
    tenant_id: i32,
    budget_id: i64,
) -> SetOfIterator<'static, composite_type!('static, "tokbudget.window_in_memory")> {
    let ledger = handover::ledger();
    let mut windows = Vec::new();
    memory::sweep(|place| {
        let is_meant = ledger.has(&place.key) && (place.key.tenant_id, place.key.budget_id) == (tenant_id, budget_id);
        // One that is being opened counts too: it is opened by this transaction, or hardly ever rolled back.
        if is_meant && !place.is_stale && (place.is_committed || place.is_carry_known) {
            windows.push((Instant(place.key.window_start), place.is_carry_known.then_some(place.base.carried_units)));
        }
    });
    SetOfIterator::new(windows.into_iter().map(|(start, carried_units)| window(start, carried_units)))
}

#[pg_extern(sql = false)]
fn _add_spend(tenant_id: i32, budget_id: i64, window_start: TimestampWithTimeZone, spent_units: i64) -> Option<bool> {
    let slot = (budget_id, instant(window_start));
    let settlement = Settlement { slot, held_units: 0, spent_units, granted_units: 0, expires_at: Instant::AFTER_ALL };
    or_put_aside(in_spi(|client| {
        engine::present(client)?.settle(tenant_id, &[settlement], clock::now())?;
        Ok(true)
    }))
}

#[pg_extern(sql = false)]
fn _reload() -> i64 {
    in_spi(handover::reload).unwrap_or(0)
}
