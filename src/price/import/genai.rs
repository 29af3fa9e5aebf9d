//! `data.json` of genai-prices.
//!
//! Source: github.com/pydantic/genai-prices, version 0.2.3: `prices/data.json`, with the meaning that its `types.py` gives
//! it. A list of providers, each with its models; prices are in US dollars for what the key says (`input_mtok`: a million
//! tokens).

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::super::{clause, provider};
use super::entry::{date, limit};
use super::{Alias, Document, ListedModel, Skipped};

mod period;
mod prices;
mod variant;

/// Whether a list looks like one of providers.
pub fn is_list_of_providers(list: &[Value]) -> bool {
    list.iter().any(|provider| provider.get("models").is_some_and(Value::is_array))
}

/// Reads the file.
pub fn read(providers: &[Value]) -> Document {
    let mut document = Document { models: Vec::new(), skipped: Vec::new() };
    let mut known = BTreeSet::new();
    for (index, provider) in providers.iter().enumerate() {
        let id = provider.get("id").and_then(Value::as_str).filter(|id| !id.is_empty());
        let (Some(id), Some(models)) = (id, provider.get("models").and_then(Value::as_array)) else {
            let name = id.map_or_else(|| format!("provider {index}"), str::to_owned);
            document.skipped.push(Skipped { name, reason: "not a provider with an id and models".to_owned() });
            continue;
        };
        for (index, model) in models.iter().enumerate() {
            let name = model.get("id").and_then(Value::as_str).filter(|name| !name.is_empty());
            let full_name = name.map_or_else(|| format!("{id}: model {index}"), |name| format!("{id}/{name}"));
            let read = match (name, model.as_object()) {
                (Some(name), Some(model)) => read_model(provider, id, name, model),
                _ => Err("not a model with an id".to_owned()),
            };
            match read {
                Ok(model) if known.insert((model.provider.clone(), model.model.clone())) => document.models.push(model),
                Ok(_) => document.skipped.push(Skipped { name: full_name, reason: "listed twice".to_owned() }),
                Err(reason) => document.skipped.push(Skipped { name: full_name, reason }),
            }
        }
    }
    document
}

fn read_model(provider: &Value, id: &str, name: &str, model: &Map<String, Value>) -> Result<ListedModel, String> {
    let mut ignored = Vec::new();
    let versions = variant::versions(model, &mut ignored)?;
    if versions.is_empty() {
        ignored.sort();
        let reason =
            if ignored.is_empty() { "no price".to_owned() } else { format!("no price; {}", ignored.join("; ")) };
        return Err(reason);
    }
    let is_default_provider = provider.get("model_match").is_some_and(|pattern| clause::matches(pattern, name));
    let mut aliases = Vec::new();
    if let Some(pattern) = model.get("match") {
        match clause::check(pattern) {
            Ok(()) => aliases.push(Alias { pattern: pattern.clone(), is_default_provider }),
            Err(error) => ignored.push(format!("match: {error}")),
        }
    }
    let source = provider.get("pricing_urls").and_then(|urls| urls.get(0)).and_then(Value::as_str);
    Ok(ListedModel {
        provider: provider::canonical(&id.replace('-', "_")),
        model: name.to_owned(),
        aliases,
        // The file does not say what a model is for.
        operation: None,
        context_tokens: limit(model, "context_window", &mut ignored),
        max_output_tokens: None,
        deprecated_on: model.get("deprecated").and_then(date),
        source_url: source.map(str::to_owned),
        versions,
        ignored,
    })
}
