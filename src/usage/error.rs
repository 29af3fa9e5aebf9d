//! Why a usage object was refused.

use serde_json::Value;

/// A refused usage object; the server reports it as SQLSTATE TB008.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("usage at {path}: {reason}")]
pub struct UsageError {
    /// JSON path of the offending value, `$` being the value that was passed in; or the name of a sum.
    pub path: String,
    /// What is wrong with it.
    pub reason: Reason,
}

/// What is wrong with a value in a usage object.
///
/// No reason carries the value itself: a usage object comes from outside, and what it says must not flood a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// Something else where an object belongs.
    #[error("expected an object, found {0}")]
    NotAnObject(&'static str),
    /// Something else where an array belongs.
    #[error("expected an array, found {0}")]
    NotAnArray(&'static str),
    /// Something else where a count belongs.
    #[error("expected a number, found {0}")]
    NotANumber(&'static str),
    /// An object with no shape known here.
    #[error("no known usage shape")]
    UnknownShape,
    /// The marks of two shapes at once, which may count the same tokens differently.
    #[error("mixes the shapes of {first} and {second}")]
    MixedShapes {
        /// The shape found first.
        first: &'static str,
        /// The shape found next.
        second: &'static str,
    },
    /// A provider that no shape is known for.
    #[error("no such provider is known")]
    UnknownProvider,
    /// A kind of count that does not exist.
    #[error("no such bucket")]
    UnknownBucket,
    /// A list of responses where the events of one stream belong; their usages would have to be added up.
    #[error("more than one response in the list")]
    SeveralResponses,
    /// A count that the shape cannot do without.
    #[error("required count is missing")]
    Missing,
    /// A count below zero.
    #[error("count is negative")]
    Negative,
    /// A count with a fraction.
    #[error("count is not a whole number")]
    Fractional,
    /// A count, or a sum of counts, above 9223372036854775807.
    #[error("count is out of range for bigint")]
    TooLarge,
}

impl UsageError {
    pub(super) fn new(path: impl Into<String>, reason: Reason) -> Self {
        Self { path: path.into(), reason }
    }
}

/// What a JSON value is, for a message.
pub(super) const fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
