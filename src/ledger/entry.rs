//! A new entry of the ledger.

pub mod row;

use pgrx::Uuid;
use serde_json::{Map, Value, json};

use crate::budget::meter;
use crate::instant::Instant;
use crate::ledger::attribution::{self, Attribution};
use crate::ledger::entry::row::{Field, Row};
use crate::ledger::slots::Slots;
use crate::ledger::spender::Spender;
use crate::ledger::used::Used;
use crate::usage::{Bucket, Counts, Stated, Usage};

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
        for column in attribution::COLUMNS {
            set(column, Field::Text(attribution.text(column)));
        }
        set("labels", Field::Json(attribution.labels()));
        set("retry_count", Field::Number(attribution.retry_count()));
        Row(row)
    }
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
