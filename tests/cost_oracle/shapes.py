"""Disjoint counts as the objects in which providers report them.

Each function takes the counts of a case (names as in tokbudget's buckets) and its service tier, and returns a whole response.
`SHAPES` names for each the counts that it can state beside plain input and output.
"""

from collections import defaultdict
from typing import NamedTuple

CACHED = ("cache_read", "cache_read_audio", "cache_read_image")
WRITTEN = ("cache_write", "cache_write_5m", "cache_write_1h")
INPUT = ("uncached_input", *CACHED, *WRITTEN, "input_audio", "input_image", "input_video", "tool_prompt")
OUTPUT = ("output_text", "reasoning", "rejected_prediction", "output_audio", "output_image")


def total(counts: dict, names: tuple) -> int:
    return sum(counts.get(name, 0) for name in names)


def openai_details(counts: dict) -> tuple[dict, dict]:
    """The parts of input and output, which OpenAI counts inside the whole."""
    read = {"cached_tokens": total(counts, CACHED), "cache_write_tokens": counts["cache_write"],
            "audio_tokens": counts["input_audio"] + counts["cache_read_audio"],
            "image_tokens": counts["input_image"] + counts["cache_read_image"]}
    if counts["cache_read_audio"] or counts["cache_read_image"]:
        read["cached_tokens_details"] = {"text_tokens": counts["cache_read"], "audio_tokens": counts["cache_read_audio"],
                                         "image_tokens": counts["cache_read_image"]}
    made = {"reasoning_tokens": counts["reasoning"], "audio_tokens": counts["output_audio"],
            "image_tokens": counts["output_image"], "rejected_prediction_tokens": counts["rejected_prediction"]}
    return read, made


def openai_chat(counts: dict, tier: str | None) -> dict:
    read, made = openai_details(counts)
    prompt, completion = total(counts, INPUT), total(counts, OUTPUT)
    body = {"object": "chat.completion", "choices": [{"index": 0}],
            "usage": {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion,
                      "prompt_tokens_details": read, "completion_tokens_details": made}}
    return openai_tier(body, tier)


def openai_responses(counts: dict, tier: str | None) -> dict:
    read, made = openai_details(counts)
    given, taken = total(counts, INPUT), total(counts, OUTPUT)
    body = {"object": "response",
            "usage": {"input_tokens": given, "output_tokens": taken, "total_tokens": given + taken,
                      "input_tokens_details": {"cached_tokens": read["cached_tokens"], "cache_write_tokens": read["cache_write_tokens"]},
                      "output_tokens_details": {"reasoning_tokens": made["reasoning_tokens"]}}}
    return openai_tier(body, tier)


def openai_tier(body: dict, tier: str | None) -> dict:
    """A batch has no tier of its own in OpenAI's answers; the line of its output file tells."""
    if tier == "batch":
        return {"custom_id": "1", "response": {"status_code": 200, "body": body}}
    return {**body, "service_tier": tier or "default"}


def embedding(counts: dict, _tier: str | None) -> dict:
    tokens = counts["uncached_input"]
    return {"object": "list", "data": [], "usage": {"prompt_tokens": tokens, "total_tokens": tokens}}


def anthropic(counts: dict, tier: str | None) -> dict:
    usage = {"input_tokens": counts["uncached_input"], "cache_read_input_tokens": counts["cache_read"],
             "cache_creation_input_tokens": total(counts, WRITTEN),
             "output_tokens": total(counts, OUTPUT), "output_tokens_details": {"thinking_tokens": counts["reasoning"]},
             "server_tool_use": {"web_search_requests": counts["searches"]}}
    if counts["cache_write_5m"] or counts["cache_write_1h"]:
        usage["cache_creation"] = {"ephemeral_5m_input_tokens": counts["cache_write_5m"],
                                   "ephemeral_1h_input_tokens": counts["cache_write_1h"]}
    if tier == "fast":
        usage["speed"] = "fast"
    else:
        usage["service_tier"] = tier or "standard"
    return {"type": "message", "role": "assistant", "usage": usage}


def bedrock(counts: dict, tier: str | None) -> dict:
    given, taken = counts["uncached_input"], total(counts, OUTPUT)
    usage = {"inputTokens": given, "outputTokens": taken, "totalTokens": given + taken + counts["cache_read"] + total(counts, WRITTEN),
             "cacheReadInputTokens": counts["cache_read"], "cacheWriteInputTokens": total(counts, WRITTEN),
             "cacheDetails": [{"ttl": "5m", "inputTokens": counts["cache_write_5m"]},
                              {"ttl": "1h", "inputTokens": counts["cache_write_1h"]}]}
    return {"stopReason": "end_turn", "usage": usage, "serviceTier": {"type": tier or "default"}}


def gemini(counts: dict, tier: str | None) -> dict:
    def split(**parts: int) -> list:
        return [{"modality": name.upper(), "tokenCount": count} for name, count in parts.items() if count]

    prompt = total(counts, INPUT) - counts["tool_prompt"]
    candidates = total(counts, OUTPUT) - counts["reasoning"]
    usage = {"promptTokenCount": prompt, "cachedContentTokenCount": total(counts, CACHED),
             "candidatesTokenCount": candidates, "thoughtsTokenCount": counts["reasoning"],
             "toolUsePromptTokenCount": counts["tool_prompt"],
             "totalTokenCount": prompt + counts["tool_prompt"] + candidates + counts["reasoning"],
             "promptTokensDetails": split(text=counts["uncached_input"] + counts["cache_read"],
                                          audio=counts["input_audio"] + counts["cache_read_audio"],
                                          image=counts["input_image"] + counts["cache_read_image"], video=counts["input_video"]),
             "cacheTokensDetails": split(text=counts["cache_read"], audio=counts["cache_read_audio"], image=counts["cache_read_image"]),
             "candidatesTokensDetails": split(text=counts["output_text"], audio=counts["output_audio"], image=counts["output_image"])}
    if tier in ("flex", "priority"):
        usage["trafficType"] = f"ON_DEMAND_{tier.upper()}"
    elif tier:
        usage["serviceTier"] = tier
    return {"candidates": [], "usageMetadata": usage}


