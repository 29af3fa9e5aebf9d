//! Providers under one name each.

/// Amazon Bedrock.
pub const BEDROCK: &str = "bedrock";
/// Azure OpenAI.
pub const AZURE: &str = "azure";
/// Google's Vertex AI.
pub const VERTEX_AI: &str = "vertex_ai";
/// What a meter costs whatever the model is filed under this.
pub const METER: &str = "meter";

/// Sellers whose name before a model means them and nobody else.
const SELLERS: [&str; 46] = [
    "ai21",
    "aleph_alpha",
    "anthropic",
    "anyscale",
    AZURE,
    "azure_ai",
    "baseten",
    BEDROCK,
    "bedrock_mantle",
    "cerebras",
    "cloudflare",
    "cohere",
    "dashscope",
    "databricks",
    "deepgram",
    "deepinfra",
    "deepseek",
    "elevenlabs",
    "fireworks_ai",
    "friendliai",
    "gemini",
    "github_copilot",
    "groq",
    "hyperbolic",
    "jina_ai",
    "lambda_ai",
    "minimax",
    "mistral",
    "moonshot",
    "nebius",
    "novita",
    "nscale",
    "oci",
    "openai",
    "openrouter",
    "ovhcloud",
    "perplexity",
    "replicate",
    "sambanova",
    "snowflake",
    "together_ai",
    "vercel_ai_gateway",
    VERTEX_AI,
    "voyage",
    "watsonx",
    "xai",
];

/// Whether the name before a model's means a seller, and not the maker of weights that many sell (`meta-llama/…`).
pub fn is_seller(provider: &str) -> bool {
    SELLERS.contains(&provider)
}

/// The provider in the words of the price book: LiteLLM's, with one name for each seller. A name that is not known stays as
/// it is, in lower case.
///
/// `bedrock_mantle` is no other spelling: it is another endpoint of Bedrock, and charges more for the same models.
///
/// Sources: LiteLLM's `litellm_provider` and its prefixes, OpenTelemetry's `gen_ai.provider.name`, genai-prices' ids.
pub fn canonical(provider: &str) -> String {
    let provider = provider.trim().to_ascii_lowercase();
    let known = match provider.as_str() {
        "aws.bedrock" | "aws" | "bedrock_converse" | "bedrock-converse" | "amazon_bedrock" | "amazon-bedrock" => {
            BEDROCK
        }
        "azure.ai.openai" | "azure_text" | "azure-openai" | "azure_openai" => AZURE,
        "azure.ai.inference" | "azure-ai" => "azure_ai",
        "gcp.gemini" | "google" | "google_ai" | "google-ai-studio" | "google_ai_studio" => "gemini",
        "gcp.vertex_ai" | "vertex" | "vertexai" | "vertex-ai" | "google-vertex" | "google_vertexai" => VERTEX_AI,
        "x_ai" | "x-ai" => "xai",
        "mistral_ai" | "mistralai" => "mistral",
        "cohere_chat" => "cohere",
        "together" | "together-ai" | "togetherai" => "together_ai",
        "fireworks" | "fireworks-ai" | "fireworks_ai-embedding-models" => "fireworks_ai",
        "voyageai" => "voyage",
        "moonshotai" | "moonshot_ai" => "moonshot",
        "zhipuai" => "bigmodel",
        "ibm.watsonx.ai" => "watsonx",
        // One for each kind of model that is sold there.
        name if name.starts_with("vertex_ai-") => VERTEX_AI,
        name => name.strip_prefix("text-completion-").unwrap_or(name),
    };
    known.to_owned()
}
