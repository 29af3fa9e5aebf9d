use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::price::clause;
use crate::price::import::read;

/// Any JSON; its keys are often those of the formats, so that the readers get deep into it.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(|number| json!(number)),
        any::<f64>().prop_map(|number| json!(number)),
        "-?[0-9]{1,40}(\\.[0-9]{1,40})?(e-?[0-9]{1,25})?"
            .prop_map(|text| { serde_json::from_str(&text).unwrap_or(Value::Null) }),
        "\\PC{0,8}".prop_map(Value::String),
        Just(json!("2026-10-14")),
        Just(json!("openai")),
        Just(json!("chat")),
    ];
    leaf.prop_recursive(5, 64, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::vec((key(), inner), 0..6)
                .prop_map(|entries| Value::Object(entries.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

fn key() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vec![
        "id",
        "models",
        "match",
        "model_match",
        "prices",
        "constraint",
        "start_date",
        "price_variants",
        "when",
        "service_tier",
        "input_mtok",
        "output_mtok",
        "audio_hours",
        "base",
        "tiers",
        "start",
        "price",
        "providers",
        "or",
        "regex",
        "litellm_provider",
        "mode",
        "input_cost_per_token",
        "output_cost_per_token",
        "tiered_pricing",
        "range",
        "input_cost_per_token_above_200k_tokens",
        "output_cost_per_token_flex",
        "search_context_cost_per_query",
        "search_context_size_medium",
        "provider_specific_entry",
        "us",
        "fast",
        "regional_endpoint_uplift_multiplier",
        "input_cost_per_second",
        "input_cost_per_token_cache_hit",
        "max_input_tokens",
    ]);
    prop_oneof![4 => known.prop_map(str::to_owned), 1 => "\\PC{0,12}"]
}

/// An entry of LiteLLM with a provider, so that its prices are read.
fn entry() -> impl Strategy<Value = Value> {
    prop::collection::vec((key(), value()), 0..8).prop_map(|entries| {
        let mut entry: Map<_, _> = entries.into_iter().collect();
        entry.insert("litellm_provider".to_owned(), json!("openai"));
        Value::Object(entry)
    })
}

/// A list of providers of genai-prices.
fn providers() -> impl Strategy<Value = Value> {
    prop::collection::vec(prop::collection::vec((key(), value()), 0..6), 1..4).prop_map(|models| {
        let model = |(index, entries): (usize, Vec<(String, Value)>)| {
            let mut model: Map<_, _> = entries.into_iter().collect();
            model.insert("id".to_owned(), json!(format!("m{index}")));
            Value::Object(model)
        };
        json!([{ "id": "openai", "models": models.into_iter().enumerate().map(model).collect::<Vec<_>>() }])
    })
}

/// Every model has prices that the book can store, and no row twice.
fn check(document: &Value) {
    let Ok(document) = read(document) else { return };
    for model in &document.models {
        assert!(!model.versions.is_empty());
        for row in &model.versions {
            let written = row.price.to_unit_prices();
            assert_eq!(crate::price::Price::from_unit_prices(&written).as_ref(), Ok(&row.price));
        }
    }
}

proptest! {
    #[test]
    fn no_json_panics(document in value()) {
        check(&document);
        clause::matches(&document, "gpt-4o");
    }

    #[test]
    fn no_entry_panics(entry in entry()) {
        check(&json!({ "m": entry }));
    }

    #[test]
    fn no_model_panics(providers in providers()) {
        check(&providers);
    }
}
