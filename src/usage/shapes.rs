//! The list of shapes, and how one of them is chosen.

use super::{
    Reason, Source, Usage, UsageError, anthropic, bedrock, buckets, cohere, counters, gemini, interactions, langchain,
    ocr, ollama, openai_agents, openai_chat, openai_images, openai_realtime, openai_responses, openai_transcription,
    opentelemetry, plain, total_only, vercel,
};

/// One way to write usage. To add one: a file with `fits`, `recognise` and `read`, a constant here, and its name among
/// the providers that use it.
pub(super) struct Shape {
    pub(super) name: &'static str,
    /// Whether it has the counts that the shape cannot do without.
    fits: fn(&Source<'_>) -> bool,
    /// Whether it has a mark of this shape.
    recognise: fn(&Source<'_>) -> bool,
    pub(super) read: fn(&Source<'_>) -> Result<Usage, UsageError>,
}

macro_rules! shapes {
    ($($constant:ident = $name:literal, $module:ident;)*) => {
        $(
            pub(super) const $constant: Shape =
                Shape { name: $name, fits: $module::fits, recognise: $module::recognise, read: $module::read };
        )*
    };
}

shapes! {
    OPENAI_CHAT = "openai chat", openai_chat;
    OPENAI_RESPONSES = "openai responses", openai_responses;
    OPENAI_REALTIME = "openai realtime", openai_realtime;
    OPENAI_IMAGES = "openai images", openai_images;
    OPENAI_TRANSCRIPTION = "openai transcription", openai_transcription;
    OPENAI_AGENTS = "openai agents", openai_agents;
    ANTHROPIC = "anthropic messages", anthropic;
    GEMINI = "gemini", gemini;
    INTERACTIONS = "gemini interactions", interactions;
    BEDROCK = "bedrock converse", bedrock;
    OCR = "ocr", ocr;
    OLLAMA = "ollama", ollama;
    COHERE = "cohere", cohere;
    LANGCHAIN = "langchain", langchain;
    OPENTELEMETRY = "opentelemetry", opentelemetry;
    VERCEL = "vercel", vercel;
    TOTAL_ONLY = "total only", total_only;
    BUCKETS = "buckets", buckets;
    COUNTERS = "counters", counters;
    PLAIN = "plain", plain;
}

/// Every recogniser asks for a mark of its own, so that at most one should say yes; two mean a mixture of dialects, in
/// which the same name may count different things.
const MARKED: [Shape; 19] = [
    OPENAI_CHAT,
    OPENAI_RESPONSES,
    OPENAI_REALTIME,
    OPENAI_IMAGES,
    OPENAI_TRANSCRIPTION,
    OPENAI_AGENTS,
    ANTHROPIC,
    GEMINI,
    INTERACTIONS,
    BEDROCK,
    OCR,
    OLLAMA,
    COHERE,
    LANGCHAIN,
    OPENTELEMETRY,
    VERCEL,
    TOTAL_ONLY,
    BUCKETS,
    COUNTERS,
];

/// What any provider's usage may be written as.
const ANYBODY: [Shape; 3] = [BUCKETS, COUNTERS, PLAIN];

/// The shape whose mark it bears, or the plain one.
pub(super) fn recognised(source: &Source<'_>) -> Result<Option<&'static Shape>, UsageError> {
    let mut matching = MARKED.iter().filter(|shape| (shape.recognise)(source));
    match (matching.next(), matching.next()) {
        (Some(first), Some(second)) => {
            Err(UsageError::new(source.path, Reason::MixedShapes { first: first.name, second: second.name }))
        }
        (Some(shape), None) => Ok(Some(shape)),
        (None, _) => Ok(Some(&PLAIN).filter(|shape| (shape.fits)(source))),
    }
}

/// The first of a provider's shapes that fits, those first whose mark it bears.
pub(super) fn fitting(source: &Source<'_>, shapes: &'static [Shape]) -> Option<&'static Shape> {
    let all = || shapes.iter().chain(&ANYBODY);
    all()
        .find(|shape| (shape.fits)(source) && (shape.recognise)(source))
        .or_else(|| all().find(|shape| (shape.fits)(source)))
}
