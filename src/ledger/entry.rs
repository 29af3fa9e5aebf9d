//! A new entry of the ledger.

use pgrx::datum::DatumWithOid;
use pgrx::spi::SpiClient;
use pgrx::{AnyNumeric, JsonB, Uuid};
use serde_json::{Map, Value, json};

use crate::budget::meter;
use crate::instant::Instant;
use crate::jsonb::Json;
use crate::ledger::Failure;
use crate::ledger::attribution::{Attribution, COLUMNS};
use crate::ledger::slots::Slots;
use crate::ledger::spender::Spender;
use crate::ledger::used::Used;
use crate::price::format_nanos;
use crate::statement::{statement, timestamp, timestamps};
use crate::usage::{Bucket, Counts, Stated, Usage};

macro_rules! insert {
    () => {
        "INSERT INTO tokbudget.entry (
             tenant_id, entry_id, recorded_at, reserved_at, reservation_id, account_id, account_ids, budget_ids,
             window_starts, spent_units, cost_center, provider, request_model, response_model, operation, requests,
             input_tokens, cache_read_input_tokens, cache_write_input_tokens, output_tokens, reasoning_output_tokens,
             buckets, meters, cost, currency, price_id, overrun, late, flags, internal_cost, reported_cost, rate_id,
             service_tier, region, usage_source, usage_details, kind, workflow, step, session, task, end_user, agent,
             outcome, trace_id, labels, retry_count, actor)"
    };
}

statement! {
    /// Many rows in one statement, because each statement looks for the partition and opens its indexes anew.
    write insert_entries(JSONBOID) = concat!(
        insert!(),
        " SELECT added.*, SESSION_USER
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
    )
}

statement! {
    write row insert_entry(
        INT4OID, UUIDOID, TIMESTAMPTZOID, TIMESTAMPTZOID, UUIDOID, INT8OID, INT8ARRAYOID, INT8ARRAYOID, TIMESTAMPTZARRAYOID,
        INT8ARRAYOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, INT8OID, INT8OID, INT8OID, INT8OID, INT8OID, INT8OID,
        JSONBOID, JSONBOID, NUMERICOID, TEXTOID, INT8OID, BOOLOID, BOOLOID, TEXTARRAYOID, NUMERICOID, NUMERICOID, INT8OID,
        TEXTOID, TEXTOID, TEXTOID, JSONBOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID,
        JSONBOID, INT8OID
    ) = concat!(
        insert!(),
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23,
              $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36, $37, $38, $39, $40, $41, $42, $43, $44, $45,
              $46, $47, SESSION_USER)"
    )
}

/// How many rows one statement takes: far from the most that a jsonb may hold.
const ROWS_MAX: usize = 1000;
/// Up to this many rows are faster one by one, without the way through jsonb.
const ROWS_ALONE_MAX: usize = 4;

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

