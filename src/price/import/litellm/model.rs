//! One entry of the file.

use serde_json::{Map, Value};

use super::name::Name;
use super::{prices, uplift};
use crate::price::ANY_REGION;
use crate::price::import::entry::{date, limit};
use crate::price::import::units::to_price;
use crate::price::import::{ListedModel, ListedPrice};

/// Reads an entry; the error says why it is left out.
pub fn read(entry: &Map<String, Value>, name: &Name) -> Result<ListedModel, String> {
    let text = |key: &str| entry.get(key).and_then(Value::as_str);
    let mut ignored = Vec::new();
    let operation = text("mode").map(operation);
    let rows = prices::read(entry, operation, &mut ignored)?;
    if rows.is_empty() {
        ignored.sort();
        let reason =
            if ignored.is_empty() { "no price".to_owned() } else { format!("no price; {}", ignored.join("; ")) };
        return Err(reason);
    }
    let versions = uplift::read(entry, &rows, &mut ignored)?;
    let versions = versions.into_iter().map(|(region, row)| ListedPrice {
        region: region.unwrap_or_else(|| ANY_REGION.to_owned()),
        service_tier: row.service_tier,
        above_input_tokens: row.above_input_tokens,
        valid_from: None,
        valid_until: None,
        price: to_price(&row.units),
    });
    Ok(ListedModel {
        provider: name.provider.clone(),
        model: name.model.clone(),
        aliases: Vec::new(),
        operation: operation.map(str::to_owned),
        context_tokens: limit(entry, "max_input_tokens", &mut ignored),
        max_output_tokens: limit(entry, "max_output_tokens", &mut ignored),
        deprecated_on: entry.get("deprecation_date").and_then(date),
        source_url: text("source").filter(|source| source.starts_with("http")).map(str::to_owned),
        versions: versions.collect(),
        ignored,
    })
}

/// What a model of the mode is for.
fn operation(mode: &str) -> &str {
    match mode {
        "chat" | "responses" | "completion" => "chat",
        "embedding" => "embeddings",
        "audio_transcription" => "transcription",
        "audio_speech" => "text_to_speech",
        "image_generation" | "image_edit" => "image_generation",
        other => other,
    }
}
