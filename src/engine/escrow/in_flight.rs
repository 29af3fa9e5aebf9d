//! What the transaction of this backend has in flight: changes that others count at their worst until it ends.
//!
//! Kept by subtransaction, because a rollback to a savepoint, or an exception block of PL/pgSQL, takes back its own part.
//! PostgreSQL tells of every end: commit, abort, also the abort of a session that is terminated. When it tells of a commit
//! the rows are visible to others already, so a balance that is not in memory can be folded from the tables, and one that
//! is counts the change as in flight or as done, never as neither.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::ffi::c_void;
use std::sync::atomic::Ordering;

use pgrx::{pg_guard, pg_sys};

use crate::clock;
use crate::engine::decide::Change;
use crate::engine::escrow::Ledger;
use crate::engine::escrow::memory::{self, Guard, Location};
use crate::engine::escrow::place::{Key, Place};
use crate::instant::Instant;

/// Everything that a subtransaction changed of one balance.
#[derive(Clone, Copy)]
struct Part {
    change: Change,
    /// Sum of what its steps take at worst, each by itself: a later step may be rolled back without an earlier one.
    worst_units: i128,
    worst_spent_units: i128,
    /// When the earliest of the holds that it gives back expires.
    expires_at: Instant,
    pins: u32,
}

impl Part {
    fn add(&mut self, other: &Part) {
        self.change = self.change.plus(other.change);
        self.worst_units += other.worst_units;
        self.worst_spent_units += other.worst_spent_units;
        self.expires_at = self.expires_at.min(other.expires_at);
        self.pins += other.pins;
    }
}

struct Level {
    subtransaction: pg_sys::SubTransactionId,
    parts: HashMap<Location, Part>,
}

#[derive(Default)]
struct InFlight {
    levels: Vec<Level>,
    /// Budgets whose balances this transaction has closed to others.
    closed: Vec<pg_sys::SubTransactionId>,
    /// What it has read into memory since: the schedule of these may be the one that is rolled back.
    read_closed: Vec<Key>,
    /// What was summed anew and is not committed yet: until then others may read the old sums into memory.
    summed: Vec<(Ledger, pg_sys::SubTransactionId)>,
    /// Balances for which there was no room: decided from the tables until the end, under a lock.
    outside: Vec<(Key, pg_sys::SubTransactionId)>,
}

thread_local! {
    static IN_FLIGHT: RefCell<InFlight> = RefCell::default();
}

/// Registers what PostgreSQL calls at the end of transactions. Once per process; sessions inherit it from the postmaster.
pub fn init() {
    // SAFETY: registers functions that live as long as the process.
    unsafe {
        pg_sys::RegisterXactCallback(Some(end_transaction), std::ptr::null_mut());
        pg_sys::RegisterSubXactCallback(Some(end_subtransaction), std::ptr::null_mut());
    }
}

fn subtransaction() -> pg_sys::SubTransactionId {
    // SAFETY: within a transaction.
    unsafe { pg_sys::GetCurrentSubTransactionId() }
}

/// What a step takes of the window's own, or of a grant, if it is counted and what it gives back is not. A hold that has
/// expired counts for nobody, so giving it back makes up for nothing.
fn worst(change: Change, is_expired: bool) -> i128 {
    let spent_units = i128::from(change.spent_units);
    let taken = if is_expired {
        spent_units
    } else {
        spent_units + i128::from(change.held_units) - i128::from(change.granted_units)
    };
    taken.max(0)
}

/// Changes balances that are locked, for as long as the transaction lasts.
pub fn add(guard: &mut Guard, changes: impl Iterator<Item = (Location, Change, Instant)>, now: Instant) {
    IN_FLIGHT.with_borrow_mut(|in_flight| {
        let subtransaction = subtransaction();
        if in_flight.levels.last().is_none_or(|level| level.subtransaction != subtransaction) {
            in_flight.levels.push(Level { subtransaction, parts: HashMap::new() });
        }
        let Some(level) = in_flight.levels.last_mut() else { return };
        for (location, change, expires_at) in changes {
            let worst_spent_units = i128::from(change.spent_units.max(0));
            let worst_units = worst(change, expires_at <= now);
            let mut part = Part { change, worst_units, worst_spent_units, expires_at, pins: 0 };
            let known = level.parts.get_mut(&location);
            part.pins = u32::from(known.is_none());
            guard.change(location, |place| {
                if part.worst_spent_units > 0 {
                    let is_first = place.in_flight_spent_units == 0 && !place.is_unwatched;
                    let before = if is_first { i64::MAX } else { place.watched_units };
                    place.watched_units = place.base.spent_units.min(before);
                }
                place.in_flight_units += part.worst_units;
                place.in_flight_spent_units += part.worst_spent_units;
                place.pins += part.pins;
            });
            match known {
                Some(known) => known.add(&part),
                None => {
                    level.parts.insert(location, part);
                }
            }
        }
    });
}

