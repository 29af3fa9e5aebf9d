"""Copies of a database, in the same cluster: none sees what the other has in memory, each sums anew what it got."""

import subprocess
import time

import psycopg

import harness
from escrow import charge, check_ledger, connect, left, release, standing, tenant, try_hold
import os

SOURCE = os.environ["PGDATABASE"]


def query(database: str, statement: str) -> None:
    with psycopg.connect(f"dbname={database}", autocommit=True) as connection:
        connection.execute(statement)


def drop(database: str) -> None:
    query("postgres", f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")


def used(connection: psycopg.Connection) -> tuple[str, str]:
    path = tenant(connection, ("tokens", 100, "month"), ("requests", 1000))
    charge(connection, path, 20)
    return path, try_hold(connection, path, 30)


def as_copied(database: str, path: str, reservation: str) -> None:
    with psycopg.connect(f"dbname={database}", autocommit=True) as copy, connect() as original:
        copy.execute("SET statement_timeout = '10s'")
        check_ledger(copy)
        assert standing(copy, path)[path, "tokens"] == (20, 30, 50)
        # They have nothing to do with each other any more.
        assert try_hold(copy, path, 50)
        assert left(original, path) == 50
        check_ledger(copy)
        release(copy, reservation)
        assert left(copy, path) == 30 and left(original, path) == 50
        check_ledger(copy)
        check_ledger(original)


def test_template() -> None:
    with connect() as connection:
        path, reservation = used(connection)
        connection.execute("SELECT tokbudget._take_checkpoint()")
        charge(connection, path, 0)
    end = time.monotonic() + 15
    while True:
        try:
            # The worker comes by, for a moment.
            query("postgres", f"CREATE DATABASE escrow_copy TEMPLATE {SOURCE}")
            break
        except psycopg.errors.ObjectInUse:
            assert time.monotonic() < end
            time.sleep(0.1)
    as_copied("escrow_copy", path, reservation)
    drop("escrow_copy")


def test_dump_and_restore() -> None:
    with connect() as connection:
        path, reservation = used(connection)
        # What the balance rows have is not to be counted again.
        connection.execute("SELECT tokbudget._take_checkpoint()")
        dump = subprocess.run(["pg_dump", SOURCE], check=True, capture_output=True).stdout
        # Not in the dump.
        assert try_hold(connection, path, 5)
        query("postgres", "CREATE DATABASE escrow_copy")
        subprocess.run(["psql", "-Xq", "-v", "ON_ERROR_STOP=1", "-o", "/dev/null", "-d", "escrow_copy"], input=dump, check=True)
        release(connection, connection.execute("SELECT reservation_id::text FROM tokbudget.reservation WHERE input_tokens = 5 AND state = 'held'").fetchone()[0])
        as_copied("escrow_copy", path, reservation)
        drop("escrow_copy")


def test_data_restored_where_they_came_from() -> None:
    # Other transactions write the entries anew; the worker, or somebody, has been in the new tables before.
    for is_visited in (False, True):
        query("postgres", "CREATE DATABASE escrow_copy")
        with psycopg.connect("dbname=escrow_copy", autocommit=True) as connection:
            connection.execute("CREATE EXTENSION tokbudget")
            path, _ = used(connection)
            connection.execute("SELECT tokbudget._take_checkpoint()")
            charge(connection, path, 0)
            dump = subprocess.run(["pg_dump", "--data-only", "--load-via-partition-root", "escrow_copy"], check=True, capture_output=True).stdout
            connection.execute("SET client_min_messages = warning; DROP EXTENSION tokbudget CASCADE; CREATE EXTENSION tokbudget")
            if is_visited:
                connection.execute("SELECT tb_reload()")
            subprocess.run(["psql", "-Xq", "-v", "ON_ERROR_STOP=1", "-o", "/dev/null", "-d", "escrow_copy"], input=dump, check=True)
            for _ in range(2):
                check_ledger(connection)
                assert standing(connection, path)[path, "tokens"] == (20, 30, 50), standing(connection, path)
                assert left(connection, path) == 50
                charge(connection, path, 0)
        drop("escrow_copy")


def test_rename_and_drop() -> None:
    for _ in range(3):
        query("postgres", "CREATE DATABASE escrow_one")
        query("escrow_one", "CREATE EXTENSION tokbudget")
        with psycopg.connect("dbname=escrow_one", autocommit=True) as connection:
            path, _ = used(connection)
        query("postgres", "ALTER DATABASE escrow_one RENAME TO escrow_two")
        with psycopg.connect("dbname=escrow_two", autocommit=True) as connection:
            assert left(connection, path) == 50
            check_ledger(connection)
        end = time.monotonic() + 15
        while True:
            try:
                query("postgres", "DROP DATABASE escrow_two")
                break
            except psycopg.errors.ObjectInUse:
                assert time.monotonic() < end


if __name__ == "__main__":
    harness.run(__name__)
