use super::provider::canonical;

#[test]
fn a_provider_has_one_name() {
    for (spelled, name) in [
        ("google", "gemini"),
        ("gcp.gemini", "gemini"),
        ("vertex", "vertex_ai"),
        ("gcp.vertex_ai", "vertex_ai"),
        ("aws.bedrock", "bedrock"),
        ("bedrock_converse", "bedrock"),
        ("azure.ai.openai", "azure"),
        ("azure.ai.inference", "azure_ai"),
        ("x_ai", "xai"),
        ("x-ai", "xai"),
        ("mistral_ai", "mistral"),
        ("cohere_chat", "cohere"),
        ("together", "together_ai"),
        ("fireworks", "fireworks_ai"),
        ("moonshotai", "moonshot"),
    ] {
        assert_eq!(canonical(spelled), name);
        assert_eq!(canonical(name), name);
        assert_eq!(canonical(&format!(" {} ", spelled.to_uppercase())), name);
    }
}

#[test]
fn an_unknown_provider_stays_in_lower_case() {
    assert_eq!(canonical("OpenAI"), "openai");
    assert_eq!(canonical("My-Gateway"), "my-gateway");
    assert_eq!(canonical(""), "");
}
