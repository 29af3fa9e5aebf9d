//! `split` covers the text with windows within the limit.

use super::texts::{Random, hostile, random_text, real_texts};
use super::{DISTINCT, count, encode, equality::random_token, rounds};
use crate::tokenizer::engine::counter;
use crate::tokenizer::{Chunk, Encoding, TokenizerError, split};

fn windows(text: &str, encoding: Encoding, limit: usize, overlap: usize) -> Vec<Chunk> {
    split(text, encoding, limit, overlap, &mut || ()).expect("the limit is large enough")
}

#[track_caller]
fn check(text: &str, encoding: Encoding, limit: usize, overlap: usize) {
    let chunks = windows(text, encoding, limit, overlap);
    let mut joined = String::new();
    for (index, chunk) in chunks.iter().enumerate() {
        let part = &text[chunk.range.clone()];
        assert_eq!(chunk.token_count, count(part, encoding));
        assert!(chunk.token_count <= limit, "{} of {limit}", chunk.token_count);
        assert!(chunk.range.end > joined.len(), "window {index} does not reach further");
        assert!(chunk.range.start <= joined.len(), "there is a gap before window {index}");
        if overlap == 0 {
            assert_eq!(chunk.range.start, joined.len());
        }
        // What is shared is at most the last tokens of the window before.
        if let Some(before) = index.checked_sub(1).and_then(|before| chunks.get(before)) {
            let tokens = encode(&text[before.range.clone()], encoding);
            let last = &tokens[tokens.len().saturating_sub(overlap)..];
            let bytes = |token: &u32| counter(encoding).token_bytes(*token).map_or(0, <[u8]>::len);
            let longest: usize = last.iter().map(bytes).sum();
            assert!(joined.len() - chunk.range.start <= longest);
        }
        joined.push_str(&text[joined.len()..chunk.range.end]);
    }
    assert_eq!(joined, text);
}

#[test]
fn random_texts() {
    for (number, encoding) in DISTINCT.into_iter().enumerate() {
        let mut random = Random::new(80 + number as u64);
        let token = random_token(encoding);
        for _ in 0..rounds(1_500) {
            let text: String = (0..4).map(|_| random_text(&mut random, &token)).collect();
            // A character may have up to 4 bytes, each of them a token.
            let limit = 4 + random.below(30);
            let overlap = random.below(limit);
            check(&text, encoding, limit, overlap);
        }
    }
}

#[test]
fn hostile_texts() {
    for encoding in DISTINCT {
        for (_, text) in hostile(rounds(6_000)) {
            check(&text, encoding, 100, 0);
            check(&text, encoding, 100, 20);
        }
    }
}

#[test]
fn real_texts_share_about_the_overlap() {
    for text in real_texts().iter().take(rounds(40)) {
        let (limit, overlap) = (200, 40);
        check(text, Encoding::O200kBase, limit, overlap);
        let chunks = windows(text, Encoding::O200kBase, limit, overlap);
        for pair in chunks.windows(2) {
            let shared = &text[pair[1].range.start..pair[0].range.end];
            let tokens = count(shared, Encoding::O200kBase);
            assert!(tokens <= overlap + 5, "{tokens} tokens are shared");
            assert!(tokens + 5 >= overlap, "{tokens} tokens are shared");
        }
    }
}

#[test]
fn arguments_out_of_range_are_errors() {
    for (limit, overlap) in [(0, 0), (5, 5), (5, 6), (1, usize::MAX)] {
        let result = split("text", Encoding::Cl100kBase, limit, overlap, &mut || ());
        assert!(matches!(result, Err(TokenizerError::InvalidArgument(_))), "{limit} {overlap}");
    }
    // This character has three tokens.
    let result = split("a 🦀", Encoding::Cl100kBase, 2, 0, &mut || ());
    let expected = "max_tokens (2) is less than the tokens of one character (at byte 2)";
    assert_eq!(result, Err(TokenizerError::InvalidArgument(expected.to_owned())));
}

#[test]
fn nothing_has_no_windows() {
    assert_eq!(windows("", Encoding::Cl100kBase, 10, 2), Vec::new());
}
