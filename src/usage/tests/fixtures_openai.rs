use super::*;

#[test]
fn chat_completions() {
    let usage = used([(Bucket::UncachedInput, 19), (Bucket::OutputText, 10)]);
    assert_eq!(read("openai_chat"), usage.by("openai").with_model("gpt-4o-2024-08-06").stating(19, 10, 29));
    let usage = used([
        (Bucket::UncachedInput, 86),
        (Bucket::CacheRead, 1920),
        (Bucket::OutputText, 259),
        (Bucket::Reasoning, 1024),
        (Bucket::RejectedPrediction, 17),
    ]);
    assert_eq!(read("openai_chat_cached_reasoning"), usage.by("openai").stating(2006, 1300, 3306));
    let usage = used([
        (Bucket::UncachedInput, 904),
        (Bucket::CacheRead, 1024),
        (Bucket::CacheWrite, 3072),
        (Bucket::OutputText, 136),
        (Bucket::Reasoning, 64),
    ]);
    assert_eq!(read("openai_chat_cache_write"), usage.by("openai").stating(5000, 200, 5200));
    let usage = used([
        (Bucket::UncachedInput, 20),
        (Bucket::InputAudio, 100),
        (Bucket::OutputText, 50),
        (Bucket::OutputAudio, 200),
    ]);
    assert_eq!(read("openai_chat_audio"), usage.by("openai").stating(120, 250, 370));
    let usage = used([(Bucket::UncachedInput, 12), (Bucket::OutputText, 5)]);
    assert_eq!(read("openai_chat_compatible"), usage.by("openai").stating(12, 5, 17));
    let usage = used([(Bucket::UncachedInput, 5), (Bucket::OutputText, 7)]);
    let usage = usage.by("openai").with_model("gpt-3.5-turbo-instruct").stating(5, 7, 12);
    assert_eq!(read("openai_completion_legacy"), usage);
}

#[test]
fn chat_streams() {
    let usage = used([(Bucket::UncachedInput, 8), (Bucket::OutputText, 3)]);
    let usage = usage.by("openai").with_model("gpt-4o-mini-2024-07-18").stating(8, 3, 11);
    assert_eq!(read("openai_chat_stream_last_chunk"), usage);
    let usage = used([
        (Bucket::UncachedInput, 176),
        (Bucket::CacheRead, 1024),
        (Bucket::OutputText, 26),
        (Bucket::Reasoning, 64),
    ]);
    let usage = usage.by("openai").with_model("gpt-5.6-sol").with_tier("flex").stating(1200, 90, 1290);
    assert_eq!(read("openai_chat_stream"), usage);
}

#[test]
fn embeddings() {
    let mut usage = used([(Bucket::UncachedInput, 8)]).by("openai").with_model("text-embedding-3-small");
    usage.stated = Stated { input_tokens: Some(8), total_tokens: Some(8), ..Stated::default() };
    assert_eq!(read("openai_embedding"), usage.doing("embeddings"));
}

#[test]
fn responses() {
    let sol = |usage: Usage| usage.by("openai").with_model("gpt-5.6-sol");
    let plain = || sol(used([(Bucket::UncachedInput, 36), (Bucket::OutputText, 87)]).stating(36, 87, 123));
    assert_eq!(read("openai_responses"), plain());
    assert_eq!(read("openai_responses_priority"), plain().with_tier("priority"));
    let usage = used([
        (Bucket::UncachedInput, 296),
        (Bucket::CacheRead, 4096),
        (Bucket::CacheWrite, 4608),
        (Bucket::OutputText, 188),
        (Bucket::Reasoning, 512),
    ]);
    assert_eq!(read("openai_responses_cache_reasoning"), sol(usage.stating(9000, 700, 9700)));
    let usage = used([
        (Bucket::UncachedInput, 200),
        (Bucket::CacheRead, 128),
        (Bucket::OutputText, 40),
        (Bucket::Reasoning, 12),
    ]);
    assert_eq!(read("openai_responses_stream_event"), sol(usage.stating(328, 52, 380)));
}

#[test]
fn batches() {
    let usage = used([
        (Bucket::UncachedInput, 476),
        (Bucket::CacheRead, 1024),
        (Bucket::OutputText, 200),
        (Bucket::Reasoning, 300),
        (Bucket::Requests, 19),
    ]);
    let usage = usage.by("openai").with_model("gpt-5.6-sol").with_tier("batch").stating(1500, 500, 2000);
    assert_eq!(read("openai_batch"), usage);
    let usage = used([(Bucket::UncachedInput, 22), (Bucket::OutputText, 2)]).by("openai");
    let usage = usage.with_model("gpt-4o-mini-2024-07-18").with_tier("batch").stating(22, 2, 24);
    assert_eq!(read("openai_batch_output_line"), usage);
}

#[test]
fn realtime() {
    let usage = used([
        (Bucket::UncachedInput, 172),
        (Bucket::CacheRead, 128),
        (Bucket::CacheReadAudio, 256),
        (Bucket::CacheReadImage, 64),
        (Bucket::InputAudio, 344),
        (Bucket::InputImage, 36),
        (Bucket::OutputText, 40),
        (Bucket::OutputAudio, 160),
    ]);
    assert_eq!(read("openai_realtime_cached_audio"), usage.by("openai").stating(1000, 200, 1200));
}

#[test]
fn images() {
    let usage = used([(Bucket::UncachedInput, 27), (Bucket::InputImage, 323), (Bucket::OutputImage, 1056)]);
    assert_eq!(read("openai_images"), usage.by("openai").doing("image_generation").stating(350, 1056, 1406));
    let usage = used([(Bucket::UncachedInput, 40), (Bucket::OutputText, 244), (Bucket::OutputImage, 1056)]);
    let usage = usage.by("openai").doing("image_generation").stating(40, 1300, 1340);
    assert_eq!(read("openai_images_split_output"), usage);
}

#[test]
fn transcriptions() {
    let usage = used([(Bucket::UncachedInput, 4), (Bucket::InputAudio, 10), (Bucket::OutputText, 45)]);
    assert_eq!(read("openai_transcription_tokens"), usage.by("openai").doing("transcription").stating(14, 45, 59));
    let usage = used([(Bucket::Seconds, 9)]).by("openai").doing("transcription");
    assert_eq!(read("openai_transcription_duration"), usage);
}

#[test]
fn agents() {
    let usage = used([
        (Bucket::UncachedInput, 1376),
        (Bucket::CacheRead, 1024),
        (Bucket::OutputText, 182),
        (Bucket::Reasoning, 128),
        (Bucket::Requests, 3),
    ]);
    assert_eq!(read("openai_agents"), usage.by("openai").stating(2400, 310, 2710));
}
