use proptest::prelude::*;

use super::*;

/// The candidates as `provider/name`, `*` for any provider.
pub(super) fn names(model: &str) -> Vec<String> {
    candidates(model)
        .into_iter()
        .map(|candidate| format!("{}/{}", candidate.provider.as_deref().unwrap_or("*"), candidate.name))
        .collect()
}

#[test]
fn a_plain_name_is_its_only_candidate() {
    for model in [
        "gpt-4o",
        "o3",
        "claude-sonnet-4-5",
        "gpt-4-0613",
        "gpt-3.5-turbo-0125",
        "text-embedding-3-small",
        "a b",
        "/",
        "openai/",
        "/gpt-4o",
    ] {
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
    assert_eq!(names("openai/gpt-4o"), ["openai/gpt-4o", "*/openai/gpt-4o"]);
    assert_eq!(
        names("anthropic/claude-sonnet-4-5-20250929"),
        [
            "anthropic/claude-sonnet-4-5-20250929",
            "*/anthropic/claude-sonnet-4-5-20250929",
            "anthropic/claude-sonnet-4-5",
        ]
    );
    assert_eq!(
        names("vertex_ai/claude-sonnet-4-5@20250929"),
        [
            "vertex_ai/claude-sonnet-4-5@20250929",
            "*/vertex_ai/claude-sonnet-4-5@20250929",
            "vertex_ai/claude-sonnet-4-5-20250929",
            "vertex_ai/claude-sonnet-4-5",
        ]
    );
}

#[test]
fn a_provider_prefix_is_known_in_every_spelling() {
    assert_eq!(names("google/gemini-2.5-pro"), ["gemini/gemini-2.5-pro", "*/google/gemini-2.5-pro"]);
    assert_eq!(names("x-ai/grok-4"), ["xai/grok-4", "*/x-ai/grok-4"]);
    assert_eq!(names("OpenAI/gpt-4o"), ["openai/gpt-4o", "*/OpenAI/gpt-4o"]);
    assert_eq!(
        names("bedrock_converse/amazon.nova-pro-v1:0"),
        ["bedrock/amazon.nova-pro-v1:0", "*/bedrock_converse/amazon.nova-pro-v1:0"]
    );
}

/// The maker in front of a model's name on Hugging Face looks like a provider, and the whole is a name that others sell.
#[test]
fn a_name_with_its_maker_in_front_is_also_looked_up_whole() {
    assert_eq!(names("meta-llama/Llama-3"), ["meta-llama/Llama-3", "*/meta-llama/Llama-3"]);
    assert_eq!(
        names("together_ai/meta-llama/Llama-3"),
        ["together_ai/meta-llama/Llama-3", "*/together_ai/meta-llama/Llama-3"]
    );
}

#[test]
fn a_resale_is_never_looked_up_under_its_maker() {
    assert_eq!(names("azure/gpt-4o"), ["azure/gpt-4o", "*/azure/gpt-4o"]);
    assert_eq!(names("openrouter/openai/gpt-4o"), ["openrouter/openai/gpt-4o", "*/openrouter/openai/gpt-4o"]);
    assert_eq!(names("my-gateway/gpt-4o"), ["my-gateway/gpt-4o", "*/my-gateway/gpt-4o"]);
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
            "openai/ft:gpt-4o-2024-08-06:org::id",
            "*/openai/ft:gpt-4o-2024-08-06:org::id",
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
    assert_eq!(how("openai/gpt-4o-2024-08-06"), [Resolution::Provider, Resolution::Exact, Resolution::Undated]);
    assert_eq!(how("us.anthropic.claude-v2:1"), [Resolution::Exact, Resolution::Unplaced]);
}

/// Names made of what names are made of, and of anything.
fn any_name() -> impl Strategy<Value = String> {
    let part = prop::sample::select(vec![
        "bedrock",
        "azure",
        "vertex_ai",
        "us",
        "eu",
        "us-east-1",
        "global",
        "anthropic.claude",
        "gpt-4o",
        "ft:",
        "/",
        "/",
        ".",
        "-",
        "@",
        ":",
        "-2024-08-06",
        "@20250929",
        "-20250929",
        "-latest",
        "é",
        " ",
        "arn:aws:bedrock:us-east-1:1:x/",
    ]);
    prop_oneof![".{0,60}", prop::collection::vec(part, 0..9).prop_map(|parts| parts.concat())]
}

proptest! {
    #[test]
    fn any_name_is_answered(model in any_name()) {
        let found = candidates(&model);
        prop_assert_eq!(found.is_empty(), model.is_empty());
        prop_assert!(found.len() <= 12);
        prop_assert!(found.iter().all(|candidate| !candidate.name.is_empty()));
        prop_assert!(model.is_empty() || found.iter().any(|candidate| candidate.provider.is_none() && candidate.name == model));
        for (index, candidate) in found.iter().enumerate() {
            let is_same = |other: &Candidate| (&other.provider, &other.name) == (&candidate.provider, &candidate.name);
            prop_assert!(!found[..index].iter().any(is_same), "{candidate:?} twice");
            prop_assert_eq!(candidate.region.is_some(), candidate.resolution == Resolution::Unplaced);
        }
    }

    /// Another provider's price is never taken for that of the named one.
    #[test]
    fn a_named_provider_is_the_only_one(rest in any_name()) {
        let model = format!("azure/{rest}");
        for candidate in candidates(&model).into_iter().filter(|candidate| candidate.name != model) {
            prop_assert_eq!(candidate.provider.as_deref(), Some("azure"));
        }
    }
}
