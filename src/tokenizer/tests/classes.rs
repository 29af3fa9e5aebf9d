//! The table of character classes is the one of the regex engine.

use bpe::byte_pair_encoding::BytePairEncoding;
use bpe_openai::Tokenizer;

use crate::tokenizer::chars::{CLASSES, LOWER, MARK, NEWLINE, NUMBER, OTHER, SPACE, UNCASED, UPPER};

/// Every scalar value in order.
fn every_char() -> String {
    ('\0'..=char::MAX).collect()
}

/// Sets `class` for all characters that the regex `set` matches, in a table by code point.
fn mark(table: &mut [u8], text: &str, set: &str, class: u8) {
    let bytes = BytePairEncoding::from_dictionary((0..=255).map(|byte| vec![byte]), None);
    let runs = format!("[{set}]+|[^{set}]+");
    let tokenizer = Tokenizer::new(bytes, Some(&runs), false).expect("valid regex");
    // Runs inside and outside the set take turns; U+0000 is in none of the sets.
    for (run, piece) in tokenizer.split(text).enumerate() {
        if run % 2 == 1 {
            piece.chars().for_each(|c| table[c as usize] = class);
        }
    }
}

fn expected() -> Vec<u8> {
    let text = every_char();
    let mut table = vec![OTHER; 0x11_0000];
    for (set, class) in [
        (r"\p{Lu}\p{Lt}", UPPER),
        (r"\p{Ll}", LOWER),
        (r"\p{Lm}\p{Lo}", UNCASED),
        (r"\p{M}", MARK),
        (r"\p{N}", NUMBER),
        (r"\s", SPACE),
        (r"\r\n", NEWLINE),
    ] {
        mark(&mut table, &text, set, class);
    }
    table
}

/// The data file that gives this table.
fn as_data(table: &[u8]) -> String {
    let letter = |class: u8| match class {
        UPPER => "U",
        LOWER => "L",
        UNCASED => "O",
        MARK => "M",
        NUMBER => "N",
        SPACE | NEWLINE => "S",
        _ => "",
    };
    let same = |a: usize, b: usize| letter(table[a]) == letter(table[b]);
    let mut data = String::new();
    let mut first = 0;
    while first < table.len() {
        if table[first] == OTHER {
            first += 1;
            continue;
        }
        let extend = |step: usize| {
            let mut last = first + step - 1;
            while last + 1 < table.len() && same(last + 1, last + 1 - step) {
                last += 1;
            }
            last
        };
        let (run, turns) = (extend(1), extend(2));
        let alternates = turns > run + 2 && table[first + 1] != OTHER;
        let last = if alternates { turns } else { run };
        let second = if alternates { letter(table[first + 1]) } else { "" };
        data += &format!("{first:X} {last:X} {}{second}\n", letter(table[first]));
        first = last + 1;
    }
    data
}

#[test]
fn every_character_has_the_class_of_the_regex_engine() {
    let expected = expected();
    if let Ok(path) = std::env::var("TOKBUDGET_WRITE_CLASSES") {
        std::fs::write(path, as_data(&expected)).expect("the data file can be written");
        return;
    }
    for c in '\0'..=char::MAX {
        let code_point = c as usize;
        assert_eq!(
            CLASSES.of(code_point),
            expected[code_point],
            "U+{code_point:04X}: after an update of the regex engine, write the data again with \
             TOKBUDGET_WRITE_CLASSES=src/tokenizer/chars/classes.txt"
        );
        if c.is_ascii() {
            assert_eq!(CLASSES.ascii(c as u8), expected[code_point]);
        }
    }
}
