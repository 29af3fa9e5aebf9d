//! The most that a call can use, which is what its reservation holds.

use std::borrow::Cow;

use pgrx::spi::SpiClient;
use serde_json::{Value, json};

use crate::budget::decision::Claim;
use crate::budget::meter::{self, Amounts};
use crate::ledger::attribution::Attribution;
use crate::ledger::price_book::{self, shortened};
use crate::ledger::pricing::{Call, Priced, is_unpriced, meter_prices, price};
use crate::ledger::spender::{Place, Spender};
use crate::ledger::used::tokens_without_model;
use crate::ledger::{Failure, calibration_book, fallback, rate_book};
use crate::price::{PriceError, candidates, hold_nanos};
use crate::refusal::{Code, Refusal};
use crate::report::calibration;
use crate::tokenizer::{self, Encoding};
use crate::usage::{Bucket, Counts, Usage};

/// The most that the call can use.
pub struct Estimate {
    pub input_tokens: i64,
    pub max_output_tokens: i64,
    /// How the input was counted: `given`, `exact`, `estimated` or `calibrated`; none without a model.
    pub count_basis: Option<&'static str>,
    /// What was counted before a calibration, and under which encoding; none where the caller gave the count.
    pub counted: Option<(i64, Encoding)>,
    /// None when nothing that is used has a price; then nothing can be held against a cost budget.
    pub cost_nanos: Option<i64>,
    /// The cost at the account's internal rate.
    pub internal_nanos: Option<i64>,
}

/// What a call wants of a model.
#[derive(Clone, Default)]
pub struct Wanted<'a> {
    pub input_tokens: Option<i64>,
    pub prompt: Option<Cow<'a, str>>,
    pub messages: Option<Value>,
    pub max_output_tokens: Option<i64>,
}

/// Counts the input, bounds the output and prices both, and the meters, at the dearest rate that could apply.
pub fn estimate(
    client: &mut SpiClient<'_>,
    wanted: &Wanted<'_>,
    meters: &Amounts,
    attribution: &Attribution,
    spender: &Spender,
    claims: &[Claim],
    interrupt: &mut dyn FnMut(),
) -> Result<Estimate, Failure> {
    let place = Place::of(attribution);
    let call = spender.call(&place);
    let model = spender.model.as_deref();
    let mut estimate = Estimate {
        input_tokens: wanted.input_tokens.unwrap_or(0),
        max_output_tokens: wanted.max_output_tokens.unwrap_or(0),
        count_basis: model.map(|_| "given"),
        counted: None,
        cost_nanos: None,
        internal_nanos: None,
    };
    if let (Some(model), None) = (model, wanted.input_tokens) {
        let listing = match price_book::find(client, model, &spender.currency) {
            Err(Failure::Refused(_)) => None,
            found => Some(found?),
        };
        let facts = listing.as_ref().map(|listing| &listing.facts);
        let named = facts.and_then(|facts| facts.encoding.as_deref());
        let (tokens, encoding) = count_input(wanted, model, named, interrupt)?;
        (estimate.input_tokens, estimate.counted) = (tokens, Some((tokens, encoding)));
        estimate.count_basis = Some("exact");
        if let Some(listing) = listing.filter(|it| it.facts.encoding.is_some() && it.facts.is_estimate) {
            estimate.count_basis = Some("estimated");
            let versions = calibration_book::find(client, spender.tenant_id)?;
            let (provider, canonical) = (listing.provider.as_str(), listing.model.as_str());
            if let Some(factor) = calibration::choose(&versions, provider, canonical, encoding.name(), call.at) {
                estimate.input_tokens = factor.apply(tokens).ok_or_else(too_many_tokens)?;
                estimate.count_basis = Some("calibrated");
            }
        }
    }
    let is_costly = estimate.input_tokens > 0 || estimate.max_output_tokens > 0;
    let money_claim = claims.iter().find(|claim| meter::is_money(&claim.budget.meter));
    if model.is_none()
        && is_costly
        && let Some(claim) = money_claim
    {
        let detail = json!({"budget": claim.budget.budget_id, "account": claim.budget.account});
        return Err(tokens_without_model(detail).into());
    }

    let counts = Counts::from([(Bucket::UncachedInput, estimate.input_tokens)]);
    let priced = match model {
        None => None,
        Some(model) => match price(client, model, &counts, &Usage::default(), &call) {
            Ok(priced) => Some(priced),
            Err(Failure::Refused(refusal)) if is_unpriced(&refusal) && spender.fallback_unit_prices.is_some() => {
                return without_price(client, wanted, meters, estimate, money_claim, *refusal, spender, &call);
            }
            Err(failure) => return Err(failure),
        },
    };
    if let Some(priced) = &priced {
        estimate.max_output_tokens = bound_output(wanted, priced)?;
    }
    let main = priced.as_ref().map(|priced| &priced.version.price);
    let (other_prices, other_price_ids) = meter_prices(client, meters, main, &call)?;
    if main.is_none() && (other_price_ids.is_empty() || is_costly) {
        return Ok(estimate);
    }
    let refuse = |error| Failure::from(price_book::refuse(model.unwrap_or("none"), &error));
    let (input_tokens, max_output_tokens) = (estimate.input_tokens, estimate.max_output_tokens);
    // Apart, as in the bill: a minimum charge of the model is none of the meters that it does not price.
    let mut main_nanos = match main {
        Some(main) => hold_nanos(input_tokens, max_output_tokens, meters, main).map_err(refuse)?,
        None => 0,
    };
    if let (Some(model), Some(priced)) = (model, &priced) {
        let shorter = shorter_nanos(client, model, priced, max_output_tokens, meters, &call)?;
        main_nanos = main_nanos.max(shorter);
    }
    let other_nanos = hold_nanos(0, 0, meters, &other_prices).map_err(refuse)?;
    let cost_nanos = main_nanos.checked_add(other_nanos).ok_or_else(|| refuse(PriceError::Overflow))?;
    estimate.cost_nanos = Some(cost_nanos);
    estimate.internal_nanos = Some(cost_nanos);
    let rates = rate_book::find(client, spender.tenant_id)?;
    let listing = priced.as_ref().map(|priced| &priced.listing);
    let (provider, canonical) = (listing.map(|it| it.provider.as_str()), listing.map(|it| it.model.as_str()));
    if let Some(listed) = rate_book::choose(&rates, call.chain, provider, canonical, call.at) {
        let bound = listed.rate.bound_nanos(cost_nanos, input_tokens, max_output_tokens, meters);
        estimate.internal_nanos = Some(bound.map_err(refuse)?);
    }
    Ok(estimate)
}

