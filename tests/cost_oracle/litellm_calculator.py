"""LiteLLM: which of its models are compared, and what it says that a usage costs."""

import os
import re

# Its own file, and not one from the network.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
import litellm  # noqa: E402
from litellm.cost_calculator import batch_cost_calculator  # noqa: E402
from litellm.litellm_core_utils.llm_cost_calc.utils import generic_cost_per_token  # noqa: E402
from litellm.types.utils import (  # noqa: E402
    CacheCreationTokenDetails, CachedTokensDetails, CompletionTokensDetailsWrapper, ModelResponse, PromptTokensDetailsWrapper, ServerToolUse, Usage)

import shapes  # noqa: E402
from usages import Case, Model  # noqa: E402

CURRENCY = "LIT"
# Whether it computes in decimals.
IS_EXACT = False

# What the import left out, with the reason.
skipped: dict = {}

# `litellm_provider` of the entry, the name under which LiteLLM is asked, the shape and how many kinds of entry are compared.
PROVIDERS = (
    ("openai", "openai", "openai_chat", 14), ("openai", "openai", "openai_responses", 4), ("openai", "openai", "embedding", 1),
    ("openai", "openai", "transcription", 2), ("anthropic", "anthropic", "anthropic", 8), ("gemini", "gemini", "gemini", 10),
    ("vertex_ai-language-models", "vertex_ai", "gemini", 8), ("vertex_ai-anthropic_models", "vertex_ai", "anthropic", 4),
    ("azure", "azure", "openai_chat", 8), ("azure_ai", "azure_ai", "openai_chat", 4), ("bedrock_converse", "bedrock", "bedrock", 8),
    ("bedrock", "bedrock", "bedrock", 2), ("mistral", "mistral", "mistral", 4), ("cohere_chat", "cohere_chat", "cohere", 2),
    ("xai", "xai", "xai", 5), ("deepseek", "deepseek", "deepseek", 3), ("groq", "groq", "groq", 3), ("groq", "groq", "transcription", 1),
    ("perplexity", "perplexity", "perplexity", 9), ("dashscope", "dashscope", "openai_chat", 4),
    ("fireworks_ai", "fireworks_ai", "openai_chat", 2), ("together_ai", "together_ai", "openai_chat", 3), ("voyage", "voyage", "embedding", 1),
)
MODES = {"transcription": ("audio_transcription",), "embedding": ("embedding",)}
# Entries for any model of a size, such as `together-ai-4.1b-8b`, which LiteLLM chooses by the number in a model's name.
SIZE = re.compile(r"^together-ai-")
PRICE_KEY = re.compile(r"cost|multiplier|tiered_pricing|provider_specific_entry")


def models(left_out: dict, _sellers: dict) -> list[Model]:
    """For each provider the first model of each kind of entry. What depends on the time of day is left out, because the
    calculator looks at the clock."""
    global skipped
    skipped = left_out
    chosen = []
    for provider, named, shape, most in PROVIDERS:
        kinds = {}
        for name, entry in sorted(litellm.model_cost.items()):
            is_comparable = entry.get("litellm_provider") == provider and fits(entry, shape) and name not in skipped
            if is_comparable and "off_peak_pricing" not in entry and not SIZE.search(name):
                kinds.setdefault(kind(entry), name)
        for _, name in sorted(kinds.items(), key=lambda item: -len(item[0]))[:most]:
            chosen.append(Model(named, name, name, shape, thresholds(litellm.model_cost[name])))
    return chosen


def fits(entry: dict, shape: str) -> bool:
    """Whether the shape states what the model bills."""
    if shape == "transcription":
        return entry.get("mode") == "audio_transcription" and "input_cost_per_second" in entry and not entry.get("input_cost_per_token")
    return entry.get("mode") in MODES.get(shape, ("chat", "responses")) and bool(entry.get("input_cost_per_token") or "tiered_pricing" in entry)


def kind(entry: dict) -> str:
    return " ".join(sorted(key for key, value in entry.items() if PRICE_KEY.search(key) and value))


def thresholds(entry: dict) -> tuple:
    above = {int(found[1]) * 1000 for key in entry if (found := re.search(r"_above_(\d+)k_tokens", key))}
    ranges = {int(part["range"][0]) for part in entry.get("tiered_pricing") or () if "range" in part}
    return tuple(sorted((above | ranges) - {0}))


def entry(case: Case) -> dict:
    return litellm.model_cost[case.model.name]


def usage(case: Case) -> Usage:
    """The usage in LiteLLM's own form, where the input contains all that was read from or written to a cache."""
    counts = case.counts
    given, taken = case.input_tokens, shapes.total(counts, shapes.OUTPUT)
    read = PromptTokensDetailsWrapper(
        cached_tokens=case.count(*shapes.CACHED), audio_tokens=case.count("input_audio", "cache_read_audio"),
        image_tokens=case.count("input_image", "cache_read_image"), video_tokens=case.count("input_video"))
    if case.count(*shapes.WRITTEN):
        read.cache_creation_tokens = read.cache_write_tokens = case.count(*shapes.WRITTEN)
    if case.count("cache_write_5m", "cache_write_1h"):
        read.cache_creation_token_details = CacheCreationTokenDetails(
            ephemeral_5m_input_tokens=case.count("cache_write_5m"), ephemeral_1h_input_tokens=case.count("cache_write_1h"))
    if case.count("cache_read_audio", "cache_read_image"):
        read.cached_tokens_details = CachedTokensDetails(
            text_tokens=case.count("cache_read"), audio_tokens=case.count("cache_read_audio"), image_tokens=case.count("cache_read_image"))
    made = CompletionTokensDetailsWrapper(reasoning_tokens=case.count("reasoning"), audio_tokens=case.count("output_audio"),
                                          image_tokens=case.count("output_image"))
    result = Usage(prompt_tokens=given, completion_tokens=taken, total_tokens=given + taken,
                   prompt_tokens_details=read, completion_tokens_details=made)
    if case.count("searches"):
        result.prompt_tokens_details.web_search_requests = case.count("searches")
        if case.model.shape == "anthropic":
            result.server_tool_use = ServerToolUse(web_search_requests=case.count("searches"))
        if case.model.shape == "xai":
            result.server_side_tool_usage_details = {"web_search_calls": case.count("searches")}
    if case.count("citation"):
        result.citation_tokens = case.count("citation")
    if case.tier == "fast":
        result.speed = "fast"
    return result


def generic_cost(case: Case) -> float:
    """By the calculator that all providers share, without their own rules."""
    name, provider = case.model.name, case.model.provider
    return sum(generic_cost_per_token(name, usage(case), provider, service_tier=case.tier))


def cost(case: Case) -> float:
    """What the usage costs, in floats."""
    name, provider = case.model.name, case.model.provider
    if case.model.shape == "transcription":
        return sum(litellm.cost_per_token(model=name, custom_llm_provider=provider, call_type="transcription",
                                          audio_transcription_file_duration=case.count("seconds")))
    if case.tier == "batch":
        return sum(batch_cost_calculator(usage(case), name, provider))
    answer = ModelResponse(model=name)
    answer.usage = usage(case)
    return litellm.completion_cost(completion_response=answer, model=name, custom_llm_provider=provider,
                                   service_tier=case.tier if case.tier != "fast" else None)
