//! What the set-up functions need of Rust.

use chrono_tz::Tz;
use pgrx::datum::TimestampWithTimeZone;
use pgrx::prelude::*;

use crate::api::outcome::{in_spi, or_put_aside};
use crate::ledger::chain::parse_path;
use crate::ledger::review;
use crate::{clock, id};

#[pg_extern(sql = false)]
fn _new_id() -> Option<i64> {
    or_put_aside(in_spi(|_| Ok(id::new_id()?)))
}

#[pg_extern(sql = false)]
fn _now() -> Option<TimestampWithTimeZone> {
    clock::to_postgres(clock::now())
}

#[pg_extern(sql = false)]
fn _account_chain(path: Option<&str>) -> Option<Vec<String>> {
    // The empty path stands for none: both are refused, and the reason says which path it was.
    or_put_aside(parse_path(path.unwrap_or_default()).map(|chain| chain.into_iter().map(str::to_string).collect()))
}

#[pg_extern(sql = false)]
fn _check_time_zone(time_zone: &str) -> bool {
    time_zone.parse::<Tz>().is_ok()
}

#[pg_extern(sql = false)]
fn _new_entry_id(tenant_id: i32) -> Option<pgrx::Uuid> {
    or_put_aside(in_spi(|_| Ok(pgrx::Uuid::from_bytes(id::Uuids::new(tenant_id, clock::now())?.make()))))
}

#[pg_extern(sql = false)]
fn _review_budget(tenant_id: i32, budget_id: i64) -> Option<bool> {
    or_put_aside(in_spi(|client| review::review(client, tenant_id, budget_id, clock::now())).map(|()| true))
}
