//! Closes the balances of a budget to others while its schedule is changed.

use std::time::Duration;

use pgrx::pg_sys;

use crate::engine::escrow::budget_lock::budget_lock;
use crate::engine::escrow::place::Key;
use crate::engine::escrow::{Ledger, NO_MEMORY, in_flight, memory};
use crate::instant::Instant;
use crate::ledger::Failure;

/// How long others may stay in flight. PostgreSQL finds no deadlock here, because they hold no lock.
const WAIT_MAX: Duration = Duration::from_secs(10);
const STEP_US: i64 = 1_000;

/// Lets nobody else change balances of the budget until this transaction ends, and waits until what others have in flight has
/// ended. Returns the windows that are in memory, each with what it got from the one before, where that is known.
pub fn close(ledger: Ledger, tenant_id: i32, budget_id: i64) -> Result<Vec<(Instant, Option<i64>)>, Failure> {
    budget_lock(tenant_id, budget_id).acquire();
    in_flight::note_closing();
    let own = in_flight::own_number();
    let is_meant = |key: &Key| key.budget_id == budget_id && key.tenant_id == tenant_id && ledger.has(key);
    let mut keys = Vec::new();
    memory::sweep(|place| {
        if is_meant(&place.key) {
            place.closed_by = own;
            keys.push(place.key);
        }
    });
    let begin = std::time::Instant::now();
    while is_in_flight_elsewhere(&keys) {
        pgrx::check_for_interrupts!();
        if begin.elapsed() > WAIT_MAX {
            return Err(Failure::Superseded);
        }
        // SAFETY: sleeps.
        unsafe { pg_sys::pg_usleep(STEP_US) };
    }
    let mut guard = memory::lock(&keys).ok_or(NO_MEMORY)?;
    let mut windows = Vec::with_capacity(keys.len());
    for key in &keys {
        // One that was opened by somebody who then rolled back is not open any more.
        let open = guard.find(key).map(|location| guard.place(location)).filter(|place| place.is_carry_known);
        windows.push((Instant(key.window_start), open.map(|place| place.base.carried_units)));
    }
    Ok(windows)
}

fn is_in_flight_elsewhere(keys: &[Key]) -> bool {
    let Some(mut guard) = memory::lock(keys) else { return false };
    keys.iter()
        .any(|key| guard.find(key).is_some_and(|location| guard.place(location).pins > in_flight::own_pins(location)))
}
