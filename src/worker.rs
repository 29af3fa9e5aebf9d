//! Background workers of a preloading server: checkpoints, and upkeep for a database in which nobody runs jobs.
//!
//! One launcher starts one short-lived worker after the other, like autovacuum does: none stays connected, so none is in
//! the way of DROP DATABASE or of a new template, and none holds a snapshot for long. They run on a primary only; on a
//! standby the launcher starts with its promotion. Nothing depends on them for being right.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use pgrx::bgworkers::{BackgroundWorker, BackgroundWorkerBuilder, BgWorkerStartTime, SignalWakeFlags};
use pgrx::prelude::*;

use crate::engine::escrow::{launcher, memory};
use crate::engine::handover;
use crate::guc;

const LIBRARY: &str = "tokbudget";
const LAUNCHER: &str = "tokbudget launcher";
const RESTART: Duration = Duration::from_secs(5);
/// In the argument of a worker, above the oid of its database: upkeep too.
const WITH_UPKEEP: u64 = 1 << 32;
const BATCH_SIZE: i32 = 10_000;
/// Entries that one transaction adds to the roll-ups, so that its snapshot is not held for long, and how many of them one
/// round has at most.
const ROLL_UP_BATCH_SIZE: i32 = 100_000;
const ROLL_UP_BATCHES: usize = 10;
/// How long to look for anomalies; tenants that are left come first in the next round.
const ANOMALIES_AT_MOST: &str = "5 seconds";

/// Called in the postmaster.
pub fn init() {
    // SAFETY: a plain variable of the process. A server that pg_upgrade has started is for pg_upgrade alone.
    if unsafe { pg_sys::IsBinaryUpgrade } {
        return;
    }
    BackgroundWorkerBuilder::new(LAUNCHER)
        .set_type(LAUNCHER)
        .set_library(LIBRARY)
        .set_function("tokbudget_launcher_main")
        .set_start_time(BgWorkerStartTime::RecoveryFinished)
        .set_restart_time(Some(RESTART))
        .enable_spi_access()
        .load();
}

/// Entry point of the launcher.
#[pg_guard]
#[unsafe(no_mangle)]
pub extern "C-unwind" fn tokbudget_launcher_main(_argument: pg_sys::Datum) {
    BackgroundWorker::attach_signal_handlers(SignalWakeFlags::SIGHUP | SignalWakeFlags::SIGTERM);
    // To no database: only the shared catalogues can be read.
    BackgroundWorker::connect_worker_to_spi(None, None);
    // SAFETY: a plain variable of the process.
    launcher::register(unsafe { pg_sys::MyProcPid });
    // Not at once: right after a start there is enough to do, and balances are read into memory.
    let mut last_upkeep = Instant::now();
    while BackgroundWorker::wait_latch(Some(pause())) {
        if BackgroundWorker::sighup_received() {
            // SAFETY: the main loop is where PostgreSQL's own workers do it.
            unsafe { pg_sys::ProcessConfigFile(pg_sys::GucContext::PGC_SIGHUP) };
        }
        for database in launcher::take_wanted() {
            run(u64::from(database));
        }
        let upkeep = guc::upkeep_interval();
        let is_upkeep_due = upkeep.is_some_and(|interval| last_upkeep.elapsed() >= interval);
        if is_upkeep_due {
            last_upkeep = Instant::now();
            for database in all_databases() {
                run(u64::from(database) | WITH_UPKEEP);
            }
        } else {
            for database in changed_databases() {
                run(u64::from(database));
            }
        }
    }
    // The postmaster starts it again, should only it have been told to end; after an exit without an error it would not.
    // SAFETY: ends the process in PostgreSQL's own way; nothing here is left to be dropped.
    unsafe { pg_sys::proc_exit(1) };
}

fn pause() -> Duration {
    Duration::from_millis(u64::try_from(guc::checkpoint_interval_ms()).unwrap_or(1_000))
}

/// Those in which a balance has changed since the last look.
fn changed_databases() -> BTreeSet<u32> {
    let mut databases = BTreeSet::new();
    memory::sweep(|place| {
        if std::mem::take(&mut place.is_changed) {
            databases.insert(place.key.database);
        }
    });
    databases
}

