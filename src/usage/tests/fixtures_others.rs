use super::*;

#[test]
fn bedrock() {
    let usage = used([(Bucket::UncachedInput, 125), (Bucket::OutputText, 60)]);
    assert_eq!(read("bedrock_converse"), usage.by("bedrock").stating(125, 60, 185));
    let usage = used([
        (Bucket::UncachedInput, 50),
        (Bucket::CacheRead, 5000),
        (Bucket::CacheWrite, 200),
        (Bucket::CacheWrite5m, 500),
        (Bucket::CacheWrite1h, 1000),
        (Bucket::OutputText, 200),
    ]);
    let usage = usage.by("bedrock").with_tier("priority").stating(50, 200, 6950);
    let surcharges = vec!["latency:optimized".to_owned()];
    assert_eq!(read("bedrock_converse_cache"), Usage { surcharges, ..usage });
    let usage = used([(Bucket::UncachedInput, 14), (Bucket::OutputText, 5)]);
    assert_eq!(read("bedrock_stream"), usage.by("bedrock").stating(14, 5, 19));
}

#[test]
fn mistral() {
    let usage = used([(Bucket::UncachedInput, 24), (Bucket::CacheRead, 16), (Bucket::OutputText, 20)]);
    assert_eq!(read("mistral_chat"), usage.by("mistral").with_model("mistral-large-latest").stating(40, 20, 60));
    let usage =
        used([(Bucket::UncachedInput, 272), (Bucket::CacheRead, 128), (Bucket::OutputText, 25), (Bucket::Seconds, 31)]);
    let usage = usage.by("mistral").with_model("voxtral-small-latest").stating(400, 25, 425);
    assert_eq!(read("mistral_audio_chat"), usage);
    let usage =
        used([(Bucket::UncachedInput, 4), (Bucket::OutputText, 635), (Bucket::Seconds, 203), (Bucket::Requests, 7)]);
    let usage = usage.by("mistral").with_model("voxtral-mini-2507").stating(4, 635, 3264);
    assert_eq!(read("mistral_transcription"), usage.doing("transcription"));
    let usage = used([
        (Bucket::UncachedInput, 188),
        (Bucket::ToolPrompt, 7112),
        (Bucket::OutputText, 55),
        (Bucket::Searches, 1),
    ]);
    assert_eq!(read("mistral_conversation"), usage.by("mistral").stating(188, 55, 7355));
    let usage = used([(Bucket::Pages, 29)]).by("mistral").with_model("mistral-ocr-2505-completion");
    assert_eq!(read("mistral_ocr"), usage.doing("ocr"));
}

#[test]
fn cohere() {
    let usage = used([(Bucket::UncachedInput, 25), (Bucket::OutputText, 7)]);
    assert_eq!(read("cohere_chat"), usage.by("cohere").stating_two(520, 9));
    let usage = used([(Bucket::UncachedInput, 17), (Bucket::OutputText, 12)]);
    assert_eq!(read("cohere_stream_end"), usage.by("cohere").stating_two(215, 12));
    assert_eq!(read("cohere_rerank"), used([(Bucket::Searches, 1)]).by("cohere").doing("rerank"));
    let usage = used([(Bucket::UncachedInput, 4), (Bucket::InputImage, 512), (Bucket::Images, 2)]);
    assert_eq!(read("cohere_embed_images"), usage.by("cohere").doing("embeddings"));
}

#[test]
fn openrouter() {
    let usage = used([
        (Bucket::UncachedInput, 44),
        (Bucket::CacheRead, 100),
        (Bucket::CacheWrite, 50),
        (Bucket::OutputText, 12),
        (Bucket::Reasoning, 8),
    ]);
    let usage = usage.by("openrouter").with_model("anthropic/claude-sonnet-4.6").stating(194, 20, 214);
    assert_eq!(read("openrouter_chat"), usage.costing(950_000));
    let usage = used([(Bucket::UncachedInput, 100), (Bucket::OutputText, 10), (Bucket::Searches, 2)]);
    let usage = usage.by("openrouter").with_model("openai/gpt-4o").stating(100, 10, 110);
    assert_eq!(read("openrouter_byok"), usage.costing(393_750));
    let usage = used([(Bucket::UncachedInput, 10), (Bucket::OutputText, 20), (Bucket::Reasoning, 5)]);
    let usage = usage.by("openrouter").with_model("openai/gpt-5.6-sol").stating(10, 25, 35);
    assert_eq!(read("openrouter_responses"), usage.costing(1_200_000));
}

