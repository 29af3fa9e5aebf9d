use super::*;

/// Rows of the only model of a document.
fn only(text: &str) -> (Vec<Row>, Vec<String>) {
    let document = read_text(&format!("{{\"m\": {text}}}"));
    let [model] = document.models.as_slice() else { panic!("{document:#?}") };
    (rows(model), model.ignored.clone())
}

#[test]
fn tiers_and_thresholds_are_rows_complete_by_themselves() {
    let document = read_text(include_str!("../../../../tests/fixtures/prices/litellm.json"));
    let sol = model(&document, "openai", "tier-model");
    let priced =
        |input: f64, cached: f64, output: f64| json!({ "input": input, "cache_read": cached, "output": output });
    let expected = [
        // Stated: input and output at both lengths; the cached price is the standard one.
        row("any", "batch", 0, priced(2.0, 0.5, 10.0)),
        // Not stated above the threshold: the dearer of the tier's own price and the standard one there.
        row("any", "batch", 272_000, priced(8.0, 1.0, 30.0)),
        row("any", "priority", 0, priced(10.0, 1.25, 50.0)),
        row("any", "priority", 272_000, priced(20.0, 1.25, 75.0)),
        row("any", "standard", 0, priced(4.0, 0.5, 20.0)),
        row("any", "standard", 272_000, priced(8.0, 1.0, 30.0)),
    ];
    assert_eq!(normal(rows(sol)), normal(expected.to_vec()));
    assert_eq!(sol.ignored, ["cache_creation_input_token_cost_above_12hr: no unit of the price book"]);
    assert_eq!((sol.context_tokens, sol.max_output_tokens), (Some(1_050_000), Some(128_000)));
    assert_eq!(sol.deprecated_on.as_deref(), Some("2027-02-26"));
    assert_eq!(sol.source_url.as_deref(), Some("https://example.org/pricing"));
    assert_eq!(sol.operation.as_deref(), Some("chat"));
    assert_eq!(sol.aliases, [Alias { pattern: json!({ "equals": "tier-model" }), is_default_provider: true }]);
}

/// Numbers that compare whether they were written `2.0` or `2`.
fn normal(rows: Vec<Row>) -> Vec<Row> {
    let plain = |prices: &Value| {
        let object = prices.as_object().expect("prices").iter();
        let number = |value: &Value| crate::price::parse_decimal(&value.to_string(), 18).expect("a price").to_string();
        object.map(|(name, value)| (name.clone(), Value::String(number(value)))).collect()
    };
    let mut rows: Vec<Row> =
        rows.into_iter().map(|(a, b, c, d, e, prices)| (a, b, c, d, e, Value::Object(plain(&prices)))).collect();
    rows.sort_by_key(|row| (row.0.clone(), row.1.clone(), row.2, row.3.clone()));
    rows
}

#[test]
fn a_table_of_ranges_is_rows() {
    let (rows, ignored) = only(
        r#"{"litellm_provider": "dashscope", "mode": "chat", "tiered_pricing": [
            {"range": [0, 256000.0], "input_cost_per_token": 5e-08, "output_cost_per_token": 4e-07},
            {"range": [256000.0, 1000000.0], "input_cost_per_token": 2.5e-07, "output_cost_per_token": 2e-06}]}"#,
    );
    let expected = vec![
        row("any", "standard", 0, json!({ "input": 0.05, "output": 0.4 })),
        row("any", "standard", 256_000, json!({ "input": 0.25, "output": 2 })),
    ];
    assert_eq!((normal(rows), ignored), (normal(expected), vec![]));
}

#[test]
fn places_and_speed_multiply_the_prices_of_tokens() {
    let (rows, ignored) = only(
        r#"{"litellm_provider": "anthropic", "mode": "chat", "input_cost_per_token": 5e-06, "output_cost_per_token": 2.5e-05,
            "input_cost_per_token_batches": 2.5e-06, "output_cost_per_token_batches": 1.25e-05,
            "search_context_cost_per_query": {"search_context_size_medium": 0.01},
            "provider_specific_entry": {"us": 1.1, "fast": 2, "other": 3}}"#,
    );
    let priced = |input: f64, output: f64| json!({ "input": input, "output": output, "searches": 0.01 });
    let expected = vec![
        row("any", "batch", 0, priced(2.5, 12.5)),
        row("any", "fast", 0, priced(10.0, 50.0)),
        row("any", "standard", 0, priced(5.0, 25.0)),
        row("us", "batch", 0, priced(2.75, 13.75)),
        row("us", "fast", 0, priced(11.0, 55.0)),
        row("us", "standard", 0, priced(5.5, 27.5)),
    ];
    assert_eq!(normal(rows), normal(expected));
    assert_eq!(ignored, ["provider_specific_entry.other: not a known factor"]);
}

