//! The lock of a budget: one of PostgreSQL's own, for what cannot be done in memory alone.

use std::time::{Duration, Instant};

use pgrx::pg_sys;

use crate::advisory::{self, Lock};
use crate::engine::escrow::in_flight;
use crate::ledger::Failure;

/// How long a transaction that has something in flight on a budget looks out for who changes its schedule.
const PATIENCE: Duration = Duration::from_secs(1);
const PAUSE_US: i64 = 1_000;

/// Held for a moment by whoever reads balances of the budget into memory, and to the end of the transaction by whoever changes
/// its schedule or finds no room for it.
pub fn budget_lock(tenant_id: i32, budget_id: i64) -> Lock {
    Lock::on(advisory::Kind::Budget, (budget_id as u64) ^ (u64::from(tenant_id as u32) << 40))
}

/// Waits until whoever changes the schedule of a budget has ended.
pub fn wait_for_closer(tenant_id: i32, budget_id: i64) -> Result<(), Failure> {
    acquire(tenant_id, budget_id)?;
    budget_lock(tenant_id, budget_id).release();
    Ok(())
}

/// Takes the lock of a budget. Whoever changes its schedule holds that and waits for what this transaction has in flight on
/// the budget: so the transaction gives up instead of waiting for it.
pub fn acquire(tenant_id: i32, budget_id: i64) -> Result<(), Failure> {
    let begin = Instant::now();
    while begin.elapsed() < PATIENCE {
        if budget_lock(tenant_id, budget_id).try_acquire() {
            return Ok(());
        }
        let own = in_flight::own_places(tenant_id, budget_id);
        if own.iter().any(|place| place.closed_by != 0 && place.closed_by != in_flight::own_number()) {
            return Err(Failure::Superseded);
        }
        if own.is_empty() {
            break;
        }
        pgrx::check_for_interrupts!();
        // SAFETY: sleeps.
        unsafe { pg_sys::pg_usleep(PAUSE_US) };
    }
    // PostgreSQL finds the deadlock, if it is one.
    budget_lock(tenant_id, budget_id).acquire();
    Ok(())
}
