//! What the check constraints of the tables that every call writes ask for.

use pgrx::datum::TimestampWithTimeZone;
use pgrx::prelude::*;
use pgrx::{AnyNumeric, Array, IntoDatum, direct_function_call, pg_sys};

const STATES: [&str; 4] = ["held", "committed", "released", "expired"];
const KINDS: [&str; 7] = ["commit", "charge", "adjust", "refund", "expire", "correction", "transfer"];
const USAGE_SOURCES: [&str; 3] = ["provider", "partial", "estimated"];
/// Decimals of an amount of money.
const SCALE_MAX: i32 = 9;

#[pg_extern(sql = false)]
fn _check_reservation(
    state: &str,
    budget_ids: Array<'_, i64>,
    window_starts: Array<'_, TimestampWithTimeZone>,
    held_units: Array<'_, i64>,
) -> bool {
    STATES.contains(&state) && budget_ids.len() == window_starts.len() && budget_ids.len() == held_units.len()
}

#[pg_extern(sql = false)]
fn _check_entry(
    kind: Option<&str>,
    usage_source: Option<&str>,
    budget_ids: Option<Array<'_, i64>>,
    window_starts: Option<Array<'_, TimestampWithTimeZone>>,
    spent_units: Option<Array<'_, i64>>,
    cost: Option<AnyNumeric>,
    internal_cost: Option<AnyNumeric>,
) -> bool {
    let length = |array: Option<usize>| array.unwrap_or_default();
    let slots = length(budget_ids.map(|array| array.len()));
    kind.is_none_or(|kind| KINDS.contains(&kind))
        && usage_source.is_none_or(|usage_source| USAGE_SOURCES.contains(&usage_source))
        && slots == length(window_starts.map(|array| array.len()))
        && slots == length(spent_units.map(|array| array.len()))
        && [cost, internal_cost].into_iter().flatten().all(|cost| scale(cost).is_none_or(|scale| scale <= SCALE_MAX))
}

/// How many decimals are stated; none for what is no number.
fn scale(amount: AnyNumeric) -> Option<i32> {
    // SAFETY: numeric_scale takes one numeric.
    unsafe { direct_function_call(pg_sys::numeric_scale, &[amount.into_datum()]) }
}
