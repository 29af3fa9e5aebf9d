//! Charge: book calls that were not held for, in one step.

use std::collections::HashSet;
use std::rc::Rc;

use pgrx::Uuid;
use pgrx::spi::SpiClient;
use serde_json::{Value, json};

use crate::budget::decision::{Claim, remaining};
use crate::budget::meter::{self, Amounts};
use crate::engine::{self, Taking};
use crate::id::Uuids;
use crate::instant::Instant;
use crate::ledger::access::Authority;
use crate::ledger::attribution::Attribution;
use crate::ledger::batch::{Answer, Answers, Scope, Scopes, answer, taken};
use crate::ledger::commit::{Receipt, check_usage_source};
use crate::ledger::entry::{Entry, row};
use crate::ledger::idempotency::{self, Key, Operation};
use crate::ledger::reserve::{check_model, parse_meters};
use crate::ledger::slots::Slots;
use crate::ledger::spender::Spender;
use crate::ledger::used::{Reading, Used, price_reading, read};
use crate::ledger::{Failure, alert};
use crate::refusal::Refusal;

/// A call that has been made, or that is made only if it fits.
pub struct Request {
    pub account: String,
    pub model: Option<String>,
    pub usage: Value,
    pub meters: Value,
    pub also: Vec<String>,
    pub attributes: Value,
    pub provider: Option<String>,
    pub usage_source: String,
    pub idempotency_key: Option<String>,
    /// What the same call had used when it was charged before.
    pub before: Option<Before>,
}

/// What an earlier state of a call said.
pub struct Before {
    pub usage: Value,
    pub meters: Value,
}

/// What a call used: what its usage object says, and the meters beside it.
struct Told {
    reading: Reading,
    given: Amounts,
}

impl Request {
    fn told(&self) -> Result<Told, Refusal> {
        let tell = |usage: &Value, meters: &Value, is_model_called| {
            let reading = read(usage.clone(), self.provider.as_deref(), is_model_called)?;
            Ok(Told { reading, given: parse_meters(meters)? })
        };
        let now = tell(&self.usage, &self.meters, self.model.is_some())?;
        let Some(before) = &self.before else { return Ok(now) };
        // What had no more than meters had not called the model yet.
        let had_called = self.model.is_some() && before.usage.as_object().is_none_or(|usage| !usage.is_empty());
        let before = tell(&before.usage, &before.meters, had_called)?;
        Ok(Told { reading: now.reading.beyond(&before.reading), given: meter::beyond(&now.given, &before.given) })
    }

    /// Whether it has used no more than before.
    pub fn is_unchanged(&self) -> Result<bool, Refusal> {
        if self.before.is_none() {
            return Ok(false);
        }
        let Told { reading, given } = self.told()?;
        Ok(reading.is_empty() && given.is_empty())
    }
}

struct Prepared {
    index: usize,
    key: Option<Key>,
    spender: Spender,
    claims: Vec<Claim>,
    used: Used,
    attribution: Attribution,
    usage_source: String,
    flags: Vec<String>,
}

/// Books each call. With `enforce` one that does not fit, or whose account is frozen, is refused; without it has happened,
/// and is booked in full and flagged.
pub fn charge(
    client: &mut SpiClient<'_>,
    requests: Vec<Answer<Request>>,
    authority: Authority,
    enforce: bool,
    now: Instant,
) -> Result<Vec<Answer<Receipt>>, Failure> {
    let mut answers = Answers::of(requests.len());
    let mut given = Vec::with_capacity(requests.len());
    for (index, request) in requests.into_iter().enumerate() {
        match request {
            Ok(request) => given.push((index, request)),
            Err(refusal) => answers.set(index, Err(refusal)),
        }
    }
    // Accounts are made, and then keys taken, in one order everywhere.
    given.sort_by(|(_, left), (_, right)| (&left.account, &left.also).cmp(&(&right.account, &right.also)));
    let mut scopes = Scopes::new(now, authority);
    let mut scoped = Vec::with_capacity(given.len());
    for (index, request) in given {
        match answer(enter(client, &mut scopes, &request, enforce, now))? {
            Ok((attribution, scope)) => scoped.push((index, request, attribution, scope)),
            Err(refusal) => answers.set(index, Err(refusal)),
        }
    }
    scoped.sort_by(|(_, left, ..), (_, right, ..)| left.idempotency_key.cmp(&right.idempotency_key));
    let mut keys = HashSet::new();
    let mut prepared = Vec::with_capacity(scoped.len());
    for (index, request, attribution, scope) in scoped {
        match answer(prepare(client, &mut keys, &scope, index, request, attribution, enforce, now))? {
            Ok(Step::Book(it)) => prepared.push(*it),
            Ok(Step::Answered(first)) => answers.set(index, Ok(first)),
            Err(refusal) => answers.set(index, Err(refusal)),
        }
    }
    prepared.sort_by_key(|it| it.index);
    let taking = if enforce { Taking::Spend } else { Taking::Record };
    for (index, answer) in book(client, prepared, taking, now)? {
        answers.set(index, answer);
    }
    answers.into_all()
}

fn enter(
    client: &mut SpiClient<'_>,
    scopes: &mut Scopes,
    request: &Request,
    enforce: bool,
    now: Instant,
) -> Result<(Attribution, Rc<Scope>), Failure> {
    check_usage_source(&request.usage_source)?;
    check_model(request.model.as_deref())?;
    if let Some(key) = &request.idempotency_key {
        idempotency::check_key(key)?;
    }
    let attribution = Attribution::parse(request.attributes.clone())?;
    let role = attribution.text("role");
    let scope = scopes.find(client, &request.account, &request.also, role.as_deref())?;
    if enforce {
        scope.chain.check_active(now)?;
    }
    Ok((attribution, scope))
}

