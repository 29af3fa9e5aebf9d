//! The hand-written patterns cut where the regular expressions cut.
//!
//! Equal tokens do not prove equal pieces, and a difference between pieces may show for very few
//! texts only, so the pieces are compared too.

use bpe::byte_pair_encoding::BytePairEncoding;
use bpe_openai::Tokenizer;

use super::equality::random_token;
use super::rounds;
use super::texts::{Random, hostile, random_text};
use crate::tokenizer::Encoding;
use crate::tokenizer::pattern::{Cl100k, Gpt2, O200k, Pattern, Scanner};

fn pieces<P: Pattern>(text: &str) -> Vec<&str> {
    let mut nothing = || ();
    let mut scanner = Scanner::new(text, &mut nothing);
    let mut start = 0;
    let mut pieces = Vec::new();
    while start < text.len() {
        let end = P::piece_end(&mut scanner, start);
        pieces.push(&text[start..end]);
        start = end;
    }
    pieces
}

/// A regex of alternatives, of which the one in the middle has a look-ahead of one character.
fn regex(first: &str, last: &str) -> Tokenizer {
    let bytes = BytePairEncoding::from_dictionary((0..=255).map(|byte| vec![byte]), None);
    let alternatives = [(first, false), (r"\s+\s", true), (last, false)];
    Tokenizer::new_lookahead(bytes, &alternatives, false).expect("valid regex")
}

#[track_caller]
fn compare<P: Pattern>(regex: &Tokenizer, seed: u64) {
    let mut random = Random::new(seed);
    let token = random_token(Encoding::Cl100kBase);
    let check = |text: &str| {
        let expected: Vec<&str> = regex.split(text).collect();
        assert_eq!(pieces::<P>(text), expected, "{text:?}");
    };
    for _ in 0..rounds(50_000) {
        check(&random_text(&mut random, &token));
    }
    for (_, text) in hostile(4_000) {
        check(&text);
    }
}

#[test]
fn gpt2() {
    let first = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+$";
    compare::<Gpt2>(&regex(first, r"\s"), 1);
}

#[test]
fn cl100k() {
    let first = [
        r"'(?i:[sdmt]|ll|ve|re)",
        r"[^\r\n\p{L}\p{N}]?\p{L}+",
        r"\p{N}{1,3}",
        r" ?[^\s\p{L}\p{N}]+[\r\n]*",
        r"\s+$",
        r"\s*[\r\n]",
    ];
    compare::<Cl100k>(&regex(&first.join("|"), r"\s"), 2);
}

#[test]
fn o200k() {
    let first = [
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
        r"\p{N}{1,3}",
        r" ?[^\s\p{L}\p{N}]+[\r\n/]*",
        r"\s*[\r\n]+",
        r"\s+$",
    ];
    compare::<O200k>(&regex(&first.join("|"), r"\s+"), 3);
}