#[test]
fn perplexity() {
    let usage = used([(Bucket::UncachedInput, 14), (Bucket::OutputText, 332), (Bucket::SearchesLow, 1)]);
    let usage = usage.by("perplexity").with_model("sonar-pro").stating(14, 332, 346);
    assert_eq!(read("perplexity_sonar"), usage.costing(11_022_000));
    let usage = used([
        (Bucket::UncachedInput, 33),
        (Bucket::OutputText, 7163),
        (Bucket::Reasoning, 154_308),
        (Bucket::Citation, 20_016),
        (Bucket::SearchesHigh, 28),
    ]);
    let usage = usage.by("perplexity").with_model("sonar-deep-research").stating(33, 7163, 7196);
    assert_eq!(read("perplexity_deep_research"), usage.costing(700_326_000));
    let usage = used([
        (Bucket::UncachedInput, 3000),
        (Bucket::CacheRead, 681),
        (Bucket::OutputText, 780),
        (Bucket::Searches, 1),
    ]);
    let usage = usage.by("perplexity").with_model("openai/gpt-5.6-sol").stating(3681, 780, 4461);
    assert_eq!(read("perplexity_agent"), usage.costing(17_400_000));
}

#[test]
fn xai() {
    let usage = used([
        (Bucket::UncachedInput, 7),
        (Bucket::CacheRead, 112),
        (Bucket::OutputText, 9),
        (Bucket::Reasoning, 98),
        (Bucket::Searches, 3),
    ]);
    let usage = usage.by("xai").with_model("grok-4").stating(119, 9, 226);
    assert_eq!(read("xai_reasoning_beside"), usage.costing(348_500));
    let usage = used([
        (Bucket::UncachedInput, 23_781),
        (Bucket::CacheRead, 16_384),
        (Bucket::OutputText, 2124),
        (Bucket::Reasoning, 683),
        (Bucket::Searches, 11),
    ]);
    let usage = usage.by("xai").with_model("grok-4.3").stating(40_165, 2807, 42_972);
    // 950205505 ticks are 95020550.5 nano-dollars.
    assert_eq!(read("xai_responses"), usage.costing(95_020_550));
    let usage =
        used([(Bucket::UncachedInput, 10), (Bucket::OutputText, 19), (Bucket::OutputAudio, 258), (Bucket::Seconds, 3)]);
    assert_eq!(read("xai_realtime"), usage.by("xai").stating(10, 277, 287));
}

#[test]
fn other_copies_of_openai() {
    let usage = used([
        (Bucket::UncachedInput, 76),
        (Bucket::CacheRead, 1024),
        (Bucket::OutputText, 20),
        (Bucket::Reasoning, 40),
    ]);
    assert_eq!(read("deepseek_chat"), usage.by("deepseek").with_model("deepseek-chat").stating(1100, 60, 1160));
    let usage = used([(Bucket::UncachedInput, 18), (Bucket::OutputText, 556)]);
    assert_eq!(read("groq_chat"), usage.by("groq").with_model("llama-3.3-70b-versatile").stating(18, 556, 574));
    let usage = used([(Bucket::UncachedInput, 20), (Bucket::OutputText, 18), (Bucket::Reasoning, 12)]);
    assert_eq!(read("groq_stream_chunk"), usage.by("groq").with_model("openai/gpt-oss-20b").stating(20, 30, 50));
    let usage = used([(Bucket::UncachedInput, 44), (Bucket::CacheRead, 256), (Bucket::OutputText, 20)]);
    assert_eq!(read("moonshot_chat"), usage.by("openai").with_model("kimi-k2-0905-preview").stating(300, 20, 320));
}

#[test]
fn ollama() {
    let usage = used([(Bucket::UncachedInput, 26), (Bucket::OutputText, 282)]);
    assert_eq!(read("ollama_chat"), usage.by("ollama").with_model("llama3.2").stating_two(26, 282));
    let mut usage = used([(Bucket::UncachedInput, 8)]).by("ollama").with_model("all-minilm");
    usage.stated.input_tokens = Some(8);
    assert_eq!(read("ollama_embedding"), usage.doing("embeddings"));
    refused(&json!({"prompt_eval_count": 26}), "$.eval_count", Reason::Missing);
}

