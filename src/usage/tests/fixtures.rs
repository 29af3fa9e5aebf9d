use super::*;

fn read(name: &str) -> Usage {
    let path = format!("{}/tests/fixtures/usage/{name}.json", env!("CARGO_MANIFEST_DIR"));
    parse(&text(&std::fs::read_to_string(path).expect("fixture"))).expect(name)
}

fn openai() -> Usage {
    Usage { provider: Some("openai"), ..Usage::default() }
}

fn anthropic() -> Usage {
    Usage { provider: Some("anthropic"), ..Usage::default() }
}

fn tier(name: &str) -> Option<String> {
    Some(name.to_owned())
}

#[test]
fn openai_chat() {
    let plain = Usage { uncached_input: 19, output_text: 10, service_tier: tier("default"), ..openai() };
    assert_eq!(read("openai_chat"), plain);
    assert_eq!(
        read("openai_chat_cached_reasoning"),
        Usage { uncached_input: 86, cache_read: 1920, output_text: 276, reasoning: 1024, ..openai() }
    );
    assert_eq!(
        read("openai_chat_cache_write"),
        Usage { uncached_input: 904, cache_read: 1024, cache_write: 3072, output_text: 136, reasoning: 64, ..openai() }
    );
    assert_eq!(
        read("openai_chat_audio"),
        Usage { uncached_input: 20, input_audio: 100, output_text: 50, output_audio: 200, ..openai() }
    );
    let chunk = Usage { uncached_input: 8, output_text: 3, service_tier: tier("default"), ..openai() };
    assert_eq!(read("openai_chat_stream_last_chunk"), chunk);
    assert_eq!(read("openai_chat_compatible"), Usage { uncached_input: 12, output_text: 5, ..openai() });
}

#[test]
fn openai_embedding() {
    assert_eq!(read("openai_embedding"), Usage { uncached_input: 8, ..openai() });
}

#[test]
fn openai_responses() {
    let plain = Usage { uncached_input: 36, output_text: 87, service_tier: tier("default"), ..openai() };
    assert_eq!(read("openai_responses"), plain);
    assert_eq!(
        read("openai_responses_cache_reasoning"),
        Usage {
            uncached_input: 296,
            cache_read: 4096,
            cache_write: 4608,
            output_text: 188,
            reasoning: 512,
            service_tier: tier("default"),
            ..openai()
        }
    );
    let surcharges = vec!["service_tier:priority".to_owned()];
    assert_eq!(read("openai_responses_priority"), Usage { service_tier: tier("priority"), surcharges, ..plain });
}

#[test]
fn anthropic_messages() {
    let standard = || Usage { service_tier: tier("standard"), ..anthropic() };
    assert_eq!(read("anthropic_messages"), Usage { uncached_input: 25, output_text: 150, ..standard() });
    assert_eq!(read("anthropic_bare"), Usage { uncached_input: 2095, output_text: 503, ..anthropic() });
    assert_eq!(
        read("anthropic_cache_lives"),
        Usage {
            uncached_input: 50,
            cache_read: 10_000,
            cache_write_5m: 456,
            cache_write_1h: 100,
            output_text: 393,
            ..standard()
        }
    );
    assert_eq!(
        read("anthropic_cache_no_lives"),
        Usage { uncached_input: 21, cache_write: 188_086, output_text: 393, ..anthropic() }
    );
    assert_eq!(
        read("anthropic_thinking"),
        Usage { uncached_input: 100, output_text: 260, reasoning: 640, service_tier: tier("batch"), ..anthropic() }
    );
    assert_eq!(
        read("anthropic_web_search"),
        Usage { uncached_input: 6039, output_text: 931, web_search_requests: 2, ..standard() }
    );
    assert_eq!(read("anthropic_message_delta"), Usage { uncached_input: 472, output_text: 89, ..anthropic() });
}

#[test]
fn anthropic_steps() {
    let compacted = read("anthropic_compaction");
    assert_eq!((compacted.uncached_input, compacted.output_text), (191_000, 3_900));
    assert_eq!((compacted.surcharges, compacted.unknown_fields), (vec![], vec![]));
    let advised = read("anthropic_advisor_fast_us");
    assert_eq!((advised.uncached_input, advised.output_text), (400, 80));
    assert_eq!(advised.surcharges, ["iteration:advisor_message", "speed:fast", "inference_geo:us"]);
}

#[test]
fn plain() {
    assert_eq!(read("plain"), Usage { uncached_input: 7, output_text: 3, ..Usage::default() });
}

#[test]
fn every_fixture_adds_up() {
    let directory = format!("{}/tests/fixtures/usage", env!("CARGO_MANIFEST_DIR"));
    let mut read = 0;
    for entry in std::fs::read_dir(directory).expect("fixtures") {
        let path = entry.expect("entry").path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let value = text(&std::fs::read_to_string(&path).expect("fixture"));
        let usage = parse(&value).expect("fixture is read");
        assert_eq!((usage.flags.as_slice(), usage.unknown_fields.as_slice()), (&[][..], &[][..]), "{path:?}");
        let stated = value.get("usage").unwrap_or(&value).get("total_tokens").and_then(Value::as_i64);
        if let Some(stated) = stated {
            assert_eq!(usage.total_tokens(), Ok(stated), "{path:?}");
        }
        read += 1;
    }
    assert_eq!(read, 20);
}
