//! The most that a call can use, which is what its reservation holds.

use pgrx::spi::SpiClient;
use serde_json::json;

use crate::budget::decision::Claim;
use crate::budget::meter;
use crate::instant::Instant;
use crate::ledger::Failure;
use crate::ledger::chain::Chain;
use crate::ledger::price_book::{self, shortened};
use crate::ledger::reserve::Request;
use crate::price::{candidates, hold_nanos};
use crate::refusal::{Code, Refusal};
use crate::tokenizer;

/// The most that the call can use.
pub struct Estimate {
    pub input_tokens: i64,
    pub max_output_tokens: i64,
    /// None when no model is named; then nothing that costs can be held against a cost budget.
    pub cost_nanos: Option<i64>,
}

/// Counts the input, bounds the output and prices both at the dearest rate that could apply.
pub fn estimate(
    client: &mut SpiClient<'_>,
    request: &Request<'_>,
    chain: &Chain,
    claims: &[Claim],
    now: Instant,
    interrupt: &mut dyn FnMut(),
) -> Result<Estimate, Failure> {
    let Some(model) = request.model else {
        let input_tokens = request.input_tokens.unwrap_or(0);
        let max_output_tokens = request.max_output_tokens.unwrap_or(0);
        let is_costly = input_tokens > 0 || max_output_tokens > 0;
        if is_costly && let Some(claim) = claims.iter().find(|claim| claim.budget.meter == meter::COST) {
            return Err(Refusal::new(
                Code::UnknownModelOrPrice,
                "tokens without a model have no price",
                json!({"budget": claim.budget.budget_id, "account": claim.budget.account}),
                "Name the model: the account has a budget in cost.",
            )
            .into());
        }
        return Ok(Estimate { input_tokens, max_output_tokens, cost_nanos: None });
    };
    let listed = price_book::find(client, model, &chain.currency, now)?;
    let max_output_tokens = match request.max_output_tokens {
        Some(max_output_tokens) => max_output_tokens,
        // A model without an output price, such as one for embeddings, has no output to bound.
        None if listed.price.output.is_none() => 0,
        None => {
            return Err(Refusal::invalid_argument(
                "max_output_tokens",
                "an output without bound cannot be held",
                "Pass the same max_output_tokens here and to the provider.",
            )
            .into());
        }
    };
    let input_tokens = match request.input_tokens {
        Some(input_tokens) => input_tokens,
        None => count_input(request, model, interrupt)?,
    };
    let cost_nanos = hold_nanos(input_tokens, max_output_tokens, &listed.price)
        .map_err(|error| price_book::refuse(model, &error))?;
    Ok(Estimate { input_tokens, max_output_tokens, cost_nanos: Some(cost_nanos) })
}

/// Counts the prompt or the messages, under the name of the model that the tokenizer knows.
fn count_input(request: &Request<'_>, model: &str, interrupt: &mut dyn FnMut()) -> Result<i64, Refusal> {
    let known = candidates(model).into_iter().find(|candidate| tokenizer::resolve(&candidate.name).is_ok());
    let Some(known) = known else {
        return Err(Refusal::new(
            Code::UnknownModelOrPrice,
            format!("no public tokenizer for model \"{}\"", shortened(model)),
            json!({"model": shortened(model)}),
            "Pass input_tokens, from the provider's own token-counting endpoint or from an estimate of yours.",
        ));
    };
    let counted = match (&request.messages, request.prompt) {
        (Some(messages), _) => tokenizer::count_messages(messages, None, &known.name, interrupt),
        (None, Some(prompt)) => tokenizer::resolve(&known.name)
            .map_err(Into::into)
            .and_then(|encoding| tokenizer::count(prompt, encoding, interrupt)),
        (None, None) => Ok(0),
    };
    let tokens =
        counted.map_err(|error| Refusal::invalid_argument("input", error, "Correct the prompt or the messages."))?;
    i64::try_from(tokens).map_err(|_| Refusal::invalid_argument("input", "too many tokens", "Send less text."))
}
