//! The cache never changes a count.

use super::texts::Random;
use super::{DISTINCT, count, oracle};
use crate::tokenizer::cache::{self, Cache, EngineKey, Key};

fn slot(key: &Key) -> (bool, usize) {
    match key {
        Key::Short { slot, .. } => (false, *slot),
        Key::Long { slot, .. } => (true, *slot),
        Key::None => panic!("the piece is too long for the cache"),
    }
}

/// Two pieces with the same place in the cache.
fn collision(length: usize) -> (String, String) {
    let mut random = Random::new(length as u64);
    let mut seen = std::collections::HashMap::new();
    loop {
        let letters = (0..length).map(|_| char::from(b'a' + random.below(26) as u8));
        let piece: String = letters.collect();
        let key = Cache::key(EngineKey::new(1), piece.as_bytes(), 0, length);
        if let Some(other) = seen.insert(slot(&key), piece.clone())
            && other != piece
        {
            return (other, piece);
        }
    }
}

#[test]
fn pieces_that_share_a_place_keep_their_own_counts() {
    for length in [4, 13, 14, 15, 16, 17, 29, 30] {
        let (left, right) = collision(length);
        for encoding in DISTINCT {
            for piece in [&left, &right, &left, &left, &right] {
                assert_eq!(count(piece, encoding), oracle(encoding).count_ordinary(piece));
            }
        }
    }
}

#[test]
fn encodings_do_not_share_counts() {
    let text = "日本語 naïveté 1234567 supercalifragilistic \t\t\t";
    for _ in 0..3 {
        for encoding in DISTINCT {
            assert_eq!(count(text, encoding), oracle(encoding).count_ordinary(text));
        }
    }
}

#[test]
fn zero_bytes_and_lengths_are_part_of_the_key() {
    for length in 1..40 {
        for encoding in DISTINCT {
            let zeros = "\0".repeat(length);
            let text = format!("!{zeros}");
            for text in [&zeros, &text, &format!("a{zeros}"), &format!("{zeros}a")] {
                assert_eq!(count(text, encoding), oracle(encoding).count_ordinary(text));
            }
        }
    }
}

#[test]
fn keys_are_equal_for_equal_pieces_only() {
    let engine = EngineKey::new(2);
    let text = "some words and the end";
    let end = text.len();
    for start in 0..end {
        for stop in start + 1..=end.min(start + 30) {
            // Once with bytes behind it, once at the end of its text: two ways to load it.
            let inside = Cache::key(engine, text.as_bytes(), start, stop);
            let alone = Cache::key(engine, &text.as_bytes()[start..stop], 0, stop - start);
            assert_eq!(slot(&inside), slot(&alone));
            let mut borrowed = cache::borrow();
            borrowed.get().put(&inside, 3);
            assert_eq!(borrowed.get().get(&alone), Some(3));
            borrowed.get().put(&alone, 1);
        }
    }
    cache::release();
}