/// What this transaction has changed of a balance, and how much of what is in flight is its own: (change, units, spent).
pub fn own(location: Location) -> (Change, i128, i128) {
    IN_FLIGHT.with_borrow(|in_flight| {
        let mut own = (Change::default(), 0, 0);
        for part in in_flight.levels.iter().filter_map(|level| level.parts.get(&location)) {
            own = (own.0.plus(part.change), own.1 + part.worst_units, own.2 + part.worst_spent_units);
        }
        own
    })
}

/// How many pins of a balance are this transaction's.
pub fn own_pins(location: Location) -> u32 {
    IN_FLIGHT.with_borrow(|in_flight| {
        in_flight.levels.iter().filter_map(|level| level.parts.get(&location)).map(|part| part.pins).sum()
    })
}

/// What this transaction has in flight on a budget, in whichever window.
pub fn own_places(tenant_id: i32, budget_id: i64) -> Vec<Place> {
    let locations: BTreeSet<Location> = IN_FLIGHT
        .with_borrow(|in_flight| in_flight.levels.iter().flat_map(|level| level.parts.keys()).copied().collect());
    let is_meant = |place: &Place| place.key.budget_id == budget_id && place.key.tenant_id == tenant_id;
    locations.into_iter().filter_map(memory::look).filter(is_meant).collect()
}

/// Notes that balances are closed to others until this (sub)transaction ends.
pub fn note_closing() {
    IN_FLIGHT.with_borrow_mut(|in_flight| in_flight.closed.push(subtransaction()));
}

/// Notes what has been read into memory, where it matters.
pub fn note_read(keys: impl Iterator<Item = Key>) {
    IN_FLIGHT.with_borrow_mut(|in_flight| {
        if !in_flight.closed.is_empty() {
            in_flight.read_closed.extend(keys);
        }
    });
}

/// Notes that balances have been summed anew: once that is committed, or rolled back, what is in memory is read anew.
pub fn note_summing(ledger: Ledger) {
    IN_FLIGHT.with_borrow_mut(|in_flight| in_flight.summed.push((ledger, subtransaction())));
}

/// Notes that a balance is decided from the tables until this (sub)transaction ends.
pub fn note_outside(key: Key) {
    IN_FLIGHT.with_borrow_mut(|in_flight| {
        if !in_flight.outside.iter().any(|(known, _)| *known == key) {
            in_flight.outside.push((key, subtransaction()));
        }
    });
}

/// Whether a balance is decided from the tables.
pub fn is_outside(key: &Key) -> bool {
    IN_FLIGHT.with_borrow(|in_flight| in_flight.outside.iter().any(|(known, _)| known == key))
}

/// The number by which balances know who has closed them.
pub fn own_number() -> i32 {
    // SAFETY: a plain variable of the process.
    unsafe { pg_sys::MyProcPid }
}

fn settle(location: Location, part: &Part, is_committed: bool) {
    if is_committed && part.change.held_units < 0 && part.expires_at <= clock::at_end_of_transaction() {
        // Before the change itself: whoever has read the hold as expired sees the number grow before it could see both.
        if let Some(statistics) = memory::statistics() {
            statistics.expired_releases.fetch_add(1, Ordering::SeqCst);
        }
    }
    memory::resolve(location, |place| {
        place.in_flight_units -= part.worst_units;
        place.in_flight_spent_units -= part.worst_spent_units;
        place.pins -= part.pins;
        if is_committed {
            (place.is_committed, place.is_changed, place.is_opening) = (true, true, false);
            let base = &mut place.base;
            base.spent_units = base.spent_units.saturating_add(part.change.spent_units);
            base.held_units = base.held_units.saturating_add(part.change.held_units);
            base.granted_units = base.granted_units.saturating_add(part.change.granted_units);
            place.watched_units = place.watched_units.min(base.spent_units);
        } else {
            place.is_unwatched |= part.worst_spent_units > 0;
            if place.is_opening && place.pins == 0 {
                (place.is_opening, place.is_carry_known) = (false, false);
            }
        }
    });
}

/// Opens what this transaction closed to others. Where the schedule is another one now, it is read anew; where that was rolled
/// back, what was read meanwhile is.
fn reopen(read_closed: &[Key], is_committed: bool) {
    let own = own_number();
    memory::sweep(|place| {
        if place.closed_by == own {
            place.closed_by = 0;
            place.is_stale |= is_committed;
        }
        place.is_stale |= !is_committed && read_closed.contains(&place.key);
    });
}

