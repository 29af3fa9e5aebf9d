//! The real files, where they are at hand: their path is in `TOKBUDGET_PRICE_FILES`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Instant;

use serde_json::Value;

use crate::price::Price;
use crate::price::clause;
use crate::price::import::{Document, read};

fn file(name: &str) -> Option<Value> {
    let Some(folder) = std::env::var_os("TOKBUDGET_PRICE_FILES") else {
        eprintln!("skipped: TOKBUDGET_PRICE_FILES is not set");
        return None;
    };
    let text = std::fs::read_to_string(PathBuf::from(folder).join(name)).expect("price file");
    Some(serde_json::from_str(&text).expect("JSON"))
}

fn check(document: &Document) {
    let mut names = BTreeSet::new();
    for model in &document.models {
        let name = format!("{}/{}", model.provider, model.model);
        assert!(names.insert(name.clone()), "{name} is there twice");
        assert!(!model.versions.is_empty(), "{name}");
        let mut rows = BTreeSet::new();
        for row in &model.versions {
            let of = (&row.region, &row.service_tier, row.above_input_tokens, &row.valid_from);
            assert!(rows.insert(of), "{name} has two prices for {of:?}");
            assert!(row.above_input_tokens >= 0);
            assert!(row.valid_until.is_none() || row.valid_from < row.valid_until, "{name}");
            let written = row.price.to_unit_prices();
            assert_ne!(written, serde_json::json!({}), "{name}");
            let read_back = Price::from_unit_prices(&written).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(read_back, row.price, "{name}");
        }
        for alias in &model.aliases {
            assert_eq!(clause::check(&alias.pattern), Ok(()), "{name}");
        }
    }
}

/// What a person looks at after a new version of a file: `cargo test ... -- --nocapture`.
fn print(name: &str, document: &Document, seconds: f64) {
    let versions: usize = document.models.iter().map(|model| model.versions.len()).sum();
    println!(
        "{name}: {} models, {versions} versions, {} skipped, {seconds:.3} s",
        document.models.len(),
        document.skipped.len()
    );
    let mut reasons: BTreeMap<String, (usize, &str)> = BTreeMap::new();
    for skipped in &document.skipped {
        let reason = skipped.reason.split(" than ").next().unwrap_or_default();
        reasons.entry(format!("skipped: {reason}")).or_insert((0, &skipped.name)).0 += 1;
    }
    for model in &document.models {
        for note in &model.ignored {
            reasons.entry(format!("ignored: {note}")).or_insert((0, &model.model)).0 += 1;
        }
    }
    let mut reasons: Vec<_> = reasons.into_iter().collect();
    reasons.sort_by_key(|(_, (count, _))| std::cmp::Reverse(*count));
    for (reason, (count, example)) in reasons {
        println!("{count:6}  {reason}  ({example})");
    }
}

fn read_timed(name: &str) -> Option<Document> {
    let value = file(name)?;
    let start = Instant::now();
    let document = read(&value).expect("a known format");
    print(name, &document, start.elapsed().as_secs_f64());
    check(&document);
    Some(document)
}

#[test]
fn the_file_of_litellm_is_read() {
    let Some(document) = read_timed("litellm.json") else { return };
    assert!(document.models.len() > 4000 && document.skipped.len() < document.models.len() / 10);
}

#[test]
fn the_file_of_genai_prices_is_read() {
    let Some(document) = read_timed("genai.json") else { return };
    assert!(document.models.len() > 2000 && document.skipped.len() < document.models.len() / 10);
}
