//! Default budgets of accounts of a kind, and what accounts that nobody has made yet become. A session keeps those of a
//! tenant until one changes.

use std::rc::Rc;

use pgrx::spi::SpiClient;

use crate::budget::decision::Budget;
use crate::budget::window::Schedule;
use crate::instant::Instant;
use crate::invalidation::Topic;
use crate::ledger::Failure;
use crate::ledger::accounts::Account;
use crate::ledger::budgets::{Found, Stored};
use crate::ledger::chain::Chain;
use crate::ledger::kept::Kept;
use crate::statement::{optional, optional_instant, required, statement, timestamp};
use crate::{account, id};

statement! {
    read read_quotas(INT4OID) =
    "SELECT quota.quota_id, quota.account_id, quota.kind, quota.role, quota.meter, quota.limit_units, quota.hard,
         quota.burst_units, quota.every, quota.time_zone, quota.week_start, quota.anchor
     FROM tokbudget.quota
     WHERE quota.tenant_id OPERATOR(pg_catalog.=) $1
     ORDER BY quota.quota_id"
}

statement! {
    read read_rules(INT4OID) =
    "SELECT first_use.account_id, first_use.pattern, first_use.kind, first_use.role, first_use.role_from_attribute
     FROM tokbudget.first_use
     WHERE first_use.tenant_id OPERATOR(pg_catalog.=) $1"
}

statement! {
    /// The first of several first calls gives it, the others wait for that one's end. A budget that somebody has closed since
    /// is not given again.
    write give_quota(INT4OID, INT8OID, INT8OID, INT8OID, TIMESTAMPTZOID) =
    "INSERT INTO tokbudget.budget (
         tenant_id, budget_id, account_id, meter, amount, every, time_zone, week_start, anchor, hard, burst,
         thresholds_percent, freeze_at_percent, rollover, rollover_cap, quota_id, created_at)
     SELECT quota.tenant_id, $4, $3, quota.meter, quota.amount, quota.every, quota.time_zone, quota.week_start, quota.anchor,
         quota.hard, quota.burst, quota.thresholds_percent, quota.freeze_at_percent, quota.rollover, quota.rollover_cap,
         quota.quota_id, $5
     FROM tokbudget.quota
     WHERE quota.tenant_id OPERATOR(pg_catalog.=) $1 AND quota.quota_id OPERATOR(pg_catalog.=) $2
     ON CONFLICT (tenant_id, account_id, quota_id) DO NOTHING"
}

struct Quota {
    quota_id: i64,
    account_id: i64,
    kind: String,
    role: Option<String>,
    meter: String,
    limit_units: i64,
    hard: bool,
    burst_units: i64,
    every: Option<String>,
    time_zone: String,
    week_start: String,
    anchor: Option<Instant>,
}

struct Rule {
    account_id: i64,
    pattern: String,
    kind: String,
    role: Option<String>,
    role_from_attribute: bool,
}

/// What an account becomes that nobody has made.
pub struct Birth {
    pub kind: String,
    /// The label `role`, which quotas go by.
    pub role: Option<String>,
}

#[derive(Default)]
struct Defaults {
    quotas: Vec<Quota>,
    rules: Vec<Rule>,
}

thread_local! {
    static KEPT: Kept<Defaults> = Kept::new(Topic::Tree);
}

fn find(client: &mut SpiClient<'_>, tenant_id: i32) -> Result<Rc<Defaults>, Failure> {
    KEPT.with(|kept| kept.find(tenant_id, || read(client, tenant_id)))
}

fn read(client: &mut SpiClient<'_>, tenant_id: i32) -> Result<Defaults, Failure> {
    let mut defaults = Defaults::default();
    for row in read_quotas(client, &[tenant_id.into()])? {
        defaults.quotas.push(Quota {
            quota_id: required(&row, 1)?,
            account_id: required(&row, 2)?,
            kind: required(&row, 3)?,
            role: optional(&row, 4)?,
            meter: required(&row, 5)?,
            limit_units: required(&row, 6)?,
            hard: required(&row, 7)?,
            burst_units: required(&row, 8)?,
            every: optional(&row, 9)?,
            time_zone: required(&row, 10)?,
            week_start: required(&row, 11)?,
            anchor: optional_instant(&row, 12)?,
        });
    }
    for row in read_rules(client, &[tenant_id.into()])? {
        defaults.rules.push(Rule {
            account_id: required(&row, 1)?,
            pattern: required(&row, 2)?,
            kind: required(&row, 3)?,
            role: optional(&row, 4)?,
            role_from_attribute: required(&row, 5)?,
        });
    }
    Ok(defaults)
}

