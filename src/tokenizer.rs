//! Exact token counts for OpenAI's public encodings.
//!
//! A text is cut into *pieces* by the pattern of its encoding ([`pattern`]), and every piece is byte-pair encoded on its
//! own. Most pieces repeat, so their counts are remembered ([`cache`]); a piece of any length costs bounded memory
//! ([`giant`]). Only *ordinary* tokens exist here: the text of a special token, such as `<|endoftext|>`, is plain text,
//! because counting it as one token would let a prompt pass below its budget.
//!
//! Every function that may run long takes an `interrupt` callback, called about once per 16 KB of input. The callback may
//! unwind by panic; no state survives that could be left half done.

mod cache;
mod chars;
mod counter;
mod decode;
mod encoding;
mod engine;
mod error;
mod giant;
mod merge;
mod messages;
mod model;
mod pattern;
mod split;
mod truncate;
mod vocabulary;

#[cfg(test)]
mod tests;

pub use decode::decode;
pub use encoding::Encoding;
pub use error::TokenizerError;
pub use messages::count_messages;
pub use model::{UnknownModel, resolve};
pub use split::{Chunk, split};
pub use truncate::truncate;

use engine::counter;

/// The number of tokens of `text`.
pub fn count(text: &str, encoding: Encoding, interrupt: &mut dyn FnMut()) -> Result<usize, TokenizerError> {
    // Nothing exceeds `usize::MAX` tokens, so the limit cannot be met.
    Ok(counter(encoding).count_up_to(text, usize::MAX, interrupt).unwrap_or(usize::MAX))
}

/// Whether `text` has at most `max_tokens` tokens. Stops at the limit, however long the text is.
pub fn fits(
    text: &str,
    encoding: Encoding,
    max_tokens: usize,
    interrupt: &mut dyn FnMut(),
) -> Result<bool, TokenizerError> {
    Ok(counter(encoding).count_up_to(text, max_tokens, interrupt).is_some())
}

/// The tokens of `text`.
pub fn encode(text: &str, encoding: Encoding, interrupt: &mut dyn FnMut()) -> Result<Vec<u32>, TokenizerError> {
    Ok(counter(encoding).encode(text, interrupt))
}

/// Builds the tables of the current encodings and counts one short text with each.
///
/// Called where the library is preloaded: the processes forked afterwards share the tables and need no work of their own.
/// The old encodings are left out, because few users would get anything for their memory.
pub fn preload() {
    for encoding in [Encoding::Cl100kBase, Encoding::O200kBase] {
        counter(encoding).count_up_to("A warm-up of 1 text.", usize::MAX, &mut || ());
    }
    // The cache is private to each process: the parent's would only be copied page by page in its children.
    cache::release();
}
