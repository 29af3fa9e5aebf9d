"""Where tokbudget and LiteLLM disagree, and why. What tokbudget says is computed anew by the rule, never just accepted."""

from collections.abc import Callable
from dataclasses import replace
from decimal import ROUND_HALF_EVEN, Decimal

import litellm_calculator as calculator
import shapes
from explained import Difference, refused, refused_tier
from usages import Case

PRICES = {
    "cache_read": "cache_read_input_token_cost", "cache_read_image": "cache_read_input_image_token_cost",
    "cache_read_audio": "cache_read_input_audio_token_cost",
    "cache_write": "cache_creation_input_token_cost", "cache_write_5m": "cache_creation_input_token_cost",
    "cache_write_1h": "cache_creation_input_token_cost_above_1hr", "input_audio": "input_cost_per_audio_token",
    "input_image": "input_cost_per_image_token", "input_video": "input_cost_per_video_token",
    "reasoning": "output_cost_per_reasoning_token", "output_audio": "output_cost_per_audio_token",
    "output_image": "output_cost_per_image_token",
}
CACHED_AS = {"cache_read_audio": "input_audio", "cache_read_image": "input_image"}
TIERS = {"batch": "batches"}


def is_near(one: float, other: object) -> bool:
    """Within the errors of floats."""
    return isinstance(other, Decimal) and abs(one - float(other)) <= max(1e-9 * abs(one), 1e-12)


def lacks(*keys: str) -> Callable:
    return lambda case: not any(calculator.entry(case).get(key) for key in keys)


def has_no_price(tier: str) -> Callable:
    """No key of the entry prices the tier."""
    def fits(case: Case) -> bool:
        entry = calculator.entry(case)
        return not any(key.endswith(f"_{tier}") or f"_{tier}_above" in key for key in entry) and not (
            entry.get("provider_specific_entry") or {}).get(tier)
    return fits


def is_standard(case: Case, _expected: float, got: object) -> bool:
    """tokbudget says what LiteLLM says of the same usage without the tier."""
    return is_near(calculator.cost(replace(case, tier=None)), got)


def no_batch(case: Case, expected: float, got: object) -> bool:
    return case.tier == "batch" and lacks("input_cost_per_token_batches")(case) and is_standard(case, expected, got)


def stated(case: Case, base: str) -> tuple:
    """The last price that the standard tier and the tier itself state for the length, each with the number of its threshold."""
    entry = calculator.entry(case)
    tier = f"_{TIERS.get(case.tier, case.tier)}" if case.tier else ""
    crossed = [f"_above_{above // 1000}k_tokens" for above in case.model.thresholds if case.input_tokens > above]

    def last(names: list) -> tuple[int, float] | None:
        found = [(index, entry[name]) for index, name in enumerate(names) if entry.get(name)]
        return found[-1] if found else None

    standard = last([base, *(base + above for above in crossed)])
    own = last([base + tier, *(base + above + tier for above in crossed)]) if tier else None
    return standard, own


def is_restated(case: Case, base: str) -> bool:
    """Whether the standard tier states a long price and the tier only a short one."""
    standard, own = stated(case, base)
    return bool(own and standard and standard[0] > own[0])


def listed(case: Case, base: str) -> float | None:
    """The price for a request of its tier and length: the tier's own, the standard one where the tier has none, and the
    dearer of the two where only the standard one is restated above the threshold."""
    standard, own = stated(case, base)
    if is_restated(case, base):
        return max(own[1], standard[1])
    return (own or standard or (0, None))[1]


def price_of(case: Case, name: str) -> float:
    """The price of a count, with the fallbacks of the price book. What the entry prices once only, and like text, is priced
    like text at every tier and length."""
    entry = calculator.entry(case)
    text = "output_cost_per_token" if name in shapes.OUTPUT else "input_cost_per_token"
    key = PRICES.get(name)
    own = listed(case, key) if key else None
    if name == "searches":
        return (entry.get("search_context_cost_per_query") or {}).get("search_context_size_medium") or 0.0
    if name.startswith("cache_"):
        if own is None and name in CACHED_AS:
            uncached = price_of(case, CACHED_AS[name])
            return price_of(case, "cache_read") if uncached == listed(case, text) else uncached
        return listed(case, text) if own is None else own
    is_alike = key and entry.get(key) == entry.get(text) and sum(other.startswith(key) for other in entry) == 1
    return listed(case, text) if own is None or is_alike else own


def by_the_list(case: Case) -> float:
    """The usage by the prices listed."""
    return sum(count * price_of(case, name) for name, count in case.counts.items())


def is_by_the_list(fits: Callable) -> Callable:
    return lambda case, _expected, got: fits(case) and is_near(by_the_list(case), got)


def has_unlisted_in_batch(case: Case) -> bool:
    """A count in a batch whose price there is not stated, beside input whose price there is."""
    entry = calculator.entry(case)
    return case.tier == "batch" and bool(entry.get("input_cost_per_token_batches")) and any(
        count and not entry.get(f"{PRICES[name]}_batches") for name, count in case.counts.items() if name in PRICES) or (
        case.tier == "batch" and case.count("searches") > 0)


def is_dearer_above(case: Case) -> bool:
    return is_restated(case, "input_cost_per_token") or is_restated(case, "output_cost_per_token")


def at_the_threshold(case: Case, _expected: float, got: object) -> bool:
    """One token fewer makes LiteLLM agree, but for the price of that token."""
    if case.model.provider != "xai" or case.input_tokens not in case.model.thresholds:
        return False
    shorter = replace(case, counts=case.counts | {"uncached_input": case.counts["uncached_input"] - 1})
    return is_near(calculator.cost(shorter) + calculator.entry(case)["input_cost_per_token"], got)


