//! The balance engine: what keeps spent and held of every (budget, window), and decides whether a call fits.
//!
//! One small interface, so that implementations can mean the same and be tested by the same tests.

pub mod rows;

use crate::budget::decision::{Allotment, Balance, Claim, Standing};
use crate::instant::Instant;
use crate::ledger::Failure;

/// A budget in one window, or a grant, whose one window has no beginning: what a balance is kept of.
pub type Slot = (i64, Instant);

/// The slot of a claim's budget.
pub fn own_slot(claim: &Claim) -> Slot {
    (claim.budget.budget_id, claim.window.start)
}

/// The slot of a grant.
pub fn grant_slot(grant_id: i64) -> Slot {
    (grant_id, Instant::BEFORE_ALL)
}

/// What a settlement does to one slot.
#[derive(Clone, Debug)]
pub struct Settlement {
    pub slot: Slot,
    /// Hold given back, in units of the budget's meter.
    pub held_units: i64,
    /// Spend added, in units of the budget's meter.
    pub spent_units: i64,
    /// Change of the part that grants bear.
    pub granted_units: i64,
}

/// What becomes of the units of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taking {
    /// They are held if all of them fit.
    Hold,
    /// The same in the windows in which an earlier hold was made, whatever the schedules are by now.
    Extend,
    /// They are spent if all of them fit.
    Spend,
    /// They have been spent: the truth is recorded whether it fits or not.
    Record,
}

/// What the engine did with a call. The standings are those after it if it was taken, else those that were found.
pub struct Outcome {
    /// Every claim had room. With room to spare, holds that have expired and that no sweep has closed may still be among
    /// the held of the standings.
    pub fits: bool,
    pub is_taken: bool,
    pub standings: Vec<Standing>,
    pub allotments: Vec<Allotment>,
}

/// Keeps balances. All calls happen inside the caller's transaction, and what they did disappears if it rolls back.
pub trait Engine {
    /// Fails with [`Failure::Superseded`] if a budget got another schedule after the claims were read. Takes the claims of each call, all or none of a call, one call after the other, in one atomic step. Expired holds
    /// count as free at `now`.
    fn take(
        &mut self,
        tenant_id: i32,
        calls: &[&[Claim]],
        taking: Taking,
        now: Instant,
    ) -> Result<Vec<Outcome>, Failure>;

    /// Gives holds back and adds spend, in full whatever the limits: the truth is always recorded. Returns the balances
    /// after it. Every slot occurs once.
    fn settle(&mut self, tenant_id: i32, settlements: &[Settlement]) -> Result<Vec<Balance>, Failure>;

    /// Where the claims' budgets stand, without changing anything. Expired holds count as free at `now`.
    fn read(&mut self, tenant_id: i32, claims: &[Claim], now: Instant) -> Result<Vec<Standing>, Failure>;
}
