//! Which engine keeps the balances, and how one takes over from the other.
//!
//! The tables say who kept them last: a row of `tokbudget.checkpoint` stands for the escrow engine. A server has one engine
//! for all sessions, so a session looks once, and again when PostgreSQL tells that the row came or went. The first call that
//! finds the other engine's state has it taken over, under locks that keep everybody else out: by a background worker,
//! whose transaction ends at once, or for want of one within its own.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use pgrx::pg_sys;
use pgrx::spi::SpiClient;

use crate::engine::escrow::{Ledger, in_flight, launcher, memory};
use crate::engine::latest::latest;
use crate::guc;
use crate::ledger::Failure;

macro_rules! new_checkpoint {
    () => {
        "INSERT INTO tokbudget.checkpoint (incarnation, covered, taken_by, taken_at)
         VALUES ($1, pg_catalog.pg_current_snapshot(), pg_catalog.pg_current_xact_id(), pg_catalog.clock_timestamp())"
    };
}

latest! {
    /// Nothing where there is no checkpoint, else whether it was taken here.
    Read find_checkpoint = "SELECT checkpoint.incarnation OPERATOR(pg_catalog.=) $1 FROM tokbudget.checkpoint"
}

latest! {
    /// What is held is the open reservations from now on, and no part of it stays in the rows.
    Write leave_holds_out =
    "UPDATE tokbudget.balance SET held_units = 0,
         granted_units = balance.granted_units OPERATOR(pg_catalog.-) COALESCE(hold.granted_units, 0)::bigint
     FROM tokbudget.balance AS old
     LEFT JOIN tokbudget._open_holds() AS hold ON hold.tenant_id OPERATOR(pg_catalog.=) old.tenant_id
         AND hold.budget_id OPERATOR(pg_catalog.=) old.budget_id AND hold.window_start OPERATOR(pg_catalog.=) old.window_start
     WHERE balance.tenant_id OPERATOR(pg_catalog.=) old.tenant_id AND balance.budget_id OPERATOR(pg_catalog.=) old.budget_id
         AND balance.window_start OPERATOR(pg_catalog.=) old.window_start
         AND (old.held_units OPERATOR(pg_catalog.<>) 0::bigint OR COALESCE(hold.granted_units, 0) OPERATOR(pg_catalog.<>) 0::numeric)"
}

latest! { Write insert_checkpoint = new_checkpoint!() }

latest! {
    /// What a window got from the one before is known to be nothing where nobody has said otherwise.
    Write settle_carries = "UPDATE tokbudget.balance SET carried_units = 0 WHERE balance.carried_units IS NULL"
}

latest! { Write delete_checkpoint = "DELETE FROM tokbudget.checkpoint" }

latest! {
    /// Rows that nothing speaks for have been written by nobody: they go back to zero.
    Write sum_anew = concat!(
        "WITH folded AS MATERIALIZED (SELECT * FROM tokbudget._fold()),
         kept AS (
             INSERT INTO tokbudget.balance AS b (tenant_id, budget_id, window_start, spent_units, granted_units)
             SELECT folded.tenant_id, folded.budget_id, folded.window_start, folded.units::bigint, folded.granted_units::bigint
             FROM folded
             ORDER BY folded.tenant_id, folded.budget_id, folded.window_start
             ON CONFLICT (tenant_id, budget_id, window_start)
                 DO UPDATE SET spent_units = EXCLUDED.spent_units, granted_units = EXCLUDED.granted_units, held_units = 0
         ),
         gone AS (
             UPDATE tokbudget.balance SET spent_units = 0, held_units = 0, granted_units = 0
             WHERE (balance.spent_units OPERATOR(pg_catalog.<>) 0::bigint OR balance.held_units OPERATOR(pg_catalog.<>) 0::bigint
                     OR balance.granted_units OPERATOR(pg_catalog.<>) 0::bigint)
                 AND NOT EXISTS (
                     SELECT FROM folded WHERE folded.tenant_id OPERATOR(pg_catalog.=) balance.tenant_id
                         AND folded.budget_id OPERATOR(pg_catalog.=) balance.budget_id
                         AND folded.window_start OPERATOR(pg_catalog.=) balance.window_start)
         ) ",
        new_checkpoint!()
    )
}