def by_the_generic(provider: str) -> Callable:
    """LiteLLM's own calculator for everyone else says what tokbudget says."""
    return lambda case, _expected, got: case.model.provider == provider and is_near(calculator.generic_cost(case), got)


def has_other_entry(case: Case) -> bool:
    other = f"{case.model.provider}/{case.model.name}"
    return calculator.skipped.get(other) == f"other prices than {case.model.name}, which is the same model"


def searches_by_size(case: Case, expected: float, got: object) -> bool:
    sizes = calculator.entry(case).get("search_context_cost_per_query") or {}
    low, medium = sizes.get("search_context_size_low"), sizes.get("search_context_size_medium")
    return bool(low and medium) and is_near(expected + case.count("searches") * (medium - low), got)


def by_the_second(case: Case, _expected: float, got: object) -> bool:
    if case.model.shape != "transcription":
        return False
    second = Decimal(repr(calculator.entry(case)["input_cost_per_second"])).quantize(Decimal("1e-12"), ROUND_HALF_EVEN)
    return got == second * case.count("seconds")


def writes_of_an_hour(case: Case, expected: float, got: object) -> bool:
    return bool(case.tier and case.count("cache_write_1h")) and any(case.input_tokens > above for above in case.model.thresholds) \
        and lacks(f"input_cost_per_token_{case.tier}")(case) and is_standard(case, expected, got)


DIFFERENCES = (
    Difference("audio heard without a price", "LiteLLM bills it as text; audio is dearer, so tokbudget refuses",
               refused("no price for input_audio", lacks("input_cost_per_audio_token"))),
    Difference("cached audio heard without a price", "LiteLLM bills it as cached text; tokbudget refuses it like any other audio without a price",
               refused("no price for cache_read_audio", lacks("input_cost_per_audio_token", "cache_read_input_audio_token_cost"))),
    Difference("audio made without a price", "LiteLLM bills it as text; audio is dearer, so tokbudget refuses",
               refused("no price for output_audio", lacks("output_cost_per_audio_token"))),
    Difference("image made without a price", "LiteLLM bills it as text; images are dearer, so tokbudget refuses",
               refused("no price for output_image", lacks("output_cost_per_image_token"))),
    Difference("cache write without a price", "LiteLLM bills it as plain input; writes cost more, so tokbudget refuses",
               refused("no price for cache_write", lacks("cache_creation_input_token_cost"))),
    Difference("five-minute write without a price", "the same, where the life is stated",
               refused("no price for cache_write_5m", lacks("cache_creation_input_token_cost"))),
    Difference("one-hour write without a price", "LiteLLM bills it as any other write; it costs more, so tokbudget refuses",
               refused("no price for cache_write_1h", lacks("cache_creation_input_token_cost_above_1hr"))),
    Difference("search without a price", "LiteLLM bills nothing or a price outside of its file; tokbudget refuses",
               refused("no price for searches", lacks("search_context_cost_per_query"))),
    Difference("citation without a price", "LiteLLM bills nothing for it; tokbudget refuses",
               refused("no price for citation", lacks("citation_cost_per_token"))),
    Difference("priority without a price", "LiteLLM bills the standard price; priority is dearer, so tokbudget refuses",
               refused_tier("priority", has_no_price("priority"))),
    Difference("fast without a price", "LiteLLM bills the standard price; fast is dearer, so tokbudget refuses",
               refused_tier("fast", has_no_price("fast"))),
    Difference("batch without a price", "LiteLLM takes half of the short price; no list says so, and tokbudget takes the standard price",
               no_batch),
    Difference("kinds without a price in batches",
               "LiteLLM bills cached, written and heard tokens as plain input of the batch, tokbudget at the standard price of their "
               "kind; searches in a batch LiteLLM leaves out",
               is_by_the_list(has_unlisted_in_batch)),
    Difference("tier without a price above the threshold", "LiteLLM takes the tier's short price or the standard long one, tokbudget the dearer",
               is_by_the_list(is_dearer_above)),
    Difference("threshold of xAI", "LiteLLM counts a request of exactly the threshold as long; the key says above", at_the_threshold),
    Difference("Perplexity's own rule", "LiteLLM's calculator for Perplexity knows neither thresholds nor caches, its generic one does",
               by_the_generic("perplexity")),
    Difference("Fireworks' own rule", "LiteLLM's calculator for Fireworks knows no tiers, its generic one does",
               by_the_generic("fireworks_ai")),
    Difference("searches of Perplexity", "LiteLLM bills every search as one of the low context size, whatever the response states",
               lambda case, expected, got: case.model.provider == "perplexity" and searches_by_size(case, expected, got)),
    Difference("two entries for one model",
               "the plain name and the one with the provider have different prices: LiteLLM takes the latter, which is free, tokbudget "
               "the former and reports the other",
               is_by_the_list(has_other_entry)),
    Difference("cached audio without a price", "LiteLLM bills it as cached text, tokbudget as audio where that has a price of its own",
               is_by_the_list(lambda case: case.count("cache_read_audio") > 0 and lacks("cache_read_input_audio_token_cost")(case)
                              and listed(case, "input_cost_per_audio_token") not in (None, listed(case, "input_cost_per_token")))),
    Difference("price of a second of more than 12 decimals", "the price book rounds it half to even to 1e-12", by_the_second),
    Difference("one-hour write above the threshold at another tier",
               "LiteLLM forgets the long price of the write when a tier without prices is named", writes_of_an_hour),
)
