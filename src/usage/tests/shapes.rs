use super::*;

#[test]
fn what_is_no_object_is_refused() {
    for (value, found) in [
        (json!(null), "null"),
        (json!(25), "a number"),
        (json!("usage"), "a string"),
        (json!([]), "an array"),
        (json!(false), "a boolean"),
    ] {
        refused(&value, "$", Reason::NotAnObject(found));
        refused(&json!({"usage": value}), "$.usage", Reason::NotAnObject(found));
    }
}

#[test]
fn what_has_no_known_shape_is_refused() {
    for value in [
        json!({}),
        json!({"tokens": 5}),
        json!({"input_tokens": 5}),
        json!({"output_tokens": 5}),
        json!({"total_tokens": 5}),
        json!({"promptTokens": 5, "completionTokens": 5, "totalTokens": 10}),
        json!({"inputTokens": 5}),
        json!({"searches": 5, "credits": 5}),
    ] {
        refused(&value, "$", Reason::UnknownShape);
        refused(&json!({"usage": value}), "$.usage", Reason::UnknownShape);
    }
}

#[test]
fn a_required_count_may_not_be_missing_or_null() {
    refused(&json!({"completion_tokens": 5}), "$.prompt_tokens", Reason::Missing);
    refused(&json!({"prompt_tokens": null, "completion_tokens": 5}), "$.prompt_tokens", Reason::Missing);
    refused(&json!({"input_tokens": null, "output_tokens": 5}), "$.input_tokens", Reason::Missing);
    // The oldest form of a streaming event names the output only; the input stood in the first event.
    let delta = json!({"type": "message_delta", "usage": {"output_tokens": 15, "cache_read_input_tokens": null}});
    refused(&delta, "$.usage.input_tokens", Reason::Missing);
}

#[test]
fn only_an_embedding_has_no_output() {
    refused(&json!({"prompt_tokens": 5}), "$.completion_tokens", Reason::Missing);
    refused(&json!({"prompt_tokens": 5, "total_tokens": 9}), "$.completion_tokens", Reason::Missing);
    refused(&json!({"prompt_tokens": 5, "completion_tokens": null}), "$.completion_tokens", Reason::Missing);
    assert_eq!(parse(&json!({"prompt_tokens": 5, "total_tokens": 5})).and_then(|usage| usage.total_tokens()), Ok(5));
}

#[test]
fn two_dialects_at_once_are_refused() {
    let mixed = |second: &'static str, first: &'static str| Reason::MixedShapes { first, second };
    let both =
        json!({"prompt_tokens": 5, "completion_tokens": 5, "input_tokens": 5, "output_tokens": 5, "total_tokens": 10});
    refused(&both, "$", mixed("openai responses", "openai chat"));
    let cached = json!({"input_tokens": 9, "output_tokens": 5, "total_tokens": 14, "cache_read_input_tokens": 4});
    refused(&cached, "$", mixed("anthropic messages", "openai responses"));
    let gateway = |written: i64| {
        json!({"prompt_tokens": 9, "completion_tokens": 5, "total_tokens": 14,
               "cache_creation_input_tokens": written, "cache_read_input_tokens": 0})
    };
    refused(&gateway(4), "$", mixed("anthropic messages", "openai chat"));
    assert_eq!(parse(&gateway(0)).map(|usage| usage[Bucket::UncachedInput]), Ok(9));
}

#[test]
fn details_may_be_null_but_nothing_else() {
    let with = |details: Value| json!({"prompt_tokens": 5, "completion_tokens": 5, "prompt_tokens_details": details});
    assert!(parse(&with(json!(null))).is_ok());
    assert!(parse(&with(json!({"cached_tokens": null}))).is_ok());
    refused(&with(json!([])), "$.prompt_tokens_details", Reason::NotAnObject("an array"));
    let steps = json!({"input_tokens": 5, "output_tokens": 5, "iterations": {}});
    refused(&steps, "$.iterations", Reason::NotAnArray("an object"));
    let steps = json!({"input_tokens": 5, "output_tokens": 5, "iterations": [null]});
    refused(&steps, "$.iterations[0]", Reason::NotAnObject("null"));
}

