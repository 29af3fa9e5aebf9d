//! What the ledger tells of a call.

use crate::instant::Instant;

/// A call as the ledger tells of it.
#[derive(Clone, Debug)]
pub struct Call<'a> {
    /// When it was made.
    pub at: Instant,
    /// When it was booked.
    pub settled_at: Instant,
    /// When what it held ended, at the latest; none where that is not known, or does not matter.
    pub hold_ends_at: Option<Instant>,
    /// All accounts that it drew on.
    pub account_ids: &'a [i64],
    /// Whether it was made by the account that is asked about, or one below it.
    pub is_own: bool,
    pub is_retry: bool,
    /// What it used, by meter of the replay.
    pub used: &'a [i64],
    /// What it held, by meter, as far as that is known.
    pub held: &'a [Option<i64>],
    /// What it cost, with all corrections.
    pub actual_nanos: Option<i64>,
    /// What it costs by the policy, with all corrections.
    pub cost_nanos: Option<i64>,
    pub is_repriced: bool,
    pub is_unpriced: bool,
    pub corrections: &'a [Correction],
}

/// A change of what a call cost, later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Correction {
    pub at: Instant,
    pub cost_nanos: i64,
    pub internal_nanos: i64,
}

/// What was booked before the replay begins.
#[derive(Clone, Debug)]
pub struct Past<'a> {
    pub at: Instant,
    pub account_ids: &'a [i64],
    pub used: &'a [i64],
    /// Which budgets and grants it counted against, in which windows, and by how much.
    pub slots: &'a [(i64, Instant, i64)],
}
