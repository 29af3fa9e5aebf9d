//! What the ledger says when there is no price.

use std::collections::BTreeSet;

use pgrx::spi::SpiClient;
use serde_json::json;

use crate::ledger::Failure;
use crate::nearest::nearest;
use crate::price::PriceError;
use crate::refusal::{Code, Refusal};
use crate::statement::{required, statement};

statement! {
    read read_names(TEXTOID) =
    "SELECT DISTINCT price.provider, price.model FROM tokbudget.price
     WHERE price.currency OPERATOR(pg_catalog.=) $1 AND price.superseded_at IS NULL
         AND price.provider OPERATOR(pg_catalog.<>) 'meter'"
}

/// How many names a refusal lists.
const NAMES_MAX: usize = 8;

/// No model of that name has a price.
pub fn unknown(client: &mut SpiClient<'_>, model: &str, currency: &str) -> Result<Refusal, Failure> {
    let mut known: Vec<(String, String)> = Vec::new();
    for row in read_names(client, &[currency.into()])? {
        known.push((required(&row, 1)?, required(&row, 2)?));
    }
    known.sort_unstable();
    let name = model.rsplit_once('/').map_or(model, |(_, name)| name);
    let near = nearest(name, known.iter().map(|(_, model)| model.as_str()).collect::<BTreeSet<&str>>());
    let names: Vec<String> = near
        .into_iter()
        .flat_map(|near| known.iter().filter(move |(_, model)| model == near))
        .map(|(provider, model)| format!("{provider}/{model}"))
        .take(NAMES_MAX)
        .collect();
    Ok(Refusal::new(
        Code::UnknownModelOrPrice,
        format!("no price for model \"{}\"", shortened(model)),
        json!({"model": shortened(model), "currency": currency, "nearest": names}),
        "Check the name against those nearest to it, import a price file with tb_import_prices(), or set a price with tb_set_price(); a price of 0 is a price.",
    ))
}

/// Several providers sell a model of that name.
pub fn ambiguous(model: &str, mut names: Vec<String>) -> Refusal {
    names.sort_unstable();
    names.dedup();
    names.truncate(NAMES_MAX);
    Refusal::new(
        Code::UnknownModelOrPrice,
        format!("model \"{}\" is sold by several providers", shortened(model)),
        json!({"model": shortened(model), "meant": names}),
        "Write the provider before the name, such as 'openai/gpt-4o', or choose one for the bare name with tb_set_model(…, is_default_provider => true).",
    )
}

/// The refusal for a usage that a price does not cover, or that cannot be computed with.
pub fn refuse(model: &str, error: &PriceError) -> Refusal {
    let detail = json!({"model": shortened(model), "why": error.to_string()});
    match error {
        PriceError::Unpriced { .. }
        | PriceError::Surcharge { .. }
        | PriceError::AboveThreshold { .. }
        | PriceError::NotYet => Refusal::new(
            Code::UnknownModelOrPrice,
            format!("no price for this use of model \"{}\"", shortened(model)),
            detail,
            "Set a price that covers it with tb_set_price(), effective no later than the reservation, and commit again.",
        ),
        _ => Refusal::new(Code::InvalidArgument, "invalid amount", detail, "Check the token counts."),
    }
}

/// A name from outside, short enough for a message.
pub fn shortened(name: &str) -> String {
    name.chars().take(100).collect()
}
