use proptest::prelude::*;

use super::*;

const MANY: std::ops::Range<i64> = 0..1_000_000_000;

proptest! {
    /// No token is lost and none is counted twice.
    #[test]
    fn openai_buckets_add_up(
        uncached in MANY, cached in MANY, written in MANY, audio_in in MANY, image_in in MANY,
        text in MANY, reasoning in MANY, audio_out in MANY,
    ) {
        let input = uncached + cached + written + audio_in + image_in;
        let output = text + reasoning + audio_out;
        let input_details = json!({
            "cached_tokens": cached, "cache_write_tokens": written, "audio_tokens": audio_in, "image_tokens": image_in,
        });
        let output_details = json!({"reasoning_tokens": reasoning, "audio_tokens": audio_out});
        let chat = json!({
            "prompt_tokens": input, "completion_tokens": output, "total_tokens": input + output,
            "prompt_tokens_details": input_details, "completion_tokens_details": output_details,
        });
        let responses = json!({
            "input_tokens": input, "output_tokens": output, "total_tokens": input + output,
            "input_tokens_details": input_details, "output_tokens_details": output_details,
        });
        let usage = parse(&chat).unwrap();
        prop_assert_eq!(&usage, &parse(&responses).unwrap());
        prop_assert_eq!(usage.input_tokens(), Ok(input));
        prop_assert_eq!(usage.output_tokens(), Ok(output));
        prop_assert_eq!(usage.total_tokens(), Ok(input + output));
        prop_assert_eq!((usage[Bucket::UncachedInput], usage[Bucket::OutputText]), (uncached, text));
        prop_assert!(usage.flags.is_empty());
    }

    #[test]
    fn anthropic_buckets_add_up(
        input in MANY, read in MANY, written in MANY, five in MANY, hour in MANY, text in MANY, thinking in MANY,
    ) {
        let usage = parse(&json!({
            "input_tokens": input, "cache_read_input_tokens": read,
            "cache_creation_input_tokens": written + five + hour,
            "cache_creation": {"ephemeral_5m_input_tokens": five, "ephemeral_1h_input_tokens": hour},
            "output_tokens": text + thinking, "output_tokens_details": {"thinking_tokens": thinking},
        })).unwrap();
        prop_assert_eq!(usage[Bucket::UncachedInput], input);
        prop_assert_eq!(usage.input_tokens(), Ok(input + read + written + five + hour));
        prop_assert_eq!(usage.sum("cache_write", &Bucket::CACHE_WRITE), Ok(written + five + hour));
        prop_assert_eq!(usage[Bucket::CacheWrite], written);
        prop_assert_eq!((usage[Bucket::OutputText], usage[Bucket::Reasoning]), (text, thinking));
        prop_assert!(usage.flags.is_empty());
    }

    /// Whatever the counts say, no bucket is negative and no contradiction passes unflagged.
    #[test]
    fn contradictions_are_flagged(prompt in MANY, completion in MANY, cached in MANY, reasoning in MANY) {
        let usage = parse(&json!({
            "prompt_tokens": prompt, "completion_tokens": completion,
            "prompt_tokens_details": {"cached_tokens": cached},
            "completion_tokens_details": {"reasoning_tokens": reasoning},
        })).unwrap();
        prop_assert!(usage[Bucket::UncachedInput] >= 0 && usage[Bucket::OutputText] >= 0);
        prop_assert_eq!(usage.flags.contains(&Flag::ClampedInput), cached > prompt);
        prop_assert_eq!(usage.flags.contains(&Flag::ClampedOutput), reasoning > completion);
        prop_assert_eq!(usage.input_tokens(), Ok(prompt.max(cached)));
    }

    /// Any JSON gets an answer.
    #[test]
    fn any_object_is_answered(
        members in prop::collection::btree_map(
            prop::sample::select(vec![
                "usage", "prompt_tokens", "completion_tokens", "input_tokens", "output_tokens", "total_tokens", "iterations",
                "prompt_tokens_details", "input_tokens_details", "output_tokens_details", "cache_creation", "type",
                "cache_read_input_tokens", "cached_tokens", "service_tier",
            ]),
            prop::sample::select(vec![
                "null", "0", "5", "-5", "5.5", "1e400", "9223372036854775807", "\"5\"", "[]", "{}", "true",
                r#"{"cached_tokens": 9223372036854775807, "prompt_tokens": 5, "completion_tokens": 1}"#,
                r#"[{"type": "compaction", "input_tokens": 9223372036854775807, "output_tokens": 3}]"#,
            ]),
            0..8,
        ),
    ) {
        let body: Vec<_> = members.iter().map(|(key, value)| format!("\"{key}\": {value}")).collect();
        if let Ok(usage) = parse(&text(&format!("{{{}}}", body.join(", ")))) {
            for (_, bucket) in usage.counts.present() {
                prop_assert!(bucket >= 0);
            }
        }
    }

    /// Any JSON that is made of the names of all shapes gets an answer, whoever is named.
    #[test]
    fn any_json_is_answered(value in json_value(), provider in prop::option::of(prop::sample::select(PROVIDERS.to_vec()))) {
        if let Ok(usage) = parse_as(&value, provider) {
            let parts = usage.parts.iter().map(|part| part.counts);
            for counts in std::iter::once(usage.counts).chain(parts) {
                prop_assert!(counts.present().all(|(_, count)| count > 0), "{}: {:?}", value, usage);
            }
            prop_assert!(usage.stated.cost_nanos.is_none_or(|nanos| nanos >= 0));
            prop_assert!(usage.unknown_fields.len() <= 32);
            let _ = usage.total_tokens();
        }
    }

    #[test]
    fn any_provider_name_is_answered(name in ".{0,20}") {
        let _ = parse_as(&chat(1, 1), Some(&name));
    }
}

