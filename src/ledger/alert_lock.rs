//! A lock of PostgreSQL's own kind on a mark that is being told of, until the transaction that tells of it ends: so that
//! others need not wait for that end to learn whether it has been told. It is only ever tried for.

use pgrx::pg_sys;

use crate::engine::Slot;

/// Keeps these locks apart from the advisory locks of users, which have 1 or 2 here, and from those on budgets.
const KIND: u16 = 0x7461;

/// Takes the lock for this transaction, unless another one has it.
pub fn try_acquire(tenant_id: i32, (budget_id, start): Slot, kind: &str, percent: i32) -> bool {
    let words = [tenant_id as u64, budget_id as u64, start.0 as u64, percent as u64, kind.len() as u64];
    // Each step is a bijection of the sum so far, so marks that differ in one word never share a tag.
    let number = words.iter().fold(0_u64, |sum, word| {
        let mixed = (sum ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed ^ (mixed >> 32)
    });
    let tag = pg_sys::LOCKTAG {
        // SAFETY: a plain variable of the process.
        locktag_field1: unsafe { pg_sys::MyDatabaseId }.to_u32(),
        locktag_field2: (number >> 32) as u32,
        locktag_field3: number as u32,
        locktag_field4: KIND,
        locktag_type: pg_sys::LockTagType::LOCKTAG_ADVISORY as u8,
        locktag_lockmethodid: pg_sys::USER_LOCKMETHOD as u8,
    };
    // SAFETY: within a transaction; an error on the way leaves nothing behind.
    let result = unsafe { pg_sys::LockAcquire(&raw const tag, pg_sys::ExclusiveLock as i32, false, true) };
    result != pg_sys::LockAcquireResult::LOCKACQUIRE_NOT_AVAIL
}
