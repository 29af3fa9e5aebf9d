//! Corrections: entries that name the one they correct.

use pgrx::spi::SpiClient;
use pgrx::{AnyNumeric, JsonB, Uuid};
use serde_json::Value;

use crate::instant::Instant;
use crate::ledger::Failure;
use crate::ledger::entry::row::money;
use crate::price::nanos_from_decimal;
use crate::statement::{optional, required, statement, timestamp};

statement! {
    /// A correction has the attribution of what it corrects, and none of its counts: only the cost was wrong.
    write insert_correction(
        INT4OID, UUIDOID, TIMESTAMPTZOID, UUIDOID, TIMESTAMPTZOID, INT8ARRAYOID, NUMERICOID, NUMERICOID, INT8OID, INT8OID,
        TEXTARRAYOID, JSONBOID, TEXTOID, TEXTOID
    ) =
    "INSERT INTO tokbudget.entry (
         tenant_id, entry_id, recorded_at, reserved_at, kind, reservation_id, corrects_entry_id, account_id, account_ids,
         budget_ids, window_starts, spent_units, cost_center, provider, request_model, response_model, operation, cost,
         internal_cost, currency, price_id, rate_id, service_tier, region, usage_source, usage_details, flags, workflow, step,
         session, task, end_user, agent, outcome, trace_id, labels, retry_count, reason, actor)
     SELECT entry.tenant_id, $4, $5, entry.reserved_at, $13, entry.reservation_id, entry.entry_id, entry.account_id,
         entry.account_ids, entry.budget_ids, entry.window_starts, $6, entry.cost_center, entry.provider, entry.request_model,
         entry.response_model, entry.operation, $7, $8, entry.currency, $9, $10, entry.service_tier, entry.region,
         entry.usage_source, $12, $11, entry.workflow, entry.step, entry.session, entry.task, entry.end_user, entry.agent,
         entry.outcome, entry.trace_id, entry.labels, entry.retry_count, $14, SESSION_USER
     FROM tokbudget.entry
     WHERE entry.tenant_id OPERATOR(pg_catalog.=) $1 AND entry.entry_id OPERATOR(pg_catalog.=) $2
         AND entry.recorded_at OPERATOR(pg_catalog.=) $3"
}

statement! {
    read find_corrections(INT4OID, UUIDOID) =
    "SELECT entry.spent_units, entry.cost, entry.internal_cost FROM tokbudget.entry
     WHERE entry.tenant_id OPERATOR(pg_catalog.=) $1 AND entry.corrects_entry_id OPERATOR(pg_catalog.=) $2"
}

/// An entry to be added for another one.
pub struct Correction<'a> {
    pub kind: &'a str,
    pub entry_id: Uuid,
    /// What it adds to each of the slots of the entry that it corrects.
    pub spent_units: Vec<i64>,
    pub cost_nanos: i64,
    pub internal_nanos: i64,
    pub price_id: Option<i64>,
    pub rate_id: Option<i64>,
    pub flags: Vec<String>,
    pub details: Value,
    pub reason: Option<&'a str>,
}

impl Correction<'_> {
    /// Adds it for the entry with this id that was recorded then.
    pub fn add(
        self,
        client: &mut SpiClient<'_>,
        tenant_id: i32,
        (entry_id, recorded_at): (Uuid, Instant),
        now: Instant,
    ) -> Result<(), Failure> {
        let arguments = [
            tenant_id.into(),
            entry_id.into(),
            timestamp(recorded_at)?.into(),
            self.entry_id.into(),
            timestamp(now)?.into(),
            self.spent_units.into(),
            money(Some(self.cost_nanos))?.into(),
            money(Some(self.internal_nanos))?.into(),
            self.price_id.into(),
            self.rate_id.into(),
            self.flags.into(),
            JsonB(self.details).into(),
            self.kind.into(),
            self.reason.into(),
        ];
        insert_correction(client, &arguments)?;
        Ok(())
    }
}

/// What an entry stands for: its own amounts with those of all its corrections.
#[derive(Clone, Debug)]
pub struct Total {
    pub spent_units: Vec<i64>,
    pub cost_nanos: Option<i64>,
    pub internal_nanos: Option<i64>,
}

const UNREADABLE: Failure = Failure::Internal("an entry is unreadable");

/// A cost as a column has it.
pub fn nanos(numeric: Option<AnyNumeric>) -> Result<Option<i64>, Failure> {
    numeric.map(|numeric| nanos_from_decimal(&numeric.to_string())).transpose().map_err(|_| UNREADABLE)
}

fn add(sum: Option<i64>, more: Option<i64>) -> Option<i64> {
    match (sum, more) {
        (Some(sum), Some(more)) => sum.checked_add(more),
        (sum, more) => sum.or(more),
    }
}

impl Total {
    /// Adds what earlier corrections of the entry changed.
    pub fn add_corrections(
        &mut self,
        client: &mut SpiClient<'_>,
        tenant_id: i32,
        entry_id: Uuid,
    ) -> Result<(), Failure> {
        for row in find_corrections(client, &[tenant_id.into(), entry_id.into()])? {
            let spent_units: Vec<i64> = required(&row, 1)?;
            for (sum, more) in self.spent_units.iter_mut().zip(spent_units) {
                *sum = sum.checked_add(more).ok_or(UNREADABLE)?;
            }
            self.cost_nanos = add(self.cost_nanos, nanos(optional(&row, 2)?)?);
            self.internal_nanos = add(self.internal_nanos, nanos(optional(&row, 3)?)?);
        }
        Ok(())
    }
}
