//! The engine that locks balance rows: simple, exact, always there. Slow on a budget that every call touches, because its
//! row stays locked until the caller's transaction ends.

use pgrx::spi::{SpiClient, SpiTupleTable};

use crate::budget::decision::{Balance, Claim, Standing};
use crate::engine::decide::{Balances, Change, Changes, NoBalance, apply, decide, standings, touched};
use crate::engine::{Engine, Outcome, Settlement, Slot, Taking};
use crate::instant::Instant;
use crate::ledger::Failure;
use crate::refusal::Refusal;
use crate::statement::{instant, instants, required, statement, timestamp, timestamps};

statement! {
    /// Makes the rows of windows that nobody has touched yet. Runs before any row of the call is locked, and in the order of
    /// the locks, so that two calls that open the same windows wait for each other in one direction only.
    write open_windows(INT4OID, INT8ARRAYOID, TIMESTAMPTZARRAYOID, INT8ARRAYOID) =
    "INSERT INTO tokbudget.balance (tenant_id, budget_id, window_start, carried_units)
     SELECT $1, slot.budget_id, slot.window_start, slot.carried_units
     FROM ROWS FROM (pg_catalog.unnest($2), pg_catalog.unnest($3), pg_catalog.unnest($4))
         AS slot (budget_id, window_start, carried_units)
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
    "SELECT balance.budget_id, balance.window_start, balance.spent_units, balance.held_units, balance.granted_units,
         balance.carried_units, balance.superseded
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
    "SELECT balance.budget_id, balance.window_start, balance.spent_units, balance.held_units, balance.granted_units,
         balance.carried_units, balance.superseded
     FROM tokbudget.balance
     JOIN ROWS FROM (pg_catalog.unnest($2), pg_catalog.unnest($3)) AS slot (budget_id, window_start)
         ON balance.budget_id OPERATOR(pg_catalog.=) slot.budget_id
         AND balance.window_start OPERATOR(pg_catalog.=) slot.window_start
     WHERE balance.tenant_id OPERATOR(pg_catalog.=) $1"
}

statement! {
    /// Holds of the given budgets that have expired and that nobody has closed yet. Whose a grant is matters also when it
    /// has ended since; only a slot whose window has no beginning can be one.
    read read_expired(INT4OID, INT8ARRAYOID, TIMESTAMPTZOID) =
    "SELECT reservation.budget_ids, reservation.window_starts, reservation.held_units,
         CASE WHEN '-infinity'::timestamptz OPERATOR(pg_catalog.=) ANY (reservation.window_starts) THEN ARRAY(
             SELECT COALESCE(budget_grant.budget_id, 0::bigint)
             FROM pg_catalog.unnest(reservation.budget_ids) WITH ORDINALITY AS slot (id, ordinality)
             LEFT JOIN tokbudget.budget_grant ON budget_grant.tenant_id OPERATOR(pg_catalog.=) $1
                 AND budget_grant.grant_id OPERATOR(pg_catalog.=) slot.id
             ORDER BY slot.ordinality
         ) ELSE ARRAY[]::bigint[] END
     FROM tokbudget.reservation
     WHERE reservation.tenant_id OPERATOR(pg_catalog.=) $1
         AND reservation.state OPERATOR(pg_catalog.=) 'held'
         AND reservation.expires_at OPERATOR(pg_catalog.<=) $3
         AND reservation.budget_ids OPERATOR(pg_catalog.&&) $2"
}

statement! {
    /// The last ones first.
    read find_windows(INT4OID, INT8OID, TIMESTAMPTZOID, INT8OID) =
    "SELECT balance.window_start, balance.carried_units FROM tokbudget.balance
     WHERE balance.tenant_id OPERATOR(pg_catalog.=) $1 AND balance.budget_id OPERATOR(pg_catalog.=) $2
         AND balance.window_start OPERATOR(pg_catalog.<=) $3
     ORDER BY balance.window_start DESC
     LIMIT $4"
}

statement! {
    /// Each (budget_id, window_start) may occur only once.
    write change_balances(INT4OID, INT8ARRAYOID, TIMESTAMPTZARRAYOID, INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID) =
    "UPDATE tokbudget.balance
     SET spent_units = balance.spent_units OPERATOR(pg_catalog.+) slot.spent_units,
         held_units = balance.held_units OPERATOR(pg_catalog.+) slot.held_units,
         granted_units = balance.granted_units OPERATOR(pg_catalog.+) slot.granted_units
     FROM ROWS FROM (
         pg_catalog.unnest($2), pg_catalog.unnest($3), pg_catalog.unnest($4), pg_catalog.unnest($5), pg_catalog.unnest($6)
     ) AS slot (budget_id, window_start, spent_units, held_units, granted_units)
     WHERE balance.tenant_id OPERATOR(pg_catalog.=) $1
         AND balance.budget_id OPERATOR(pg_catalog.=) slot.budget_id
         AND balance.window_start OPERATOR(pg_catalog.=) slot.window_start"
}

/// The row engine, for the length of one call.
pub struct Rows<'a, 'conn> {
    client: &'a mut SpiClient<'conn>,
}

impl<'a, 'conn> Rows<'a, 'conn> {
    pub fn new(client: &'a mut SpiClient<'conn>) -> Self {
        Rows { client }
    }

    fn lock(&mut self, tenant_id: i32, slots: impl IntoIterator<Item = Slot>) -> Result<Balances, Failure> {
        let (budget_ids, starts): (Vec<i64>, Vec<Instant>) = slots.into_iter().unzip();
        let arguments = [tenant_id.into(), budget_ids.into(), timestamps(starts)?.into()];
        collect(lock_balances(self.client, &arguments)?)
    }

