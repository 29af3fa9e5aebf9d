//! The limits of a back-test: those of the policy, and those that there are.

use pgrx::spi::{SpiClient, SpiHeapTupleData};

use super::{refuse_policy, within_policy};
use crate::budget::decision::{Budget, Grant};
use crate::budget::rollover::Rollover;
use crate::budget::watch::Watch;
use crate::budget::window::{Schedule, Window};
use crate::instant::Instant;
use crate::ledger::Failure;
use crate::ledger::chain::Chain;
use crate::privilege::Privilege;
use crate::report::backtest::{Before, DatedGrant, Limit, Policy, PolicyBudget, PolicyError};
use crate::statement::{instant, optional, optional_instant, required, statement, timestamp};

statement! {
    /// Those at and below an account that are checked.
    read find_budgets(INT4OID, INT8OID) =
    "SELECT budget.budget_id, budget.account_id, account.path, budget.meter, budget.limit_units, budget.hard,
         budget.burst_units, budget.has_grants, budget.every, budget.time_zone, budget.week_start, budget.anchor,
         budget.rollover_cap_units, budget.created_at, budget.valid_from, budget.valid_until
     FROM tokbudget.budget
     JOIN tokbudget.account ON account.tenant_id OPERATOR(pg_catalog.=) budget.tenant_id
         AND account.account_id OPERATOR(pg_catalog.=) budget.account_id
     WHERE budget.tenant_id OPERATOR(pg_catalog.=) $1 AND budget.status OPERATOR(pg_catalog.=) 'active'
         AND (account.account_id OPERATOR(pg_catalog.=) $2 OR account.ancestor_ids OPERATOR(pg_catalog.@>) ARRAY[$2])
     ORDER BY account.path, budget.meter, budget.budget_id"
}

statement! {
    /// In burn order. One that was revoked could be drawn on until then.
    read find_grants(INT4OID, INT8OID) =
    "SELECT budget_grant.grant_id, budget_grant.amount_units, budget_grant.valid_from,
         LEAST(budget_grant.valid_until, budget_grant.revoked_at)
     FROM tokbudget.budget_grant
     WHERE budget_grant.tenant_id OPERATOR(pg_catalog.=) $1 AND budget_grant.budget_id OPERATOR(pg_catalog.=) $2
     ORDER BY budget_grant.priority, budget_grant.valid_until NULLS LAST, budget_grant.created_at, budget_grant.grant_id"
}

statement! {
    /// The last window up to an instant that was used.
    read find_last_window(INT4OID, INT8OID, TIMESTAMPTZOID) =
    "SELECT b.window_start, COALESCE(b.carried_units, 0), b.granted_units OPERATOR(pg_catalog.-) b.spent_units OPERATOR(pg_catalog.-) b.held_units
     FROM tokbudget._balances() AS b
     WHERE b.tenant_id OPERATOR(pg_catalog.=) $1 AND b.budget_id OPERATOR(pg_catalog.=) $2
         AND b.window_start OPERATOR(pg_catalog.<=) $3
     ORDER BY b.window_start DESC LIMIT 1"
}

/// A window of this budget at the instant is beyond the calendar.
const NO_WINDOW: &str = "it has no window at since";

pub fn find(client: &mut SpiClient<'_>, chain: &Chain, policy: &Policy, since: Instant) -> Result<Vec<Limit>, Failure> {
    let mut limits = Vec::new();
    for (index, budget) in policy.budgets.iter().enumerate() {
        let path = format!("$.budgets[{index}]");
        let account = account_of(client, chain, budget, &path)?;
        let place = i32::try_from(index + 1).unwrap_or(i32::MAX);
        limits.push(imagined(budget, place, account, since, &path)?);
    }
    if policy.keeps_budgets {
        limits.extend(present(client, chain, since)?);
    }
    Ok(limits)
}

/// The meters that the limits count, each once.
pub fn meters(limits: &[Limit]) -> Vec<String> {
    let mut meters: Vec<String> = limits.iter().map(|limit| limit.budget.meter.clone()).collect();
    meters.sort_unstable();
    meters.dedup();
    meters
}

fn account_of(
    client: &mut SpiClient<'_>,
    chain: &Chain,
    budget: &PolicyBudget,
    path: &str,
) -> Result<(i64, String), Failure> {
    let own = || chain.accounts.last().map(|account| (account.account_id, account.path.clone()));
    let Some(account) = &budget.account else { return own().ok_or(Failure::Internal("a chain without accounts")) };
    let path = format!("{path}.account");
    let other = Chain::find(client, account, &[], Privilege::Read.into(), None)
        .map_err(|failure| within_policy(&path, failure))?;
    if other.tenant_id != chain.tenant_id || !other.account_ids().contains(&chain.own_account_id()) {
        let why = "it is neither the account that the back-test is of nor below it".to_string();
        return Err(refuse_policy(PolicyError { path, why }).into());
    }
    Ok((other.own_account_id(), account.clone()))
}

