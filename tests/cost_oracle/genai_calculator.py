"""genai-prices: which of its models are compared, and what it says that a usage costs."""

import datetime
import warnings
from decimal import Decimal

import genai_prices
from genai_prices.data import providers
from genai_prices.types import ModelInfo, ModelPrice, TieredPrices

import database
import shapes
from usages import Case, Model

CURRENCY = "GEN"
# Whether it computes in decimals.
IS_EXACT = True

# What the import left out, with the reason, and whose price tokbudget took for a name.
skipped: dict = {}
sellers: dict = {}

# Provider, its name in tokbudget, the shape of its answers and how many kinds of price list are compared.
PROVIDERS = (
    ("openai", "openai", "openai_chat", 14), ("openai", "openai", "openai_responses", 4), ("openai", "openai", "transcription", 2),
    ("anthropic", "anthropic", "anthropic", 8), ("google", "gemini", "gemini", 12), ("aws", "bedrock", "bedrock", 6),
    ("azure", "azure", "openai_chat", 4), ("mistral", "mistral", "mistral", 4), ("cohere", "cohere", "cohere", 2),
    ("x-ai", "xai", "xai", 4), ("deepseek", "deepseek", "deepseek", 3), ("groq", "groq", "groq", 3),
    ("groq", "groq", "transcription", 2), ("perplexity", "perplexity", "perplexity", 4), ("openrouter", "openrouter", "openai_chat", 5),
    ("together", "together_ai", "openai_chat", 2), ("fireworks", "fireworks_ai", "openai_chat", 3),
    ("moonshotai", "moonshot", "openai_chat", 2), ("voyageai", "voyage", "embedding", 2), ("zai", "zai", "openai_chat", 2),
    ("cloudflare", "cloudflare", "openai_chat", 2), ("novita", "novita", "openai_chat", 3),
)

# Models that the import leaves out: their price depends on the time of day, or there is none.
LEFT_OUT = (("deepseek", "deepseek", "deepseek", "deepseek-reasoner"), ("google", "gemini", "gemini", "gemma-3"))

# Under the keys of genai-prices; what has a modality and is cached counts in both.
USAGE_KEYS = {
    "input_tokens": shapes.INPUT, "cache_read_tokens": shapes.CACHED, "cache_write_tokens": shapes.WRITTEN,
    "cache_write_5m_tokens": ("cache_write_5m",), "cache_write_1h_tokens": ("cache_write_1h",),
    "input_audio_tokens": ("input_audio", "cache_read_audio"), "cache_audio_read_tokens": ("cache_read_audio",),
    "input_image_tokens": ("input_image", "cache_read_image"), "cache_image_read_tokens": ("cache_read_image",),
    "input_video_tokens": ("input_video",), "input_tool_tokens": ("tool_prompt",),
    "output_tokens": (*shapes.OUTPUT, "citation"), "output_reasoning_tokens": ("reasoning",), "output_audio_tokens": ("output_audio",),
    "output_image_tokens": ("output_image",), "output_citation_tokens": ("citation",), "web_searches": ("searches",),
    "audio_seconds": ("seconds",), "input_audio_seconds": ("seconds",),
}


def models(left_out: dict, taken: dict) -> list[Model]:
    """For each provider the first model of each kind of price list."""
    global skipped, sellers
    skipped, sellers = left_out, taken
    by_id = {provider.id: provider for provider in providers}
    chosen = []
    for provider_id, named, shape, most in PROVIDERS:
        kinds = {}
        for model in sorted(by_id[provider_id].models, key=lambda model: model.id):
            if fits(model, shape) and by_id[provider_id].find_model(model.id) is model:
                kinds.setdefault(kind(model), model)
        # The richest price lists first.
        for _, model in sorted(kinds.items(), key=lambda item: -len(item[0]))[:most]:
            chosen.append(Model(provider_id, model.id, f"{named}/{model.id}", shape, thresholds(model)))
    chosen += [Model(provider_id, name, f"{named}/{name}", shape) for provider_id, named, shape, name in LEFT_OUT]
    return chosen


def latest(model: ModelInfo) -> dict:
    return {key: price for key, price in model.get_prices(instant()).__dict__.items() if price is not None}


def fits(model: ModelInfo, shape: str) -> bool:
    """Whether the shape states what the model bills."""
    prices = latest(model)
    if shape == "transcription":
        return bool(prices.keys() & {"audio_hours", "input_audio_hours"})
    return "input_mtok" in prices and ("output_mtok" in prices) == (shape != "embedding")


def kind(model: ModelInfo) -> str:
    prices = sorted(f"{key}{'+' if isinstance(price, TieredPrices) else ''}" for key, price in latest(model).items())
    variants = sorted({str(variant.when) for variant in model.price_variants or ()})
    return " ".join(prices + variants)


def thresholds(model: ModelInfo) -> tuple:
    tiered = [price for price in latest(model).values() if isinstance(price, TieredPrices)]
    return tuple(sorted({tier.start for price in tiered for tier in price.tiers}))


def instant() -> datetime.datetime:
    return datetime.datetime.fromisoformat(database.AT)


def model_of(case: Case) -> ModelInfo:
    provider = next(provider for provider in providers if provider.id == case.model.provider)
    return provider.find_model(case.model.name)


def context(case: Case) -> dict | None:
    """What selects a variant of the prices."""
    if case.tier == "batch":
        return {"processing": "batch"}
    if case.tier == "fast":
        return {"speed": "fast"}
    if case.tier:
        return {"service_tier": case.tier}
    return {"service_tier": "default"} if case.model.shape.startswith("openai") else None


def price(case: Case, tier: bool = True) -> ModelPrice:
    """The prices that it takes; without the tier those of a standard request."""
    return model_of(case).get_prices(instant(), context(case) if tier else None)


def cost(case: Case) -> Decimal:
    """What the usage costs, exactly."""
    usage = genai_prices.Usage(**{key: case.count(*names) for key, names in USAGE_KEYS.items()})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = genai_prices.calc_price(usage, case.model.name, provider_id=case.model.provider,
                                         genai_request_timestamp=instant(), price_context=context(case))
    return result.total_price
