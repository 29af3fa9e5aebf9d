//! The keys of an entry that state a price.
//!
//! They follow a grammar: a base such as `input_cost_per_token`, then in any order `_above_200k_tokens` for requests of more
//! input, `_above_1hr` for the life of a cache write, and a word for the service tier (`_flex`, `_batches`).

use crate::price::import::units::Unit;
use crate::usage::{Bucket, STANDARD, canonical_tier};

/// What the base of a key prices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Base {
    /// One of a thing.
    One(Unit),
    /// A thousand of a thing.
    Thousand(Unit),
    /// Input read from a cache, where the newer key for it is absent.
    CacheHit,
    /// A second of what the model hears or makes.
    Second,
    /// A second of audio that the model hears.
    AudioSecond,
    /// A second of video that the model makes.
    VideoSecond,
    /// An image that the model reads, or one that it makes: the file uses the key for both.
    InputImage,
    /// An image that the model makes.
    OutputImage,
    /// A character that the model reads.
    Character,
    /// A query.
    Query,
    /// A search, by the size of its context.
    Search,
}

const fn one(bucket: Bucket) -> Base {
    Base::One(Unit::Bucket(bucket))
}

const BASES: [(&str, Base); 28] = [
    ("input_cost_per_token", one(Bucket::UncachedInput)),
    ("output_cost_per_token", one(Bucket::OutputText)),
    ("output_cost_per_reasoning_token", one(Bucket::Reasoning)),
    ("cache_read_input_token_cost", one(Bucket::CacheRead)),
    ("cache_creation_input_token_cost", one(Bucket::CacheWrite)),
    ("cache_read_input_audio_token_cost", one(Bucket::CacheReadAudio)),
    ("cache_read_input_image_token_cost", one(Bucket::CacheReadImage)),
    ("input_cost_per_audio_token", one(Bucket::InputAudio)),
    ("output_cost_per_audio_token", one(Bucket::OutputAudio)),
    ("input_cost_per_image_token", one(Bucket::InputImage)),
    ("output_cost_per_image_token", one(Bucket::OutputImage)),
    ("input_cost_per_video_token", one(Bucket::InputVideo)),
    ("citation_cost_per_token", one(Bucket::Citation)),
    ("input_cost_per_request", one(Bucket::Requests)),
    ("ocr_cost_per_page", one(Bucket::Pages)),
    ("annotation_cost_per_page", Base::One(Unit::Meter("annotation_pages"))),
    ("code_interpreter_cost_per_session", Base::One(Unit::Meter("code_interpreter_sessions"))),
    ("input_cost_per_text_message", Base::One(Unit::Meter("text_messages"))),
    ("file_search_cost_per_1k_calls", Base::Thousand(Unit::Meter("file_search_calls"))),
    ("input_cost_per_second", Base::Second),
    ("output_cost_per_second", Base::Second),
    ("cost_per_second", Base::Second),
    ("input_cost_per_audio_per_second", Base::AudioSecond),
    ("output_cost_per_video_per_second", Base::VideoSecond),
    ("input_cost_per_image", Base::InputImage),
    ("output_cost_per_image", Base::OutputImage),
    ("input_cost_per_character", Base::Character),
    ("input_cost_per_query", Base::Query),
];

/// Keys that take no suffix.
const WHOLE_KEYS: [(&str, Base); 2] =
    [("input_cost_per_token_cache_hit", Base::CacheHit), ("search_context_cost_per_query", Base::Search)];

/// Words that name a tier wherever they stand.
const TIERS: [&str; 8] = ["batch", "batches", "batch_requests", "flex", "priority", "fast", "ultrafast", "scale"];

/// A key that states a price.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// What it prices.
    pub base: Base,
    /// It holds for requests of more input tokens than this.
    pub above_input_tokens: i64,
    /// The tier, in the words of the price book.
    pub service_tier: String,
    /// The tier in the file's words, if the word alone does not say that it is one.
    pub unknown_tier: Option<String>,
}

/// Reads a key; none if it states no price by this grammar.
pub fn parse(key: &str) -> Option<Key> {
    let standard = |base| Key { base, above_input_tokens: 0, service_tier: STANDARD.to_owned(), unknown_tier: None };
    if let Some((_, base)) = WHOLE_KEYS.into_iter().find(|(whole, _)| *whole == key) {
        return Some(standard(base));
    }
    let suffixes = |(base, what): (&str, Base)| Some((key.strip_prefix(base)?, what));
    // The longest base: `input_cost_per_image` begins `input_cost_per_image_token` too.
    let (mut rest, base) = BASES.into_iter().filter_map(suffixes).min_by_key(|(rest, _)| rest.len())?;
    let mut parsed = standard(base);
    while !rest.is_empty() {
        rest = rest.strip_prefix('_')?;
        if let Some(bound) = rest.strip_prefix("above_") {
            rest = above(bound, &mut parsed)?;
        } else {
            let end = rest.find("_above_").unwrap_or(rest.len());
            let (word, after) = rest.split_at_checked(end)?;
            rest = after;
            tier(word, &mut parsed)?;
        }
    }
    Some(parsed)
}

/// Reads what follows `above_`, and returns what follows that.
fn above<'a>(bound: &'a str, key: &mut Key) -> Option<&'a str> {
    if let Some(rest) = bound.strip_prefix("1hr") {
        // Only a cache write has a life.
        (key.base == one(Bucket::CacheWrite)).then_some(())?;
        key.base = one(Bucket::CacheWrite1h);
        return Some(rest);
    }
    let (thousands, rest) = bound.split_once("k_tokens")?;
    let is_number = !thousands.is_empty() && thousands.bytes().all(|byte| byte.is_ascii_digit());
    (is_number && key.above_input_tokens == 0).then_some(())?;
    key.above_input_tokens = thousands.parse::<i64>().ok()?.checked_mul(1000).filter(|tokens| *tokens > 0)?;
    Some(rest)
}

fn tier(word: &str, key: &mut Key) -> Option<()> {
    let is_word = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase());
    let is_known = TIERS.contains(&word);
    (key.service_tier == STANDARD && (is_known || is_word)).then_some(())?;
    let word = if word == "batch_requests" { "batch" } else { word };
    key.service_tier = canonical_tier(word).filter(|tier| tier != STANDARD)?;
    key.unknown_tier = (!is_known).then(|| word.to_owned());
    Some(())
}

/// Whether a key that the grammar does not know looks as if it stated a price.
pub fn is_about_price(key: &str) -> bool {
    !key.starts_with("supports_") && ["cost", "price", "pricing", "multiplier"].iter().any(|word| key.contains(word))
}
