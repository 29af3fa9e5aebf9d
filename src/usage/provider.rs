//! Names of providers and the shapes that each of them writes.
//!
//! Spellings: the providers' own, those of the `LiteLLM` price file (`litellm_provider`) and of OpenTelemetry
//! (`gen_ai.provider.name`).

use super::error::{Reason, UsageError};
use super::shapes::{
    ANTHROPIC, BEDROCK, COHERE, GEMINI, INTERACTIONS, LANGCHAIN, OCR, OLLAMA, OPENAI_AGENTS, OPENAI_CHAT,
    OPENAI_IMAGES, OPENAI_REALTIME, OPENAI_RESPONSES, OPENAI_TRANSCRIPTION, OPENTELEMETRY, Shape, TOTAL_ONLY, VERCEL,
};

/// A provider, or a library that writes usage in a form of its own.
pub(super) struct Provider {
    /// The name under which it is stored.
    pub(super) name: &'static str,
    /// Other names, in lower case.
    aliases: &'static [&'static str],
    pub(super) shapes: &'static [Shape],
    /// Whether it bills, other than a library.
    pub(super) is_vendor: bool,
}

const fn vendor(name: &'static str, aliases: &'static [&'static str], shapes: &'static [Shape]) -> Provider {
    Provider { name, aliases, shapes, is_vendor: true }
}

const fn library(name: &'static str, aliases: &'static [&'static str], shapes: &'static [Shape]) -> Provider {
    Provider { name, aliases, shapes, is_vendor: false }
}

const OPENAI: &[Shape] =
    &[OPENAI_REALTIME, OPENAI_IMAGES, OPENAI_TRANSCRIPTION, OPENAI_CHAT, OPENAI_AGENTS, OPENAI_RESPONSES];

/// What servers write that copy the APIs of both.
const COMPATIBLE: &[Shape] = &[OPENAI_CHAT, ANTHROPIC, OPENAI_IMAGES, OPENAI_REALTIME, OPENAI_RESPONSES, TOTAL_ONLY];

const CLOUD: &[Shape] = &[
    BEDROCK,
    GEMINI,
    INTERACTIONS,
    COHERE,
    OCR,
    OPENAI_CHAT,
    ANTHROPIC,
    OPENAI_REALTIME,
    OPENAI_IMAGES,
    OPENAI_TRANSCRIPTION,
    OPENAI_RESPONSES,
    TOTAL_ONLY,
];

const PROVIDERS: &[Provider] = &[
    vendor("openai", &["text-completion-openai", "chatgpt"], OPENAI),
    vendor("azure", &["azure.ai.openai", "azure_openai", "azure-openai", "az.ai.openai", "azure_text"], OPENAI),
    vendor("azure_ai", &["azure.ai.inference", "az.ai.inference"], CLOUD),
    vendor("anthropic", &["claude"], &[ANTHROPIC, OPENAI_CHAT]),
    vendor(
        "gemini",
        &["google", "gcp.gemini", "gcp.gen_ai", "google_genai", "google_ai_studio", "palm"],
        &[GEMINI, INTERACTIONS, OPENAI_CHAT],
    ),
    vendor(
        "vertex_ai",
        &["vertex", "vertexai", "gcp.vertex_ai", "google_vertex_ai", "google_vertex"],
        &[GEMINI, INTERACTIONS, ANTHROPIC, OCR, OPENAI_CHAT],
    ),
    vendor(
        "bedrock",
        &[
            "aws",
            "aws.bedrock",
            "aws_bedrock",
            "bedrock_converse",
            "amazon_bedrock",
            "amazon-bedrock",
            "amazon",
            "bedrock_mantle",
        ],
        &[BEDROCK, ANTHROPIC, COHERE, OPENAI_CHAT, OPENAI_RESPONSES],
    ),
    vendor("mistral", &["mistral_ai", "mistralai"], &[OCR, OPENAI_CHAT]),
    vendor("cohere", &["cohere_chat"], &[COHERE, OPENAI_CHAT]),
    vendor("openrouter", &["open_router"], COMPATIBLE),
    vendor("perplexity", &["perplexity_ai", "pplx"], &[OPENAI_CHAT, OPENAI_RESPONSES]),
    vendor(
        "xai",
        &["x_ai", "x-ai", "grok"],
        &[OPENAI_REALTIME, OPENAI_CHAT, OPENAI_IMAGES, OPENAI_RESPONSES, ANTHROPIC],
    ),
    vendor("deepseek", &["deep_seek"], &[OPENAI_CHAT, ANTHROPIC]),
    vendor("groq", &[], &[OPENAI_CHAT, OPENAI_RESPONSES, OPENAI_TRANSCRIPTION]),
    vendor("voyage", &["voyageai", "voyage_ai"], &[TOTAL_ONLY, OPENAI_CHAT]),
    vendor("jina_ai", &["jina", "jinaai"], &[OPENAI_CHAT, TOTAL_ONLY]),
    vendor("elevenlabs", &["eleven_labs"], &[]),
    vendor("deepgram", &[], &[]),
    vendor("assemblyai", &[], &[]),
    vendor("together_ai", &["together", "togetherai"], COMPATIBLE),
    vendor("fireworks_ai", &["fireworks", "fireworksai"], COMPATIBLE),
    vendor("cerebras", &[], COMPATIBLE),
    vendor("moonshot", &["moonshot_ai", "moonshotai", "kimi"], COMPATIBLE),
    vendor("minimax", &[], COMPATIBLE),
    vendor("zai", &["z_ai", "zhipuai", "zhipu"], COMPATIBLE),
    vendor("dashscope", &["alibaba", "qwen", "aliyun"], COMPATIBLE),
    vendor("volcengine", &["bytedance", "doubao"], COMPATIBLE),
    vendor("databricks", &[], COMPATIBLE),
    vendor("watsonx", &["ibm.watsonx.ai", "watsonx_ai", "ibm"], COMPATIBLE),
    vendor("github_copilot", &["github-copilot", "github", "copilot"], COMPATIBLE),
    vendor("huggingface", &["hugging_face"], COMPATIBLE),
    vendor("cloudflare", &["workers_ai"], COMPATIBLE),
    vendor("nvidia_nim", &["nvidia"], COMPATIBLE),
    vendor("sambanova", &[], COMPATIBLE),
    vendor("deepinfra", &[], COMPATIBLE),
    vendor("hyperbolic", &[], COMPATIBLE),
    vendor("nebius", &[], COMPATIBLE),
    vendor("novita", &["novita_ai"], COMPATIBLE),
    vendor("baseten", &[], COMPATIBLE),
    vendor("replicate", &[], COMPATIBLE),
    vendor("ovhcloud", &["ovh"], COMPATIBLE),
    vendor("meta_llama", &["meta"], COMPATIBLE),
    vendor("ai21", &["ai21_chat"], COMPATIBLE),
    vendor("ollama", &["ollama_chat"], &[OLLAMA, OPENAI_CHAT, ANTHROPIC, OPENAI_RESPONSES]),
    vendor("vllm", &["hosted_vllm"], COMPATIBLE),
    library("openai_compatible", &["openai-compatible", "openai_like", "custom_openai"], COMPATIBLE),
    library("litellm", &["litellm_proxy"], COMPATIBLE),
    library("langchain", &["langgraph", "langsmith"], &[LANGCHAIN]),
    library("openai_agents", &["openai-agents", "agents"], &[OPENAI_AGENTS, OPENAI_RESPONSES]),
    library("opentelemetry", &["otel", "gen_ai"], &[OPENTELEMETRY]),
    library("vercel", &["ai_sdk", "ai-sdk", "vercel_ai", "vercel_ai_sdk", "vercel_ai_gateway"], &[VERCEL, OPENAI_CHAT]),
];

/// The provider of that name.
pub(super) fn find(name: &str) -> Result<&'static Provider, UsageError> {
    by_name(name).ok_or_else(|| UsageError::new("provider", Reason::UnknownProvider))
}

/// The name under which a provider is stored, if that is known.
pub(super) fn canonical(name: &str) -> Option<&'static str> {
    by_name(name).map(|provider| provider.name)
}

fn by_name(name: &str) -> Option<&'static Provider> {
    let name = name.trim().to_ascii_lowercase();
    PROVIDERS.iter().find(|provider| provider.name == name || provider.aliases.contains(&name.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_stands_for_two_providers() {
        let mut names: Vec<_> =
            PROVIDERS.iter().flat_map(|provider| provider.aliases.iter().copied().chain([provider.name])).collect();
        assert!(names.iter().all(|name| name.to_ascii_lowercase() == **name));
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair.first() != pair.last()), "{names:?}");
    }
}
