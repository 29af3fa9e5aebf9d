//! Reserve: hold what calls may use, against every budget above them, in one atomic step.

use std::collections::HashSet;
use std::rc::Rc;

use pgrx::spi::SpiClient;
use pgrx::{JsonB, Uuid};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::budget::decision::{Claim, remaining};
use crate::budget::meter::{self, Amounts};
use crate::engine::{self, Outcome, Taking};
use crate::id::Uuids;
use crate::instant::Instant;
use crate::jsonb::Json;
use crate::ledger::attribution::Attribution;
use crate::ledger::batch::{Answer, Answers, Scope, Scopes, answer, taken};
use crate::ledger::estimate::{Estimate, Wanted, estimate};
use crate::ledger::idempotency::{self, Key, Operation};
use crate::ledger::slots::Slots;
use crate::ledger::spender::Spender;
use crate::ledger::{Failure, alert};
use crate::privilege::Privilege;
use crate::refusal::Refusal;
use crate::statement::{statement, timestamp, timestamps};

statement! {
    write row insert_reservation(
        INT4OID, UUIDOID, INT8OID, INT8ARRAYOID, INT8ARRAYOID, TIMESTAMPTZARRAYOID, INT8ARRAYOID, JSONBOID, TEXTOID, INT8OID,
        INT8OID, TEXTOID, TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID, JSONBOID, JSONBOID, TEXTARRAYOID, TEXTOID,
        INT8OID, TEXTOID
    ) =
    "INSERT INTO tokbudget.reservation (
         tenant_id, reservation_id, account_id, account_ids, budget_ids, window_starts, held_units, held, model,
         input_tokens, max_output_tokens, cost_center, currency, created_at, expires_at, attributes,
         fallback_unit_prices, flags, count_basis, counted_tokens, count_encoding, actor)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, SESSION_USER)"
}

/// Shortest life of a hold.
const TTL_US_MIN: i64 = 1_000_000;
/// Longest life of a hold: a batch job may take a day, and nobody should wait longer for what an orphan holds.
const TTL_US_MAX: i64 = 7 * 24 * 3_600_000_000;

/// A call to hold for, as it came in.
pub struct Request<'a> {
    pub account: String,
    pub model: Option<String>,
    pub wanted: Wanted<'a>,
    pub meters: Value,
    pub also: Vec<String>,
    pub idempotency_key: Option<String>,
    pub ttl_us: i64,
    pub attributes: Value,
}

/// What was held. Kept as the answer to an idempotency key.
#[derive(Clone, Serialize, Deserialize)]
pub struct Hold {
    /// Bytes of its UUID.
    #[serde(with = "crate::id::as_text")]
    pub reservation: [u8; 16],
    pub input_tokens: i64,
    pub max_output_tokens: i64,
    #[serde(default)]
    pub count_basis: Option<String>,
    pub held: Value,
    pub remaining: Value,
    pub expires_at: Instant,
    #[serde(default)]
    pub flags: Vec<String>,
}

/// A request that may be decided.
struct Prepared {
    index: usize,
    key: Option<Key>,
    spender: Spender,
    claims: Vec<Claim>,
    estimate: Estimate,
    held: Amounts,
    attributes: Value,
    expires_at: Instant,
}

