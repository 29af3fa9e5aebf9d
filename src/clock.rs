//! Time comes from the database clock, or from the instant that a test injects.

use pgrx::datum::TimestampWithTimeZone;
use pgrx::pg_sys;

use crate::guc;
use crate::instant::Instant;

/// Microseconds from 1970-01-01, the epoch of [`Instant`], to 2000-01-01, the epoch of PostgreSQL.
const POSTGRES_EPOCH_US: i64 = 946_684_800_000_000;

/// The present: `tokbudget.clock` where a test has set it, the database clock otherwise.
pub fn now() -> Instant {
    match guc::clock() {
        None => {
            // SAFETY: reads the system clock and touches nothing else.
            from_postgres(unsafe { pg_sys::GetCurrentTimestamp() })
        }
        Some(text) => {
            // SAFETY: timestamptz_in takes (cstring, oid, int4); the C string outlives the call and the result is by value.
            let datum = unsafe {
                pg_sys::OidInputFunctionCall(
                    pg_sys::F_TIMESTAMPTZ_IN.into(),
                    text.as_ptr().cast_mut(),
                    pg_sys::InvalidOid,
                    -1,
                )
            };
            from_postgres(datum.value() as i64)
        }
    }
}

/// The present for whoever must not fail: after the end of a transaction text can no longer be read, so an instant that a test
/// injects counts as the end of time.
pub fn at_end_of_transaction() -> Instant {
    match guc::clock() {
        // SAFETY: reads the system clock and touches nothing else.
        None => from_postgres(unsafe { pg_sys::GetCurrentTimestamp() }),
        Some(_) => Instant::AFTER_ALL,
    }
}

/// From PostgreSQL's representation. Its infinities are the same extremes as ours.
pub fn from_postgres(timestamp: pg_sys::TimestampTz) -> Instant {
    match timestamp {
        i64::MIN | i64::MAX => Instant(timestamp),
        finite => Instant(finite.saturating_add(POSTGRES_EPOCH_US)),
    }
}

/// To PostgreSQL's representation; `None` for an instant that it cannot express.
pub fn to_postgres(instant: Instant) -> Option<TimestampWithTimeZone> {
    let timestamp = if instant.is_finite() { instant.0.checked_sub(POSTGRES_EPOCH_US)? } else { instant.0 };
    TimestampWithTimeZone::try_from(timestamp).ok()
}
