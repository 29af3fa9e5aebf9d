//! Which encoding a model uses.

use crate::nearest::nearest;
use tiktoken_rs::tokenizer::{Tokenizer, get_tokenizer};

use super::encoding::Encoding;

/// The model names of tiktoken's table, for messages. The lookup itself asks tiktoken-rs; a test keeps both equal.
const MODELS: &[&str] = &[
    "ada",
    "babbage",
    "babbage-002",
    "code-cushman-001",
    "code-cushman-002",
    "code-davinci-001",
    "code-davinci-002",
    "code-davinci-edit-001",
    "code-search-ada-code-001",
    "code-search-babbage-code-001",
    "curie",
    "cushman-codex",
    "davinci",
    "davinci-002",
    "davinci-codex",
    "gpt-2",
    "gpt-3.5",
    "gpt-3.5-turbo",
    "gpt-35-turbo",
    "gpt-4",
    "gpt-4.1",
    "gpt-4o",
    "gpt-5",
    "o1",
    "o3",
    "o4-mini",
    "text-ada-001",
    "text-babbage-001",
    "text-curie-001",
    "text-davinci-001",
    "text-davinci-002",
    "text-davinci-003",
    "text-davinci-edit-001",
    "text-embedding-3-large",
    "text-embedding-3-small",
    "text-embedding-ada-002",
    "text-search-ada-doc-001",
    "text-search-babbage-doc-001",
    "text-search-curie-doc-001",
    "text-search-davinci-doc-001",
    "text-similarity-ada-001",
    "text-similarity-babbage-001",
    "text-similarity-curie-001",
    "text-similarity-davinci-001",
];

/// The prefixes of tiktoken's table: any name that begins so is known.
const PREFIXES: &[&str] = &[
    "chatgpt-4o-",
    "codex-mini",
    "gpt-3.5-turbo-",
    "gpt-35-turbo-",
    "gpt-4-",
    "gpt-4.1-",
    "gpt-4.5-",
    "gpt-4o-",
    "gpt-5",
    "gpt-oss-",
    "o1-",
    "o3-",
    "o4-mini-",
];

/// A name that is neither an encoding nor a model whose encoding is public.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown model or encoding {name:?}")]
pub struct UnknownModel {
    /// The name as it was given.
    pub name: String,
}

impl UnknownModel {
    /// Every known encoding, model and prefix, sorted; a prefix ends with `*`.
    pub fn known() -> Vec<String> {
        let encodings = Encoding::ALL.iter().map(|encoding| encoding.name().to_owned());
        let models = MODELS.iter().map(|&model| model.to_owned());
        let prefixes = PREFIXES.iter().map(|prefix| format!("{prefix}*"));
        let mut known: Vec<String> =
            encodings.chain(["gpt2".to_owned(), "ft:*".to_owned()]).chain(models).chain(prefixes).collect();
        known.sort_unstable();
        known
    }

    /// The known names nearest to the unknown one, best first; none if nothing is similar.
    pub fn suggestions(&self) -> Vec<&'static str> {
        nearest(
            &self.name,
            Encoding::ALL.iter().map(|encoding| encoding.name()).chain(["gpt2"]).chain(MODELS.iter().copied()),
        )
    }
}

/// The encoding of a model (its name, a name with a known prefix, or a fine-tuned `ft:` one) or of an encoding's own name.
///
/// A name that is not in tiktoken's table is an error, never a guess: a wrong encoding gives a wrong count in silence.
pub fn resolve(model_or_encoding: &str) -> Result<Encoding, UnknownModel> {
    if let Some(encoding) = Encoding::from_name(model_or_encoding) {
        return Ok(encoding);
    }
    match get_tokenizer(model_or_encoding) {
        Some(Tokenizer::O200kHarmony) => Ok(Encoding::O200kHarmony),
        Some(Tokenizer::O200kBase) => Ok(Encoding::O200kBase),
        Some(Tokenizer::Cl100kBase) => Ok(Encoding::Cl100kBase),
        Some(Tokenizer::P50kBase) => Ok(Encoding::P50kBase),
        Some(Tokenizer::P50kEdit) => Ok(Encoding::P50kEdit),
        Some(Tokenizer::R50kBase | Tokenizer::Gpt2) => Ok(Encoding::R50kBase),
        None => Err(UnknownModel { name: model_or_encoding.to_owned() }),
    }
}