#[test]
fn regional_factors_hold_for_every_length() {
    let (rows, _) = only(
        r#"{"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 1e-06,
            "input_cost_per_token_above_272k_tokens": 2e-06, "regional_processing_uplift_multiplier_eu": 1.1,
            "regional_endpoint_uplift_multiplier": 1.2}"#,
    );
    let expected = vec![
        row("any", "standard", 0, json!({ "input": 1 })),
        row("any", "standard", 272_000, json!({ "input": 2 })),
        row("eu", "standard", 0, json!({ "input": 1.1 })),
        row("eu", "standard", 272_000, json!({ "input": 2.2 })),
        row("regional", "standard", 0, json!({ "input": 1.2 })),
        row("regional", "standard", 272_000, json!({ "input": 2.4 })),
    ];
    assert_eq!(normal(rows), normal(expected));
}

#[test]
fn a_word_is_a_tier_only_with_both_prices() {
    let (rows, ignored) = only(
        r#"{"litellm_provider": "sail", "mode": "chat", "input_cost_per_token": 3e-06, "output_cost_per_token": 6e-06,
            "input_cost_per_token_balanced": 2e-06, "output_cost_per_token_balanced": 4e-06,
            "input_cost_per_token_magic": 1e-06}"#,
    );
    let expected = vec![
        row("any", "balanced", 0, json!({ "input": 2, "output": 4 })),
        row("any", "standard", 0, json!({ "input": 3, "output": 6 })),
    ];
    assert_eq!(normal(rows), normal(expected));
    assert_eq!(ignored, ["input_cost_per_token_magic: no unit of the price book"]);
}

/// Prices of a model with one row.
fn prices(text: &str) -> (Value, Vec<String>) {
    let (rows, ignored) = only(text);
    let [row] = normal(rows).try_into().unwrap_or_else(|rows| panic!("{rows:?}"));
    (row.5, ignored)
}

fn expect(prices: Value) -> Value {
    let [row] = normal(vec![row("any", "standard", 0, prices)]).try_into().expect("one row");
    row.5
}

