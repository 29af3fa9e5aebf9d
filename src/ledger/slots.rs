//! What a call counts against: slots, each a budget in one window or a grant, in the order in which the engine locks.

use std::collections::BTreeMap;

use pgrx::spi::SpiClient;

use crate::budget::decision::{Allotment, Claim};
use crate::budget::settlement::Place;
use crate::engine::decide::out_of_range;
use crate::engine::{Settlement, Slot, grant_slot, own_slot};
use crate::instant::Instant;
use crate::ledger::Failure;
use crate::ledger::budgets;

/// Slots with the units that are held or spent of each.
#[derive(Clone, Debug, Default)]
pub struct Slots {
    pub budget_ids: Vec<i64>,
    pub window_starts: Vec<Instant>,
    pub units: Vec<i64>,
}

impl Slots {
    /// Of what was taken of these claims.
    pub fn of(claims: &[Claim], allotments: &[Allotment]) -> Slots {
        let mut units: BTreeMap<Slot, i64> = BTreeMap::new();
        for (claim, allotment) in claims.iter().zip(allotments) {
            units.insert(own_slot(claim), claim.units);
            let granted = claim.budget.grants.iter().zip(&allotment.granted);
            units
                .extend(granted.filter(|(_, units)| **units != 0).map(|(it, units)| (grant_slot(it.grant_id), *units)));
        }
        let (slots, units): (Vec<Slot>, Vec<i64>) = units.into_iter().unzip();
        let (budget_ids, window_starts) = slots.into_iter().unzip();
        Slots { budget_ids, window_starts, units }
    }

    pub fn iter(&self) -> impl Iterator<Item = (Slot, i64)> {
        self.budget_ids.iter().copied().zip(self.window_starts.iter().copied()).zip(self.units.iter().copied())
    }

    /// These slots with other units.
    pub fn with(&self, units: Vec<i64>) -> Slots {
        Slots { budget_ids: self.budget_ids.clone(), window_starts: self.window_starts.clone(), units }
    }

    /// The budgets among the slots, each with the grants that bear a part of it.
    pub fn places(
        &self,
        client: &mut SpiClient<'_>,
        tenant_id: i32,
        budget_ids: &[i64],
    ) -> Result<Vec<Place>, Failure> {
        let position = |id: i64| self.budget_ids.iter().position(|known| *known == id);
        let missing = || Failure::Internal("a budget of a reservation is missing");
        let mut places = budget_ids
            .iter()
            .map(|id| Ok(Place { own: position(*id).ok_or_else(missing)?, grants: Vec::new() }))
            .collect::<Result<Vec<Place>, Failure>>()?;
        let others: Vec<i64> = self.budget_ids.iter().copied().filter(|id| !budget_ids.contains(id)).collect();
        if !others.is_empty() {
            for (grant_id, budget_id) in budgets::owners_of_grants(client, tenant_id, &others)? {
                let own = position(budget_id).ok_or_else(missing)?;
                let place = places.iter_mut().find(|place| place.own == own).ok_or_else(missing)?;
                place.grants.push(position(grant_id).ok_or_else(missing)?);
            }
        }
        Ok(places)
    }
}

/// Sums settlements, so that each slot occurs once, in the order in which the engine locks.
#[derive(Default)]
pub struct Sums {
    sums: BTreeMap<Slot, Settlement>,
}

impl Sums {
    pub fn add(&mut self, settlement: Settlement) -> Result<(), Failure> {
        let Settlement { slot, held_units, spent_units, granted_units, expires_at } = settlement;
        let zero = Settlement { slot, held_units: 0, spent_units: 0, granted_units: 0, expires_at };
        
        let sum = self.sums.entry(slot).or_insert(zero);
        sum.held_units = sum.held_units.checked_add(held_units).ok_or_else(out_of_range)?;
        sum.spent_units = sum.spent_units.checked_add(spent_units).ok_or_else(out_of_range)?;
        sum.granted_units = sum.granted_units.checked_add(granted_units).ok_or_else(out_of_range)?;
        Ok(())
    }

    pub fn into_settlements(self) -> Vec<Settlement> {
        self.sums.into_values().collect()
    }
}
