//! Reads balances from the tables: the checkpoint, the entries since, the open reservations.

use pgrx::spi::SpiClient;

use crate::clock;
use crate::engine::Slot;
use crate::engine::decide::Balances;
use crate::engine::escrow::memory::Base;
use crate::engine::latest::{Row, latest};
use crate::instant::Instant;
use crate::ledger::Failure;
use crate::statement::{timestamp, timestamps};

macro_rules! borne_by_slot {
    () => {
        "slot AS (
             SELECT s.id, s.window_start, s.spent::numeric AS spent, s.held::numeric AS held, 0::numeric AS granted
             FROM written, LATERAL ROWS FROM (pg_catalog.unnest(written.budget_ids), pg_catalog.unnest(written.window_starts),
                 pg_catalog.unnest(written.spent_units), pg_catalog.unnest(written.held_units)) AS s (id, window_start, spent, held)
             WHERE s.id OPERATOR(pg_catalog.=) ANY ($2)
             UNION ALL
             SELECT own.id, own.window_start, 0, 0, COALESCE(s.spent, s.held)::numeric
             FROM written, LATERAL ROWS FROM (pg_catalog.unnest(written.budget_ids), pg_catalog.unnest(written.spent_units),
                 pg_catalog.unnest(written.held_units)) AS s (id, spent, held)
             JOIN tokbudget.budget_grant ON budget_grant.tenant_id OPERATOR(pg_catalog.=) $1
                 AND budget_grant.grant_id OPERATOR(pg_catalog.=) s.id,
             LATERAL ROWS FROM (pg_catalog.unnest(written.budget_ids), pg_catalog.unnest(written.window_starts)) AS own (id, window_start)
             WHERE own.id OPERATOR(pg_catalog.=) budget_grant.budget_id AND own.id OPERATOR(pg_catalog.=) ANY ($2)
         )"
    };
}

latest! {
    /// Sums beyond bigint stand at its end: nothing more fits there anyway.
    Read read_balances = concat!(
        "WITH written AS MATERIALIZED (
             SELECT entry.budget_ids, entry.window_starts, entry.spent_units, NULL::bigint[] AS held_units
             FROM tokbudget.entry, tokbudget.checkpoint
             WHERE entry.tenant_id OPERATOR(pg_catalog.=) $1 AND entry.budget_ids OPERATOR(pg_catalog.&&) $2
                 AND entry.written_by OPERATOR(pg_catalog.>=) (
                     SELECT pg_catalog.pg_snapshot_xmin(first.covered) FROM tokbudget.checkpoint AS first)
                 AND (NOT pg_catalog.pg_visible_in_snapshot(entry.written_by, checkpoint.covered)
                     OR entry.written_by OPERATOR(pg_catalog.=) checkpoint.taken_by)
                 AND ($4 OR entry.written_by OPERATOR(pg_catalog.<>)
                     COALESCE(pg_catalog.pg_current_xact_id_if_assigned(), '0'::xid8))
             UNION ALL
             SELECT reservation.budget_ids, reservation.window_starts, NULL, reservation.held_units
             FROM tokbudget.reservation
             WHERE reservation.tenant_id OPERATOR(pg_catalog.=) $1 AND reservation.state OPERATOR(pg_catalog.=) 'held'
                 AND reservation.budget_ids OPERATOR(pg_catalog.&&) $2
         ), ",
        borne_by_slot!(),
        ", folded AS (
             SELECT slot.id, slot.window_start, pg_catalog.sum(slot.spent) AS spent, pg_catalog.sum(slot.held) AS held,
                 pg_catalog.sum(slot.granted) AS granted
             FROM slot GROUP BY slot.id, slot.window_start
         )
         SELECT wanted.budget_id, wanted.window_start,
             GREATEST(LEAST(COALESCE(balance.spent_units, 0) OPERATOR(pg_catalog.+) COALESCE(folded.spent, 0), 9223372036854775807), -9223372036854775808)::bigint,
             GREATEST(LEAST(COALESCE(folded.held, 0), 9223372036854775807), -9223372036854775808)::bigint,
             GREATEST(LEAST(COALESCE(balance.granted_units, 0) OPERATOR(pg_catalog.+) COALESCE(folded.granted, 0), 9223372036854775807), -9223372036854775808)::bigint,
             balance.carried_units, COALESCE(balance.superseded, false)
         FROM ROWS FROM (pg_catalog.unnest($2), pg_catalog.unnest($3)) AS wanted (budget_id, window_start)
         LEFT JOIN tokbudget.balance ON balance.tenant_id OPERATOR(pg_catalog.=) $1
             AND balance.budget_id OPERATOR(pg_catalog.=) wanted.budget_id
             AND balance.window_start OPERATOR(pg_catalog.=) wanted.window_start
         LEFT JOIN folded ON folded.id OPERATOR(pg_catalog.=) wanted.budget_id
             AND folded.window_start OPERATOR(pg_catalog.=) wanted.window_start"
    )
}

latest! {
    /// What holds that have expired, and that nobody has closed yet, hold of these budgets.
    Read read_expired = concat!(
        "WITH written AS MATERIALIZED (
             SELECT reservation.budget_ids, reservation.window_starts, NULL::bigint[] AS spent_units, reservation.held_units
             FROM tokbudget.reservation
             WHERE reservation.tenant_id OPERATOR(pg_catalog.=) $1 AND reservation.state OPERATOR(pg_catalog.=) 'held'
                 AND reservation.expires_at OPERATOR(pg_catalog.<=) $3
                 AND reservation.budget_ids OPERATOR(pg_catalog.&&) $2
         ), ",
        borne_by_slot!(),
        " SELECT slot.id, slot.window_start, pg_catalog.sum(slot.held)::bigint, pg_catalog.sum(slot.granted)::bigint
          FROM slot GROUP BY slot.id, slot.window_start"
    )
}

latest! {
    /// The last ones first.
    Read find_windows =
    "SELECT balance.window_start, COALESCE(balance.carried_units, 0::bigint) FROM tokbudget._balances() AS balance
     WHERE (balance.window_start OPERATOR(pg_catalog.<) $3 OR balance.carried_units IS NOT NULL) AND balance.tenant_id OPERATOR(pg_catalog.=) $1 AND balance.budget_id OPERATOR(pg_catalog.=) $2
         AND balance.window_start OPERATOR(pg_catalog.<=) $3
     ORDER BY balance.window_start DESC
     LIMIT $4"
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
        .map(|row| {
            Ok(Expired { slot: slot(&row)?, held_units: required(&row, 2)?, granted_units: required(&row, 3)? })
        })
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
