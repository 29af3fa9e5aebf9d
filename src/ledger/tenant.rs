//! What a tenant has set for all its accounts.

use pgrx::spi::SpiClient;

use crate::instant::Instant;
use crate::ledger::Failure;
use crate::statement::{required, statement, timestamp};

statement! {
    read find_commit_grace(INT4OID) =
    "SELECT (EXTRACT(epoch FROM tenant.commit_grace) OPERATOR(pg_catalog.*) 1000000::numeric)::pg_catalog.int8
     FROM tokbudget.tenant WHERE tenant.tenant_id OPERATOR(pg_catalog.=) $1"
}

statement! {
    /// It changes the row, so that one with an older snapshot fails instead of adding the same corrections again.
    write touch_tenant(INT4OID, TIMESTAMPTZOID) =
    "UPDATE tokbudget.tenant SET corrected_at = $2 WHERE tenant.tenant_id OPERATOR(pg_catalog.=) $1"
}

/// How long after its expiry a reservation may be committed and not be late, in microseconds.
pub fn commit_grace_us(client: &mut SpiClient<'_>, tenant_id: i32) -> Result<i64, Failure> {
    let row = find_commit_grace(client, &[tenant_id.into()])?.next();
    row.map_or(Ok(0), |row| required(&row, 1))
}

/// Lets one transaction at a time correct entries of the tenant.
pub fn lock_corrections(client: &mut SpiClient<'_>, tenant_id: i32, now: Instant) -> Result<(), Failure> {
    touch_tenant(client, &[tenant_id.into(), timestamp(now)?.into()])?;
    Ok(())
}