latest! {
    Write add_tail_and_holds =
    "WITH sums AS (
         SELECT tenant_id, budget_id, window_start, COALESCE(tail.units, 0) AS spent, COALESCE(hold.units, 0) AS held,
             COALESCE(tail.granted_units, 0) OPERATOR(pg_catalog.+) COALESCE(hold.granted_units, 0) AS granted
         FROM tokbudget._tail(true) AS tail FULL JOIN tokbudget._open_holds() AS hold USING (tenant_id, budget_id, window_start)
     )
     INSERT INTO tokbudget.balance AS b (tenant_id, budget_id, window_start, spent_units, held_units, granted_units)
     SELECT sums.tenant_id, sums.budget_id, sums.window_start, sums.spent::bigint, sums.held::bigint, sums.granted::bigint
     FROM sums
     ORDER BY sums.tenant_id, sums.budget_id, sums.window_start
     ON CONFLICT (tenant_id, budget_id, window_start) DO UPDATE SET
         spent_units = b.spent_units OPERATOR(pg_catalog.+) EXCLUDED.spent_units,
         held_units = EXCLUDED.held_units,
         granted_units = b.granted_units OPERATOR(pg_catalog.+) EXCLUDED.granted_units"
}

/// Which engine this server runs on a primary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Rows,
    Escrow,
}

/// What the settings and the memory allow.
pub fn kind() -> Kind {
    if memory::is_there() && guc::is_escrow_wanted() { Kind::Escrow } else { Kind::Rows }
}

static WATCHED: AtomicU32 = AtomicU32::new(0);
static GENERATION: AtomicU64 = AtomicU64::new(1);

thread_local! {
    static KNOWN: RefCell<Option<(u64, Kind, Ledger)>> = const { RefCell::new(None) };
}

/// Called once per process, from `_PG_init`.
pub fn init() {
    // SAFETY: registers a function that lives as long as the process.
    unsafe { pg_sys::CacheRegisterRelcacheCallback(Some(forget), pg_sys::Datum::from(0_usize)) }
}

unsafe extern "C-unwind" fn forget(_: pg_sys::Datum, relation: pg_sys::Oid) {
    let relation = relation.to_u32();
    if relation == 0 || relation == WATCHED.load(Ordering::Relaxed) {
        GENERATION.fetch_add(1, Ordering::Relaxed);
    }
}

/// This database in this cluster: anywhere else a transaction id means something else.
pub fn incarnation() -> String {
    // SAFETY: plain values of the process and of shared memory.
    let (system, database) = unsafe { (pg_sys::GetSystemIdentifier(), pg_sys::MyDatabaseId) };
    format!("{system}/{}", database.to_u32())
}

fn table(name: &std::ffi::CStr) -> pg_sys::Oid {
    // SAFETY: plain look-ups in the system caches.
    unsafe { pg_sys::get_relname_relid(name.as_ptr(), pg_sys::get_namespace_oid(c"tokbudget".as_ptr(), true)) }
}

/// Whether this server follows another one, and only reads.
pub fn is_standby() -> bool {
    // SAFETY: looks at shared memory.
    unsafe { pg_sys::RecoveryInProgress() }
}

/// Where the balances are, if the engine of this kind keeps them. Changes nothing.
pub fn find(client: &mut SpiClient<'_>, kind: Kind) -> Result<Option<Ledger>, Failure> {
    if let Some(ledger) = known(kind) {
        return Ok(Some(ledger));
    }
    look(client, kind)
}

fn known(kind: Kind) -> Option<Ledger> {
    // SAFETY: within a statement, where PostgreSQL itself does the same whenever it locks a table.
    unsafe { pg_sys::AcceptInvalidationMessages() };
    let present = GENERATION.load(Ordering::Relaxed);
    let is_current = |(generation, known, _): &(u64, Kind, Ledger)| (*generation, *known) == (present, kind);
    KNOWN.with_borrow(|known| known.filter(is_current)).map(|(.., ledger)| ledger)
}

pub fn ledger() -> Ledger {
    // SAFETY: a plain variable of the process.
    Ledger { database: unsafe { pg_sys::MyDatabaseId }.to_u32(), relation: table(c"balance").to_u32() }
}

fn look(client: &mut SpiClient<'_>, kind: Kind) -> Result<Option<Ledger>, Failure> {
    WATCHED.store(table(c"checkpoint").to_u32(), Ordering::Relaxed);
    let present = GENERATION.load(Ordering::Relaxed);
    if !is_taken_over(client, kind)? {
        return Ok(None);
    }
    let ledger = ledger();
    KNOWN.set(Some((present, kind, ledger)));
    Ok(Some(ledger))
}

/// Makes sure that the engine of this server keeps the balances, and says where they are.
pub fn require(client: &mut SpiClient<'_>, kind: Kind) -> Result<Ledger, Failure> {
    if let Some(ledger) = find(client, kind)? {
        return Ok(ledger);
    }
    let ledger = ledger();
    if kind == Kind::Rows || !is_taken_over_by_worker(client, ledger)? {
        take_over(client, kind, ledger)?;
    }
    Ok(ledger)
}

