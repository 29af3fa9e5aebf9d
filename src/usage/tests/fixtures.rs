use super::*;

/// Every file, with what it is read as, beside the tests that state each one exactly.
#[test]
fn every_fixture_adds_up() {
    // The stated total leaves these out, or has more than the buckets.
    let beside = |name: &str| match name {
        "perplexity_deep_research" => 154_308,
        "mistral_transcription" => -2_625,
        _ => 0,
    };
    let directory = format!("{}/tests/fixtures/usage", env!("CARGO_MANIFEST_DIR"));
    let readme = std::fs::read_to_string(format!("{directory}/README.md")).expect("README");
    let mut read = 0;
    for entry in std::fs::read_dir(directory).expect("fixtures") {
        let path = entry.expect("entry").path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let name = path.file_stem().and_then(|stem| stem.to_str()).expect("name");
        assert!(readme.contains(&format!("`{name}.json`")), "{name} has no source in the README");
        let usage = parse(&text(&std::fs::read_to_string(&path).expect("fixture"))).expect(name);
        assert_eq!((usage.flags.as_slice(), usage.unknown_fields.as_slice()), (&[][..], &[][..]), "{name}");
        if let Some(stated) = usage.stated.total_tokens {
            assert_eq!(usage.total_tokens(), Ok(stated + beside(name)), "{name}");
        }
        let counts = usage.counts.present().chain(usage.parts.iter().flat_map(|part| part.counts.present()));
        assert!(counts.map(|(_, count)| count).all(|count| count > 0), "{name}");
        read += 1;
    }
    assert_eq!(read, 88);
}

#[test]
fn anthropic_messages() {
    let sonnet = |usage: Usage| usage.by("anthropic").with_model("claude-sonnet-4-6");
    let plain = used([(Bucket::UncachedInput, 25), (Bucket::OutputText, 150)]);
    assert_eq!(read("anthropic_messages"), sonnet(plain.stating_two(25, 150)));
    let bare = used([(Bucket::UncachedInput, 2095), (Bucket::OutputText, 503)]);
    assert_eq!(read("anthropic_bare"), sonnet(bare.stating_two(2095, 503)));
    let lives = used([
        (Bucket::UncachedInput, 50),
        (Bucket::CacheRead, 10_000),
        (Bucket::CacheWrite5m, 456),
        (Bucket::CacheWrite1h, 100),
        (Bucket::OutputText, 393),
    ]);
    assert_eq!(read("anthropic_cache_lives"), lives.by("anthropic").stating_two(50, 393));
    let no_lives = used([(Bucket::UncachedInput, 21), (Bucket::CacheWrite, 188_086), (Bucket::OutputText, 393)]);
    assert_eq!(read("anthropic_cache_no_lives"), no_lives.by("anthropic").stating_two(21, 393));
    let thinking = used([(Bucket::UncachedInput, 100), (Bucket::OutputText, 260), (Bucket::Reasoning, 640)]);
    let thinking = thinking.by("anthropic").with_tier("batch").stating_two(100, 900);
    assert_eq!(read("anthropic_thinking"), thinking);
    let search = used([(Bucket::UncachedInput, 6039), (Bucket::OutputText, 931), (Bucket::Searches, 2)]);
    assert_eq!(read("anthropic_web_search"), search.by("anthropic").stating_two(6039, 931));
    let delta = used([(Bucket::UncachedInput, 472), (Bucket::OutputText, 89)]);
    assert_eq!(read("anthropic_message_delta"), delta.by("anthropic").stating_two(472, 89));
    let batch = used([(Bucket::UncachedInput, 11), (Bucket::OutputText, 36)]);
    assert_eq!(read("anthropic_batch_result"), sonnet(batch.with_tier("batch").stating_two(11, 36)));
}

#[test]
fn anthropic_stream() {
    let usage = used([
        (Bucket::UncachedInput, 10_682),
        (Bucket::CacheRead, 4000),
        (Bucket::CacheWrite5m, 1000),
        (Bucket::CacheWrite1h, 200),
        (Bucket::OutputText, 510),
        (Bucket::Searches, 1),
    ]);
    let usage = usage.by("anthropic").with_model("claude-sonnet-4-6").stating_two(10_682, 510);
    assert_eq!(read("anthropic_stream"), usage);
}

#[test]
fn anthropic_steps() {
    let compacted = used([(Bucket::UncachedInput, 191_000), (Bucket::OutputText, 3_900)]);
    let compacted = compacted.by("anthropic").with_model("claude-sonnet-4-6").stating_two(21_000, 900);
    assert_eq!(read("anthropic_compaction"), compacted);

    let part = |model: &str, counts| Part { model: model.to_owned(), counts };
    let advised = used([(Bucket::UncachedInput, 400), (Bucket::OutputText, 80)]);
    let advice = Counts::from([(Bucket::UncachedInput, 900), (Bucket::OutputText, 50)]);
    let advised = Usage {
        parts: vec![part("claude-opus-4-8", advice)],
        region: Some("us".to_owned()),
        ..advised.by("anthropic").with_model("claude-sonnet-4-6").with_tier("fast").stating_two(400, 80)
    };
    assert_eq!(read("anthropic_advisor_fast_us"), advised);
    assert_eq!((advised.input_tokens(), advised.output_tokens()), (Ok(1300), Ok(130)));

    let refused = used([(Bucket::UncachedInput, 412), (Bucket::OutputText, 30)]);
    let answer = Counts::from([
        (Bucket::UncachedInput, 412),
        (Bucket::CacheRead, 50),
        (Bucket::CacheWrite5m, 100),
        (Bucket::OutputText, 264),
    ]);
    let fallback = Usage {
        parts: vec![part("claude-opus-4-8", answer)],
        surcharges: vec!["fallback_credit:redeemed".to_owned()],
        ..refused.by("anthropic").with_model("claude-fable-5").stating_two(412, 30)
    };
    assert_eq!(read("anthropic_fallback"), fallback);
}

#[test]
fn a_step_on_an_unnamed_model_is_a_surcharge() {
    let usage = parse(&json!({"input_tokens": 4, "output_tokens": 8, "speed": "fast", "service_tier": "priority",
        "fallback_credit": {"status": {"type": "not_applied", "reason": "not_enabled"}},
        "iterations": [{"type": "advisor_message", "input_tokens": 9, "output_tokens": 5}]}))
    .expect("read");
    assert_eq!(usage.surcharges, ["iteration:advisor_message", "speed:fast"]);
    assert_eq!((usage.total_tokens(), usage.parts.len()), (Ok(12), 0));
}

#[test]
fn plain() {
    let usage = used([(Bucket::UncachedInput, 7), (Bucket::OutputText, 3)]);
    assert_eq!(read("plain"), usage.stating_two(7, 3));
    let usage = used([(Bucket::UncachedInput, 7), (Bucket::OutputText, 3)]);
    assert_eq!(read("camel_plain"), usage.stating(7, 3, 10));
}
