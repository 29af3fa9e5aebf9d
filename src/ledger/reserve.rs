//! Reserve: hold what a call may use, against every budget above it, in one atomic step.

use pgrx::spi::SpiClient;
use pgrx::{JsonB, Uuid};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::budget::decision::{refusal, remaining};
use crate::budget::meter::{self, Amounts};
use crate::engine::rows::Rows;
use crate::engine::{Engine, Verdict};
use crate::id;
use crate::instant::Instant;
use crate::ledger::attribution::Attribution;
use crate::ledger::chain::Chain;
use crate::ledger::estimate::estimate;
use crate::ledger::{Failure, idempotency};
use crate::privilege::Privilege;
use crate::refusal::Refusal;
use crate::statement::{statement, timestamp, timestamps};

statement! {
    write insert_reservation(
        INT4OID, UUIDOID, INT8OID, INT8ARRAYOID, INT8ARRAYOID, TIMESTAMPTZARRAYOID, INT8ARRAYOID, JSONBOID, TEXTOID, INT8OID,
        INT8OID, TEXTOID, TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID, JSONBOID, JSONBOID
    ) =
    "INSERT INTO tokbudget.reservation (
         tenant_id, reservation_id, account_id, account_ids, budget_ids, window_starts, held_units, held, model,
         input_tokens, max_output_tokens, cost_center, currency, created_at, expires_at, attributes,
         fallback_unit_prices, actor)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, SESSION_USER)"
}

/// Shortest life of a hold.
const TTL_US_MIN: i64 = 1_000_000;
/// Longest life of a hold: a batch job may take a day, and nobody should wait longer for what an orphan holds.
const TTL_US_MAX: i64 = 7 * 24 * 3_600_000_000;

/// A call to hold for, as it came in.
pub struct Request<'a> {
    pub account: &'a str,
    pub model: Option<&'a str>,
    pub input_tokens: Option<i64>,
    pub prompt: Option<&'a str>,
    pub messages: Option<Value>,
    pub max_output_tokens: Option<i64>,
    pub meters: Value,
    pub also: Vec<String>,
    pub idempotency_key: Option<&'a str>,
    pub ttl_us: i64,
    pub attributes: Value,
}

/// What was held. Kept as the answer to an idempotency key.
#[derive(Serialize, Deserialize)]
pub struct Hold {
    /// Bytes of its UUID.
    pub reservation: [u8; 16],
    pub input_tokens: i64,
    pub max_output_tokens: i64,
    #[serde(default)]
    pub count_basis: Option<String>,
    pub held: Value,
    pub remaining: Value,
    pub expires_at: Instant,
}

/// Holds what `request` may use, or refuses. Checks run in a fixed order: arguments, existence,
/// privilege, state, idempotency, price, limits. `interrupt` is called while tokens are counted.
pub fn reserve(
    client: &mut SpiClient<'_>,
    request: Request<'_>,
    now: Instant,
    interrupt: &mut dyn FnMut(),
) -> Result<Hold, Failure> {
    let arguments = Arguments::check(&request)?;
    let chain = Chain::find(client, request.account, &request.also, Privilege::Spend)?;
    chain.check_active()?;

    let Some(key) = request.idempotency_key else {
        return decide(client, &request, arguments, &chain, now, interrupt);
    };
    let payload_hash = hash_payload(&request);
    if let Some(answer) = idempotency::claim(client, chain.tenant_id, key, &payload_hash, now)? {
        return serde_json::from_value(answer)
            .map_err(|_| Failure::Internal("the answer kept for an idempotency key is unreadable"));
    }
    match decide(client, &request, arguments, &chain, now, interrupt) {
        Ok(hold) => {
            idempotency::answer(client, chain.tenant_id, key, &hold)?;
            Ok(hold)
        }
        Err(failure) => {
            if matches!(failure, Failure::Refused(_)) {
                idempotency::forget(client, chain.tenant_id, key)?;
            }
            Err(failure)
        }
    }
}

/// Arguments that are fine by themselves.
pub struct Arguments {
    pub meters: Amounts,
    pub attribution: Attribution,
    expires_in_us: i64,
}

