"""8. Memory of a session: what it has for itself, beside one that has only connected."""

import pathlib
import re

import table
from escrow.bench import Bench
from escrow.clusters import Cluster
from escrow.hot import DATABASE, TREE
from session import Session


def private_kib(session: Session) -> tuple[int, int]:
    """Anonymous memory that is resident, and all memory that no other process has."""
    process = pathlib.Path("/proc", session.run("SELECT pg_backend_pid()").value)
    anonymous = int(re.search(r"^RssAnon:\s+(\d+)", (process / "status").read_text(), re.MULTILINE)[1])
    private = re.findall(r"^Private_(?:Clean|Dirty):\s+(\d+)", (process / "smaps_rollup").read_text(), re.MULTILINE)
    return anonymous, sum(map(int, private))


def calls(number: int) -> str:
    """Transactions of one hold each, over all agents in turn."""
    path = TREE.path(f"' || item % {TREE.teams} || '", f"' || item % {TREE.agents} || '")
    return f"""
        DO $$
        BEGIN
            FOR item IN 1..{number} LOOP
                PERFORM tb_reserve('{path}', input_tokens => 200, max_output_tokens => 300, ttl => '1 day');
                COMMIT;
            END LOOP;
        END
        $$"""


def measure(cluster: Cluster, number: int) -> tuple[int, int]:
    with cluster.session(DATABASE) as session:
        if number:
            session.run(calls(number))
        return private_kib(session)


def run(bench: Bench) -> None:
    numbers = [0, 1, 1000] if bench.quick else [0, 1, 1000, 10_000]
    lines = []
    for name, cluster in [("escrow", bench.escrow), ("rows", bench.rows)]:
        idle = None
        for number in numbers:
            anonymous, private = measure(cluster, number)
            idle = idle or (anonymous, private)
            more = [f"{(now - before) / 1024:+.1f}" for now, before in zip((anonymous, private), idle)]
            lines.append([name, f"{number:,}", f"{anonymous / 1024:.1f}", more[0], f"{private / 1024:.1f}", more[1]])
    table.heading("8. Memory of a session after so many calls, MiB: anonymous and resident; private; each beside an idle session")
    table.show(["engine", "calls", "anonymous", "more", "private", "more"], lines)