fn all_databases() -> Vec<u32> {
    BackgroundWorker::transaction(|| {
        let mut databases = Vec::new();
        // SAFETY: a scan of a shared catalogue within a transaction; tuples are used while the scan stands on them.
        unsafe {
            let relation = pg_sys::table_open(pg_sys::DatabaseRelationId, pg_sys::AccessShareLock as i32);
            let none = pg_sys::InvalidOid;
            let scan = pg_sys::systable_beginscan(relation, none, false, std::ptr::null_mut(), 0, std::ptr::null_mut());
            loop {
                let tuple = pg_sys::systable_getnext(scan);
                if tuple.is_null() {
                    break;
                }
                let header = (*tuple).t_data;
                let row = header.cast::<u8>().add(usize::from((*header).t_hoff)).cast::<pg_sys::FormData_pg_database>();
                if (*row).datallowconn && !(*row).datistemplate {
                    databases.push((*row).oid.to_u32());
                }
            }
            pg_sys::systable_endscan(scan);
            pg_sys::table_close(relation, pg_sys::AccessShareLock as i32);
        }
        databases
    })
}

/// Starts a worker and waits for its end, so that one slot for workers is enough.
fn run(argument: u64) {
    // SAFETY: a plain variable of the process.
    let own = unsafe { pg_sys::MyProcPid };
    let worker = BackgroundWorkerBuilder::new("tokbudget worker")
        .set_type("tokbudget worker")
        .set_library(LIBRARY)
        .set_function("tokbudget_worker_main")
        .set_argument(Some(pg_sys::Datum::from(argument)))
        .set_notify_pid(own)
        .enable_spi_access()
        .load_dynamic();
    // Without a free slot (max_worker_processes) the next round tries again.
    if let Ok(worker) = worker {
        let _ = worker.wait_for_shutdown();
    }
}

/// Entry point of a worker for one database.
#[pg_guard]
#[unsafe(no_mangle)]
pub extern "C-unwind" fn tokbudget_worker_main(argument: pg_sys::Datum) {
    BackgroundWorker::attach_signal_handlers(SignalWakeFlags::SIGTERM);
    let argument = argument.value() as u64;
    BackgroundWorker::connect_worker_to_spi_by_oid(Some(pg_sys::Oid::from(argument as u32)), None);
    if !BackgroundWorker::transaction(is_extension_here) {
        return;
    }
    step("SELECT tokbudget._take_checkpoint()");
    if argument & WITH_UPKEEP != 0 && !BackgroundWorker::sigterm_received() {
        step(&format!("SELECT tokbudget._expire({BATCH_SIZE})"));
        step(&format!("SELECT tokbudget._delete_idempotency_keys({BATCH_SIZE})"));
        let refresh = format!("SELECT is_pending FROM tokbudget._refresh({ROLL_UP_BATCH_SIZE}, false)");
        for _ in 0..ROLL_UP_BATCHES {
            if !step(&refresh) || BackgroundWorker::sigterm_received() {
                break;
            }
        }
        step(&format!(
            "SELECT tokbudget._make_partitions(tokbudget._now() OPERATOR(pg_catalog.+) '12 months'::interval, {BATCH_SIZE})"
        ));
        step(&format!("SELECT tokbudget._detect_anomalies('{ANOMALIES_AT_MOST}')"));
    }
}

/// One transaction each, none of which waits long for anybody. Whether the first column of the answer is true.
fn step(sql: &str) -> bool {
    let sql = sql.to_string();
    BackgroundWorker::transaction(move || {
        let done = Spi::connect_mut(|client| {
            // Shorter than deadlock_timeout, so that of a user's DROP EXTENSION and this it is this that gives way.
            client.update("SET LOCAL lock_timeout = '100ms'", None, &[])?;
            if let Err(failure) = handover::require_here(client, handover::kind()) {
                error!("tokbudget: {failure:?}");
            }
            let mut answer = client.update(sql.as_str(), None, &[])?;
            // What is not a boolean is not true.
            Ok::<_, spi::Error>(answer.next().is_some_and(|row| row.get::<bool>(1) == Ok(Some(true))))
        });
        match done {
            Ok(is_true) => is_true,
            Err(spi_error) => error!("tokbudget: {spi_error}"),
        }
    })
}

fn is_extension_here() -> bool {
    // SAFETY: plain look-ups in the system caches.
    let extension = unsafe { pg_sys::get_extension_oid(c"tokbudget".as_ptr(), true) };
    extension != pg_sys::InvalidOid
}
