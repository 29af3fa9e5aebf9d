use proptest::prelude::*;

use super::*;

/// Few or many, and often none at all.
fn some() -> impl Strategy<Value = i64> {
    prop_oneof![2 => Just(0), 1 => 1_i64..50, 3 => 1_i64..1_000_000_000]
}

/// Random counts of some kinds.
fn counts(buckets: &'static [Bucket]) -> impl Strategy<Value = Counts> {
    prop::collection::vec(some(), buckets.len()).prop_map(|values| {
        let mut counts = Counts::from([(Bucket::Requests, 1)]);
        for (bucket, value) in buckets.iter().zip(values) {
            counts[*bucket] = value;
        }
        counts
    })
}

/// The usage reads back as the counts it was made of, with nothing unexplained.
fn same(usage: &Value, counts: &Counts) -> Result<(), TestCaseError> {
    let read = parse(usage).map_err(|error| TestCaseError::fail(format!("{usage}: {error}")))?;
    prop_assert_eq!(&read.counts, counts, "{}", usage);
    prop_assert!(read.flags.is_empty() && read.unknown_fields.is_empty(), "{}: {:?}", usage, read);
    Ok(())
}

use Bucket::{
    CacheRead, CacheReadAudio, CacheReadImage, CacheWrite, CacheWrite1h, CacheWrite5m, Characters, Citation, Images,
    InputAudio, InputImage, InputVideo, OutputAudio, OutputImage, OutputText, Pages, Reasoning, RejectedPrediction,
    Requests, Searches, SearchesHigh, SearchesLow, Seconds, ToolPrompt, UncachedInput,
};

fn input(counts: &Counts) -> i64 {
    let tool = counts[ToolPrompt];
    counts.sum(&Bucket::INPUT).expect("small") - tool
}

fn output(counts: &Counts) -> i64 {
    counts.sum(&Bucket::OUTPUT).expect("small")
}

