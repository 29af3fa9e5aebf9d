//! What remains: for a caller that plans within its means. Changes nothing.

use std::rc::Rc;

use pgrx::spi::SpiClient;
use serde_json::json;

use crate::budget::decision::{Budget, Claim, Standing, sort_by_tightness};
use crate::engine;
use crate::instant::Instant;
use crate::ledger::attribution::Attribution;
use crate::ledger::chain::Chain;
use crate::ledger::claims::{Intent, claims};
use crate::ledger::estimate::{Wanted, estimate};
use crate::ledger::reserve::check_model;
use crate::ledger::spender::Spender;
use crate::ledger::{Failure, price_book};
use crate::privilege::Privilege;
use crate::refusal::Refusal;

/// The budgets of a call on `account` and `also`, and where they stand, tightest first: least share of the limit left.
pub fn remaining(
    client: &mut SpiClient<'_>,
    account: &str,
    also: &[String],
    now: Instant,
) -> Result<Vec<(Claim, Standing)>, Failure> {
    let chain = Chain::find(client, account, also, Privilege::Read.into(), None)?;
    let claims = claims(client, &chain, Intent::Look, now)?;
    let standings = engine::for_reading(client)?.read(chain.tenant_id, &claims, now)?;
    let mut budgets: Vec<(Claim, Standing)> = claims.into_iter().zip(standings).collect();
    sort_by_tightness(&mut budgets);
    Ok(budgets)
}

/// The most output tokens that a call of the model with this input may ask for now and be given, without a burst; none
/// where no budget bounds them and the model's own maximum is not known.
pub fn affordable(
    client: &mut SpiClient<'_>,
    account: &str,
    model: &str,
    input_tokens: i64,
    also: &[String],
    now: Instant,
) -> Result<Option<i64>, Failure> {
    /// More than any model gives.
    const OUTPUT_TOKENS_MAX: i64 = 1 << 40;
    if input_tokens < 0 {
        return Err(
            Refusal::invalid_argument("input_tokens", "a count is not negative", "Pass a count of tokens.").into()
        );
    }
    check_model(Some(model))?;
    let chain = Chain::find(client, account, also, Privilege::Read.into(), None)?;
    chain.check_active(now)?;
    let mut claims = claims(client, &chain, Intent::Look, now)?;
    for claim in &mut claims {
        claim.budget = Rc::new(Budget { burst_units: 0, ..(*claim.budget).clone() });
    }
    let standings = engine::for_reading(client)?.read(chain.tenant_id, &claims, now)?;
    let spender = Spender::new(&chain, Some(model.to_string()), now);
    let attribution = Attribution::parse(json!({}))?;
    let fits = |client: &mut SpiClient<'_>, max_output_tokens: i64| {
        let wanted = Wanted {
            input_tokens: Some(input_tokens),
            max_output_tokens: Some(max_output_tokens),
            ..Wanted::default()
        };
        let given = Default::default();
        let estimate = estimate(client, &wanted, &given, &attribution, &spender, &claims, &mut || ())?;
        let held = estimate.amounts(given, &claims)?;
        let fits = claims.iter().zip(&standings).all(|(claim, standing)| {
            let units = held.get(&claim.budget.meter).copied().unwrap_or(0);
            Claim { units, ..claim.clone() }.fits(standing)
        });
        Ok::<bool, Failure>(fits)
    };
    let known_max = match price_book::find(client, model, &chain.currency) {
        Err(Failure::Refused(_)) => None,
        found => found?.facts.max_output_tokens,
    };
    let mut high = known_max.unwrap_or(OUTPUT_TOKENS_MAX);
    if fits(client, high)? {
        return Ok(known_max);
    }
    // What is held grows with the output, so the bound can be halved into.
    let mut low = 0;
    if !fits(client, low)? {
        return Ok(Some(0));
    }
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if fits(client, middle)? {
            low = middle;
        } else {
            high = middle;
        }
    }
    Ok(Some(low))
}