#[test]
fn every_unit_has_its_place() {
    let cases = [
        (
            r#""mode": "chat", "input_cost_per_token": 1e-06, "input_cost_per_token_cache_hit": 1e-07"#,
            json!({ "input": 1, "cache_read": 0.1 }),
        ),
        (
            r#""mode": "chat", "input_cost_per_token": 1e-06, "input_cost_per_token_cache_hit": 1e-07, "cache_read_input_token_cost": 2e-07"#,
            json!({ "input": 1, "cache_read": 0.2 }),
        ),
        (
            r#""mode": "chat", "cache_creation_input_token_cost": 1e-06, "cache_creation_input_token_cost_above_1hr": 2e-06"#,
            json!({ "cache_write": 1, "cache_write_1h": 2 }),
        ),
        (
            r#""mode": "chat", "citation_cost_per_token": 2e-06, "input_cost_per_request": 0.005"#,
            json!({ "citation": 2, "requests": 0.005 }),
        ),
        (
            r#""mode": "realtime", "cache_read_input_audio_token_cost": 1e-06, "cache_read_input_image_token_cost": 2e-06, "output_cost_per_audio_token": 3e-06"#,
            json!({ "cache_read_audio": 1, "cache_read_image": 2, "output_audio": 3 }),
        ),
        (
            r#""mode": "audio_transcription", "input_cost_per_second": 0.0001, "output_cost_per_second": 0.0"#,
            json!({ "seconds": 0.0001 }),
        ),
        (
            r#""mode": "audio_transcription", "input_cost_per_second": 0.0, "output_cost_per_second": 0.0001"#,
            json!({ "seconds": 0.0001 }),
        ),
        (r#""mode": "audio_transcription", "input_cost_per_audio_per_second": 0.0002"#, json!({ "seconds": 0.0002 })),
        (r#""mode": "video_generation", "output_cost_per_video_per_second": 0.1"#, json!({ "seconds": 0.1 })),
        (r#""mode": "audio_speech", "input_cost_per_character": 1.5e-05"#, json!({ "characters": 15 })),
        (
            r#""mode": "rerank", "input_cost_per_token": 0.0, "output_cost_per_token": 0.0, "input_cost_per_query": 0.002"#,
            json!({ "searches": 0.002 }),
        ),
        (
            r#""mode": "ocr", "ocr_cost_per_page": 0.004, "annotation_cost_per_page": 0.005"#,
            json!({ "pages": 0.004, "annotation_pages": 0.005 }),
        ),
        (
            r#""mode": "chat", "code_interpreter_cost_per_session": 0.03, "file_search_cost_per_1k_calls": 2.5"#,
            json!({ "code_interpreter_sessions": 0.03, "file_search_calls": 0.0025 }),
        ),
        (r#""mode": "image_edit", "output_cost_per_image": 0.04"#, json!({ "images": 0.04 })),
        (
            r#""mode": "image_generation", "input_cost_per_image": 0.05, "output_cost_per_image": 0.05"#,
            json!({ "images": 0.05 }),
        ),
        (
            r#""mode": "chat", "search_context_cost_per_query": {"search_context_size_low": 0.005, "search_context_size_medium": 0.008, "search_context_size_high": 0.008}"#,
            json!({ "searches": 0.008, "searches_low": 0.005 }),
        ),
        (
            r#""mode": "chat", "search_context_cost_per_query": {"search_context_size_low": 0.005}"#,
            json!({ "searches": 0.005 }),
        ),
        (
            r#""mode": "chat", "supports_audio_input": true, "input_cost_per_token": 1e-06"#,
            json!({ "input": 1, "input_audio": 1 }),
        ),
        (
            r#""mode": "chat", "supports_audio_input": true, "input_cost_per_token": 1e-06, "input_cost_per_audio_token": 3e-06"#,
            json!({ "input": 1, "input_audio": 3 }),
        ),
    ];
    for (entry, expected) in cases {
        let (found, ignored) = prices(&format!("{{\"litellm_provider\": \"p\", {entry}}}"));
        assert_eq!((found, ignored), (expect(expected), vec![]), "{entry}");
    }
}

#[test]
fn what_is_left_out_is_named() {
    let cases = [
        (
            r#""mode": "image_generation", "input_cost_per_token": 2e-06, "input_cost_per_image": 0.0011, "output_cost_per_image": 0.134"#,
            vec!["input_cost_per_image: two prices for one unit", "output_cost_per_image: two prices for one unit"],
        ),
        (
            r#""mode": "chat", "input_cost_per_token": 2e-06, "off_peak_pricing": {"input_cost_per_token": 1e-06}"#,
            vec!["off_peak_pricing: depends on the time of day"],
        ),
        (
            r#""mode": "chat", "input_cost_per_token": 2e-06, "brand_new_cost_per_thing": 1, "another_cost": 0"#,
            vec!["brand_new_cost_per_thing: no unit of the price book"],
        ),
        (
            r#""mode": "chat", "input_cost_per_token": 2e-06, "cache_creation_input_token_cost": 0"#,
            vec!["cache_creation_input_token_cost: 0 beside a price of input"],
        ),
        (
            r#""mode": "chat", "input_cost_per_token": 2e-06, "max_input_tokens": "8192"#,
            vec!["max_input_tokens: expected a number, found a string"],
        ),
    ];
    for (entry, expected) in cases {
        let entry = if entry.ends_with("8192") { format!("{entry}\"") } else { entry.to_owned() };
        let (found, ignored) = prices(&format!("{{\"litellm_provider\": \"p\", {entry}}}"));
        assert_eq!(found, expect(json!({ "input": 2 })), "{entry}");
        assert_eq!(ignored, expected, "{entry}");
    }
}

#[test]
fn nothing_is_silently_free() {
    let free = |mode: &str| {
        let entry = format!(
            r#"{{"litellm_provider": "p", "mode": "{mode}", "input_cost_per_token": 0, "output_cost_per_token": 0.0}}"#
        );
        prices(&entry)
    };
    let listed = ["input: price of 0 as listed".to_owned(), "output: price of 0 as listed".to_owned()];
    assert_eq!(free("chat"), (expect(json!({ "input": 0, "output": 0 })), listed.to_vec()));
    assert_eq!(free("embedding"), (expect(json!({ "input": 0, "output": 0 })), listed.to_vec()));
    let embedding =
        r#"{"litellm_provider": "p", "mode": "embedding", "input_cost_per_token": 1e-07, "output_cost_per_token": 0}"#;
    assert_eq!(prices(embedding), (expect(json!({ "input": 0.1, "output": 0 })), vec![]));
    // The song is the unit, which the book has no place for: nothing is left that could be charged.
    let document = read_text(
        r#"{"song": {"litellm_provider": "p", "mode": "chat", "input_cost_per_token": 0, "output_cost_per_token": 0,
            "output_cost_per_image": 0.04}}"#,
    );
    assert_eq!(reason(&document, "song"), "no price; output_cost_per_image: not a model that makes images");
}

#[test]
fn reasoning_that_costs_what_output_costs_follows_it() {
    let (rows, _) = only(
        r#"{"litellm_provider": "p", "mode": "chat", "input_cost_per_token": 1e-06, "output_cost_per_token": 2e-06,
            "output_cost_per_reasoning_token": 2e-06, "output_cost_per_token_priority": 4e-06}"#,
    );
    let expected = vec![
        row("any", "priority", 0, json!({ "input": 1, "output": 4, "reasoning": 4 })),
        row("any", "standard", 0, json!({ "input": 1, "output": 2, "reasoning": 2 })),
    ];
    assert_eq!(normal(rows), normal(expected));
}

#[test]
fn entries_that_cannot_be_priced_are_skipped_with_the_reason() {
    let document = read_text(include_str!("../../../../tests/fixtures/prices/litellm.json"));
    let cases = [
        ("sample_spec", "not a model"),
        ("fallback_generalizations", "not a model"),
        ("a-list", "not an object"),
        ("no-provider", "no litellm_provider"),
        ("no-price", "no price"),
        ("text-price", "input_cost_per_token: expected a number, found a string"),
        ("negative-price", "output_cost_per_token: a price is never negative"),
        ("dear-price", "input_cost_per_token: a price is at most 1000000"),
        ("no-factor", "regional_processing_uplift_multiplier_eu: expected a factor above 0 and up to 100"),
        ("bedrock/*/1-month-commitment/x", "no price; input_cost_per_second: not a price of the call"),
        ("by-results/search", "no price; tiered_pricing: not by input tokens"),
        ("gemini/twice", "other prices than twice, which is the same model"),
    ];
    for (name, expected) in cases {
        assert_eq!(reason(&document, name), expected, "{name}");
    }
    assert_eq!(document.skipped.len(), cases.len());
}

#[test]
fn two_keys_of_one_model_become_one() {
    let document = read_text(include_str!("../../../../tests/fixtures/prices/litellm.json"));
    // The plain name wins over other prices, and takes in the same ones.
    let twice = model(&document, "gemini", "twice");
    assert_eq!(normal(rows(twice)), normal(vec![row("any", "standard", 0, json!({ "input": 3 }))]));
    let same = model(&document, "vertex_ai", "same");
    // Only the entry with the prefix states the place.
    let expected =
        [row("any", "standard", 0, json!({ "input": 3 })), row("regional", "standard", 0, json!({ "input": 3.3 }))];
    assert_eq!(normal(rows(same)), normal(expected.to_vec()));
    assert_eq!(same.aliases, [Alias { pattern: json!({ "equals": "same" }), is_default_provider: true }]);
    let nova = model(&document, "amazon_nova", "nova-micro-v1");
    let alias = Alias { pattern: json!({ "equals": "amazon-nova/nova-micro-v1" }), is_default_provider: false };
    assert_eq!(nova.aliases, [alias]);
    assert_eq!(model(&document, "azure", "eu/gpt-4o").aliases, []);
}
