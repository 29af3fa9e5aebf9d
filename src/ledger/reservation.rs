//! A reservation as its settlement finds it.

use pgrx::datum::TimestampWithTimeZone;
use pgrx::spi::SpiClient;
use pgrx::{JsonB, Uuid};
use serde_json::{Value, json};

use crate::budget::meter::{self, Amounts};
use crate::clock;
use crate::engine::Settlement;
use crate::id;
use crate::instant::Instant;
use crate::ledger::{Failure, access};
use crate::privilege::Privilege;
use crate::refusal::{Code, Refusal};
use crate::statement::{instant, instants, optional, required, statement};

statement! {
    write lock_reservation(INT4OID, UUIDOID) =
    "SELECT reservation.account_id, reservation.account_ids, reservation.budget_ids, reservation.window_starts,
         reservation.held_units, reservation.held, reservation.model, reservation.cost_center, reservation.currency,
         reservation.state, reservation.created_at, reservation.expires_at, reservation.settle_hash,
         reservation.settlement, reservation.attributes, reservation.settled_at, reservation.fallback_unit_prices
     FROM tokbudget.reservation
     WHERE reservation.tenant_id OPERATOR(pg_catalog.=) $1 AND reservation.reservation_id OPERATOR(pg_catalog.=) $2
     FOR NO KEY UPDATE"
}

/// A reservation whose row is locked.
pub struct Reservation {
    pub tenant_id: i32,
    pub reservation_id: Uuid,
    pub account_id: i64,
    pub account_ids: Vec<i64>,
    pub budget_ids: Vec<i64>,
    pub window_starts: Vec<Instant>,
    pub held_units: Vec<i64>,
    pub held: Amounts,
    pub model: Option<String>,
    pub cost_center: Option<String>,
    pub currency: String,
    pub state: String,
    pub created_at: Instant,
    pub expires_at: Instant,
    pub settle_hash: Option<Vec<u8>>,
    pub settlement: Option<Value>,
    pub attributes: Value,
    /// Usage without a price is recorded, and counted at these prices against budgets in cost.
    pub fallback_unit_prices: Option<Value>,
    settled_at: Option<Instant>,
}

impl Reservation {
    /// Finds and locks the reservation, whose id says whose it is. Nothing is told of it to a role that may not spend on its
    /// account.
    pub fn lock(client: &mut SpiClient<'_>, reservation_id: Uuid) -> Result<Reservation, Failure> {
        let unknown = || {
            Refusal::new(
                Code::NoSuchReservation,
                "no such reservation",
                json!({"reservation": reservation_id.to_string()}),
                "Pass the reservation that tb_reserve() returned; one whose transaction rolled back is gone.",
            )
        };
        let tenant_id = id::tenant_of(*reservation_id.as_bytes()).ok_or_else(unknown)?;
        let row = lock_reservation(client, &[tenant_id.into(), reservation_id.into()])?.next().ok_or_else(unknown)?;
        let account_id = required(&row, 1)?;
        let account_ids: Vec<i64> = required(&row, 2)?;
        access::require_for_reservation(
            client,
            tenant_id,
            own_account_ids(&account_ids, account_id),
            reservation_id,
            Privilege::Spend,
        )?;
        let held: JsonB = required(&row, 6)?;
        let settlement: Option<JsonB> = optional(&row, 14)?;
        let attributes: JsonB = required(&row, 15)?;
        let settled_at: Option<TimestampWithTimeZone> = optional(&row, 16)?;
        Ok(Reservation {
            tenant_id,
            reservation_id,
            account_id,
            account_ids,
            budget_ids: required(&row, 3)?,
            window_starts: instants(&row, 4)?,
            held_units: required(&row, 5)?,
            held: meter::amounts_from_json(&held.0)
                .ok_or(Failure::Internal("a reservation holds unreadable amounts"))?,
            model: optional(&row, 7)?,
            cost_center: optional(&row, 8)?,
            currency: required(&row, 9)?,
            state: required(&row, 10)?,
            created_at: instant(&row, 11)?,
            expires_at: instant(&row, 12)?,
            settle_hash: optional(&row, 13)?,
            settlement: settlement.map(|settlement| settlement.0),
            attributes: attributes.0,
            fallback_unit_prices: optional::<JsonB>(&row, 17)?.map(|prices| prices.0),
            settled_at: settled_at.map(|at| clock::from_postgres(at.into())),
        })
    }

    /// The accounts from the root down to the one that spends, without those of `also`.
    pub fn own_account_ids(&self) -> &[i64] {
        own_account_ids(&self.account_ids, self.account_id)
    }

    /// The refusal to settle what is settled.
    pub fn already_settled(&self) -> Refusal {
        Refusal::new(
            Code::AlreadySettled,
            format!("reservation is already {}", self.state),
            json!({
                "reservation": self.reservation_id.to_string(),
                "state": self.state,
                "settled_at": self.settled_at.map(|at| at.to_string()),
            }),
            "A reservation is settled once. The same commit again gives its first answer; to change what was booked, add an entry.",
        )
    }

    /// Gives back the hold and adds `spent_units` to each budget; a hold that a sweep has closed is gone already.
    pub fn settlements(&self, spent_units: &[i64]) -> Vec<Settlement> {
        let is_held = self.state == "held";
        self.budget_ids
            .iter()
            .zip(&self.window_starts)
            .zip(self.held_units.iter().zip(spent_units))
            .map(|((budget_id, window_start), (held_units, spent_units))| Settlement {
                budget_id: *budget_id,
                window_start: *window_start,
                held_units: if is_held { *held_units } else { 0 },
                spent_units: *spent_units,
            })
            .collect()
    }
}

/// Of the accounts of a call those from the root down to the one that spends, which come first, without those of `also`.
pub fn own_account_ids(account_ids: &[i64], account_id: i64) -> &[i64] {
    let own = account_ids.iter().position(|known| *known == account_id);
    own.and_then(|own| account_ids.get(..=own)).unwrap_or_default()
}
