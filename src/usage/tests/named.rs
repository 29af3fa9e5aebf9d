use super::*;

fn read_as(value: &Value, provider: &str) -> Usage {
    parse_as(value, Some(provider)).expect(provider)
}

#[test]
fn a_name_decides_what_marks_leave_open() {
    let bare = json!({"inputTokens": 10, "outputTokens": 5, "totalTokens": 15});
    assert_eq!(parse(&bare).map(|usage| usage.provider), Ok(None));
    assert_eq!(read_as(&bare, "bedrock").provider, Some("bedrock"));
    assert_eq!(read_as(&bare, "vercel").provider, None);

    // Nothing but the name tells whether these cached tokens are inside the prompt.
    let gateway = json!({"prompt_tokens": 9, "completion_tokens": 5, "total_tokens": 14, "cache_read_input_tokens": 4});
    assert!(matches!(error(&gateway).reason, Reason::MixedShapes { .. }));
    let usage = read_as(&gateway, "litellm");
    assert_eq!((usage[Bucket::UncachedInput], usage[Bucket::CacheRead]), (5, 4));
    assert_eq!(read_as(&gateway, "databricks").provider, Some("databricks"));

    let both = json!({"prompt_tokens": 9, "completion_tokens": 5, "input_tokens": 9, "output_tokens": 5,
                      "total_tokens": 14, "input_tokens_details": {"cached_tokens": 2}});
    assert!(matches!(error(&both).reason, Reason::MixedShapes { .. }));
    assert_eq!(read_as(&both, "openai").total_tokens(), Ok(14));

    let total = json!({"total_tokens": 7});
    refused(&total, "$", Reason::UnknownShape);
    assert_eq!(read_as(&total, "Voyage")[Bucket::UncachedInput], 7);

    let beside = json!({"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7, "reasoning_tokens": 2});
    assert_eq!(parse(&beside).map(|usage| usage[Bucket::OutputText]), Ok(2));
    assert_eq!(read_as(&beside, "perplexity")[Bucket::OutputText], 4);
}

#[test]
fn every_spelling_finds_its_provider() {
    let chat = chat(5, 5);
    for (name, provider) in [
        ("OpenAI", "openai"),
        ("azure", "azure"),
        ("azure.ai.openai", "azure"),
        ("AZURE.AI.INFERENCE", "azure_ai"),
        ("x_ai", "xai"),
        ("mistral_ai", "mistral"),
        ("google", "gemini"),
        ("gcp.gemini", "gemini"),
        ("gcp.vertex_ai", "vertex_ai"),
        ("vertex_ai", "vertex_ai"),
        ("aws.bedrock", "bedrock"),
        ("bedrock_converse", "bedrock"),
        ("moonshot_ai", "moonshot"),
        ("ibm.watsonx.ai", "watsonx"),
        (" Groq ", "groq"),
        ("deepseek", "deepseek"),
        ("cohere", "cohere"),
        ("anthropic", "anthropic"),
    ] {
        assert_eq!(read_as(&chat, name).provider, Some(provider), "{name}");
    }
    assert_eq!(read_as(&chat, "openai_compatible").provider, Some("openai"));
}

#[test]
fn a_name_restricts_the_shapes() {
    let wrong = |value: &Value, provider: &str| parse_as(value, Some(provider)).map_err(|error| error.reason);
    assert_eq!(wrong(&chat(5, 5), "langchain"), Err(Reason::UnknownShape));
    assert_eq!(wrong(&json!({"promptTokenCount": 5, "totalTokenCount": 5}), "openai"), Err(Reason::UnknownShape));
    for name in ["", "nobody", "openai\n", "open ai"] {
        let known = parse_as(&chat(5, 5), Some(name)).map(|usage| usage.provider);
        if name.trim() == "openai" {
            assert_eq!(known, Ok(Some("openai")));
        } else {
            let error = UsageError { path: "provider".to_owned(), reason: Reason::UnknownProvider };
            assert_eq!(known, Err(error), "{name:?}");
        }
    }
}

#[test]
fn whoever_is_named_may_be_given_in_buckets() {
    let buckets = json!({"buckets": {"uncached_input": 5, "images": 2}});
    for name in ["elevenlabs", "openai", "langchain"] {
        assert_eq!(read_as(&buckets, name)[Bucket::Images], 2, "{name}");
        assert_eq!(read_as(&json!({"characters": 9}), name)[Bucket::Characters], 9, "{name}");
    }
}

/// Naming the provider changes nothing where the shape says as much by itself.
#[test]
fn the_right_name_reads_every_fixture_alike() {
    for (prefix, name) in [
        ("openai_", "openai"),
        ("anthropic_", "anthropic"),
        ("gemini_", "gemini"),
        ("vertex_", "vertex_ai"),
        ("bedrock_", "bedrock"),
        ("mistral_", "mistral"),
        ("cohere_", "cohere"),
        ("openrouter_", "openrouter"),
        ("perplexity_", "perplexity"),
        ("xai_", "xai"),
        ("deepseek_", "deepseek"),
        ("groq_", "groq"),
        ("ollama_", "ollama"),
        ("langchain_", "langchain"),
        ("opentelemetry_", "opentelemetry"),
        ("vercel_", "vercel"),
    ] {
        let directory = format!("{}/tests/fixtures/usage", env!("CARGO_MANIFEST_DIR"));
        let mut read = 0;
        for entry in std::fs::read_dir(directory).expect("fixtures") {
            let path = entry.expect("entry").path();
            let file = path.file_name().and_then(|name| name.to_str()).expect("name");
            if file.starts_with(prefix) {
                let value = text(&std::fs::read_to_string(&path).expect("fixture"));
                assert_eq!(parse_as(&value, Some(name)), parse(&value), "{file}");
                read += 1;
            }
        }
        assert!(read > 0, "{prefix}");
    }
}
