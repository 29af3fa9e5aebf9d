//! Internal rates as the ledger looks them up. A session keeps those of a tenant until one changes.

use std::rc::Rc;

use pgrx::spi::SpiClient;
use pgrx::{AnyNumeric, JsonB};

use crate::instant::Instant;
use crate::invalidation::Topic;
use crate::ledger::Failure;
use crate::ledger::kept::Kept;
use crate::price::{Price, Rate};
use crate::statement::{instant, required, statement};

statement! {
    read read_rates(INT4OID) =
    "SELECT rate.rate_id, rate.account_id, rate.provider, rate.model, rate.effective_at, rate.factor, rate.unit_prices
     FROM tokbudget.rate WHERE rate.tenant_id OPERATOR(pg_catalog.=) $1"
}

/// A rate with what it holds for.
pub struct ListedRate {
    pub rate_id: i64,
    pub rate: Rate,
    account_id: i64,
    /// Empty for every provider.
    provider: String,
    /// Empty for every model.
    model: String,
    effective_at: Instant,
}

thread_local! {
    static KEPT: Kept<Vec<ListedRate>> = Kept::new(Topic::Book);
}

/// All rates of a tenant.
pub fn find(client: &mut SpiClient<'_>, tenant_id: i32) -> Result<Rc<Vec<ListedRate>>, Failure> {
    KEPT.with(|kept| kept.find(tenant_id, || read(client, tenant_id)))
}

fn read(client: &mut SpiClient<'_>, tenant_id: i32) -> Result<Vec<ListedRate>, Failure> {
    let mut rates = Vec::new();
    for row in read_rates(client, &[tenant_id.into()])? {
        let factor: AnyNumeric = required(&row, 6)?;
        let fixed: JsonB = required(&row, 7)?;
        let rate = Price::from_unit_prices(&fixed.0).and_then(|fixed| Rate::new(&factor.to_string(), fixed));
        rates.push(ListedRate {
            rate_id: required(&row, 1)?,
            account_id: required(&row, 2)?,
            provider: required(&row, 3)?,
            model: required(&row, 4)?,
            effective_at: instant(&row, 5)?,
            rate: rate.map_err(|_| Failure::Internal("an internal rate is unreadable"))?,
        });
    }
    Ok(rates)
}

/// The rate that holds for a call: of the deepest account, there for the model before for the provider before for all, and of
/// those the latest. `chain` is from the root down to the account that spends.
pub fn choose<'a>(
    rates: &'a [ListedRate],
    chain: &[i64],
    provider: Option<&str>,
    model: Option<&str>,
    at: Instant,
) -> Option<&'a ListedRate> {
    let holds = |listed: &&ListedRate| {
        listed.effective_at <= at
            && (listed.provider.is_empty() || Some(listed.provider.as_str()) == provider)
            && (listed.model.is_empty() || Some(listed.model.as_str()) == model)
    };
    let depth = |listed: &ListedRate| chain.iter().position(|account_id| *account_id == listed.account_id);
    rates.iter().filter(holds).filter(|listed| depth(listed).is_some()).max_by_key(|listed| {
        (depth(listed), !listed.model.is_empty(), !listed.provider.is_empty(), listed.effective_at)
    })
}
