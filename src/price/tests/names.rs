use super::*;

/// The candidates as `provider/name`, `*` for any provider.
fn names(model: &str) -> Vec<String> {
    candidates(model)
        .into_iter()
        .map(|candidate| format!("{}/{}", candidate.provider.unwrap_or("*"), candidate.name))
        .collect()
}

#[test]
fn a_plain_name_is_its_only_candidate() {
    for model in
        ["gpt-4o", "o3", "claude-sonnet-4-5", "gpt-4-0613", "gpt-3.5-turbo-0125", "text-embedding-3-small", "a b", "/"]
    {
        assert_eq!(names(model), [format!("*/{model}")], "{model}");
    }
    assert_eq!(names(""), [""; 0]);
}

#[test]
fn a_date_is_removed_last() {
    assert_eq!(names("gpt-4o-2024-08-06"), ["*/gpt-4o-2024-08-06", "*/gpt-4o"]);
    assert_eq!(names("claude-sonnet-4-5-20250929"), ["*/claude-sonnet-4-5-20250929", "*/claude-sonnet-4-5"]);
    assert_eq!(names("chatgpt-4o-latest"), ["*/chatgpt-4o-latest", "*/chatgpt-4o"]);
    assert_eq!(
        names("claude-sonnet-4-5@20250929"),
        ["*/claude-sonnet-4-5@20250929", "*/claude-sonnet-4-5-20250929", "*/claude-sonnet-4-5"]
    );
}

#[test]
fn what_only_looks_like_a_date_stays() {
    for model in [
        "gpt-4o-2024-13-06",
        "gpt-4o-2024-00-06",
        "gpt-4o-2024-08-32",
        "gpt-4o-1999-08-06",
        "gpt-4o-2024-8-06",
        "m-20251301",
        "m-2025092",
        "m-202509299",
        "m20250929",
        "gpt-4o2024-08-06",
        "-2024-08-06",
        "@20250929",
        "-latest",
        "latest",
        "m-2024-08-0é",
        "m-+0240806",
        "m-٢٠٢٥٠٩٢٩",
    ] {
        assert_eq!(names(model), [format!("*/{model}")], "{model}");
    }
}

#[test]
fn a_provider_prefix_binds_the_provider() {
    assert_eq!(names("openai/gpt-4o"), ["*/openai/gpt-4o", "openai/gpt-4o"]);
    assert_eq!(
        names("anthropic/claude-sonnet-4-5-20250929"),
        [
            "*/anthropic/claude-sonnet-4-5-20250929",
            "anthropic/claude-sonnet-4-5-20250929",
            "anthropic/claude-sonnet-4-5",
        ]
    );
}

#[test]
fn a_resale_is_never_looked_up_under_its_maker() {
    assert_eq!(names("azure/gpt-4o"), ["*/azure/gpt-4o", "azure/gpt-4o"]);
    assert_eq!(names("azure/eu/gpt-4o"), ["*/azure/eu/gpt-4o", "azure/eu/gpt-4o"]);
    assert_eq!(names("openrouter/openai/gpt-4o"), ["*/openrouter/openai/gpt-4o", "openrouter/openai/gpt-4o"]);
    assert_eq!(names("my-gateway/gpt-4o"), ["*/my-gateway/gpt-4o"]);
    assert_eq!(names("openai/"), ["*/openai/"]);
}

#[test]
fn a_fine_tuned_model_never_becomes_its_base() {
    assert_eq!(
        names("ft:gpt-4o-2024-08-06:org::id"),
        ["*/ft:gpt-4o-2024-08-06:org::id", "*/ft:gpt-4o-2024-08-06", "*/ft:gpt-4o"]
    );
    assert_eq!(
        names("openai/ft:gpt-4o-2024-08-06:org::id"),
        [
            "*/openai/ft:gpt-4o-2024-08-06:org::id",
            "openai/ft:gpt-4o-2024-08-06:org::id",
            "openai/ft:gpt-4o-2024-08-06",
            "openai/ft:gpt-4o"
        ]
    );
    for model in [
        "ft:gpt-4o-2024-08-06:org:my-model-2025-01-01:id",
        "ft:-2024-08-06",
        "ft:",
        "ft::x",
        "ft:gpt-4o:a:b:c:ckpt-step-90",
    ] {
        assert!(candidates(model).iter().all(|candidate| candidate.name.starts_with("ft:")), "{model}");
    }
}

#[test]
fn a_candidate_says_how_it_came_about() {
    let how = |model| candidates(model).into_iter().map(|candidate| candidate.resolution).collect::<Vec<_>>();
    assert_eq!(how("openai/gpt-4o-2024-08-06"), [Resolution::Exact, Resolution::Provider, Resolution::Undated]);
}
