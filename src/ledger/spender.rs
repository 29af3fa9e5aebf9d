//! On whose account something is spent, and under which circumstances.

use pgrx::Uuid;
use serde_json::Value;

use crate::instant::Instant;
use crate::ledger::attribution::Attribution;
use crate::ledger::chain::Chain;
use crate::ledger::pricing::Call;
use crate::usage::canonical_tier;

/// Who spends on what, as it is when the call is made; it decides budgets, windows and prices for good.
#[derive(Clone)]
pub struct Spender {
    pub tenant_id: i32,
    pub account_id: i64,
    /// From the root down to the account itself, then those of `also`.
    pub account_ids: Vec<i64>,
    pub cost_center: Option<String>,
    pub currency: String,
    pub model: Option<String>,
    pub at: Instant,
    /// Usage without a price is recorded, and counted at these prices against budgets in cost.
    pub fallback_unit_prices: Option<Value>,
    pub reservation_id: Option<Uuid>,
}

impl Spender {
    /// Of a call that is made now.
    pub fn new(chain: &Chain, model: Option<String>, now: Instant) -> Spender {
        Spender {
            tenant_id: chain.tenant_id,
            account_id: chain.own_account_id(),
            account_ids: chain.account_ids(),
            cost_center: chain.cost_center(),
            currency: chain.currency.to_string(),
            model,
            at: now,
            fallback_unit_prices: chain.fallback_unit_prices(),
            reservation_id: None,
        }
    }

    /// The accounts from the root down to the one that spends, without those of `also`.
    pub fn own_account_ids(&self) -> &[i64] {
        own_account_ids(&self.account_ids, self.account_id)
    }

    /// What decides the price.
    pub fn call<'a>(&'a self, place: &'a Place) -> Call<'a> {
        Call {
            tenant_id: self.tenant_id,
            chain: self.own_account_ids(),
            currency: &self.currency,
            at: self.at,
            region: place.region.as_deref(),
            service_tier: place.service_tier.as_deref(),
        }
    }
}

/// Region and service tier that a caller states.
pub struct Place {
    pub region: Option<String>,
    pub service_tier: Option<String>,
}

impl Place {
    pub fn of(attribution: &Attribution) -> Place {
        Place {
            region: attribution.text("region"),
            service_tier: attribution.text("service_tier").as_deref().and_then(canonical_tier),
        }
    }
}

/// Of the accounts of a call those from the root down to the one that spends, which come first, without those of `also`.
pub fn own_account_ids(account_ids: &[i64], account_id: i64) -> &[i64] {
    let own = account_ids.iter().position(|known| *known == account_id);
    own.and_then(|own| account_ids.get(..=own)).unwrap_or_default()
}
