//! Tokens decode to the text they came from, and anything else is a clear error.

use super::texts::{Random, random_text};
use super::{encode, equality::random_token, oracle, rounds};
use crate::tokenizer::{Encoding, TokenizerError, decode};

#[test]
fn every_id_decodes_as_in_tiktoken() {
    for encoding in Encoding::ALL {
        for id in 0..202_000_u32 {
            let expected = oracle(encoding).decode_bytes(&[id]);
            match (decode(&[i64::from(id)], encoding), expected) {
                (Ok(text), Ok(bytes)) => assert_eq!(text.as_bytes(), bytes, "{encoding} {id}"),
                (Err(TokenizerError::NotUtf8 { valid_up_to }), Ok(bytes)) => {
                    let error = std::str::from_utf8(&bytes).expect_err("the bytes are no text");
                    assert_eq!(error.valid_up_to(), valid_up_to);
                }
                (Err(TokenizerError::InvalidToken { id: named, .. }), Err(_)) => {
                    assert_eq!(named, i64::from(id));
                }
                (ours, theirs) => panic!("{encoding} {id}: {ours:?}, but tiktoken: {theirs:?}"),
            }
        }
    }
}

#[test]
fn texts_survive_both_ways() {
    for encoding in Encoding::ALL {
        let mut random = Random::new(99);
        let token = random_token(encoding);
        for _ in 0..rounds(3_000) {
            let text = random_text(&mut random, &token);
            let ids: Vec<i64> = encode(&text, encoding).into_iter().map(i64::from).collect();
            assert_eq!(decode(&ids, encoding).as_deref(), Ok(text.as_str()));
        }
    }
}

#[test]
fn special_ids_decode_to_their_text() {
    assert_eq!(decode(&[100257], Encoding::Cl100kBase).as_deref(), Ok("<|endoftext|>"));
    assert_eq!(decode(&[200006], Encoding::O200kHarmony).as_deref(), Ok("<|start|>"));
    assert_eq!(decode(&[201000], Encoding::O200kHarmony).as_deref(), Ok("<|reserved_201000|>"));
    assert_eq!(decode(&[50256], Encoding::P50kBase).as_deref(), Ok("<|endoftext|>"));
}

#[test]
fn errors_name_the_id() {
    for id in [-1, i64::MIN, i64::MAX, 1 << 32, 100256, 300_000] {
        let error = decode(&[0, id, 0], Encoding::Cl100kBase).expect_err("no such token");
        assert_eq!(error, TokenizerError::InvalidToken { id, encoding: "cl100k_base" });
        assert_eq!(error.to_string(), format!("token {id} does not exist in cl100k_base"));
    }
    let parts: Vec<i64> = encode("🦀", Encoding::Cl100kBase).into_iter().map(i64::from).take(1).collect();
    assert_eq!(decode(&parts, Encoding::Cl100kBase), Err(TokenizerError::NotUtf8 { valid_up_to: 0 }));
}

#[test]
fn nothing_decodes_to_nothing() {
    assert_eq!(decode(&[], Encoding::O200kBase).as_deref(), Ok(""));
}
