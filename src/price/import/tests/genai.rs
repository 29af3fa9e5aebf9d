use super::*;

fn document(models: &str) -> Document {
    read_text(&format!(
        r#"[{{"id": "x-ai", "model_match": {{"starts_with": "m"}}, "pricing_urls": ["https://example.org/p"], "models": [{models}]}}]"#
    ))
}

fn dated(tier: &str, above: i64, from: Option<&str>, until: Option<&str>, prices: Value) -> Row {
    ("any".to_owned(), tier.to_owned(), above, from.map(str::to_owned), until.map(str::to_owned), prices)
}

/// Rows without the modalities that cost what text costs, as text that compares.
fn text_rows(model: &ListedModel) -> Vec<String> {
    let mut rows: Vec<String> = rows(model)
        .into_iter()
        .map(|(_, tier, above, from, until, mut prices)| {
            let object = prices.as_object_mut().expect("prices");
            object.retain(|name, _| !["input_audio", "output_audio", "output_image"].contains(&name.as_str()));
            format!("{tier} {above} {}..{} {prices}", from.unwrap_or_default(), until.unwrap_or_default())
        })
        .collect();
    rows.sort();
    rows
}

#[test]
fn a_model_is_read_with_its_names() {
    let document = document(
        r#"{"id": "m1", "match": {"starts_with": "m1"}, "context_window": 128000, "deprecated": true,
            "prices": {"input_mtok": 2.5, "output_mtok": 10, "cache_write_1h_mtok": 4, "output_video_mtok": 9}},
           {"id": "other", "match": {"regex": "("}, "prices": {"input_mtok": 1}}"#,
    );
    let m1 = model(&document, "xai", "m1");
    let prices =
        r#"{"cache_write_1h":4,"input":2.5,"input_audio":2.5,"output":10,"output_audio":10,"output_image":10}"#;
    assert_eq!(rows(m1), [dated("standard", 0, None, None, serde_json::from_str(prices).expect("JSON"))]);
    assert_eq!(m1.aliases, [Alias { pattern: json!({ "starts_with": "m1" }), is_default_provider: true }]);
    assert_eq!((m1.context_tokens, m1.deprecated_on.as_deref()), (Some(128_000), None));
    assert_eq!(m1.source_url.as_deref(), Some("https://example.org/p"));
    assert_eq!(m1.ignored, ["output_video_mtok: no unit of the price book"]);
    let other = model(&document, "xai", "other");
    assert_eq!(other.aliases, []);
    assert!(
        other.ignored.iter().any(|note| note.starts_with("match: not a regular expression")),
        "{:?}",
        other.ignored
    );
}

#[test]
fn a_default_provider_is_one_whose_pattern_knows_the_model() {
    let document = document(
        r#"{"id": "n", "match": {"equals": "n"}, "prices": {"input_mtok": 1}},
           {"id": "m", "match": {"equals": "m"}, "prices": {"input_mtok": 1}}"#,
    );
    let is_default = |name| model(&document, "xai", name).aliases.iter().any(|alias| alias.is_default_provider);
    assert_eq!((is_default("n"), is_default("m")), (false, true));
}

#[test]
fn units_become_those_of_the_book() {
    let document = document(
        r#"{"id": "m", "prices": {"web_searches_kcount": 10, "storage_searches_kcount": 2.5, "requests_kcount": 5,
            "input_document_kpages": 4, "input_annotated_document_kpages": 5, "input_mchars": 30,
            "input_text_messages_kcount": 4, "audio_hours": 0.36, "input_audio_hours": 0.36, "output_citation_mtok": 2,
            "output_reasoning_mtok": 3}}"#,
    );
    let expected = r#"{"annotation_pages":0.005,"characters":30,"citation":2,"pages":0.004,"reasoning":3,"requests":0.005,
        "searches":0.01,"seconds":0.0001,"storage_searches":0.0025,"text_messages":0.004}"#;
    let expected: Value = serde_json::from_str(expected).expect("JSON");
    assert_eq!(rows(model(&document, "xai", "m")), [dated("standard", 0, None, None, expected)]);
}

