//! Adjust and refund: corrections by hand of what an entry cost.

use std::collections::HashSet;
use std::rc::Rc;

use pgrx::Uuid;
use pgrx::spi::SpiClient;
use serde_json::{Value, json};

use crate::budget::decision::Budget;
use crate::budget::meter;
use crate::budget::settlement::Place;
use crate::engine::Settlement;
use crate::id::{self, Uuids};
use crate::instant::Instant;
use crate::ledger::correction::{Correction, Total, nanos};
use crate::ledger::idempotency::{self, Key, Operation};
use crate::ledger::settle::settle;
use crate::ledger::slots::{Slots, Sums};
use crate::ledger::spender::own_account_ids;
use crate::ledger::{Failure, access, budgets, tenant};
use crate::privilege::Privilege;
use crate::refusal::{Code, Refusal};
use crate::statement::{instants, optional, required, statement, timestamp};

statement! {
    read find_entry(INT4OID, UUIDOID, TIMESTAMPTZOID) =
    "SELECT entry.kind, entry.budget_ids, entry.window_starts, entry.spent_units, entry.cost, entry.internal_cost,
         entry.account_id, entry.account_ids
     FROM tokbudget.entry
     WHERE entry.tenant_id OPERATOR(pg_catalog.=) $1 AND entry.entry_id OPERATOR(pg_catalog.=) $2
         AND entry.recorded_at OPERATOR(pg_catalog.=) $3"
}

/// What is to become of the cost of an entry.
#[derive(Clone, Copy, Debug)]
pub enum Change {
    /// It should have been this in all.
    To(i64),
    /// This much of it is given back; none for all that is left.
    Refund(Option<i64>),
}

impl Change {
    fn operation(self) -> Operation {
        match self {
            Change::To(_) => Operation::Adjust,
            Change::Refund(_) => Operation::Refund,
        }
    }

    fn kind(self) -> &'static str {
        match self {
            Change::To(_) => "adjust",
            Change::Refund(_) => "refund",
        }
    }

    /// The cost after it, of one that is `cost_nanos` before it.
    fn apply(self, cost_nanos: i64) -> Result<i64, Refusal> {
        match self {
            Change::To(new_nanos) if new_nanos >= 0 => Ok(new_nanos),
            Change::Refund(None) if cost_nanos > 0 => Ok(0),
            Change::Refund(Some(back)) if back > 0 && back <= cost_nanos => Ok(cost_nanos - back),
            Change::To(_) => {
                Err(Refusal::invalid_argument("cost", "it is negative", "Pass what it should have cost in all."))
            }
            Change::Refund(_) => Err(Refusal::new(
                Code::InvalidArgument,
                "invalid refund",
                json!({"cost": meter::to_json(meter::COST, cost_nanos)}),
                "A refund is more than nothing and at most what the entry still costs.",
            )),
        }
    }
}

/// Adds a correction to an entry, and returns its id (as bytes). Budgets in cost follow, in the windows of the call.
pub fn adjust(
    client: &mut SpiClient<'_>,
    entry_id: Uuid,
    change: Change,
    reason: &str,
    idempotency_key: Option<&str>,
    now: Instant,
) -> Result<[u8; 16], Failure> {
    if reason.trim().is_empty() {
        return Err(
            Refusal::invalid_argument("reason", "it is empty", "Say why, for whoever audits the ledger.").into()
        );
    }
    let tenant_id = id::tenant_of(*entry_id.as_bytes()).ok_or_else(|| no_such_entry(entry_id))?;
    let payload = json!({"entry": entry_id.to_string(), "change": format!("{change:?}"), "reason": reason});
    let key = idempotency_key
        .map(|key| Key::new(tenant_id, change.operation(), key, &payload, &mut HashSet::new()))
        .transpose()?;
    tenant::lock_corrections(client, tenant_id, now)?;
    idempotency::once(client, key.as_ref(), now, |client| correct(client, tenant_id, entry_id, change, reason, now))
}

fn no_such_entry(entry_id: Uuid) -> Refusal {
    Refusal::new(
        Code::NotFound,
        "no such entry",
        json!({"entry": entry_id.to_string()}),
        "Pass the entry that tb_commit() or tb_charge() returned.",
    )
}

