//! Commit: book what calls really used and give the rest of their holds back.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use pgrx::Uuid;
use pgrx::spi::SpiClient;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::budget::decision::{Balance, Budget, remaining};
use crate::budget::meter::{self, Amounts};
use crate::engine::Settlement;
use crate::id::Uuids;
use crate::instant::Instant;
use crate::jsonb::Json;
use crate::ledger::attribution::Attribution;
use crate::ledger::batch::{Answer, Answers, answer};
use crate::ledger::entry::{Entry, Timing, row};
use crate::ledger::idempotency::{self, Key, Operation};
use crate::ledger::reservation::{self, Reservation};
use crate::ledger::settle::{Settled, add, settle, standings};
use crate::ledger::slots::Sums;
use crate::ledger::used::{Used, price_reading, read};
use crate::ledger::{Failure, budgets, tenant};
use crate::refusal::{Code, Refusal};
use crate::statement::{statement, timestamp};

statement! {
    write mark_committed(INT4OID, TIMESTAMPTZOID, UUIDARRAYOID, BYTEAARRAYOID, JSONBARRAYOID) =
    "UPDATE tokbudget.reservation
     SET state = 'committed', settled_at = $2, settle_hash = settled.settle_hash, settlement = settled.settlement
     FROM ROWS FROM (pg_catalog.unnest($3), pg_catalog.unnest($4), pg_catalog.unnest($5))
         AS settled (reservation_id, settle_hash, settlement)
     WHERE reservation.tenant_id OPERATOR(pg_catalog.=) $1
         AND reservation.reservation_id OPERATOR(pg_catalog.=) settled.reservation_id"
}

statement! {
    write row mark_one_committed(INT4OID, TIMESTAMPTZOID, UUIDOID, BYTEAOID, JSONBOID) =
    "UPDATE tokbudget.reservation
     SET state = 'committed', settled_at = $2, settle_hash = $4, settlement = $5
     WHERE reservation.tenant_id OPERATOR(pg_catalog.=) $1 AND reservation.reservation_id OPERATOR(pg_catalog.=) $3"
}

/// What was booked. Kept as the answer to the same call again.
#[derive(Clone, Serialize, Deserialize)]
pub struct Receipt {
    /// Bytes of its UUID.
    #[serde(with = "crate::id::as_text")]
    pub entry: [u8; 16],
    pub cost_nanos: Option<i64>,
    #[serde(default)]
    pub internal_nanos: Option<i64>,
    pub currency: String,
    pub tokens: i64,
    pub overrun: bool,
    pub released: Value,
    pub remaining: Value,
    #[serde(default)]
    pub flags: Vec<String>,
}

/// What a caller reports of a call.
pub struct Report {
    pub reservation_id: Uuid,
    /// None where the provider told nothing; then `without_usage` decides.
    pub usage: Option<Value>,
    pub attributes: Value,
    /// Whose dialect the usage object is in; none for what its shape says.
    pub provider: Option<String>,
    /// Where the counts come from.
    pub usage_source: String,
    pub without_usage: String,
    pub idempotency_key: Option<String>,
}

/// Where counts may come from.
const USAGE_SOURCES: [&str; 3] = ["provider", "partial", "estimated"];

pub fn check_usage_source(usage_source: &str) -> Result<(), Refusal> {
    if USAGE_SOURCES.contains(&usage_source) {
        return Ok(());
    }
    let why = "not one of provider, partial, estimated";
    Err(Refusal::invalid_argument("usage_source", why, "Say where the counts come from."))
}

/// A report that has been read, with what it settles.
struct Prepared {
    index: usize,
    key: Option<Key>,
    reservation: Reservation,
    attribution: Attribution,
    settle_hash: Vec<u8>,
    usage_source: String,
    budgets: Vec<Settled>,
    used: Used,
    spent_units: Vec<i64>,
    overrun: bool,
    timing: Timing,
}

