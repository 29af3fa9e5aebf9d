//! An entry as it is stored.

use pgrx::datum::DatumWithOid;
use pgrx::pg_sys::{self, Oid, PgOid};
use pgrx::spi::SpiClient;
use pgrx::{AnyNumeric, Uuid};
use serde_json::Value;

use crate::instant::Instant;
use crate::jsonb::Json;
use crate::ledger::Failure;
use crate::price::format_nanos;
use crate::statement::{Access, Plan, Planning, prepare, run, timestamp, timestamps};

/// How many rows of a batch one statement adds: each statement looks for the partition and opens its indexes anew.
const ROWS_TOGETHER: usize = 32;

/// The columns that a call fills, by name; in every row the same ones in the same order.
pub struct Row(pub Vec<(&'static str, Field)>);

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
    fn type_oid(&self) -> Oid {
        match self {
            Field::Tenant(_) => pg_sys::INT4OID,
            Field::Uuid(_) => pg_sys::UUIDOID,
            Field::Instant(_) => pg_sys::TIMESTAMPTZOID,
            Field::Instants(_) => pg_sys::TIMESTAMPTZARRAYOID,
            Field::Number(_) => pg_sys::INT8OID,
            Field::Numbers(_) => pg_sys::INT8ARRAYOID,
            Field::Text(_) => pg_sys::TEXTOID,
            Field::Texts(_) => pg_sys::TEXTARRAYOID,
            Field::Flag(_) => pg_sys::BOOLOID,
            Field::Json(_) => pg_sys::JSONBOID,
            Field::Money(_) => pg_sys::NUMERICOID,
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

/// Adds the entries.
pub fn add(client: &mut SpiClient<'_>, rows: Vec<Row>) -> Result<(), Failure> {
    thread_local! {
        static ONE: Plan = const { Plan::new() };
        static TOGETHER: Plan = const { Plan::new() };
    }
    let mut rows = rows.into_iter();
    while rows.len() >= ROWS_TOGETHER {
        let chunk: Vec<Row> = rows.by_ref().take(ROWS_TOGETHER).collect();
        TOGETHER.with(|plan| insert(client, plan, chunk))?;
    }
    rows.try_for_each(|row| ONE.with(|plan| insert(client, plan, vec![row])))
}

fn insert(client: &mut SpiClient<'_>, plan: &Plan, rows: Vec<Row>) -> Result<(), Failure> {
    // A plan is for so many rows.
    let description = plan.get().is_none().then(|| describe(&rows));
    let fields = rows.into_iter().flat_map(|row| row.0);
    let arguments = fields.map(|(_, field)| field.into_argument()).collect::<Result<Vec<_>, _>>()?;
    let made = |client: &mut SpiClient<'_>| {
        let (sql, types) = description.unwrap_or_default();
        prepare(client, &sql, &types)
    };
    run(plan, made, Access::Write, Planning::Once, client, &arguments)?;
    Ok(())
}

/// The statement that inserts rows like these, and the types of its parameters.
fn describe(rows: &[Row]) -> (String, Vec<PgOid>) {
    let columns = rows.first().map_or(&[][..], |row| &row.0);
    let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
    let values = |row: usize| {
        let parameters = (1..=columns.len()).map(|column| format!("${}, ", row * columns.len() + column));
        format!("({}SESSION_USER)", parameters.collect::<String>())
    };
    let values: Vec<String> = (0..rows.len()).map(values).collect();
    let types = rows.iter().flat_map(|row| &row.0).map(|(_, field)| PgOid::from(field.type_oid()));
    let sql = format!("INSERT INTO tokbudget.entry ({}, actor) VALUES {}", names.join(", "), values.join(", "));
    (sql, types.collect())
}

/// An amount of money as a column takes it.
pub fn money(nanos: Option<i64>) -> Result<Option<AnyNumeric>, Failure> {
    nanos
        .map(|nanos| AnyNumeric::try_from(format_nanos(nanos).as_str()))
        .transpose()
        .map_err(|_| Failure::Internal("an amount of money is not a numeric"))
}
