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
use crate::statement::statement;
use crate::usage::{Bucket, Counts, Stated, Usage};

statement! {
    /// Many rows in one statement, because each statement looks for the partition and opens its indexes anew.
    write insert_entries(JSONBOID) =
    "INSERT INTO tokbudget.entry (
         tenant_id, entry_id, recorded_at, reserved_at, reservation_id, account_id, account_ids, budget_ids,
         window_starts, spent_units, cost_center, provider, request_model, response_model, operation, requests,
         input_tokens, cache_read_input_tokens, cache_write_input_tokens, output_tokens, reasoning_output_tokens, buckets,
         meters, cost, currency, price_id, overrun, late, flags, internal_cost, reported_cost, rate_id, service_tier, region,
         usage_source, usage_details, kind, workflow, step, session, task, end_user, agent, outcome, trace_id, labels,
         retry_count, actor)
     SELECT added.*, SESSION_USER
     FROM pg_catalog.jsonb_to_recordset($1) AS added (
         tenant_id integer, entry_id uuid, recorded_at timestamp with time zone, reserved_at timestamp with time zone,
         reservation_id uuid, account_id bigint, account_ids bigint[], budget_ids bigint[],
         window_starts timestamp with time zone[], spent_units bigint[], cost_center text, provider text,
         request_model text, response_model text, operation text, requests bigint, input_tokens bigint,
         cache_read_input_tokens bigint, cache_write_input_tokens bigint, output_tokens bigint,
         reasoning_output_tokens bigint, buckets jsonb, meters jsonb, cost numeric, currency text, price_id bigint,
         overrun boolean, late boolean, flags text[], internal_cost numeric, reported_cost numeric, rate_id bigint,
         service_tier text, region text, usage_source text, usage_details jsonb, kind text, workflow text, step text,
         session text, task text, end_user text, agent text, outcome text, trace_id text, labels jsonb,
         retry_count bigint)"
}

/// How many rows one statement takes: far from the most that a jsonb may hold.
const ROWS_MAX: usize = 1000;

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
        match self {
            Timing::InTime => None,
            Timing::InGrace => Some("grace"),
            Timing::Late => Some("late"),
        }
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

/// An entry as it will be stored.
pub struct Row(Value);

impl Entry<'_> {
    pub fn row(self) -> Row {
        let Entry { spender, used, attribution, .. } = self;
        let (usage, charge) = (&used.reading.usage, used.charge.as_ref());
        let amount = |name: &str| used.amounts.get(name).copied().unwrap_or(0);
        let sum = |buckets: &[Bucket]| usage.sum("tokens", buckets).unwrap_or(0);
        let provider = charge.and_then(|charge| charge.provider.clone()).or(usage.provider.map(str::to_string));
        let operation = attribution
            .text("operation")
            .or(usage.operation.map(str::to_string))
            .or(charge.and_then(|charge| charge.operation.clone()));
        let window_starts: Vec<String> = self.spent.window_starts.iter().map(Instant::to_string).collect();
        let mut row = Map::new();
        let mut set = |column: &str, value: Value| row.insert(column.into(), value);
        set("tenant_id", json!(spender.tenant_id));
        set("entry_id", json!(self.entry_id.to_string()));
        set("recorded_at", json!(self.recorded_at.to_string()));
        set("reserved_at", json!(spender.at.to_string()));
        set("reservation_id", json!(spender.reservation_id.map(|id| id.to_string())));
        set("account_id", json!(spender.account_id));
        set("account_ids", json!(spender.account_ids));
        set("budget_ids", json!(self.spent.budget_ids));
        set("window_starts", json!(window_starts));
        set("spent_units", json!(self.spent.units));
        set("cost_center", json!(spender.cost_center));
        set("provider", json!(provider));
        set("request_model", json!(spender.model));
        set("response_model", json!(attribution.text("response_model").or(usage.model.clone())));
        set("operation", json!(operation));
        set("requests", json!(amount(meter::REQUESTS)));
        set("input_tokens", json!(amount(meter::INPUT_TOKENS)));
        set("cache_read_input_tokens", json!(sum(&Bucket::CACHE_READ)));
        set("cache_write_input_tokens", json!(sum(&Bucket::CACHE_WRITE)));
        set("output_tokens", json!(amount(meter::OUTPUT_TOKENS)));
        set("reasoning_output_tokens", json!(sum(&[Bucket::Reasoning])));
        set("buckets", counts_to_json(&without_requests(usage.counts)));
        set("meters", meter::amounts_to_json(&used.reading.meters));
        set("cost", json!(charge.map(|charge| format_nanos(charge.cost_nanos))));
        set("currency", json!(spender.currency));
        set("price_id", json!(charge.and_then(|charge| charge.price_id)));
        set("overrun", json!(self.overrun));
        set("late", json!(self.late));
        set("flags", json!(self.flags));
        set("internal_cost", json!(charge.map(|charge| format_nanos(charge.internal_nanos))));
        set("reported_cost", json!(usage.stated.cost_nanos.map(format_nanos)));
        set("rate_id", json!(charge.and_then(|charge| charge.rate_id)));
        set("service_tier", json!(used.service_tier));
        set("region", json!(used.region));
        set("usage_source", json!(self.usage_source));
        set("usage_details", details(used));
        set("kind", json!(self.kind));
        for column in COLUMNS {
            set(column, json!(attribution.text(column)));
        }
        set("labels", attribution.labels());
        set("retry_count", json!(attribution.retry_count()));
        Row(Value::Object(row))
    }
}

/// Adds the entries.
pub fn add(client: &mut SpiClient<'_>, rows: Vec<Row>) -> Result<(), Failure> {
    let mut rows = rows.into_iter().map(|Row(row)| row).peekable();
    while rows.peek().is_some() {
        let chunk: Vec<Value> = rows.by_ref().take(ROWS_MAX).collect();
        insert_entries(client, &[JsonB(Value::Array(chunk)).into()])?;
    }
    Ok(())
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
