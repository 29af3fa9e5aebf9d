//! SQL statements that Rust runs: prepared once per backend, kept for its life, run with a fresh snapshot.

use std::cell::OnceCell;

use pgrx::datum::{DatumWithOid, FromDatum, IntoDatum, TimestampWithTimeZone};
use pgrx::pg_sys::{self, PgOid, TransactionId};
use pgrx::spi::{OwnedPreparedStatement, SpiClient, SpiHeapTupleData, SpiTupleTable};

use crate::clock;
use crate::instant::Instant;
use crate::invalidation;
use crate::ledger::Failure;

/// A prepared statement of this backend.
pub type Plan = OnceCell<OwnedPreparedStatement>;

/// Whether a statement only reads. A read assigns no transaction id, so it works on a standby; both kinds see what has
/// committed until now, because every plan is prepared as one that may change data.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Access {
    Read,
    Write,
}

/// How a statement is planned.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Planning {
    /// As PostgreSQL sees fit, which for arrays is at every call anew.
    AsUsual,
    /// Once, to insert a row or to find some by the whole key of an index, or by several: there is only one way to do that,
    /// whatever the arguments.
    Once,
}

/// While it lives, statements are planned once for all arguments, and never as a scan of the whole table: on an empty one
/// that looks cheap, and the plan stays when it has grown.
struct PlannedOnce {
    plan_cache_mode: i32,
    enable_seqscan: bool,
}

impl PlannedOnce {
    fn begin() -> PlannedOnce {
        // SAFETY: plain variables of the process, which its one thread changes; drop gives them back, after an error too.
        unsafe {
            let before =
                PlannedOnce { plan_cache_mode: pg_sys::plan_cache_mode, enable_seqscan: pg_sys::enable_seqscan };
            pg_sys::plan_cache_mode = pg_sys::PlanCacheMode::PLAN_CACHE_MODE_FORCE_GENERIC_PLAN as i32;
            pg_sys::enable_seqscan = false;
            before
        }
    }
}

impl Drop for PlannedOnce {
    fn drop(&mut self) {
        // SAFETY: as above.
        unsafe {
            pg_sys::plan_cache_mode = self.plan_cache_mode;
            pg_sys::enable_seqscan = self.enable_seqscan;
        }
    }
}

/// Runs `plan`, which `prepare` makes if this backend has not done so yet.
pub fn run<'conn>(
    plan: &Plan,
    prepare: impl FnOnce(&mut SpiClient<'conn>) -> Result<OwnedPreparedStatement, Failure>,
    access: Access,
    planning: Planning,
    client: &mut SpiClient<'conn>,
    arguments: &[DatumWithOid<'_>],
) -> Result<SpiTupleTable<'conn>, Failure> {
    let prepared = match plan.get() {
        Some(prepared) => prepared,
        None => {
            let prepared = prepare(client)?;
            plan.get_or_init(|| prepared)
        }
    };
    let _planned_once = (planning == Planning::Once).then(PlannedOnce::begin);
    Ok(match access {
        Access::Read => client.select(prepared, None, arguments)?,
        Access::Write => client.update(prepared, None, arguments)?,
    })
}

/// A plan that stays.
pub fn prepare(client: &mut SpiClient<'_>, sql: &str, types: &[PgOid]) -> Result<OwnedPreparedStatement, Failure> {
    Ok(client.prepare_mut(sql, types)?.keep())
}