#[test]
fn a_price_by_length_and_a_flat_variant_over_it() {
    let document = document(
        r#"{"id": "m", "prices": {"input_mtok": {"base": 5, "tiers": [{"start": 272000, "price": 10}]},
              "output_mtok": {"base": 30, "tiers": [{"start": 272000, "price": 45}]}, "cache_read_mtok": 0.5},
            "price_variants": [
              {"when": {"service_tier": "priority"}, "prices": {"input_mtok": 12.5, "output_mtok": 75}},
              {"when": {"service_tier": "default"}, "prices": {"input_mtok": 1}},
              {"when": {"speed": "fast"}, "prices": {"input_mtok": 20}},
              {"when": {"route": "mistral/eu"}, "prices": {"input_mtok": 6}}]}"#,
    );
    let m = model(&document, "xai", "m");
    let expected = [
        r#"fast 0 .. {"cache_read":0.5,"input":20,"output":30}"#,
        r#"fast 272000 .. {"cache_read":0.5,"input":20,"output":45}"#,
        r#"priority 0 .. {"cache_read":0.5,"input":12.5,"output":75}"#,
        r#"standard 0 .. {"cache_read":0.5,"input":5,"output":30}"#,
        r#"standard 272000 .. {"cache_read":0.5,"input":10,"output":45}"#,
    ];
    assert_eq!(text_rows(m), expected);
    assert_eq!(m.ignored, [r#"price_variants: no tier in {"route":"mistral/eu"}"#]);
}

#[test]
fn a_dated_price_holds_until_the_next() {
    let document = document(
        r#"{"id": "m", "prices": [
              {"prices": {"input_mtok": 1}},
              {"constraint": {"start_date": "2026-10-29"}, "prices": {"input_mtok": 3}},
              {"constraint": {"start_date": "2026-10-20"}, "prices": {"input_mtok": 2, "output_mtok": 8}}],
            "price_variants": [
              {"when": {"processing": "batch"}, "constraint": {"start_date": "2026-10-25"}, "prices": {"input_mtok": 0.5}}]},
           {"id": "m2", "prices": {"input_mtok": 1},
            "price_variants": [
              {"when": {"processing": "batch"}, "constraint": {"start_date": "2026-10-25"}, "prices": {"input_mtok": 0.5}}]}"#,
    );
    let expected = [
        r#"batch 0 2026-10-25..2026-10-29 {"input":0.5,"output":8}"#,
        r#"batch 0 2026-10-29.. {"input":0.5}"#,
        r#"standard 0 1970-01-01..2026-10-20 {"input":1}"#,
        r#"standard 0 2026-10-20..2026-10-29 {"input":2,"output":8}"#,
        r#"standard 0 2026-10-29.. {"input":3}"#,
    ];
    assert_eq!(text_rows(model(&document, "xai", "m")), expected);
    let undated = [r#"batch 0 2026-10-25.. {"input":0.5}"#, r#"standard 0 .. {"input":1}"#];
    assert_eq!(text_rows(model(&document, "xai", "m2")), undated);
}

#[test]
fn models_that_cannot_be_priced_are_skipped_with_the_reason() {
    let document = document(
        r#"{"id": "hours", "prices": [{"prices": {"input_mtok": 1}},
             {"constraint": {"start_time": "00:30:00+00:00", "end_time": "16:30:00+00:00"}, "prices": {"input_mtok": 2}}]},
           {"id": "empty", "prices": {}}, {"id": "text", "prices": {"input_mtok": "1"}},
           {"id": "until", "prices": [{"constraint": {"start_date": "2026-10-20", "end_date": "2026-10-21"}, "prices": {}}]},
           {"id": "day", "prices": [{"constraint": {"start_date": "2026-02-30"}, "prices": {}}]},
           {"id": "hour", "prices": {"audio_hours": 1, "input_audio_hours": 2}},
           {"id": "tier", "prices": {"input_mtok": {"base": 1}}}, {"name": "none"},
           {"id": "m", "prices": {"input_mtok": 1}}, {"id": "m", "prices": {"input_mtok": 1}}"#,
    );
    for (name, expected) in [
        ("x-ai/hours", "price depends on the time of day"),
        ("x-ai/empty", "no price"),
        ("x-ai/text", "input_mtok: expected a number, found a string"),
        ("x-ai/until", "constraint: not a known one"),
        ("x-ai/day", "constraint: start_date is not a day"),
        ("x-ai/hour", "input_audio_hours: two prices for one unit"),
        ("x-ai/tier", "input_mtok: expected a number or an object with tiers"),
        ("x-ai: model 7", "not a model with an id"),
        ("x-ai/m", "listed twice"),
    ] {
        assert_eq!(reason(&document, name), expected, "{name}");
    }
    assert_eq!(document.models.len(), 1);
}

#[test]
fn a_free_price_is_named() {
    let document = document(
        r#"{"id": "m", "prices": {"input_mtok": 0, "cache_write_mtok": 0}}, {"id": "m2", "prices": {"input_mtok": 1, "cache_write_mtok": 0}}"#,
    );
    let notes = |name| model(&document, "xai", name).ignored.clone();
    // The audio is free because the text is.
    let free = ["input", "cache_write", "input_audio"].map(|name| format!("{name}: price of 0 as listed"));
    assert_eq!(notes("m"), free);
    assert_eq!(notes("m2"), ["cache_write: 0 beside a price of input"]);
    assert_eq!(text_rows(model(&document, "xai", "m2")), [r#"standard 0 .. {"input":1}"#]);
}