enum Step {
    Book(Box<Prepared>),
    /// By the first charge with the same idempotency key.
    Answered(Receipt),
}

#[allow(clippy::too_many_arguments, reason = "one call on its way through the batch")]
fn prepare(
    client: &mut SpiClient<'_>,
    keys: &mut HashSet<String>,
    scope: &Scope,
    index: usize,
    request: Request,
    attribution: Attribution,
    enforce: bool,
    now: Instant,
) -> Result<Step, Failure> {
    let key = match &request.idempotency_key {
        None => None,
        Some(key) => {
            let payload = payload(&request, enforce);
            let key = Key::new(scope.chain.tenant_id, Operation::Charge, key, &payload, keys)?;
            if let Some(first) = idempotency::claim(client, &key, now)? {
                return Ok(Step::Answered(first));
            }
            Some(key)
        }
    };
    let spender = Spender::new(&scope.chain, request.model.clone(), now);
    let mut claims = scope.claims.clone();
    let used = price_request(client, &request, &spender, &attribution, &claims);
    let used = match used {
        Ok(used) => used,
        Err(failure) => {
            if let (Some(key), Failure::Refused(_)) = (&key, &failure) {
                idempotency::forget(client, key)?;
            }
            return Err(failure);
        }
    };
    for claim in &mut claims {
        claim.units = used.amounts.get(&claim.budget.meter).copied().unwrap_or(0);
    }
    let mut flags = used.flags.clone();
    if scope.chain.check_active(now).is_err() {
        flags.push("inactive_account".into());
    }
    let usage_source = request.usage_source;
    Ok(Step::Book(Box::new(Prepared { index, key, spender, claims, used, attribution, usage_source, flags })))
}

fn price_request(
    client: &mut SpiClient<'_>,
    request: &Request,
    spender: &Spender,
    attribution: &Attribution,
    claims: &[Claim],
) -> Result<Used, Failure> {
    let Told { reading, given } = request.told()?;
    let is_cost_limited = claims.iter().any(|claim| meter::is_money(&claim.budget.meter));
    price_reading(client, spender, reading, &given, attribution, is_cost_limited)
}

fn book(
    client: &mut SpiClient<'_>,
    prepared: Vec<Prepared>,
    taking: Taking,
    now: Instant,
) -> Result<Vec<(usize, Answer<Receipt>)>, Failure> {
    let Some(tenant_id) = prepared.first().map(|first| first.spender.tenant_id) else { return Ok(Vec::new()) };
    let calls: Vec<&[Claim]> = prepared.iter().map(|it| it.claims.as_slice()).collect();
    let outcomes = engine::present(client)?.take(tenant_id, &calls, taking, now)?;
    let mut ids = Uuids::new(tenant_id, now)?;
    let mut answers = Vec::with_capacity(prepared.len());
    let mut entries = Vec::with_capacity(prepared.len());
    for (mut it, outcome) in prepared.into_iter().zip(outcomes) {
        let outcome = match taken(outcome, &it.claims)? {
            Ok(outcome) => outcome,
            Err(refusal) => {
                if let Some(key) = &it.key {
                    idempotency::forget(client, key)?;
                }
                answers.push((it.index, Err(refusal)));
                continue;
            }
        };
        if alert::notice_burst(client, tenant_id, &it.claims, &outcome, now)? {
            it.flags.push(alert::BURST.into());
        }
        for (claim, standing) in it.claims.iter().zip(&outcome.standings) {
            let (budget, start) = (&claim.budget, claim.window.start);
            alert::notice_spend(client, tenant_id, budget, start, standing, claim.units, now)?;
        }
        let budgets = it.claims.iter().map(|claim| &*claim.budget).zip(&outcome.standings);
        let charge = it.used.charge.as_ref();
        let receipt = Receipt {
            entry: ids.make(),
            cost_nanos: charge.map(|charge| charge.cost_nanos),
            internal_nanos: charge.map(|charge| charge.internal_nanos),
            currency: it.spender.currency.clone(),
            tokens: it.used.amounts.get(meter::TOKENS).copied().unwrap_or(0),
            overrun: !outcome.fits,
            released: json!({}),
            remaining: meter::amounts_to_json(&remaining(budgets)),
            flags: it.flags,
        };
        let entry = Entry {
            kind: "charge",
            entry_id: Uuid::from_bytes(receipt.entry),
            recorded_at: now,
            spender: &it.spender,
            used: &it.used,
            spent: &Slots::of(&it.claims, &outcome.allotments),
            attribution: &it.attribution,
            usage_source: &it.usage_source,
            overrun: receipt.overrun,
            late: false,
            flags: &receipt.flags,
        };
        entries.push(entry.row());
        if let Some(key) = &it.key {
            idempotency::answer(client, key, &receipt)?;
        }
        answers.push((it.index, Ok(receipt)));
    }
    row::add(client, entries)?;
    Ok(answers)
}

fn payload(request: &Request, enforce: bool) -> Value {
    let Request { account, model, usage, meters, also, attributes, provider, usage_source, .. } = request;
    json!({
        "account": account,
        "model": model,
        "usage": usage,
        "meters": meters,
        "also": also,
        "attributes": attributes,
        "provider": provider,
        "usage_source": usage_source,
        "enforce": enforce,
    })
}
