use super::*;

/// For each shape: a usage, and the way to a count in it that is spoiled.
fn counts() -> Vec<(Value, &'static str)> {
    let openai = |input: &str, output: &str| json!({input: 9, output: 9});
    vec![
        (chat(9, 9), "/total_tokens"),
        (openai("input_tokens", "output_tokens"), "/input_tokens"),
        (
            json!({"input_tokens": 9, "output_tokens": 9, "input_tokens_details": {"cached_tokens": 1}}),
            "/input_tokens_details/cached_tokens",
        ),
        (
            json!({"input_tokens": 9, "output_tokens": 9, "input_token_details": {"cached_tokens": 5, "cached_tokens_details": {"audio_tokens": 5}}}),
            "/input_token_details/cached_tokens_details/audio_tokens",
        ),
        (
            json!({"input_tokens": 9, "output_tokens": 9, "input_tokens_details": {"image_tokens": 5}}),
            "/input_tokens_details/image_tokens",
        ),
        (json!({"type": "tokens", "input_tokens": 9, "output_tokens": 9}), "/output_tokens"),
        (json!({"requests": 2, "input_tokens": 9, "output_tokens": 9}), "/requests"),
        (json!({"input_tokens": 9, "output_tokens": 9, "cache_read_input_tokens": 5}), "/cache_read_input_tokens"),
        (json!({"promptTokenCount": 9, "totalTokenCount": 9}), "/promptTokenCount"),
        (
            json!({"promptTokenCount": 9, "totalTokenCount": 9, "cacheTokensDetails": [{"modality": "AUDIO", "tokenCount": 1}]}),
            "/cacheTokensDetails/0/tokenCount",
        ),
        (json!({"total_input_tokens": 9, "total_output_tokens": 9}), "/total_output_tokens"),
        (json!({"total_input_tokens": 9, "grounding_tool_count": [{"count": 2}]}), "/grounding_tool_count/0/count"),
        (
            json!({"inputTokens": 9, "outputTokens": 9, "cacheDetails": [{"ttl": "1h", "inputTokens": 3}]}),
            "/cacheDetails/0/inputTokens",
        ),
        (json!({"inputTokens": 9, "outputTokens": 9, "cachedInputTokens": 3}), "/cachedInputTokens"),
        (json!({"inputTokens": {"total": 9}, "outputTokens": {"total": 9}}), "/inputTokens/total"),
        (json!({"pages_processed": 9}), "/pages_processed"),
        (json!({"billed_units": {"input_tokens": 9}}), "/billed_units/input_tokens"),
        (
            json!({"input_tokens": 9, "output_tokens": 9, "input_token_details": {"cache_read": 1}}),
            "/input_token_details/cache_read",
        ),
        (json!({"gen_ai.usage.input_tokens": 9, "gen_ai.usage.output_tokens": 9}), "/gen_ai.usage.output_tokens"),
        (json!({"characters": 9}), "/characters"),
        (json!({"buckets": {"output_text": 9}}), "/buckets/output_text"),
        (json!({"prompt_tokens": 9, "completion_tokens": 9, "citation_tokens": 9}), "/citation_tokens"),
        (json!({"prompt_tokens": 9, "completion_tokens": 9, "num_sources_used": 9}), "/num_sources_used"),
        (json!({"prompt_tokens": 9, "completion_tokens": 9, "prompt_cache_hit_tokens": 9}), "/prompt_cache_hit_tokens"),
        (json!({"prompt_tokens": 9, "completion_tokens": 9, "connector_tokens": 9}), "/connector_tokens"),
    ]
}

/// `/a/0/b` as `$.a[0].b`.
fn json_path(pointer: &str) -> String {
    pointer.split('/').skip(1).fold("$".to_owned(), |path, step| match step.parse::<usize>() {
        Ok(index) => format!("{path}[{index}]"),
        Err(_) => format!("{path}.{step}"),
    })
}

