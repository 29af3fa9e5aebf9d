//! Import of a price file: read, compare with the book, write what differs.

use std::collections::HashMap;

use pgrx::JsonB;
use pgrx::spi::SpiClient;
use serde_json::{Map, Value, json};

use crate::clock;
use crate::instant::Instant;
use crate::ledger::Failure;
use crate::price::import::{Document, ListedModel, read};
use crate::price::revision::{Addition, ChangeRow, Existing, Revision, Series, revise};
use crate::price::{Price, provider};
use crate::refusal::Refusal;
use crate::statement::{instant, optional_instant, required, statement, timestamp, timestamps};

statement! {
    read read_book(TEXTOID, TEXTOID) =
    "SELECT price.price_id, price.provider, price.model, price.region, price.service_tier, price.above_input_tokens,
         price.effective_at, price.ends_at, price.unit_prices
     FROM tokbudget.price
     WHERE price.origin OPERATOR(pg_catalog.=) $1 AND price.currency OPERATOR(pg_catalog.=) $2 AND price.superseded_at IS NULL"
}

statement! {
    write end_prices(INT8ARRAYOID, TIMESTAMPTZARRAYOID) =
    "UPDATE tokbudget.price SET ends_at = changed.ends_at
     FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2)) AS changed (price_id, ends_at)
     WHERE price.price_id OPERATOR(pg_catalog.=) changed.price_id"
}

statement! {
    write supersede_prices(INT8ARRAYOID, TIMESTAMPTZOID) =
    "UPDATE tokbudget.price SET superseded_at = $2 WHERE price.price_id OPERATOR(pg_catalog.=) ANY ($1)"
}

statement! {
    /// A version that was superseded and turns out to be right after all is that same version again.
    write add_prices(JSONBOID, TEXTOID, TEXTOID, TEXTOID, DATEOID) =
    "INSERT INTO tokbudget.price (model, provider, currency, region, service_tier, above_input_tokens, effective_at, ends_at,
         unit_prices, origin, source, source_date)
     SELECT row.model, row.provider, $2, row.region, row.service_tier, row.above_input_tokens, row.effective_at, row.ends_at,
         row.unit_prices, $3, $4, $5
     FROM pg_catalog.jsonb_to_recordset($1) AS row (model text, provider text, region text, service_tier text,
         above_input_tokens bigint, effective_at timestamptz, ends_at timestamptz, unit_prices jsonb)
     ON CONFLICT (price_id) DO UPDATE SET superseded_at = NULL, ends_at = excluded.ends_at, source = excluded.source,
         source_date = excluded.source_date"
}

statement! {
    write write_models(JSONBOID, TEXTOID, TEXTOID, DATEOID) =
    "INSERT INTO tokbudget.model (provider, model, origin, operation, context_tokens, max_output_tokens, deprecated_on, source,
         source_date)
     SELECT row.provider, row.model, $2, row.operation, row.context_tokens, row.max_output_tokens, row.deprecated_on,
         COALESCE(row.source_url, $3), $4
     FROM pg_catalog.jsonb_to_recordset($1) AS row (provider text, model text, operation text, context_tokens bigint,
         max_output_tokens bigint, deprecated_on date, source_url text)
     ON CONFLICT (provider, model, origin) DO UPDATE SET operation = excluded.operation,
         context_tokens = excluded.context_tokens, max_output_tokens = excluded.max_output_tokens,
         deprecated_on = excluded.deprecated_on, source = excluded.source, source_date = excluded.source_date
     WHERE (model.operation, model.context_tokens, model.max_output_tokens, model.deprecated_on, model.source)
         IS DISTINCT FROM
         (excluded.operation, excluded.context_tokens, excluded.max_output_tokens, excluded.deprecated_on, excluded.source)"
}