const PROVIDERS: [&str; 18] = [
    "openai",
    "azure",
    "azure_ai",
    "anthropic",
    "gemini",
    "vertex_ai",
    "bedrock",
    "mistral",
    "cohere",
    "openrouter",
    "perplexity",
    "xai",
    "voyage",
    "elevenlabs",
    "langchain",
    "openai_agents",
    "opentelemetry",
    "vercel",
];

fn name() -> impl Strategy<Value = String> {
    prop::sample::select(
        "usage usageMetadata usage_metadata meta usage_info response message result body delta metadata attributes totalUsage \
         prompt_tokens completion_tokens total_tokens input_tokens output_tokens prompt_tokens_details input_tokens_details \
         input_token_details output_token_details output_tokens_details completion_tokens_details cached_tokens \
         cached_tokens_details audio_tokens image_tokens text_tokens reasoning_tokens rejected_prediction_tokens \
         cache_read_input_tokens cache_creation_input_tokens cache_creation ephemeral_5m_input_tokens iterations model type \
         server_tool_use web_search_requests speed service_tier inference_geo fallback_credit status promptTokenCount \
         candidatesTokenCount thoughtsTokenCount totalTokenCount toolUsePromptTokenCount cachedContentTokenCount \
         promptTokensDetails cacheTokensDetails candidatesTokensDetails modality tokenCount total_input_tokens \
         total_output_tokens total_thought_tokens grounding_tool_count count inputTokens outputTokens totalTokens \
         cacheReadInputTokens cacheWriteInputTokens cacheDetails ttl cachedInputTokens inputTokenDetails total cacheRead \
         billed_units tokens search_units pages_processed prompt_audio_seconds connector_tokens connectors web_search cost \
         total_cost cost_details upstream_inference_cost is_byok cost_in_usd_ticks citation_tokens num_search_queries \
         search_context_size num_sources_used cache_read gen_ai.usage.input_tokens gen_ai.usage.output_tokens requests \
         request_counts completed eval_count prompt_eval_count seconds characters buckets parts uncached_input output_text data object id x_groq"
            .split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>(),
    )
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop::sample::select(vec![
        "null",
        "0",
        "1",
        "5",
        "7",
        "25.0",
        "-5",
        "5.5",
        "1e400",
        "1e-400",
        "9223372036854775807",
        "true",
        "\"low\"",
        "\"AUDIO\"",
        "\"1h\"",
        "\"message_delta\"",
        "\"message_start\"",
        "\"tokens\"",
        "\"duration\"",
        "\"compaction\"",
        "\"advisor_message\"",
        "\"batch\"",
        "[]",
        "{}",
    ])
    .prop_map(text);
    leaf.prop_recursive(4, 64, 10, |inner| {
        prop_oneof![
            3 => prop::collection::btree_map(name(), inner.clone(), 0..10)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
            1 => prop::collection::vec(inner, 0..4).prop_map(Value::Array),
        ]
    })
}
