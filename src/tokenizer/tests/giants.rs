//! A long piece has the tokens that it has when it is encoded as a whole.

use std::ops::ControlFlow;

use super::texts::{Random, hostile};
use super::{DISTINCT, count, encode, rounds};
use crate::tokenizer::engine::Collected;
use crate::tokenizer::giant::Sink;
use crate::tokenizer::vocabulary::Vocabulary;
use crate::tokenizer::{Encoding, giant, merge};

fn by_windows(vocabulary: &Vocabulary, piece: &[u8], window: usize) -> Vec<u32> {
    let mut collected = Collected::default();
    let _ = giant::encode(vocabulary, piece, window, &mut || (), &mut collected);
    collected.tokens
}

fn current() -> [Vocabulary; 2] {
    [bpe_openai::cl100k_base(), bpe_openai::o200k_base()].map(|it| Vocabulary::new(&it.bpe))
}

#[test]
fn windows_of_any_size_give_the_same_tokens() {
    for vocabulary in current() {
        for (name, text) in hostile(rounds(6_000)) {
            // The bytes as one piece, whatever the pattern makes of them.
            let whole = vocabulary.bpe.encode_via_bitfield(text.as_bytes());
            for window in [1, 3, 16, 61, 256, 1000] {
                assert!(by_windows(&vocabulary, text.as_bytes(), window) == whole, "{name}, {window}");
            }
        }
    }
}

/// What a sink sees of the memory in use: the largest part, and how often all began again.
#[derive(Default)]
struct Witness {
    largest: usize,
    beginnings: usize,
}

impl Sink for Witness {
    fn take(&mut self, tokens: &[u32]) -> ControlFlow<()> {
        self.largest = self.largest.max(tokens.len());
        ControlFlow::Continue(())
    }

    fn begin(&mut self) {
        self.beginnings += 1;
    }

    fn end(&mut self) {}
}

#[test]
fn memory_is_bounded_and_work_is_interruptible() {
    let size = rounds(1_000_000);
    for vocabulary in current() {
        for (name, text) in hostile(size) {
            let (mut witness, mut calls) = (Witness::default(), 0);
            let mut interrupt = || calls += 1;
            let _ = giant::encode(&vocabulary, text.as_bytes(), giant::WINDOW, &mut interrupt, &mut witness);
            assert_eq!(witness.beginnings, 1, "{name}");
            assert!(witness.largest <= giant::WINDOW, "{name}: {} tokens", witness.largest);
            assert!(calls >= text.len() / giant::WINDOW, "{name}: {calls} interrupts");
        }
    }
}

#[test]
fn random_runs_and_repetitions() {
    for vocabulary in current() {
        let bpe = vocabulary.bpe;
        let mut random = Random::new(4);
        for _ in 0..rounds(300) {
            let mut piece = Vec::new();
            while piece.len() < 3_000 {
                let unit: Vec<u8> = match random.below(3) {
                    0 => (0..1 + random.below(3)).map(|_| random.pick(b"-=/*_ a\t\n")).collect(),
                    1 => bpe.token_bytes(random.below(bpe.num_tokens()) as u32).to_vec(),
                    _ => vec![random.next() as u8],
                };
                let longest = 1 << random.below(9);
                for _ in 0..1 + random.below(longest) {
                    piece.extend_from_slice(&unit);
                }
            }
            let whole = vocabulary.bpe.encode_via_bitfield(&piece);
            for window in [40, 300] {
                assert!(by_windows(&vocabulary, &piece, window) == whole);
            }
        }
    }
}

#[test]
fn both_ways_to_encode_a_piece_agree() {
    for vocabulary in current() {
        for (name, text) in hostile(3_000) {
            for length in [60, 64, 65, 66, 100, 3_000] {
                let piece = &text.as_bytes()[..length.min(text.len())];
                let expected = vocabulary.bpe.encode_via_backtracking(piece);
                assert!(merge::encode(&vocabulary, piece) == expected, "{name}, {length}");
                assert_eq!(merge::count(&vocabulary, piece), expected.len(), "{name}, {length}");
            }
        }
    }
}

#[test]
fn giants_count_as_they_encode() {
    for encoding in DISTINCT {
        for (name, text) in hostile(rounds(70_000).max(10_000)) {
            assert_eq!(count(&text, encoding), encode(&text, encoding).len(), "{encoding} {name}");
        }
    }
}

#[test]
fn a_count_of_a_giant_stops_at_the_limit() {
    let text = "abcdefghijk".repeat(rounds(2_000_000));
    let mut interrupts = 0;
    let fits = crate::tokenizer::fits(&text, Encoding::O200kBase, rounds(200_000), &mut || interrupts += 1);
    assert_eq!(fits, Ok(false));
    let scan = text.len() / 16_384;
    assert!(interrupts < scan + 2_000, "{interrupts} interrupts");
}
