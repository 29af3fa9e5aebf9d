//! `fits` and `truncate` are exact.

use super::texts::{Random, hostile, random_text};
use super::{DISTINCT, count, equality::random_token, rounds};
use crate::tokenizer::{Encoding, fits, truncate};

fn cut(text: &str, encoding: Encoding, limit: usize) -> &str {
    truncate(text, encoding, limit, &mut || ()).expect("a truncation never fails")
}

/// The longest prefix, found by counting every one of them.
fn longest_prefix(text: &str, encoding: Encoding, limit: usize) -> usize {
    let ends = text.char_indices().map(|(start, _)| start).chain([text.len()]);
    ends.filter(|end| count(&text[..*end], encoding) <= limit).max().unwrap_or(0)
}

#[test]
fn a_truncated_text_is_the_longest_prefix_within_the_limit() {
    for (number, encoding) in DISTINCT.into_iter().enumerate() {
        let mut random = Random::new(40 + number as u64);
        let token = random_token(encoding);
        for _ in 0..rounds(2_500) {
            let text = random_text(&mut random, &token);
            let limit = random.below(count(&text, encoding) + 2);
            let expected = longest_prefix(&text, encoding, limit);
            assert_eq!(cut(&text, encoding, limit).len(), expected, "{text:?}, {limit}");
        }
    }
}

/// Runs of spaces: 128 of them are one token, 127 are more.
#[test]
fn a_longer_prefix_may_have_fewer_tokens() {
    for encoding in DISTINCT {
        for (spaces, limit) in (1..140).step_by(3).flat_map(|spaces| [(spaces, 1), (spaces, 2)]) {
            for end in ["x", "1", "\n", "\n\nx", ""] {
                let text = " ".repeat(spaces) + end;
                let expected = longest_prefix(&text, encoding, limit);
                assert_eq!(cut(&text, encoding, limit).len(), expected, "{text:?}, {limit}");
            }
        }
    }
}

#[test]
fn long_pieces_are_cut_exactly() {
    for encoding in DISTINCT {
        let mut random = Random::new(77);
        for (name, text) in hostile(rounds(600).max(200)) {
            let total = count(&text, encoding);
            for _ in 0..rounds(30) / 10 {
                let limit = random.below(total + 1);
                let expected = longest_prefix(&text, encoding, limit);
                assert_eq!(cut(&text, encoding, limit).len(), expected, "{encoding} {name}, {limit} of {total}");
            }
        }
    }
}

#[test]
fn giant_pieces_are_cut_within_the_limit_and_not_too_short() {
    for encoding in DISTINCT {
        for (name, text) in hostile(rounds(30_000).max(5_000)) {
            let total = count(&text, encoding);
            for limit in [0, 1, 2, total / 3, total - 1, total, total + 1] {
                let prefix = cut(&text, encoding, limit);
                assert!(count(prefix, encoding) <= limit, "{encoding} {name}, {limit} of {total}");
                let next = text[prefix.len()..].chars().next();
                if let Some(next) = next {
                    let longer = &text[..prefix.len() + next.len_utf8()];
                    assert!(count(longer, encoding) > limit, "{encoding} {name}, {limit}");
                }
            }
        }
    }
}

#[test]
fn a_text_fits_exactly_up_to_its_count() {
    for (number, encoding) in DISTINCT.into_iter().enumerate() {
        let mut random = Random::new(60 + number as u64);
        let token = random_token(encoding);
        let randoms = (0..rounds(5_000)).map(|_| random_text(&mut random, &token));
        for text in randoms.chain(hostile(rounds(20_000)).into_iter().map(|(_, text)| text)) {
            let total = count(&text, encoding);
            let fits = |limit| fits(&text, encoding, limit, &mut || ());
            assert_eq!(fits(total), Ok(true));
            assert_eq!(fits(total + 1), Ok(true));
            assert_eq!(fits(usize::MAX), Ok(true));
            if total > 0 {
                assert_eq!(fits(total - 1), Ok(false));
                assert_eq!(fits(0), Ok(false));
            }
        }
    }
}

#[test]
fn no_character_is_cut() {
    let text = "👩‍💻漢字é";
    for encoding in DISTINCT {
        for limit in 0..20 {
            let prefix = cut(text, encoding, limit);
            assert!(text.starts_with(prefix));
            assert!(count(prefix, encoding) <= limit);
        }
        assert_eq!(cut(text, encoding, 0), "");
        assert_eq!(cut("", encoding, 5), "");
    }
}
