//! What becomes of calls, decided over balances in memory: whatever keeps the balances, the answer is the same.

use std::collections::{BTreeMap, HashMap};

use crate::budget::decision::{Allotment, Balance, Claim, Grant, Standing};
use crate::engine::{Slot, Taking, grant_slot, own_slot};
use crate::refusal::Refusal;

pub type Balances = HashMap<Slot, Balance>;
pub type Changes = BTreeMap<Slot, Change>;

/// By how much a slot changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Change {
    pub spent_units: i64,
    pub held_units: i64,
    pub granted_units: i64,
}

/// What the engine did with a call. The standings are those after it if it was taken, else those that were found.
#[derive(Debug)]
pub struct Outcome {
    /// Every claim had room. With room to spare, holds that have expired and that no sweep has closed may still be among
    /// the held of the standings.
    pub fits: bool,
    pub is_taken: bool,
    pub standings: Vec<Standing>,
    pub allotments: Vec<Allotment>,
}

/// A slot that a call touches has no balance, although it was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoBalance;

/// Takes the claims of each call, all or none of a call, one call after the other. A call that no balance can count is
/// refused by itself. Returns what the balances changed by in all; `balances` are those after it. `free_expired` takes
/// holds that have expired out of the balances, and is called once at most, where it matters.
pub fn decide<E: From<NoBalance>>(
    calls: &[&[Claim]],
    balances: &mut Balances,
    taking: Taking,
    mut free_expired: impl FnMut(&mut Balances) -> Result<(), E>,
) -> Result<(Vec<Result<Outcome, Refusal>>, Changes), E> {
    let mut is_freed = false;
    let mut changes = Changes::new();
    let mut outcomes = Vec::with_capacity(calls.len());
    for claims in calls {
        let mut standings = standings(claims, balances)?;
        let mut fits = all_fit(claims, &standings);
        if !(is_freed || fits && all_own(claims, &standings)) {
            // Only now, because where the windows have room of their own it does not matter what has expired.
            free_expired(balances)?;
            is_freed = true;
            standings = self::standings(claims, balances)?;
            fits = all_fit(claims, &standings);
        }
        let is_taken = fits || taking == Taking::Record;
        let allotments = if is_taken {
            let allot = |(claim, standing): (&Claim, &mut Standing)| claim.allot(standing);
            claims.iter().zip(&mut standings).map(allot).collect()
        } else {
            Vec::new()
        };
        if is_taken {
            let taken = changes_of(claims, &allotments, taking);
            if let Err(refusal) = taken.and_then(|call| apply(balances, &mut changes, &call)) {
                outcomes.push(Err(refusal));
                continue;
            }
            for (claim, standing) in claims.iter().zip(&mut standings) {
                standing.balance = *balances.get(&own_slot(claim)).ok_or(NoBalance)?;
            }
        }
        outcomes.push(Ok(Outcome { fits, is_taken, standings, allotments }));
    }
    Ok((outcomes, changes))
}

/// The slots that calls touch, each with what a window gets that nobody has touched yet.
pub fn touched(calls: &[&[Claim]]) -> BTreeMap<Slot, i64> {
    let mut openings = BTreeMap::new();
    for claim in calls.iter().copied().flatten() {
        openings.insert(own_slot(claim), claim.opening_carry_units);
        for grant in &claim.budget.grants {
            openings.insert(grant_slot(grant.grant_id), 0);
        }
    }
    openings
}

/// Where the budgets of claims stand.
pub fn standings(claims: &[Claim], balances: &Balances) -> Result<Vec<Standing>, NoBalance> {
    let standing = |claim: &Claim| {
        let left = |grant: &Grant| {
            let balance = balances.get(&grant_slot(grant.grant_id))?;
            Some(grant.units.saturating_sub(balance.spent_units).saturating_sub(balance.held_units))
        };
        let balance = *balances.get(&own_slot(claim))?;
        Some(Standing { balance, grants_left: claim.budget.grants.iter().map(left).collect::<Option<_>>()? })
    };
    claims.iter().map(|claim| standing(claim).ok_or(NoBalance)).collect()
}

/// Adds what one call changes to the balances and to what all calls change: to every slot, or to none where one of them
/// would leave the range of bigint. A slot without a balance begins at zero.
pub fn apply(balances: &mut Balances, changes: &mut Changes, call: &Changes) -> Result<(), Refusal> {
    let mut after = Vec::with_capacity(call.len());
    for (slot, change) in call {
        let mut balance = balances.get(slot).copied().unwrap_or_default();
        let mut sum = changes.get(slot).copied().unwrap_or_default();
        add(&mut balance.spent_units, change.spent_units)?;
        add(&mut balance.held_units, change.held_units)?;
        add(&mut balance.granted_units, change.granted_units)?;
        sum.add(*change)?;
        after.push((*slot, balance, sum));
    }
    for (slot, balance, sum) in after {
        balances.insert(slot, balance);
        changes.insert(slot, sum);
    }
    Ok(())
}

/// What a call is told whose amounts no balance can count.
pub fn out_of_range() -> Refusal {
    Refusal::invalid_argument("amount", "the balance would leave the range of bigint", "Use a smaller amount.")
}

impl Change {
    /// Both together; sums that leave the range stay at its end.
    pub fn plus(self, other: Change) -> Change {
        Change {
            spent_units: self.spent_units.saturating_add(other.spent_units),
            held_units: self.held_units.saturating_add(other.held_units),
            granted_units: self.granted_units.saturating_add(other.granted_units),
        }
    }

    fn add(&mut self, other: Change) -> Result<(), Refusal> {
        add(&mut self.spent_units, other.spent_units)?;
        add(&mut self.held_units, other.held_units)?;
        add(&mut self.granted_units, other.granted_units)
    }
}

fn add(sum: &mut i64, units: i64) -> Result<(), Refusal> {
    *sum = sum.checked_add(units).ok_or_else(out_of_range)?;
    Ok(())
}

fn changes_of(claims: &[Claim], allotments: &[Allotment], taking: Taking) -> Result<Changes, Refusal> {
    let mut call = Changes::new();
    let mut take = |slot, units, granted_units| {
        let change = match taking {
            Taking::Hold | Taking::Extend => Change { held_units: units, spent_units: 0, granted_units },
            Taking::Spend | Taking::Record => Change { held_units: 0, spent_units: units, granted_units },
        };
        call.entry(slot).or_default().add(change)
    };
    for (claim, allotment) in claims.iter().zip(allotments) {
        take(own_slot(claim), claim.units, allotment.granted.iter().sum())?;
        for (grant, units) in claim.budget.grants.iter().zip(&allotment.granted) {
            take(grant_slot(grant.grant_id), *units, 0)?;
        }
    }
    Ok(call)
}

fn all_fit(claims: &[Claim], standings: &[Standing]) -> bool {
    claims.iter().zip(standings).all(|(claim, standing)| claim.fits(standing))
}

fn all_own(claims: &[Claim], standings: &[Standing]) -> bool {
    claims.iter().zip(standings).all(|(claim, standing)| claim.is_own(standing))
}

#[cfg(test)]
mod tests;