fn correct(
    client: &mut SpiClient<'_>,
    tenant_id: i32,
    entry_id: Uuid,
    change: Change,
    reason: &str,
    now: Instant,
) -> Result<[u8; 16], Failure> {
    let recorded_at = id::instant_of(*entry_id.as_bytes());
    let row = find_entry(client, &[tenant_id.into(), entry_id.into(), timestamp(recorded_at)?.into()])?
        .next()
        .ok_or_else(|| no_such_entry(entry_id))?;
    let (account_id, account_ids): (i64, Vec<i64>) = (required(&row, 7)?, required(&row, 8)?);
    access::require(client, tenant_id, own_account_ids(&account_ids, account_id), Privilege::Administer)?;
    let kind: String = required(&row, 1)?;
    if !["commit", "charge"].contains(&kind.as_str()) {
        let detail = json!({"entry": entry_id.to_string(), "kind": kind});
        let hint = "Name the commit or the charge itself; its corrections are taken into account.";
        return Err(Refusal::new(Code::InvalidArgument, "entry is a correction", detail, hint).into());
    }
    let slots = Slots { budget_ids: required(&row, 2)?, window_starts: instants(&row, 3)?, units: required(&row, 4)? };
    let mut total = Total {
        spent_units: slots.units.clone(),
        cost_nanos: nanos(optional(&row, 5)?)?,
        internal_nanos: nanos(optional(&row, 6)?)?,
    };
    let own = (total.internal_nanos.unwrap_or(0), total.cost_nanos.unwrap_or(0));
    total.add_corrections(client, tenant_id, entry_id)?;
    let (old_nanos, old_internal) = (total.cost_nanos.unwrap_or(0), total.internal_nanos.unwrap_or(0));
    let new_nanos = change.apply(old_nanos)?;
    // Nothing has no proportion: once all is given back, that of the entry itself holds.
    let (internal, cost) = if old_nanos > 0 { (old_internal, old_nanos) } else { own };
    let new_internal = in_proportion(internal, new_nanos, cost)?;

    let found = budgets::by_id(client, tenant_id, &slots.budget_ids, now)?;
    let found: Vec<Rc<Budget>> = found.into_iter().map(|found| found.budget).collect();
    let ids: Vec<i64> = found.iter().map(|budget| budget.budget_id).collect();
    let places = slots.places(client, tenant_id, &ids)?;
    let mut deltas = vec![0; slots.units.len()];
    let mut sums = Sums::default();
    for (budget, place) in found.iter().zip(&places) {
        let target = match budget.meter.as_str() {
            meter::COST => new_nanos,
            meter::INTERNAL_COST => new_internal,
            _ => continue,
        };
        let granted_units = give_back(place, target, &total.spent_units, &mut deltas);
        if let Some(((slot, _), spent_units)) = slots.iter().nth(place.own).zip(deltas.get(place.own)) {
            sums.add(Settlement { slot, held_units: 0, spent_units: *spent_units, granted_units, expires_at: Instant::AFTER_ALL })?;
        }
        for grant in &place.grants {
            if let Some(((slot, _), spent_units)) = slots.iter().nth(*grant).zip(deltas.get(*grant)) {
                sums.add(Settlement { slot, held_units: 0, spent_units: *spent_units, granted_units: 0, expires_at: Instant::AFTER_ALL })?;
            }
        }
    }
    settle(client, tenant_id, sums, &found, now)?;
    let correction_id = Uuids::new(tenant_id, now)?.make();
    Correction {
        kind: change.kind(),
        entry_id: Uuid::from_bytes(correction_id),
        spent_units: deltas,
        cost_nanos: new_nanos - old_nanos,
        internal_nanos: new_internal - old_internal,
        price_id: None,
        rate_id: None,
        flags: Vec::new(),
        details: Value::Object(Default::default()),
        reason: Some(reason),
    }
    .add(client, tenant_id, (entry_id, recorded_at), now)?;
    Ok(correction_id)
}

/// The internal cost keeps its proportion to the cost, rounded half to even; without a cost it is the cost itself.
fn in_proportion(internal_nanos: i64, new_nanos: i64, old_nanos: i64) -> Result<i64, Refusal> {
    if old_nanos <= 0 {
        return Ok(new_nanos);
    }
    let product = i128::from(internal_nanos) * i128::from(new_nanos);
    let old = i128::from(old_nanos);
    let (quotient, twice) = (product.div_euclid(old), product.rem_euclid(old) * 2);
    let up = twice > old || twice == old && quotient % 2 != 0;
    i64::try_from(quotient + i128::from(up)).map_err(|_| {
        let why = "the internal cost would leave the range of bigint";
        Refusal::invalid_argument("cost", why, "Pass what it should have cost in all.")
    })
}

/// Puts into `deltas` what leads to `target`, and returns the change of what grants bear: what is given back goes to the
/// grants first, in the reverse of the order in which they were drawn on.
fn give_back(place: &Place, target: i64, spent: &[i64], deltas: &mut [i64]) -> i64 {
    let delta = target.saturating_sub(spent.get(place.own).copied().unwrap_or(0));
    if let Some(own) = deltas.get_mut(place.own) {
        *own = delta;
    }
    let (mut back, mut granted) = (delta.min(0), 0);
    for grant in place.grants.iter().rev() {
        let part = back.max(-spent.get(*grant).copied().unwrap_or(0).max(0));
        back -= part;
        granted += part;
        if let Some(slot) = deltas.get_mut(*grant) {
            *slot = part;
        }
    }
    granted
}
