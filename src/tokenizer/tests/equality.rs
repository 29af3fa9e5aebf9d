//! Tokens and counts are those of tiktoken-rs.

use super::texts::{Random, hostile, random_text, real_texts};
use super::{DISTINCT, assert_equal, encode, oracle, rounds};
use crate::tokenizer::Encoding;
use crate::tokenizer::engine::counter;

/// A random token of the encoding, where that is text by itself.
pub fn random_token(encoding: Encoding) -> impl Fn(u64) -> Option<String> {
    move |number| {
        let bytes = counter(encoding).token_bytes((number % 50_000) as u32)?;
        String::from_utf8(bytes.to_vec()).ok()
    }
}

#[test]
fn every_character_in_context() {
    let chars: Vec<char> = ('\0'..=char::MAX).collect();
    std::thread::scope(|scope| {
        for encoding in DISTINCT {
            let chars = &chars;
            scope.spawn(move || {
                for (index, chunk) in chars.chunks(64).enumerate().step_by(if cfg!(debug_assertions) { 10 } else { 1 })
                {
                    // A different context for every third block: a block has one class mostly.
                    // Most planes have no characters yet, and one context is enough there.
                    let context = if ('\u{32000}'..'\u{E0000}').contains(&chunk[0]) { 3 } else { index % 3 };
                    let mut text = String::new();
                    for &c in chunk {
                        match context {
                            0 => text.extend([c, ' ', 'a', c, 'B', '!', c, '\n']),
                            1 => text.extend([' ', c, '\'', c, '1', c, '/']),
                            2 => text.extend(['A', c, 'b', '\'', 's', c, ' ', ' ']),
                            _ => text.extend([c, 'a']),
                        }
                    }
                    assert_equal(&text, encoding);
                }
            });
        }
    });
}

#[test]
fn a_character_alone() {
    for encoding in DISTINCT {
        for c in ('\0'..'\u{20000}').step_by(3) {
            let mut buffer = [0; 4];
            let text = c.encode_utf8(&mut buffer);
            assert_eq!(encode(text, encoding), oracle(encoding).encode_ordinary(text), "{c:?}");
        }
    }
}

#[test]
fn random_strings() {
    std::thread::scope(|scope| {
        for (number, encoding) in DISTINCT.into_iter().enumerate() {
            scope.spawn(move || {
                let seed = 20_260_101 + number as u64;
                println!("{encoding}: seed {seed}");
                let mut random = Random::new(seed);
                let token = random_token(encoding);
                for _ in 0..rounds(25_000) {
                    assert_equal(&random_text(&mut random, &token), encoding);
                }
            });
        }
    });
}

#[test]
fn real_text() {
    let texts = real_texts();
    assert!(texts.iter().map(String::len).sum::<usize>() > 100_000, "no text to test with");
    std::thread::scope(|scope| {
        for encoding in DISTINCT {
            let texts = &texts;
            scope.spawn(move || texts.iter().for_each(|text| assert_equal(text, encoding)));
        }
    });
}

#[test]
fn hostile_text() {
    std::thread::scope(|scope| {
        for encoding in DISTINCT {
            scope.spawn(move || {
                for (_, text) in hostile(rounds(20_000)) {
                    assert_equal(&text, encoding);
                }
            });
        }
    });
}

#[test]
fn the_old_and_the_open_model_share_the_tables_of_their_kin() {
    let text = "Fine-tuning isn't magic;\n\n  it's <|start|> 12345 parameters… ごきげんよう";
    for encoding in Encoding::ALL {
        assert_equal(text, encoding);
    }
}

#[test]
fn the_text_of_a_special_token_is_ordinary_text() {
    for encoding in Encoding::ALL {
        for special in oracle(encoding).special_tokens() {
            assert!(encode(special, encoding).len() > 1, "{special} is one token of {encoding}");
        }
    }
    assert_eq!(encode("<|endoftext|>", Encoding::Cl100kBase).len(), 7);
    assert_eq!(encode("<|endoftext|>", Encoding::O200kBase).len(), 7);
}

#[test]
fn no_text_has_no_tokens() {
    for encoding in Encoding::ALL {
        assert_equal("", encoding);
    }
}
