//! SQL statements that Rust runs: prepared once per backend, kept for its life, run with a fresh snapshot.

use std::cell::OnceCell;

use pgrx::datum::{DatumWithOid, FromDatum, IntoDatum, TimestampWithTimeZone};
use pgrx::pg_sys::PgOid;
use pgrx::spi::{OwnedPreparedStatement, SpiClient, SpiHeapTupleData, SpiTupleTable};

use crate::clock;
use crate::instant::Instant;
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

/// Runs `plan`, preparing it first if this backend has not done so.
pub fn run<'conn>(
    plan: &Plan,
    sql: &'static str,
    types: &[PgOid],
    access: Access,
    client: &mut SpiClient<'conn>,
    arguments: &[DatumWithOid<'_>],
) -> Result<SpiTupleTable<'conn>, Failure> {
    let prepared = match plan.get() {
        Some(prepared) => prepared,
        None => {
            let prepared = client.prepare_mut(sql, types)?.keep();
            plan.get_or_init(|| prepared)
        }
    };
    Ok(match access {
        Access::Read => client.select(prepared, None, arguments)?,
        Access::Write => client.update(prepared, None, arguments)?,
    })
}

/// Defines a function that runs one SQL statement: `statement!(read|write name(TYPE…) = "sql")`.
macro_rules! statement {
    ($(#[$doc:meta])* read $name:ident($($type:ident),* $(,)?) = $sql:expr) => {
        statement!(@define [$(#[$doc])*] Read $name [$($type),*] $sql);
    };
    ($(#[$doc:meta])* write $name:ident($($type:ident),* $(,)?) = $sql:expr) => {
        statement!(@define [$(#[$doc])*] Write $name [$($type),*] $sql);
    };
    (@define [$(#[$doc:meta])*] $access:ident $name:ident [$($type:ident),*] $sql:expr) => {
        $(#[$doc])*
        fn $name<'conn>(
            client: &mut pgrx::spi::SpiClient<'conn>,
            arguments: &[pgrx::datum::DatumWithOid<'_>],
        ) -> Result<pgrx::spi::SpiTupleTable<'conn>, $crate::ledger::Failure> {
            thread_local! {
                static PLAN: $crate::statement::Plan = const { $crate::statement::Plan::new() };
            }
            let types = [$(pgrx::pg_sys::PgOid::from(pgrx::pg_sys::$type)),*];
            PLAN.with(|plan| {
                $crate::statement::run(plan, $sql, &types, $crate::statement::Access::$access, client, arguments)
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

/// A column of timestamps that the table declares NOT NULL.
pub fn instants(row: &SpiHeapTupleData<'_>, ordinal: usize) -> Result<Vec<Instant>, Failure> {
    let timestamps: Vec<TimestampWithTimeZone> = required(row, ordinal)?;
    Ok(timestamps.into_iter().map(|timestamp| clock::from_postgres(timestamp.into())).collect())
}

/// An instant as an argument.
pub fn timestamp(instant: Instant) -> Result<TimestampWithTimeZone, Failure> {
    clock::to_postgres(instant).ok_or(Failure::Internal("an instant is beyond what a timestamp can express"))
}

/// Instants as an argument.
pub fn timestamps(instants: impl IntoIterator<Item = Instant>) -> Result<Vec<TimestampWithTimeZone>, Failure> {
    instants.into_iter().map(timestamp).collect()
}
