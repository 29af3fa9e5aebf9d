//! Reserve, commit, release: what a call does to the tables. Locks are taken in one order everywhere: idempotency key,
//! then reservation, then balances.

mod attribution;
pub mod chain;
pub mod commit;
mod entry;
mod estimate;
pub mod expire;
mod idempotency;
mod price_book;
pub mod release;
pub mod remaining;
mod reservation;
pub mod reserve;
mod used;

use pgrx::spi::SpiError;

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
    /// The tables contradict themselves; somebody changed them by hand.
    Internal(&'static str),
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Failure::Refused(Box::new(refusal))
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
