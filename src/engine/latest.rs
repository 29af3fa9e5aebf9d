//! Statements that see what has committed until now, also under REPEATABLE READ and SERIALIZABLE: what is in memory is the
//! present, so what is read to go with it must be the present too. PostgreSQL checks foreign keys in the same way.

use std::cell::OnceCell;
use std::ffi::CString;

use pgrx::datum::DatumWithOid;
use pgrx::pg_sys;
use pgrx::spi::SpiClient;

use crate::ledger::Failure;

/// A prepared statement of this backend.
pub type Plan = OnceCell<pg_sys::SPIPlanPtr>;

/// A row of columns that are passed by value: bigint, boolean, or a timestamp in microseconds since 2000.
pub type Row = Vec<Option<i64>>;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Access {
    Read,
    Write,
}

/// Runs a statement with the latest snapshot, preparing it first if this backend has not done so.
pub fn run(
    _: &mut SpiClient<'_>,
    plan: &Plan,
    sql: &'static str,
    arguments: &[DatumWithOid<'_>],
    access: Access,
) -> Result<Vec<Row>, Failure> {
    const FAILED: Failure = Failure::Internal("a statement of the engine failed");
    let prepared = match plan.get() {
        Some(prepared) => *prepared,
        None => {
            let sql = CString::new(sql).map_err(|_| FAILED)?;
            let mut types: Vec<pg_sys::Oid> = arguments.iter().map(DatumWithOid::oid).collect();
            // SAFETY: connected, as the client shows. The plan is kept for the life of the backend.
            let prepared = unsafe {
                let prepared = pg_sys::SPI_prepare(sql.as_ptr(), types.len() as i32, types.as_mut_ptr());
                if prepared.is_null() || pg_sys::SPI_keepplan(prepared) != 0 {
                    return Err(FAILED);
                }
                prepared
            };
            *plan.get_or_init(|| prepared)
        }
    };
    let mut values: Vec<pg_sys::Datum> = arguments
        .iter()
        .map(|argument| argument.datum().map_or(pg_sys::Datum::null(), |it| it.sans_lifetime()))
        .collect();
    let nulls: Vec<std::ffi::c_char> =
        arguments.iter().map(|argument| if argument.datum().is_none() { b'n' } else { b' ' } as _).collect();
    // SAFETY: as many values and nulls as the plan has parameters. An error unwinds as a panic and frees the vectors.
    unsafe {
        // What this transaction itself has done so far is seen too.
        pg_sys::CommandCounterIncrement();
        let status = pg_sys::SPI_execute_snapshot(
            prepared,
            values.as_mut_ptr(),
            nulls.as_ptr(),
            pg_sys::GetLatestSnapshot(),
            std::ptr::null_mut(),
            access == Access::Read,
            true,
            0,
        );
        if status < 0 {
            return Err(FAILED);
        }
        let rows = rows();
        if !pg_sys::SPI_tuptable.is_null() {
            pg_sys::SPI_freetuptable(pg_sys::SPI_tuptable);
        }
        Ok(rows)
    }
}

/// # Safety
/// After a statement, whose columns must all be passed by value.
unsafe fn rows() -> Vec<Row> {
    // SAFETY: SPI has set both for the statement that has just run.
    unsafe {
        let table = pg_sys::SPI_tuptable;
        if table.is_null() {
            return Vec::new();
        }
        let description = (*table).tupdesc;
        let columns = (*description).natts;
        let row = |at: usize| {
            let tuple = *(*table).vals.add(at);
            (1..=columns)
                .map(|column| {
                    let mut is_null = false;
                    let datum = pg_sys::SPI_getbinval(tuple, description, column, &raw mut is_null);
                    (!is_null).then(|| datum.value() as i64)
                })
                .collect()
        };
        (0..(*table).numvals as usize).map(row).collect()
    }
}

/// Defines a function that runs one SQL statement with the latest snapshot: `latest!(Read|Write name = "sql")`.
macro_rules! latest {
    ($(#[$doc:meta])* $access:ident $name:ident = $sql:expr) => {
        $(#[$doc])*
        fn $name(
            client: &mut pgrx::spi::SpiClient<'_>,
            arguments: &[pgrx::datum::DatumWithOid<'_>],
        ) -> Result<Vec<$crate::engine::latest::Row>, $crate::ledger::Failure> {
            thread_local! {
                static PLAN: $crate::engine::latest::Plan = const { $crate::engine::latest::Plan::new() };
            }
            PLAN.with(|plan| {
                $crate::engine::latest::run(client, plan, $sql, arguments, $crate::engine::latest::Access::$access)
            })
        }
    };
}
pub(crate) use latest;