/// A quota that an account has not been given yet.
pub struct Missing {
    account_id: i64,
    account: String,
    defaults: Rc<Defaults>,
    index: usize,
}

impl Missing {
    fn quota(&self) -> Option<&Quota> {
        self.defaults.quotas.get(self.index)
    }

    /// As it would be if it were given.
    pub fn as_budget(&self, now: Instant) -> Result<Found, Failure> {
        let quota = self.quota().ok_or(Failure::Internal("a quota is missing"))?;
        let schedule = Schedule::parse(quota.every.as_deref(), &quota.time_zone, &quota.week_start, quota.anchor);
        let budget = Budget {
            account_id: self.account_id,
            account: self.account.clone(),
            meter: quota.meter.clone(),
            limit_units: quota.limit_units,
            hard: quota.hard,
            burst_units: quota.burst_units,
            ..Budget::default()
        };
        let schedule = schedule.map_err(|_| Failure::Internal("a quota has an unreadable window"))?;
        Ok(Rc::new(Stored::new(budget, schedule, Some(quota.quota_id), now)).at(now))
    }
}

/// The quotas that accounts of the chain should have and do not. One for the account's role stands in for the one of the
/// same node, kind, meter and window that is for every role.
pub fn missing(client: &mut SpiClient<'_>, chain: &Chain, found: &[Found]) -> Result<Vec<Missing>, Failure> {
    let defaults = find(client, chain.tenant_id)?;
    let mut missing = Vec::new();
    if defaults.quotas.is_empty() {
        return Ok(missing);
    }
    for account in &chain.accounts {
        let applies = |quota: &Quota| {
            account.kind.as_ref() == Some(&quota.kind)
                && account.ancestor_ids.contains(&quota.account_id)
                && (quota.role.is_none() || quota.role == account.role)
        };
        for (index, quota) in defaults.quotas.iter().enumerate().filter(|(_, quota)| applies(quota)) {
            let is_replaced = quota.role.is_none()
                && defaults.quotas.iter().any(|other| {
                    other.role.is_some()
                        && applies(other)
                        && (other.account_id, &other.meter, &other.every)
                            == (quota.account_id, &quota.meter, &quota.every)
                });
            let is_given = found.iter().any(|found| {
                found.budget.account_id == account.account_id && found.stored.quota_id == Some(quota.quota_id)
            });
            if !is_replaced && !is_given {
                missing.push(Missing {
                    account_id: account.account_id,
                    account: account.path.clone(),
                    defaults: Rc::clone(&defaults),
                    index,
                });
            }
        }
    }
    Ok(missing)
}

/// Gives them.
pub fn give(client: &mut SpiClient<'_>, tenant_id: i32, missing: &[Missing], now: Instant) -> Result<(), Failure> {
    for missing in missing {
        let Some(quota) = missing.quota() else { continue };
        let arguments = [
            tenant_id.into(),
            quota.quota_id.into(),
            missing.account_id.into(),
            id::new_id()?.into(),
            timestamp(now)?.into(),
        ];
        give_quota(client, &arguments)?;
    }
    Ok(())
}

/// What an account that nobody has made yet becomes on its first use; none where it may not be made. The deepest account
/// above that says anything decides, there the longest pattern. What the caller says of its role is believed only where the
/// rule says so, because it chooses the quota.
pub fn on_first_use(
    client: &mut SpiClient<'_>,
    tenant_id: i32,
    path: &str,
    above: &[&Rc<Account>],
    told_role: Option<&str>,
) -> Result<Option<Birth>, Failure> {
    let defaults = find(client, tenant_id)?;
    for account in above.iter().rev() {
        let relative = path.strip_prefix(account.path.as_str()).and_then(|rest| rest.strip_prefix('/'));
        let Some(relative) = relative else { continue };
        let rules = defaults.rules.iter();
        let matching =
            rules.filter(|rule| rule.account_id == account.account_id && account::matches(&rule.pattern, relative));
        if let Some(rule) = matching.max_by_key(|rule| (rule.pattern.len(), std::cmp::Reverse(&rule.pattern))) {
            let told_role = told_role.filter(|_| rule.role_from_attribute).map(str::to_string);
            return Ok(Some(Birth { kind: rule.kind.clone(), role: told_role.or_else(|| rule.role.clone()) }));
        }
    }
    Ok(None)
}
