//! Patterns of model names, in the vocabulary of genai-prices.
//!
//! Source: `ClauseEquals` and the other clauses of genai-prices' `types.py`. Each is an object with one key: `equals`,
//! `starts_with`, `ends_with` and `contains` compare without regard to case, `regex` searches the name in lower case, `or`
//! and `and` hold lists of clauses.

use fancy_regex::{Regex, RegexBuilder};
use serde_json::Value;

/// Steps that a regular expression may take before it counts as no match: patterns come from outside, and some backtrack.
const BACKTRACK_LIMIT: usize = 100_000;

/// How deep clauses may be nested; published ones have two levels.
const MAX_DEPTH: usize = 16;

/// Why a pattern is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClauseError {
    /// Not an object with one of the known keys and a value of its kind.
    #[error("not a clause")]
    Syntax,
    /// A regular expression that does not compile.
    #[error("not a regular expression: {0}")]
    Regex(String),
    /// A list without clauses: under `and` it would match everything.
    #[error("an empty list of clauses")]
    Empty,
    /// Nested too deeply.
    #[error("clauses are nested too deeply")]
    Depth,
}

/// Whether the name is meant by the pattern. What is no pattern means no name.
pub fn matches(pattern: &Value, name: &str) -> bool {
    is_match(pattern, &name.to_lowercase(), MAX_DEPTH)
}

/// Checks that a pattern can be used.
///
/// # Errors
/// [`ClauseError`].
pub fn check(pattern: &Value) -> Result<(), ClauseError> {
    check_at(pattern, MAX_DEPTH)
}

enum Clause<'a> {
    Text(fn(&str, &str) -> bool, &'a str),
    Regex(&'a str),
    Or(&'a [Value]),
    And(&'a [Value]),
}

fn clause(pattern: &Value) -> Option<Clause<'_>> {
    let object = pattern.as_object().filter(|object| object.len() == 1)?;
    let (kind, value) = object.iter().next()?;
    match (kind.as_str(), value) {
        ("equals", Value::String(text)) => Some(Clause::Text(|name, text| name == text, text)),
        ("starts_with", Value::String(text)) => Some(Clause::Text(|name, text| name.starts_with(text), text)),
        ("ends_with", Value::String(text)) => Some(Clause::Text(|name, text| name.ends_with(text), text)),
        ("contains", Value::String(text)) => Some(Clause::Text(|name, text| name.contains(text), text)),
        ("regex", Value::String(text)) => Some(Clause::Regex(text)),
        ("or", Value::Array(parts)) => Some(Clause::Or(parts)),
        ("and", Value::Array(parts)) => Some(Clause::And(parts)),
        _ => None,
    }
}

fn is_match(pattern: &Value, lower_name: &str, depth: usize) -> bool {
    let Some(deeper) = depth.checked_sub(1) else {
        return false;
    };
    match clause(pattern) {
        Some(Clause::Text(compare, text)) => compare(lower_name, &text.to_lowercase()),
        Some(Clause::Regex(text)) => compile(text).is_ok_and(|regex| regex.is_match(lower_name).unwrap_or(false)),
        Some(Clause::Or(parts)) => parts.iter().any(|part| is_match(part, lower_name, deeper)),
        Some(Clause::And(parts)) => !parts.is_empty() && parts.iter().all(|part| is_match(part, lower_name, deeper)),
        None => false,
    }
}

fn check_at(pattern: &Value, depth: usize) -> Result<(), ClauseError> {
    let deeper = depth.checked_sub(1).ok_or(ClauseError::Depth)?;
    match clause(pattern).ok_or(ClauseError::Syntax)? {
        Clause::Text(..) => Ok(()),
        Clause::Regex(text) => compile(text).map(|_| ()).map_err(|error| ClauseError::Regex(error.to_string())),
        Clause::Or([]) | Clause::And([]) => Err(ClauseError::Empty),
        Clause::Or(parts) | Clause::And(parts) => parts.iter().try_for_each(|part| check_at(part, deeper)),
    }
}

fn compile(text: &str) -> Result<Regex, Box<fancy_regex::Error>> {
    RegexBuilder::new(text).backtrack_limit(BACKTRACK_LIMIT).build().map_err(Box::new)
}
