//! What a settlement does to balances, and who is told.

use std::rc::Rc;

use pgrx::spi::SpiClient;

use crate::budget::decision::{Balance, Budget, Claim, Standing};
use crate::budget::settlement::Place;
use crate::budget::window::Window;
use crate::engine::{self, Settlement};
use crate::instant::Instant;
use crate::ledger::reservation::Reservation;
use crate::ledger::slots::{Slots, Sums};
use crate::ledger::{Failure, alert, budgets};

/// A budget of what is settled.
pub struct Settled {
    pub budget: Rc<Budget>,
    pub place: Place,
}

impl Settled {
    /// The budgets among slots of which only the grants matter, because nothing is spent.
    pub fn of_any(client: &mut SpiClient<'_>, tenant_id: i32, slots: &Slots) -> Result<Vec<Settled>, Failure> {
        // A grant's one window has no beginning; neither has that of some budgets.
        let could_be_grants = slots.iter().any(|((_, start), _)| start == Instant::BEFORE_ALL) && slots.units.len() > 1;
        if !could_be_grants {
            return Ok(Vec::new());
        }
        let owners = budgets::owners_of_grants(client, tenant_id, &slots.budget_ids)?;
        if owners.is_empty() {
            return Ok(Vec::new());
        }
        let is_budget = |id: &&i64| !owners.iter().any(|(grant_id, _)| grant_id == *id);
        let ids: Vec<i64> = slots.budget_ids.iter().filter(is_budget).copied().collect();
        let places = slots.places(client, tenant_id, &ids)?;
        Ok(places.into_iter().map(|place| Settled { budget: Rc::default(), place }).collect())
    }
}

/// Adds to `sums` what one settlement does: the hold goes, unless a sweep has taken it, and the spend comes.
pub fn add(
    sums: &mut Sums,
    reservation: &Reservation,
    spent_units: &[i64],
    budgets: &[Settled],
) -> Result<(), Failure> {
    let held = &reservation.slots;
    let nothing = vec![0; held.units.len()];
    let (gone, expires_at) = if reservation.is_held() {
        (&held.units, reservation.expires_at)
    } else {
        (&nothing, Instant::AFTER_ALL)
    };
    for (index, (slot, _)) in held.iter().enumerate() {
        let place = budgets.iter().map(|it| &it.place).find(|place| place.own == index);
        sums.add(Settlement {
            slot,
            held_units: gone.get(index).copied().unwrap_or(0),
            spent_units: spent_units.get(index).copied().unwrap_or(0),
            granted_units: place.map_or(0, |place| place.granted_change(gone, spent_units)),
            expires_at,
        })?;
    }
    Ok(())
}

/// Settles, and tells of every mark that the spend of `watched` budgets reaches. Returns the balances with their slots.
pub fn settle(
    client: &mut SpiClient<'_>,
    tenant_id: i32,
    sums: Sums,
    watched: &[Rc<Budget>],
    now: Instant,
) -> Result<Vec<(Settlement, Balance)>, Failure> {
    let settlements = sums.into_settlements();
    let balances = engine::present(client)?.settle(tenant_id, &settlements, now)?;
    let settled: Vec<(Settlement, Balance)> = settlements.into_iter().zip(balances).collect();
    for (settlement, balance) in &settled {
        let (budget_id, window_start) = settlement.slot;
        if let Some(budget) = watched.iter().find(|budget| budget.budget_id == budget_id && !budget.watch.is_empty()) {
            let standing = Standing { balance: *balance, grants_left: Vec::new() };
            alert::notice_spend(client, tenant_id, budget, window_start, &standing, settlement.spent_units, now)?;
        }
    }
    Ok(settled)
}

/// Where budgets stand after a settlement. Only those with grants have to be read again.
pub fn standings(
    client: &mut SpiClient<'_>,
    tenant_id: i32,
    held: &Slots,
    budgets: &[Settled],
    settled: &[(Settlement, Balance)],
    now: Instant,
) -> Result<Vec<Standing>, Failure> {
    const MISSING: Failure = Failure::Internal("a settled balance is missing");
    let mut standings = Vec::with_capacity(budgets.len());
    for Settled { budget, place } in budgets {
        let start = held.window_starts.get(place.own).copied().ok_or(MISSING)?;
        if budget.grants.is_empty() {
            let found = settled.iter().find(|(it, _)| it.slot == (budget.budget_id, start));
            let balance = found.map(|(_, balance)| *balance).ok_or(MISSING)?;
            standings.push(Standing { balance, grants_left: Vec::new() });
        } else {
            let window = Window { start, end: Instant::AFTER_ALL };
            let claim = Claim { budget: Rc::clone(budget), window, units: 0, opening_carry_units: 0 };
            standings.extend(engine::present(client)?.read(tenant_id, &[claim], now)?);
        }
    }
    Ok(standings)
}
