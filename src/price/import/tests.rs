use serde_json::{Value, json};

use super::*;

mod files;
mod genai;
mod keys;
mod litellm;
mod numbers;
mod properties;

/// A row in short: region, tier, threshold, first and last day, prices.
type Row = (String, String, i64, Option<String>, Option<String>, Value);

fn row(region: &str, tier: &str, above: i64, prices: Value) -> Row {
    (region.to_owned(), tier.to_owned(), above, None, None, prices)
}

fn rows(model: &ListedModel) -> Vec<Row> {
    let short = |price: &ListedPrice| {
        (
            price.region.clone(),
            price.service_tier.clone(),
            price.above_input_tokens,
            price.valid_from.clone(),
            price.valid_until.clone(),
            price.price.to_unit_prices(),
        )
    };
    model.versions.iter().map(short).collect()
}

/// Reads text, because `json!` would make floats of the prices.
fn read_text(text: &str) -> Document {
    read(&serde_json::from_str(text).expect("JSON of a test")).expect("a known format")
}

fn model<'a>(document: &'a Document, provider: &str, name: &str) -> &'a ListedModel {
    let is_it = |model: &&ListedModel| model.provider == provider && model.model == name;
    document.models.iter().find(is_it).unwrap_or_else(|| panic!("no {provider}/{name} in {document:#?}"))
}

fn reason<'a>(document: &'a Document, name: &str) -> &'a str {
    let skipped = document.skipped.iter().find(|skipped| skipped.name == name);
    &skipped.unwrap_or_else(|| panic!("{name} is not skipped in {document:#?}")).reason
}

#[test]
fn formats_are_told_apart() {
    let providers = json!([{ "id": "openai", "models": [] }]);
    let counts = |document: &Value| read(document).map(|read| (read.models.len(), read.skipped.len()));
    // A list of providers may be empty; an entry of LiteLLM without a price is skipped.
    assert_eq!(counts(&providers), Ok((0, 0)));
    assert_eq!(counts(&json!({ "providers": providers })), Ok((0, 0)));
    assert_eq!(counts(&json!({ "gpt": {} })), Ok((0, 1)));
    for neither in [json!(null), json!("gpt"), json!([]), json!([1, {}]), json!({}), json!({ "gpt": 1 })] {
        assert_eq!(read(&neither), Err(ImportError::UnknownFormat), "{neither}");
    }
}