#[test]
fn parts_above_their_whole_are_clamped_and_flagged() {
    let usage = parse(&json!({
        "prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110,
        "prompt_tokens_details": {"cached_tokens": 150},
        "completion_tokens_details": {"reasoning_tokens": 30},
    }))
    .expect("clamped");
    assert_eq!((usage[Bucket::UncachedInput], usage[Bucket::CacheRead]), (0, 150));
    assert_eq!((usage[Bucket::OutputText], usage[Bucket::Reasoning]), (0, 30));
    assert_eq!(usage.flags, [Flag::ClampedInput, Flag::ClampedOutput]);

    let usage = parse(&json!({
        "input_tokens": 5, "output_tokens": 10, "cache_creation_input_tokens": 100,
        "cache_creation": {"ephemeral_5m_input_tokens": 60, "ephemeral_1h_input_tokens": 41},
        "output_tokens_details": {"thinking_tokens": 11},
    }))
    .expect("clamped");
    assert_eq!((usage[Bucket::UncachedInput], usage[Bucket::CacheWrite]), (5, 0));
    assert_eq!((usage[Bucket::CacheWrite5m], usage[Bucket::CacheWrite1h]), (60, 41));
    assert_eq!(usage.flags, [Flag::ClampedInput, Flag::ClampedOutput]);
}

#[test]
fn a_clamp_survives_parts_whose_sum_overflows() {
    let usage = parse(&json!({
        "prompt_tokens": 1, "completion_tokens": 0,
        "prompt_tokens_details": {"cached_tokens": i64::MAX, "cache_write_tokens": i64::MAX},
    }))
    .expect("clamped");
    assert_eq!((usage[Bucket::UncachedInput], usage.flags.as_slice()), (0, &[Flag::ClampedInput][..]));
}

#[test]
fn a_total_that_does_not_add_up_is_flagged() {
    let usage = parse(&json!({"prompt_tokens": 5, "completion_tokens": 5, "total_tokens": 30})).expect("flagged");
    assert_eq!(usage.flags, [Flag::TotalMismatch]);
    assert_eq!(parse(&chat(5, 5)).map(|usage| usage.flags), Ok(vec![]));
}

#[test]
fn unknown_numbers_are_reported() {
    let usage = parse(&json!({
        "prompt_tokens": 5, "completion_tokens": 5,
        "prompt_tokens_details": {"cached_tokens": 1, "smell_tokens": 3, "hologram_tokens": 0},
        "fee": 0.25, "note": "12", "tiny": 1e-300, "nothing": null,
        "deep": {"list": [0, {"x": 7}]},
    }))
    .expect("read");
    let mut unknown = usage.unknown_fields;
    unknown.sort();
    assert_eq!(unknown, ["$.deep.list[1].x", "$.fee", "$.prompt_tokens_details.smell_tokens", "$.tiny"]);
}

#[test]
fn the_report_of_unknown_numbers_is_bounded() {
    let mut value = chat(1, 1);
    let many = (1..1000).map(|index| (format!("field_{index}"), json!(index))).collect();
    value.as_object_mut().expect("object").insert("extra".to_owned(), Value::Object(many));
    assert_eq!(parse(&value).expect("read").unknown_fields.len(), 32);
    let modalities = vec![json!({"modality": "SMELL", "tokenCount": 1}); 1000];
    let value = json!({"promptTokenCount": 1000, "promptTokensDetails": modalities});
    assert_eq!(parse(&value).expect("read").unknown_fields.len(), 32);
}

#[test]
fn tiers_have_one_name_each() {
    let read = |tier: &str| {
        let usage = json!({"input_tokens": 1, "output_tokens": 1, "cache_read_input_tokens": 0, "service_tier": tier});
        let usage = parse(&usage).expect("read");
        assert_eq!(usage.surcharges, [""; 0], "{tier}");
        usage.service_tier
    };
    for tier in ["standard", "default", "auto", "Standard"] {
        assert_eq!(read(tier), None, "{tier}");
    }
    for tier in ["batch", "flex", "scale", "priority", "warp"] {
        assert_eq!(read(tier).as_deref(), Some(tier));
    }
}

#[test]
fn a_response_of_openai_keeps_its_reading_without_details() {
    let response = json!({"object": "response", "usage": {"input_tokens": 5, "output_tokens": 5}});
    assert_eq!(parse(&response).map(|usage| usage.provider), Ok(Some("openai")));
    let message = json!({"type": "message", "usage": {"input_tokens": 5, "output_tokens": 5}});
    assert_eq!(parse(&message).map(|usage| usage.provider), Ok(Some("anthropic")));
}