impl Estimate {
    /// What is to be held per meter, those that the caller gave included.
    pub fn amounts(&self, meters: Amounts, claims: &[Claim]) -> Result<Amounts, Refusal> {
        let mut held = meters;
        held.insert(meter::REQUESTS.into(), 1);
        held.insert(meter::INPUT_TOKENS.into(), self.input_tokens);
        held.insert(meter::OUTPUT_TOKENS.into(), self.max_output_tokens);
        let tokens = self.input_tokens.checked_add(self.max_output_tokens).ok_or_else(|| {
            let why = "input and output together leave the range";
            Refusal::invalid_argument("max_output_tokens", why, "Pass real counts.")
        })?;
        held.insert(meter::TOKENS.into(), tokens);
        if let Some(cost_nanos) = self.cost_nanos {
            held.insert(meter::COST.into(), cost_nanos);
        }
        // Only where it says something: an account without a rate is charged what the provider charges.
        let is_internal_limited = claims.iter().any(|claim| claim.budget.meter == meter::INTERNAL_COST);
        if let Some(internal_nanos) = self.internal_nanos
            && (is_internal_limited || self.internal_nanos != self.cost_nanos)
        {
            held.insert(meter::INTERNAL_COST.into(), internal_nanos);
        }
        Ok(held)
    }
}

/// The most that a shorter request than the one held for can cost: below a threshold the price may be the dearer one, and
/// a call may use fewer tokens than were counted.
fn shorter_nanos(
    client: &mut SpiClient<'_>,
    model: &str,
    longest: &Priced,
    max_output_tokens: i64,
    meters: &Amounts,
    call: &Call<'_>,
) -> Result<i64, Failure> {
    let mut most = 0;
    let mut input_tokens = longest.version.above_input_tokens;
    while input_tokens > 0 {
        let counts = Counts::from([(Bucket::UncachedInput, input_tokens)]);
        let shorter = match price(client, model, &counts, &Usage::default(), call) {
            // Without a price below the threshold, such a request is refused when it is committed.
            Err(Failure::Refused(_)) => return Ok(most),
            shorter => shorter?,
        };
        let nanos = hold_nanos(input_tokens, max_output_tokens, meters, &shorter.version.price);
        most = most.max(nanos.map_err(|error| price_book::refuse(model, &error))?);
        input_tokens = shorter.version.above_input_tokens;
    }
    Ok(most)
}