/// How long a call waits for a worker to take over, before it does so itself and keeps others waiting until its end.
const WAIT_MAX: Duration = Duration::from_millis(500);
const STEP_US: i64 = 2_000;

fn is_taken_over_by_worker(client: &mut SpiClient<'_>, ledger: Ledger) -> Result<bool, Failure> {
    let begin = Instant::now();
    let Some(process) = launcher::want_worker(ledger.database) else { return Ok(false) };
    // SAFETY: looks the process up and wakes it; a process that has ended is not found.
    unsafe {
        let process = pg_sys::BackendPidGetProc(process);
        if process.is_null() {
            return Ok(false);
        }
        pg_sys::SetLatch(&raw mut (*process).procLatch);
    }
    while begin.elapsed() < WAIT_MAX {
        pgrx::check_for_interrupts!();
        if look(client, Kind::Escrow)?.is_some() {
            return Ok(true);
        }
        // SAFETY: sleeps.
        unsafe { pg_sys::pg_usleep(STEP_US) };
    }
    Ok(false)
}

/// The same for a worker, for which nobody can take over.
pub fn require_here(client: &mut SpiClient<'_>, kind: Kind) -> Result<(), Failure> {
    if find(client, kind)?.is_none() {
        take_over(client, kind, ledger())?;
    }
    Ok(())
}

fn checkpoint(client: &mut SpiClient<'_>) -> Result<Option<bool>, Failure> {
    let rows = find_checkpoint(client, &[incarnation().into()])?;
    Ok(rows.first().map(|row| row.first().copied().flatten() == Some(1)))
}

fn is_taken_over(client: &mut SpiClient<'_>, kind: Kind) -> Result<bool, Failure> {
    Ok(checkpoint(client)?
        == match kind {
            Kind::Rows => None,
            Kind::Escrow => Some(true),
        })
}

/// Takes the balances over from the other engine, or from another incarnation of this one.
fn take_over(client: &mut SpiClient<'_>, kind: Kind, ledger: Ledger) -> Result<(), Failure> {
    keep_out_takers();
    if is_taken_over(client, kind)? {
        return Ok(());
    }
    keep_out_writers();
    match (kind, checkpoint(client)?) {
        (Kind::Rows, None) | (Kind::Escrow, Some(true)) => {}
        (Kind::Escrow, None) => {
            leave_holds_out(client, &[])?;
            insert_checkpoint(client, &[incarnation().into()])?;
        }
        (Kind::Rows, Some(true)) => keep_in_rows(client)?,
        (kind, Some(false)) => sum_anew_for(client, kind, ledger)?,
    }
    Ok(())
}

/// Keeps out whoever takes over too, until the transaction ends. Before [`keep_out_writers`], everywhere.
fn keep_out_takers() {
    // SAFETY: within a transaction.
    unsafe { pg_sys::LockRelationOid(table(c"checkpoint"), pg_sys::ShareRowExclusiveLock as i32) }
}

/// Keeps out whoever writes balance rows: also a transaction that was prepared before the server changed engines.
fn keep_out_writers() {
    // SAFETY: within a transaction.
    unsafe { pg_sys::LockRelationOid(table(c"balance"), pg_sys::ExclusiveLock as i32) }
}

fn keep_in_rows(client: &mut SpiClient<'_>) -> Result<(), Failure> {
    add_tail_and_holds(client, &[])?;
    settle_carries(client, &[])?;
    delete_checkpoint(client, &[])?;
    Ok(())
}

/// Sums all balances anew, because somebody has changed the tables by hand. Returns on how many something is in flight.
pub fn reload(client: &mut SpiClient<'_>) -> Result<i64, Failure> {
    let (kind, ledger) = (kind(), ledger());
    keep_out_takers();
    keep_out_writers();
    sum_anew_for(client, kind, ledger)?;
    Ok(memory::forget(ledger))
}

/// Sums all balances anew from the ledger, and forgets what is in memory.
fn sum_anew_for(client: &mut SpiClient<'_>, kind: Kind, ledger: Ledger) -> Result<(), Failure> {
    delete_checkpoint(client, &[])?;
    sum_anew(client, &[incarnation().into()])?;
    // Now for this transaction; when it ends for what others have read in between, who do not see the new sums yet.
    in_flight::note_summing(ledger);
    memory::forget(ledger);
    match kind {
        Kind::Rows => keep_in_rows(client),
        Kind::Escrow => Ok(()),
    }
}