#[test]
fn every_shape_checks_its_counts() {
    for (usage, pointer) in counts() {
        assert!(parse(&usage).is_ok(), "{usage}");
        for (spoiled, reason) in [
            ("-1", Reason::Negative),
            ("2.5", Reason::Fractional),
            ("9223372036854775808", Reason::TooLarge),
            ("1e999999", Reason::TooLarge),
            (r#""NaN""#, Reason::NotANumber("a string")),
            ("true", Reason::NotANumber("a boolean")),
            ("[9]", Reason::NotANumber("an array")),
        ] {
            let mut usage = usage.clone();
            *usage.pointer_mut(pointer).expect(pointer) = text(spoiled);
            refused(&usage, &json_path(pointer), reason);
        }
    }
}

#[test]
fn what_a_shape_cannot_do_without() {
    for (usage, path) in [
        (json!({"candidatesTokenCount": 5}), "$.promptTokenCount"),
        (json!({"total_output_tokens": 5}), "$.total_input_tokens"),
        (json!({"inputTokens": null, "outputTokens": 5}), "$.inputTokens"),
        (json!({"inputTokens": {"noCache": 5}, "outputTokens": {"total": 5}}), "$.inputTokens.total"),
        (json!({"pages_processed": null}), "$.pages_processed"),
        (json!({"type": "duration", "seconds": null}), "$.seconds"),
        (json!({"gen_ai.usage.input_tokens": 5}), "$.gen_ai.usage.output_tokens"),
        (json!({"requests": null, "input_tokens": 5, "output_tokens": 5}), "$.requests"),
        (json!({"buckets": {}, "parts": [{"model": "m"}]}), "$.parts[0].buckets"),
        (json!({"buckets": {}, "parts": [{"buckets": {}}]}), "$.parts[0].model"),
    ] {
        refused(&usage, path, Reason::Missing);
    }
}

#[test]
fn wrong_types_are_refused() {
    for (usage, path, reason) in [
        (
            json!({"promptTokenCount": 5, "promptTokensDetails": {}}),
            "$.promptTokensDetails",
            Reason::NotAnArray("an object"),
        ),
        (
            json!({"promptTokenCount": 5, "promptTokensDetails": [5]}),
            "$.promptTokensDetails[0]",
            Reason::NotAnObject("a number"),
        ),
        (
            json!({"inputTokens": 5, "outputTokens": 5, "cacheDetails": 5}),
            "$.cacheDetails",
            Reason::NotAnArray("a number"),
        ),
        (json!({"billed_units": {}, "tokens": 5}), "$.tokens", Reason::NotAnObject("a number")),
        (json!({"usageMetadata": 5}), "$.usageMetadata", Reason::NotAnObject("a number")),
        (json!({"response": {"usage": []}}), "$.response.usage", Reason::NotAnObject("an array")),
        (json!({"buckets": []}), "$.buckets", Reason::NotAnObject("an array")),
        (json!({"buckets": {"output_texts": 5}}), "$.buckets", Reason::UnknownBucket),
        (
            json!({"buckets": {}, "parts": [{"model": "m", "buckets": {"x": 1}}]}),
            "$.parts[0].buckets",
            Reason::UnknownBucket,
        ),
    ] {
        refused(&usage, path, reason);
    }
}

#[test]
fn two_dialects_of_any_kind_are_refused() {
    for usage in [
        json!({"inputTokens": 5, "outputTokens": 5, "cacheReadInputTokens": 1, "cachedInputTokens": 1}),
        json!({"prompt_tokens": 5, "completion_tokens": 5, "promptTokenCount": 5}),
        json!({"input_tokens": 5, "output_tokens": 5, "cache_creation": {}, "input_token_details": {"cache_read": 1}}),
        json!({"gen_ai.usage.input_tokens": 5, "gen_ai.usage.output_tokens": 5, "prompt_tokens": 5}),
        json!({"buckets": {}, "prompt_tokens": 5, "completion_tokens": 5}),
    ] {
        assert!(matches!(error(&usage).reason, Reason::MixedShapes { .. }), "{usage}");
    }
}

#[test]
fn parts_above_their_whole_are_flagged_in_every_shape() {
    for (usage, flags) in [
        (
            json!({"input_tokens": 5, "output_tokens": 5, "input_token_details": {"cached_tokens": 2, "cached_tokens_details": {"audio_tokens": 3}, "audio_tokens": 3}}),
            vec![Flag::ClampedInput],
        ),
        (json!({"promptTokenCount": 5, "cachedContentTokenCount": 6}), vec![Flag::ClampedInput]),
        (
            json!({"promptTokenCount": 5, "candidatesTokenCount": 5, "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 6}]}),
            vec![Flag::ClampedOutput],
        ),
        (
            json!({"inputTokens": 5, "outputTokens": 5, "cacheWriteInputTokens": 1, "cacheDetails": [{"ttl": "5m", "inputTokens": 2}]}),
            vec![Flag::ClampedInput],
        ),
        (
            json!({"inputTokens": 5, "outputTokens": 5, "cachedInputTokens": 6, "reasoningTokens": 6}),
            vec![Flag::ClampedInput, Flag::ClampedOutput],
        ),
        (
            json!({"input_tokens": 5, "output_tokens": 5, "input_token_details": {"cache_read": 6}}),
            vec![Flag::ClampedInput],
        ),
        (
            json!({"inputTokens": 5, "outputTokens": 5, "totalTokens": 11, "cacheReadInputTokens": 2}),
            vec![Flag::TotalMismatch],
        ),
        (
            json!({"prompt_tokens": 5, "completion_tokens": 5, "prompt_cache_hit_tokens": 1, "prompt_cache_miss_tokens": 1}),
            vec![Flag::TotalMismatch],
        ),
        (json!({"buckets": {"output_text": 5}, "total_tokens": 6}), vec![Flag::TotalMismatch]),
    ] {
        assert_eq!(parse(&usage).map(|usage| usage.flags), Ok(flags), "{usage}");
    }
}

#[test]
fn new_charges_are_reported_in_every_shape() {
    for (usage, unknown) in [
        (json!({"inputTokens": 5, "outputTokens": 5, "cacheDetails": [], "guardrailUnits": 2}), "$.guardrailUnits"),
        (json!({"promptTokenCount": 5, "groundingCount": 2}), "$.groundingCount"),
        (json!({"billed_units": {"classifications": 3}}), "$.billed_units.classifications"),
        (json!({"billed_units": {"input_tokens": 3}, "cached_tokens": 2}), "$.cached_tokens"),
        (json!({"pages_processed": 1, "pages_annotated": 2}), "$.pages_annotated"),
        (
            json!({"prompt_tokens": 1, "completion_tokens": 1, "connectors": {"web_search_premium": 2}}),
            "$.connectors.web_search_premium",
        ),
        (
            json!({"gen_ai.usage.input_tokens": 1, "gen_ai.usage.output_tokens": 1, "gen_ai.usage.credits": 2}),
            "$.gen_ai.usage.credits",
        ),
        (json!({"buckets": {}, "credits": 2}), "$.credits"),
        (
            json!({"input_tokens": 1, "output_tokens": 1, "server_tool_use": {"code_execution_requests": 2}}),
            "$.server_tool_use.code_execution_requests",
        ),
        (
            json!({"input_tokens": 1, "output_tokens": 1, "cache_read_input_tokens": 0, "fallback_credit": {"tokens": 2}}),
            "$.fallback_credit.tokens",
        ),
    ] {
        assert_eq!(parse(&usage).map(|usage| usage.unknown_fields), Ok(vec![unknown.to_owned()]), "{usage}");
    }
}
