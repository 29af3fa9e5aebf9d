//! Reserve, commit, release: what a call does to the tables. Locks are taken in one order everywhere: price book (whoever
//! changes it), tenant (a re-rating), idempotency key, reservation, balances by budget and window.

pub mod access;
mod accounts;
pub mod adjust;
mod alert;
mod attribution;
pub mod backtest;
pub mod batch;
mod budgets;
mod calibration_book;
pub mod chain;
pub mod charge;
mod claims;
pub mod commit;
mod correction;
pub mod cost_lines;
pub mod entry;
pub mod estimate;
pub mod expire;
pub mod extend;
mod fallback;
mod idempotency;
mod kept;
pub mod price_book;
pub mod price_import;
pub mod pricing;
mod quota;
mod rate_book;
pub mod release;
pub mod remaining;
pub mod rerate;
mod reservation;
pub mod reserve;
pub mod review;
mod settle;
mod slots;
mod spender;
mod tenant;
pub mod used;

use pgrx::spi::SpiError;

use crate::engine::decide::NoBalance;
use crate::refusal::Refusal;

/// Why a call ended early.
#[derive(Debug)]
pub enum Failure {
    /// The user is told; the call changed nothing that a rollback or the caller does not undo.
    Refused(Box<Refusal>),
    /// The server failed us.
    Spi(SpiError),
    /// The system's random source failed.
    Random(getrandom::Error),
    /// A budget got another schedule while the call waited for it; the same call again finds the new one.
    Superseded,
    /// The tables contradict themselves; somebody changed them by hand.
    Internal(&'static str),
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Failure::Refused(Box::new(refusal))
    }
}

impl From<NoBalance> for Failure {
    fn from(_: NoBalance) -> Self {
        Failure::Internal("a balance row is missing")
    }
}

impl From<SpiError> for Failure {
    fn from(error: SpiError) -> Self {
        Failure::Spi(error)
    }
}

impl From<getrandom::Error> for Failure {
    fn from(error: getrandom::Error) -> Self {
        Failure::Random(error)
    }
}
