"""What the tests of the escrow engine share."""

import time

import psycopg

from clients import check_ledger, commit, connect, create_budget, standing, tenant, try_hold


def in_flight(connection: psycopg.Connection) -> int:
    return connection.execute("SELECT balances_in_flight FROM tokbudget.tb_stat").fetchone()[0]


def nothing_in_flight(connection: psycopg.Connection) -> None:
    """A session that is ended takes a moment to go."""
    end = time.monotonic() + 5
    while in_flight(connection):
        assert time.monotonic() < end, "something stays in flight"
        time.sleep(0.01)


def left(connection: psycopg.Connection, path: str, burst: int = 0) -> int:
    """What may be held without the burst, found by holding all of it."""
    with connection.transaction(force_rollback=True):
        remaining = int(min(remaining for (_, meter), (*_, remaining) in standing(connection, path).items() if meter == "tokens"))
        assert try_hold(connection, path, remaining + burst + 1) is None, f"more than {remaining} may be held"
        assert remaining + burst == 0 or try_hold(connection, path, remaining + burst), f"not {remaining} may be held"
    return remaining


def charge(connection: psycopg.Connection, path: str, tokens: int, enforce: bool = True, key: str | None = None) -> str:
    return connection.execute("SELECT entry::text FROM tb_charge(%s, NULL, %s, enforce => %s, idempotency_key => %s)",
                              [path, f'{{"input_tokens": {tokens}, "output_tokens": 0}}', enforce, key]).fetchone()[0]


def release(connection: psycopg.Connection, reservation: str) -> None:
    connection.execute("SELECT tb_release(%s)", [reservation])


def wait_until(connection: psycopg.Connection, condition: str, arguments: list | None = None, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not connection.execute(f"SELECT {condition}", arguments or []).fetchone()[0]:
        assert time.monotonic() < end, f"never: {condition}"
        time.sleep(0.02)


__all__ = ["charge", "check_ledger", "commit", "connect", "create_budget", "in_flight", "left", "nothing_in_flight", "release",
           "standing", "tenant", "try_hold", "wait_until"]
