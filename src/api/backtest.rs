//! Back-test.

use pgrx::datum::TimestampWithTimeZone;
use pgrx::prelude::*;
use pgrx::{AnyNumeric, IntoDatum, composite_type, pg_sys};

use crate::api::argument::{JsonbText, instant, missing, parse_json, timestamp};
use crate::api::outcome::{Row, in_spi, or_put_aside, row};
use crate::api::spend::numeric;
use crate::budget::meter;
use crate::clock;
use crate::instant::Instant;
use crate::ledger::backtest::{Outcome, RefusedCall, Request, Run};
use crate::price::format_decimal;
use crate::refusal::Refusal;
use crate::report::backtest::{Sums, WindowSums};

/// The result is made in memory.
const CALLS_MAX: i32 = 1_000_000;
/// Decimals of an amount of money.
const SCALE: u32 = 9;

#[pg_extern(sql = false)]
fn _backtest(
    account: Option<&str>,
    policy: Option<JsonbText>,
    since: Option<TimestampWithTimeZone>,
    until: Option<TimestampWithTimeZone>,
) -> SetOfIterator<'static, composite_type!('static, "tokbudget.backtest_result")> {
    let outcome = or_put_aside(run(account, policy, since, until, None));
    SetOfIterator::new(outcome.map(result_rows).unwrap_or_default())
}

#[pg_extern(sql = false)]
fn _backtest_calls(
    account: Option<&str>,
    policy: Option<JsonbText>,
    since: Option<TimestampWithTimeZone>,
    until: Option<TimestampWithTimeZone>,
    max_calls: Option<i32>,
) -> SetOfIterator<'static, composite_type!('static, "tokbudget.backtest_call")> {
    let calls_max = max_calls.filter(|max_calls| (1..=CALLS_MAX).contains(max_calls));
    let calls_max = calls_max.and_then(|calls_max| usize::try_from(calls_max).ok());
    let outcome = calls_max
        .ok_or_else(|| {
            Refusal::invalid_argument(
                "max_calls",
                "it is not from 1 to 1000000",
                "Pass how many calls you want to see.",
            )
        })
        .and_then(|calls_max| run(account, policy, since, until, Some(calls_max)));
    SetOfIterator::new(
        or_put_aside(outcome).map(|outcome| outcome.refused).unwrap_or_default().into_iter().map(call_row),
    )
}

fn run(
    account: Option<&str>,
    policy: Option<JsonbText>,
    since: Option<TimestampWithTimeZone>,
    until: Option<TimestampWithTimeZone>,
    calls_max: Option<usize>,
) -> Result<Outcome, Refusal> {
    let policy = parse_json("policy", policy.ok_or_else(|| missing("policy"))?.as_str())?;
    let request = Request {
        account: account.ok_or_else(|| missing("account"))?,
        policy: &policy,
        since: since.map(instant).ok_or_else(|| missing("since"))?,
        until: until.map_or_else(clock::now, instant),
        calls_max,
    };
    let mut run = in_spi(|client| Run::begin(client, &request))?;
    while in_spi(|client| run.step(client))? {
        pgrx::check_for_interrupts!();
    }
    Ok(run.finish())
}

fn result_rows(outcome: Outcome) -> Vec<Row> {
    let Outcome { account, currency, sums, windows, .. } = outcome;
    let total = total_row(&account, &currency, sums);
    [total].into_iter().chain(windows.into_iter().map(window_row)).collect()
}

fn money(nanos: i128) -> Option<pg_sys::Datum> {
    AnyNumeric::try_from(format_decimal(nanos, SCALE).as_str()).ok().into_datum()
}

fn finite(at: Instant) -> Option<pg_sys::Datum> {
    timestamp(at).filter(|_| at.is_finite())
}

fn basis(by_hold: i64, by_use: i64) -> Option<&'static str> {
    match (by_hold, by_use) {
        (0, 0) => None,
        (_, 0) => Some("hold"),
        (0, _) => Some("use"),
        _ => Some("hold and use"),
    }
}

fn total_row(account: &str, currency: &str, sums: Sums) -> Row {
    row(
        c"backtest_result",
        [
            "total".into_datum(),
            account.into_datum(),
            None,
            None,
            None,
            None,
            None,
            None,
            None,
            None,
            sums.calls.into_datum(),
            sums.allowed.into_datum(),
            sums.refused.into_datum(),
            None,
            None,
            sums.first_refusal_at.and_then(timestamp),
            money(sums.actual_nanos),
            money(sums.cost_nanos),
            money(sums.refused_nanos),
            currency.into_datum(),
            sums.repriced.into_datum(),
            sums.unpriced.into_datum(),
            sums.refused_retries.into_datum(),
            basis(sums.by_hold, sums.by_use).into_datum(),
            sums.by_hold.into_datum(),
            sums.by_use.into_datum(),
        ],
    )
}

fn window_row(it: WindowSums) -> Row {
    let counts = it.counts;
    let amount = |units| numeric(&it.budget.meter, units);
    row(
        c"backtest_result",
        [
            "window".into_datum(),
            it.budget.account.clone().into_datum(),
            it.policy_place.is_none().then_some(it.budget.budget_id).into_datum(),
            it.policy_place.into_datum(),
            it.budget.meter.clone().into_datum(),
            it.every.clone().into_datum(),
            it.budget.hard.into_datum(),
            amount(it.limit_units),
            finite(it.window.start),
            finite(it.window.end),
            counts.calls.into_datum(),
            counts.allowed.into_datum(),
            counts.refused.into_datum(),
            amount(it.spent_units),
            amount(counts.refused_units),
            counts.first_refusal_at.and_then(timestamp),
            None,
            None,
            None,
            None,
            None,
            None,
            None,
            basis(counts.by_hold, counts.by_use).into_datum(),
            counts.by_hold.into_datum(),
            counts.by_use.into_datum(),
        ],
    )
}

fn call_row(it: RefusedCall) -> Row {
    let money = |nanos: Option<i64>| nanos.and_then(|nanos| numeric(meter::COST, nanos));
    let name = &it.reason.budget;
    row(
        c"backtest_call",
        [
            it.entry_id.into_datum(),
            timestamp(it.at),
            it.account.into_datum(),
            it.model.into_datum(),
            money(it.actual_nanos),
            money(it.cost_nanos),
            name.account.clone().into_datum(),
            name.budget_id.into_datum(),
            name.policy_place.into_datum(),
            name.meter.clone().into_datum(),
            numeric(&name.meter, it.reason.requested_units),
            numeric(&name.meter, it.reason.left_units),
            it.reason.words().into_datum(),
            basis(i64::from(it.by_hold), i64::from(!it.by_hold)).into_datum(),
        ],
    )
}
