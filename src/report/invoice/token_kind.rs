//! Kinds of token as documents call them in words.

use super::Line;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    UncachedInput,
    CacheRead,
    CacheWrite,
    Output,
}

impl TokenKind {
    /// The kind that words such as `cached input`, `Output Tokens` or `cache_creation.ephemeral_5m_input_tokens` mean.
    pub fn from_words(words: &str) -> Option<TokenKind> {
        let words = words.to_ascii_lowercase();
        let has = |needles: &[&str]| needles.iter().any(|needle| words.contains(needle));
        // Reading "uncached" as cached would move the dearest part of the input to the cheapest.
        if has(&["output", "completion", "reasoning", "thinking"]) {
            Some(TokenKind::Output)
        } else if has(&["uncached"]) {
            Some(TokenKind::UncachedInput)
        } else if has(&["cache write", "cache_write", "cachewrite", "cache creation", "cache_creation"]) {
            Some(TokenKind::CacheWrite)
        } else if has(&["cache"]) {
            Some(TokenKind::CacheRead)
        } else if has(&["input", "prompt", "embedding"]) {
            Some(TokenKind::UncachedInput)
        } else {
            None
        }
    }

    pub fn set(self, line: &mut Line, tokens: i64) {
        match self {
            TokenKind::UncachedInput => line.uncached_input_tokens = Some(tokens),
            TokenKind::CacheRead => line.cache_read_input_tokens = Some(tokens),
            TokenKind::CacheWrite => line.cache_write_input_tokens = Some(tokens),
            TokenKind::Output => line.output_tokens = Some(tokens),
        }
    }
}
