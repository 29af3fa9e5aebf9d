//! Published price files as rows of the price book.
//!
//! Two formats are read, as their projects publish them: the price file of LiteLLM
//! (`model_prices_and_context_window.json`) and `data.json` of genai-prices. Nothing in them is silently free: what cannot
//! be read exactly is left out with its reason, and a price of zero that a file states is named.

use serde_json::Value;

use super::Price;

mod entry;
mod genai;
mod litellm;
mod number;
mod units;

#[cfg(test)]
mod tests;

/// A file, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Its models, each provider and name once.
    pub models: Vec<ListedModel>,
    /// What it lists that is not among them.
    pub skipped: Vec<Skipped>,
}

/// A model with its prices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedModel {
    /// Who serves it, under the name that LiteLLM has for it.
    pub provider: String,
    /// Its name there.
    pub model: String,
    /// Other names under which the file files it.
    pub aliases: Vec<Alias>,
    /// What it is for: `chat`, `embeddings`, `transcription`, ...
    pub operation: Option<String>,
    /// The most input tokens that it takes.
    pub context_tokens: Option<i64>,
    /// The most tokens that it answers.
    pub max_output_tokens: Option<i64>,
    /// The day on which its provider retires it.
    pub deprecated_on: Option<String>,
    /// Where the file has its prices from.
    pub source_url: Option<String>,
    /// Its prices; never empty.
    pub versions: Vec<ListedPrice>,
    /// What the file states about its price that is not in the versions or is to be doubted, each with the reason.
    pub ignored: Vec<String>,
}

/// Another name of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alias {
    /// A clause as [`clause::matches`](super::clause::matches) reads it.
    pub pattern: Value,
    /// Whether the name without any provider means this provider.
    pub is_default_provider: bool,
}

/// One row of the price book, not yet numbered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedPrice {
    /// Where it holds, or [`ANY_REGION`](super::ANY_REGION).
    pub region: String,
    /// Tier for which it holds.
    pub service_tier: String,
    /// It holds for requests of more input tokens than this.
    pub above_input_tokens: i64,
    /// First day on which it holds, in UTC; none is the day of the import, because the file does not say.
    pub valid_from: Option<String>,
    /// First day on which it no longer holds.
    pub valid_until: Option<String>,
    /// All prices under these circumstances; the row is complete by itself.
    pub price: Price,
}

/// What was left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// Its name in the file.
    pub name: String,
    /// Why.
    pub reason: String,
}

/// Why nothing can be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// Neither format.
    #[error(
        "neither the price file of LiteLLM (an object of objects) nor data.json of genai-prices (a list of providers)"
    )]
    UnknownFormat,
}

/// Reads a price file of either format.
///
/// # Errors
/// [`ImportError::UnknownFormat`]. An entry that cannot be read is no error; it is in [`Document::skipped`].
pub fn read(document: &Value) -> Result<Document, ImportError> {
    match document {
        Value::Array(providers) if genai::is_list_of_providers(providers) => Ok(genai::read(providers)),
        Value::Object(entries) => match entries.get("providers") {
            Some(Value::Array(providers)) if genai::is_list_of_providers(providers) => Ok(genai::read(providers)),
            _ if entries.values().any(Value::is_object) => Ok(litellm::read(entries)),
            _ => Err(ImportError::UnknownFormat),
        },
        _ => Err(ImportError::UnknownFormat),
    }
}
