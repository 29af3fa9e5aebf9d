//! What can go wrong.

use super::model::UnknownModel;

/// An error that the caller of the tokenizer can cause.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenizerError {
    /// The name is neither an encoding nor a model whose encoding is public.
    #[error(transparent)]
    UnknownModel(#[from] UnknownModel),
    /// The id is negative or not in the encoding's vocabulary.
    #[error("token {id} does not exist in {encoding}")]
    InvalidToken {
        /// The id as it was given.
        id: i64,
        /// The name of the encoding.
        encoding: &'static str,
    },
    /// The tokens do not join to valid UTF-8; a token may hold a part of a character.
    #[error("the tokens decode to bytes that are not valid UTF-8 (at byte {valid_up_to})")]
    NotUtf8 {
        /// How many bytes are valid before the first that is not.
        valid_up_to: usize,
    },
    /// A part of `messages` or `tools` that cannot be counted.
    #[error("{path}: {problem}")]
    InvalidMessages {
        /// Where: a JSON path that begins with the argument, such as `messages[2].content`.
        path: String,
        /// What is wrong there.
        problem: String,
    },
    /// An argument out of its range.
    #[error("{0}")]
    InvalidArgument(String),
}
