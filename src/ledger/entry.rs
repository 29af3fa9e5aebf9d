//! A new entry of the ledger.

use pgrx::spi::SpiClient;
use pgrx::{AnyNumeric, JsonB, Uuid};
use serde_json::{Map, Value, json};

use crate::budget::meter;
use crate::instant::Instant;
use crate::ledger::Failure;
use crate::ledger::attribution::{Attribution, COLUMNS};
use crate::ledger::slots::Slots;
use crate::ledger::spender::Spender;
use crate::ledger::used::Used;
use crate::price::format_nanos;
use crate::statement::{statement, timestamp, timestamps};
use crate::usage::{Bucket, Counts, Stated, Usage};

statement! {
    write insert_entry(
        INT4OID, UUIDOID, TIMESTAMPTZOID, TIMESTAMPTZOID, UUIDOID, INT8OID, INT8ARRAYOID, INT8ARRAYOID, TIMESTAMPTZARRAYOID,
        INT8ARRAYOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, INT8OID, INT8OID, INT8OID, INT8OID, INT8OID, INT8OID,
        JSONBOID, JSONBOID, NUMERICOID, TEXTOID, INT8OID, BOOLOID, BOOLOID, TEXTARRAYOID, NUMERICOID, NUMERICOID, INT8OID,
        TEXTOID, TEXTOID, TEXTOID, JSONBOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID,
        JSONBOID, INT8OID
    ) =
    "INSERT INTO tokbudget.entry (
         tenant_id, entry_id, recorded_at, reserved_at, reservation_id, account_id, account_ids, budget_ids,
         window_starts, spent_units, cost_center, provider, request_model, response_model, operation, requests,
         input_tokens, cache_read_input_tokens, cache_write_input_tokens, output_tokens, reasoning_output_tokens, buckets,
         meters, cost, currency, price_id, overrun, late, flags, internal_cost, reported_cost, rate_id, service_tier, region,
         usage_source, usage_details, kind, workflow, step, session, task, end_user, agent, outcome, trace_id, labels,
         retry_count, actor)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22,
         $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36, $37, $38, $39, $40, $41, $42, $43, $44, $45,
         $46, $47, SESSION_USER)"
}

/// How a commit stands to the life of its hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timing {
    InTime,
    /// After the expiry, within the tenant's period of grace.
    InGrace,
    Late,
}

impl Timing {
    pub fn flag(self) -> Option<&'static str> {
        (self == Timing::InGrace).then_some("grace")
    }
}

/// What a commit or a charge adds to the ledger.
pub struct Entry<'a> {
    pub kind: &'a str,
    pub entry_id: Uuid,
    pub recorded_at: Instant,
    pub spender: &'a Spender,
    pub used: &'a Used,
    pub spent: &'a Slots,
    pub attribution: &'a Attribution,
    pub usage_source: &'a str,
    pub overrun: bool,
    pub late: bool,
    pub flags: &'a [String],
}

