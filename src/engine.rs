//! The balance engine: what keeps spent and held of every (budget, window), and decides whether a call fits.
//!
//! One small interface, so that implementations can mean the same and be tested by the same tests.

pub mod decide;
#[cfg(feature = "postgres")]
pub mod escrow;
#[cfg(feature = "postgres")]
pub mod handover;
#[cfg(feature = "postgres")]
mod latest;
#[cfg(feature = "postgres")]
mod rows;
#[cfg(feature = "postgres")]
mod tables;

#[cfg(feature = "postgres")]
use pgrx::spi::SpiClient;

use crate::budget::decision::Claim;
#[cfg(feature = "postgres")]
use crate::budget::decision::{Balance, Standing};
use crate::engine::decide::Change;
pub use crate::engine::decide::Outcome;
#[cfg(feature = "postgres")]
use crate::engine::handover::Kind;
use crate::instant::Instant;
#[cfg(feature = "postgres")]
use crate::ledger::Failure;
use crate::refusal::Refusal;

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
    /// When the earliest of the holds that are given back expires; after all time where none is.
    pub expires_at: Instant,
}

impl Settlement {
    /// What it does to the balance of its slot.
    pub fn change(&self) -> Result<Change, Refusal> {
        let held_units = self.held_units.checked_neg().ok_or_else(decide::out_of_range)?;
        Ok(Change { spent_units: self.spent_units, held_units, granted_units: self.granted_units })
    }
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

/// Keeps balances. All calls happen inside the caller's transaction, and what they did disappears if it rolls back.
#[cfg(feature = "postgres")]
pub trait Engine {
    /// Takes the claims of each call, all or none of a call, one call after the other, in one atomic step. Expired holds
    /// count as free at `now`. A call whose amounts no balance can count is refused by itself. Fails with
    /// [`Failure::Superseded`] if a budget got another schedule after the claims were read.
    fn take(
        &mut self,
        tenant_id: i32,
        calls: &[&[Claim]],
        taking: Taking,
        now: Instant,
    ) -> Result<Vec<Result<Outcome, Refusal>>, Failure>;

    /// Gives holds back and adds spend, in full whatever the limits: the truth is always recorded. Returns the balances
    /// after it. Every slot occurs once.
    fn settle(&mut self, tenant_id: i32, settlements: &[Settlement], now: Instant) -> Result<Vec<Balance>, Failure>;

    /// Where the claims' budgets stand, without changing anything. Expired holds count as free at `now`.
    fn read(&mut self, tenant_id: i32, claims: &[Claim], now: Instant) -> Result<Vec<Standing>, Failure>;

    /// Has the next growth of the spend look at all marks above `from_units` again: one of them was left to a transaction
    /// that may yet be rolled back. Only for balances that are shared.
    fn watch_again(&mut self, _tenant_id: i32, _slot: Slot, _from_units: i64) -> Result<(), Failure> {
        Ok(())
    }

    /// The last windows of a budget up to the one that begins at `until`, latest first, each with what it got from the one
    /// before. Only that one where it is open already.
    fn windows(
        &mut self,
        tenant_id: i32,
        budget_id: i64,
        until: Instant,
        windows_max: i64,
    ) -> Result<Vec<(Instant, i64)>, Failure>;
}

/// The engine that keeps the balances of this server.
#[cfg(feature = "postgres")]
pub fn present<'a>(client: &'a mut SpiClient<'_>) -> Result<Box<dyn Engine + 'a>, Failure> {
    let kind = handover::kind();
    let ledger = handover::require(client, kind)?;
    Ok(match kind {
        Kind::Rows => Box::new(rows::Rows::new(client)),
        Kind::Escrow => Box::new(escrow::Escrow::new(client, ledger)),
    })
}

/// The same for who only looks: on a standby, and where another engine's state has not been taken over yet, the tables tell.
#[cfg(feature = "postgres")]
pub fn for_reading<'a>(client: &'a mut SpiClient<'_>) -> Result<Box<dyn Engine + 'a>, Failure> {
    let kind = if handover::is_standby() { Kind::Rows } else { handover::kind() };
    Ok(match (handover::find(client, kind)?, kind) {
        (None, Kind::Escrow) if handover::find(client, Kind::Rows)?.is_some() => Box::new(rows::Rows::new(client)),
        (None, _) => Box::new(tables::Tables::new(client)),
        (Some(_), Kind::Rows) => Box::new(rows::Rows::new(client)),
        (Some(ledger), Kind::Escrow) => Box::new(escrow::Escrow::new(client, ledger)),
    })
}

/// Called once per process, from `_PG_init`.
#[cfg(feature = "postgres")]
pub fn init() {
    handover::init();
    escrow::in_flight::init();
}

/// Called in the postmaster of a server that preloads the library.
#[cfg(feature = "postgres")]
pub fn init_preloaded() {
    escrow::memory::init();
}
