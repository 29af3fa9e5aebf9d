//! A new entry of the ledger.

use pgrx::spi::SpiClient;
use pgrx::{AnyNumeric, JsonB, Uuid};
use serde_json::Value;

use crate::budget::meter;
use crate::instant::Instant;
use crate::ledger::Failure;
use crate::ledger::attribution::{Attribution, COLUMNS};
use crate::ledger::reservation::Reservation;
use crate::ledger::used::Used;
use crate::price::format_nanos;
use crate::statement::{statement, timestamp, timestamps};
use crate::usage::Usage;

statement! {
    write insert_entry(
        INT4OID, UUIDOID, TIMESTAMPTZOID, TIMESTAMPTZOID, UUIDOID, INT8OID, INT8ARRAYOID, INT8ARRAYOID, TIMESTAMPTZARRAYOID,
        INT8ARRAYOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, INT8OID, INT8OID, INT8OID, INT8OID, INT8OID, JSONBOID,
        JSONBOID, NUMERICOID, TEXTOID, INT8OID, BOOLOID, BOOLOID, TEXTARRAYOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID,
        TEXTOID, TEXTOID, TEXTOID, JSONBOID
    ) =
    "INSERT INTO tokbudget.entry (
         tenant_id, entry_id, recorded_at, reserved_at, kind, reservation_id, account_id, account_ids, budget_ids,
         window_starts, spent_units, cost_center, provider, request_model, response_model, operation, requests,
         input_tokens, cache_read_input_tokens, cache_write_input_tokens, output_tokens, reasoning_output_tokens, buckets,
         meters, cost, currency, price_id, overrun, late, flags, workflow, step, session, task, end_user, agent, outcome,
         trace_id, labels, actor)
     VALUES ($1, $2, $3, $4, 'commit', $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, 1, $16, $17, $18, $19, $20, $21,
         $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36, $37, SESSION_USER)"
}

/// What a commit adds to the ledger.
pub struct Entry<'a> {
    pub entry_id: Uuid,
    pub recorded_at: Instant,
    pub reservation: &'a Reservation,
    pub used: &'a Used,
    /// What it adds to each of the reservation's budgets, in units of the budget's meter.
    pub spent_units: &'a [i64],
    pub attribution: &'a Attribution,
    /// The model that answered, as far as the usage object says; an attribute of that name wins.
    pub response_model: Option<String>,
    pub overrun: bool,
    pub late: bool,
}

impl Entry<'_> {
    /// Adds it.
    pub fn add(self, client: &mut SpiClient<'_>) -> Result<(), Failure> {
        let Entry { reservation, used, attribution, .. } = self;
        let cost = used
            .cost_nanos
            .map(|nanos| AnyNumeric::try_from(format_nanos(nanos).as_str()))
            .transpose()
            .map_err(|_| Failure::Internal("a cost is not a numeric"))?;
        let amount = |name: &str| used.amounts.get(name).copied().unwrap_or(0);
        let cache_write = used.usage.cache_write_tokens().unwrap_or(0);
        let mut arguments = vec![
            reservation.tenant_id.into(),
            self.entry_id.into(),
            timestamp(self.recorded_at)?.into(),
            timestamp(reservation.created_at)?.into(),
            reservation.reservation_id.into(),
            reservation.account_id.into(),
            reservation.account_ids.clone().into(),
            reservation.budget_ids.clone().into(),
            timestamps(reservation.window_starts.iter().copied())?.into(),
            self.spent_units.to_vec().into(),
            reservation.cost_center.clone().into(),
            used.provider.clone().into(),
            reservation.model.clone().into(),
            attribution.text("response_model").or(self.response_model).into(),
            attribution.text("operation").into(),
            amount(meter::INPUT_TOKENS).into(),
            used.usage.cache_read.into(),
            cache_write.into(),
            amount(meter::OUTPUT_TOKENS).into(),
            used.usage.reasoning.into(),
            JsonB(buckets(&used.usage)).into(),
            JsonB(meter::amounts_to_json(&used.meters)).into(),
            cost.into(),
            reservation.currency.clone().into(),
            used.price_id.into(),
            self.overrun.into(),
            self.late.into(),
            used.flags.clone().into(),
        ];
        arguments.extend(COLUMNS.iter().map(|column| attribution.text(column).into()));
        arguments.push(JsonB(attribution.labels()).into());
        insert_entry(client, &arguments)?;
        Ok(())
    }
}

/// The token counts that were priced, by kind, without those that are zero.
fn buckets(usage: &Usage) -> Value {
    let counts = [
        ("uncached_input", usage.uncached_input),
        ("cache_read", usage.cache_read),
        ("cache_write", usage.cache_write),
        ("cache_write_5m", usage.cache_write_5m),
        ("cache_write_1h", usage.cache_write_1h),
        ("input_audio", usage.input_audio),
        ("input_image", usage.input_image),
        ("output_text", usage.output_text),
        ("reasoning", usage.reasoning),
        ("output_audio", usage.output_audio),
        ("output_image", usage.output_image),
        ("web_search_requests", usage.web_search_requests),
    ];
    Value::Object(
        counts.into_iter().filter(|(_, count)| *count != 0).map(|(name, count)| (name.into(), count.into())).collect(),
    )
}