impl Entry<'_> {
    /// Adds it.
    pub fn add(self, client: &mut SpiClient<'_>) -> Result<(), Failure> {
        let Entry { spender, used, attribution, .. } = self;
        let (usage, charge) = (&used.reading.usage, used.charge.as_ref());
        let amount = |name: &str| used.amounts.get(name).copied().unwrap_or(0);
        let sum = |buckets: &[Bucket]| usage.sum("tokens", buckets).unwrap_or(0);
        let provider = charge.and_then(|charge| charge.provider.clone()).or(usage.provider.map(str::to_string));
        let operation = attribution
            .text("operation")
            .or(usage.operation.map(str::to_string))
            .or(charge.and_then(|charge| charge.operation.clone()));
        let mut arguments = vec![
            spender.tenant_id.into(),
            self.entry_id.into(),
            timestamp(self.recorded_at)?.into(),
            timestamp(spender.at)?.into(),
            spender.reservation_id.into(),
            spender.account_id.into(),
            spender.account_ids.clone().into(),
            self.spent.budget_ids.clone().into(),
            timestamps(self.spent.window_starts.iter().copied())?.into(),
            self.spent.units.clone().into(),
            spender.cost_center.clone().into(),
            provider.into(),
            spender.model.clone().into(),
            attribution.text("response_model").or(usage.model.clone()).into(),
            operation.into(),
            amount(meter::REQUESTS).into(),
            amount(meter::INPUT_TOKENS).into(),
            sum(&Bucket::CACHE_READ).into(),
            sum(&Bucket::CACHE_WRITE).into(),
            amount(meter::OUTPUT_TOKENS).into(),
            sum(&[Bucket::Reasoning]).into(),
            JsonB(counts_to_json(&without_requests(usage.counts))).into(),
            JsonB(meter::amounts_to_json(&used.reading.meters)).into(),
            money(charge.map(|charge| charge.cost_nanos))?.into(),
            spender.currency.clone().into(),
            charge.and_then(|charge| charge.price_id).into(),
            self.overrun.into(),
            self.late.into(),
            self.flags.to_vec().into(),
            money(charge.map(|charge| charge.internal_nanos))?.into(),
            money(usage.stated.cost_nanos)?.into(),
            charge.and_then(|charge| charge.rate_id).into(),
            used.service_tier.clone().into(),
            used.region.clone().into(),
            self.usage_source.into(),
            JsonB(details(used)).into(),
            self.kind.into(),
        ];
        arguments.extend(COLUMNS.iter().map(|column| attribution.text(column).into()));
        arguments.push(JsonB(attribution.labels()).into());
        arguments.push(attribution.retry_count().into());
        insert_entry(client, &arguments)?;
        Ok(())
    }
}

/// An amount of money as a column takes it.
pub fn money(nanos: Option<i64>) -> Result<Option<AnyNumeric>, Failure> {
    nanos
        .map(|nanos| AnyNumeric::try_from(format_nanos(nanos).as_str()))
        .transpose()
        .map_err(|_| Failure::Internal("an amount of money is not a numeric"))
}

/// Requests have a column of their own.
fn without_requests(mut counts: Counts) -> Counts {
    counts[Bucket::Requests] = 0;
    counts
}

/// Counts by kind, without those that are zero.
pub fn counts_to_json(counts: &Counts) -> Value {
    Value::Object(counts.present().map(|(bucket, count)| (bucket.name().into(), count.into())).collect())
}

/// Reads back what [`counts_to_json`] wrote; `None` for anything else.
pub fn counts_from_json(value: &Value) -> Option<Counts> {
    let mut counts = Counts::default();
    for (name, count) in value.as_object()? {
        counts[Bucket::from_name(name)?] = count.as_i64()?;
    }
    Some(counts)
}

/// The provider's own totals, as far as it stated any.
pub fn stated_to_json(stated: &Stated) -> Value {
    let Stated { input_tokens, output_tokens, total_tokens, cost_nanos } = *stated;
    let mut object = Map::new();
    for (name, count) in
        [("input_tokens", input_tokens), ("output_tokens", output_tokens), ("total_tokens", total_tokens)]
    {
        object.extend(count.map(|count| (name.to_string(), count.into())));
    }
    object.extend(cost_nanos.map(|nanos| ("cost".to_string(), meter::to_json(meter::COST, nanos))));
    Value::Object(object)
}

/// What other models used.
pub fn parts_to_json(usage: &Usage) -> Value {
    let part = |part: &crate::usage::Part| json!({"model": part.model, "buckets": counts_to_json(&part.counts)});
    usage.parts.iter().map(part).collect()
}

/// What a re-rating needs and an auditor asks for, beside the columns.
fn details(used: &Used) -> Value {
    let usage = &used.reading.usage;
    let mut details = Map::new();
    let mut add = |name: &str, value: Value| {
        let is_empty = value.as_object().is_some_and(Map::is_empty) || value.as_array().is_some_and(Vec::is_empty);
        if !is_empty {
            details.insert(name.into(), value);
        }
    };
    add("stated", stated_to_json(&usage.stated));
    add("parts", parts_to_json(usage));
    add("surcharges", json!(usage.surcharges));
    add("unknown_fields", json!(usage.unknown_fields));
    add("other_prices", used.charge.as_ref().map_or(json!({}), |charge| json!(charge.other_price_ids)));
    Value::Object(details)
}
