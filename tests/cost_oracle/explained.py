"""Differences that have a reason."""

from collections.abc import Callable
from dataclasses import dataclass

from database import Refusal
from usages import Case


@dataclass(frozen=True)
class Difference:
    """A rule under which the two disagree: what the calculator said, what tokbudget said, and why that is so."""

    name: str
    reason: str
    applies: Callable


def refused(why: str, fits: Callable) -> Callable:
    """tokbudget refuses for want of the price, and the price list has none."""
    def applies(case: Case, _expected: object, got: object) -> bool:
        return isinstance(got, Refusal) and got.code == "TB007" and got.detail.get("why") == why and fits(case)
    return applies


def refused_tier(tier: str, fits: Callable) -> Callable:
    """tokbudget refuses a tier without a price that may be dearer than the standard one."""
    return refused(f"price does not cover service_tier:{tier}", lambda case: case.tier == tier and fits(case))
