//! What remains: every budget above an account, for a caller that plans within its means. Changes nothing.

use pgrx::spi::SpiClient;

use crate::budget::decision::{Balance, Claim, sort_by_tightness};
use crate::engine::Engine;
use crate::engine::rows::Rows;
use crate::instant::Instant;
use crate::ledger::Failure;
use crate::ledger::chain::Chain;
use crate::privilege::Privilege;

/// The budgets of a call on `account` and `also` with their balances, tightest first: least share of the limit left.
pub fn remaining(
    client: &mut SpiClient<'_>,
    account: &str,
    also: &[String],
    now: Instant,
) -> Result<Vec<(Claim, Balance)>, Failure> {
    let chain = Chain::find(client, account, also, Privilege::Read)?;
    let claims = chain.claims(client, now)?;
    let slots: Vec<(i64, Instant)> = claims.iter().map(|claim| (claim.budget.budget_id, claim.window.start)).collect();
    let balances = if slots.is_empty() { Vec::new() } else { Rows::new(client).read(chain.tenant_id, &slots, now)? };
    let mut budgets: Vec<(Claim, Balance)> = claims.into_iter().zip(balances).collect();
    sort_by_tightness(&mut budgets);
    Ok(budgets)
}
