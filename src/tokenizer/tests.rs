//! Goal: every count is the one of tiktoken, for any text, in linear time.
//!
//! Method: tiktoken-rs, whose results are those of OpenAI's own package, is the oracle; texts are
//! all characters, random strings of many kinds from fixed seeds, real texts, and hostile ones.

mod caches;
mod classes;
mod decoding;
mod equality;
mod giants;
mod interrupts;
mod linearity;
mod messages;
mod models;
mod oracle_file;
mod pieces;
mod prefixes;
mod texts;
mod windows;

use tiktoken_rs::CoreBPE;

use super::Encoding;

/// tiktoken-rs's own tokenizer.
fn oracle(encoding: Encoding) -> &'static CoreBPE {
    match encoding {
        Encoding::O200kHarmony => tiktoken_rs::o200k_harmony_singleton(),
        Encoding::O200kBase => tiktoken_rs::o200k_base_singleton(),
        Encoding::Cl100kBase => tiktoken_rs::cl100k_base_singleton(),
        Encoding::P50kBase => tiktoken_rs::p50k_base_singleton(),
        Encoding::P50kEdit => tiktoken_rs::p50k_edit_singleton(),
        Encoding::R50kBase => tiktoken_rs::r50k_base_singleton(),
    }
}

/// The encodings that differ in ordinary tokens.
const DISTINCT: [Encoding; 4] = [Encoding::Cl100kBase, Encoding::O200kBase, Encoding::P50kBase, Encoding::R50kBase];

fn count(text: &str, encoding: Encoding) -> usize {
    super::count(text, encoding, &mut || ()).expect("a count never fails")
}

fn encode(text: &str, encoding: Encoding) -> Vec<u32> {
    super::encode(text, encoding, &mut || ()).expect("an encoding never fails")
}

/// How often a test repeats: without optimisation everything takes ten times as long.
fn rounds(optimised: usize) -> usize {
    if cfg!(debug_assertions) { optimised / 10 } else { optimised }
}

/// Both `encode` and `count` agree with the oracle.
#[track_caller]
fn assert_equal(text: &str, encoding: Encoding) {
    let expected = oracle(encoding).encode_ordinary(text);
    let shown: String = text.chars().take(200).collect();
    assert_eq!(encode(text, encoding), expected, "{encoding} encodes {shown:?} differently");
    assert_eq!(count(text, encoding), expected.len(), "{encoding} counts {shown:?} differently");
}
