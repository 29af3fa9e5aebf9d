//! Extend: hold more for a call that is under way, or for longer.

use std::collections::BTreeMap;
use std::rc::Rc;

use pgrx::Uuid;
use pgrx::spi::SpiClient;
use serde_json::json;

use crate::budget::decision::{Claim, remaining};
use crate::budget::meter::{self, Amounts};
use crate::budget::window::Window;
use crate::engine::{self, Slot, Taking};
use crate::instant::Instant;
use crate::jsonb::Json;
use crate::ledger::attribution::Attribution;
use crate::ledger::batch::taken;
use crate::ledger::estimate::{Wanted, estimate};
use crate::ledger::reserve::{Hold, check_ttl};
use crate::ledger::slots::Slots;
use crate::ledger::{Failure, alert, budgets, reservation};
use crate::refusal::{Code, Refusal};
use crate::statement::{optional, required, statement, timestamp, timestamps};

statement! {
    write change_reservation(
        INT4OID, UUIDOID, INT8ARRAYOID, TIMESTAMPTZARRAYOID, INT8ARRAYOID, JSONBOID, INT8OID, TIMESTAMPTZOID, TEXTARRAYOID
    ) =
    "UPDATE tokbudget.reservation
     SET budget_ids = $3, window_starts = $4, held_units = $5, held = $6, max_output_tokens = $7, expires_at = $8, flags = $9
     WHERE reservation.tenant_id OPERATOR(pg_catalog.=) $1 AND reservation.reservation_id OPERATOR(pg_catalog.=) $2"
}

statement! {
    read find_inactive(INT4OID, INT8ARRAYOID) =
    "SELECT account.path, account.status, account.status_reason FROM tokbudget.account
     WHERE account.tenant_id OPERATOR(pg_catalog.=) $1 AND account.account_id OPERATOR(pg_catalog.=) ANY ($2)
         AND account.status OPERATOR(pg_catalog.<>) 'active'
     ORDER BY account.path
     LIMIT 1"
}

/// Holds `add_output_tokens` more, in the windows in which the reservation was made, and lets it live for `ttl_us` from now.
pub fn extend(
    client: &mut SpiClient<'_>,
    id: Uuid,
    add_output_tokens: i64,
    ttl_us: Option<i64>,
    now: Instant,
    interrupt: &mut dyn FnMut(),
) -> Result<Hold, Failure> {
    if add_output_tokens < 0 {
        let why = "a count is not negative";
        return Err(
            Refusal::invalid_argument("add_output_tokens", why, "A hold is never made smaller; commit less.").into()
        );
    }
    ttl_us.map_or(Ok(()), check_ttl)?;
    let reservation = reservation::lock_one(client, id)?;
    if reservation.has_expired(now) {
        return Err(Refusal::new(
            Code::ReservationExpired,
            "reservation has expired",
            json!({"reservation": id.to_string(), "expires_at": reservation.expires_at.to_string()}),
            "What it held may have been given to others: reserve anew. A commit still books what was used.",
        )
        .into());
    }
    if !reservation.is_held() {
        return Err(reservation.already_settled().into());
    }
    let spender = &reservation.spender;
    let tenant_id = spender.tenant_id;
    if add_output_tokens > 0 {
        check_active(client, tenant_id, &spender.account_ids)?;
    }
    let expires_at = match ttl_us {
        None => reservation.expires_at,
        Some(ttl_us) => now.checked_add_us(ttl_us).ok_or(Failure::Internal("the clock is beyond the calendar"))?,
    };

    let mut claims = claims(client, tenant_id, &reservation.slots, spender.at, now)?;
    let max_output_tokens = reservation.max_output_tokens.checked_add(add_output_tokens).ok_or_else(|| {
        Refusal::invalid_argument("add_output_tokens", "the sum leaves the range of bigint", "Pass a real count.")
    })?;
    let wanted = Wanted {
        input_tokens: Some(reservation.input_tokens),
        max_output_tokens: Some(max_output_tokens),
        ..Wanted::default()
    };
    let given = reservation.held.iter().filter(|(name, _)| !meter::is_derived(name));
    let given: Amounts = given.map(|(name, units)| (name.clone(), *units)).collect();
    let attribution = Attribution::parse(reservation.attributes.clone())?;
    let estimate = estimate(client, &wanted, &given, &attribution, spender, &claims, interrupt)?;
    let held = estimate.amounts(given, &claims)?;
    for claim in &mut claims {
        let units = |amounts: &Amounts| amounts.get(&claim.budget.meter).copied().unwrap_or(0);
        // A price book that changed meanwhile must not make the hold smaller.
        claim.units = units(&held).saturating_sub(units(&reservation.held)).max(0);
    }
    let outcome = engine::present(client)?.take(tenant_id, &[&claims], Taking::Extend, now)?.pop();
    let outcome = outcome.ok_or(Failure::Internal("a call has no outcome"))?;
    let outcome = taken(outcome, &claims)??;
    let mut flags = reservation.flags.clone();
    if alert::notice_burst(client, tenant_id, &claims, &outcome, now)? && !flags.iter().any(|flag| flag == alert::BURST)
    {
        flags.push(alert::BURST.into());
    }
    let slots = sum(&reservation.slots, &Slots::of(&claims, &outcome.allotments));
    let held_json = meter::amounts_to_json(&held);
    change_reservation(
        client,
        &[
            tenant_id.into(),
            id.into(),
            slots.budget_ids.into(),
            timestamps(slots.window_starts)?.into(),
            slots.units.into(),
            Json(&held_json).into(),
            max_output_tokens.into(),
            timestamp(expires_at)?.into(),
            flags.clone().into(),
        ],
    )?;
    let budgets = claims.iter().map(|claim| &*claim.budget).zip(&outcome.standings);
    Ok(Hold {
        reservation: *id.as_bytes(),
        input_tokens: reservation.input_tokens,
        max_output_tokens,
        count_basis: None,
        held: held_json,
        remaining: meter::amounts_to_json(&remaining(budgets)),
        expires_at,
        flags,
    })
}