/// The output to hold for: what the caller says, or the most that the model gives.
fn bound_output(wanted: &Wanted<'_>, priced: &Priced) -> Result<i64, Refusal> {
    let has_output_price = priced.version.price.stated(Bucket::OutputText).is_some();
    match wanted.max_output_tokens.or(priced.listing.facts.max_output_tokens.filter(|_| has_output_price)) {
        Some(max_output_tokens) => Ok(max_output_tokens),
        // A model without an output price, such as one for embeddings, has no output to bound.
        None if !has_output_price => Ok(0),
        None => Err(unbounded_output()),
    }
}

fn unbounded_output() -> Refusal {
    Refusal::invalid_argument(
        "max_output_tokens",
        "an output without bound cannot be held",
        "Pass the same max_output_tokens here and to the provider.",
    )
}

/// The estimate for a model that has no price, in a tree that has its use recorded all the same. Budgets in cost count it at
/// the fallback price, and without one they refuse it: it must not be free.
#[allow(clippy::too_many_arguments, reason = "all that estimate has found out")]
fn without_price(
    client: &mut SpiClient<'_>,
    wanted: &Wanted<'_>,
    meters: &Amounts,
    mut estimate: Estimate,
    money_claim: Option<&Claim>,
    refusal: Refusal,
    spender: &Spender,
    call: &Call<'_>,
) -> Result<Estimate, Failure> {
    let fallback = spender.fallback_unit_prices.as_ref().and_then(fallback::read);
    if wanted.max_output_tokens.is_none() {
        return Err(unbounded_output().into());
    }
    match (fallback, money_claim) {
        (Some(fallback), _) => {
            let mut amounts = meters.clone();
            amounts.insert(meter::INPUT_TOKENS.into(), estimate.input_tokens);
            amounts.insert(meter::OUTPUT_TOKENS.into(), estimate.max_output_tokens);
            let nanos = fallback::nanos(client, &fallback, spender.model.as_deref(), &amounts, call)?;
            estimate.cost_nanos = Some(nanos);
            estimate.internal_nanos = Some(nanos);
        }
        (None, None) => {}
        (None, Some(_)) => {
            let hint = "A budget in cost counts usage without a price at a fallback: declare one with tb_set_unpriced(), or set a price.";
            return Err(Refusal { hint, ..refusal }.into());
        }
    }
    Ok(estimate)
}

/// Counts the prompt or the messages: under the encoding that the catalogue names, or the name of the model that the
/// tokenizer knows.
fn count_input(
    wanted: &Wanted<'_>,
    model: &str,
    encoding: Option<&str>,
    interrupt: &mut dyn FnMut(),
) -> Result<(i64, Encoding), Refusal> {
    let names = encoding.map(str::to_string).into_iter();
    let names = names.chain(candidates(model).into_iter().map(|candidate| candidate.name));
    let known = names.into_iter().find_map(|name| Some((tokenizer::resolve(&name).ok()?, name)));
    let Some((encoding, known)) = known else {
        return Err(Refusal::new(
            Code::UnknownModelOrPrice,
            format!("no public tokenizer for model \"{}\"", shortened(model)),
            json!({"model": shortened(model)}),
            "Pass input_tokens, from the provider's own token-counting endpoint or from an estimate of yours, or name an encoding that stands in with tb_set_model().",
        ));
    };
    let counted = match (&wanted.messages, wanted.prompt.as_deref()) {
        (Some(messages), _) => tokenizer::count_messages(messages, None, &known, interrupt),
        (None, Some(prompt)) => tokenizer::count(prompt, encoding, interrupt),
        (None, None) => Ok(0),
    };
    let tokens =
        counted.map_err(|error| Refusal::invalid_argument("input", error, "Correct the prompt or the messages."))?;
    Ok((i64::try_from(tokens).map_err(|_| too_many_tokens())?, encoding))
}

fn too_many_tokens() -> Refusal {
    Refusal::invalid_argument("input", "too many tokens", "Send less text.")
}
