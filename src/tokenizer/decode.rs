//! From tokens back to text.

use super::encoding::Encoding;
use super::engine::counter;
use super::error::TokenizerError;

/// The special tokens of an encoding that have a name of their own.
///
/// Source: `tiktoken_ext/openai_public.py` of tiktoken; a test compares with tiktoken-rs.
fn named_special_token(encoding: Encoding, id: u32) -> Option<&'static str> {
    let text = match (encoding, id) {
        (Encoding::Cl100kBase, 100257) => "<|endoftext|>",
        (Encoding::Cl100kBase, 100258) => "<|fim_prefix|>",
        (Encoding::Cl100kBase, 100259) => "<|fim_middle|>",
        (Encoding::Cl100kBase, 100260) => "<|fim_suffix|>",
        (Encoding::Cl100kBase, 100276) => "<|endofprompt|>",
        (Encoding::O200kBase | Encoding::O200kHarmony, 199999) => "<|endoftext|>",
        (Encoding::O200kBase, 200018) => "<|endofprompt|>",
        (Encoding::O200kHarmony, 199998) => "<|startoftext|>",
        (Encoding::O200kHarmony, 200002) => "<|return|>",
        (Encoding::O200kHarmony, 200003) => "<|constrain|>",
        (Encoding::O200kHarmony, 200005) => "<|channel|>",
        (Encoding::O200kHarmony, 200006) => "<|start|>",
        (Encoding::O200kHarmony, 200007) => "<|end|>",
        (Encoding::O200kHarmony, 200008) => "<|message|>",
        (Encoding::O200kHarmony, 200012) => "<|call|>",
        (Encoding::P50kBase | Encoding::P50kEdit | Encoding::R50kBase, 50256) => "<|endoftext|>",
        (Encoding::P50kEdit, 50281) => "<|fim_prefix|>",
        (Encoding::P50kEdit, 50282) => "<|fim_middle|>",
        (Encoding::P50kEdit, 50283) => "<|fim_suffix|>",
        _ => return None,
    };
    Some(text)
}

/// The text of `tokens`; a special token gives its text, such as `<|endoftext|>`.
///
/// An id that the encoding does not have is an error, and so are tokens whose bytes are not valid
/// UTF-8: a token may end inside a character, so any part of a sequence of tokens may be none.
pub fn decode(tokens: &[i64], encoding: Encoding) -> Result<String, TokenizerError> {
    let counter = counter(encoding);
    let mut bytes = Vec::with_capacity(tokens.len().saturating_mul(4));
    for &id in tokens {
        let invalid = || TokenizerError::InvalidToken { id, encoding: encoding.name() };
        let token = u32::try_from(id).map_err(|_| invalid())?;
        if let Some(ordinary) = counter.token_bytes(token) {
            bytes.extend_from_slice(ordinary);
        } else if let Some(special) = named_special_token(encoding, token) {
            bytes.extend_from_slice(special.as_bytes());
        } else if encoding == Encoding::O200kHarmony && (200000..=201087).contains(&token) {
            bytes.extend_from_slice(format!("<|reserved_{token}|>").as_bytes());
        } else {
            return Err(invalid());
        }
    }
    String::from_utf8(bytes).map_err(|error| TokenizerError::NotUtf8 { valid_up_to: error.utf8_error().valid_up_to() })
}