    fn change(&mut self, tenant_id: i32, changes: &Changes) -> Result<(), Failure> {
        let column = |of: fn(&Change) -> i64| changes.values().map(of).collect::<Vec<i64>>();
        change_balances(
            self.client,
            &[
                tenant_id.into(),
                changes.keys().map(|(budget_id, _)| *budget_id).collect::<Vec<i64>>().into(),
                timestamps(changes.keys().map(|(_, start)| *start))?.into(),
                column(|change| change.spent_units).into(),
                column(|change| change.held_units).into(),
                column(|change| change.granted_units).into(),
            ],
        )?;
        Ok(())
    }

    /// Takes what has expired out of what is held.
    fn free_expired(&mut self, tenant_id: i32, balances: &mut Balances, now: Instant) -> Result<(), Failure> {
        let budget_ids: Vec<i64> = balances.keys().map(|(budget_id, _)| *budget_id).collect();
        for row in read_expired(self.client, &[tenant_id.into(), budget_ids.into(), timestamp(now)?.into()])? {
            let budget_ids: Vec<i64> = required(&row, 1)?;
            let held_units: Vec<i64> = required(&row, 3)?;
            let owners: Vec<i64> = required(&row, 4)?;
            let slots: Vec<Slot> = budget_ids.into_iter().zip(instants(&row, 2)?).collect();
            for (index, (slot, units)) in slots.iter().zip(held_units).enumerate() {
                if let Some(balance) = balances.get_mut(slot) {
                    balance.held_units -= units;
                }
                let owner = owners.get(index);
                let owner = owner.and_then(|owner| slots.iter().find(|(budget_id, _)| budget_id == owner));
                if let Some(balance) = owner.and_then(|owner| balances.get_mut(owner)) {
                    balance.granted_units -= units;
                }
            }
        }
        Ok(())
    }
}

impl Engine for Rows<'_, '_> {
    fn take(
        &mut self,
        tenant_id: i32,
        calls: &[&[Claim]],
        taking: Taking,
        now: Instant,
    ) -> Result<Vec<Result<Outcome, Refusal>>, Failure> {
        let openings = touched(calls);
        let mut balances = Balances::new();
        if !openings.is_empty() {
            let budget_ids: Vec<i64> = openings.keys().map(|(budget_id, _)| *budget_id).collect();
            let starts = timestamps(openings.keys().map(|(_, start)| *start))?;
            let carried_units: Vec<i64> = openings.values().copied().collect();
            open_windows(self.client, &[tenant_id.into(), budget_ids.into(), starts.into(), carried_units.into()])?;
            balances = self.lock(tenant_id, openings.keys().copied())?;
            if taking != Taking::Extend && balances.values().any(|balance| balance.is_superseded) {
                return Err(Failure::Superseded);
            }
        }
        let free_expired = |balances: &mut Balances| self.free_expired(tenant_id, balances, now);
        let (outcomes, changes) = decide(calls, &mut balances, taking, free_expired)?;
        if !changes.is_empty() {
            self.change(tenant_id, &changes)?;
        }
        Ok(outcomes)
    }

    fn settle(&mut self, tenant_id: i32, settlements: &[Settlement], _: Instant) -> Result<Vec<Balance>, Failure> {
        if settlements.is_empty() {
            return Ok(Vec::new());
        }
        let mut balances = self.lock(tenant_id, settlements.iter().map(|item| item.slot))?;
        if settlements.iter().any(|item| !balances.contains_key(&item.slot)) {
            return Err(NoBalance.into());
        }
        let change = |item: &Settlement| Ok((item.slot, item.change()?));
        let changes = settlements.iter().map(change).collect::<Result<Changes, Refusal>>()?;
        apply(&mut balances, &mut Changes::new(), &changes)?;
        self.change(tenant_id, &changes)?;
        Ok(settlements.iter().filter_map(|item| balances.get(&item.slot).copied()).collect())
    }

    fn read(&mut self, tenant_id: i32, claims: &[Claim], now: Instant) -> Result<Vec<Standing>, Failure> {
        if claims.is_empty() {
            return Ok(Vec::new());
        }
        let openings = touched(&[claims]);
        let (budget_ids, starts): (Vec<i64>, Vec<Instant>) = openings.keys().copied().unzip();
        let arguments = [tenant_id.into(), budget_ids.into(), timestamps(starts)?.into()];
        let mut balances = collect(read_balances(self.client, &arguments)?)?;
        self.free_expired(tenant_id, &mut balances, now)?;
        for (slot, carried_units) in openings {
            balances.entry(slot).or_insert(Balance { carried_units, ..Balance::default() });
        }
        Ok(standings(claims, &balances)?)
    }

    fn windows(
        &mut self,
        tenant_id: i32,
        budget_id: i64,
        until: Instant,
        windows_max: i64,
    ) -> Result<Vec<(Instant, i64)>, Failure> {
        let arguments = [tenant_id.into(), budget_id.into(), timestamp(until)?.into(), windows_max.into()];
        find_windows(self.client, &arguments)?.map(|row| Ok((instant(&row, 1)?, required(&row, 2)?))).collect()
    }
}

fn collect(table: SpiTupleTable<'_>) -> Result<Balances, Failure> {
    let mut balances = Balances::with_capacity(table.len());
    for row in table {
        let slot = (required(&row, 1)?, instant(&row, 2)?);
        let balance = Balance {
            spent_units: required(&row, 3)?,
            held_units: required(&row, 4)?,
            granted_units: required(&row, 5)?,
            carried_units: required(&row, 6)?,
            is_superseded: required(&row, 7)?,
            ..Balance::default()
        };
        balances.insert(slot, balance);
    }
    Ok(balances)
}
