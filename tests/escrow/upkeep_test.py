"""The worker keeps up a database in which nobody is, and none on which it is switched off."""

import time

import psycopg

import harness
from escrow import check_ledger, connect, standing, tenant, try_hold, wait_until


def away(seconds: float) -> None:
    """Nobody is connected."""
    time.sleep(seconds)


def set_interval(seconds: int) -> None:
    with psycopg.connect("dbname=postgres", autocommit=True) as connection:
        connection.execute(f"ALTER SYSTEM SET tokbudget.upkeep_interval = {seconds}")
        connection.execute("SELECT pg_reload_conf()")


def partitions(connection: psycopg.Connection) -> int:
    return connection.execute("SELECT count(*) FROM tokbudget.entry_partition WHERE month IS NOT NULL").fetchone()[0]


def states(connection: psycopg.Connection, path: str) -> list[tuple[str, int]]:
    return connection.execute("""SELECT state, count(*) FROM tokbudget.reservation JOIN tokbudget.account USING (tenant_id, account_id)
        WHERE path = %s GROUP BY state ORDER BY state""", [path]).fetchall()


def test_idle_database() -> None:
    with connect() as connection:
        path = tenant(connection, ("tokens", 100))
        for ttl in ("1 second", "1 second", "1 hour"):
            assert try_hold(connection, path, 10, ttl=ttl)
        connection.execute("SELECT tokbudget._make_partitions('2020-01-01', 0)")
        before = partitions(connection)
    away(2)
    with connect() as connection:
        assert states(connection, path) == [("held", 3)], "swept, though upkeep is off"
        assert partitions(connection) == before
    set_interval(1)
    try:
        away(3)
        with connect() as connection:
            wait_until(connection, "count(*) = 2 FROM tokbudget.entry WHERE kind = 'expire'")
            assert states(connection, path) == [("expired", 2), ("held", 1)], states(connection, path)
            assert partitions(connection) >= 12, partitions(connection)
            assert standing(connection, path)[path, "tokens"] == (0, 10, 90)
            check_ledger(connection)
    finally:
        set_interval(0)


def test_keeps_nobody() -> None:
    # While the worker comes by all the time: databases are made from the template, dropped, and the extension is dropped.
    set_interval(1)
    try:
        with psycopg.connect("dbname=postgres", autocommit=True) as connection:
            connection.execute("SET statement_timeout = '10s'")
            for _ in range(6):
                connection.execute("CREATE DATABASE upkeep_made")
                with psycopg.connect("dbname=upkeep_made", autocommit=True) as made:
                    made.execute("SET statement_timeout = '10s'")
                    made.execute("CREATE EXTENSION tokbudget")
                    path = tenant(made, ("tokens", 100))
                    for _ in range(5):
                        assert try_hold(made, path, 1)
                        time.sleep(0.05)
                    check_ledger(made)
                    made.execute("SET client_min_messages = warning; DROP EXTENSION tokbudget CASCADE; CREATE EXTENSION tokbudget")
                    path = tenant(made, ("tokens", 100))
                    assert try_hold(made, path, 100) and not try_hold(made, path, 1)
                    check_ledger(made)
                end = time.monotonic() + 10
                while True:
                    try:
                        connection.execute("DROP DATABASE upkeep_made")
                        break
                    except psycopg.errors.ObjectInUse:
                        assert time.monotonic() < end
    finally:
        set_interval(0)


if __name__ == "__main__":
    harness.run(__name__)