/// Holds what each request may use, or says why not. Checks run in a fixed order: arguments, existence, privilege, state, idempotency,
/// price, limits. `interrupt` is called while tokens are counted.
pub fn reserve(
    client: &mut SpiClient<'_>,
    requests: Vec<Answer<Request<'_>>>,
    now: Instant,
    interrupt: &mut dyn FnMut(),
) -> Result<Vec<Answer<Hold>>, Failure> {
    let mut answers = Answers::of(requests.len());

    // Accounts are made, and then keys taken, in one order everywhere, so that two batches never wait for each other.
    let mut given: Vec<(usize, Request<'_>)> = Vec::with_capacity(requests.len());
    for (index, request) in requests.into_iter().enumerate() {
        match request {
            Ok(request) => given.push((index, request)),
            Err(refusal) => answers.set(index, Err(refusal)),
        }
    }
    given.sort_by(|(_, left), (_, right)| (&left.account, &left.also).cmp(&(&right.account, &right.also)));
    let mut scopes = Scopes::new(now, Privilege::Spend.into());
    let mut scoped = Vec::with_capacity(given.len());
    for (index, request) in given {
        match answer(enter(client, &mut scopes, &request, now))? {
            Ok((arguments, scope)) => scoped.push((index, request, arguments, scope)),
            Err(refusal) => answers.set(index, Err(refusal)),
        }
    }
    scoped.sort_by(|(_, left, ..), (_, right, ..)| left.idempotency_key.cmp(&right.idempotency_key));
    let mut keys = HashSet::new();
    let mut prepared = Vec::with_capacity(scoped.len());
    for (index, request, arguments, scope) in scoped {
        let step = prepare(client, &mut keys, &scope, request, arguments, index, now, interrupt);
        match answer(step)? {
            Ok(Step::Decide(it)) => prepared.push(*it),
            Ok(Step::Answered(hold)) => answers.set(index, Ok(hold)),
            Err(refusal) => answers.set(index, Err(refusal)),
        }
    }
    prepared.sort_by_key(|it| it.index);
    for (index, answer) in decide(client, prepared, now)? {
        answers.set(index, answer);
    }
    answers.into_all()
}

enum Step {
    Decide(Box<Prepared>),
    /// By the first call with the same idempotency key.
    Answered(Hold),
}

fn enter(
    client: &mut SpiClient<'_>,
    scopes: &mut Scopes,
    request: &Request<'_>,
    now: Instant,
) -> Result<(Arguments, Rc<Scope>), Failure> {
    let arguments = Arguments::check(request)?;
    let role = arguments.attribution.text("role");
    let scope = scopes.find(client, &request.account, &request.also, role.as_deref())?;
    scope.chain.check_active(now)?;
    Ok((arguments, scope))
}

#[allow(clippy::too_many_arguments, reason = "one call on its way through the batch")]
fn prepare(
    client: &mut SpiClient<'_>,
    keys: &mut HashSet<String>,
    scope: &Scope,
    request: Request<'_>,
    arguments: Arguments,
    index: usize,
    now: Instant,
    interrupt: &mut dyn FnMut(),
) -> Result<Step, Failure> {
    let key = match &request.idempotency_key {
        None => None,
        Some(key) => {
            let key = Key::new(scope.chain.tenant_id, Operation::Reserve, key, &payload(&request), keys)?;
            if let Some(answer) = idempotency::claim(client, &key, now)? {
                return Ok(Step::Answered(answer));
            }
            Some(key)
        }
    };
    let Arguments { meters, attribution } = arguments;
    let spender = Spender::new(&scope.chain, request.model, now);
    let mut claims = scope.claims.clone();
    let estimated = estimate(client, &request.wanted, &meters, &attribution, &spender, &claims, interrupt);
    let estimated = estimated.and_then(|it| Ok((it.amounts(meters, &claims)?, it)));
    let (held, estimate) = match estimated {
        Ok(estimated) => estimated,
        Err(failure) => {
            if let (Some(key), Failure::Refused(_)) = (&key, &failure) {
                idempotency::forget(client, key)?;
            }
            return Err(failure);
        }
    };
    for claim in &mut claims {
        claim.units = held.get(&claim.budget.meter).copied().unwrap_or(0);
    }
    let expires_at = now.checked_add_us(request.ttl_us).ok_or(Failure::Internal("the clock is beyond the calendar"))?;
    let attributes = attribution.to_json();
    Ok(Step::Decide(Box::new(Prepared { index, key, spender, claims, estimate, held, attributes, expires_at })))
}

/// Takes all that fit, in one step, and writes down what was taken.
fn decide(
    client: &mut SpiClient<'_>,
    prepared: Vec<Prepared>,
    now: Instant,
) -> Result<Vec<(usize, Answer<Hold>)>, Failure> {
    let mut answers = Vec::with_capacity(prepared.len());
    let Some(tenant_id) = prepared.first().map(|first| first.spender.tenant_id) else { return Ok(answers) };
    let calls: Vec<&[Claim]> = prepared.iter().map(|it| it.claims.as_slice()).collect();
    let outcomes = engine::present(client)?.take(tenant_id, &calls, Taking::Hold, now)?;
    let mut ids = Uuids::new(tenant_id, now)?;
    for (it, outcome) in prepared.into_iter().zip(outcomes) {
        let answer = match taken(outcome, &it.claims)? {
            Ok(outcome) => {
                let hold = write_down(client, &it, &outcome, ids.make(), now)?;
                if let Some(key) = &it.key {
                    idempotency::answer(client, key, &hold)?;
                }
                Ok(hold)
            }
            Err(refusal) => {
                if let Some(key) = &it.key {
                    idempotency::forget(client, key)?;
                }
                Err(refusal)
            }
        };
        answers.push((it.index, answer));
    }
    Ok(answers)
}

fn write_down(
    client: &mut SpiClient<'_>,
    it: &Prepared,
    outcome: &Outcome,
    reservation: [u8; 16],
    now: Instant,
) -> Result<Hold, Failure> {
    let Prepared { spender, claims, estimate, held, .. } = it;
    let slots = Slots::of(claims, &outcome.allotments);
    let is_burst = alert::notice_burst(client, spender.tenant_id, claims, outcome, now)?;
    let flags: Vec<String> = is_burst.then(|| alert::BURST.to_string()).into_iter().collect();
    let held_json = meter::amounts_to_json(held);
    insert_reservation(
        client,
        &[
            spender.tenant_id.into(),
            Uuid::from_bytes(reservation).into(),
            spender.account_id.into(),
            spender.account_ids.clone().into(),
            slots.budget_ids.into(),
            timestamps(slots.window_starts)?.into(),
            slots.units.into(),
            Json(&held_json).into(),
            spender.model.clone().into(),
            estimate.input_tokens.into(),
            estimate.max_output_tokens.into(),
            spender.cost_center.clone().into(),
            spender.currency.clone().into(),
            timestamp(now)?.into(),
            timestamp(it.expires_at)?.into(),
            Json(&it.attributes).into(),
            spender.fallback_unit_prices.clone().map(JsonB).into(),
            flags.clone().into(),
            estimate.counted.and(estimate.count_basis).into(),
            estimate.counted.map(|(tokens, _)| tokens).into(),
            estimate.counted.map(|(_, encoding)| encoding.name()).into(),
        ],
    )?;
    let budgets = claims.iter().map(|claim| &*claim.budget).zip(&outcome.standings);
    Ok(Hold {
        reservation,
        input_tokens: estimate.input_tokens,
        max_output_tokens: estimate.max_output_tokens,
        count_basis: estimate.count_basis.map(str::to_string),
        held: held_json,
        remaining: meter::amounts_to_json(&remaining(budgets)),
        expires_at: it.expires_at,
        flags,
    })
}

/// Arguments that are fine by themselves.
struct Arguments {
    meters: Amounts,
    attribution: Attribution,
}

impl Arguments {
    fn check(request: &Request<'_>) -> Result<Arguments, Refusal> {
        let wanted = &request.wanted;
        let given = [wanted.input_tokens.is_some(), wanted.prompt.is_some(), wanted.messages.is_some()];
        if given.iter().filter(|given| **given).count() > 1 {
            return Err(Refusal::invalid_argument(
                "input",
                "more than one of input_tokens, prompt and messages",
                "Give the prompt, the messages, or the number of input tokens.",
            ));
        }
        for (name, tokens) in [("input_tokens", wanted.input_tokens), ("max_output_tokens", wanted.max_output_tokens)] {
            if tokens.is_some_and(|tokens| tokens < 0) {
                return Err(Refusal::invalid_argument(name, "a count is not negative", "Pass a count of tokens."));
            }
        }
        check_model(request.model.as_deref())?;
        if request.model.is_none() && (wanted.prompt.is_some() || wanted.messages.is_some()) {
            return Err(Refusal::invalid_argument("model", "counting text needs a model", "Name the model."));
        }
        if request.model.is_some() && !given.contains(&true) {
            return Err(Refusal::invalid_argument(
                "input",
                "none of input_tokens, prompt and messages",
                "Give the prompt, the messages, or the number of input tokens.",
            ));
        }
        check_ttl(request.ttl_us)?;
        if let Some(key) = &request.idempotency_key {
            idempotency::check_key(key)?;
        }
        Ok(Arguments {
            meters: parse_meters(&request.meters)?,
            attribution: Attribution::parse(request.attributes.clone())?,
        })
    }
}

pub fn check_model(model: Option<&str>) -> Result<(), Refusal> {
    if model.is_some_and(|model| model.trim().is_empty()) {
        return Err(Refusal::invalid_argument("model", "the name is empty", "Pass the name that the provider uses."));
    }
    Ok(())
}

pub fn check_ttl(ttl_us: i64) -> Result<(), Refusal> {
    if (TTL_US_MIN..=TTL_US_MAX).contains(&ttl_us) {
        return Ok(());
    }
    Err(Refusal::invalid_argument("ttl", "out of range", "A hold lives from one second to seven days."))
}

pub fn parse_meters(meters: &Value) -> Result<Amounts, Refusal> {
    meter::parse(meters)
        .map_err(|error| Refusal::invalid_argument("meters", error, "Pass an object such as '{\"tool_calls\": 3}'."))
}

/// Everything that makes two calls the same call.
fn payload(request: &Request<'_>) -> Value {
    let wanted = &request.wanted;
    json!({
        "account": request.account,
        "model": request.model,
        "input_tokens": wanted.input_tokens,
        "prompt": wanted.prompt.as_ref().map(|prompt| Sha256::digest(prompt.as_bytes()).to_vec()),
        "messages": wanted.messages,
        "max_output_tokens": wanted.max_output_tokens,
        "meters": request.meters,
        "also": request.also,
        "ttl_us": request.ttl_us,
        "attributes": request.attributes,
    })
}
