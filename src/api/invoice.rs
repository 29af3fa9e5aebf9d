//! Invoices of providers.

use pgrx::JsonB;
use pgrx::prelude::*;
use serde_json::json;

use crate::api::argument::missing;
use crate::api::outcome::{in_spi, or_put_aside};
use crate::ledger::price_book;
use crate::refusal::{Code, Refusal};
use crate::report::invoice::{self, Format};

#[pg_extern(sql = false)]
fn _read_invoice(document: Option<&str>, provider: Option<&str>, format: Option<&str>) -> Option<JsonB> {
    const FORMAT_HINT: &str = "A format is openai_usage, openai_costs, anthropic_usage, anthropic_cost, csv or focus; null finds it by the shape.";
    const DOCUMENT_HINT: &str =
        "Pass the export as the provider made it; the user guide lists the shapes and the columns of a plain CSV file.";
    let read = document.ok_or_else(|| missing("document")).and_then(|document| {
        let format = format
            .map(|name| {
                Format::from_name(name).ok_or_else(|| Refusal::invalid_argument("format", "unknown", FORMAT_HINT))
            })
            .transpose()?;
        invoice::read(document, provider, format).map_err(|error| {
            Refusal::new(
                Code::InvalidArgument,
                "unreadable invoice",
                json!({"at": error.at, "why": error.why}),
                DOCUMENT_HINT,
            )
        })
    });
    or_put_aside(read).map(|document| JsonB(document.to_json()))
}

/// The name under which the price book files the model, none if it has no such model.
#[pg_extern(sql = false)]
fn _canonical_model(model: &str, provider: &str, currency: &str) -> Option<String> {
    let bare = model.strip_prefix(provider).and_then(|rest| rest.strip_prefix('/')).unwrap_or(model);
    let listing = in_spi(|client| price_book::find(client, &format!("{provider}/{bare}"), currency)).ok()?;
    Some(listing.model.clone())
}
