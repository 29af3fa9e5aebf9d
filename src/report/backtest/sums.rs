//! What a replay found.

use std::rc::Rc;

use crate::budget::decision::Budget;
use crate::budget::window::Window;
use crate::instant::Instant;

/// All calls of the account and of those below it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    pub calls: i64,
    pub allowed: i64,
    pub refused: i64,
    pub first_refusal_at: Option<Instant>,
    /// What they cost.
    pub actual_nanos: i128,
    /// What those that are allowed cost by the policy.
    pub cost_nanos: i128,
    /// What those that are refused would have cost by it.
    pub refused_nanos: i128,
    pub by_hold: i64,
    pub by_use: i64,
    pub repriced: i64,
    pub unpriced: i64,
    pub refused_retries: i64,
}

/// How the calls of one window of one limit fared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub calls: i64,
    pub allowed: i64,
    pub refused: i64,
    pub refused_units: i64,
    pub first_refusal_at: Option<Instant>,
    pub by_hold: i64,
    pub by_use: i64,
}

/// One window of one limit.
#[derive(Clone, Debug)]
pub struct WindowSums {
    pub budget: Rc<Budget>,
    pub policy_place: Option<i32>,
    pub every: Option<String>,
    pub window: Window,
    /// With what was carried over.
    pub limit_units: i64,
    pub spent_units: i64,
    pub counts: Counts,
}
