//! Whether a call fits into its budgets, and out of what.
//!
//! What a window has comes in an order: the budget's own amount with what was carried over from the window before, then
//! the grants in their burn order, then the burst. What is used goes against them in that order, so what lapses first is
//! used first.

use std::cmp::Ordering;
use std::rc::Rc;

use crate::budget::meter;
use crate::budget::watch::Watch;
use crate::budget::window::Window;

/// An extra amount on a budget, which is used up over as many windows as it lasts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    pub grant_id: i64,
    pub units: i64,
}

/// A budget as a decision needs it.
#[derive(Clone, Debug, Default)]
pub struct Budget {
    /// 0 for a quota that has not been given yet.
    pub budget_id: i64,
    pub account_id: i64,
    pub account: String,
    pub meter: String,
    /// Nano-units of the currency for cost, counts otherwise; so are all units here.
    pub limit_units: i64,
    pub hard: bool,
    /// How far above the limit, and above all grants, a window may go.
    pub burst_units: i64,
    pub watch: Watch,
    /// Those that may be drawn on now, in burn order.
    pub grants: Vec<Grant>,
}

/// What a call wants of one budget in one window.
#[derive(Clone, Debug)]
pub struct Claim {
    pub budget: Rc<Budget>,
    pub window: Window,
    pub units: i64,
    /// What the window gets from the one before it, should this call be the first in it.
    pub opening_carry_units: i64,
}

/// What is spent and held of a budget in a window, or of a grant; `held_units` leaves out holds that have expired.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Balance {
    pub spent_units: i64,
    pub held_units: i64,
    /// The part of spent and held that grants bear.
    pub granted_units: i64,
    /// What the window got from the one before it.
    pub carried_units: i64,
    /// The budget has another schedule now.
    pub is_superseded: bool,
    /// What transactions of others that have not ended yet may add to the spend.
    pub in_flight_spent_units: i64,
    /// Where a growth of the spend was rolled back, and with it perhaps what told of a mark: marks above this count as not told
    /// of.
    pub unwatched_from: Option<i64>,
    /// Others may change it before this transaction ends.
    pub is_shared: bool,
}

/// Where a claim's budget stands.
#[derive(Clone, Debug, Default)]
pub struct Standing {
    pub balance: Balance,
    /// What is left of each of the budget's grants.
    pub grants_left: Vec<i64>,
}

/// What of a claim the grants bear.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allotment {
    /// Of each of the budget's grants.
    pub granted: Vec<i64>,
    /// Whether it goes into the burst, or deeper into it.
    pub is_burst: bool,
}

fn saturate(units: i128) -> i64 {
    i64::try_from(units).unwrap_or(if units < 0 { i64::MIN } else { i64::MAX })
}

impl Standing {
    /// What the window has of its own.
    pub fn limit_units(&self, budget: &Budget) -> i64 {
        budget.limit_units.saturating_add(self.balance.carried_units)
    }

    fn own_left(&self, budget: &Budget) -> i128 {
        let Balance { spent_units, held_units, granted_units, carried_units, .. } = self.balance;
        i128::from(budget.limit_units) + i128::from(carried_units) + i128::from(granted_units)
            - i128::from(spent_units)
            - i128::from(held_units)
    }

    fn granted_left(&self) -> i128 {
        self.grants_left.iter().map(|left| i128::from(*left)).sum()
    }

    /// What grants have borne in this window, and what is left of them.
    pub fn granted_units(&self) -> i64 {
        saturate(self.granted_left() + i128::from(self.balance.granted_units))
    }

    /// What is left without the burst; below zero after an overrun or within the burst.
    pub fn remaining_units(&self, budget: &Budget) -> i64 {
        saturate(self.own_left(budget) + self.granted_left())
    }

    /// Takes what was allotted off, or gives it back where the units are below zero.
    fn take(&mut self, units: i64, granted: &[i64]) {
        self.balance.held_units = self.balance.held_units.saturating_add(units);
        for (left, granted) in self.grants_left.iter_mut().zip(granted) {
            *left = left.saturating_sub(*granted);
            self.balance.granted_units = self.balance.granted_units.saturating_add(*granted);
        }
    }
}

impl Claim {
    /// Soft budgets only count, and nothing wanted always fits, also after an overrun.
    pub fn fits(&self, standing: &Standing) -> bool {
        let room = standing.own_left(&self.budget) + standing.granted_left() + i128::from(self.budget.burst_units);
        !self.budget.hard || self.units == 0 || i128::from(self.units) <= room
    }

    /// Whether the window bears all of it, so that it draws on no grant and goes into no burst. Grants of which more is taken
    /// than there was have nothing left to give, and less than nothing.
    pub fn is_own(&self, standing: &Standing) -> bool {
        let units = i128::from(self.units);
        let own_left = standing.own_left(&self.budget);
        let is_all_there_is = self.budget.grants.is_empty() && self.budget.burst_units == 0;
        let is_burst = self.budget.burst_units > 0 && own_left + standing.granted_left() < units;
        is_all_there_is || units == 0 || units <= own_left && !is_burst
    }

    /// How the units are borne, whether or not they fit; the standing is then that after them.
    pub fn allot(&self, standing: &mut Standing) -> Allotment {
        let mut beyond = i128::from(self.units) - standing.own_left(&self.budget).max(0);
        let mut granted = Vec::with_capacity(standing.grants_left.len());
        for left in &standing.grants_left {
            let part = beyond.min(i128::from(*left)).max(0);
            beyond -= part;
            granted.push(saturate(part));
        }
        standing.take(self.units, &granted);
        let is_burst = self.units > 0 && self.budget.burst_units > 0 && standing.remaining_units(&self.budget) < 0;
        Allotment { granted, is_burst }
    }
}

/// Orders claims by how much of `whole` is left, least share first, and by budget for the rest.
pub fn compare_shares(
    (claim, standing): (&Claim, &Standing),
    (other, other_standing): (&Claim, &Standing),
    whole: impl Fn(&Claim, &Standing) -> i64,
) -> Ordering {
    let left = |claim: &Claim, standing: &Standing| i128::from(standing.remaining_units(&claim.budget));
    // A share of nothing would equal every other share, and then this would be no order at all.
    let whole = |claim: &Claim, standing: &Standing| i128::from(whole(claim, standing).max(1));
    (left(claim, standing) * whole(other, other_standing))
        .cmp(&(left(other, other_standing) * whole(claim, standing)))
        .then(claim.budget.budget_id.cmp(&other.budget.budget_id))
}

/// Sorts budgets by the share of the limit that is left, least first.
pub fn sort_by_tightness(budgets: &mut [(Claim, Standing)]) {
    budgets.sort_by(|(claim, standing), (other, other_standing)| {
        compare_shares((claim, standing), (other, other_standing), |claim, standing| {
            standing.limit_units(&claim.budget)
        })
    });
}

/// What remains per meter at the tightest hard budget.
pub fn remaining<'a>(budgets: impl IntoIterator<Item = (&'a Budget, &'a Standing)>) -> meter::Amounts {
    let mut tightest = meter::Amounts::new();
    for (budget, standing) in budgets.into_iter().filter(|(budget, _)| budget.hard) {
        let remaining = standing.remaining_units(budget);
        let least = tightest.entry(budget.meter.clone()).or_insert(remaining);
        *least = (*least).min(remaining);
    }
    tightest
}

#[cfg(test)]
mod tests;