/// Settles reservations with the providers' own usage objects. More than was held is booked in full; after expiry it is
/// booked too and flagged, because the ledger tells the truth.
pub fn commit(
    client: &mut SpiClient<'_>,
    reports: Vec<Answer<Report>>,
    now: Instant,
) -> Result<Vec<Answer<Receipt>>, Failure> {
    let mut answers = Answers::of(reports.len());
    let mut given = Vec::with_capacity(reports.len());
    let mut seen = Seen::default();
    for (index, report) in reports.into_iter().enumerate() {
        match report.and_then(|report| Ok((seen.check(&report)?, report))) {
            Ok((attribution, report)) => given.push((index, report, attribution)),
            Err(refusal) => answers.set(index, Err(refusal)),
        }
    }
    // Keys before reservations, each in one order everywhere.
    given.sort_by(|(_, left, _), (_, right, _)| left.idempotency_key.cmp(&right.idempotency_key));
    let tenant_id = seen.tenant_id.unwrap_or_default();
    let mut keys = HashSet::new();
    let mut keyed = Vec::with_capacity(given.len());
    for (index, report, attribution) in given {
        match answer(take_key(client, tenant_id, &mut keys, &report, now))? {
            Ok((key, None)) => keyed.push((index, report, attribution, key)),
            Ok((_, Some(first))) => answers.set(index, Ok(first)),
            Err(refusal) => answers.set(index, Err(refusal)),
        }
    }
    let ids: Vec<Uuid> = keyed.iter().map(|(_, report, ..)| report.reservation_id).collect();
    let mut reservations = if ids.is_empty() { HashMap::new() } else { reservation::lock(client, tenant_id, ids)? };
    let mut kept = Budgets::read(client, tenant_id, &reservations, now)?;
    keyed.sort_by_key(|(index, ..)| *index);
    let mut prepared = Vec::with_capacity(keyed.len());
    for (index, report, attribution, key) in keyed {
        let step = prepare(client, &mut reservations, &mut kept, index, report, attribution, now);
        match (answer(step)?, key) {
            (Ok(Step::Settle(mut it)), key) => {
                it.key = key;
                prepared.push(*it);
            }
            (Ok(Step::Answered(first)), key) => {
                if let Some(key) = key {
                    idempotency::answer(client, &key, &first)?;
                }
                answers.set(index, Ok(first));
            }
            (Err(refusal), key) => {
                if let Some(key) = key {
                    idempotency::forget(client, &key)?;
                }
                answers.set(index, Err(refusal));
            }
        }
    }
    for (index, answer) in book(client, tenant_id, prepared, &kept, now)? {
        answers.set(index, answer);
    }
    answers.into_all()
}

/// What the reports of a batch before have been about.
#[derive(Default)]
struct Seen {
    tenant_id: Option<i32>,
    reservations: HashSet<[u8; 16]>,
}

impl Seen {
    fn check(&mut self, report: &Report) -> Result<Attribution, Refusal> {
        check_usage_source(&report.usage_source)?;
        if !["held", "input"].contains(&report.without_usage.as_str()) {
            let hint = "held charges all that was held, input only the input tokens.";
            return Err(Refusal::invalid_argument("without_usage", "not one of held, input", hint));
        }
        if let Some(key) = &report.idempotency_key {
            idempotency::check_key(key)?;
        }
        let attribution = Attribution::parse(report.attributes.clone())?;
        let tenant_id = reservation::tenant_of(report.reservation_id)?;
        if *self.tenant_id.get_or_insert(tenant_id) != tenant_id {
            return Err(Refusal::new(
                Code::InvalidArgument,
                "reservations of different tenants",
                json!({"reservation": report.reservation_id.to_string()}),
                "All calls of one batch belong to one tenant.",
            ));
        }
        if !self.reservations.insert(*report.reservation_id.as_bytes()) {
            let why = "the same reservation twice in one batch";
            return Err(Refusal::invalid_argument("reservation", why, "A reservation is settled once."));
        }
        Ok(attribution)
    }
}

fn payload(report: &Report) -> Value {
    let Report { usage, attributes, provider, usage_source, .. } = report;
    let mut payload =
        json!({"usage": usage, "attributes": attributes, "provider": provider, "usage_source": usage_source});
    if usage.is_none() {
        payload["without_usage"] = json!(report.without_usage);
    }
    payload
}

fn take_key(
    client: &mut SpiClient<'_>,
    tenant_id: i32,
    keys: &mut HashSet<String>,
    report: &Report,
    now: Instant,
) -> Result<(Option<Key>, Option<Receipt>), Failure> {
    let Some(key) = &report.idempotency_key else { return Ok((None, None)) };
    let mut payload = payload(report);
    payload["reservation"] = json!(report.reservation_id.to_string());
    let key = Key::new(tenant_id, Operation::Commit, key, &payload, keys)?;
    let first = idempotency::claim(client, &key, now)?;
    Ok((Some(key), first))
}

/// The budgets of all reservations, read once.
struct Budgets {
    found: Vec<Rc<Budget>>,
    grace_us: i64,
}

