#!/usr/bin/env python3
"""1,000 items in one call of tb_reserve_many, tb_commit_many or tb_charge_many, beside as many single calls.

batch.py [--quick]: the server is that of the environment. One client. Single calls are prepared and have a transaction of
their own each; a batch is one statement, its items in the statement's text. Accounts are three deep, with a budget in
tokens on every level and one in cost on the root; the model is priced. Times are those of the client's clock, in turns.
"""

import argparse
import json
import re
import subprocess
import tempfile
import time

import table
from session import Session

ITEMS = 1_000
BAR = 5
# How many accounts the items are for: in turn in a batch, at random among single calls.
AGENTS = [1, 100]

SET_UP = f"""
SELECT tb_create_account('batch/team');
SELECT tb_create_budget('batch', 'tokens', 1000000000000, every => 'day');
SELECT tb_create_budget('batch', 'cost', 1000000, every => 'month');
SELECT tb_create_budget('batch/team', 'tokens', 1000000000000, every => 'day');
DO $$
BEGIN
    FOR agent IN 0..{max(AGENTS) - 1} LOOP
        PERFORM tb_create_account('batch/team/agent' || agent);
        PERFORM tb_create_budget('batch/team/agent' || agent, 'tokens', 1000000000000, every => 'day');
    END LOOP;
END
$$
"""
MODEL = "gpt-4o"
USAGE = {"prompt_tokens": 200, "completion_tokens": 120, "total_tokens": 320}

SPEND = rf"""
\set agent random(0, AGENTS - 1)
SELECT reservation
FROM tb_reserve('batch/team/agent' || :agent, '{MODEL}', input_tokens => 200, max_output_tokens => 300) \gset
SELECT entry FROM tb_commit(:reservation::uuid, '{json.dumps(USAGE)}');
"""
CHARGE = rf"""
\set agent random(0, AGENTS - 1)
SELECT entry FROM tb_charge('batch/team/agent' || :agent, '{MODEL}', '{json.dumps(USAGE)}');
"""


def single(script: str, agents: int) -> list[float]:
    """Seconds that ITEMS runs of each statement of the script take."""
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
        file.write(script.replace("AGENTS", str(agents)))
        file.flush()
        command = ["pgbench", "-n", "-r", "-M", "prepared", "-c", "1", "-t", str(ITEMS), "-f", file.name]
        done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"pgbench failed:\n{done.stdout}{done.stderr}")
    statements = re.findall(r"^ +([\d.]+) +\d+ +SELECT", done.stdout, re.MULTILINE)
    return [float(milliseconds) / 1000 * ITEMS for milliseconds in statements]


def batch(session: Session, call: str, items: list[dict], column: str) -> tuple[float, list[str]]:
    """Seconds that one call with all items takes, and what it answers in the column."""
    begun = time.perf_counter()
    rows = session.run(f"SELECT {column} FROM {call}('{json.dumps(items)}')").rows
    seconds = time.perf_counter() - begun
    if len(rows) != len(items):
        raise SystemExit(f"{call}: {len(rows)} answers to {len(items)} items")
    return seconds, [row[0] for row in rows]


def batches(session: Session, agents: int) -> list[float]:
    """Seconds of tb_reserve_many, tb_commit_many and tb_charge_many."""
    accounts = [f"batch/team/agent{item % agents}" for item in range(ITEMS)]
    holds = [{"account": account, "model": MODEL, "input_tokens": 200, "max_output_tokens": 300} for account in accounts]
    reserve, reservations = batch(session, "tb_reserve_many", holds, "reservation")
    commits = [{"reservation": reservation, "usage": USAGE} for reservation in reservations]
    commit, _ = batch(session, "tb_commit_many", commits, "entry")
    charges = [{"account": account, "model": MODEL, "usage": USAGE} for account in accounts]
    charge, _ = batch(session, "tb_charge_many", charges, "entry")
    return [reserve, commit, charge]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    rounds = 1 if options.quick else 5

    rows = []
    with Session() as session:
        session.run(SET_UP)
        for durable in ["off", "on"]:
            session.run(f"ALTER SYSTEM SET fsync = {durable}")
            session.run("SELECT pg_reload_conf()")
            session.run("CHECKPOINT")
            for agents in AGENTS:
                batches(session, agents)
                alone, together = [], []
                for _ in range(rounds):
                    alone.append(single(SPEND, agents) + single(CHARGE, agents))
                    together.append(batches(session, agents))
                for call, one, many in zip(["reserve", "commit", "charge"], zip(*alone), zip(*together)):
                    one, many = table.median(one), table.median(many)
                    ratio = one / many
                    rows.append(
                        [
                            f"tb_{call}_many",
                            durable,
                            agents,
                            f"{one * 1000:,.0f}",
                            f"{many * 1000:,.0f}",
                            f"{ITEMS / many:,.0f}",
                            f"{ratio:.1f}",
                            table.verdict(ratio >= BAR),
                        ]
                    )
        differences = session.run("SELECT count(*) FROM tb_verify()").value
    table.heading(f"{ITEMS:,} items in one call beside {ITEMS:,} calls, milliseconds in all; medians; bar: {BAR} times faster")
    table.show(["call", "fsync", "accounts", "calls ms", "batch ms", "items/s", "ratio", "bar"], rows)
    print(f"differences between balances and ledger: {differences}")


if __name__ == "__main__":
    main()
