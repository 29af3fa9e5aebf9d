//! Commit: book what a call really used and give the rest of its hold back.

use pgrx::spi::SpiClient;
use pgrx::{JsonB, Uuid};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::budget::decision::{Budget, Claim, remaining};
use crate::budget::meter::{self, Amounts};
use crate::budget::window::Window;
use crate::engine::Engine;
use crate::engine::rows::Rows;
use crate::id;
use crate::instant::Instant;
use crate::ledger::Failure;
use crate::ledger::attribution::Attribution;
use crate::ledger::entry::Entry;
use crate::ledger::reservation::Reservation;
use crate::ledger::used::read_usage;
use crate::refusal::Refusal;
use crate::statement::{required, statement, timestamp};

statement! {
    read find_limits(INT4OID, INT8ARRAYOID) =
    "SELECT budget.budget_id, budget.meter, budget.limit_units, budget.hard FROM tokbudget.budget
     WHERE budget.tenant_id OPERATOR(pg_catalog.=) $1 AND budget.budget_id OPERATOR(pg_catalog.=) ANY ($2)"
}

statement! {
    write mark_committed(INT4OID, UUIDOID, TIMESTAMPTZOID, BYTEAOID, JSONBOID) =
    "UPDATE tokbudget.reservation SET state = 'committed', settled_at = $3, settle_hash = $4, settlement = $5
     WHERE reservation.tenant_id OPERATOR(pg_catalog.=) $1 AND reservation.reservation_id OPERATOR(pg_catalog.=) $2"
}

/// What a commit booked. Kept as the answer to the same commit again.
#[derive(Serialize, Deserialize)]
pub struct Receipt {
    /// Bytes of its UUID.
    pub entry: [u8; 16],
    pub cost_nanos: Option<i64>,
    #[serde(default)]
    pub internal_nanos: Option<i64>,
    pub currency: String,
    pub tokens: i64,
    pub overrun: bool,
    pub released: Value,
    pub remaining: Value,
    #[serde(default)]
    pub flags: Vec<String>,
}

/// What a caller reports of a call.
pub struct Report<'a> {
    pub usage: Value,
    pub attributes: Value,
    /// Whose dialect the usage object is in; none for what its shape says.
    pub provider: Option<&'a str>,
    /// Where the counts come from.
    pub usage_source: &'a str,
}

/// Where counts may come from.
const USAGE_SOURCES: [&str; 3] = ["provider", "partial", "estimated"];

/// Settles a reservation with the provider's own usage object. More than was held is booked in full; after expiry it is
/// booked too, flagged late, because the ledger tells the truth.
pub fn commit(
    client: &mut SpiClient<'_>,
    reservation_id: Uuid,
    report: Report<'_>,
    now: Instant,
) -> Result<Receipt, Failure> {
    let Report { usage, attributes, provider, usage_source } = report;
    if !USAGE_SOURCES.contains(&usage_source) {
        let why = "not one of provider, partial, estimated";
        return Err(Refusal::invalid_argument("usage_source", why, "Say where the counts come from.").into());
    }
    let payload = json!({"usage": usage, "attributes": attributes, "provider": provider, "usage_source": usage_source});
    let payload = payload.to_string();
    let settle_hash = Sha256::digest(payload).to_vec();
    let attribution = Attribution::parse(attributes)?;

    let reservation = Reservation::lock(client, reservation_id)?;
    match reservation.state.as_str() {
        "held" | "expired" => {}
        "committed" if reservation.settle_hash.as_ref() == Some(&settle_hash) => {
            let receipt = reservation.settlement.and_then(|settlement| serde_json::from_value(settlement).ok());
            return receipt.ok_or(Failure::Internal("the answer kept for a commit is unreadable"));
        }
        _ => return Err(reservation.already_settled().into()),
    }
    let attribution = Attribution::parse(reservation.attributes.clone())?.overridden_by(attribution);
    let budgets = read_budgets(client, &reservation)?;
    let is_cost_limited = budgets.iter().any(|budget| meter::is_money(&budget.meter));
    let used = read_usage(client, &reservation, usage, provider, &attribution, is_cost_limited)?;
    let spent_units: Vec<i64> =
        budgets.iter().map(|budget| used.amounts.get(&budget.meter).copied().unwrap_or(0)).collect();
    let overrun = spent_units.iter().zip(&reservation.held_units).any(|(spent, held)| spent > held);
    // From this instant on the hold may have been given to others.
    let late = now >= reservation.expires_at;
    let settlements = reservation.settlements(&spent_units);
    let balances = Rows::new(client).settle(reservation.tenant_id, &settlements)?;

    let claims: Vec<Claim> =
        budgets.into_iter().map(|budget| Claim { budget, window: Window::WHOLE, units: 0 }).collect();
    let receipt = Receipt {
        entry: id::new_uuid(reservation.tenant_id)?,
        cost_nanos: used.charge.as_ref().map(|charge| charge.cost_nanos),
        internal_nanos: used.charge.as_ref().map(|charge| charge.internal_nanos),
        currency: reservation.currency.clone(),
        tokens: used.amounts.get(meter::TOKENS).copied().unwrap_or(0),
        overrun,
        released: meter::amounts_to_json(&released(&reservation.held, &used.amounts)),
        remaining: meter::amounts_to_json(&remaining(&claims, &balances)),
        flags: used.flags.clone(),
    };
    Entry {
        entry_id: Uuid::from_bytes(receipt.entry),
        recorded_at: now,
        reservation: &reservation,
        used: &used,
        spent_units: &spent_units,
        attribution: &attribution,
        usage_source,
        overrun,
        late,
    }
    .add(client)?;
    let settlement = serde_json::to_value(&receipt).map_err(|_| Failure::Internal("an answer cannot be kept"))?;
    mark_committed(
        client,
        &[
            reservation.tenant_id.into(),
            reservation_id.into(),
            timestamp(now)?.into(),
            settle_hash.into(),
            JsonB(settlement).into(),
        ],
    )?;
    Ok(receipt)
}

/// The budgets of the reservation, in its order.
fn read_budgets(client: &mut SpiClient<'_>, reservation: &Reservation) -> Result<Vec<Budget>, Failure> {
    let mut budgets = Vec::with_capacity(reservation.budget_ids.len());
    if !reservation.budget_ids.is_empty() {
        for row in find_limits(client, &[reservation.tenant_id.into(), reservation.budget_ids.clone().into()])? {
            budgets.push(Budget {
                budget_id: required(&row, 1)?,
                account: String::new(),
                meter: required(&row, 2)?,
                limit_units: required(&row, 3)?,
                hard: required(&row, 4)?,
            });
        }
    }
    reservation
        .budget_ids
        .iter()
        .map(|budget_id| {
            let found = budgets.iter().find(|budget| budget.budget_id == *budget_id).cloned();
            found.ok_or(Failure::Internal("a budget of a reservation is missing"))
        })
        .collect()
}

fn released(held: &Amounts, used: &Amounts) -> Amounts {
    held.iter()
        .map(|(meter, held)| (meter.clone(), held.saturating_sub(used.get(meter).copied().unwrap_or(0))))
        .filter(|(_, released)| *released > 0)
        .collect()
}
