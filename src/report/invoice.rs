//! What a provider says was used and what it charges, read into lines of one kind.
//!
//! One file per shape; each names the document that it follows. Numbers stay exact: a cost is kept with the digits that the
//! document has. A row that cannot be read refuses the whole document and says where it is, so that nothing is silently left
//! out of a reconciliation; what a document has beside that, and no reconciliation can use, is listed with the reason.

use serde_json::{Value, json};

mod amount;
mod anthropic_cost;
mod anthropic_usage;
mod error;
mod focus;
mod instant;
mod line;
mod openai_costs;
mod openai_usage;
mod pages;
mod plain;
mod table;
mod token_kind;

#[cfg(test)]
mod tests;

pub use amount::Amount;
pub use error::ReadError;
pub use line::{Charge, Line};

/// The shapes that are understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    OpenaiUsage,
    OpenaiCosts,
    AnthropicUsage,
    AnthropicCost,
    Csv,
    Focus,
}

impl Format {
    pub const ALL: [Format; 6] = [
        Format::OpenaiUsage,
        Format::OpenaiCosts,
        Format::AnthropicUsage,
        Format::AnthropicCost,
        Format::Csv,
        Format::Focus,
    ];

    /// The name by which a caller asks for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Format::OpenaiUsage => "openai_usage",
            Format::OpenaiCosts => "openai_costs",
            Format::AnthropicUsage => "anthropic_usage",
            Format::AnthropicCost => "anthropic_cost",
            Format::Csv => "csv",
            Format::Focus => "focus",
        }
    }

    pub fn from_name(name: &str) -> Option<Format> {
        Format::ALL.into_iter().find(|format| format.as_str() == name)
    }
}

/// A row that is in the document and in no line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    pub at: String,
    pub reason: String,
}

/// A document, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    pub format: Format,
    /// Which of several exports of the format: `completions`, `embeddings`, ...; empty where there is only one.
    pub feed: String,
    /// What it covers, in microseconds since 1970: also days on which it has nothing.
    pub starts_at: i64,
    pub ends_at: i64,
    pub lines: Vec<Line>,
    pub skipped: Vec<Skipped>,
}

impl Document {
    fn new(format: Format) -> Self {
        Document {
            format,
            feed: String::new(),
            starts_at: i64::MAX,
            ends_at: i64::MIN,
            lines: Vec::new(),
            skipped: Vec::new(),
        }
    }

    fn cover(&mut self, starts_at: i64, ends_at: i64) {
        self.starts_at = self.starts_at.min(starts_at);
        self.ends_at = self.ends_at.max(ends_at);
    }

    /// Takes a line, or notes why it is left out.
    fn take(&mut self, line: Line) {
        if line.is_empty() {
            self.skipped
                .push(Skipped { at: line.at, reason: "no tokens, no requests, no other usage and no cost".into() });
        } else {
            self.lines.push(line);
        }
    }

    /// As the database takes it.
    pub fn to_json(&self) -> Value {
        json!({
            "format": self.format.as_str(),
            "feed": self.feed,
            "starts_at": instant::format(self.starts_at),
            "ends_at": instant::format(self.ends_at),
            "lines": self.lines.iter().map(Line::to_json).collect::<Vec<_>>(),
            "skipped": self.skipped.iter().map(|skipped| json!({"at": skipped.at, "reason": skipped.reason})).collect::<Vec<_>>(),
        })
    }
}

/// Reads a document. `provider` is whom the lines are from, whatever the document says; `format` is found by the shape if
/// it is not given.
///
/// # Errors
/// [`ReadError`]: the first row that cannot be read, or a document of none of the shapes.
pub fn read(document: &str, provider: Option<&str>, format: Option<Format>) -> Result<Document, ReadError> {
    // Spreadsheets begin a file with a byte order mark.
    let text = document.strip_prefix('\u{feff}').unwrap_or(document);
    let is_json = text.trim_start().starts_with(['{', '[']);
    let mut read = if is_json {
        let value: Value = serde_json::from_str(text).map_err(|error| {
            let at = format!("line {}, column {}", error.line(), error.column());
            ReadError::new(at, format!("not JSON: {error}"))
        })?;
        let format = format.map_or_else(|| pages::detect(&value), Ok)?;
        match format {
            Format::OpenaiUsage => openai_usage::read(&value)?,
            Format::OpenaiCosts => openai_costs::read(&value)?,
            Format::AnthropicUsage => anthropic_usage::read(&value)?,
            Format::AnthropicCost => anthropic_cost::read(&value)?,
            Format::Csv | Format::Focus => return Err(ReadError::new("document", "JSON, where CSV was announced")),
        }
    } else {
        let format = format.map_or_else(|| table::detect(text), Ok)?;
        match format {
            Format::Csv => plain::read(text, provider)?,
            Format::Focus => focus::read(text, provider)?,
            _ => return Err(ReadError::new("document", "not JSON")),
        }
    };
    if let Some(provider) = provider {
        for line in &mut read.lines {
            provider.clone_into(&mut line.provider);
        }
    }
    if read.starts_at >= read.ends_at {
        return Err(ReadError::new("document", "no rows, and no period that it covers"));
    }
    Ok(read)
}
