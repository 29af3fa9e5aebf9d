//! Release: give a hold back unused.

use std::collections::HashSet;

use pgrx::Uuid;
use pgrx::spi::SpiClient;
use serde_json::json;

use crate::instant::Instant;
use crate::ledger::idempotency::{self, Key, Operation};
use crate::ledger::settle::{Settled, add, settle};
use crate::ledger::slots::Sums;
use crate::ledger::{Failure, reservation};
use crate::statement::{statement, timestamp};

statement! {
    write mark_released(INT4OID, UUIDOID, TIMESTAMPTZOID, TEXTOID) =
    "UPDATE tokbudget.reservation SET state = 'released', settled_at = $3, reason = $4
     WHERE reservation.tenant_id OPERATOR(pg_catalog.=) $1 AND reservation.reservation_id OPERATOR(pg_catalog.=) $2"
}

/// Gives the hold back. `false` when that has been done already, by a release or by its expiry, which the sweep writes down.
pub fn release(
    client: &mut SpiClient<'_>,
    id: Uuid,
    reason: Option<&str>,
    idempotency_key: Option<&str>,
    now: Instant,
) -> Result<bool, Failure> {
    let tenant_id = reservation::tenant_of(id)?;
    let payload = json!({"reservation": id.to_string(), "reason": reason});
    let key = idempotency_key
        .map(|key| Key::new(tenant_id, Operation::Release, key, &payload, &mut HashSet::new()))
        .transpose()?;
    idempotency::once(client, key.as_ref(), now, |client| {
        let reservation = reservation::lock_one(client, id)?;
        match reservation.state.as_str() {
            "held" if !reservation.has_expired(now) => {}
            "committed" => return Err(reservation.already_settled().into()),
            _ => return Ok(false),
        }
        let mut sums = Sums::default();
        add_release(client, &mut sums, &reservation)?;
        settle(client, tenant_id, sums, &[], now)?;
        mark_released(client, &[tenant_id.into(), id.into(), timestamp(now)?.into(), reason.into()])?;
        Ok(true)
    })
}

/// Adds to `sums` what giving a whole hold back does.
pub fn add_release(
    client: &mut SpiClient<'_>,
    sums: &mut Sums,
    reservation: &reservation::Reservation,
) -> Result<(), Failure> {
    let slots = &reservation.slots;
    let nothing_spent = vec![0; slots.units.len()];
    let budgets = Settled::of_any(client, reservation.spender.tenant_id, slots)?;
    add(sums, slots, reservation.is_held(), &nothing_spent, &budgets)
}
