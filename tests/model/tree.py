"""Accounts and their budgets, quotas and grants, as plain data."""

from dataclasses import dataclass, field
from datetime import datetime

# Units of cost are nano-units of the currency; 2 and 10 for a million tokens of input and output are so many a token.
INPUT_NANOS, OUTPUT_NANOS = 2000, 10000
MODEL = "m"


@dataclass
class Account:
    kind: str | None = None
    status: str = "active"


@dataclass
class Budget:
    serial: int
    account: str
    meter: str
    limit: int
    every: str | None = None
    zone: str = "UTC"
    hard: bool = True
    burst: int = 0
    thresholds: list[int] = field(default_factory=list)
    freeze_at: int | None = None
    rollover: str = "none"
    cap: int | None = None
    status: str = "active"
    created_at: datetime | None = None
    # The quota that it was given by.
    quota: int | None = None
    # In the database; None until seen there.
    id: int | None = None


@dataclass
class Quota:
    """What accounts of the kind below the node are given."""

    id: int
    node: str
    kind: str
    options: dict


@dataclass
class Grant:
    id: int
    budget: int
    amount: int
    priority: int
    valid_from: datetime
    valid_until: datetime | None
    is_revoked: bool = False

    def burn_order(self) -> tuple:
        # Given at the same instant, the lower id was first.
        return self.priority, self.valid_until is None, self.valid_until, self.valid_from, self.id

    def is_open(self, now: datetime) -> bool:
        return self.valid_from <= now and (self.valid_until is None or now < self.valid_until) and not self.is_revoked


def above(path: str) -> list[str]:
    """The path and all above it, from the root down."""
    names = path.split("/")
    return ["/".join(names[: length + 1]) for length in range(len(names))]
