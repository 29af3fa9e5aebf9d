//! What the engine counts of itself since the server started.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counters in shared memory.
#[derive(Default)]
#[repr(C)]
pub struct Statistics {
    /// Calls that found all their balances in memory.
    pub hits: AtomicU64,
    /// Balances that were read from the tables.
    pub loads: AtomicU64,
    /// Balances that made room for others.
    pub evictions: AtomicU64,
    /// Calls that did not fit.
    pub refusals: AtomicU64,
    /// Balances that found no room and were decided from the tables.
    pub fallbacks: AtomicU64,
    /// Checkpoints that were written.
    pub checkpoints: AtomicU64,
    /// Grows with every commit that gives back a hold after its expiry; see [`crate::engine::escrow`].
    pub expired_releases: AtomicU64,
    /// Grows with every sum that is made anew; see [`crate::engine::escrow::memory::forgettings`].
    pub forgettings: AtomicU64,
}

impl Statistics {
    pub fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}
