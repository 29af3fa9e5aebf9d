use super::*;

const FLASH: &str = "gemini-2.5-flash";

fn gemini<const N: usize>(counts: [(Bucket, i64); N]) -> Usage {
    used(counts).by("gemini")
}

#[test]
fn thoughts_beside_and_inside() {
    let usage = gemini([(Bucket::UncachedInput, 11), (Bucket::OutputText, 20), (Bucket::Reasoning, 1000)]);
    assert_eq!(read("gemini_thoughts_beside"), usage.with_model(FLASH).stating(11, 20, 1031));
    let usage = gemini([(Bucket::UncachedInput, 57), (Bucket::OutputText, 150), (Bucket::Reasoning, 450)]);
    assert_eq!(read("gemini_thoughts_inside"), usage.with_model(FLASH).stating(57, 600, 657));
}

#[test]
fn modalities_without_what_was_cached() {
    let usage = gemini([
        (Bucket::UncachedInput, 900),
        (Bucket::CacheRead, 2100),
        (Bucket::CacheReadAudio, 1200),
        (Bucket::CacheReadImage, 700),
        (Bucket::InputAudio, 1800),
        (Bucket::InputImage, 300),
        (Bucket::InputVideo, 2000),
        (Bucket::OutputText, 100),
    ]);
    assert_eq!(read("gemini_cached_audio_video"), usage.with_model(FLASH).stating(9000, 100, 9100));
    let usage = gemini([
        (Bucket::UncachedInput, 11),
        (Bucket::InputImage, 258),
        (Bucket::OutputText, 12),
        (Bucket::OutputImage, 1290),
    ]);
    let usage = usage.with_model("gemini-2.5-flash-image").stating(269, 1302, 1571);
    assert_eq!(read("gemini_image_output"), usage);
}

#[test]
fn tool_prompts_are_beside_the_prompt() {
    let usage = gemini([
        (Bucket::UncachedInput, 52),
        (Bucket::ToolPrompt, 1000),
        (Bucket::OutputText, 300),
        (Bucket::Reasoning, 175),
    ]);
    assert_eq!(read("gemini_tool_use"), usage.with_model(FLASH).stating(52, 300, 1527));
}

#[test]
fn an_answer_may_have_no_candidates() {
    let usage = gemini([(Bucket::UncachedInput, 30), (Bucket::Reasoning, 994)]);
    assert_eq!(read("gemini_only_thoughts"), usage.with_model("gemini-2.5-pro").stating(30, 0, 1024));
    let usage = gemini([(Bucket::UncachedInput, 12)]);
    assert_eq!(read("gemini_blocked"), usage.with_model(FLASH).stating(12, 0, 12));
}

#[test]
fn streams_and_sessions() {
    let usage = gemini([(Bucket::UncachedInput, 11), (Bucket::OutputText, 41), (Bucket::Reasoning, 68)]);
    assert_eq!(read("gemini_stream"), usage.with_model(FLASH).stating(11, 41, 120));
    let usage = gemini([(Bucket::UncachedInput, 100), (Bucket::InputAudio, 600), (Bucket::OutputAudio, 250)]);
    assert_eq!(read("gemini_live"), usage.stating(700, 250, 950));
    let usage = gemini([
        (Bucket::UncachedInput, 500),
        (Bucket::CacheReadImage, 400),
        (Bucket::InputImage, 1100),
        (Bucket::ToolPrompt, 120),
        (Bucket::OutputText, 80),
        (Bucket::Reasoning, 300),
        (Bucket::Searches, 2),
    ]);
    assert_eq!(read("gemini_interaction"), usage.with_model("gemini-3-pro-preview").stating(2000, 80, 2500));
}

#[test]
fn other_spellings_and_endpoints() {
    let usage = gemini([(Bucket::UncachedInput, 18), (Bucket::OutputText, 92), (Bucket::Reasoning, 300)]);
    assert_eq!(read("gemini_python_sdk"), usage.with_model(FLASH).stating(18, 92, 410));
    let usage = gemini([(Bucket::UncachedInput, 9)]).doing("embeddings");
    assert_eq!(read("gemini_embedding"), usage.stating(9, 0, 9));
    let usage = used([(Bucket::UncachedInput, 28), (Bucket::OutputText, 12)]).by("vertex_ai");
    assert_eq!(read("vertex_flex"), usage.with_model(FLASH).with_tier("flex").stating(28, 12, 40));
}

#[test]
fn a_total_that_fits_neither_reading_is_flagged() {
    let usage = parse(&json!({"promptTokenCount": 10, "candidatesTokenCount": 20, "thoughtsTokenCount": 5,
        "totalTokenCount": 99}))
    .expect("read");
    assert_eq!((usage[Bucket::OutputText], usage[Bucket::Reasoning]), (20, 5));
    assert_eq!(usage.flags, [Flag::TotalMismatch]);
}

#[test]
fn an_unknown_modality_is_reported() {
    let usage = parse(&json!({"promptTokenCount": 10, "candidatesTokenCount": 20, "totalTokenCount": 30,
        "promptTokensDetails": [{"modality": "SMELL", "tokenCount": 4}, {"modality": "SMELL", "tokenCount": 0}],
        "candidatesTokensDetails": [{"modality": "VIDEO", "tokenCount": 3}]}))
    .expect("read");
    assert_eq!(usage.unknown_fields, ["$.promptTokensDetails[0]", "$.candidatesTokensDetails"]);
    assert_eq!(usage[Bucket::UncachedInput], 10);
}
