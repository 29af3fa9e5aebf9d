//! A point in time as the ledger computes with it.

use std::fmt;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

/// Microseconds since 1970-01-01 00:00:00 UTC. The extremes stand for PostgreSQL's `-infinity` and `infinity`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Instant(pub i64);

impl Instant {
    /// Before all time: the start of a window that never began.
    pub const BEFORE_ALL: Instant = Instant(i64::MIN);
    /// After all time: the end of a window that never closes.
    pub const AFTER_ALL: Instant = Instant(i64::MAX);

    /// Whether this is a real instant and not one of the two infinities.
    pub fn is_finite(self) -> bool {
        self != Self::BEFORE_ALL && self != Self::AFTER_ALL
    }

    /// This instant in UTC; `None` for the infinities and beyond what a calendar can express.
    pub fn utc(self) -> Option<DateTime<Utc>> {
        if self.is_finite() { DateTime::from_timestamp_micros(self.0) } else { None }
    }

    /// This instant so many microseconds later, `None` beyond the representable.
    pub fn checked_add_us(self, duration_us: i64) -> Option<Instant> {
        self.0.checked_add(duration_us).map(Instant)
    }
}

impl From<DateTime<Utc>> for Instant {
    fn from(value: DateTime<Utc>) -> Self {
        Instant(value.timestamp_micros())
    }
}

/// ISO 8601 in UTC, as it appears in the JSON details of a refusal.
impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.utc() {
            Some(utc) => f.write_str(&utc.to_rfc3339_opts(SecondsFormat::AutoSi, true)),
            None if *self == Self::AFTER_ALL => f.write_str("infinity"),
            None => f.write_str("-infinity"),
        }
    }
}
