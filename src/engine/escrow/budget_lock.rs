//! A lock on a budget, of PostgreSQL's own kind: waits can be cancelled, deadlocks are found, and the end of the transaction
//! releases it. Held for a moment by whoever reads balances of the budget into memory, and to the end of the transaction by
//! whoever changes its schedule or finds no room for it.

use pgrx::pg_sys;

/// Keeps these locks apart from the advisory locks of users, which have 1 or 2 here.
const KIND: u16 = 0x7462;

fn tag(tenant_id: i32, budget_id: i64) -> pg_sys::LOCKTAG {
    // Two budgets that share a tag only wait for each other where they need not.
    let number = (budget_id as u64) ^ (u64::from(tenant_id as u32) << 40);
    pg_sys::LOCKTAG {
        // SAFETY: a plain variable of the process.
        locktag_field1: unsafe { pg_sys::MyDatabaseId }.to_u32(),
        locktag_field2: (number >> 32) as u32,
        locktag_field3: number as u32,
        locktag_field4: KIND,
        locktag_type: pg_sys::LockTagType::LOCKTAG_ADVISORY as u8,
        locktag_lockmethodid: pg_sys::USER_LOCKMETHOD as u8,
    }
}

/// Takes it, waiting if need be.
pub fn acquire(tenant_id: i32, budget_id: i64) {
    let tag = tag(tenant_id, budget_id);
    // SAFETY: within a transaction; an error on the way leaves nothing behind.
    unsafe { pg_sys::LockAcquire(&raw const tag, pg_sys::ExclusiveLock as i32, false, false) };
}

/// Takes it if that needs no waiting, and says whether it has.
pub fn try_acquire(tenant_id: i32, budget_id: i64) -> bool {
    let tag = tag(tenant_id, budget_id);
    // SAFETY: within a transaction; an error on the way leaves nothing behind.
    let result = unsafe { pg_sys::LockAcquire(&raw const tag, pg_sys::ExclusiveLock as i32, false, true) };
    result != pg_sys::LockAcquireResult::LOCKACQUIRE_NOT_AVAIL
}

/// Gives back what [`acquire`] or [`try_acquire`] took.
pub fn release(tenant_id: i32, budget_id: i64) {
    let tag = tag(tenant_id, budget_id);
    // SAFETY: held by this transaction.
    unsafe { pg_sys::LockRelease(&raw const tag, pg_sys::ExclusiveLock as i32, false) };
}
