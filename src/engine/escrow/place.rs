//! A balance in shared memory, and by what it is known.

use crate::budget::decision::Balance;
use crate::engine::escrow::memory::PARTITIONS;

/// Which balance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(C)]
pub struct Key {
    pub budget_id: i64,
    pub window_start: i64,
    pub database: u32,
    /// The balance table: another one after CREATE EXTENSION has been run anew.
    pub relation: u32,
    pub tenant_id: i32,
}

impl Key {
    pub(super) fn hash(&self) -> u64 {
        let words = [
            self.budget_id as u64,
            self.window_start as u64,
            u64::from(self.database) << 32 | u64::from(self.relation),
            self.tenant_id as u64,
        ];
        // Finaliser of splitmix64 over each word.
        words.iter().fold(0x9e37_79b9_7f4a_7c15, |sum, word| {
            let mut mixed = (sum ^ word).wrapping_add(0x9e37_79b9_7f4a_7c15);
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            mixed ^ (mixed >> 31)
        })
    }

    pub fn partition(&self) -> u32 {
        (self.hash() % PARTITIONS as u64) as u32
    }
}

/// What has been committed, as far as the tables tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Base {
    pub spent_units: i64,
    pub held_units: i64,
    pub granted_units: i64,
    pub carried_units: i64,
    pub is_superseded: bool,
}

impl Base {
    pub fn balance(&self) -> Balance {
        Balance {
            spent_units: self.spent_units,
            held_units: self.held_units,
            granted_units: self.granted_units,
            carried_units: self.carried_units,
            is_superseded: self.is_superseded,
            ..Balance::default()
        }
    }
}

/// A balance in memory.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Place {
    pub key: Key,
    pub base: Base,
    /// What running transactions may take away from what is left of the window's own, at worst.
    pub in_flight_units: i128,
    /// What running transactions may add to the spend, at worst.
    pub in_flight_spent_units: i128,
    /// Transactions that have something in flight here.
    pub pins: u32,
    /// Whose schedule is being changed by the transaction of this backend; 0 for nobody.
    pub closed_by: i32,
    /// To be read anew as soon as nothing is in flight.
    pub is_stale: bool,
    /// A growth of the spend that may have passed a mark was rolled back: the next one looks at all marks again.
    pub is_unwatched: bool,
    /// The least spend since the first of the growths that are in flight or were rolled back: lower marks are not theirs.
    pub watched_units: i64,
    /// Whether it is known what the window got from the one before: from the tables, or from a call that opened it.
    pub is_carry_known: bool,
    /// Whether only running transactions have opened the window: should all be rolled back, nobody has.
    pub is_opening: bool,
    /// Whether something was committed since it was read.
    pub is_committed: bool,
    /// Whether something was committed since the last look for what needs a checkpoint.
    pub is_changed: bool,
    pub(super) is_touched: bool,
    pub(super) is_used: bool,
    /// The next one of its chain, or of the free ones.
    pub(super) next: u32,
}

impl Place {
    /// Whether what the window got from the one before is known for good, and cannot be rolled back any more.
    pub fn is_open(&self) -> bool {
        self.is_carry_known && !self.is_opening
    }

    /// One that was just read from the tables.
    pub(super) fn new(key: Key, base: Base, is_carry_known: bool, next: u32) -> Place {
        Place {
            key,
            base,
            in_flight_units: 0,
            in_flight_spent_units: 0,
            pins: 0,
            closed_by: 0,
            is_stale: false,
            is_unwatched: false,
            watched_units: base.spent_units,
            is_committed: false,
            is_changed: false,
            is_carry_known,
            is_opening: false,
            is_touched: true,
            is_used: true,
            next,
        }
    }
}
