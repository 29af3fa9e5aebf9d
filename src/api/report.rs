//! What reports ask of the pure code.

use pgrx::Uuid;
use pgrx::datum::TimestampWithTimeZone;
use pgrx::prelude::*;

use crate::id;
use crate::statement::timestamp;

/// When the entry of that id was recorded.
#[pg_extern(sql = false)]
fn _recorded_at(entry_id: Uuid) -> Option<TimestampWithTimeZone> {
    timestamp(id::instant_of(*entry_id.as_bytes())).ok()
}
