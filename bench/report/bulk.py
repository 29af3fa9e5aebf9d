"""Writes many entries fast: two sessions at once, into partitions whose indexes are made afterwards."""

import concurrent.futures

from escrow.clusters import Cluster
from escrow.history import without_indexes
from report.generator import Generator
from session import Session

# Entries of one statement.
CHUNK = 250_000


def generator_of(session: Session, entries: int, accounts: int) -> Generator:
    """A generator that runs its statements in the session."""

    def run(statements: str) -> str:
        lines = session.run(statements.rstrip().rstrip(";")).output.splitlines()
        return lines[-1] if lines else ""

    return Generator(run, entries, accounts)


def partitions(session: Session, generator: Generator) -> list[str]:
    """Those that entries go into."""
    return session.run(f"""
        SELECT partition FROM tokbudget.entry_partition
        WHERE starts_at <= to_timestamp({generator.values["until_us"]} / 1000000.0)
            AND ends_at > to_timestamp({generator.values["since_us"]} / 1000000.0) AND month IS NOT NULL""").value.splitlines()


def write(cluster: Cluster, database: str, generator: Generator, end: int) -> None:
    """Entries from the first one up to but not number `end`."""
    with cluster.session(database) as session:
        tables = partitions(session, generator)
        again = [statement for table in tables for statement in without_indexes(session, table)]

    def in_turn(statements: list[str]) -> None:
        with cluster.session(database) as session:
            session.run("SET synchronous_commit = off")
            session.run("SET maintenance_work_mem = '256MB'")
            for statement in statements:
                session.run(statement)

    firsts = range(0, end, CHUNK)
    inserts = [generator.sql("entries.sql", first=first, end=min(first + CHUNK, end)) for first in firsts]
    half = (len(inserts) + 1) // 2
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        # Each has half of the time, so that the rows of a partition stay in the order in which they would have come.
        for statements in [[inserts[:half], inserts[half:]], [again[::2], again[1::2]]]:
            for done in [pool.submit(in_turn, part) for part in statements]:
                done.result()
    with cluster.session(database) as session:
        session.run("ANALYZE tokbudget.entry")
