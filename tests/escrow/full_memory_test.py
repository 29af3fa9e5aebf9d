"""More balances than shared memory has room for: the server is restarted with the smallest one, and hundreds of budgets take turns."""

import random
import time

import psycopg

import harness
import server
from clients import Clients, Tally
from escrow import charge, check_ledger, commit, connect, create_budget, left, nothing_in_flight, release, standing, tenant, try_hold

ISOLATION = ("READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE")
LIMIT = 40


def counters(connection: psycopg.Connection) -> tuple[int, ...]:
    return connection.execute("SELECT balances_max, evictions, fallbacks FROM tokbudget.tb_stat").fetchone()


def trees(connection: psycopg.Connection, count: int) -> list[str]:
    leaves = []
    for number in range(count):
        root = tenant(connection, ("tokens", LIMIT, "day"), ("requests", 10**6, "hour"))
        leaf = f"{root}/a/b/c"
        connection.execute("SELECT tb_create_account(%s)", [leaf])
        for path in (f"{root}/a", f"{root}/a/b", leaf):
            create_budget(connection, path, "tokens", LIMIT + 10, "hour" if number % 2 else None)
        leaves.append(leaf)
    return leaves


def test_many_take_turns() -> None:
    with connect() as connection:
        assert counters(connection)[0] == 128
        leaves, tally, end = trees(connection, 80), Tally(), time.monotonic() + 5

        def work(client: psycopg.Connection, number: int) -> None:
            client.execute(f"SET default_transaction_isolation = '{ISOLATION[number % 3]}'")
            while time.monotonic() < end:
                leaf, spent = random.choice(leaves), 0
                try:
                    if number == 0:
                        client.execute("SELECT tb_expire()")
                    with client.transaction(force_rollback=random.random() < 0.15) as transaction:
                        for _ in range(random.randint(1, 3)):
                            if random.random() < 0.1:
                                time.sleep(random.random() / 20)
                            match random.randrange(5):
                                case 0:
                                    with client.transaction(force_rollback=True):
                                        try_hold(client, leaf, 5)
                                case 1:
                                    if reservation := try_hold(client, leaf, 2):
                                        commit(client, reservation, 1)
                                        spent += 1
                                case 2:
                                    if reservation := try_hold(client, leaf, 30):
                                        release(client, reservation)
                                case 3:
                                    try_hold(client, leaf, 3, ttl="1 second")
                                case 4:
                                    standing(client, leaf)
                        is_kept = not transaction.force_rollback
                    if is_kept:
                        tally.add("kept")
                        for _ in range(spent):
                            tally.add(leaf)
                except psycopg.Error as error:
                    # Two transactions that both had to decide from the tables may wait for each other, as rows do.
                    assert error.sqlstate in ("40001", "40P01"), error
                    tally.add(error.sqlstate)

        Clients(24).run(work)
        _, evictions, fallbacks = counters(connection)
        print(f"  {tally['kept']} transactions, {evictions} evictions, {fallbacks} fallbacks, 40001: {tally['40001']}, 40P01: {tally['40P01']}")
        assert evictions > 100 and fallbacks > 0 and tally["kept"] > 200
        nothing_in_flight(connection)
        check_ledger(connection)
        connection.execute("SELECT pg_sleep(1.1), tb_expire()")
        for leaf in leaves:
            assert standing(connection, leaf)[leaf.split("/")[0], "tokens"] == (tally[leaf], 0, LIMIT - tally[leaf])
        check_ledger(connection)


def test_single_calls_never_fail() -> None:
    # Each call by itself: no deadlock, no endless change of places, exactly exhausted.
    with connect() as connection:
        leaves, tally = trees(connection, 60), Tally()

        def work(client: psycopg.Connection, number: int) -> None:
            client.execute("SET statement_timeout = '10s'")
            for leaf in random.sample(leaves, len(leaves)):
                for _ in range(4):
                    if try_hold(client, leaf, 1):
                        tally.add(leaf)

        Clients(24).run(work)
        nothing_in_flight(connection)
        check_ledger(connection)
        for leaf in leaves:
            assert tally[leaf] <= LIMIT and left(connection, leaf) == LIMIT - tally[leaf], (leaf, tally[leaf])
        check_ledger(connection)


def test_a_call_that_needs_more_than_there_is_room_for() -> None:
    with connect() as connection:
        root = tenant(connection, ("tokens", 10**6))
        paths = [f"{root}/{number}" for number in range(200)]
        for path in paths:
            connection.execute("SELECT tb_create_account(%s)", [path])
            create_budget(connection, path, "tokens", 10)
        connection.execute("SET statement_timeout = '20s'")
        items = ", ".join(f'{{"account": "{path}", "input_tokens": 4}}' for path in paths)
        for expected in (200, 200, 0):
            allowed, = connection.execute("SELECT count(*) FILTER (WHERE allowed) FROM tb_reserve_many(%s, all_or_nothing => false)", [f"[{items}]"]).fetchone()
            assert allowed == expected, (allowed, expected)
        assert standing(connection, root)[root, "tokens"] == (0, 1600, 10**6 - 1600)
        check_ledger(connection)


if __name__ == "__main__":
    server.restart(server.ESCROW, "tokbudget.balances_max = 128")
    try:
        harness.run(__name__)
    finally:
        server.restart(server.ESCROW, "tokbudget.balances_max = 65536")