statement! {
    /// A name that the file no longer has for a model, or has for another one.
    write drop_aliases(JSONBOID, JSONBOID, TEXTOID) =
    "DELETE FROM tokbudget.model_alias
     USING pg_catalog.jsonb_to_recordset($1) AS listed (provider text, model text)
     WHERE model_alias.origin OPERATOR(pg_catalog.=) $3
         AND model_alias.provider OPERATOR(pg_catalog.=) listed.provider AND model_alias.model OPERATOR(pg_catalog.=) listed.model
         -- Hashed, where NOT EXISTS over a function would be a nested loop.
         AND NOT ((model_alias.provider, model_alias.model, model_alias.pattern) OPERATOR(pg_catalog.=) ANY (
             SELECT row.provider, row.model, row.pattern
             FROM pg_catalog.jsonb_to_recordset($2) AS row (provider text, model text, pattern jsonb)))"
}

statement! {
    write write_aliases(JSONBOID, TEXTOID, TEXTOID) =
    "INSERT INTO tokbudget.model_alias (provider, model, pattern, origin, precedence, is_default_provider, source)
     SELECT row.provider, row.model, row.pattern, $2, row.precedence, row.is_default_provider, $3
     FROM pg_catalog.jsonb_to_recordset($1) AS row (provider text, model text, pattern jsonb, precedence integer,
         is_default_provider boolean)
     ON CONFLICT (provider, model, pattern, origin) DO UPDATE SET precedence = excluded.precedence,
         is_default_provider = excluded.is_default_provider, source = excluded.source
     WHERE (model_alias.precedence, model_alias.is_default_provider) IS DISTINCT FROM
         (excluded.precedence, excluded.is_default_provider)"
}

/// How a file is to be taken.
pub struct Import<'a> {
    pub source: &'a str,
    pub effective_at: Instant,
    pub currency: &'a str,
    /// Whether prices may change by more than a factor of ten.
    pub is_confirmed: bool,
    pub origin: &'a str,
}

type Book = HashMap<(String, String), Vec<Existing>>;

/// Takes a price file into the book and says what that changed. The caller holds the lock that keeps other writers out.
pub fn import(client: &mut SpiClient<'_>, document: &Value, import: &Import<'_>) -> Result<Vec<ChangeRow>, Failure> {
    const HINT: &str = "Pass model_prices_and_context_window.json of LiteLLM or data.json of genai-prices, as it is.";
    let Document { models, skipped, .. } =
        read(document).map_err(|error| Refusal::invalid_argument("document", error, HINT))?;
    let mut book = read_existing(client, import)?;
    let mut report: Vec<ChangeRow> = Vec::with_capacity(models.len());
    let (mut ends, mut superseded, mut additions) = (Vec::new(), Vec::new(), Vec::new());
    let mut taken: Vec<&ListedModel> = Vec::with_capacity(models.len());
    for listed in &models {
        pgrx::check_for_interrupts!();
        if listed.provider == provider::METER {
            report.push(ChangeRow {
                model: Some(listed.model.clone()),
                change: "skipped",
                reason: Some("no provider is called meter".into()),
                ..ChangeRow::default()
            });
            continue;
        }
        let existing = book.remove(&(listed.provider.clone(), listed.model.clone())).unwrap_or_default();
        let revision = revise(listed, &existing, import.effective_at, import.is_confirmed);
        let Revision { ends: its_ends, superseded: its_superseded, additions: its_additions, report: its_report } =
            revision;
        // One that waits for confirmation stays as it was, its names too.
        if !its_report.iter().any(|row| row.change == "unconfirmed") {
            taken.push(listed);
        }
        ends.extend(its_ends);
        superseded.extend(its_superseded);
        additions.extend(its_additions.iter().map(|addition| addition_row(listed, addition)));
        report.extend(its_report);
    }
    report.extend(skipped.into_iter().map(|skipped| ChangeRow {
        model: Some(skipped.name),
        change: "skipped",
        reason: Some(skipped.reason),
        ..ChangeRow::default()
    }));
    write(client, &ends, superseded, additions, import)?;
    write_catalogue(client, &taken, import)?;
    Ok(report)
}

