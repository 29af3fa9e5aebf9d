//! Budgets and their grants as a call finds them.

use pgrx::datum::TimestampWithTimeZone;
use pgrx::spi::{SpiClient, SpiHeapTupleData};

use crate::budget::decision::{Budget, Grant};
use crate::budget::rollover::Rollover;
use crate::budget::watch::Watch;
use crate::budget::window::Schedule;
use crate::clock;
use crate::instant::Instant;
use crate::ledger::Failure;
use crate::statement::{instant, optional, required, statement, timestamp};

macro_rules! columns {
    () => {
        "SELECT budget.budget_id, budget.account_id, account.path, budget.meter, budget.limit_units, budget.hard,
             budget.burst_units, budget.thresholds_percent, budget.freeze_at_percent, budget.has_grants, budget.every,
             budget.time_zone, budget.week_start, budget.anchor, budget.rollover_cap_units, budget.quota_id, budget.created_at,
             budget.status OPERATOR(pg_catalog.=) 'active'
                 AND (budget.valid_from IS NULL OR budget.valid_from OPERATOR(pg_catalog.<=) $3)
                 AND (budget.valid_until IS NULL OR budget.valid_until OPERATOR(pg_catalog.>) $3)
         FROM tokbudget.budget
         JOIN tokbudget.account ON account.tenant_id OPERATOR(pg_catalog.=) budget.tenant_id
             AND account.account_id OPERATOR(pg_catalog.=) budget.account_id
         WHERE budget.tenant_id OPERATOR(pg_catalog.=) $1"
    };
}

statement! {
    /// In the order in which the engine locks. With the quotas that have been given and are no longer in force, so that they
    /// are not given again.
    read find_of_accounts(INT4OID, INT8ARRAYOID, TIMESTAMPTZOID) = concat!(
        columns!(),
        " AND budget.account_id OPERATOR(pg_catalog.=) ANY ($2)
          AND (
              budget.quota_id IS NOT NULL
              OR budget.status OPERATOR(pg_catalog.=) 'active'
                  AND (budget.valid_from IS NULL OR budget.valid_from OPERATOR(pg_catalog.<=) $3)
                  AND (budget.valid_until IS NULL OR budget.valid_until OPERATOR(pg_catalog.>) $3)
          )
          ORDER BY budget.budget_id"
    )
}

statement! {
    read find_by_id(INT4OID, INT8ARRAYOID, TIMESTAMPTZOID) = concat!(
        columns!(),
        " AND budget.budget_id OPERATOR(pg_catalog.=) ANY ($2) ORDER BY budget.budget_id"
    )
}

statement! {
    /// In burn order.
    read find_grants(INT4OID, INT8ARRAYOID, TIMESTAMPTZOID) =
    "SELECT budget_grant.budget_id, budget_grant.grant_id, budget_grant.amount_units
     FROM tokbudget.budget_grant
     WHERE budget_grant.tenant_id OPERATOR(pg_catalog.=) $1
         AND budget_grant.budget_id OPERATOR(pg_catalog.=) ANY ($2)
         AND budget_grant.valid_from OPERATOR(pg_catalog.<=) $3
         AND (budget_grant.valid_until IS NULL OR budget_grant.valid_until OPERATOR(pg_catalog.>) $3)
         AND budget_grant.revoked_at IS NULL
     ORDER BY budget_grant.priority, budget_grant.valid_until NULLS LAST, budget_grant.created_at, budget_grant.grant_id"
}

statement! {
    /// Whose grants these are, in burn order.
    read find_owners(INT4OID, INT8ARRAYOID) =
    "SELECT budget_grant.grant_id, budget_grant.budget_id
     FROM tokbudget.budget_grant
     WHERE budget_grant.tenant_id OPERATOR(pg_catalog.=) $1
         AND budget_grant.grant_id OPERATOR(pg_catalog.=) ANY ($2)
     ORDER BY budget_grant.priority, budget_grant.valid_until NULLS LAST, budget_grant.created_at, budget_grant.grant_id"
}

