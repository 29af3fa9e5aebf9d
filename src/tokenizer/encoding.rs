//! The encodings and their names.

use std::fmt;

/// An encoding of OpenAI's tiktoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Encoding {
    /// `gpt-oss`: the ordinary tokens of `o200k_base` and more special ones.
    O200kHarmony,
    /// GPT-4o, GPT-4.1, GPT-5 and the o-series.
    O200kBase,
    /// GPT-4, GPT-3.5 and the embeddings of the third generation.
    Cl100kBase,
    /// `text-davinci-002`, `text-davinci-003` and the Codex models.
    P50kBase,
    /// The edit models: the ordinary tokens of `p50k_base` and more special ones.
    P50kEdit,
    /// GPT-3 and, under the name `gpt2`, GPT-2.
    R50kBase,
}

impl Encoding {
    /// Every encoding.
    pub const ALL: [Encoding; 6] = [
        Encoding::O200kHarmony,
        Encoding::O200kBase,
        Encoding::Cl100kBase,
        Encoding::P50kBase,
        Encoding::P50kEdit,
        Encoding::R50kBase,
    ];

    /// tiktoken's name of the encoding.
    pub fn name(self) -> &'static str {
        match self {
            Encoding::O200kHarmony => "o200k_harmony",
            Encoding::O200kBase => "o200k_base",
            Encoding::Cl100kBase => "cl100k_base",
            Encoding::P50kBase => "p50k_base",
            Encoding::P50kEdit => "p50k_edit",
            Encoding::R50kBase => "r50k_base",
        }
    }

    /// The encoding of that name; `gpt2` is tiktoken's other name of `r50k_base`.
    pub fn from_name(name: &str) -> Option<Self> {
        if name == "gpt2" {
            return Some(Encoding::R50kBase);
        }
        Self::ALL.into_iter().find(|encoding| encoding.name() == name)
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
