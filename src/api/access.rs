//! What the set-up functions and the views need to know of who may do what.

use pgrx::pg_sys::Oid;
use pgrx::prelude::*;

use crate::api::argument::missing;
use crate::api::outcome::{in_spi, or_put_aside};
use crate::ledger::access::{self, Holder};
use crate::privilege::Privilege;
use crate::refusal::Refusal;

#[pg_extern(sql = false)]
fn _check_access(
    tenant_id: Option<i32>,
    account_ids: Option<Vec<Option<i64>>>,
    privilege: Option<&str>,
) -> Option<bool> {
    let checked = tenant_id.ok_or_else(|| missing("tenant_id")).and_then(|tenant_id| {
        let account_ids: Option<Vec<i64>> = account_ids.and_then(|account_ids| account_ids.into_iter().collect());
        let account_ids = account_ids.ok_or_else(|| missing("account_ids"))?;
        let privilege = privilege.and_then(Privilege::from_name).ok_or_else(|| {
            Refusal::invalid_argument("privilege", "unknown", "A privilege is spend, read, administer or audit.")
        })?;
        in_spi(|client| access::require(client, tenant_id, &account_ids, privilege))
    });
    or_put_aside(checked).map(|()| true)
}

#[pg_extern(sql = false)]
fn _is_owner() -> bool {
    access::is_owner()
}

#[pg_extern(sql = false)]
fn _present_role() -> Oid {
    access::present_role()
}

#[pg_extern(sql = false)]
fn _access_role(role: &str, role_oid: Oid, system_identifier: i64) -> Option<Oid> {
    Holder::new(role, role_oid, system_identifier).resolve()
}

#[pg_extern(sql = false)]
fn _system_identifier() -> i64 {
    access::system_identifier()
}
