//! An entry as it is stored.

use std::sync::LazyLock;

use pgrx::datum::DatumWithOid;
use pgrx::pg_sys::{self, Oid, PgOid};
use pgrx::spi::SpiClient;
use pgrx::{AnyNumeric, Uuid};
use serde_json::Value;

use crate::instant::Instant;
use crate::jsonb::Json;
use crate::ledger::Failure;
use crate::price::format_nanos;
use crate::statement::{Access, Plan, Planning, run, timestamp, timestamps};

/// The columns that a call fills, with their types.
pub const COLUMNS: [(&str, Oid); 47] = [
    ("tenant_id", pg_sys::INT4OID),
    ("entry_id", pg_sys::UUIDOID),
    ("recorded_at", pg_sys::TIMESTAMPTZOID),
    ("reserved_at", pg_sys::TIMESTAMPTZOID),
    ("reservation_id", pg_sys::UUIDOID),
    ("account_id", pg_sys::INT8OID),
    ("account_ids", pg_sys::INT8ARRAYOID),
    ("budget_ids", pg_sys::INT8ARRAYOID),
    ("window_starts", pg_sys::TIMESTAMPTZARRAYOID),
    ("spent_units", pg_sys::INT8ARRAYOID),
    ("cost_center", pg_sys::TEXTOID),
    ("provider", pg_sys::TEXTOID),
    ("request_model", pg_sys::TEXTOID),
    ("response_model", pg_sys::TEXTOID),
    ("operation", pg_sys::TEXTOID),
    ("requests", pg_sys::INT8OID),
    ("input_tokens", pg_sys::INT8OID),
    ("cache_read_input_tokens", pg_sys::INT8OID),
    ("cache_write_input_tokens", pg_sys::INT8OID),
    ("output_tokens", pg_sys::INT8OID),
    ("reasoning_output_tokens", pg_sys::INT8OID),
    ("buckets", pg_sys::JSONBOID),
    ("meters", pg_sys::JSONBOID),
    ("cost", pg_sys::NUMERICOID),
    ("currency", pg_sys::TEXTOID),
    ("price_id", pg_sys::INT8OID),
    ("overrun", pg_sys::BOOLOID),
    ("late", pg_sys::BOOLOID),
    ("flags", pg_sys::TEXTARRAYOID),
    ("internal_cost", pg_sys::NUMERICOID),
    ("reported_cost", pg_sys::NUMERICOID),
    ("rate_id", pg_sys::INT8OID),
    ("service_tier", pg_sys::TEXTOID),
    ("region", pg_sys::TEXTOID),
    ("usage_source", pg_sys::TEXTOID),
    ("usage_details", pg_sys::JSONBOID),
    ("kind", pg_sys::TEXTOID),
    ("workflow", pg_sys::TEXTOID),
    ("step", pg_sys::TEXTOID),
    ("session", pg_sys::TEXTOID),
    ("task", pg_sys::TEXTOID),
    ("end_user", pg_sys::TEXTOID),
    ("agent", pg_sys::TEXTOID),
    ("outcome", pg_sys::TEXTOID),
    ("trace_id", pg_sys::TEXTOID),
    ("labels", pg_sys::JSONBOID),
    ("retry_count", pg_sys::INT8OID),
];

/// How many rows of a batch one statement adds: each statement looks for the partition and opens its indexes anew.
const ROWS_TOGETHER: usize = 32;

static INSERT_ONE: LazyLock<String> = LazyLock::new(|| insert(1));
static INSERT_TOGETHER: LazyLock<String> = LazyLock::new(|| insert(ROWS_TOGETHER));

fn insert(rows: usize) -> String {
    let names: Vec<&str> = COLUMNS.iter().map(|(name, _)| *name).collect();
    let row = |row: usize| {
        let parameters = (1..=COLUMNS.len()).map(|column| format!("${}, ", row * COLUMNS.len() + column));
        format!("({}SESSION_USER)", parameters.collect::<String>())
    };
    let rows: Vec<String> = (0..rows).map(row).collect();
    format!("INSERT INTO tokbudget.entry ({}, actor) VALUES {}", names.join(", "), rows.join(", "))
}

/// The values of [`COLUMNS`].
pub struct Row(pub Vec<Field>);

/// The value of a column.
pub enum Field {
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

/// Adds the entries.
pub fn add(client: &mut SpiClient<'_>, rows: Vec<Row>) -> Result<(), Failure> {
    thread_local! {
        static ONE: Plan = const { Plan::new() };
        static TOGETHER: Plan = const { Plan::new() };
    }
    let mut rows = rows.into_iter();
    while rows.len() >= ROWS_TOGETHER {
        let chunk: Vec<Row> = rows.by_ref().take(ROWS_TOGETHER).collect();
        TOGETHER.with(|plan| insert_rows(client, plan, &INSERT_TOGETHER, chunk))?;
    }
    rows.try_for_each(|row| ONE.with(|plan| insert_rows(client, plan, &INSERT_ONE, vec![row])))
}

fn insert_rows(client: &mut SpiClient<'_>, plan: &Plan, sql: &'static str, rows: Vec<Row>) -> Result<(), Failure> {
    let types: Vec<PgOid> = match plan.get() {
        // Only to prepare it.
        Some(_) => Vec::new(),
        None => COLUMNS.iter().map(|(_, oid)| PgOid::from(*oid)).cycle().take(COLUMNS.len() * rows.len()).collect(),
    };
    let fields = rows.into_iter().flat_map(|row| row.0);
    let arguments = fields.map(Field::into_argument).collect::<Result<Vec<_>, _>>()?;
    run(plan, sql, &types, Access::Write, Planning::Once, client, &arguments)?;
    Ok(())
}

/// An amount of money as a column takes it.
pub fn money(nanos: Option<i64>) -> Result<Option<AnyNumeric>, Failure> {
    nanos
        .map(|nanos| AnyNumeric::try_from(format_nanos(nanos).as_str()))
        .transpose()
        .map_err(|_| Failure::Internal("an amount of money is not a numeric"))
}
