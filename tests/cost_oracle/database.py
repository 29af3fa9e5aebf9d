"""What tokbudget says."""

import json
from dataclasses import dataclass
from decimal import Decimal

import psycopg

from usages import Case

# After the newest price that either file dates.
AT = "2030-01-01 00:00:00+00"

COST = """
    SELECT sum(cost), sum(cost) FILTER (WHERE item <> 'rounding'),
        array_agg(DISTINCT provider || '/' || model) FILTER (WHERE model IS NOT NULL)
    FROM tb_cost(%s, %s::jsonb, at => %s::timestamptz,
        service_tier => %s, currency => %s)
"""


@dataclass(frozen=True)
class Refusal:
    """An error of tokbudget's own."""

    code: str
    message: str
    detail: dict


class Database:
    """A connection; where to is in the environment."""

    def __init__(self) -> None:
        self.connection = psycopg.connect(autocommit=True, prepare_threshold=1)
        # Of each name that was asked for, the provider and model whose price was taken.
        self.sellers = {}

    def import_prices(self, path: str, currency: str) -> dict:
        """Imports a file; the models that it skips, with the reason."""
        with open(path, encoding="utf-8") as document:
            changes = self.connection.execute(
                "SELECT model, change, reason FROM tb_import_prices(%s::jsonb, %s, '2026-01-01 00:00:00+00', %s, true)",
                [document.read(), path, currency]).fetchall()
        return {model: reason for model, change, reason in changes if change == "skipped"}

    def cost(self, case: Case, currency: str, at: str | None = AT, *, is_rounded: bool = True) -> Decimal | Refusal:
        """The sum of the lines, without that of the rounding if need be, or the refusal."""
        arguments = [case.model.asked, json.dumps(case.response), at, case.tier_argument, currency]
        try:
            rounded, exact, priced = self.connection.execute(COST, arguments).fetchone()
        except psycopg.Error as error:
            if not (error.sqlstate or "").startswith("TB"):
                raise
            return Refusal(error.sqlstate, error.diag.message_primary, json.loads(error.diag.message_detail or "{}"))
        if priced and len(priced) > 1:
            raise AssertionError(f"{case}: priced as {priced}")
        self.sellers[case.model.asked] = priced[0] if priced else None
        return (rounded if is_rounded else exact) or Decimal(0)

    def booked(self, account: str, case: Case) -> Decimal:
        """What a commit of the usage books."""
        held, = self.connection.execute(
            "SELECT reservation FROM tb_reserve(%s, %s, input_tokens => 1, max_output_tokens => 1)", [account, case.model.asked]).fetchone()
        attributes = json.dumps({"service_tier": case.tier_argument} if case.tier_argument else {})
        cost, = self.connection.execute(
            "SELECT cost FROM tb_commit(%s, %s::jsonb, %s::jsonb)", [held, json.dumps(case.response), attributes]).fetchone()
        return cost
