//! Windows of a text with a limit of tokens each.

use std::ops::Range;

use super::encoding::Encoding;
use super::engine::counter;
use super::error::TokenizerError;

/// One window of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// Its bytes in the text.
    pub range: Range<usize>,
    /// Its tokens when it is counted by itself.
    pub token_count: usize,
}

/// Cuts `text` into windows of at most `max_tokens` tokens, each as long as possible, each counted
/// by itself. A window begins up to `overlap` tokens before the end of the one before.
///
/// All cuts are at character boundaries. Every window reaches further than the one before, and the
/// parts behind the overlaps join to the whole text. An overlap is shortened where the window would
/// not reach further otherwise.
pub fn split(
    text: &str,
    encoding: Encoding,
    max_tokens: usize,
    overlap: usize,
    interrupt: &mut dyn FnMut(),
) -> Result<Vec<Chunk>, TokenizerError> {
    if max_tokens == 0 {
        return Err(TokenizerError::InvalidArgument("max_tokens must be at least 1".to_owned()));
    }
    if overlap >= max_tokens {
        return Err(TokenizerError::InvalidArgument(format!(
            "overlap ({overlap}) must be less than max_tokens ({max_tokens})"
        )));
    }
    let counter = counter(encoding);
    let mut chunks = Vec::new();
    let mut start = 0;
    let mut covered = 0;
    while covered < text.len() {
        interrupt();
        let mut end = start + counter.longest_prefix(&text[start..], max_tokens, interrupt);
        if end <= covered {
            // The overlap leaves no room for the next character.
            start = covered;
            end = start + counter.longest_prefix(&text[start..], max_tokens, interrupt);
        }
        if end == start {
            return Err(TokenizerError::InvalidArgument(format!(
                "max_tokens ({max_tokens}) is less than the tokens of one character (at byte {start})"
            )));
        }
        let tokens = counter.encode(&text[start..end], interrupt);
        chunks.push(Chunk { range: start..end, token_count: tokens.len() });
        covered = end;
        let shared: usize =
            tokens.iter().rev().take(overlap).filter_map(|token| counter.token_bytes(*token)).map(<[u8]>::len).sum();
        // A token may begin inside a character: the next one, so that the overlap is not longer.
        start = text.ceil_char_boundary(end - shared);
    }
    Ok(chunks)
}