#[test]
fn langchain() {
    let usage = used([
        (Bucket::UncachedInput, 350),
        (Bucket::CacheRead, 1000),
        (Bucket::CacheWrite5m, 700),
        (Bucket::CacheWrite1h, 300),
        (Bucket::OutputText, 150),
        (Bucket::Reasoning, 90),
    ]);
    assert_eq!(read("langchain_anthropic"), usage.with_model("claude-sonnet-4-6").stating(2350, 240, 2590));
    let usage = used([
        (Bucket::UncachedInput, 240),
        (Bucket::CacheRead, 100),
        (Bucket::InputAudio, 10),
        (Bucket::OutputText, 30),
        (Bucket::Reasoning, 200),
        (Bucket::OutputAudio, 10),
    ]);
    let usage = usage.with_model("gpt-5.6-sol").with_tier("flex").stating(350, 240, 590);
    assert_eq!(read("langchain_openai_flex"), usage);
}

#[test]
fn opentelemetry() {
    let usage = used([
        (Bucket::UncachedInput, 600),
        (Bucket::CacheRead, 800),
        (Bucket::CacheWrite, 100),
        (Bucket::OutputText, 150),
        (Bucket::Reasoning, 50),
    ]);
    let usage = usage.by("anthropic").with_model("claude-sonnet-4-6-20260101").stating_two(1500, 200);
    assert_eq!(read("opentelemetry_attributes"), usage);
    let mut usage = used([(Bucket::UncachedInput, 64)]).by("openai").with_model("text-embedding-3-small");
    usage.stated.input_tokens = Some(64);
    assert_eq!(read("opentelemetry_span"), usage.doing("embeddings"));
}

#[test]
fn vercel() {
    let usage = used([
        (Bucket::UncachedInput, 500),
        (Bucket::CacheRead, 1500),
        (Bucket::OutputText, 180),
        (Bucket::Reasoning, 120),
    ]);
    assert_eq!(read("vercel_v5"), usage.stating(2000, 300, 2300));
    let usage = used([
        (Bucket::UncachedInput, 300),
        (Bucket::CacheRead, 1500),
        (Bucket::CacheWrite, 200),
        (Bucket::OutputText, 180),
        (Bucket::Reasoning, 120),
    ]);
    assert_eq!(read("vercel_v6"), usage.stating(2000, 300, 2300));
    let usage = used([
        (Bucket::UncachedInput, 100),
        (Bucket::CacheRead, 700),
        (Bucket::CacheWrite, 100),
        (Bucket::OutputText, 20),
        (Bucket::Reasoning, 30),
    ]);
    assert_eq!(read("vercel_provider_v3"), usage.stating_two(900, 50));
}

#[test]
fn totals_alone() {
    let only = |total: i64, model: &str| {
        let mut usage = used([(Bucket::UncachedInput, total)]).with_model(model);
        usage.stated.total_tokens = Some(total);
        usage
    };
    assert_eq!(read("voyage_rerank"), only(26, "rerank-2.5").doing("rerank"));
    assert_eq!(read("voyage_embedding"), only(10, "voyage-3.5").doing("embeddings"));
    let mut usage = only(13, "jina-embeddings-v4").by("openai").doing("embeddings");
    usage.stated.input_tokens = Some(13);
    assert_eq!(read("jina_embedding"), usage);
}

#[test]
fn counters_and_buckets() {
    assert_eq!(read("counters_speech"), used([(Bucket::Characters, 1250)]));
    let usage = used([
        (Bucket::Seconds, 62),
        (Bucket::Searches, 2),
        (Bucket::SearchesLow, 1),
        (Bucket::Pages, 3),
        (Bucket::Images, 4),
        (Bucket::Requests, 5),
    ]);
    assert_eq!(read("counters_mixed"), usage);
    let usage =
        used([(Bucket::UncachedInput, 5), (Bucket::CacheRead, 1), (Bucket::OutputText, 3), (Bucket::SearchesHigh, 2)]);
    let counts = Counts::from([(Bucket::UncachedInput, 10), (Bucket::OutputText, 1)]);
    let mut usage = Usage {
        parts: vec![Part { model: "helper".to_owned(), counts }],
        region: Some("eu".to_owned()),
        ..usage.by("mistral").with_model("my-model").with_tier("batch")
    };
    usage.stated.total_tokens = Some(20);
    assert_eq!(read("buckets"), usage);
}
