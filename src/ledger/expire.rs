//! Expire: close holds whose time is over. Housekeeping only: a hold counts against nobody from the instant it expires.

use std::collections::BTreeMap;

use pgrx::Uuid;
use pgrx::spi::SpiClient;

use crate::engine::rows::Rows;
use crate::engine::{Engine, Settlement};
use crate::instant::Instant;
use crate::ledger::Failure;
use crate::statement::{instants, required, statement, timestamp};

statement! {
    /// The tenants that have something to expire.
    read find_tenants(TIMESTAMPTZOID) =
    "SELECT DISTINCT reservation.tenant_id FROM tokbudget.reservation
     WHERE reservation.state OPERATOR(pg_catalog.=) 'held' AND reservation.expires_at OPERATOR(pg_catalog.<=) $1
     ORDER BY reservation.tenant_id"
}

statement! {
    /// Several sweeps at once share the work, and none waits for a reservation that is just being settled.
    write lock_expired(INT4OID, TIMESTAMPTZOID, INT8OID) =
    "SELECT reservation.reservation_id, reservation.budget_ids, reservation.window_starts, reservation.held_units
     FROM tokbudget.reservation
     WHERE reservation.tenant_id OPERATOR(pg_catalog.=) $1 AND reservation.state OPERATOR(pg_catalog.=) 'held'
         AND reservation.expires_at OPERATOR(pg_catalog.<=) $2
     ORDER BY reservation.expires_at, reservation.reservation_id
     LIMIT $3
     FOR NO KEY UPDATE SKIP LOCKED"
}

statement! {
    write mark_expired(INT4OID, UUIDARRAYOID, TIMESTAMPTZOID) =
    "UPDATE tokbudget.reservation SET state = 'expired', settled_at = $3
     WHERE reservation.tenant_id OPERATOR(pg_catalog.=) $1 AND reservation.reservation_id OPERATOR(pg_catalog.=) ANY ($2)"
}

/// Closes up to `batch_size` expired holds and returns how many.
pub fn expire(client: &mut SpiClient<'_>, batch_size: i32, now: Instant) -> Result<i32, Failure> {
    let mut expired = 0;
    let tenants = find_tenants(client, &[timestamp(now)?.into()])?
        .map(|row| required(&row, 1))
        .collect::<Result<Vec<i32>, Failure>>()?;
    for tenant_id in tenants {
        let left = i64::from(batch_size) - i64::from(expired);
        if left <= 0 {
            break;
        }
        expired += expire_tenant(client, tenant_id, left, now)?;
    }
    Ok(expired)
}

fn expire_tenant(client: &mut SpiClient<'_>, tenant_id: i32, left: i64, now: Instant) -> Result<i32, Failure> {
    let mut reservation_ids: Vec<Uuid> = Vec::new();
    // Sorted, because the engine locks in the order of the settlements, and one sum per slot.
    let mut held: BTreeMap<(i64, Instant), i64> = BTreeMap::new();
    for row in lock_expired(client, &[tenant_id.into(), timestamp(now)?.into(), left.into()])? {
        reservation_ids.push(required(&row, 1)?);
        let budget_ids: Vec<i64> = required(&row, 2)?;
        let held_units: Vec<i64> = required(&row, 4)?;
        for ((budget_id, start), units) in budget_ids.into_iter().zip(instants(&row, 3)?).zip(held_units) {
            *held.entry((budget_id, start)).or_insert(0) += units;
        }
    }
    let settlements: Vec<Settlement> = held
        .into_iter()
        .map(|((budget_id, window_start), held_units)| Settlement {
            budget_id,
            window_start,
            held_units,
            spent_units: 0,
        })
        .collect();
    Rows::new(client).settle(tenant_id, &settlements)?;
    let expired = i32::try_from(reservation_ids.len()).unwrap_or(i32::MAX);
    mark_expired(client, &[tenant_id.into(), reservation_ids.into(), timestamp(now)?.into()])?;
    Ok(expired)
}
