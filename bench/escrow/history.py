"""A ledger with a past, written straight into the tables: charges of the past months, all in the windows that calls use."""

import concurrent.futures
import os
import time

from escrow.clusters import Cluster
from escrow.tree import Tree
from session import Session

# Budgets without windows: every entry of the ledger counts for the present balance.
TREE = Tree("ledger", teams=10, agents=100, every=None)
MONTHS = 4
TOKENS = 320
# Ids of sixteen hexadecimal digits, and as many that are the same.
FIRST_ID = 1 << 60


def month(back: int) -> str:
    """SQL for the beginning of the month that is so many months back, UTC."""
    return f"(date_trunc('month', timezone('UTC', now())) - interval '{back} months')"


def begin(session: Session) -> None:
    """The accounts, and the months that the entries will be in."""
    TREE.plant(session)
    for back in range(1, MONTHS + 1):
        session.run(f"SELECT tokbudget._add_partition({month(back)}::date)")
    # What an entry of each agent says.
    session.run(f"""
        CREATE TABLE public.agent AS
        SELECT row_number() OVER (ORDER BY account.path) - 1 AS n, account.tenant_id, account.account_id, chain.account_ids,
            budget.ids AS budget_ids, array_fill('-infinity'::timestamptz, ARRAY[cardinality(budget.ids)]) AS window_starts,
            array_fill({TOKENS}::bigint, ARRAY[cardinality(budget.ids)]) AS spent_units
        FROM tokbudget.account
        CROSS JOIN LATERAL (SELECT account.ancestor_ids || account.account_id) AS chain (account_ids)
        CROSS JOIN LATERAL (
            SELECT array_agg(budget_id ORDER BY budget_id) FROM tokbudget.budget
            WHERE budget.tenant_id = account.tenant_id AND budget.account_id = ANY (chain.account_ids)
        ) AS budget (ids)
        WHERE cardinality(account.ancestor_ids) = {TREE.depth - 1}""")
    session.run("ANALYZE public.agent")


def without_indexes(session: Session, table: str) -> list[str]:
    """Drops the table's keys and indexes, and returns the statements that make them again."""
    keys = session.run(f"""
        SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname),
            format('ALTER TABLE %s ADD CONSTRAINT %I %s', conrelid::regclass, conname, pg_get_constraintdef(oid))
        FROM pg_constraint WHERE conrelid = '{table}'::regclass AND contype IN ('p', 'u')""").rows
    indexes = session.run(f"""
        SELECT format('DROP INDEX %s', indexrelid::regclass), pg_get_indexdef(indexrelid)
        FROM pg_index WHERE indrelid = '{table}'::regclass AND indexrelid NOT IN (
            SELECT conindid FROM pg_constraint WHERE conrelid = '{table}'::regclass AND contype IN ('p', 'u'))""").rows
    for drop, _ in keys + indexes:
        session.run(drop)
    return [make for _, make in keys + indexes]


def write_month(cluster: Cluster, database: str, back: int, first: int, end: int) -> None:
    """Entries numbered from first, before end, evenly over the month that is so many months back."""
    with cluster.session(database) as session:
        session.run("SET synchronous_commit = off")
        session.run("SET maintenance_work_mem = '256MB'")
        # Evaluated once and not for every row.
        starts_at, suffix = session.run(f"SELECT {month(back)}, to_char({month(back)}, 'YYYY_MM')").rows[0]
        table = f"tokbudget.entry_{suffix}"
        again = without_indexes(session, table)
        session.run(f"""
            INSERT INTO {table} (tenant_id, entry_id, recorded_at, reserved_at, kind, account_id, account_ids, budget_ids,
                window_starts, spent_units, provider, request_model, response_model, operation, requests, input_tokens,
                cache_read_input_tokens, output_tokens, buckets, cost, currency, internal_cost, workflow, end_user, trace_id,
                actor)
            SELECT agent.tenant_id, (to_hex({FIRST_ID} + call.number) || '8000000000000000')::uuid, at.instant, at.instant,
                'charge', agent.account_id, agent.account_ids, agent.budget_ids, agent.window_starts, agent.spent_units,
                'openai', 'gpt-4o', 'gpt-4o-2024-08-06', 'chat', 1, 200, 50, 120,
                '{{"uncached_input": 150, "cache_read": 50, "output_text": 120}}', 0.0016375, 'USD', 0.0016375, 'support',
                'user-' || call.number % 5000, to_hex({FIRST_ID} + call.number) || 'cafe', 'application'
            FROM generate_series({first}::bigint, {end - 1}) AS call (number)
            JOIN public.agent ON agent.n = call.number % {TREE.agents}
            CROSS JOIN LATERAL (
                SELECT '{starts_at}+00'::timestamptz
                    + interval '27 days' * ((call.number - {first}) / {end - first}::double precision)
            ) AS at (instant)""")
        for statement in again:
            session.run(statement)
        session.run(f"ANALYZE {table}")


def grow(cluster: Cluster, database: str, written: int, entries: int) -> float:
    """Brings the ledger from `written` to `entries` rows, with the balances that belong to them; returns the seconds."""
    begun = time.monotonic()
    share = (entries - written) // MONTHS
    firsts = [written + month * share for month in range(MONTHS)]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        jobs = [
            pool.submit(write_month, cluster, database, month + 1, first, end)
            for month, (first, end) in enumerate(zip(firsts, [*firsts[1:], entries]))
        ]
        for job in jobs:
            job.result()
    with cluster.session(database) as session:
        if not take_checkpoint(session):
            add_to_balances(session, written, entries)
        session.run("CHECKPOINT")
    # What the engine has in memory knows nothing of it.
    cluster.restart()
    # Else the kernel would write it out while something is measured.
    os.sync()
    return time.monotonic() - begun


def take_checkpoint(session: Session) -> bool:
    """Has the escrow engine sum what is new in the ledger; false where rows keeps balances."""
    if session.run("SELECT to_regproc('tokbudget._take_checkpoint') IS NULL").value == "t":
        return False
    return session.run("SELECT tokbudget._take_checkpoint()").value == "t"


def add_to_balances(session: Session, written: int, entries: int) -> None:
    """What the new entries add to the rows in which the rows engine keeps balances."""
    session.run(f"""
        INSERT INTO tokbudget.balance AS b (tenant_id, budget_id, window_start, spent_units)
        SELECT agent.tenant_id, slot.budget_id, '-infinity', sum(calls.number) * {TOKENS}
        FROM public.agent
        CROSS JOIN LATERAL (
            SELECT ({entries} - 1 - agent.n + {TREE.agents}) / {TREE.agents}
                - ({written} - 1 - agent.n + {TREE.agents}) / {TREE.agents}
        ) AS calls (number)
        CROSS JOIN LATERAL unnest(agent.budget_ids) AS slot (budget_id)
        GROUP BY agent.tenant_id, slot.budget_id
        ON CONFLICT (tenant_id, budget_id, window_start) DO UPDATE SET spent_units = b.spent_units + excluded.spent_units""")
