//! Re-rating: corrections for entries that were recorded without a price, or with one that turned out to be wrong.

mod booked;

use std::collections::BTreeMap;

use pgrx::spi::SpiClient;
use pgrx::{JsonB, Uuid};
use serde_json::json;

use crate::budget::meter;
use crate::engine::rows::Rows;
use crate::engine::{Engine, Settlement};
use crate::id;
use crate::instant::Instant;
use crate::ledger::Failure;
use crate::ledger::chain::Chain;
use crate::ledger::charge::Charge;
use crate::ledger::entry::money;
use crate::privilege::Privilege;
use crate::statement::{required, statement, timestamp};
use booked::Booked;

statement! {
    /// One re-rating of a tenant at a time. It changes the row, so that one with an older snapshot fails instead of adding
    /// the same corrections again.
    write lock_tenant(INT4OID, TIMESTAMPTZOID) =
    "UPDATE tokbudget.tenant SET rerated_at = $2 WHERE tenant.tenant_id OPERATOR(pg_catalog.=) $1"
}

statement! {
    read find_meters(INT4OID, INT8ARRAYOID) =
    "SELECT budget.budget_id, budget.meter FROM tokbudget.budget
     WHERE budget.tenant_id OPERATOR(pg_catalog.=) $1 AND budget.budget_id OPERATOR(pg_catalog.=) ANY ($2)"
}

statement! {
    /// A correction has the attribution of what it corrects, and none of its counts: only the cost was wrong.
    write insert_correction(
        INT4OID, UUIDOID, TIMESTAMPTZOID, UUIDOID, TIMESTAMPTZOID, INT8ARRAYOID, NUMERICOID, NUMERICOID, INT8OID, INT8OID,
        TEXTARRAYOID, JSONBOID
    ) =
    "INSERT INTO tokbudget.entry (
         tenant_id, entry_id, recorded_at, reserved_at, kind, reservation_id, corrects_entry_id, account_id, account_ids,
         budget_ids, window_starts, spent_units, cost_center, provider, request_model, response_model, operation, cost,
         internal_cost, currency, price_id, rate_id, service_tier, region, usage_source, usage_details, flags, workflow, step,
         session, task, end_user, agent, outcome, trace_id, labels, actor)
     SELECT entry.tenant_id, $4, $5, entry.reserved_at, 'correction', entry.reservation_id, entry.entry_id, entry.account_id,
         entry.account_ids, entry.budget_ids, entry.window_starts, $6, entry.cost_center, entry.provider, entry.request_model,
         entry.response_model, entry.operation, $7, $8, entry.currency, $9, $10, entry.service_tier, entry.region,
         entry.usage_source, $12, $11, entry.workflow, entry.step, entry.session, entry.task, entry.end_user, entry.agent,
         entry.outcome, entry.trace_id, entry.labels, SESSION_USER
     FROM tokbudget.entry
     WHERE entry.tenant_id OPERATOR(pg_catalog.=) $1 AND entry.entry_id OPERATOR(pg_catalog.=) $2
         AND entry.recorded_at OPERATOR(pg_catalog.=) $3"
}

/// Which entries to re-rate.
pub struct Selection<'a> {
    pub account: &'a str,
    pub model: Option<&'a str>,
    pub since: Instant,
    pub until: Instant,
    /// Most corrections of one call.
    pub batch_size: usize,
    pub is_dry_run: bool,
    /// Also entries whose price still stands: another one, or a rate, may win over it by now.
    pub is_all: bool,
}

/// An entry whose cost was corrected.
pub struct Rerated {
    pub entry_id: Uuid,
    pub account: String,
    pub model: Option<String>,
    pub old_nanos: Option<i64>,
    pub new_nanos: i64,
    pub currency: String,
    pub correction_id: Option<Uuid>,
}

/// Adds corrections where a price of today says something else of the instant of the call than the ledger does.
pub fn rerate(client: &mut SpiClient<'_>, selection: &Selection<'_>, now: Instant) -> Result<Vec<Rerated>, Failure> {
    let chain = Chain::find(client, selection.account, &[], Privilege::Administer)?;
    let tenant_id = chain.tenant_id;
    if !selection.is_dry_run {
        lock_tenant(client, &[tenant_id.into(), timestamp(now)?.into()])?;
    }
    let mut corrections = Vec::new();
    let mut place = booked::beginning();
    'pages: while let Some((page, end)) = booked::page(client, tenant_id, chain.own_account_id(), selection, place)? {
        place = end;
        for mut booked in page {
            if corrections.len() >= selection.batch_size {
                break 'pages;
            }
            pgrx::check_for_interrupts!();
            if let Some(charge) = booked.charge_anew(client, tenant_id)? {
                corrections.push(Correction::new(client, tenant_id, booked, charge)?);
            }
        }
    }
    if !selection.is_dry_run {
        settle(client, tenant_id, &corrections)?;
        for correction in &mut corrections {
            correction.add(client, tenant_id, now)?;
        }
    }
    Ok(corrections.into_iter().map(Correction::into_rerated).collect())
}

