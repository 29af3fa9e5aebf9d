//! How results and refusals leave Rust.
//!
//! pgrx can raise only the SQLSTATEs that PostgreSQL itself knows. A refusal is therefore put aside, the function returns
//! NULL, and what is around the function takes the refusal and raises it: [`crate::api::raise`] for what is called often, a
//! PL/pgSQL function for the rest.

use std::cell::RefCell;
use std::ffi::CStr;

use pgrx::prelude::*;
use pgrx::spi::SpiClient;
use pgrx::tupdesc::PgTupleDesc;
use pgrx::{IntoDatum, JsonB, composite_type, pg_sys};

use crate::ledger::Failure;
use crate::refusal::Refusal;

/// A row of a composite type.
pub type Row = PgHeapTuple<'static, pgrx::AllocatedByRust>;

thread_local! {
    static REFUSAL: RefCell<Option<Refusal>> = const { RefCell::new(None) };
}

/// The value, or NULL with the refusal put aside.
pub fn or_put_aside<T>(result: Result<T, Refusal>) -> Option<T> {
    REFUSAL.with_borrow_mut(|aside| match result {
        Ok(value) => {
            *aside = None;
            Some(value)
        }
        Err(refusal) => {
            *aside = Some(refusal);
            None
        }
    })
}

/// The refusal that was put aside, once.
pub fn take_refusal() -> Option<Refusal> {
    REFUSAL.take()
}

/// Runs a call of the ledger. What is not a refusal ends the statement with an internal error.
pub fn in_spi<T>(call: impl FnOnce(&mut SpiClient<'_>) -> Result<T, Failure>) -> Result<T, Refusal> {
    match Spi::connect_mut(call) {
        Ok(value) => Ok(value),
        Err(Failure::Refused(refusal)) => Err(*refusal),
        Err(Failure::Spi(spi_error)) => internal_error(format!("tokbudget: {spi_error}")),
        Err(Failure::Random(random_error)) => internal_error(format!("tokbudget: no random bits: {random_error}")),
        Err(Failure::Superseded) => serialization_failure(),
        Err(Failure::Internal(what)) => internal_error(format!("tokbudget: {what}")),
    }
}

/// PostgreSQL's own code for what is worth trying again.
fn serialization_failure() -> ! {
    ereport!(
        ERROR,
        PgSqlErrorCode::ERRCODE_T_R_SERIALIZATION_FAILURE,
        "could not serialize access due to a concurrent change of a budget's schedule"
    );
}

fn internal_error(message: String) -> ! {
    error!("{message}")
}

/// A row of the composite type `type_name` of schema tokbudget.
pub fn row<const N: usize>(type_name: &CStr, fields: [Option<pg_sys::Datum>; N]) -> Row {
    let Some(tuple_desc) = PgTupleDesc::for_composite_type_by_oid(find_type(type_name)) else {
        internal_error(format!("tokbudget: type {type_name:?} is missing"))
    };
    // SAFETY: the fields are in the order and of the types that sql/ declares for the type; their number is checked.
    match unsafe { PgHeapTuple::from_datums(tuple_desc, fields) } {
        Ok(row) => row,
        Err(tuple_error) => internal_error(format!("tokbudget: type {type_name:?}: {tuple_error}")),
    }
}

/// The type's oid, straight from the system caches: a caller of a counting function needs no right on the schema to get
/// its result, and nothing has to be parsed.
fn find_type(name: &CStr) -> pg_sys::Oid {
    // SAFETY: plain look-ups; both names outlive them.
    unsafe {
        let schema = pg_sys::get_namespace_oid(c"tokbudget".as_ptr(), true);
        pg_sys::GetSysCacheOid(
            pg_sys::SysCacheIdentifier::TYPENAMENSP as i32,
            pg_sys::Anum_pg_type_oid as pg_sys::AttrNumber,
            pg_sys::Datum::from(name.as_ptr()),
            pg_sys::Datum::from(schema),
            pg_sys::Datum::from(0_usize),
            pg_sys::Datum::from(0_usize),
        )
    }
}

#[pg_extern(sql = false)]
fn _take_refusal() -> Option<composite_type!('static, "tokbudget.refusal")> {
    let refusal = take_refusal()?;
    Some(row(
        c"refusal",
        [
            refusal.code.sqlstate().into_datum(),
            refusal.reason.into_datum(),
            JsonB(refusal.detail).into_datum(),
            refusal.hint.into_datum(),
        ],
    ))
}

#[pg_extern(sql = false)]
fn _is_refused() -> bool {
    REFUSAL.with_borrow(Option::is_some)
}
