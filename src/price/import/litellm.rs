//! The price file of LiteLLM.
//!
//! Source: `model_prices_and_context_window.json` of github.com/BerriAI/litellm, version 1.109.1, and `ModelInfoBase` in its
//! `types/utils.py`. An object from model to entry; prices are in US dollars for one token unless the key says otherwise.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use serde_json::{Map, Value, json};

use super::{Alias, Document, ListedModel, ListedPrice, Skipped};

pub(super) mod key;
mod layers;
mod model;
pub(super) mod name;
mod prices;
mod uplift;

use name::Name;

/// Entries that are no models: a template, and rules for models without an entry.
const NO_MODELS: [&str; 2] = ["sample_spec", "fallback_generalizations"];

/// Reads the file.
pub fn read(entries: &Map<String, Value>) -> Document {
    let mut found: BTreeMap<(String, String), Found> = BTreeMap::new();
    let mut skipped = Vec::new();
    for (key, value) in entries {
        let (name, model) = match read_entry(key, value) {
            Ok(read) => read,
            Err(reason) => {
                skipped.push(Skipped { name: key.clone(), reason });
                continue;
            }
        };
        let next = Found { key: key.clone(), is_bare: name.is_bare, model };
        match found.entry((name.provider, name.model)) {
            Entry::Vacant(vacant) => {
                vacant.insert(next);
            }
            Entry::Occupied(mut occupied) => skipped.extend(occupied.get_mut().join(next)),
        }
    }
    let models = found.into_values().map(|found| found.model).collect();
    Document { models, skipped }
}

/// A model with the key that it is from.
struct Found {
    key: String,
    is_bare: bool,
    model: ListedModel,
}

impl Found {
    /// Takes in another entry for the same model, with the rows that only that one has: one entry states a place or a tier
    /// that the other one leaves out. Where the two contradict each other, the plain name is the provider's own and stays,
    /// then a chat entry; the other one is given back as left out.
    fn join(&mut self, mut other: Self) -> Option<Skipped> {
        let rank = |found: &Self| (found.is_bare, found.model.operation.as_deref() == Some("chat"));
        if rank(&other) > rank(self) {
            std::mem::swap(self, &mut other);
        }
        let mut more = Vec::new();
        for row in other.model.versions {
            match self.model.versions.iter().find(|known| is_for_same(known, &row)) {
                None => more.push(row),
                Some(known) if known.price == row.price => {}
                Some(_) => {
                    let reason = format!("other prices than {}, which is the same model", self.key);
                    return Some(Skipped { name: other.key, reason });
                }
            }
        }
        self.model.versions.append(&mut more);
        self.model.aliases.append(&mut other.model.aliases);
        None
    }
}

/// Whether two rows are for the same requests.
fn is_for_same(one: &ListedPrice, other: &ListedPrice) -> bool {
    one.region == other.region
        && one.service_tier == other.service_tier
        && one.above_input_tokens == other.above_input_tokens
}

fn read_entry(key: &str, value: &Value) -> Result<(Name, ListedModel), String> {
    if NO_MODELS.contains(&key) {
        return Err("not a model".to_owned());
    }
    let entry = value.as_object().ok_or("not an object")?;
    let litellm_provider = match entry.get("litellm_provider") {
        Some(Value::String(provider)) if !provider.is_empty() => provider,
        _ => return Err("no litellm_provider".to_owned()),
    };
    if key.is_empty() {
        return Err("no name".to_owned());
    }
    let name = name::split(key, litellm_provider);
    let mut model = model::read(entry, &name)?;
    if name.is_bare || key != format!("{}/{}", name.provider, name.model) {
        model.aliases.push(Alias { pattern: json!({ "equals": key }), is_default_provider: name.is_bare });
    }
    Ok((name, model))
}