/// Defines a function that runs one SQL statement: `statement!(read|write name(TYPE…) = "sql")`; `statement!(read|write row …)`
/// if it inserts one row or finds some by the whole key of an index.
macro_rules! statement {
    ($(#[$doc:meta])* read row $name:ident($($type:ident),* $(,)?) = $sql:expr) => {
        statement!(@define [$(#[$doc])*] Read Once $name [$($type),*] $sql);
    };
    ($(#[$doc:meta])* write row $name:ident($($type:ident),* $(,)?) = $sql:expr) => {
        statement!(@define [$(#[$doc])*] Write Once $name [$($type),*] $sql);
    };
    ($(#[$doc:meta])* read $name:ident($($type:ident),* $(,)?) = $sql:expr) => {
        statement!(@define [$(#[$doc])*] Read AsUsual $name [$($type),*] $sql);
    };
    ($(#[$doc:meta])* write $name:ident($($type:ident),* $(,)?) = $sql:expr) => {
        statement!(@define [$(#[$doc])*] Write AsUsual $name [$($type),*] $sql);
    };
    (@define [$(#[$doc:meta])*] $access:ident $planning:ident $name:ident [$($type:ident),*] $sql:expr) => {
        $(#[$doc])*
        fn $name<'conn>(
            client: &mut pgrx::spi::SpiClient<'conn>,
            arguments: &[pgrx::datum::DatumWithOid<'_>],
        ) -> Result<pgrx::spi::SpiTupleTable<'conn>, $crate::ledger::Failure> {
            thread_local! {
                static PLAN: $crate::statement::Plan = const { $crate::statement::Plan::new() };
            }
            PLAN.with(|plan| {
                use $crate::statement::{Access, Planning, prepare, run};
                let types = || [$(pgrx::pg_sys::PgOid::from(pgrx::pg_sys::$type)),*];
                let made = |client: &mut pgrx::spi::SpiClient<'conn>| prepare(client, $sql, &types());
                run(plan, made, Access::$access, Planning::$planning, client, arguments)
            })
        }
    };
}
pub(crate) use statement;

/// A column that may be null.
pub fn optional<T: FromDatum + IntoDatum>(row: &SpiHeapTupleData<'_>, ordinal: usize) -> Result<Option<T>, Failure> {
    Ok(row.get::<T>(ordinal)?)
}

/// A column that the table declares NOT NULL.
pub fn required<T: FromDatum + IntoDatum>(row: &SpiHeapTupleData<'_>, ordinal: usize) -> Result<T, Failure> {
    optional(row, ordinal)?.ok_or(Failure::Internal("a column that cannot be null is null"))
}

/// A timestamp column that the table declares NOT NULL.
pub fn instant(row: &SpiHeapTupleData<'_>, ordinal: usize) -> Result<Instant, Failure> {
    Ok(clock::from_postgres(required::<TimestampWithTimeZone>(row, ordinal)?.into()))
}

/// A timestamp column that may be null.
pub fn optional_instant(row: &SpiHeapTupleData<'_>, ordinal: usize) -> Result<Option<Instant>, Failure> {
    Ok(optional::<TimestampWithTimeZone>(row, ordinal)?.map(|at| clock::from_postgres(at.into())))
}

/// A column of timestamps that the table declares NOT NULL.
pub fn instants(row: &SpiHeapTupleData<'_>, ordinal: usize) -> Result<Vec<Instant>, Failure> {
    let timestamps: Vec<TimestampWithTimeZone> = required(row, ordinal)?;
    Ok(timestamps.into_iter().map(|timestamp| clock::from_postgres(timestamp.into())).collect())
}

/// Whether the present transaction has made the row, whose `xmin` this column is.
pub fn is_own(row: &SpiHeapTupleData<'_>, ordinal: usize) -> Result<bool, Failure> {
    Ok(invalidation::is_own(required::<TransactionId>(row, ordinal)?))
}

/// An instant as an argument.
pub fn timestamp(instant: Instant) -> Result<TimestampWithTimeZone, Failure> {
    clock::to_postgres(instant).ok_or(Failure::Internal("an instant is beyond what a timestamp can express"))
}

/// Instants as an argument.
pub fn timestamps(instants: impl IntoIterator<Item = Instant>) -> Result<Vec<TimestampWithTimeZone>, Failure> {
    instants.into_iter().map(timestamp).collect()
}