impl Budgets {
    fn read(
        client: &mut SpiClient<'_>,
        tenant_id: i32,
        reservations: &HashMap<[u8; 16], Reservation>,
        now: Instant,
    ) -> Result<Budgets, Failure> {
        let mut ids: Vec<i64> = reservations.values().flat_map(|it| it.slots.budget_ids.iter().copied()).collect();
        ids.sort_unstable();
        ids.dedup();
        let found = budgets::by_id(client, tenant_id, &ids, now)?.into_iter().map(|found| found.budget).collect();
        // Only who is late needs to know how late is too late.
        let is_any_late = reservations.values().any(|it| now >= it.expires_at);
        let grace_us = if is_any_late { tenant::commit_grace_us(client, tenant_id)? } else { 0 };
        Ok(Budgets { found, grace_us })
    }

    fn of(&self, client: &mut SpiClient<'_>, reservation: &Reservation) -> Result<Vec<Settled>, Failure> {
        let slots = &reservation.slots;
        let own: Vec<&Rc<Budget>> =
            self.found.iter().filter(|budget| slots.budget_ids.contains(&budget.budget_id)).collect();
        let ids: Vec<i64> = own.iter().map(|budget| budget.budget_id).collect();
        let places = slots.places(client, reservation.spender.tenant_id, &ids)?;
        Ok(own.into_iter().zip(places).map(|(budget, place)| Settled { budget: Rc::clone(budget), place }).collect())
    }
}

enum Step {
    Settle(Box<Prepared>),
    /// By the first commit with the same payload.
    Answered(Receipt),
}

fn prepare(
    client: &mut SpiClient<'_>,
    reservations: &mut HashMap<[u8; 16], Reservation>,
    kept: &mut Budgets,
    index: usize,
    report: Report,
    attribution: Attribution,
    now: Instant,
) -> Result<Step, Failure> {
    let id = report.reservation_id;
    let settle_hash = Sha256::digest(payload(&report).to_string()).to_vec();
    let reservation = reservations.remove(id.as_bytes()).ok_or_else(|| reservation::unknown(id))?;
    reservation.require_access(client)?;
    match reservation.state.as_str() {
        "held" | "expired" => {}
        "committed" if reservation.settle_hash.as_ref() == Some(&settle_hash) => {
            let receipt = reservation.settlement.and_then(|settlement| serde_json::from_value(settlement).ok());
            return receipt.map(Step::Answered).ok_or(Failure::Internal("the answer kept for a commit is unreadable"));
        }
        _ => return Err(reservation.already_settled().into()),
    }
    let attribution = Attribution::parse(reservation.attributes.clone())?.overridden_by(attribution);
    let budgets = kept.of(client, &reservation)?;
    let is_cost_limited = budgets.iter().any(|it| meter::is_money(&it.budget.meter));
    let (usage, usage_source) = match report.usage {
        Some(usage) => (usage, report.usage_source),
        None => (assumed_usage(&reservation, &report.without_usage), "estimated".to_string()),
    };
    let reading = read(usage, report.provider.as_deref(), reservation.spender.model.is_some())?;
    let used = price_reading(client, &reservation.spender, reading, &reservation.held, &attribution, is_cost_limited)?;
    let held = &reservation.slots;
    let mut spent_units = vec![0; held.units.len()];
    let mut overrun = false;
    for Settled { budget, place } in &budgets {
        let used_units = used.amounts.get(&budget.meter).copied().unwrap_or(0);
        place.spend(used_units, &held.units, &mut spent_units);
        overrun |= used_units > held.units.get(place.own).copied().unwrap_or(0);
    }
    // From the instant of its expiry on the hold may have been given to others.
    let late_us = now.0.saturating_sub(reservation.expires_at.0);
    let timing = match late_us {
        ..0 => Timing::InTime,
        _ if late_us < kept.grace_us => Timing::InGrace,
        _ => Timing::Late,
    };
    Ok(Step::Settle(Box::new(Prepared {
        index,
        key: None,
        attribution,
        settle_hash,
        usage_source,
        budgets,
        used,
        spent_units,
        overrun,
        timing,
        reservation,
    })))
}

/// What is charged where the provider told nothing.
fn assumed_usage(reservation: &Reservation, without_usage: &str) -> Value {
    let output_tokens = if without_usage == "held" { reservation.max_output_tokens } else { 0 };
    json!({"input_tokens": reservation.input_tokens, "output_tokens": output_tokens})
}

