//! The balance engine: what keeps spent and held of every (budget, window), and decides whether a hold fits.
//!
//! One small interface, so that implementations can mean the same and be tested by the same tests.

pub mod rows;

use crate::budget::decision::{Balance, Claim};
use crate::instant::Instant;
use crate::ledger::Failure;

/// What a settlement does to one budget in one window.
#[derive(Clone, Debug)]
pub struct Settlement {
    pub budget_id: i64,
    pub window_start: Instant,
    /// Hold given back, in units of the budget's meter.
    pub held_units: i64,
    /// Spend added, in units of the budget's meter.
    pub spent_units: i64,
}

/// The outcome of a hold, with the balances in the order of the claims.
pub enum Verdict {
    /// Everything is held; the balances are those after it. With room to spare, holds that have expired and that no
    /// sweep has closed may still be among the held.
    Held(Vec<Balance>),
    /// At least one budget lacks room; nothing is held and the balances are those that were found.
    Short(Vec<Balance>),
}

/// Keeps balances. All calls happen inside the caller's transaction, and what they did disappears if it rolls back.
pub trait Engine {
    /// Holds every claim or none, in one atomic step. Expired holds count as free at `now`.
    fn hold(&mut self, tenant_id: i32, claims: &[Claim], now: Instant) -> Result<Verdict, Failure>;

    /// Gives holds back and adds spend, in full whatever the limits: the truth is always recorded. Returns the balances
    /// after it.
    fn settle(&mut self, tenant_id: i32, settlements: &[Settlement]) -> Result<Vec<Balance>, Failure>;

    /// Reads balances without changing anything. Expired holds count as free at `now`.
    fn read(&mut self, tenant_id: i32, slots: &[(i64, Instant)], now: Instant) -> Result<Vec<Balance>, Failure>;
}
