//! Cases for OpenAI's own package, which tests/oracle/tiktoken_oracle.py runs.

use std::io::{BufWriter, Write};

use serde_json::json;

use super::equality::random_token;
use super::texts::{Random, hostile, random_text, real_texts};
use super::{count, encode};
use crate::tokenizer::Encoding;

/// Writes one JSON object per line to the file named by `TOKBUDGET_ORACLE_FILE`, if it is set.
#[test]
fn cases_for_the_python_oracle() {
    let Ok(path) = std::env::var("TOKBUDGET_ORACLE_FILE") else { return };
    let file = std::fs::File::create(path).expect("the file can be created");
    let mut file = BufWriter::new(file);
    for (number, encoding) in Encoding::ALL.into_iter().enumerate() {
        let mut random = Random::new(number as u64);
        let token = random_token(encoding);
        let randoms = (0..2_000).map(|_| random_text(&mut random, &token));
        let hostile = hostile(3_000).into_iter().map(|(_, text)| text);
        let real = real_texts().into_iter().take(60).map(|text| text[..text.floor_char_boundary(20_000)].to_owned());
        for text in randoms.chain(hostile).chain(real) {
            let line = json!({
                "encoding": encoding.name(),
                "text": text,
                "tokens": encode(&text, encoding),
                "count": count(&text, encoding),
            });
            writeln!(file, "{line}").expect("the file can be written");
        }
    }
}
