//! What a call costs by a policy.

use pgrx::spi::SpiClient;

use super::within_policy;
use crate::budget::meter::{self, Amounts};
use crate::instant::Instant;
use crate::ledger::pricing::{self, Call, is_unpriced, meter_prices};
use crate::ledger::{Failure, price_book, rate_book};
use crate::price::{Price, Subject, bill, hold_nanos};
use crate::report::backtest::{Policy, PriceRule};
use crate::usage::{Counts, Usage};

/// A call as far as its price depends on it.
pub struct Priceable<'a> {
    pub at: Instant,
    pub model: Option<&'a str>,
    /// From the root down to the account that spent.
    pub own_account_ids: &'a [i64],
    pub usage: Usage,
    pub meters: Amounts,
    /// Input tokens and the most output tokens that were held for, and the meters.
    pub held: Option<(i64, i64, Amounts)>,
}

/// What a call costs by the policy.
pub struct Repriced {
    pub cost_nanos: i64,
    pub internal_nanos: i64,
    /// The most that it could have cost when it was made.
    pub held_cost_nanos: Option<i64>,
}

/// Prices calls by a policy.
pub struct Pricer {
    policy: Policy,
    tenant_id: i32,
    currency: String,
}

impl Pricer {
    /// Refuses a policy with a model that has no price at all.
    pub fn new(client: &mut SpiClient<'_>, policy: Policy, tenant_id: i32, currency: &str) -> Result<Pricer, Failure> {
        for (from, to) in &policy.models {
            if !matches!(policy.price_rule(Some(to)), Some(PriceRule::Prices(_))) {
                let path = format!("$.models.{from}");
                price_book::find(client, to, currency).map_err(|failure| within_policy(&path, failure))?;
            }
        }
        Ok(Pricer { policy, tenant_id, currency: currency.to_string() })
    }

    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// By how many millionths a call of this model is multiplied; none for all of it.
    pub fn factor(&self, model: Option<&str>) -> Option<i128> {
        match self.policy.price_rule(model.map(|model| self.policy.model(model))) {
            Some(PriceRule::Factor(factor)) => Some(*factor),
            _ => None,
        }
    }

    /// Whether the policy prices calls of this model from their counts.
    pub fn is_repriced(&self, model: Option<&str>, usage: &Usage) -> bool {
        let policy = &self.policy;
        let is_other = |model: &str| {
            policy.models.contains_key(model) || matches!(policy.price_rule(Some(model)), Some(PriceRule::Prices(_)))
        };
        model.is_some_and(|model| is_other(model) || usage.parts.iter().any(|part| is_other(&part.model)))
    }

    /// What the call costs, without the factor; none where no price covers it.
    pub fn reprice(&self, client: &mut SpiClient<'_>, it: &Priceable<'_>) -> Result<Option<Repriced>, Failure> {
        match self.price(client, it) {
            Ok(repriced) => Ok(Some(repriced)),
            Err(Failure::Refused(refusal)) if is_unpriced(&refusal) => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    fn price(&self, client: &mut SpiClient<'_>, it: &Priceable<'_>) -> Result<Repriced, Failure> {
        let call = Call {
            tenant_id: self.tenant_id,
            chain: it.own_account_ids,
            currency: &self.currency,
            at: it.at,
            region: None,
            service_tier: None,
        };
        let mut main = None;
        if let Some(model) = it.model {
            main = Some(self.listed(client, model, &it.usage.counts, &it.usage, &call)?);
        }
        let mut parts = Vec::with_capacity(it.usage.parts.len());
        for part in &it.usage.parts {
            parts.push(self.listed(client, &part.model, &part.counts, &it.usage, &call)?);
        }
        let main_price = main.as_ref().map(|main| &main.price);
        let (other_prices, _) = meter_prices(client, &it.meters, main_price, &call)?;
        let (own_meters, other_meters): (Amounts, Amounts) = it
            .meters
            .iter()
            .map(|(name, count)| (name.clone(), *count))
            .partition(|(name, _)| main_price.is_some_and(|main| main.meter(name).is_some()));
        let (none, nothing) = (Amounts::new(), Counts::none());
        let mut subjects = Vec::with_capacity(parts.len() + 2);
        subjects.extend(main_price.map(|price| Subject { counts: &it.usage.counts, meters: &own_meters, price }));
        for (priced, part) in parts.iter().zip(&it.usage.parts) {
            subjects.push(Subject { counts: &part.counts, meters: &none, price: &priced.price });
        }
        subjects.push(Subject { counts: &nothing, meters: &other_meters, price: &other_prices });
        let refuse = |error| Failure::from(price_book::refuse(it.model.unwrap_or("none"), &error));
        let bill = bill(&subjects).map_err(refuse)?;
        let cost_nanos = bill.nanos().map_err(refuse)?;
        let mut internal_nanos = cost_nanos;
        let rates = rate_book::find(client, self.tenant_id)?;
        let (provider, model) =
            main.as_ref().map_or((None, None), |main| (main.provider.as_deref(), Some(main.model.as_str())));
        if let Some(listed) = rate_book::choose(&rates, it.own_account_ids, provider, model, it.at) {
            internal_nanos = listed.rate.apply_nanos(bill.cost_atto, &subjects).map_err(refuse)?;
        }
        let held_cost_nanos = match (&it.held, main_price) {
            (Some((input_tokens, max_output_tokens, meters)), Some(price)) => {
                let meters = meters.iter().filter(|(name, _)| !meter::is_derived(name));
                let meters = meters.map(|(name, count)| (name.clone(), *count)).collect();
                hold_nanos(*input_tokens, *max_output_tokens, &meters, price).ok()
            }
            _ => None,
        };
        Ok(Repriced { cost_nanos, internal_nanos, held_cost_nanos })
    }

    /// The price that takes the place of a model's own.
    fn listed(
        &self,
        client: &mut SpiClient<'_>,
        model: &str,
        counts: &Counts,
        usage: &Usage,
        call: &Call<'_>,
    ) -> Result<Listed, Failure> {
        let model = self.policy.model(model);
        if let Some(PriceRule::Prices(price)) = self.policy.price_rule(Some(model)) {
            return Ok(Listed { price: (**price).clone(), provider: None, model: model.to_string() });
        }
        let priced = pricing::price(client, model, counts, usage, call)?;
        Ok(Listed {
            price: priced.version.price,
            provider: Some(priced.listing.provider.clone()),
            model: priced.listing.model.clone(),
        })
    }
}

struct Listed {
    price: Price,
    provider: Option<String>,
    model: String,
}