def deepseek(counts: dict, _tier: str | None) -> dict:
    prompt, completion = total(counts, INPUT), total(counts, OUTPUT)
    return {"object": "chat.completion",
            "usage": {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion,
                      "prompt_cache_hit_tokens": counts["cache_read"], "prompt_cache_miss_tokens": counts["uncached_input"],
                      "completion_tokens_details": {"reasoning_tokens": counts["reasoning"]}}}


def mistral(counts: dict, _tier: str | None) -> dict:
    prompt, completion = total(counts, INPUT), total(counts, OUTPUT)
    return {"object": "chat.completion",
            "usage": {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion,
                      "num_cached_tokens": counts["cache_read"]}}


def groq(counts: dict, _tier: str | None) -> dict:
    prompt, completion = total(counts, INPUT), total(counts, OUTPUT)
    return {"object": "chat.completion",
            "usage": {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion,
                      "queue_time": 0.02, "prompt_time": 0.01, "completion_time": 0.3, "total_time": 0.33,
                      "prompt_tokens_details": {"cached_tokens": counts["cache_read"]},
                      "completion_tokens_details": {"reasoning_tokens": counts["reasoning"]}}}


def cohere(counts: dict, _tier: str | None) -> dict:
    given, taken = counts["uncached_input"], counts["output_text"]
    return {"usage": {"billed_units": {"input_tokens": float(given), "output_tokens": float(taken)},
                      "tokens": {"input_tokens": float(given + 70), "output_tokens": float(taken)}}}


def xai(counts: dict, _tier: str | None) -> dict:
    """The reasoning is in the total and outside of the completion."""
    prompt, completion = total(counts, INPUT), total(counts, OUTPUT) - counts["reasoning"]
    return {"object": "chat.completion",
            "usage": {"prompt_tokens": prompt, "completion_tokens": completion,
                      "total_tokens": prompt + completion + counts["reasoning"], "num_sources_used": 4 * counts["searches"],
                      "server_side_tool_usage_details": {"web_search_calls": counts["searches"]},
                      "prompt_tokens_details": {"text_tokens": prompt, "cached_tokens": counts["cache_read"]},
                      "completion_tokens_details": {"reasoning_tokens": counts["reasoning"]}}}


def perplexity(counts: dict, _tier: str | None) -> dict:
    """Citations and reasoning are in no other count."""
    prompt, completion = counts["uncached_input"], counts["output_text"]
    return {"object": "chat.completion",
            "usage": {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion,
                      "citation_tokens": counts["citation"], "reasoning_tokens": counts["reasoning"],
                      "num_search_queries": counts["searches"], "search_context_size": "medium"}}


def transcription(counts: dict, _tier: str | None) -> dict:
    return {"text": "", "usage": {"type": "duration", "seconds": counts["seconds"]}}


class Shape(NamedTuple):
    render: object
    base: tuple
    optional: tuple
    tiers: tuple


IO = ("uncached_input", "output_text")
BY_ARGUMENT = ("batch",)
SHAPES = {
    "openai_chat": Shape(openai_chat, IO, ("cache_read", "cache_write", "input_audio", "cache_read_audio", "input_image",
                                           "cache_read_image", "reasoning", "rejected_prediction", "output_audio"),
                         ("batch", "flex", "priority")),
    "openai_responses": Shape(openai_responses, IO, ("cache_read", "cache_write", "reasoning"), ("batch", "flex", "priority")),
    "embedding": Shape(embedding, ("uncached_input",), (), BY_ARGUMENT),
    "anthropic": Shape(anthropic, IO, ("cache_read", *WRITTEN, "reasoning", "searches"), ("batch", "priority", "fast")),
    "bedrock": Shape(bedrock, IO, ("cache_read", *WRITTEN), ("flex", "priority")),
    "gemini": Shape(gemini, IO, (*CACHED, "input_audio", "input_image", "input_video", "tool_prompt", "reasoning",
                                 "output_audio", "output_image"), ("batch", "flex", "priority")),
    "deepseek": Shape(deepseek, IO, ("cache_read", "reasoning"), ()),
    "mistral": Shape(mistral, IO, ("cache_read",), BY_ARGUMENT),
    "groq": Shape(groq, IO, ("cache_read", "reasoning"), BY_ARGUMENT),
    "cohere": Shape(cohere, IO, (), ()),
    "xai": Shape(xai, IO, ("cache_read", "reasoning", "searches"), BY_ARGUMENT),
    "perplexity": Shape(perplexity, IO, ("citation", "reasoning", "searches"), ()),
    "transcription": Shape(transcription, ("seconds",), (), ()),
}


def render(shape: str, counts: dict, tier: str | None) -> dict:
    return SHAPES[shape].render(defaultdict(int, counts), tier)
