//! The present, as SQL asks for it.

use pgrx::prelude::*;

use crate::clock;

#[pg_extern(sql = false)]
fn _now() -> Option<TimestampWithTimeZone> {
    clock::to_postgres(clock::now())
}
