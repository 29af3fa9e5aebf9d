//! Arguments on their way in.

use std::ffi::CStr;

use pgrx::callconv::{Arg, ArgAbi};
use pgrx::datum::{Interval, TimestampWithTimeZone};
use pgrx::nullable::Nullable;
use pgrx::pgrx_sql_entity_graph::metadata::{
    ArgumentError, ReturnsError, ReturnsRef, SqlMappingRef, SqlTranslatable, TypeOrigin,
};
use pgrx::{FromDatum, IntoDatum, pg_sys};
use serde_json::{Value, json};

use crate::clock;
use crate::instant::Instant;
use crate::refusal::Refusal;

/// A required argument that is NULL.
pub fn missing(argument: &str) -> Refusal {
    Refusal::invalid_argument(argument, "it is null", "Pass a value.")
}

/// A jsonb argument, as text. PostgreSQL nests deeper than the parser of JSON goes, and pgrx's own conversion would end in an
/// internal error.
pub struct JsonbText(String);

impl JsonbText {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromDatum for JsonbText {
    unsafe fn from_polymorphic_datum(datum: pg_sys::Datum, is_null: bool, _: pg_sys::Oid) -> Option<JsonbText> {
        if is_null {
            return None;
        }
        // SAFETY: a jsonb, whose root comes after its length; the printed text ends with a zero and is copied.
        unsafe {
            let jsonb = pg_sys::pg_detoast_datum(datum.cast_mut_ptr()).cast::<pg_sys::Jsonb>();
            let bytes = pgrx::varsize_any(jsonb.cast());
            let text = pg_sys::JsonbToCString(std::ptr::null_mut(), &raw mut (*jsonb).root, bytes as i32);
            let owned = CStr::from_ptr(text).to_string_lossy().into_owned();
            pg_sys::pfree(text.cast());
            Some(JsonbText(owned))
        }
    }
}

// SAFETY: as pgrx's own types do.
unsafe impl<'fcx> ArgAbi<'fcx> for JsonbText {
    unsafe fn unbox_arg_unchecked(arg: Arg<'_, 'fcx>) -> Self {
        // SAFETY: the argument is a jsonb, as SQL declares. One that is not optional is declared STRICT.
        unsafe { arg.unbox_arg_using_from_datum().unwrap_or_else(|| JsonbText("null".into())) }
    }

    unsafe fn unbox_nullable_arg(arg: Arg<'_, 'fcx>) -> Nullable<Self> {
        // SAFETY: as above.
        unsafe { arg.unbox_arg_using_from_datum().into() }
    }
}

// SAFETY: it stands for arguments of type jsonb; the declarations in sql/ are written by hand.
unsafe impl SqlTranslatable for JsonbText {
    const TYPE_IDENT: &'static str = pgrx::pgrx_resolved_type!(JsonbText);
    const TYPE_ORIGIN: TypeOrigin = TypeOrigin::External;
    const ARGUMENT_SQL: Result<SqlMappingRef, ArgumentError> = Ok(SqlMappingRef::literal("jsonb"));
    const RETURN_SQL: Result<ReturnsRef, ReturnsError> = Ok(ReturnsRef::One(SqlMappingRef::literal("jsonb")));
}

/// JSON that arrives as text.
pub fn parse_json(argument: &str, text: &str) -> Result<Value, Refusal> {
    serde_json::from_str(text).map_err(|error| {
        Refusal::invalid_argument(argument, error, "Pass JSON that is nested less than 128 levels deep.")
    })
}

/// An object that may be left out.
pub fn object_or_empty(argument: &str, json: Option<JsonbText>) -> Result<Value, Refusal> {
    json.map_or_else(|| Ok(json!({})), |json| parse_json(argument, json.as_str()))
}

/// Account paths that are not null.
pub fn paths(name: &str, paths: Option<Vec<Option<String>>>) -> Result<Vec<String>, Refusal> {
    paths.ok_or_else(|| missing(name))?.into_iter().collect::<Option<_>>().ok_or_else(|| missing(name))
}

/// The length of an interval; one that is too long is longer than any that is allowed.
pub fn interval_us(interval: &Interval) -> i64 {
    i64::try_from(interval.as_micros()).unwrap_or(i64::MAX)
}

/// A timestamp that was passed.
pub fn instant(at: TimestampWithTimeZone) -> Instant {
    clock::from_postgres(at.into())
}

/// An instant as a column has it.
pub fn timestamp(instant: Instant) -> Option<pg_sys::Datum> {
    clock::to_postgres(instant).into_datum()
}
