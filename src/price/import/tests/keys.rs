use crate::price::import::litellm::key::{Base, is_about_price, parse};
use crate::price::import::litellm::name::split;
use crate::price::import::units::Unit;
use crate::usage::Bucket;

fn parsed(key: &str) -> Option<(Base, i64, String, Option<String>)> {
    parse(key).map(|key| (key.base, key.above_input_tokens, key.service_tier, key.unknown_tier))
}

#[test]
fn a_key_is_a_base_with_suffixes_in_any_order() {
    let one = |bucket| Base::One(Unit::Bucket(bucket));
    let known = |base, above, tier: &str| Some((base, above, tier.to_owned(), None));
    assert_eq!(parsed("input_cost_per_token"), known(one(Bucket::UncachedInput), 0, "standard"));
    assert_eq!(parsed("input_cost_per_image_token"), known(one(Bucket::InputImage), 0, "standard"));
    assert_eq!(parsed("input_cost_per_token_cache_hit"), known(Base::CacheHit, 0, "standard"));
    assert_eq!(parsed("output_cost_per_token_batches"), known(one(Bucket::OutputText), 0, "batch"));
    assert_eq!(
        parsed("cache_read_input_token_cost_above_272k_tokens_priority"),
        known(one(Bucket::CacheRead), 272_000, "priority")
    );
    assert_eq!(
        parsed("cache_read_input_token_cost_priority_above_272k_tokens"),
        known(one(Bucket::CacheRead), 272_000, "priority")
    );
    assert_eq!(
        parsed("cache_creation_input_token_cost_above_1hr_above_200k_tokens"),
        known(one(Bucket::CacheWrite1h), 200_000, "standard")
    );
    assert_eq!(parsed("cache_creation_input_token_cost_flex_above_1hr"), known(one(Bucket::CacheWrite1h), 0, "flex"));
    let balanced = Some((one(Bucket::OutputText), 0, "balanced".to_owned(), Some("balanced".to_owned())));
    assert_eq!(parsed("output_cost_per_token_balanced"), balanced);
}

#[test]
fn what_the_grammar_does_not_know_is_no_price() {
    for key in [
        "mode",
        "input_cost_per_tokens",
        "input_cost_per_video_per_second",
        "output_cost_per_second_1080p",
        "output_cost_per_image_4K",
        "cache_creation_input_token_cost_above_12hr",
        "cache_creation_input_token_cost_above_12hr_above_272k_tokens_flex",
        "input_cost_per_token_above_1hr",
        "input_cost_per_token_above_k_tokens",
        "input_cost_per_token_above_128k_tokens_above_256k_tokens",
        "input_cost_per_token_above_99999999999999999999k_tokens",
        "input_cost_per_token_flex_priority",
        "input_cost_per_token_",
    ] {
        assert_eq!(parsed(key), None, "{key}");
    }
    assert!(is_about_price("output_cost_per_second_1080p") && is_about_price("off_peak_pricing"));
    assert!(!is_about_price("supports_cost_tracking") && !is_about_price("mode"));
}

#[test]
fn a_name_is_told_from_its_provider() {
    let cases = [
        ("gpt-4o", "openai", "openai", "gpt-4o", true),
        ("gemini/gemini-2.5-pro", "gemini", "gemini", "gemini-2.5-pro", false),
        ("azure/eu/gpt-4o", "azure", "azure", "eu/gpt-4o", false),
        ("azure/gpt-3.5-turbo-instruct", "azure_text", "azure", "gpt-3.5-turbo-instruct", false),
        ("gemini-2.5-pro", "vertex_ai-language-models", "vertex_ai", "gemini-2.5-pro", true),
        ("vertex_ai/claude-opus-5", "vertex_ai-anthropic_models", "vertex_ai", "claude-opus-5", false),
        ("us.anthropic.claude-opus-5", "bedrock_converse", "bedrock", "us.anthropic.claude-opus-5", true),
        ("bedrock/us-east-1/anthropic.claude-v2:1", "bedrock", "bedrock", "us-east-1/anthropic.claude-v2:1", false),
        ("bedrock_mantle/openai.gpt-6-sol", "bedrock_mantle", "bedrock_mantle", "openai.gpt-6-sol", false),
        ("amazon-nova/nova-micro-v1", "amazon_nova", "amazon_nova", "nova-micro-v1", false),
        ("babbage-002", "text-completion-openai", "openai", "babbage-002", true),
        (
            "text-completion-codestral/codestral-latest",
            "text-completion-codestral",
            "codestral",
            "codestral-latest",
            false,
        ),
        ("low/1024-x-1024/gpt-image-1.5", "openai", "openai", "low/1024-x-1024/gpt-image-1.5", true),
        ("openai/", "openai", "openai", "openai/", true),
    ];
    for (key, litellm_provider, provider, model, is_bare) in cases {
        let name = split(key, litellm_provider);
        assert_eq!((name.provider.as_str(), name.model.as_str(), name.is_bare), (provider, model, is_bare), "{key}");
    }
}
