//! Why a document cannot be read.

/// The first thing in a document that cannot be read, and where it is: a path such as `data[0].results[2].amount`, or
/// `line 7, column cost`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{at}: {why}")]
pub struct ReadError {
    pub at: String,
    pub why: String,
}

impl ReadError {
    pub fn new(at: impl Into<String>, why: impl Into<String>) -> Self {
        ReadError { at: at.into(), why: why.into() }
    }
}