/// Changes the balances of all in one step, and writes each down.
fn book(
    client: &mut SpiClient<'_>,
    tenant_id: i32,
    prepared: Vec<Prepared>,
    kept: &Budgets,
    now: Instant,
) -> Result<Vec<(usize, Answer<Receipt>)>, Failure> {
    if prepared.is_empty() {
        return Ok(Vec::new());
    }
    let settled = match answer(settle_all(client, tenant_id, &prepared, kept, now))? {
        Ok(settled) => settled,
        Err(refusal) => return book_apart(client, tenant_id, prepared, kept, refusal, now),
    };
    let mut ids = Uuids::new(tenant_id, now)?;
    let mut receipts = Vec::with_capacity(prepared.len());
    let mut entries = Vec::with_capacity(prepared.len());
    let mut committed = Vec::with_capacity(prepared.len());
    for it in prepared {
        let Prepared { reservation, used, .. } = &it;
        let standings = standings(client, tenant_id, &reservation.slots, &it.budgets, &settled, now)?;
        let remaining = remaining(it.budgets.iter().map(|it| &*it.budget).zip(&standings));
        let mut flags = used.flags.clone();
        flags.extend(reservation.flags.iter().cloned());
        flags.extend(it.timing.flag().map(str::to_string));
        let receipt = Receipt {
            entry: ids.make(),
            cost_nanos: used.charge.as_ref().map(|charge| charge.cost_nanos),
            internal_nanos: used.charge.as_ref().map(|charge| charge.internal_nanos),
            currency: reservation.spender.currency.clone(),
            tokens: used.amounts.get(meter::TOKENS).copied().unwrap_or(0),
            overrun: it.overrun,
            released: meter::amounts_to_json(&released(&reservation.held, &used.amounts)),
            remaining: meter::amounts_to_json(&remaining),
            flags,
        };
        let entry = Entry {
            kind: "commit",
            entry_id: Uuid::from_bytes(receipt.entry),
            recorded_at: now,
            spender: &reservation.spender,
            used,
            spent: &reservation.slots.with(it.spent_units.clone()),
            attribution: &it.attribution,
            usage_source: &it.usage_source,
            overrun: it.overrun,
            late: it.timing == Timing::Late,
            flags: &receipt.flags,
        };
        entries.push(entry.row());
        if let Some(key) = &it.key {
            idempotency::answer(client, key, &receipt)?;
        }
        let settlement = serde_json::to_value(&receipt).map_err(|_| Failure::Internal("an answer cannot be kept"))?;
        committed.push((reservation.id, it.settle_hash, settlement));
        receipts.push((it.index, Ok(receipt)));
    }
    row::add(client, entries)?;
    mark(client, tenant_id, committed, now)?;
    Ok(receipts)
}

/// Writes into the reservations with what, and to which answer, they were settled.
fn mark(
    client: &mut SpiClient<'_>,
    tenant_id: i32,
    mut committed: Vec<(Uuid, Vec<u8>, Value)>,
    now: Instant,
) -> Result<(), Failure> {
    if committed.len() > 1 {
        let (mut ids, mut hashes, mut settlements) = (Vec::new(), Vec::new(), Vec::new());
        for (id, hash, settlement) in &committed {
            ids.push(*id);
            hashes.push(hash.as_slice());
            settlements.push(Json(settlement));
        }
        let arguments = [tenant_id.into(), timestamp(now)?.into(), ids.into(), hashes.into(), settlements.into()];
        mark_committed(client, &arguments)?;
    } else if let Some((id, hash, settlement)) = committed.pop() {
        let arguments = [tenant_id.into(), timestamp(now)?.into(), id.into(), hash.into(), Json(&settlement).into()];
        mark_one_committed(client, &arguments)?;
    }
    Ok(())
}

fn settle_all(
    client: &mut SpiClient<'_>,
    tenant_id: i32,
    prepared: &[Prepared],
    kept: &Budgets,
    now: Instant,
) -> Result<Vec<(Settlement, Balance)>, Failure> {
    let mut sums = Sums::default();
    for it in prepared {
        add(&mut sums, &it.reservation, &it.spent_units, &it.budgets)?;
    }
    settle(client, tenant_id, sums, &kept.found, now)
}

/// Where no balance can count all of them, and nothing has changed yet: each by itself, so that only those are refused that
/// are too much.
fn book_apart(
    client: &mut SpiClient<'_>,
    tenant_id: i32,
    prepared: Vec<Prepared>,
    kept: &Budgets,
    refusal: Refusal,
    now: Instant,
) -> Result<Vec<(usize, Answer<Receipt>)>, Failure> {
    if let [it] = prepared.as_slice() {
        if let Some(key) = &it.key {
            idempotency::forget(client, key)?;
        }
        return Ok(vec![(it.index, Err(refusal))]);
    }
    let mut answers = Vec::with_capacity(prepared.len());
    for it in prepared {
        answers.extend(book(client, tenant_id, vec![it], kept, now)?);
    }
    Ok(answers)
}

fn released(held: &Amounts, used: &Amounts) -> Amounts {
    held.iter()
        .map(|(meter, held)| (meter.clone(), held.saturating_sub(used.get(meter).copied().unwrap_or(0))))
        .filter(|(_, released)| *released > 0)
        .collect()
}
