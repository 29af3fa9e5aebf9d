//! What a session keeps of the catalogue, the prices, the rates and who may do what, and when it must read them anew.
//!
//! PostgreSQL tells every session of a change to a table's definition through its relation cache. A trigger on each of these
//! tables sends the same message for a change of its rows (`tokbudget._notice_change`). It travels with the commit, so it
//! arrives before any later decision, on a standby too; nothing has to be looked up to learn that nothing has changed.

use std::ffi::CStr;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use pgrx::pg_sys;

const TABLES: [&CStr; 7] = [c"access", c"first_use", c"model", c"model_alias", c"price", c"quota", c"rate"];

static WATCHED: [AtomicU32; TABLES.len()] = [const { AtomicU32::new(0) }; TABLES.len()];
static GENERATION: AtomicU64 = AtomicU64::new(1);

/// Called once per process, from `_PG_init`.
pub fn init() {
    // SAFETY: registers a function that lives as long as the process; sessions of a preloading server inherit it.
    unsafe { pg_sys::CacheRegisterRelcacheCallback(Some(forget), pg_sys::Datum::from(0_usize)) }
}

/// Runs wherever PostgreSQL handles invalidation messages, so it does nothing but count.
unsafe extern "C-unwind" fn forget(_: pg_sys::Datum, relation: pg_sys::Oid) {
    let relation = relation.to_u32();
    // Oid 0 means every relation.
    if relation == 0 || WATCHED.iter().any(|watched| watched.load(Ordering::Relaxed) == relation) {
        GENERATION.fetch_add(1, Ordering::Relaxed);
    }
}

/// A number that grows with every change. What was read under the present number is current.
pub fn generation() -> u64 {
    // SAFETY: called within a statement, where PostgreSQL itself does the same whenever it locks a table.
    unsafe { pg_sys::AcceptInvalidationMessages() };
    GENERATION.load(Ordering::Relaxed)
}

/// To be called before something is read in order to be kept: from here on, changes are noticed. None if it must not be
/// kept, because the transaction reads with an old snapshot.
///
/// It rests on the order of two things. Every statement that reads takes a new snapshot after this call (that is what
/// [`crate::statement`] prepares them for), and a change becomes visible before its message is sent. So what is read under
/// a number either has a change or sees the number grow afterwards.
pub fn begin_reading() -> Option<u64> {
    // SAFETY: plain look-ups in the system caches; all names outlive them.
    let schema = unsafe { pg_sys::get_namespace_oid(c"tokbudget".as_ptr(), true) };
    for (table, watched) in TABLES.iter().zip(&WATCHED) {
        // SAFETY: as above.
        let oid = unsafe { pg_sys::get_relname_relid(table.as_ptr(), schema) };
        watched.store(oid.to_u32(), Ordering::Relaxed);
    }
    // SAFETY: a plain variable of the process.
    let isolation = unsafe { pg_sys::XactIsoLevel };
    (isolation < pg_sys::XACT_REPEATABLE_READ as i32).then(generation)
}

/// Tells every session, at the commit of this transaction, that rows of the table have changed.
pub fn notice_change(table: pg_sys::Oid) {
    // SAFETY: PostgreSQL raises an error for an oid that is no relation.
    unsafe { pg_sys::CacheInvalidateRelcacheByRelid(table) }
}
