//! Alerts: written in the transaction that causes them, once per (budget, window, mark), and gone if it rolls back.

use pgrx::spi::SpiClient;

use crate::advisory::{self, Lock};
use crate::budget::decision::{Balance, Budget, Claim, Standing};
use crate::budget::watch::Crossing;
use crate::engine::{self, Outcome};
use crate::id;
use crate::instant::Instant;
use crate::ledger::Failure;
use crate::statement::{statement, timestamp};

/// The flag of what goes into a burst.
pub const BURST: &str = "burst";

statement! {
    write insert_alert(INT4OID, INT8OID, INT8OID, INT8OID, TIMESTAMPTZOID, TEXTOID, INT4OID, INT8OID, INT8OID, TIMESTAMPTZOID) =
    "INSERT INTO tokbudget.alert (
         tenant_id, alert_id, account_id, budget_id, window_start, kind, percent, spent_units, limit_units, created_at, actor)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, SESSION_USER)
     ON CONFLICT (tenant_id, budget_id, window_start, kind, percent) DO NOTHING
     RETURNING true"
}

statement! {
    /// Nobody thaws and freezes in one step: an account that is frozen already keeps its reason.
    write freeze_account(INT4OID, INT8OID, TEXTOID, TIMESTAMPTZOID) =
    "UPDATE tokbudget.account SET status = 'frozen', status_reason = $3, status_actor = SESSION_USER, status_changed_at = $4
     WHERE account.tenant_id OPERATOR(pg_catalog.=) $1 AND account.account_id OPERATOR(pg_catalog.=) $2
         AND account.status OPERATOR(pg_catalog.=) 'active'
     RETURNING true"
}

statement! {
    write log_freeze(INT4OID, INT8OID, TEXTOID) =
    "SELECT tokbudget._log_change($1, $2, 'account', $2, 'freeze', NULL, NULL, $3)"
}

struct Alert<'a> {
    tenant_id: i32,
    budget: &'a Budget,
    window_start: Instant,
    kind: &'a str,
    percent: i32,
    spent_units: i64,
    limit_units: i64,
}

#[derive(PartialEq, Eq)]
enum Raised {
    /// Of its kind in its window.
    First,
    Known,
    /// To another transaction that is telling of it, and may yet be rolled back.
    Left,
}

impl Alert<'_> {
    fn lock(&self) -> Lock {
        let (budget_id, start) = (self.budget.budget_id as u64, self.window_start.0 as u64);
        let words = [self.tenant_id as u64, budget_id, start, self.percent as u64, self.kind.len() as u64];
        // Each step is a bijection of the sum so far, so marks that differ in one word never share a number.
        let number = words.iter().fold(0_u64, |sum, word| {
            let mixed = (sum ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            mixed ^ (mixed >> 32)
        });
        Lock::on(advisory::Kind::Alert, number)
    }

    /// Tells of it. Whoever has found a balance that others may change does not wait to learn whether another transaction
    /// that tells of it commits. Whoever keeps the balance to himself does: none that is still running can be telling of it,
    /// so that one is about to release the lock, or changes the budget.
    fn raise(&self, client: &mut SpiClient<'_>, is_shared: bool, now: Instant) -> Result<Raised, Failure> {
        if !is_shared {
            self.lock().acquire();
        } else if !self.lock().try_acquire() {
            return Ok(Raised::Left);
        }
        let arguments = [
            self.tenant_id.into(),
            id::new_id()?.into(),
            self.budget.account_id.into(),
            self.budget.budget_id.into(),
            timestamp(self.window_start)?.into(),
            self.kind.into(),
            self.percent.into(),
            self.spent_units.into(),
            self.limit_units.into(),
            timestamp(now)?.into(),
        ];
        Ok(if insert_alert(client, &arguments)?.is_empty() { Raised::Known } else { Raised::First })
    }
}

/// Tells of a call that goes into the burst of a budget; whether it does.
pub fn notice_burst(
    client: &mut SpiClient<'_>,
    tenant_id: i32,
    claims: &[Claim],
    outcome: &Outcome,
    now: Instant,
) -> Result<bool, Failure> {
    let mut is_burst = false;
    let taken = claims.iter().zip(&outcome.standings).zip(&outcome.allotments);
    for ((claim, standing), _) in taken.filter(|(_, allotment)| allotment.is_burst) {
        is_burst = true;
        let alert = Alert {
            tenant_id,
            budget: &claim.budget,
            window_start: claim.window.start,
            kind: BURST,
            percent: 0,
            spent_units: standing.balance.spent_units,
            limit_units: standing.limit_units(&claim.budget),
        };
        alert.raise(client, standing.balance.is_shared, now)?;
    }
    Ok(is_burst)
}

/// Tells of the marks that a growth of the spend has reached, and freezes where that is asked for. `more_units` is what the
/// spend grew by to where it stands.
pub fn notice_spend(
    client: &mut SpiClient<'_>,
    tenant_id: i32,
    budget: &Budget,
    window_start: Instant,
    standing: &Standing,
    more_units: i64,
    now: Instant,
) -> Result<(), Failure> {
    if budget.watch.is_empty() {
        return Ok(());
    }
    let Balance { spent_units, in_flight_spent_units, unwatched_from, is_shared, .. } = standing.balance;
    // What others have in flight is counted, so that of several who pass a mark together one tells.
    let spent_units = spent_units.saturating_add(in_flight_spent_units);
    let before = spent_units.saturating_sub(more_units).min(unwatched_from.unwrap_or(i64::MAX));
    let limit_units = standing.limit_units(budget);
    for crossing in budget.watch.crossings(limit_units, before, spent_units) {
        let (kind, percent) = match crossing {
            Crossing::Threshold(percent) => ("threshold", percent),
            Crossing::Freeze(percent) => ("freeze", percent),
        };
        let alert = Alert { tenant_id, budget, window_start, kind, percent, spent_units, limit_units };
        let raised = alert.raise(client, is_shared, now)?;
        if raised == Raised::Left {
            engine::present(client)?.watch_again(tenant_id, (budget.budget_id, window_start), before)?;
        }
        if raised == Raised::First && kind == "freeze" {
            let reason = format!(
                "{} reached {percent} % of its budget {}; tb_thaw() after a review",
                budget.meter, budget.budget_id
            );
            let arguments = [tenant_id.into(), budget.account_id.into(), reason.clone().into(), timestamp(now)?.into()];
            if !freeze_account(client, &arguments)?.is_empty() {
                log_freeze(client, &[tenant_id.into(), budget.account_id.into(), reason.into()])?;
            }
        }
    }
    Ok(())
}