/// A budget with what decides its windows.
pub struct Found {
    pub budget: Budget,
    pub schedule: Schedule,
    pub rollover: Option<Rollover>,
    pub quota_id: Option<i64>,
    pub created_at: Instant,
    /// Active and valid now.
    pub is_in_force: bool,
}

/// The budgets of these accounts that are in force at `now`, and those given by quota that are not, with the grants that may be drawn on then.
pub fn of_accounts(
    client: &mut SpiClient<'_>,
    tenant_id: i32,
    account_ids: Vec<i64>,
    now: Instant,
) -> Result<Vec<Found>, Failure> {
    let rows = find_of_accounts(client, &[tenant_id.into(), account_ids.into(), timestamp(now)?.into()])?;
    let read = rows.map(|row| read(&row)).collect::<Result<_, _>>()?;
    with_grants(client, tenant_id, read, now)
}

/// The budgets with these ids, valid or not, with the grants that may be drawn on at `now`.
pub fn by_id(
    client: &mut SpiClient<'_>,
    tenant_id: i32,
    budget_ids: Vec<i64>,
    now: Instant,
) -> Result<Vec<Found>, Failure> {
    if budget_ids.is_empty() {
        return Ok(Vec::new());
    }
    let rows = find_by_id(client, &[tenant_id.into(), budget_ids.into(), timestamp(now)?.into()])?;
    let read = rows.map(|row| read(&row)).collect::<Result<_, _>>()?;
    with_grants(client, tenant_id, read, now)
}

/// Which of these ids are grants, each with the budget that it is for, in burn order.
pub fn owners_of_grants(client: &mut SpiClient<'_>, tenant_id: i32, ids: Vec<i64>) -> Result<Vec<(i64, i64)>, Failure> {
    find_owners(client, &[tenant_id.into(), ids.into()])?
        .map(|row| Ok((required(&row, 1)?, required(&row, 2)?)))
        .collect()
}

type Read = (Found, bool);

fn read(row: &SpiHeapTupleData<'_>) -> Result<Read, Failure> {
    let every: Option<String> = optional(row, 11)?;
    let (time_zone, week_start): (String, String) = (required(row, 12)?, required(row, 13)?);
    let anchor: Option<TimestampWithTimeZone> = optional(row, 14)?;
    let anchor = anchor.map(|anchor| clock::from_postgres(anchor.into()));
    let schedule = Schedule::parse(every.as_deref(), &time_zone, &week_start, anchor);
    let budget = Budget {
        budget_id: required(row, 1)?,
        account_id: required(row, 2)?,
        account: required(row, 3)?,
        meter: required(row, 4)?,
        limit_units: required(row, 5)?,
        hard: required(row, 6)?,
        burst_units: required(row, 7)?,
        watch: Watch { thresholds_percent: required(row, 8)?, freeze_at_percent: optional(row, 9)? },
        grants: Vec::new(),
    };
    let found = Found {
        budget,
        schedule: schedule.map_err(|_| Failure::Internal("a budget has an unreadable window"))?,
        rollover: optional(row, 15)?.map(|cap_units| Rollover { cap_units }),
        quota_id: optional(row, 16)?,
        created_at: instant(row, 17)?,
        is_in_force: required(row, 18)?,
    };
    Ok((found, required(row, 10)?))
}

fn with_grants(
    client: &mut SpiClient<'_>,
    tenant_id: i32,
    read: Vec<Read>,
    now: Instant,
) -> Result<Vec<Found>, Failure> {
    // Few budgets have grants; no statement is run for the others.
    let granted: Vec<i64> =
        read.iter().filter(|(_, has_grants)| *has_grants).map(|(it, _)| it.budget.budget_id).collect();
    let mut found: Vec<Found> = read.into_iter().map(|(found, _)| found).collect();
    if !granted.is_empty() {
        for row in find_grants(client, &[tenant_id.into(), granted.into(), timestamp(now)?.into()])? {
            let budget_id: i64 = required(&row, 1)?;
            if let Some(found) = found.iter_mut().find(|found| found.budget.budget_id == budget_id) {
                found.budget.grants.push(Grant { grant_id: required(&row, 2)?, units: required(&row, 3)? });
            }
        }
    }
    Ok(found)
}
