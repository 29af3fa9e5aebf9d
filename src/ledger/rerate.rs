//! Re-rating: corrections for entries that were recorded without a price, or with one that turned out to be wrong.

mod booked;

use std::collections::BTreeMap;

use pgrx::Uuid;
use pgrx::spi::SpiClient;
use serde_json::json;

use crate::budget::meter;
use crate::engine::{self, Settlement};
use crate::id;
use crate::instant::Instant;
use crate::ledger::chain::Chain;
use crate::ledger::correction::Correction;
use crate::ledger::pricing::Charge;
use crate::ledger::{Failure, tenant};
use crate::privilege::Privilege;
use crate::statement::{required, statement};
use booked::Booked;

statement! {
    read find_meters(INT4OID, INT8ARRAYOID) =
    "SELECT budget.budget_id, budget.meter FROM tokbudget.budget
     WHERE budget.tenant_id OPERATOR(pg_catalog.=) $1 AND budget.budget_id OPERATOR(pg_catalog.=) ANY ($2)"
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
    let chain = Chain::find(client, selection.account, &[], Privilege::Administer.into(), None)?;
    let tenant_id = chain.tenant_id;
    if !selection.is_dry_run {
        tenant::lock_corrections(client, tenant_id, now)?;
    }
    let mut corrections = Vec::new();
    let mut place = booked::beginning();
    'pages: while let Some((page, end)) =
        booked::page(client, tenant_id, Some(chain.own_account_id()), selection, place)?
    {
        place = end;
        for mut booked in page {
            if corrections.len() >= selection.batch_size {
                break 'pages;
            }
            pgrx::check_for_interrupts!();
            if let Some(charge) = booked.charge_anew(client, tenant_id)? {
                corrections.push(Change::new(client, tenant_id, booked, charge)?);
            }
        }
    }
    if !selection.is_dry_run {
        settle(client, tenant_id, &corrections, now)?;
        let mut ids = id::Uuids::new(tenant_id, now)?;
        for correction in &mut corrections {
            correction.add(client, tenant_id, Uuid::from_bytes(ids.make()), now)?;
        }
    }
    Ok(corrections.into_iter().map(Change::into_rerated).collect())
}

/// Changes all balances in one go: the engine locks in the order of the settlements, which is the same everywhere.
fn settle(client: &mut SpiClient<'_>, tenant_id: i32, corrections: &[Change], now: Instant) -> Result<(), Failure> {
    let mut spent: BTreeMap<(i64, Instant), i64> = BTreeMap::new();
    for Change { booked, deltas, .. } in corrections {
        for ((budget_id, start), delta) in booked.budget_ids.iter().zip(&booked.window_starts).zip(deltas) {
            let sum = spent.entry((*budget_id, *start)).or_insert(0);
            *sum = sum.checked_add(*delta).ok_or(OUT_OF_RANGE)?;
        }
    }
    let settlements: Vec<Settlement> = spent
        .into_iter()
        .filter(|(_, spent_units)| *spent_units != 0)
        .map(|(slot, spent_units)| Settlement {
            slot,
            held_units: 0,
            spent_units,
            granted_units: 0,
            expires_at: Instant::AFTER_ALL,
        })
        .collect();
    engine::present(client)?.settle(tenant_id, &settlements, now)?;
    Ok(())
}

const OUT_OF_RANGE: Failure = Failure::Internal("corrections leave the range of bigint");

/// What is to be added for one entry.
struct Change {
    booked: Booked,
    charge: Charge,
    /// What it adds to each of the entry's budgets.
    deltas: Vec<i64>,
    correction_id: Option<Uuid>,
}

impl Change {
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
        let deltas =
            booked.budget_ids.iter().zip(&booked.total.spent_units).map(delta).collect::<Result<_, Failure>>()?;
        Ok(Change { booked, charge, deltas, correction_id: None })
    }

    fn add(
        &mut self,
        client: &mut SpiClient<'_>,
        tenant_id: i32,
        correction_id: Uuid,
        now: Instant,
    ) -> Result<(), Failure> {
        let Change { booked, charge, deltas, .. } = &*self;
        let mut flags = vec!["rerated".to_string()];
        flags.extend(charge.flags.iter().map(ToString::to_string));
        let details =
            if charge.other_price_ids.is_empty() { json!({}) } else { json!({"other_prices": charge.other_price_ids}) };
        Correction {
            kind: "correction",
            entry_id: correction_id,
            spent_units: deltas.clone(),
            cost_nanos: charge.cost_nanos - booked.total.cost_nanos.unwrap_or(0),
            internal_nanos: charge.internal_nanos - booked.total.internal_nanos.unwrap_or(0),
            price_id: charge.price_id,
            rate_id: charge.rate_id,
            flags,
            details,
            reason: None,
        }
        .add(client, tenant_id, (booked.entry_id, booked.recorded_at), now)?;
        self.correction_id = Some(correction_id);
        Ok(())
    }

    fn into_rerated(self) -> Rerated {
        let Change { booked, charge, correction_id, .. } = self;
        Rerated {
            entry_id: booked.entry_id,
            account: booked.account,
            model: booked.model,
            old_nanos: booked.total.cost_nanos,
            new_nanos: charge.cost_nanos,
            currency: booked.currency,
            correction_id,
        }
    }
}
