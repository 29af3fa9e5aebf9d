//! The engine that locks balance rows: simple, exact, always there. Slow on a budget that every call touches, because its
//! row stays locked until the caller's transaction ends.

use std::collections::HashMap;

use pgrx::spi::{SpiClient, SpiTupleTable};

use crate::budget::decision::{Balance, Claim};
use crate::engine::{Engine, Settlement, Verdict};
use crate::instant::Instant;
use crate::ledger::Failure;
use crate::refusal::Refusal;
use crate::statement::{instant, instants, required, statement, timestamp, timestamps};

statement! {
    /// Makes the rows of windows that nobody has touched yet. Runs before any row of the call is locked, and in the order of
    /// the locks, so that two calls that open the same windows wait for each other in one direction only.
    write open_windows(INT4OID, INT8ARRAYOID, TIMESTAMPTZARRAYOID) =
    "INSERT INTO tokbudget.balance (tenant_id, budget_id, window_start)
     SELECT $1, slot.budget_id, slot.window_start
     FROM ROWS FROM (pg_catalog.unnest($2), pg_catalog.unnest($3)) AS slot (budget_id, window_start)
     WHERE NOT EXISTS (
         SELECT FROM tokbudget.balance
         WHERE balance.tenant_id OPERATOR(pg_catalog.=) $1
             AND balance.budget_id OPERATOR(pg_catalog.=) slot.budget_id
             AND balance.window_start OPERATOR(pg_catalog.=) slot.window_start
     )
     ORDER BY slot.budget_id, slot.window_start
     ON CONFLICT (tenant_id, budget_id, window_start) DO NOTHING"
}

statement! {
    /// Locks in (budget_id, window_start) order, the one order that everything uses.
    write lock_balances(INT4OID, INT8ARRAYOID, TIMESTAMPTZARRAYOID) =
    "SELECT balance.budget_id, balance.window_start, balance.spent_units, balance.held_units
     FROM tokbudget.balance
     JOIN ROWS FROM (pg_catalog.unnest($2), pg_catalog.unnest($3)) AS slot (budget_id, window_start)
         ON balance.budget_id OPERATOR(pg_catalog.=) slot.budget_id
         AND balance.window_start OPERATOR(pg_catalog.=) slot.window_start
     WHERE balance.tenant_id OPERATOR(pg_catalog.=) $1
     ORDER BY balance.budget_id, balance.window_start
     FOR NO KEY UPDATE OF balance"
}

statement! {
    read read_balances(INT4OID, INT8ARRAYOID, TIMESTAMPTZARRAYOID) =
    "SELECT balance.budget_id, balance.window_start, balance.spent_units, balance.held_units
     FROM tokbudget.balance
     JOIN ROWS FROM (pg_catalog.unnest($2), pg_catalog.unnest($3)) AS slot (budget_id, window_start)
         ON balance.budget_id OPERATOR(pg_catalog.=) slot.budget_id
         AND balance.window_start OPERATOR(pg_catalog.=) slot.window_start
     WHERE balance.tenant_id OPERATOR(pg_catalog.=) $1"
}

statement! {
    /// Holds of the given budgets that have expired and that nobody has closed yet.
    read read_expired(INT4OID, INT8ARRAYOID, TIMESTAMPTZOID) =
    "SELECT reservation.budget_ids, reservation.window_starts, reservation.held_units
     FROM tokbudget.reservation
     WHERE reservation.tenant_id OPERATOR(pg_catalog.=) $1
         AND reservation.state OPERATOR(pg_catalog.=) 'held'
         AND reservation.expires_at OPERATOR(pg_catalog.<=) $3
         AND reservation.budget_ids OPERATOR(pg_catalog.&&) $2"
}

statement! {
    /// Each (budget_id, window_start) may occur only once.
    write change_balances(INT4OID, INT8ARRAYOID, TIMESTAMPTZARRAYOID, INT8ARRAYOID, INT8ARRAYOID) =
    "UPDATE tokbudget.balance
     SET spent_units = balance.spent_units OPERATOR(pg_catalog.+) slot.spent_units,
         held_units = balance.held_units OPERATOR(pg_catalog.+) slot.held_units
     FROM ROWS FROM (pg_catalog.unnest($2), pg_catalog.unnest($3), pg_catalog.unnest($4), pg_catalog.unnest($5))
         AS slot (budget_id, window_start, spent_units, held_units)
     WHERE balance.tenant_id OPERATOR(pg_catalog.=) $1
         AND balance.budget_id OPERATOR(pg_catalog.=) slot.budget_id
         AND balance.window_start OPERATOR(pg_catalog.=) slot.window_start"
}

type Slot = (i64, Instant);

/// The row engine, for the length of one call.
pub struct Rows<'a, 'conn> {
    client: &'a mut SpiClient<'conn>,
}

impl<'a, 'conn> Rows<'a, 'conn> {
    pub fn new(client: &'a mut SpiClient<'conn>) -> Self {
        Rows { client }
    }

    fn lock(&mut self, tenant_id: i32, slots: &[Slot]) -> Result<HashMap<Slot, Balance>, Failure> {
        let (budget_ids, starts): (Vec<i64>, Vec<Instant>) = slots.iter().copied().unzip();
        let arguments = [tenant_id.into(), budget_ids.into(), timestamps(starts)?.into()];
        collect(lock_balances(self.client, &arguments)?)
    }

