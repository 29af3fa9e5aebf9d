//! Reads balances from the tables: the checkpoint, the entries since, the open reservations.

use pgrx::spi::SpiClient;

use crate::clock;
use crate::engine::Slot;
use crate::engine::decide::Balances;
use crate::engine::escrow::place::Base;
use crate::engine::latest::{Row, latest};
use crate::instant::Instant;
use crate::ledger::Failure;
use crate::statement::{timestamp, timestamps};

latest! {
    /// Sums beyond bigint stand at its end: nothing more fits there anyway.
    Read read_balances =
    "SELECT loaded.budget_id, loaded.window_start,
         GREATEST(LEAST(loaded.spent_units, 9223372036854775807), -9223372036854775808)::bigint,
         GREATEST(LEAST(loaded.held_units, 9223372036854775807), -9223372036854775808)::bigint,
         GREATEST(LEAST(loaded.granted_units, 9223372036854775807), -9223372036854775808)::bigint,
         loaded.carried_units, loaded.superseded
     FROM tokbudget._load($1, $2, $3, $4) AS loaded"
}

latest! {
    Read read_expired =
    "SELECT expired.budget_id, expired.window_start, expired.units::bigint, expired.granted_units::bigint
     FROM tokbudget._expired_holds($1, $2, $3) AS expired"
}

latest! {
    Read find_windows =
    "SELECT found.window_start, COALESCE(found.carried_units, 0::bigint) FROM tokbudget._windows($1, $2, $3, $4) AS found"
}

/// A balance as the tables have it.
pub struct Loaded {
    pub slot: Slot,
    pub base: Base,
    /// What the window got from the one before it stands in the tables.
    pub is_carry_known: bool,
}

/// Balances as the tables have them now; with what this transaction itself has written, or without.
pub fn balances(
    client: &mut SpiClient<'_>,
    tenant_id: i32,
    slots: &[Slot],
    with_own: bool,
) -> Result<Vec<Loaded>, Failure> {
    if slots.is_empty() {
        return Ok(Vec::new());
    }
    let budget_ids: Vec<i64> = slots.iter().map(|(budget_id, _)| *budget_id).collect();
    let starts = timestamps(slots.iter().map(|(_, start)| *start))?;
    let rows = read_balances(client, &[tenant_id.into(), budget_ids.into(), starts.into(), with_own.into()])?;
    rows.into_iter()
        .map(|row| {
            let carried_units = optional(&row, 5);
            let base = Base {
                spent_units: required(&row, 2)?,
                held_units: required(&row, 3)?,
                granted_units: required(&row, 4)?,
                carried_units: carried_units.unwrap_or(0),
                is_superseded: required(&row, 6)? != 0,
            };
            Ok(Loaded { slot: slot(&row)?, base, is_carry_known: carried_units.is_some() })
        })
        .collect()
}

/// What has expired of a slot.
pub struct Expired {
    pub slot: Slot,
    pub held_units: i64,
    pub granted_units: i64,
}

impl Expired {
    pub fn take_out(&self, balances: &mut Balances) {
        if let Some(balance) = balances.get_mut(&self.slot) {
            balance.held_units = balance.held_units.saturating_sub(self.held_units);
            balance.granted_units = balance.granted_units.saturating_sub(self.granted_units);
        }
    }
}

/// Holds of these budgets that have expired at `now`, by slot.
pub fn expired(
    client: &mut SpiClient<'_>,
    tenant_id: i32,
    budget_ids: Vec<i64>,
    now: Instant,
) -> Result<Vec<Expired>, Failure> {
    let rows = read_expired(client, &[tenant_id.into(), budget_ids.into(), timestamp(now)?.into()])?;
    rows.into_iter()
        .map(|row| Ok(Expired { slot: slot(&row)?, held_units: required(&row, 2)?, granted_units: required(&row, 3)? }))
        .collect()
}

/// The last windows of a budget that anything was recorded in, up to the one that begins at `until`, latest first.
pub fn windows(
    client: &mut SpiClient<'_>,
    tenant_id: i32,
    budget_id: i64,
    until: Instant,
    windows_max: i64,
) -> Result<Vec<(Instant, i64)>, Failure> {
    let arguments = [tenant_id.into(), budget_id.into(), timestamp(until)?.into(), windows_max.into()];
    let rows = find_windows(client, &arguments)?;
    rows.iter().map(|row| Ok((clock::from_postgres(required(row, 0)?), required(row, 1)?))).collect()
}

fn slot(row: &Row) -> Result<Slot, Failure> {
    Ok((required(row, 0)?, clock::from_postgres(required(row, 1)?)))
}

fn optional(row: &Row, column: usize) -> Option<i64> {
    row.get(column).copied().flatten()
}

fn required(row: &Row, column: usize) -> Result<i64, Failure> {
    optional(row, column).ok_or(Failure::Internal("a column that cannot be null is null"))
}
