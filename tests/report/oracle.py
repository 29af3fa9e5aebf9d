"""What the reports must say, in plain SQL over tokbudget.entry that knows nothing of roll-ups."""

import dataclasses

import psycopg

ATTRIBUTES = [
    "account", "cost_center", "provider", "model", "operation", "service_tier", "workflow", "step", "outcome", "agent", "end_user",
]
# An entry's column of another name.
COLUMN = {"model": "request_model"}
SUMS = [
    "requests", "input_tokens", "cache_read_input_tokens", "cache_write_input_tokens", "output_tokens", "reasoning_output_tokens",
    "cost", "internal_cost", "reported_cost",
]
COUNTS = {
    "entries": "count(*)",
    "unpriced_entries": """count(*) FILTER (WHERE entry.cost IS NULL AND NOT EXISTS (
        SELECT FROM tokbudget.entry AS correction
        WHERE correction.tenant_id = entry.tenant_id AND correction.corrects_entry_id = entry.entry_id))""",
    "corrections": "count(*) FILTER (WHERE entry.kind IN ('adjust', 'refund', 'correction'))",
    "retried_entries": "count(*) FILTER (WHERE entry.retry_count > 0)",
    "overrun_entries": "count(*) FILTER (WHERE entry.overrun)",
}
AMOUNTS = [*SUMS, *COUNTS]
# An account contains another if it was above it, on that one's own path, when that one spent.
IS_BELOW = "array_position(entry.account_ids, top.account_id) <= array_position(entry.account_ids, entry.account_id)"
SPENDS = "entry.kind NOT IN ('expire', 'transfer')"

Rows = dict[tuple, tuple]


@dataclasses.dataclass
class Question:
    """A call of tb_chargeback; instants are text."""

    account: str
    by: list[str]
    since: str
    until: str
    every: str | None = None
    time_zone: str = "UTC"
    week_start: str = "monday"
    depth: int | None = None


def period(question: Question) -> str:
    """SQL for the start of the period in which an entry was recorded."""
    if question.every is None:
        return "%(since)s::timestamptz"
    if question.every == "week" and question.week_start == "sunday":
        start = "timezone(%(time_zone)s, date_trunc('week', timezone(%(time_zone)s, entry.recorded_at) + interval '1 day') - interval '1 day')"
    else:
        start = "date_trunc(%(every)s, entry.recorded_at, %(time_zone)s)"
    return f"greatest({start}, %(since)s::timestamptz)"


def chargeback(connection: psycopg.Connection, question: Question) -> Rows:
    """Amounts by period, attributes and currency."""
    place = "array_position(entry.account_ids, top.account_id)"
    own = "array_position(entry.account_ids, entry.account_id)"
    keys = [f"{period(question)} AS period_start"]
    shown = ["period_start"]
    for name in ATTRIBUTES:
        if name not in question.by:
            shown.append("NULL")
        elif name == "account":
            keys.append(f"entry.account_ids[least({place} + %(depth)s::integer, {own})] AS account_id")
            shown.append("(SELECT path FROM tokbudget.account WHERE (account.tenant_id, account.account_id) = (spent.tenant_id, spent.account_id))")
        else:
            keys.append(f"entry.{COLUMN.get(name, name)} AS {name}")
            shown.append(name)
    keys += ["entry.currency", "entry.tenant_id"]
    shown += ["currency", *SUMS, *COUNTS]
    amounts = [f"sum(entry.{name}) AS {name}" for name in SUMS] + [f"{count} AS {name}" for name, count in COUNTS.items()]
    rows = connection.execute(
        f"""SELECT {", ".join(shown)} FROM (
                SELECT {", ".join(keys + amounts)}
                FROM tokbudget.entry JOIN tokbudget.account AS top ON top.tenant_id = entry.tenant_id
                WHERE top.path = %(account)s AND {IS_BELOW} AND {SPENDS}
                    AND entry.recorded_at >= %(since)s::timestamptz AND entry.recorded_at < %(until)s::timestamptz
                GROUP BY {", ".join(str(number + 1) for number in range(len(keys)))}
            ) AS spent""",
        dataclasses.asdict(question),
    ).fetchall()
    return {row[: -len(AMOUNTS)]: row[-len(AMOUNTS) :] for row in rows}


