//! Back-test: the history of an account, call by call, against other limits, prices or models.
//!
//! A replay walks through the calls in the order in which they were made and judges each by the code that judges real ones
//! ([`crate::budget::decision`], [`crate::budget::window`]). A call that is refused spends nothing. As back-tests of trading
//! rules do, it takes the calls themselves as given: whoever is refused in earnest may ask again, or for less.

mod call;
mod limit;
mod pending;
mod policy;
mod reason;
mod replay;
mod sums;

pub use call::{Call, Correction, Past};
pub use limit::{Before, DatedGrant, Limit};
pub use policy::{Basis, Policy, PolicyBudget, PolicyError, PriceRule};
pub use reason::Reason;
pub use replay::{Replay, Verdict};
pub use sums::{Counts, Sums, WindowSums};

#[cfg(test)]
mod tests;