impl Arguments {
    fn check(request: &Request<'_>) -> Result<Arguments, Refusal> {
        let given = [request.input_tokens.is_some(), request.prompt.is_some(), request.messages.is_some()];
        if given.iter().filter(|given| **given).count() > 1 {
            return Err(Refusal::invalid_argument(
                "input",
                "more than one of input_tokens, prompt and messages",
                "Give the prompt, the messages, or the number of input tokens.",
            ));
        }
        for (name, tokens) in [("input_tokens", request.input_tokens), ("max_output_tokens", request.max_output_tokens)]
        {
            if tokens.is_some_and(|tokens| tokens < 0) {
                return Err(Refusal::invalid_argument(name, "a count is not negative", "Pass a count of tokens."));
            }
        }
        if request.model.is_some_and(|model| model.trim().is_empty()) {
            return Err(Refusal::invalid_argument(
                "model",
                "the name is empty",
                "Pass the name that the provider uses.",
            ));
        }
        if request.model.is_none() && (request.prompt.is_some() || request.messages.is_some()) {
            return Err(Refusal::invalid_argument("model", "counting text needs a model", "Name the model."));
        }
        if request.model.is_some() && !given.contains(&true) {
            return Err(Refusal::invalid_argument(
                "input",
                "none of input_tokens, prompt and messages",
                "Give the prompt, the messages, or the number of input tokens.",
            ));
        }
        if !(TTL_US_MIN..=TTL_US_MAX).contains(&request.ttl_us) {
            return Err(Refusal::invalid_argument(
                "ttl",
                "out of range",
                "A hold lives from one second to seven days.",
            ));
        }
        if let Some(key) = request.idempotency_key {
            idempotency::check_key(key)?;
        }
        let meters = meter::parse(&request.meters).map_err(|error| {
            Refusal::invalid_argument("meters", error, "Pass an object such as '{\"tool_calls\": 3}'.")
        })?;
        let attribution = Attribution::parse(request.attributes.clone())?;
        Ok(Arguments { meters, attribution, expires_in_us: request.ttl_us })
    }
}

fn decide(
    client: &mut SpiClient<'_>,
    request: &Request<'_>,
    arguments: Arguments,
    chain: &Chain,
    now: Instant,
    interrupt: &mut dyn FnMut(),
) -> Result<Hold, Failure> {
    let mut claims = chain.claims(client, now)?;
    let estimate = estimate(client, request, &arguments, chain, &claims, now, interrupt)?;
    let mut held = arguments.meters;
    held.insert(meter::REQUESTS.into(), 1);
    held.insert(meter::INPUT_TOKENS.into(), estimate.input_tokens);
    held.insert(meter::OUTPUT_TOKENS.into(), estimate.max_output_tokens);
    let tokens = estimate.input_tokens.checked_add(estimate.max_output_tokens).ok_or_else(|| {
        Refusal::invalid_argument("max_output_tokens", "input and output together leave the range", "Pass real counts.")
    })?;
    held.insert(meter::TOKENS.into(), tokens);
    if let Some(cost_nanos) = estimate.cost_nanos {
        held.insert(meter::COST.into(), cost_nanos);
    }
    // Only where it says something: an account without a rate is charged what the provider charges.
    let is_internal_limited = claims.iter().any(|claim| claim.budget.meter == meter::INTERNAL_COST);
    if let Some(internal_nanos) = estimate.internal_nanos
        && (is_internal_limited || estimate.internal_nanos != estimate.cost_nanos)
    {
        held.insert(meter::INTERNAL_COST.into(), internal_nanos);
    }
    for claim in &mut claims {
        claim.units = held.get(&claim.budget.meter).copied().unwrap_or(0);
    }

    let balances = match Rows::new(client).hold(chain.tenant_id, &claims, now)? {
        Verdict::Held(balances) => balances,
        Verdict::Short(balances) => {
            let refusal = refusal(&claims, &balances).ok_or(Failure::Internal("a hold was refused that fits"))?;
            return Err(refusal.into());
        }
    };

    let reservation = id::new_uuid(chain.tenant_id)?;
    let expires_at =
        now.checked_add_us(arguments.expires_in_us).ok_or(Failure::Internal("the clock is beyond the calendar"))?;
    let held_json = meter::amounts_to_json(&held);
    insert_reservation(
        client,
        &[
            chain.tenant_id.into(),
            Uuid::from_bytes(reservation).into(),
            chain.own_account_id().into(),
            chain.account_ids().into(),
            claims.iter().map(|claim| claim.budget.budget_id).collect::<Vec<i64>>().into(),
            timestamps(claims.iter().map(|claim| claim.window.start))?.into(),
            claims.iter().map(|claim| claim.units).collect::<Vec<i64>>().into(),
            JsonB(held_json.clone()).into(),
            request.model.into(),
            estimate.input_tokens.into(),
            estimate.max_output_tokens.into(),
            chain.cost_center().into(),
            chain.currency.clone().into(),
            timestamp(now)?.into(),
            timestamp(expires_at)?.into(),
            JsonB(arguments.attribution.to_json()).into(),
            estimate.fallback_unit_prices.map(JsonB).into(),
        ],
    )?;
    Ok(Hold {
        reservation,
        input_tokens: estimate.input_tokens,
        max_output_tokens: estimate.max_output_tokens,
        count_basis: estimate.count_basis.map(str::to_string),
        held: held_json,
        remaining: meter::amounts_to_json(&remaining(&claims, &balances)),
        expires_at,
    })
}

/// A fingerprint of everything that makes two calls the same call.
fn hash_payload(request: &Request<'_>) -> Vec<u8> {
    let payload = json!({
        "account": request.account,
        "model": request.model,
        "input_tokens": request.input_tokens,
        "prompt": request.prompt.map(|prompt| Sha256::digest(prompt).to_vec()),
        "messages": request.messages,
        "max_output_tokens": request.max_output_tokens,
        "meters": request.meters,
        "also": request.also,
        "ttl_us": request.ttl_us,
        "attributes": request.attributes,
    });
    Sha256::digest(payload.to_string()).to_vec()
}