// Guarded, because an error that it raises is a panic first, which C cannot pass on.
#[pg_guard]
unsafe extern "C-unwind" fn end_transaction(event: pg_sys::XactEvent::Type, _argument: *mut c_void) {
    use pg_sys::XactEvent as Event;
    match event {
        Event::XACT_EVENT_COMMIT | Event::XACT_EVENT_PARALLEL_COMMIT => end_all(true),
        Event::XACT_EVENT_ABORT | Event::XACT_EVENT_PARALLEL_ABORT => end_all(false),
        Event::XACT_EVENT_PRE_PREPARE => refuse_prepare(),
        _ => {}
    }
}

fn end_all(is_committed: bool) {
    let in_flight = IN_FLIGHT.take();
    for level in in_flight.levels {
        for (location, part) in &level.parts {
            settle(*location, part, is_committed);
        }
    }
    if !in_flight.closed.is_empty() {
        reopen(&in_flight.read_closed, is_committed);
    }
    for (ledger, _) in in_flight.summed {
        memory::forget(ledger);
    }
}

/// What is in flight belongs to a backend; a prepared transaction belongs to none, and may stay for days.
fn refuse_prepare() {
    let is_empty = IN_FLIGHT.with_borrow(|it| {
        it.levels.is_empty() && it.closed.is_empty() && it.outside.is_empty() && it.summed.is_empty()
    });
    if !is_empty {
        pgrx::ereport!(
            ERROR,
            pgrx::PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED,
            "cannot PREPARE a transaction that has moved balances",
            "Commit it, or run the server with tokbudget.engine = rows."
        );
    }
}

unsafe extern "C-unwind" fn end_subtransaction(
    event: pg_sys::SubXactEvent::Type,
    own: pg_sys::SubTransactionId,
    parent: pg_sys::SubTransactionId,
    _: *mut c_void,
) {
    use pg_sys::SubXactEvent as Event;
    match event {
        Event::SUBXACT_EVENT_COMMIT_SUB => IN_FLIGHT.with_borrow_mut(|in_flight| in_flight.merge(own, parent)),
        Event::SUBXACT_EVENT_ABORT_SUB => {
            let back = IN_FLIGHT.with_borrow_mut(|in_flight| in_flight.take_back(own));
            for (location, part) in &back.parts {
                settle(*location, part, false);
            }
            if let Some(read_closed) = back.reopened {
                reopen(&read_closed, false);
            }
            for ledger in back.summed {
                memory::forget(ledger);
            }
        }
        _ => {}
    }
}

/// What a subtransaction that was rolled back leaves to do.
struct TakenBack {
    parts: HashMap<Location, Part>,
    /// What was read while balances were closed, if they are to be opened again: all of them if any, and whoever closed others
    /// before closes nothing twice.
    reopened: Option<Vec<Key>>,
    summed: Vec<Ledger>,
}

impl InFlight {
    /// A subtransaction ended well: what it did is its parent's now.
    fn merge(&mut self, own: pg_sys::SubTransactionId, parent: pg_sys::SubTransactionId) {
        if self.levels.last().is_some_and(|level| level.subtransaction == own)
            && let Some(level) = self.levels.pop()
        {
            match self.levels.last_mut().filter(|below| below.subtransaction == parent) {
                None => self.levels.push(Level { subtransaction: parent, parts: level.parts }),
                Some(below) => {
                    for (location, part) in level.parts {
                        below.parts.entry(location).and_modify(|known| known.add(&part)).or_insert(part);
                    }
                }
            }
        }
        for closed in self.closed.iter_mut().filter(|closed| **closed == own) {
            *closed = parent;
        }
        for (_, outside) in self.outside.iter_mut().filter(|(_, outside)| *outside == own) {
            *outside = parent;
        }
        for (_, summed) in self.summed.iter_mut().filter(|(_, summed)| *summed == own) {
            *summed = parent;
        }
    }

    fn take_back(&mut self, own: pg_sys::SubTransactionId) -> TakenBack {
        let is_own = self.levels.last().is_some_and(|level| level.subtransaction == own);
        let parts = if is_own { self.levels.pop().map(|level| level.parts) } else { None };
        let is_closer = self.closed.contains(&own);
        self.closed.retain(|closed| *closed != own);
        self.outside.retain(|(_, outside)| *outside != own);
        let summed = self.summed.iter().filter(|(_, summed)| *summed == own).map(|(ledger, _)| *ledger).collect();
        self.summed.retain(|(_, summed)| *summed != own);
        let is_reopened = is_closer && self.closed.is_empty();
        let reopened = is_reopened.then(|| std::mem::take(&mut self.read_closed));
        TakenBack { parts: parts.unwrap_or_default(), reopened, summed }
    }
}
