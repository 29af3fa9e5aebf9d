//! Review: the marks that a budget stands above once its limit or its marks have changed.

use pgrx::spi::SpiClient;

use crate::engine;
use crate::instant::Instant;
use crate::ledger::claims::claim;
use crate::ledger::{Failure, alert, budgets};

/// Tells of every mark that the present window's spend is at or above and that nobody was told of, and freezes where that is
/// asked for: the spend did not reach it, it came down to the spend.
pub fn review(client: &mut SpiClient<'_>, tenant_id: i32, budget_id: i64, now: Instant) -> Result<(), Failure> {
    for found in budgets::by_id(client, tenant_id, &[budget_id], now)? {
        let claim = claim(client, tenant_id, found, now)?;
        let standings = engine::present(client)?.read(tenant_id, std::slice::from_ref(&claim), now)?;
        for mut standing in standings {
            // A mark that the old limit has too may be told of by a call that is then rolled back: it is waited for.
            standing.balance.is_shared = false;
            let spent_units = standing.balance.spent_units;
            alert::notice_spend(client, tenant_id, &claim.budget, claim.window.start, &standing, spent_units, now)?;
        }
    }
    Ok(())
}