proptest! {
    #[test]
    fn openai_chat(counts in counts(&[
        UncachedInput, CacheRead, CacheWrite, InputAudio, InputImage, InputVideo, OutputText, Reasoning,
        RejectedPrediction, OutputAudio, OutputImage,
    ])) {
        same(&json!({
            "prompt_tokens": input(&counts), "completion_tokens": output(&counts),
            "total_tokens": input(&counts) + output(&counts),
            "prompt_tokens_details": {
                "cached_tokens": counts[CacheRead], "cache_write_tokens": counts[CacheWrite],
                "audio_tokens": counts[InputAudio], "image_tokens": counts[InputImage],
                "video_tokens": counts[InputVideo],
            },
            "completion_tokens_details": {
                "reasoning_tokens": counts[Reasoning], "audio_tokens": counts[OutputAudio],
                "image_tokens": counts[OutputImage], "rejected_prediction_tokens": counts[RejectedPrediction],
            },
        }), &counts)?;
    }

    #[test]
    fn openai_realtime(counts in counts(&[
        UncachedInput, CacheRead, CacheReadAudio, CacheReadImage, InputAudio, InputImage, OutputText, OutputAudio,
    ])) {
        let cached = counts.sum(&Bucket::CACHE_READ).expect("small");
        same(&json!({"type": "response.done", "response": {"object": "realtime.response", "usage": {
            "input_tokens": input(&counts), "output_tokens": output(&counts),
            "total_tokens": input(&counts) + output(&counts),
            "input_token_details": {
                "text_tokens": counts[UncachedInput] + counts[CacheRead],
                "audio_tokens": counts[InputAudio] + counts[CacheReadAudio],
                "image_tokens": counts[InputImage] + counts[CacheReadImage],
                "cached_tokens": cached,
                "cached_tokens_details": {
                    "text_tokens": counts[CacheRead], "audio_tokens": counts[CacheReadAudio],
                    "image_tokens": counts[CacheReadImage],
                },
            },
            "output_token_details": {"text_tokens": counts[OutputText], "audio_tokens": counts[OutputAudio]},
        }}}), &counts)?;
    }

    #[test]
    fn openai_images(counts in counts(&[UncachedInput, InputImage, OutputText, OutputImage])) {
        same(&json!({
            "input_tokens": input(&counts), "output_tokens": output(&counts),
            "total_tokens": input(&counts) + output(&counts),
            "input_tokens_details": {"text_tokens": counts[UncachedInput], "image_tokens": counts[InputImage]},
            "output_tokens_details": {"text_tokens": counts[OutputText], "image_tokens": counts[OutputImage]},
        }), &counts)?;
    }

    #[test]
    fn openai_transcription(counts in counts(&[UncachedInput, InputAudio, OutputText])) {
        same(&json!({
            "type": "tokens", "input_tokens": input(&counts), "output_tokens": output(&counts),
            "input_token_details": {"text_tokens": counts[UncachedInput], "audio_tokens": counts[InputAudio]},
        }), &counts)?;
    }

    #[test]
    fn openai_agents(counts in counts(&[Requests, UncachedInput, CacheRead, CacheWrite, OutputText, Reasoning])) {
        same(&json!({
            "requests": counts[Requests], "input_tokens": input(&counts), "output_tokens": output(&counts),
            "total_tokens": input(&counts) + output(&counts),
            "input_tokens_details": {"cached_tokens": counts[CacheRead], "cache_write_tokens": counts[CacheWrite]},
            "output_tokens_details": {"reasoning_tokens": counts[Reasoning]},
        }), &counts)?;
    }

    #[test]
    fn anthropic(counts in counts(&[
        UncachedInput, CacheRead, CacheWrite, CacheWrite5m, CacheWrite1h, OutputText, Reasoning, Searches,
    ])) {
        same(&json!({
            "input_tokens": counts[UncachedInput], "output_tokens": output(&counts),
            "cache_read_input_tokens": counts[CacheRead],
            "cache_creation_input_tokens": counts.sum(&Bucket::CACHE_WRITE).expect("small"),
            "cache_creation": {
                "ephemeral_5m_input_tokens": counts[CacheWrite5m], "ephemeral_1h_input_tokens": counts[CacheWrite1h],
            },
            "output_tokens_details": {"thinking_tokens": counts[Reasoning]},
            "server_tool_use": {"web_search_requests": counts[Searches]},
        }), &counts)?;
    }

    /// Thoughts beside the candidates and inside them, in both spellings.
    #[test]
    fn gemini(counts in counts(&[
        UncachedInput, CacheRead, CacheReadAudio, CacheReadImage, InputAudio, InputImage, InputVideo, ToolPrompt,
        OutputText, Reasoning, OutputAudio, OutputImage,
    ]), cached_video in some(), is_inside: bool, is_snake: bool) {
        let mut counts = counts;
        counts[CacheRead] += cached_video;
        let cached = counts.sum(&Bucket::CACHE_READ).expect("small");
        let candidates = output(&counts) - if is_inside { 0 } else { counts[Reasoning] };
        let name = |camel: &str| {
            let snake = |name: String, letter: char| match letter.is_ascii_uppercase() {
                true => format!("{name}_{}", letter.to_ascii_lowercase()),
                false => format!("{name}{letter}"),
            };
            if is_snake { camel.chars().fold(String::new(), snake) } else { camel.to_owned() }
        };
        let list = |items: &[(&str, i64)]| -> Value {
            items.iter().map(|(modality, count)| json!({"modality": modality, name("tokenCount"): count})).collect()
        };
        same(&json!({name("usageMetadata"): {
            name("promptTokenCount"): input(&counts),
            name("cachedContentTokenCount"): cached,
            name("toolUsePromptTokenCount"): counts[ToolPrompt],
            name("candidatesTokenCount"): candidates,
            name("thoughtsTokenCount"): counts[Reasoning],
            name("totalTokenCount"): input(&counts) + counts[ToolPrompt] + output(&counts),
            name("promptTokensDetails"): list(&[
                ("AUDIO", counts[InputAudio] + counts[CacheReadAudio]),
                ("IMAGE", counts[InputImage] + counts[CacheReadImage]),
                ("VIDEO", counts[InputVideo] + cached_video),
                ("TEXT", counts[UncachedInput] + counts[CacheRead] - cached_video),
            ]),
            name("cacheTokensDetails"): list(&[
                ("AUDIO", counts[CacheReadAudio]), ("IMAGE", counts[CacheReadImage]), ("VIDEO", cached_video),
                ("DOCUMENT", counts[CacheRead] - cached_video),
            ]),
            name("candidatesTokensDetails"): list(&[
                ("AUDIO", counts[OutputAudio]), ("IMAGE", counts[OutputImage]), ("TEXT", counts[OutputText]),
            ]),
        }}), &counts)?;
    }

    #[test]
    fn gemini_interactions(counts in counts(&[
        UncachedInput, CacheRead, InputAudio, ToolPrompt, OutputText, Reasoning, OutputImage, Searches,
    ])) {
        same(&json!({
            "total_input_tokens": input(&counts), "total_cached_tokens": counts[CacheRead],
            "total_output_tokens": output(&counts) - counts[Reasoning],
            "total_thought_tokens": counts[Reasoning], "total_tool_use_tokens": counts[ToolPrompt],
            "total_tokens": input(&counts) + counts[ToolPrompt] + output(&counts),
            "input_tokens_by_modality": [{"modality": "audio", "tokens": counts[InputAudio]}],
            "output_tokens_by_modality": [{"modality": "image", "tokens": counts[OutputImage]}],
            "grounding_tool_count": [{"type": "google_search", "count": counts[Searches]}],
        }), &counts)?;
    }

    /// The total with the cache and without it.
    #[test]
    fn bedrock(counts in counts(&[
        UncachedInput, CacheRead, CacheWrite, CacheWrite5m, CacheWrite1h, OutputText,
    ]), is_with_cache: bool) {
        let cache = input(&counts) - counts[UncachedInput];
        let total = counts[UncachedInput] + output(&counts) + if is_with_cache { cache } else { 0 };
        same(&json!({
            "inputTokens": counts[UncachedInput], "outputTokens": counts[OutputText], "totalTokens": total,
            "cacheReadInputTokens": counts[CacheRead],
            "cacheWriteInputTokens": counts.sum(&Bucket::CACHE_WRITE).expect("small"),
            "cacheDetails": [
                {"ttl": "5m", "inputTokens": counts[CacheWrite5m]}, {"ttl": "1h", "inputTokens": counts[CacheWrite1h]},
            ],
        }), &counts)?;
    }

    #[test]
    fn mistral(counts in counts(&[
        UncachedInput, CacheRead, ToolPrompt, OutputText, Reasoning, Searches, Images, Seconds, Requests,
    ])) {
        same(&json!({
            "prompt_tokens": input(&counts), "completion_tokens": output(&counts),
            "total_tokens": input(&counts) + output(&counts) + counts[ToolPrompt],
            "num_cached_tokens": counts[CacheRead], "connector_tokens": counts[ToolPrompt],
            "prompt_audio_seconds": counts[Seconds], "request_count": counts[Requests],
            "connectors": {"web_search": counts[Searches], "image_generation": counts[Images]},
            "completion_tokens_details": {"reasoning_tokens": counts[Reasoning]},
        }), &counts)?;
    }

    /// Cohere types its numbers as floats.
    #[test]
    fn cohere(counts in counts(&[UncachedInput, InputImage, OutputText, Searches, Images])) {
        let float = |bucket| text(&format!("{}.0", counts[bucket]));
        same(&json!({"meta": {"billed_units": {
            "input_tokens": float(UncachedInput), "output_tokens": float(OutputText), "image_tokens": float(InputImage),
            "search_units": float(Searches), "images": float(Images),
        }}}), &counts)?;
    }

    #[test]
    fn perplexity(counts in counts(&[UncachedInput, OutputText, Reasoning, Citation]), searches in some(), size in 0..3) {
        let (size, bucket) = [("low", SearchesLow), ("medium", Searches), ("high", SearchesHigh)][size as usize];
        let mut counts = counts;
        counts[bucket] = searches;
        same(&json!({
            "prompt_tokens": counts[UncachedInput], "completion_tokens": counts[OutputText],
            "total_tokens": counts[UncachedInput] + counts[OutputText], "citation_tokens": counts[Citation],
            "reasoning_tokens": counts[Reasoning], "num_search_queries": searches, "search_context_size": size,
        }), &counts)?;
    }

    /// Reasoning inside the completion and beside it.
    #[test]
    fn xai(counts in counts(&[UncachedInput, CacheRead, OutputText, Reasoning, Searches]), is_inside: bool) {
        let completion = counts[OutputText] + if is_inside { counts[Reasoning] } else { 0 };
        same(&json!({
            "prompt_tokens": input(&counts), "completion_tokens": completion,
            "total_tokens": input(&counts) + output(&counts), "num_sources_used": counts[Searches],
            "prompt_tokens_details": {"text_tokens": input(&counts), "cached_tokens": counts[CacheRead]},
            "completion_tokens_details": {"reasoning_tokens": counts[Reasoning]},
        }), &counts)?;
    }

    #[test]
    fn deepseek(counts in counts(&[UncachedInput, CacheRead, OutputText])) {
        same(&json!({
            "prompt_tokens": input(&counts), "completion_tokens": counts[OutputText],
            "prompt_cache_hit_tokens": counts[CacheRead], "prompt_cache_miss_tokens": counts[UncachedInput],
        }), &counts)?;
    }

    #[test]
    fn ollama(counts in counts(&[UncachedInput, OutputText])) {
        same(&json!({"prompt_eval_count": counts[UncachedInput], "eval_count": counts[OutputText]}), &counts)?;
    }

    #[test]
    fn langchain(counts in counts(&[
        UncachedInput, CacheRead, CacheWrite, CacheWrite5m, CacheWrite1h, InputAudio, OutputText, Reasoning, OutputAudio,
    ])) {
        let mut counts = counts;
        // Without a rest of its own, the sum of the lives is written as zero.
        let written = if counts[CacheWrite] == 0 { 0 } else { counts.sum(&Bucket::CACHE_WRITE).expect("small") };
        counts[CacheWrite] = if written == 0 { 0 } else { counts[CacheWrite] };
        same(&json!({"usage_metadata": {
            "input_tokens": input(&counts), "output_tokens": output(&counts),
            "total_tokens": input(&counts) + output(&counts),
            "input_token_details": {
                "cache_read": counts[CacheRead], "cache_creation": written, "audio": counts[InputAudio],
                "ephemeral_5m_input_tokens": counts[CacheWrite5m], "ephemeral_1h_input_tokens": counts[CacheWrite1h],
            },
            "output_token_details": {"reasoning": counts[Reasoning], "audio": counts[OutputAudio]},
        }}), &counts)?;
    }

    #[test]
    fn opentelemetry(counts in counts(&[
        UncachedInput, CacheRead, CacheWrite, InputAudio, InputImage, OutputText, Reasoning,
    ]), is_old: bool) {
        let names = if is_old { ["prompt_tokens", "completion_tokens"] } else { ["input_tokens", "output_tokens"] };
        let [input_name, output_name] = names.map(|name| format!("gen_ai.usage.{name}"));
        same(&json!({
            input_name: input(&counts), output_name: output(&counts),
            "gen_ai.usage.cache_read.input_tokens": counts[CacheRead],
            "gen_ai.usage.cache_write.input_tokens": counts[CacheWrite],
            "gen_ai.usage.audio.input_tokens": counts[InputAudio],
            "gen_ai.usage.image.input_tokens": counts[InputImage],
            "gen_ai.usage.reasoning.output_tokens": counts[Reasoning],
        }), &counts)?;
    }

    #[test]
    fn vercel(counts in counts(&[UncachedInput, CacheRead, CacheWrite, OutputText, Reasoning]), is_nested: bool) {
        let usage = if is_nested {
            json!({
                "inputTokens": {"total": input(&counts), "noCache": counts[UncachedInput],
                    "cacheRead": counts[CacheRead], "cacheWrite": counts[CacheWrite]},
                "outputTokens": {"total": output(&counts), "reasoning": counts[Reasoning]},
            })
        } else {
            json!({
                "inputTokens": input(&counts), "outputTokens": output(&counts),
                "totalTokens": input(&counts) + output(&counts),
                "cachedInputTokens": counts[CacheRead], "reasoningTokens": counts[Reasoning],
                "inputTokenDetails": {"cacheWriteTokens": counts[CacheWrite]},
            })
        };
        same(&usage, &counts)?;
    }

    #[test]
    fn counters(counts in counts(&[
        Requests, Searches, SearchesLow, SearchesHigh, Seconds, Pages, Characters, Images,
    ])) {
        let named = [Requests, Searches, SearchesLow, SearchesHigh, Seconds, Pages, Characters, Images];
        let usage = named.iter().map(|bucket| (bucket.name().to_owned(), json!(counts[*bucket]))).collect();
        same(&Value::Object(usage), &counts)?;
    }

    #[test]
    fn buckets(counts in counts(&Bucket::ALL)) {
        let buckets: serde_json::Map<_, _> =
            Bucket::ALL.iter().map(|bucket| (bucket.name().to_owned(), json!(counts[*bucket]))).collect();
        same(&json!({"usage": {"buckets": buckets}}), &counts)?;
    }
}
