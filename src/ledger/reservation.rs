//! Reservations as those who settle them find them.

use std::collections::HashMap;

use pgrx::spi::{SpiClient, SpiHeapTupleData};
use pgrx::{JsonB, Uuid};
use serde_json::{Value, json};

use crate::budget::meter::{self, Amounts};
use crate::id;
use crate::instant::Instant;
use crate::ledger::slots::Slots;
use crate::ledger::spender::Spender;
use crate::ledger::{Failure, access};
use crate::privilege::Privilege;
use crate::refusal::{Code, Refusal};
use crate::statement::{instant, instants, optional, optional_instant, required, statement};

macro_rules! columns {
    () => {
        "SELECT reservation.reservation_id, reservation.account_id, reservation.account_ids, reservation.budget_ids,
             reservation.window_starts, reservation.held_units, reservation.held, reservation.model, reservation.cost_center,
             reservation.currency, reservation.state, reservation.created_at, reservation.expires_at, reservation.settle_hash,
             reservation.settlement, reservation.attributes, reservation.settled_at, reservation.fallback_unit_prices,
             reservation.input_tokens, reservation.max_output_tokens, reservation.flags
         FROM tokbudget.reservation
         WHERE reservation.tenant_id OPERATOR(pg_catalog.=) $1"
    };
}

statement! {
    /// In the order of their ids, so that two batches never wait for each other.
    write lock_reservations(INT4OID, UUIDARRAYOID) = concat!(
        columns!(),
        " AND reservation.reservation_id OPERATOR(pg_catalog.=) ANY ($2)
          ORDER BY reservation.reservation_id
          FOR NO KEY UPDATE"
    )
}

statement! {
    write row lock_reservation(INT4OID, UUIDOID) = concat!(
        columns!(),
        " AND reservation.reservation_id OPERATOR(pg_catalog.=) $2 FOR NO KEY UPDATE"
    )
}

/// A reservation whose row is locked.
pub struct Reservation {
    pub id: Uuid,
    pub spender: Spender,
    /// What is held.
    pub slots: Slots,
    pub held: Amounts,
    pub state: String,
    pub expires_at: Instant,
    pub settle_hash: Option<Vec<u8>>,
    pub settlement: Option<Value>,
    pub attributes: Value,
    pub input_tokens: i64,
    pub max_output_tokens: i64,
    pub flags: Vec<String>,
    settled_at: Option<Instant>,
}

/// The tenant that a reservation belongs to, which its id says.
pub fn tenant_of(id: Uuid) -> Result<i32, Refusal> {
    id::tenant_of(*id.as_bytes()).ok_or_else(|| unknown(id))
}

pub fn unknown(id: Uuid) -> Refusal {
    Refusal::new(
        Code::NoSuchReservation,
        "no such reservation",
        json!({"reservation": id.to_string()}),
        "Pass the reservation that tb_reserve() returned; one whose transaction rolled back is gone.",
    )
}

/// Finds and locks reservations of one tenant.
pub fn lock(
    client: &mut SpiClient<'_>,
    tenant_id: i32,
    ids: Vec<Uuid>,
) -> Result<HashMap<[u8; 16], Reservation>, Failure> {
    let rows = match *ids.as_slice() {
        [id] => lock_reservation(client, &[tenant_id.into(), id.into()])?,
        _ => lock_reservations(client, &[tenant_id.into(), ids.into()])?,
    };
    rows.map(|row| Reservation::read(&row, tenant_id).map(|it| (*it.id.as_bytes(), it))).collect()
}

/// Finds and locks one.
pub fn lock_one(client: &mut SpiClient<'_>, id: Uuid) -> Result<Reservation, Failure> {
    let mut found = lock(client, tenant_of(id)?, vec![id])?;
    let reservation = found.remove(id.as_bytes()).ok_or_else(|| unknown(id))?;
    reservation.require_access(client)?;
    Ok(reservation)
}

impl Reservation {
    fn read(row: &SpiHeapTupleData<'_>, tenant_id: i32) -> Result<Reservation, Failure> {
        let (held, attributes): (JsonB, JsonB) = (required(row, 7)?, required(row, 16)?);
        let id: Uuid = required(row, 1)?;
        Ok(Reservation {
            id,
            spender: Spender {
                tenant_id,
                account_id: required(row, 2)?,
                account_ids: required(row, 3)?,
                model: optional(row, 8)?,
                cost_center: optional(row, 9)?,
                currency: required(row, 10)?,
                at: instant(row, 12)?,
                fallback_unit_prices: optional::<JsonB>(row, 18)?.map(|prices| prices.0),
                reservation_id: Some(id),
            },
            slots: Slots { budget_ids: required(row, 4)?, window_starts: instants(row, 5)?, units: required(row, 6)? },
            held: meter::amounts_from_json(&held.0)
                .ok_or(Failure::Internal("a reservation holds unreadable amounts"))?,
            state: required(row, 11)?,
            expires_at: instant(row, 13)?,
            settle_hash: optional(row, 14)?,
            settlement: optional::<JsonB>(row, 15)?.map(|settlement| settlement.0),
            attributes: attributes.0,
            input_tokens: required(row, 19)?,
            max_output_tokens: required(row, 20)?,
            flags: required(row, 21)?,
            settled_at: optional_instant(row, 17)?,
        })
    }

    /// Nothing is told of it to a role that may not spend on its account.
    pub fn require_access(&self, client: &mut SpiClient<'_>) -> Result<(), Failure> {
        let Spender { tenant_id, .. } = self.spender;
        access::require_for_reservation(client, tenant_id, self.spender.own_account_ids(), self.id, Privilege::Spend)
    }

    /// Whether its hold still stands in the balances, expired or not: no sweep has closed it, and nobody settled it.
    pub fn is_held(&self) -> bool {
        self.state == "held"
    }

    /// Whether its time is over, swept or not.
    pub fn has_expired(&self, now: Instant) -> bool {
        self.state == "expired" || self.is_held() && now >= self.expires_at
    }

    /// The refusal to settle what is settled.
    pub fn already_settled(&self) -> Refusal {
        Refusal::new(
            Code::AlreadySettled,
            format!("reservation is already {}", self.state),
            json!({
                "reservation": self.id.to_string(),
                "state": self.state,
                "settled_at": self.settled_at.map(|at| at.to_string()),
            }),
            "A reservation is settled once. The same commit again gives its first answer; to change what was booked, add an entry.",
        )
    }
}
