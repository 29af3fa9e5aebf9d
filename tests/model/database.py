"""The same calls in SQL, and what can be seen afterwards."""

import json
from dataclasses import dataclass, field
from datetime import datetime, timezone
from decimal import Decimal

import psycopg
from psycopg.types.json import Jsonb

# All that anybody can see of a tenant, in one statement.
OBSERVE = """
    SELECT json_build_object(
        'budgets', (SELECT json_agg(json_build_array(b.budget_id, a.path, b.quota_id))
            FROM tokbudget.budget b JOIN tokbudget.account a USING (tenant_id, account_id) WHERE b.tenant_id = t.tenant_id),
        'accounts', (SELECT json_agg(json_build_array(a.path, a.kind, a.status)) FROM tokbudget.account a
            WHERE a.tenant_id = t.tenant_id),
        'remaining', (SELECT json_agg(json_build_array(a.path, r.budget, r.account, r.meter, r.amount, r.spent, r.held, r.remaining,
                extract(epoch FROM r.window_start), extract(epoch FROM r.resets_at), r.hard, r.granted, r.burst) ORDER BY r.ordinality)
            FROM tokbudget.account a, LATERAL tb_remaining(a.path) WITH ORDINALITY r WHERE a.tenant_id = t.tenant_id
                AND NOT (%s AND EXISTS (SELECT FROM tokbudget.account c WHERE c.tenant_id = a.tenant_id AND c.parent_id = a.account_id))),
        'grants', (SELECT json_agg(json_build_array(g.budget_grant, g.spent, g.held, g.remaining)) FROM tb_grants(t.name) g),
        'alerts', (SELECT json_agg(json_build_array(a.budget_id, extract(epoch FROM NULLIF(a.window_start, '-infinity')), a.kind, a.percent))
            FROM tokbudget.alert a WHERE a.tenant_id = t.tenant_id),
        'late', (SELECT json_agg(e.entry_id) FROM tokbudget.entry e WHERE e.tenant_id = t.tenant_id AND e.late),
        'differences', (SELECT json_agg(v) FROM tb_verify() v))::text
    FROM tokbudget.tenant t WHERE t.name = %s
"""

CALL = "account => %s, model => %s, input_tokens => %s, max_output_tokens => %s, meters => %s, also => %s, idempotency_key => %s, ttl => %s"


@dataclass
class Failure:
    code: str
    detail: dict = field(default_factory=dict)


def epoch(at: datetime | None) -> Decimal | None:
    """Seconds since 1970, exactly."""
    if at is None:
        return None
    delta = at - datetime(1970, 1, 1, tzinfo=timezone.utc)
    return Decimal(delta.days * 86400 + delta.seconds) + Decimal(delta.microseconds) / 1000000


def units(meter: str, amount: Decimal | int) -> int:
    return int(amount * 10**9 if meter == "cost" else amount)


def amount(meter: str, count: int | None) -> Decimal | None:
    return None if count is None else Decimal(count) / (10**9 if meter == "cost" else 1)


def interval(seconds: int) -> str:
    return f"{seconds} seconds"


def request(call: dict) -> dict:
    """An item of tb_reserve_many."""
    return {"account": call["account"], "model": call["model"], "input_tokens": call["input_tokens"],
            "max_output_tokens": call["output_tokens"], "meters": call["meters"], "also": call["also"],
            "idempotency_key": call["key"], "ttl": interval(call["ttl"])}


def charge_item(call: dict) -> dict:
    return {"account": call["account"], "model": call["model"], "meters": call["meters"], "also": call["also"],
            "idempotency_key": call["key"], "usage": {"input_tokens": call["input_tokens"], "output_tokens": call["output_tokens"]}}


class Database:
    def __init__(self) -> None:
        self.connection = psycopg.connect(autocommit=True, options="-c jit=off")
        self.clock = None
        self.is_in_transaction = False

    def control(self, statement: str) -> None:
        """Begins or ends a transaction or a savepoint."""
        self.connection.execute(statement)
        if statement.startswith("ROLLBACK"):
            # The setting went back to what it was.
            self.clock = None

    def set_clock(self, now: datetime) -> None:
        if self.clock != now:
            self.connection.execute("SELECT set_config('tokbudget.clock', %s, false)", [now.isoformat()])
            self.clock = now

    def run(self, statement: str, arguments: list) -> list[tuple] | Failure:
        """The rows, or the refusal; a transaction goes on after one."""
        if self.is_in_transaction:
            self.connection.execute("SAVEPOINT step")
        try:
            rows = self.connection.execute(statement, arguments).fetchall()
        except psycopg.Error as error:
            if not (error.sqlstate or "").startswith("TB"):
                raise
            if self.is_in_transaction:
                self.connection.execute("ROLLBACK TO step")
            return Failure(error.sqlstate, json.loads(error.diag.message_detail or "{}"))
        if self.is_in_transaction:
            self.connection.execute("RELEASE step")
        return rows

    def observe(self, tenant: str, is_leaf: bool) -> dict:
        """`is_leaf`: what remains shows only of accounts that have none below."""
        text, = self.connection.execute(OBSERVE, [is_leaf, tenant]).fetchone()
        return {name: value or [] for name, value in json.loads(text, parse_float=Decimal).items()}

    def reserve(self, call: dict, is_try: bool) -> list[tuple] | Failure:
        function = "tb_try_reserve" if is_try else "tb_reserve"
        columns = "reservation::text, code, detail" if is_try else "reservation::text"
        arguments = [call["account"], call["model"], call["input_tokens"], call["output_tokens"], Jsonb(call["meters"]), call["also"],
                     call["key"], interval(call["ttl"])]
        return self.run(f"SELECT {columns} FROM {function}({CALL})", arguments)

    def reserve_many(self, calls: list[dict], is_all: bool) -> list[tuple] | Failure:
        return self.run("SELECT reservation::text, code, detail FROM tb_reserve_many(%s, %s)", [Jsonb([request(it) for it in calls]), is_all])

    def charge(self, call: dict, enforce: bool) -> list[tuple] | Failure:
        return self.run(
            """SELECT entry::text, NULL, NULL, cost, tokens, overrun, flags FROM tb_charge(%s, %s, %s, meters => %s, also => %s,
                   idempotency_key => %s, enforce => %s)""",
            [call["account"], call["model"], Jsonb(charge_item(call)["usage"]), Jsonb(call["meters"]), call["also"], call["key"], enforce])

    def charge_many(self, calls: list[dict], is_all: bool, enforce: bool) -> list[tuple] | Failure:
        return self.run("SELECT entry::text, code, detail, cost, tokens, overrun, flags FROM tb_charge_many(%s, %s, %s)",
                        [Jsonb([charge_item(call) for call in calls]), is_all, enforce])

    def commit(self, reservation: str, usage: dict | None, without_usage: str, key: str | None) -> list[tuple] | Failure:
        return self.run(
            "SELECT entry::text, NULL, NULL, cost, tokens, overrun, flags FROM tb_commit(%s, %s, without_usage => %s, idempotency_key => %s)",
            [reservation, None if usage is None else Jsonb(usage), without_usage, key])

    def commit_many(self, items: list[dict], is_all: bool) -> list[tuple] | Failure:
        return self.run("SELECT entry::text, code, detail, cost, tokens, overrun, flags FROM tb_commit_many(%s, %s)", [Jsonb(items), is_all])
