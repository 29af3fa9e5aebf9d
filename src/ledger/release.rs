//! Release: give a hold back unused.

use pgrx::Uuid;
use pgrx::spi::SpiClient;

use crate::engine::Engine;
use crate::engine::rows::Rows;
use crate::instant::Instant;
use crate::ledger::Failure;
use crate::ledger::reservation::Reservation;
use crate::statement::{statement, timestamp};

statement! {
    write mark_released(INT4OID, UUIDOID, TIMESTAMPTZOID, TEXTOID) =
    "UPDATE tokbudget.reservation SET state = 'released', settled_at = $3, reason = $4
     WHERE reservation.tenant_id OPERATOR(pg_catalog.=) $1 AND reservation.reservation_id OPERATOR(pg_catalog.=) $2"
}

/// Gives the hold back. `false` when that has been done already, by a release or by its expiry.
pub fn release(
    client: &mut SpiClient<'_>,
    reservation_id: Uuid,
    reason: Option<&str>,
    now: Instant,
) -> Result<bool, Failure> {
    let reservation = Reservation::lock(client, reservation_id)?;
    match reservation.state.as_str() {
        "held" => {}
        "committed" => return Err(reservation.already_settled().into()),
        _ => return Ok(false),
    }
    let nothing_spent = vec![0; reservation.budget_ids.len()];
    Rows::new(client).settle(reservation.tenant_id, &reservation.settlements(&nothing_spent))?;
    let arguments = [reservation.tenant_id.into(), reservation_id.into(), timestamp(now)?.into(), reason.into()];
    mark_released(client, &arguments)?;
    Ok(true)
}