/// An entry as it will be stored: columns by name, in the order of the statements.
pub struct Row(Vec<(&'static str, Field)>);

/// The value of a column.
enum Field {
    Tenant(i32),
    Uuid(Option<Uuid>),
    Instant(Instant),
    Instants(Vec<Instant>),
    Number(Option<i64>),
    Numbers(Vec<i64>),
    Text(Option<String>),
    Texts(Vec<String>),
    Flag(bool),
    Json(Value),
    /// Nano-units of the currency.
    Money(Option<i64>),
}

impl Field {
    fn into_json(self) -> Value {
        match self {
            Field::Tenant(tenant_id) => json!(tenant_id),
            Field::Uuid(uuid) => json!(uuid.map(|uuid| uuid.to_string())),
            Field::Instant(instant) => json!(instant.to_string()),
            Field::Instants(instants) => instants.iter().map(Instant::to_string).collect(),
            Field::Number(number) => json!(number),
            Field::Numbers(numbers) => json!(numbers),
            Field::Text(text) => json!(text),
            Field::Texts(texts) => json!(texts),
            Field::Flag(flag) => json!(flag),
            Field::Json(value) => value,
            Field::Money(nanos) => json!(nanos.map(format_nanos)),
        }
    }

    fn into_argument(self) -> Result<DatumWithOid<'static>, Failure> {
        Ok(match self {
            Field::Tenant(tenant_id) => tenant_id.into(),
            Field::Uuid(uuid) => uuid.into(),
            Field::Instant(instant) => timestamp(instant)?.into(),
            Field::Instants(instants) => timestamps(instants)?.into(),
            Field::Number(number) => number.into(),
            Field::Numbers(numbers) => numbers.into(),
            Field::Text(text) => text.into(),
            Field::Texts(texts) => texts.into(),
            Field::Flag(flag) => flag.into(),
            Field::Json(value) => Json(&value).into(),
            Field::Money(nanos) => money(nanos)?.into(),
        })
    }
}

impl Entry<'_> {
    pub fn row(self) -> Row {
        let Entry { spender, used, attribution, .. } = self;
        let (usage, charge) = (&used.reading.usage, used.charge.as_ref());
        let amount = |name: &str| Field::Number(Some(used.amounts.get(name).copied().unwrap_or(0)));
        let sum = |buckets: &[Bucket]| Field::Number(Some(usage.sum("tokens", buckets).unwrap_or(0)));
        let provider = charge.and_then(|charge| charge.provider.clone()).or(usage.provider.map(str::to_string));
        let operation = attribution
            .text("operation")
            .or(usage.operation.map(str::to_string))
            .or(charge.and_then(|charge| charge.operation.clone()));
        let mut row = Vec::with_capacity(48);
        let mut set = |column: &'static str, field: Field| row.push((column, field));
        set("tenant_id", Field::Tenant(spender.tenant_id));
        set("entry_id", Field::Uuid(Some(self.entry_id)));
        set("recorded_at", Field::Instant(self.recorded_at));
        set("reserved_at", Field::Instant(spender.at));
        set("reservation_id", Field::Uuid(spender.reservation_id));
        set("account_id", Field::Number(Some(spender.account_id)));
        set("account_ids", Field::Numbers(spender.account_ids.clone()));
        set("budget_ids", Field::Numbers(self.spent.budget_ids.clone()));
        set("window_starts", Field::Instants(self.spent.window_starts.clone()));
        set("spent_units", Field::Numbers(self.spent.units.clone()));
        set("cost_center", Field::Text(spender.cost_center.clone()));
        set("provider", Field::Text(provider));
        set("request_model", Field::Text(spender.model.clone()));
        set("response_model", Field::Text(attribution.text("response_model").or(usage.model.clone())));
        set("operation", Field::Text(operation));
        set("requests", amount(meter::REQUESTS));
        set("input_tokens", amount(meter::INPUT_TOKENS));
        set("cache_read_input_tokens", sum(&Bucket::CACHE_READ));
        set("cache_write_input_tokens", sum(&Bucket::CACHE_WRITE));
        set("output_tokens", amount(meter::OUTPUT_TOKENS));
        set("reasoning_output_tokens", sum(&[Bucket::Reasoning]));
        set("buckets", Field::Json(counts_to_json(&without_requests(usage.counts))));
        set("meters", Field::Json(meter::amounts_to_json(&used.reading.meters)));
        set("cost", Field::Money(charge.map(|charge| charge.cost_nanos)));
        set("currency", Field::Text(Some(spender.currency.clone())));
        set("price_id", Field::Number(charge.and_then(|charge| charge.price_id)));
        set("overrun", Field::Flag(self.overrun));
        set("late", Field::Flag(self.late));
        set("flags", Field::Texts(self.flags.to_vec()));
        set("internal_cost", Field::Money(charge.map(|charge| charge.internal_nanos)));
        set("reported_cost", Field::Money(usage.stated.cost_nanos));
        set("rate_id", Field::Number(charge.and_then(|charge| charge.rate_id)));
        set("service_tier", Field::Text(used.service_tier.clone()));
        set("region", Field::Text(used.region.clone()));
        set("usage_source", Field::Text(Some(self.usage_source.to_string())));
        set("usage_details", Field::Json(details(used)));
        set("kind", Field::Text(Some(self.kind.to_string())));
        for column in COLUMNS {
            set(column, Field::Text(attribution.text(column)));
        }
        set("labels", Field::Json(attribution.labels()));
        set("retry_count", Field::Number(attribution.retry_count()));
        Row(row)
    }
}

impl Row {
    fn into_json(self) -> Value {
        let columns = self.0.into_iter().map(|(column, field)| (column.to_string(), field.into_json()));
        Value::Object(columns.collect())
    }

    fn add(self, client: &mut SpiClient<'_>) -> Result<(), Failure> {
        let arguments = self.0.into_iter().map(|(_, field)| field.into_argument());
        insert_entry(client, &arguments.collect::<Result<Vec<_>, _>>()?)?;
        Ok(())
    }
}

/// Adds the entries.
pub fn add(client: &mut SpiClient<'_>, rows: Vec<Row>) -> Result<(), Failure> {
    if rows.len() <= ROWS_ALONE_MAX {
        return rows.into_iter().try_for_each(|row| row.add(client));
    }
    let mut rows = rows.into_iter().map(Row::into_json).peekable();
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
