//! What remains, and what it is enough for.

use pgrx::prelude::*;
use pgrx::{IntoDatum, composite_type};

use crate::api::argument::{missing, paths, timestamp};
use crate::api::outcome::{Row, in_spi, or_put_aside, row};
use crate::api::spend::numeric;
use crate::budget::decision::{Claim, Standing};
use crate::clock;
use crate::ledger::remaining;

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

fn remaining_row((claim, standing): (Claim, Standing)) -> Row {
    let Claim { budget, window, .. } = claim;
    let amount = |units| numeric(&budget.meter, units);
    row(
        c"remaining",
        [
            Some(budget.budget_id).filter(|budget_id| *budget_id != 0).into_datum(),
            budget.account.clone().into_datum(),
            budget.meter.clone().into_datum(),
            amount(standing.limit_units(&budget)),
            amount(standing.balance.spent_units),
            amount(standing.balance.held_units),
            amount(standing.remaining_units(&budget)),
            timestamp(window.start).filter(|_| window.start.is_finite()),
            timestamp(window.end).filter(|_| window.end.is_finite()),
            budget.hard.into_datum(),
            amount(standing.granted_units()),
            amount(budget.burst_units),
        ],
    )
}

#[pg_extern(sql = false)]
fn _affordable(
    account: Option<&str>,
    model: Option<&str>,
    input_tokens: Option<i64>,
    also: Option<Vec<Option<String>>>,
) -> Option<i64> {
    let affordable = account.ok_or_else(|| missing("account")).and_then(|account| {
        let model = model.ok_or_else(|| missing("model"))?;
        let input_tokens = input_tokens.ok_or_else(|| missing("input_tokens"))?;
        let also = paths("also", also)?;
        in_spi(|client| remaining::affordable(client, account, model, input_tokens, &also, clock::now()))
    });
    or_put_aside(affordable).flatten()
}