fn check_active(client: &mut SpiClient<'_>, tenant_id: i32, account_ids: &[i64]) -> Result<(), Failure> {
    let Some(row) = find_inactive(client, &[tenant_id.into(), account_ids.to_vec().into()])?.next() else {
        return Ok(());
    };
    let (path, status): (String, String) = (required(&row, 1)?, required(&row, 2)?);
    let why: Option<String> = optional(&row, 3)?;
    Err(Refusal::inactive_account(&path, &status, why.as_deref()).into())
}

/// The budgets of a reservation, in the windows in which it was made.
fn claims(
    client: &mut SpiClient<'_>,
    tenant_id: i32,
    slots: &Slots,
    at: Instant,
    now: Instant,
) -> Result<Vec<Claim>, Failure> {
    let found = budgets::by_id(client, tenant_id, &slots.budget_ids, now)?;
    let claim = |mut found: budgets::Found| {
        // One that has been closed or has run out since goes on counting the hold, and refuses nothing.
        if !found.is_in_force {
            Rc::make_mut(&mut found.budget).hard = false;
        }
        let own = slots.iter().find(|((budget_id, _), _)| *budget_id == found.budget.budget_id);
        let start =
            own.map(|((_, start), _)| start).ok_or(Failure::Internal("a budget of a reservation is missing"))?;
        let window = found.stored.window_at(at).filter(|window| window.start == start);
        let window = window.unwrap_or(Window { start, end: Instant::AFTER_ALL });
        Ok(Claim { budget: found.budget, window, units: 0, opening_carry_units: 0 })
    };
    found.into_iter().map(claim).collect()
}

fn sum(held: &Slots, more: &Slots) -> Slots {
    let mut units: BTreeMap<Slot, i64> = held.iter().collect();
    for (slot, more_units) in more.iter() {
        let sum = units.entry(slot).or_insert(0);
        *sum = sum.saturating_add(more_units);
    }
    let (slots, units): (Vec<Slot>, Vec<i64>) = units.into_iter().unzip();
    let (budget_ids, window_starts) = slots.into_iter().unzip();
    Slots { budget_ids, window_starts, units }
}
