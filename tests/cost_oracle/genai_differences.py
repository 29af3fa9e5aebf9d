"""Where tokbudget and genai-prices disagree, and why."""

from decimal import ROUND_HALF_EVEN, Decimal

import genai_calculator as calculator
from database import Refusal
from explained import Difference, refused, refused_tier
from usages import Case

NANO = Decimal("1e-9")


def lacks(*keys: str):
    return lambda case: all(getattr(calculator.price(case), key) is None for key in keys)


def has_no_variant(case: Case) -> bool:
    return calculator.price(case) == calculator.price(case, tier=False)


def hour(case: Case) -> Decimal | None:
    price = calculator.price(case)
    return price.audio_hours or price.input_audio_hours


def by_the_second(case: Case, _expected: Decimal, got: object) -> bool:
    if case.model.shape != "transcription":
        return False
    second = (hour(case) / 3600).quantize(Decimal("1e-12"), ROUND_HALF_EVEN)
    return got == (second * case.count("seconds")).quantize(NANO, ROUND_HALF_EVEN)


def at_least_ten_seconds(case: Case, expected: Decimal, got: object) -> bool:
    return (case.model.provider == "groq" and 0 < case.count("seconds") < 10 and expected == hour(case) * 10 / 3600
            and by_the_second(case, expected, got))


def left_out(case: Case, why: str) -> bool:
    return calculator.skipped.get(f"{case.model.provider}/{case.model.name}") == why


def is_refused(got: object) -> bool:
    return isinstance(got, Refusal) and got.code == "TB007" and got.message.startswith("no price for model")


def depends_on_the_hour(case: Case) -> bool:
    return left_out(case, "price depends on the time of day")


DIFFERENCES = (
    Difference("cache write without a price",
               "genai-prices bills it as plain input; writes cost more than input everywhere, so tokbudget refuses",
               refused("no price for cache_write", lacks("cache_write_mtok"))),
    Difference("five-minute write without a price", "the same, where the life is stated",
               refused("no price for cache_write_5m", lacks("cache_write_mtok", "cache_write_5m_mtok"))),
    Difference("one-hour write without a price",
               "genai-prices bills it as a write for five minutes or as input, which costs less; tokbudget refuses",
               refused("no price for cache_write_1h", lacks("cache_write_1h_mtok"))),
    Difference("search without a price", "genai-prices bills nothing for it; tokbudget refuses",
               refused("no price for searches", lacks("web_searches_kcount"))),
    Difference("citation without a price", "genai-prices bills it as output; tokbudget refuses",
               refused("no price for citation", lacks("output_citation_mtok"))),
    Difference("priority without a price", "genai-prices bills the standard price; priority is dearer, so tokbudget refuses",
               refused_tier("priority", has_no_variant)),
    Difference("fast without a price", "genai-prices bills the standard price; fast is dearer, so tokbudget refuses",
               refused_tier("fast", has_no_variant)),
    Difference("minimum of ten seconds", "genai-prices knows that Groq bills ten seconds at least; its file does not say it",
               at_least_ten_seconds),
    Difference("price of an hour by the second", "the price book has prices of one second, rounded half to even to 1e-12",
               by_the_second),
    Difference("price by the time of day", "the price book has none, the import leaves such a model out, and tokbudget refuses",
               lambda case, _expected, got: depends_on_the_hour(case) and is_refused(got)),
    Difference("no price at all", "genai-prices bills nothing; a free model has a price of zero in the price book, so tokbudget refuses",
               lambda case, expected, got: left_out(case, "no price") and expected == 0 and is_refused(got)),
)