/// Changes all balances in one go: the engine locks in the order of the settlements, which is the same everywhere.
fn settle(client: &mut SpiClient<'_>, tenant_id: i32, corrections: &[Correction]) -> Result<(), Failure> {
    let mut spent: BTreeMap<(i64, Instant), i64> = BTreeMap::new();
    for Correction { booked, deltas, .. } in corrections {
        for ((budget_id, start), delta) in booked.budget_ids.iter().zip(&booked.window_starts).zip(deltas) {
            let sum = spent.entry((*budget_id, *start)).or_insert(0);
            *sum = sum.checked_add(*delta).ok_or(OUT_OF_RANGE)?;
        }
    }
    let settlements: Vec<Settlement> = spent
        .into_iter()
        .filter(|(_, spent_units)| *spent_units != 0)
        .map(|((budget_id, window_start), spent_units)| Settlement {
            budget_id,
            window_start,
            held_units: 0,
            spent_units,
        })
        .collect();
    Rows::new(client).settle(tenant_id, &settlements)?;
    Ok(())
}

const OUT_OF_RANGE: Failure = Failure::Internal("corrections leave the range of bigint");

/// What is to be added for one entry.
struct Correction {
    booked: Booked,
    charge: Charge,
    /// What it adds to each of the entry's budgets.
    deltas: Vec<i64>,
    correction_id: Option<Uuid>,
}

impl Correction {
    fn new(client: &mut SpiClient<'_>, tenant_id: i32, booked: Booked, charge: Charge) -> Result<Self, Failure> {
        let mut meters: Vec<(i64, String)> = Vec::new();
        if !booked.budget_ids.is_empty() {
            for row in find_meters(client, &[tenant_id.into(), booked.budget_ids.clone().into()])? {
                meters.push((required(&row, 1)?, required(&row, 2)?));
            }
        }
        let delta = |(budget_id, units): (&i64, &i64)| {
            let meter = meters.iter().find(|(id, _)| id == budget_id).map(|(_, meter)| meter.as_str());
            let new_units = match meter {
                Some(meter::COST) => charge.cost_nanos,
                Some(meter::INTERNAL_COST) => charge.internal_nanos,
                _ => return Ok(0),
            };
            new_units.checked_sub(*units).ok_or(OUT_OF_RANGE)
        };
        let deltas = booked.budget_ids.iter().zip(&booked.spent_units).map(delta).collect::<Result<_, Failure>>()?;
        Ok(Correction { booked, charge, deltas, correction_id: None })
    }

    fn add(&mut self, client: &mut SpiClient<'_>, tenant_id: i32, now: Instant) -> Result<(), Failure> {
        let Correction { booked, charge, deltas, .. } = &*self;
        let correction_id = Uuid::from_bytes(id::new_uuid(tenant_id)?);
        let mut flags = vec!["rerated".to_string()];
        flags.extend(charge.flags.iter().map(ToString::to_string));
        let details =
            if charge.other_price_ids.is_empty() { json!({}) } else { json!({"other_prices": charge.other_price_ids}) };
        let difference = |new: i64, old: Option<i64>| money(Some(new - old.unwrap_or(0)));
        let arguments = [
            tenant_id.into(),
            booked.entry_id.into(),
            timestamp(booked.recorded_at)?.into(),
            correction_id.into(),
            timestamp(now)?.into(),
            deltas.clone().into(),
            difference(charge.cost_nanos, booked.cost_nanos)?.into(),
            difference(charge.internal_nanos, booked.internal_nanos)?.into(),
            charge.price_id.into(),
            charge.rate_id.into(),
            flags.into(),
            JsonB(details).into(),
        ];
        insert_correction(client, &arguments)?;
        self.correction_id = Some(correction_id);
        Ok(())
    }

    fn into_rerated(self) -> Rerated {
        let Correction { booked, charge, correction_id, .. } = self;
        Rerated {
            entry_id: booked.entry_id,
            account: booked.account,
            model: booked.model,
            old_nanos: booked.cost_nanos,
            new_nanos: charge.cost_nanos,
            currency: booked.currency,
            correction_id,
        }
    }
}