fn read_existing(client: &mut SpiClient<'_>, import: &Import<'_>) -> Result<Book, Failure> {
    let mut book = Book::new();
    for row in read_book(client, &[import.origin.into(), import.currency.into()])? {
        let unit_prices: JsonB = required(&row, 9)?;
        let price = Price::from_unit_prices(&unit_prices.0)
            .map_err(|_| Failure::Internal("a price of the book is unreadable"))?;
        let existing = Existing {
            price_id: required(&row, 1)?,
            series: Series {
                region: required(&row, 4)?,
                service_tier: required(&row, 5)?,
                above_input_tokens: required(&row, 6)?,
            },
            from: instant(&row, 7)?,
            until: optional_instant(&row, 8)?.unwrap_or(Instant::AFTER_ALL),
            price,
        };
        book.entry((required(&row, 2)?, required(&row, 3)?)).or_default().push(existing);
    }
    Ok(book)
}

fn addition_row(listed: &ListedModel, addition: &Addition) -> Value {
    let Addition { series, from, until, price } = addition;
    json!({
        "model": listed.model,
        "provider": listed.provider,
        "region": series.region,
        "service_tier": series.service_tier,
        "above_input_tokens": series.above_input_tokens,
        "effective_at": from.to_string(),
        "ends_at": until.is_finite().then(|| until.to_string()),
        "unit_prices": price.to_unit_prices(),
    })
}

fn write(
    client: &mut SpiClient<'_>,
    ends: &[(i64, Instant)],
    superseded: Vec<i64>,
    additions: Vec<Value>,
    import: &Import<'_>,
) -> Result<(), Failure> {
    if !ends.is_empty() {
        let (price_ids, instants): (Vec<i64>, Vec<Instant>) = ends.iter().copied().unzip();
        end_prices(client, &[price_ids.into(), timestamps(instants)?.into()])?;
    }
    if !superseded.is_empty() {
        supersede_prices(client, &[superseded.into(), timestamp(clock::now())?.into()])?;
    }
    if !additions.is_empty() {
        let arguments = [
            JsonB(Value::Array(additions)).into(),
            import.currency.into(),
            import.origin.into(),
            import.source.into(),
            day(import)?.into(),
        ];
        add_prices(client, &arguments)?;
    }
    Ok(())
}

/// The day on which the source was taken.
fn day(import: &Import<'_>) -> Result<pgrx::datum::Date, Failure> {
    Ok(pgrx::datum::Date::from(timestamp(import.effective_at)?))
}

/// Models and their other names. Every name that a pattern lists by itself is a row of its own, which an index finds.
fn write_catalogue(client: &mut SpiClient<'_>, models: &[&ListedModel], import: &Import<'_>) -> Result<(), Failure> {
    let mut rows = Vec::with_capacity(models.len());
    let mut aliases: Vec<Value> = Vec::new();
    // A file lists the patterns of a provider in the order in which they are to be tried.
    let mut precedence = 0;
    for listed in models {
        rows.push(json!({
            "provider": listed.provider,
            "model": listed.model,
            "operation": listed.operation,
            "context_tokens": listed.context_tokens.filter(|tokens| *tokens > 0),
            "max_output_tokens": listed.max_output_tokens.filter(|tokens| *tokens > 0),
            "deprecated_on": listed.deprecated_on,
            "source_url": listed.source_url,
        }));
        let mut patterns: Map<String, Value> = Map::new();
        for alias in &listed.aliases {
            precedence -= 1;
            for pattern in alternatives(&alias.pattern) {
                let row = json!({
                    "provider": listed.provider,
                    "model": listed.model,
                    "pattern": pattern,
                    "precedence": precedence,
                    "is_default_provider": alias.is_default_provider,
                });
                patterns.entry(pattern.to_string()).or_insert(row);
            }
        }
        aliases.extend(patterns.into_iter().map(|(_, row)| row));
    }
    let (models, aliases) = (Value::Array(rows), Value::Array(aliases));
    let lists = [JsonB(models.clone()).into(), JsonB(aliases.clone()).into(), import.origin.into()];
    drop_aliases(client, &lists)?;
    let (models, aliases) = (JsonB(models), JsonB(aliases));
    write_models(client, &[models.into(), import.origin.into(), import.source.into(), day(import)?.into()])?;
    write_aliases(client, &[aliases.into(), import.origin.into(), import.source.into()])?;
    Ok(())
}

fn alternatives(pattern: &Value) -> Vec<&Value> {
    match pattern.get("or").and_then(Value::as_array) {
        Some(parts) => parts.iter().flat_map(alternatives).collect(),
        None => vec![pattern],
    }
}
