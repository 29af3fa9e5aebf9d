//! What is under way: holds that end, and calls that are settled, in the order of time.

use crate::instant::Instant;

/// A part of a call that is to be settled: of one limit in one window.
#[derive(Debug)]
pub(super) struct Part {
    pub limit: usize,
    pub window: usize,
    pub used_units: i64,
    /// Of the budget, and then of each of `grants`.
    pub held: Vec<i64>,
    pub grants: Vec<usize>,
}

#[derive(Debug)]
pub(super) enum Event {
    /// The hold ends, and the call is settled later.
    Expire(Vec<Part>, Instant),
    Settle {
        parts: Vec<Part>,
        is_expired: bool,
    },
}

/// Ordered by time, and by the order of calls at one instant.
#[derive(Debug)]
pub(super) struct Pending {
    pub at: Instant,
    pub ordinal: u64,
    pub event: Event,
}

impl PartialEq for Pending {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.ordinal) == (other.at, other.ordinal)
    }
}

impl Eq for Pending {}

impl PartialOrd for Pending {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Pending {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.ordinal).cmp(&(other.at, other.ordinal))
    }
}