fn imagined(
    budget: &PolicyBudget,
    place: i32,
    (account_id, account): (i64, String),
    since: Instant,
    path: &str,
) -> Result<Limit, Failure> {
    let PolicyBudget { meter, limit_units, every, schedule, hard, burst_units, rollover, freeze_at_percent, .. } =
        budget;
    let judged = Budget {
        budget_id: -i64::from(place),
        account_id,
        account,
        meter: meter.clone(),
        limit_units: *limit_units,
        hard: *hard,
        burst_units: *burst_units,
        watch: Watch { thresholds_percent: Vec::new(), freeze_at_percent: *freeze_at_percent },
        grants: Vec::new(),
    };
    let limit = Limit::new(judged, every.clone(), *schedule, *rollover, since);
    let mut limit =
        limit.ok_or_else(|| refuse_policy(PolicyError { path: format!("{path}.every"), why: NO_WINDOW.into() }))?;
    limit.policy_place = Some(place);
    Ok(limit)
}

fn present(client: &mut SpiClient<'_>, chain: &Chain, since: Instant) -> Result<Vec<Limit>, Failure> {
    let tenant_id = chain.tenant_id;
    let rows: Vec<_> = find_budgets(client, &[tenant_id.into(), chain.own_account_id().into()])?
        .map(|row| read(&row, since))
        .collect::<Result<_, Failure>>()?;
    let mut limits = Vec::with_capacity(rows.len());
    for Stored { mut limit, has_grants, created_at } in rows {
        let budget_id = limit.budget.budget_id;
        if has_grants {
            let grants = find_grants(client, &[tenant_id.into(), budget_id.into()])?;
            let grants = grants.map(|row| grant(&row)).collect::<Result<_, Failure>>()?;
            limit = limit.with_grants(grants);
        }
        if limit.rollover.is_some() && limit.opening() != Window::WHOLE {
            limit.before = before(client, tenant_id, &limit, created_at)?;
        }
        limits.push(limit);
    }
    Ok(limits)
}

struct Stored {
    limit: Limit,
    has_grants: bool,
    created_at: Instant,
}

fn read(row: &SpiHeapTupleData<'_>, since: Instant) -> Result<Stored, Failure> {
    let every: Option<String> = optional(row, 9)?;
    let (time_zone, week_start): (String, String) = (required(row, 10)?, required(row, 11)?);
    let schedule = Schedule::parse(every.as_deref(), &time_zone, &week_start, optional_instant(row, 12)?)
        .map_err(|_| Failure::Internal("a budget has an unreadable window"))?;
    let budget = Budget {
        budget_id: required(row, 1)?,
        account_id: required(row, 2)?,
        account: required(row, 3)?,
        meter: required(row, 4)?,
        limit_units: required(row, 5)?,
        hard: required(row, 6)?,
        burst_units: required(row, 7)?,
        // Who was frozen was thawed at some time that no budget tells, so what there is does not freeze.
        watch: Watch::default(),
        grants: Vec::new(),
    };
    let rollover = optional(row, 13)?.map(|cap_units| Rollover { cap_units });
    let limit = Limit::new(budget, every, schedule, rollover, since);
    let mut limit = limit.ok_or(Failure::Internal("a budget has no window at this instant"))?;
    limit.valid_from = optional_instant(row, 15)?.unwrap_or(Instant::BEFORE_ALL);
    limit.valid_until = optional_instant(row, 16)?.unwrap_or(Instant::AFTER_ALL);
    Ok(Stored { limit, has_grants: required(row, 8)?, created_at: instant(row, 14)? })
}

fn grant(row: &SpiHeapTupleData<'_>) -> Result<DatedGrant, Failure> {
    Ok(DatedGrant {
        grant: Grant { grant_id: required(row, 1)?, units: required(row, 2)? },
        from: instant(row, 3)?,
        until: optional_instant(row, 4)?.unwrap_or(Instant::AFTER_ALL),
    })
}

/// What the window before left, or the window in which the replay begins really got.
fn before(
    client: &mut SpiClient<'_>,
    tenant_id: i32,
    limit: &Limit,
    created_at: Instant,
) -> Result<Option<Before>, Failure> {
    let (start, limit_units) = (limit.opening().start, limit.budget.limit_units);
    let arguments = [tenant_id.into(), limit.budget.budget_id.into(), timestamp(start)?.into()];
    if let Some(row) = find_last_window(client, &arguments)?.next() {
        let (carried_units, used): (i64, i64) = (required(&row, 2)?, required(&row, 3)?);
        let left_units = limit_units.saturating_add(carried_units).saturating_add(used);
        return Ok(Some(Before { start: instant(&row, 1)?, carried_units, left_units }));
    }
    // Nobody has used it since it was made.
    let made_in = limit.schedule.window_at(created_at);
    Ok(made_in.map(|window| Before { start: window.start, carried_units: 0, left_units: limit_units }))
}
