//! What a session keeps of the configuration, and when it must read it anew.
//!
//! PostgreSQL tells every session of a change to a table's definition through its relation cache. A trigger on each of these
//! tables sends the same message for a change of its rows (`tokbudget._notice_change`). It travels with the commit, so it
//! arrives before any later decision, on a standby too; nothing has to be looked up to learn that nothing has changed.
//!
//! A session's own changes reach it at the end of the command that makes them, and what it has read since is forgotten if
//! they are rolled back, to a savepoint too. Rows that are only ever added send no message where nobody can have kept that
//! they are missing: accounts, tenants, and budgets given by quota. Of those that the present transaction has made nothing
//! must be kept, because nobody would tell of their rollback ([`is_own`]).

use std::ffi::CStr;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use pgrx::pg_sys;

/// What changes together, so that a change of one thing does not throw away all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// The catalogue, the prices, the rates and the calibrations.
    Book,
    /// Who may do what.
    Access,
    /// Accounts, their budgets and grants, and what they are given on first use.
    Tree,
}

const TABLES: [(&CStr, Topic); 12] = [
    (c"access", Topic::Access),
    (c"account", Topic::Tree),
    (c"budget", Topic::Tree),
    (c"budget_grant", Topic::Tree),
    (c"calibration", Topic::Book),
    (c"first_use", Topic::Tree),
    (c"model", Topic::Book),
    (c"model_alias", Topic::Book),
    (c"price", Topic::Book),
    (c"quota", Topic::Tree),
    (c"rate", Topic::Book),
    (c"tenant", Topic::Tree),
];

static WATCHED: [AtomicU32; TABLES.len()] = [const { AtomicU32::new(0) }; TABLES.len()];
static GENERATIONS: [AtomicU64; 3] = [const { AtomicU64::new(1) }; 3];

impl Topic {
    fn generation(self) -> &'static AtomicU64 {
        let [book, access, tree] = &GENERATIONS;
        match self {
            Topic::Book => book,
            Topic::Access => access,
            Topic::Tree => tree,
        }
    }
}

/// Called once per process, from `_PG_init`.
pub fn init() {
    // SAFETY: registers a function that lives as long as the process; sessions of a preloading server inherit it.
    unsafe { pg_sys::CacheRegisterRelcacheCallback(Some(forget), pg_sys::Datum::from(0_usize)) }
}

/// Runs wherever PostgreSQL handles invalidation messages, so it does nothing but count.
unsafe extern "C-unwind" fn forget(_: pg_sys::Datum, relation: pg_sys::Oid) {
    let relation = relation.to_u32();
    for (watched, (_, topic)) in WATCHED.iter().zip(&TABLES) {
        // Oid 0 means every relation.
        if relation == 0 || watched.load(Ordering::Relaxed) == relation {
            topic.generation().fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// A number that grows with every change. What was read under the present number is current.
pub fn generation(topic: Topic) -> u64 {
    // SAFETY: called within a statement, where PostgreSQL itself does the same whenever it locks a table.
    unsafe { pg_sys::AcceptInvalidationMessages() };
    topic.generation().load(Ordering::Relaxed)
}

/// Whether each statement of the transaction sees what has committed until it begins.
fn is_read_committed() -> bool {
    // SAFETY: a plain variable of the process.
    let isolation = unsafe { pg_sys::XactIsoLevel };
    isolation < pg_sys::XACT_REPEATABLE_READ as i32
}

/// [`generation`], or None if what is kept must not be used, because the transaction sees everything as it was at its
/// beginning.
pub fn usable_generation(topic: Topic) -> Option<u64> {
    is_read_committed().then(|| generation(topic))
}

/// To be called before something is read in order to be kept: from here on, changes are noticed. None if it must not be
/// kept, because the transaction reads with an old snapshot.
///
/// It rests on the order of two things. Every statement that reads takes a new snapshot after this call (that is what
/// [`crate::statement`] prepares them for), and a change becomes visible before its message is sent. So what is read under
/// a number either has a change or sees the number grow afterwards.
pub fn begin_reading(topic: Topic) -> Option<u64> {
    // SAFETY: plain look-ups in the system caches; all names outlive them.
    let schema = unsafe { pg_sys::get_namespace_oid(c"tokbudget".as_ptr(), true) };
    for ((table, _), watched) in TABLES.iter().zip(&WATCHED) {
        // SAFETY: as above.
        let oid = unsafe { pg_sys::get_relname_relid(table.as_ptr(), schema) };
        watched.store(oid.to_u32(), Ordering::Relaxed);
    }
    usable_generation(topic)
}

/// Whether the present transaction has made this version of a row.
pub fn is_own(xmin: pg_sys::TransactionId) -> bool {
    // SAFETY: asks for the state of the present transaction and changes nothing.
    unsafe { pg_sys::TransactionIdIsCurrentTransactionId(xmin) }
}

/// Tells this session at the end of the command, and every other at the commit of this transaction, that rows of the table
/// have changed.
pub fn notice_change(table: pg_sys::Oid) {
    // SAFETY: PostgreSQL raises an error for an oid that is no relation. A command that has used its number is followed by
    // the handling of its messages; otherwise they would wait for the next change, and a rollback would drop them.
    unsafe {
        pg_sys::CacheInvalidateRelcacheByRelid(table);
        pg_sys::GetCurrentCommandId(true);
    }
}
