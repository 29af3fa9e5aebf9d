//! Raises a refusal with its own SQLSTATE from functions that are called often.
//!
//! Those that count are called once per row, where a PL/pgSQL function around each would cost several times what counting a
//! short prompt costs; those that spend are in the way of every model call. So an exported function calls pgrx's own entry
//! point, which turns every panic and every PostgreSQL error into a proper one by itself, and then raises a refusal that was
//! put aside through PostgreSQL's error functions.

use std::cell::RefCell;
use std::ffi::{CStr, CString, c_char, c_int};

use crate::api::outcome::take_refusal;

// pgrx's bindings of these turn an error into a panic and lose its SQLSTATE on the way; these are the bare functions.
unsafe extern "C-unwind" {
    fn errstart(level: c_int, domain: *const c_char) -> bool;
    fn errcode(sqlstate: c_int) -> c_int;
    fn errmsg_internal(format: *const c_char, ...) -> c_int;
    fn errdetail_internal(format: *const c_char, ...) -> c_int;
    fn errhint(format: *const c_char, ...) -> c_int;
    fn errfinish(file: *const c_char, line: c_int, function: *const c_char);
}

const TEXT: *const c_char = c"%s".as_ptr();

/// The texts of an error.
struct Texts {
    sqlstate: c_int,
    reason: CString,
    detail: CString,
    hint: CString,
}

thread_local! {
    /// Owned here and not by a frame of the stack, which the error would leave without running its destructors.
    static RAISED: RefCell<Option<Texts>> = const { RefCell::new(None) };
}

/// Moves the refusal that was put aside, if there is one, to where it can be raised from.
fn prepare() -> Option<(c_int, [*const c_char; 3])> {
    let refusal = take_refusal()?;
    let text = |text: String| CString::new(text).unwrap_or_default();
    let texts = Texts {
        sqlstate: encode_sqlstate(refusal.code.sqlstate()),
        detail: text(refusal.detail_text()),
        reason: text(refusal.reason),
        hint: text(refusal.hint.to_string()),
    };
    RAISED.with_borrow_mut(|raised| {
        let texts = raised.insert(texts);
        let pointer = |text: &CStr| text.as_ptr();
        Some((texts.sqlstate, [pointer(&texts.reason), pointer(&texts.detail), pointer(&texts.hint)]))
    })
}

/// Five characters of six bits each, as `MAKE_SQLSTATE` of PostgreSQL's `elog.h` packs them.
fn encode_sqlstate(sqlstate: &str) -> c_int {
    sqlstate.bytes().rev().fold(0, |packed, byte| packed << 6 | c_int::from(byte.wrapping_sub(b'0') & 0x3f))
}

/// Raises the refusal that was put aside, if there is one.
///
/// # Safety
/// No frame between the caller and PostgreSQL may own anything that must be dropped: the error leaves by `longjmp`.
pub unsafe fn raise_refusal() {
    if let Some((sqlstate, [reason, detail, hint])) = prepare() {
        // SAFETY: the texts live in RAISED until the next refusal and errfinish copies them; this frame owns nothing.
        unsafe {
            if errstart(pgrx::PgLogLevel::ERROR as c_int, std::ptr::null()) {
                errcode(sqlstate);
                errmsg_internal(TEXT, reason);
                errdetail_internal(TEXT, detail);
                errhint(TEXT, hint);
                errfinish(c"tokbudget".as_ptr(), 0, c"raise_refusal".as_ptr());
            }
        }
    }
}

/// Exports `$function` for SQL: `$inner`, the entry point that pgrx made, whose refusals are raised.
macro_rules! export_raising {
    ($function:ident, $function_info:ident, $inner:ident) => {
        #[doc(hidden)]
        #[unsafe(no_mangle)]
        pub extern "C" fn $function_info() -> &'static pgrx::pg_sys::Pg_finfo_record {
            static VERSION_1: pgrx::pg_sys::Pg_finfo_record = pgrx::pg_sys::Pg_finfo_record { api_version: 1 };
            &VERSION_1
        }

        #[doc(hidden)]
        #[unsafe(no_mangle)]
        pub unsafe extern "C-unwind" fn $function(call: pgrx::pg_sys::FunctionCallInfo) -> pgrx::pg_sys::Datum {
            // SAFETY: PostgreSQL passes a valid call, which goes on as it came.
            let result = unsafe { $inner(call) };
            // SAFETY: the call is still valid, and this frame owns nothing.
            unsafe {
                if (*call).isnull {
                    $crate::api::raise::raise_refusal();
                }
            }
            result
        }
    };
}
pub(crate) use export_raising;
