"""The usages of one model: one for each thing that it may be charged for, and random ones."""

import json
import random
from dataclasses import dataclass

import shapes


# What price lists state for some tiers only.
AT_EVERY_TIER = ("cache_read", "cache_write_1h", "searches")


@dataclass(frozen=True)
class Model:
    """A model under the name that a calculator has for it, and under the one that tokbudget is asked for."""

    provider: str
    name: str
    asked: str
    shape: str
    thresholds: tuple = ()


@dataclass(frozen=True)
class Case:
    """One usage of a model."""

    model: Model
    counts: dict
    tier: str | None

    @property
    def input_tokens(self) -> int:
        return shapes.total(self.counts, shapes.INPUT)

    @property
    def response(self) -> dict:
        return shapes.render(self.model.shape, self.counts, self.tier)

    @property
    def tier_argument(self) -> str | None:
        """The tier, where the response cannot state it."""
        return self.tier if shapes.SHAPES[self.model.shape].tiers == shapes.BY_ARGUMENT else None

    def count(self, *names: str) -> int:
        return shapes.total(self.counts, names)

    def __str__(self) -> str:
        return f"{self.model.asked} {self.tier or 'standard'} {self.model.shape} {json.dumps(self.counts)}"


def usages(model: Model, seed: int, random_count: int) -> list[Case]:
    """The same for the same seed, whatever other models are compared."""
    source = random.Random(f"{seed} {model.provider} {model.name} {model.shape}")
    shape = shapes.SHAPES[model.shape]

    def base() -> dict:
        return {name: amount(source, name) for name in shape.base}

    cases = [Case(model, base(), None)]
    cases += [Case(model, base() | {name: amount(source, name)}, None) for name in shape.optional]
    cases += [Case(model, base(), tier) for tier in shape.tiers]
    if "seconds" in shape.base:
        cases += [Case(model, {"seconds": seconds}, None) for seconds in (3, 100_000)]
    for name in [name for name in AT_EVERY_TIER if name in shape.optional]:
        cases += [Case(model, base() | {name: amount(source, name)}, tier) for tier in shape.tiers]
    for threshold in model.thresholds:
        cases += [Case(model, of_length(base(), threshold + more), None) for more in (0, 1)]
        cases += [Case(model, of_length(base(), threshold + amount(source, "")), tier) for tier in shape.tiers]
        cases += [Case(model, of_length(base() | {name: amount(source, name)}, threshold + amount(source, "")), tier)
                  for tier in shape.tiers for name in AT_EVERY_TIER if name in shape.optional]
        cases += [Case(model, of_length(base() | {name: amount(source, name)}, threshold + 1), None) for name in shape.optional]
    for _ in range(random_count):
        counts = base() | {name: amount(source, name) for name in shape.optional if source.random() < 0.35}
        if model.thresholds and source.random() < 0.4:
            counts = of_length(counts, source.choice(model.thresholds) + amount(source, ""))
        cases.append(Case(model, counts, source.choice((None, None, *shape.tiers))))
    return cases


def amount(source: random.Random, name: str) -> int:
    """As many small ones as large ones."""
    if name == "searches":
        return source.randint(1, 9)
    return round(10 ** source.uniform(0, 3.5 if name == "seconds" else 4.5))


def of_length(counts: dict, input_tokens: int) -> dict:
    """With plain input up to a length; the parts are halved until they fit."""
    parts = {name: count for name, count in counts.items() if name in shapes.INPUT and name != "uncached_input"}
    while sum(parts.values()) > input_tokens:
        parts = {name: count // 2 for name, count in parts.items()}
    return counts | parts | {"uncached_input": input_tokens - sum(parts.values())}