    /// Takes what has expired out of what is held.
    fn free_expired(
        &mut self,
        tenant_id: i32,
        balances: &mut HashMap<Slot, Balance>,
        now: Instant,
    ) -> Result<(), Failure> {
        let budget_ids: Vec<i64> = balances.keys().map(|(budget_id, _)| *budget_id).collect();
        let expired = read_expired(self.client, &[tenant_id.into(), budget_ids.into(), timestamp(now)?.into()])?;
        for row in expired {
            let budget_ids: Vec<i64> = required(&row, 1)?;
            let starts = instants(&row, 2)?;
            let held_units: Vec<i64> = required(&row, 3)?;
            for ((budget_id, start), units) in budget_ids.into_iter().zip(starts).zip(held_units) {
                if let Some(balance) = balances.get_mut(&(budget_id, start)) {
                    balance.held_units -= units;
                }
            }
        }
        Ok(())
    }
}

impl Engine for Rows<'_, '_> {
    fn hold(&mut self, tenant_id: i32, claims: &[Claim], now: Instant) -> Result<Verdict, Failure> {
        if claims.is_empty() {
            return Ok(Verdict::Held(Vec::new()));
        }
        let slots: Vec<Slot> = claims.iter().map(|claim| (claim.budget.budget_id, claim.window.start)).collect();
        let (budget_ids, starts): (Vec<i64>, Vec<Instant>) = slots.iter().copied().unzip();
        let starts = timestamps(starts)?;
        open_windows(self.client, &[tenant_id.into(), budget_ids.clone().into(), starts.clone().into()])?;
        let mut balances = self.lock(tenant_id, &slots)?;
        let mut found = in_order(&balances, &slots)?;
        if !fit(claims, &found) {
            // Only now, because with room to spare it does not matter what has expired.
            self.free_expired(tenant_id, &mut balances, now)?;
            found = in_order(&balances, &slots)?;
            if !fit(claims, &found) {
                return Ok(Verdict::Short(found));
            }
        }
        for (claim, balance) in claims.iter().zip(&mut found) {
            balance.held_units = balance.held_units.checked_add(claim.units).ok_or_else(out_of_range)?;
        }
        let held_units: Vec<i64> = claims.iter().map(|claim| claim.units).collect();
        let spent_units = vec![0_i64; claims.len()];
        change_balances(
            self.client,
            &[tenant_id.into(), budget_ids.into(), starts.into(), spent_units.into(), held_units.into()],
        )?;
        Ok(Verdict::Held(found))
    }

    fn settle(&mut self, tenant_id: i32, settlements: &[Settlement]) -> Result<Vec<Balance>, Failure> {
        if settlements.is_empty() {
            return Ok(Vec::new());
        }
        let slots: Vec<Slot> = settlements.iter().map(|item| (item.budget_id, item.window_start)).collect();
        let mut balances = self.lock(tenant_id, &slots)?;
        for (slot, item) in slots.iter().zip(settlements) {
            let balance = balances.get_mut(slot).ok_or(MISSING)?;
            balance.spent_units = balance.spent_units.checked_add(item.spent_units).ok_or_else(out_of_range)?;
            balance.held_units = balance.held_units.checked_sub(item.held_units).ok_or_else(out_of_range)?;
        }
        let (budget_ids, starts): (Vec<i64>, Vec<Instant>) = slots.iter().copied().unzip();
        let spent_units: Vec<i64> = settlements.iter().map(|item| item.spent_units).collect();
        let held_units: Vec<i64> = settlements.iter().map(|item| -item.held_units).collect();
        let arguments =
            [tenant_id.into(), budget_ids.into(), timestamps(starts)?.into(), spent_units.into(), held_units.into()];
        change_balances(self.client, &arguments)?;
        in_order(&balances, &slots)
    }

    fn read(&mut self, tenant_id: i32, slots: &[Slot], now: Instant) -> Result<Vec<Balance>, Failure> {
        let (budget_ids, starts): (Vec<i64>, Vec<Instant>) = slots.iter().copied().unzip();
        let arguments = [tenant_id.into(), budget_ids.into(), timestamps(starts)?.into()];
        let mut balances = collect(read_balances(self.client, &arguments)?)?;
        self.free_expired(tenant_id, &mut balances, now)?;
        Ok(slots.iter().map(|slot| balances.get(slot).copied().unwrap_or_default()).collect())
    }
}

const MISSING: Failure = Failure::Internal("a balance row is missing");

fn out_of_range() -> Failure {
    Refusal::invalid_argument("amount", "the balance would leave the range of bigint", "Use a smaller amount.").into()
}

fn fit(claims: &[Claim], balances: &[Balance]) -> bool {
    claims.iter().zip(balances).all(|(claim, balance)| claim.fits(*balance))
}

fn in_order(balances: &HashMap<Slot, Balance>, slots: &[Slot]) -> Result<Vec<Balance>, Failure> {
    slots.iter().map(|slot| balances.get(slot).copied().ok_or(MISSING)).collect()
}

fn collect(table: SpiTupleTable<'_>) -> Result<HashMap<Slot, Balance>, Failure> {
    let mut balances = HashMap::with_capacity(table.len());
    for row in table {
        let slot = (required(&row, 1)?, instant(&row, 2)?);
        balances.insert(slot, Balance { spent_units: required(&row, 3)?, held_units: required(&row, 4)? });
    }
    Ok(balances)
}