def idle_accounts(connection: psycopg.Connection, account: str) -> set[str]:
    """Accounts with a budget at or below the account."""
    rows = connection.execute(
        """SELECT DISTINCT below.path FROM tokbudget.account AS below JOIN tokbudget.budget USING (tenant_id, account_id)
           WHERE (below.path = %(account)s OR starts_with(below.path, %(account)s || '/')) AND budget.status = 'active'""",
        {"account": account},
    )
    return {path for (path,) in rows}


def view(connection: psycopg.Connection, account: str | None) -> Rows:
    """Of the view tokbudget.chargeback what somebody sees who may read the account; None sees all."""
    keys = [
        "timezone('UTC', date_trunc('month', entry.recorded_at, 'UTC'))::date", "tenant.name",
        "(SELECT path FROM tokbudget.account WHERE account.tenant_id = entry.tenant_id AND account.account_id = entry.account_id)",
        "entry.cost_center", "entry.provider", "entry.request_model", "entry.operation", "entry.currency",
    ]
    amounts = [f"sum(entry.{name})" for name in SUMS] + [COUNTS["unpriced_entries"]]
    rows = connection.execute(
        f"""SELECT {", ".join(keys + amounts)}
            FROM tokbudget.entry JOIN tokbudget.tenant USING (tenant_id)
            WHERE {SPENDS} AND (%(account)s::text IS NULL OR EXISTS (
                SELECT FROM tokbudget.account AS top
                WHERE top.tenant_id = entry.tenant_id AND top.path = %(account)s AND {IS_BELOW}))
            GROUP BY 1, 2, 3, 4, 5, 6, 7, 8""",
        {"account": account},
    ).fetchall()
    return {row[: len(keys)]: row[len(keys) :] for row in rows}


def showback(connection: psycopg.Connection, account: str, since: str, until: str) -> Rows:
    """Own cost below the account, and what each account that is below it now spent with all below; one that has moved away since
    counts with what it spent itself while it was here."""
    rows = connection.execute(
        f"""WITH spent AS (
                SELECT entry.*, entry.account_ids[:array_position(entry.account_ids, entry.account_id)] AS own_path
                FROM tokbudget.entry
                WHERE {SPENDS} AND entry.recorded_at >= %(since)s::timestamptz AND entry.recorded_at < %(until)s::timestamptz
            ),
            asked AS (SELECT * FROM tokbudget.account WHERE path = %(account)s),
            line AS (
                SELECT node.path, spent.currency, spent.cost, spent.internal_cost, spent.requests, spent.input_tokens, spent.output_tokens,
                    CASE WHEN node.account_id = spent.account_id AND asked.account_id = ANY (spent.own_path) THEN spent.cost END AS own_cost
                FROM asked
                JOIN spent ON spent.tenant_id = asked.tenant_id
                JOIN tokbudget.account AS node ON node.tenant_id = spent.tenant_id AND node.account_id = ANY (spent.own_path)
                WHERE (node.ancestor_ids || node.account_id) @> ARRAY[asked.account_id]
                    OR node.account_id = spent.account_id AND asked.account_id = ANY (spent.own_path)
            )
            SELECT path, currency, sum(own_cost), sum(cost), sum(internal_cost), sum(requests), sum(input_tokens), sum(output_tokens)
            FROM line GROUP BY 1, 2""",
        {"account": account, "since": since, "until": until},
    ).fetchall()
    return {row[:2]: tuple(amount or 0 for amount in row[2:]) for row in rows}


def by_hour(connection: psycopg.Connection, account: str, since: str, until: str) -> Rows:
    rows = connection.execute(
        f"""SELECT date_trunc('hour', entry.recorded_at, 'UTC'), sum(entry.requests), sum(entry.input_tokens), sum(entry.output_tokens),
                sum(entry.cost), sum(entry.internal_cost)
            FROM tokbudget.entry JOIN tokbudget.account AS top ON top.tenant_id = entry.tenant_id
            WHERE top.path = %(account)s AND {IS_BELOW} AND {SPENDS}
                AND entry.recorded_at >= %(since)s::timestamptz AND entry.recorded_at < %(until)s::timestamptz
            GROUP BY 1""",
        {"account": account, "since": since, "until": until},
    ).fetchall()
    return {row[:1]: row[1:] for row in rows}
