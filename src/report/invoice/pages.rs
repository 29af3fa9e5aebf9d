//! What the JSON exports have in common: pages of buckets of results.

use serde_json::{Map, Value};

use super::{Amount, Document, Format, ReadError, Skipped};

/// An object of a document that knows where it stands.
#[derive(Clone)]
pub struct Node<'a> {
    pub at: String,
    object: &'a Map<String, Value>,
}

impl<'a> Node<'a> {
    fn new(at: String, value: &'a Value) -> Result<Node<'a>, ReadError> {
        match value.as_object() {
            Some(object) => Ok(Node { at, object }),
            None => Err(ReadError::new(at, "not an object")),
        }
    }

    fn path(&self, name: &str) -> String {
        if self.at.is_empty() { name.to_string() } else { format!("{}.{name}", self.at) }
    }

    pub fn refuse(&self, name: &str, why: impl Into<String>) -> ReadError {
        ReadError::new(self.path(name), why)
    }

    /// A member that is there and not null.
    fn get(&self, name: &str) -> Option<&'a Value> {
        self.object.get(name).filter(|value| !value.is_null())
    }

    /// A text; none if it is empty.
    pub fn text(&self, name: &str) -> Result<Option<String>, ReadError> {
        match self.get(name) {
            None => Ok(None),
            // PostgreSQL's texts cannot have it.
            Some(Value::String(text)) if text.contains('\0') => Err(self.refuse(name, "a text with a NUL")),
            Some(Value::String(text)) => Ok(Some(text.clone()).filter(|text| !text.trim().is_empty())),
            Some(_) => Err(self.refuse(name, "not a text")),
        }
    }

    /// A number, or a text of one.
    pub fn amount(&self, name: &str) -> Result<Option<Amount>, ReadError> {
        let text = match self.get(name) {
            None => return Ok(None),
            Some(Value::String(text)) => text.trim().to_string(),
            Some(Value::Number(number)) => number.to_string(),
            Some(_) => return Err(self.refuse(name, "not a number")),
        };
        Amount::parse(&text).map(Some).map_err(|why| self.refuse(name, why))
    }

    /// A count of something.
    pub fn count(&self, name: &str) -> Result<Option<i64>, ReadError> {
        match self.amount(name)? {
            Some(amount) => amount.count().map(Some).map_err(|why| self.refuse(name, why)),
            None => Ok(None),
        }
    }

    pub fn required_count(&self, name: &str) -> Result<i64, ReadError> {
        self.count(name)?.ok_or_else(|| self.refuse(name, "missing"))
    }

    pub fn required_text(&self, name: &str) -> Result<String, ReadError> {
        self.text(name)?.ok_or_else(|| self.refuse(name, "missing"))
    }

    pub fn child(&self, name: &str) -> Result<Option<Node<'a>>, ReadError> {
        self.get(name).map(|value| Node::new(self.path(name), value)).transpose()
    }

    pub fn children(&self, name: &str) -> Result<Vec<Node<'a>>, ReadError> {
        match self.get(name) {
            Some(Value::Array(values)) => values
                .iter()
                .enumerate()
                .map(|(index, value)| Node::new(format!("{}[{index}]", self.path(name)), value))
                .collect(),
            Some(_) => Err(self.refuse(name, "not an array")),
            None => Err(self.refuse(name, "missing")),
        }
    }
}

/// Reads every result of every bucket of every page, of which `period` tells the period of a bucket.
pub fn read(
    document: &Value,
    format: Format,
    period: impl Fn(&Node<'_>) -> Result<(i64, i64), ReadError>,
    mut take: impl FnMut(&mut Document, &Node<'_>, (i64, i64)) -> Result<(), ReadError>,
) -> Result<Document, ReadError> {
    let mut read = Document::new(format);
    let pages = pages(document)?;
    for page in &pages {
        for bucket in page.children("data")? {
            let period = period(&bucket)?;
            read.cover(period.0, period.1);
            for result in bucket.children("results")? {
                take(&mut read, &result, period)?;
            }
        }
    }
    note_missing_page(&mut read, &pages);
    Ok(read)
}

/// The period of a bucket: from the instant under one name up to the later one under the other.
pub fn period(
    bucket: &Node<'_>,
    (start, end): (&str, &str),
    instant: impl Fn(&str) -> Result<Option<i64>, ReadError>,
) -> Result<(i64, i64), ReadError> {
    let instant = |name: &str| instant(name)?.ok_or_else(|| bucket.refuse(name, "not an instant from 1970 to 9999"));
    let (starts_at, ends_at) = (instant(start)?, instant(end)?);
    if starts_at < ends_at { Ok((starts_at, ends_at)) } else { Err(bucket.refuse(end, format!("not after {start}"))) }
}

/// The pages: one as the API answers it, or several in an array.
fn pages(document: &Value) -> Result<Vec<Node<'_>>, ReadError> {
    match document {
        Value::Array(pages) => {
            pages.iter().enumerate().map(|(index, page)| Node::new(format!("[{index}]"), page)).collect()
        }
        page => Node::new(String::new(), page).map(|page| vec![page]),
    }
}

/// Notes that the API has more than the document.
fn note_missing_page(document: &mut Document, pages: &[Node<'_>]) {
    if let Some(page) = pages.last().filter(|page| page.get("has_more") == Some(&Value::Bool(true))) {
        document
            .skipped
            .push(Skipped { at: page.path("has_more"), reason: "the export has more pages: load those too".into() });
    }
}

/// The shape, by the first result; an export without any says it by how it names its periods.
pub fn detect(document: &Value) -> Result<Format, ReadError> {
    const UNKNOWN: &str = "neither a usage or costs page of OpenAI nor a usage or cost report of Anthropic";
    let mut is_anthropic = false;
    for page in pages(document)? {
        for bucket in page.children("data").map_err(|_| ReadError::new("document", UNKNOWN))? {
            is_anthropic |= bucket.get("starting_at").is_some();
            let results = bucket.children("results").map_err(|_| ReadError::new("document", UNKNOWN))?;
            if let Some(result) = results.into_iter().next() {
                let object = result.text("object")?.unwrap_or_default();
                return if object == "organization.costs.result" {
                    Ok(Format::OpenaiCosts)
                } else if object.starts_with("organization.usage.") {
                    Ok(Format::OpenaiUsage)
                } else if is_anthropic && result.get("uncached_input_tokens").is_some() {
                    Ok(Format::AnthropicUsage)
                } else if is_anthropic && result.get("amount").is_some() {
                    Ok(Format::AnthropicCost)
                } else {
                    Err(ReadError::new(result.at, UNKNOWN))
                };
            }
        }
    }
    Err(ReadError::new("document", "no results, so that the shape cannot be seen: name the format"))
}
