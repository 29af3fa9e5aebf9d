//! Places that are part of a model's name.

use super::names::names;
use super::*;

/// The candidates that come with a place, as `provider/name`, and the place.
fn placed(model: &str) -> Vec<(String, String)> {
    candidates(model)
        .into_iter()
        .filter_map(|candidate| {
            let provider = candidate.provider.unwrap_or_else(|| "*".to_owned());
            Some((format!("{provider}/{}", candidate.name), candidate.region?))
        })
        .collect()
}

fn pairs<const N: usize>(pairs: [(&str, &str); N]) -> Vec<(String, String)> {
    pairs.into_iter().map(|(name, region)| (name.to_owned(), region.to_owned())).collect()
}

#[test]
fn a_geography_of_bedrock_is_the_place() {
    let model = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
    let unplaced = "bedrock/anthropic.claude-sonnet-4-5-20250929-v1:0";
    assert_eq!(names(model), [format!("*/{model}"), unplaced.to_owned()]);
    for geography in ["us", "eu", "apac", "global", "jp", "au", "ca", "us-gov", "sa"] {
        let model = format!("{geography}.anthropic.claude-v2:1");
        assert_eq!(placed(&model), pairs([("bedrock/anthropic.claude-v2:1", geography)]));
        let prefixed = format!("bedrock/{model}");
        assert_eq!(names(&prefixed)[..2], [prefixed.clone(), format!("*/{prefixed}")]);
        assert_eq!(placed(&prefixed), pairs([("bedrock/anthropic.claude-v2:1", geography)]));
    }
}

#[test]
fn a_region_in_the_path_is_the_place() {
    assert_eq!(
        names("bedrock/us-east-1/anthropic.claude-v2:1"),
        [
            "bedrock/us-east-1/anthropic.claude-v2:1",
            "*/bedrock/us-east-1/anthropic.claude-v2:1",
            "bedrock/anthropic.claude-v2:1",
        ]
    );
    let region = |model| placed(model).into_iter().map(|(_, region)| region).collect::<Vec<_>>();
    assert_eq!(region("bedrock/us-east-1/anthropic.claude-v2:1"), ["us-east-1"]);
    assert_eq!(region("bedrock/us-gov-west-1/anthropic.claude-v2:1"), ["us-gov-west-1"]);
    assert_eq!(
        placed("azure/eu/gpt-4o-2024-08-06"),
        pairs([("azure/gpt-4o-2024-08-06", "eu"), ("azure/gpt-4o", "eu")])
    );
    assert_eq!(
        names("azure/eu/gpt-4o"),
        ["azure/eu/gpt-4o", "*/azure/eu/gpt-4o", "azure/gpt-4o"],
        "never under the maker"
    );
}

#[test]
fn the_path_wins_over_the_geography() {
    assert_eq!(
        placed("bedrock_converse/us-east-1/us.anthropic.claude-v2:1"),
        pairs([("bedrock/us.anthropic.claude-v2:1", "us-east-1"), ("bedrock/anthropic.claude-v2:1", "us-east-1")])
    );
}

#[test]
fn an_inference_profile_is_the_model_at_its_end_on_bedrock() {
    let arn = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-v2:1";
    let expected = |given: &str| {
        vec![
            "bedrock/us.anthropic.claude-v2:1".to_owned(),
            format!("*/{given}"),
            "bedrock/anthropic.claude-v2:1".to_owned(),
        ]
    };
    for prefix in ["", "bedrock/", "bedrock_converse/"] {
        let model = format!("{prefix}{arn}");
        assert_eq!(names(&model), expected(&model));
        assert_eq!(placed(&model), pairs([("bedrock/anthropic.claude-v2:1", "us")]));
    }
    // A profile that a customer made has a name of its own, under which a price may be filed.
    let own = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/gpt-4o";
    assert_eq!(names(own), ["bedrock/gpt-4o".to_owned(), format!("*/{own}")]);
}

#[test]
fn other_arns_are_names_like_any_other() {
    for model in ["arn:aws:bedrock:us-east-1", "arn:", "arn:aws:bedrock:us-east-1:1:x/"] {
        assert_eq!(names(model), [format!("*/{model}")]);
    }
    let sagemaker = "arn:aws:sagemaker:us-east-1:1:endpoint/us.anthropic.claude-v2";
    assert!(names(sagemaker).contains(&format!("*/{sagemaker}")));
    assert!(!names(sagemaker).iter().any(|name| name.starts_with("bedrock/")));
}

#[test]
fn what_only_looks_like_a_place_stays() {
    for model in [
        "us.claude",
        "mars.anthropic.claude-v2",
        "openai/us.anthropic.claude-v2",
        "openai/us/gpt-4o",
        "azure/gpt-4o",
        "azure/my-own-deployment/gpt-4o",
        "bedrock/1-month-commitment/anthropic.claude-v1",
        "openrouter/us-east-1/gpt-4o",
        "azure/eu/",
    ] {
        assert_eq!(placed(model), [], "{model}");
    }
}
