#!/usr/bin/env python3
"""Reserve and commit, beside the bare INSERT that a program without budgets would do.

reserve.py [--quick]: the server is that of the environment. pgbench calls each with 1 and 8 clients. Accounts are three
deep, every level with a budget; each client has an agent and a team of its own under one root, whose budget is hot.
"""

import argparse
import re
import subprocess
import tempfile

import table
from session import Session

CLIENTS = [1, 8]

SET_UP = """
CREATE TABLE call_log (
    call_id uuid PRIMARY KEY DEFAULT gen_random_uuid(), account text NOT NULL, model text NOT NULL,
    input_tokens bigint NOT NULL, output_tokens bigint NOT NULL, called_at timestamptz NOT NULL DEFAULT now()
);
SELECT tb_create_account('hot');
SELECT tb_create_budget('hot', 'tokens', 1000000000000, every => 'day');
DO $$
BEGIN
    FOR client IN 0..7 LOOP
        PERFORM tb_create_account('hot/team' || client);
        PERFORM tb_create_account('hot/team' || client || '/agent');
        PERFORM tb_create_budget('hot/team' || client, 'tokens', 1000000000000, every => 'day');
        PERFORM tb_create_budget('hot/team' || client || '/agent', 'tokens', 1000000000000, every => 'day');
    END LOOP;
END
$$
"""

SPEND = r"""
SELECT reservation
FROM tb_reserve('hot/team' || :client_id || '/agent', input_tokens => 200, max_output_tokens => 300) \gset
SELECT entry FROM tb_commit(:reservation::uuid, '{"input_tokens": 200, "output_tokens": 120}');
"""
INSERT = """
INSERT INTO call_log (account, model, input_tokens, output_tokens)
VALUES ('hot/team' || :client_id || '/agent', 'gpt-4o', 200, 120);
"""


def pgbench(script: str, clients: int, seconds: int) -> tuple[float, list[float]]:
    """Transactions per second, and the mean milliseconds of each statement."""
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
        file.write(script)
        file.flush()
        command = [
            "pgbench",
            "-n",
            "-r",
            "-M",
            "prepared",
            "-c",
            str(clients),
            "-j",
            "1",
            "-T",
            str(seconds),
            "-f",
            file.name,
        ]
        done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"pgbench failed:\n{done.stdout}{done.stderr}")
    rate = float(re.search(r"^tps = ([\d.]+)", done.stdout, re.MULTILINE)[1])
    statements = re.findall(r"^ +([\d.]+) +\d+ +(?:SELECT|INSERT)", done.stdout, re.MULTILINE)
    return rate, [float(milliseconds) for milliseconds in statements]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    rounds, seconds = (1, 3) if options.quick else (3, 8)

    rows = []
    with Session() as session:
        session.run(SET_UP)
        for durable in ["off", "on"]:
            session.run(f"ALTER SYSTEM SET fsync = {durable}")
            session.run("SELECT pg_reload_conf()")
            session.run("CHECKPOINT")
            for clients in CLIENTS:
                measured = []
                for _ in range(rounds):
                    insert_rate, [insert_ms] = pgbench(INSERT, clients, seconds)
                    rate, [reserve_ms, commit_ms] = pgbench(SPEND, clients, seconds)
                    measured.append((insert_rate, insert_ms, rate, reserve_ms, commit_ms))
                insert_rate, insert_ms, rate, reserve_ms, commit_ms = map(table.median, zip(*measured))
                rows.append(
                    [
                        durable,
                        clients,
                        f"{insert_rate:,.0f}",
                        f"{rate:,.0f}",
                        f"{insert_rate / rate:.1f}",
                        f"{insert_ms:.3f}",
                        f"{reserve_ms:.3f}",
                        f"{reserve_ms / insert_ms:.1f}",
                        f"{commit_ms:.3f}",
                        f"{commit_ms / insert_ms:.1f}",
                    ]
                )
        wrong = session.run("SELECT count(*) FROM tokbudget.reservation WHERE state <> 'committed'").value
    table.heading("tb_reserve + tb_commit beside one bare INSERT: per second, and milliseconds per call; medians")
    header = [
        "fsync",
        "clients",
        "INSERT/s",
        "reserve+commit/s",
        "ratio",
        "INSERT ms",
        "tb_reserve ms",
        "x INSERT",
        "tb_commit ms",
        "x INSERT",
    ]
    table.show(header, rows)
    print(f"reservations left open: {wrong}")


if __name__ == "__main__":
    main()
