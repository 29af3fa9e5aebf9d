//! Expire: close holds whose time is over, with an entry each. Housekeeping only: a hold counts against nobody from the
//! instant it expires.

use pgrx::spi::SpiClient;
use pgrx::{JsonB, Uuid};

use crate::budget::meter;
use crate::id::Uuids;
use crate::instant::Instant;
use crate::ledger::attribution::{Attribution, COLUMNS};
use crate::ledger::release::add_release;
use crate::ledger::reservation::Reservation;
use crate::ledger::settle::settle;
use crate::ledger::slots::Sums;
use crate::ledger::{Failure, reservation};
use crate::statement::{required, statement, timestamp, timestamps};

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
    "SELECT reservation.reservation_id
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

statement! {
    /// Nothing was spent; what had been held stands in usage_details.
    write insert_expiry(
        INT4OID, UUIDOID, TIMESTAMPTZOID, TIMESTAMPTZOID, UUIDOID, INT8OID, INT8ARRAYOID, INT8ARRAYOID, TIMESTAMPTZARRAYOID,
        INT8ARRAYOID, TEXTOID, TEXTOID, TEXTOID, JSONBOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID,
        TEXTOID, TEXTOID, JSONBOID, INT8OID
    ) =
    "INSERT INTO tokbudget.entry (
         tenant_id, entry_id, recorded_at, reserved_at, kind, reservation_id, account_id, account_ids, budget_ids,
         window_starts, spent_units, cost_center, request_model, currency, cost, internal_cost, usage_source, usage_details,
         operation, workflow, step, session, task, end_user, agent, outcome, trace_id, labels, retry_count, actor)
     VALUES ($1, $2, $3, $4, 'expire', $5, $6, $7, $8, $9, $10, $11, $12, $13, 0, 0, 'estimated', $14, $15, $16, $17, $18,
         $19, $20, $21, $22, $23, $24, $25, SESSION_USER)"
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
    let rows = lock_expired(client, &[tenant_id.into(), timestamp(now)?.into(), left.into()])?;
    let ids: Vec<Uuid> = rows.map(|row| required(&row, 1)).collect::<Result<_, Failure>>()?;
    if ids.is_empty() {
        return Ok(0);
    }
    let reservations = reservation::lock(client, tenant_id, ids.clone())?;
    let mut sums = Sums::default();
    for reservation in reservations.values() {
        add_release(client, &mut sums, reservation)?;
    }
    settle(client, tenant_id, sums, &[], now)?;
    let mut entry_ids = Uuids::new(tenant_id, now)?;
    for id in &ids {
        if let Some(reservation) = reservations.get(id.as_bytes()) {
            write_down(client, reservation, Uuid::from_bytes(entry_ids.make()), now)?;
        }
    }
    let expired = i32::try_from(ids.len()).unwrap_or(i32::MAX);
    mark_expired(client, &[tenant_id.into(), ids.into(), timestamp(now)?.into()])?;
    Ok(expired)
}

fn write_down(
    client: &mut SpiClient<'_>,
    reservation: &Reservation,
    entry_id: Uuid,
    now: Instant,
) -> Result<(), Failure> {
    let Reservation { spender, slots, .. } = reservation;
    let attribution = Attribution::parse(reservation.attributes.clone())?;
    let mut arguments = vec![
        spender.tenant_id.into(),
        entry_id.into(),
        timestamp(now)?.into(),
        timestamp(spender.at)?.into(),
        reservation.id.into(),
        spender.account_id.into(),
        spender.account_ids.clone().into(),
        slots.budget_ids.clone().into(),
        timestamps(slots.window_starts.iter().copied())?.into(),
        vec![0_i64; slots.units.len()].into(),
        spender.cost_center.clone().into(),
        spender.model.clone().into(),
        spender.currency.clone().into(),
        JsonB(serde_json::json!({"held": meter::amounts_to_json(&reservation.held)})).into(),
        attribution.text("operation").into(),
    ];
    arguments.extend(COLUMNS.iter().map(|column| attribution.text(column).into()));
    arguments.push(JsonB(attribution.labels()).into());
    arguments.push(attribution.retry_count().into());
    insert_expiry(client, &arguments)?;
    Ok(())
}
