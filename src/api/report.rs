//! What reports ask of the pure code.

use pgrx::Uuid;
use pgrx::datum::TimestampWithTimeZone;
use pgrx::prelude::*;

use crate::{clock, id};

/// When the entry of that id was recorded.
#[pg_extern(sql = false)]
fn _recorded_at(entry_id: Uuid) -> Option<TimestampWithTimeZone> {
    clock::to_postgres(id::instant_of(*entry_id.as_bytes()))
}
