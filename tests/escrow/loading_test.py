"""Balances read into memory by many at once, in every isolation level: never over, none twice, none missed."""

import random
import threading
import time
from collections.abc import Callable

import psycopg

import harness
from escrow import charge, check_ledger, commit, connect, create_budget, left, nothing_in_flight, release, standing, tenant, try_hold
from clients import Clients, Tally

CLIENTS = 32
ISOLATION = ("READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE")
LIMIT = 60


def trees(connection: psycopg.Connection, count: int) -> list[str]:
    """Leaves, each two below a root of its own."""
    leaves = []
    for _ in range(count):
        root = tenant(connection, ("tokens", LIMIT, "day"))
        leaf = f"{root}/team/leaf"
        connection.execute("SELECT tb_create_account(%s)", [leaf])
        create_budget(connection, f"{root}/team", "tokens", LIMIT + 10, "hour")
        create_budget(connection, leaf, "tokens", LIMIT + 5)
        leaves.append(leaf)
    return leaves


def forget(connection: psycopg.Connection) -> None:
    connection.execute("SELECT tb_reload()")


def one_call(client: psycopg.Connection, leaf: str, isolation: str, tally: Tally) -> None:
    """A hold of 1 to 3 in a transaction that may last, may hold more, and may be rolled back."""
    taken = 0
    try:
        with client.transaction(force_rollback=random.random() < 0.2) as transaction:
            client.execute(f"SET TRANSACTION ISOLATION LEVEL {isolation}")
            if random.random() < 0.3:
                # The snapshot is older than what others do meanwhile.
                client.execute("SELECT 1")
                time.sleep(random.random() / 50)
            for _ in range(random.randint(1, 2)):
                tokens = random.randint(1, 3)
                if try_hold(client, leaf, tokens):
                    taken += tokens
            if random.random() < 0.2:
                time.sleep(random.random() / 50)
            is_kept = not transaction.force_rollback
    except psycopg.errors.SerializationFailure:
        tally.add("serialization failure")
        return
    if is_kept:
        for _ in range(taken):
            tally.add(leaf)


def exhausted(connection: psycopg.Connection, leaves: list[str], tally: Tally) -> None:
    nothing_in_flight(connection)
    check_ledger(connection)
    for leaf in leaves:
        root = leaf.split("/")[0]
        spent, held, remaining = standing(connection, leaf)[root, "tokens"]
        assert (spent, held, remaining) == (0, tally[leaf], LIMIT - tally[leaf]), (leaf, spent, held, remaining, tally[leaf])
        if remaining:
            assert try_hold(connection, leaf, int(remaining))
        assert try_hold(connection, leaf, 1) is None
    check_ledger(connection)


def test_first_touches_at_once() -> None:
    with connect() as connection:
        for _ in range(3):
            leaves, tally = trees(connection, 12), Tally()
            forget(connection)

            def work(client: psycopg.Connection, number: int) -> None:
                isolation = ISOLATION[number % 3]
                for leaf in leaves:
                    one_call(client, leaf, isolation, tally)

            Clients(CLIENTS).run(work)
            exhausted(connection, leaves, tally)


def test_forgotten_all_the_time() -> None:
    with connect() as connection, connect() as forgetful:
        leaves, tally, end = trees(connection, 6), Tally(), time.monotonic() + 4

        def keep_forgetting() -> None:
            while time.monotonic() < end:
                forget(forgetful)
                tally.add("forgotten")

        thread = threading.Thread(target=keep_forgetting)
        thread.start()

        def work(client: psycopg.Connection, number: int) -> None:
            while time.monotonic() < end:
                one_call(client, random.choice(leaves), ISOLATION[number % 3], tally)

        Clients(CLIENTS).run(work)
        thread.join()
        print(f"  forgotten {tally['forgotten']} times, serialization failures: {tally['serialization failure']}")
        assert tally["forgotten"] > 5
        exhausted(connection, leaves, tally)


def test_beside_transactions_that_stay_open() -> None:
    # Each has held before and holds again after the others have exhausted what was left; half of them are rolled back.
    for isolation in ISOLATION:
        with connect() as connection:
            leaves, tally = trees(connection, 5), Tally()
            old = [connect() for _ in range(6)]
            for client in old:
                client.execute(f"BEGIN ISOLATION LEVEL {isolation}")
                client.execute("SELECT 1")
            forget(connection)
            for client in old:
                for leaf in leaves:
                    assert try_hold(client, leaf, 2)

            def work(client: psycopg.Connection, number: int) -> None:
                for _ in range(8):
                    for leaf in leaves:
                        if try_hold(client, leaf, 1):
                            tally.add(leaf)

            Clients(16).run(work)
            for leaf in leaves:
                assert tally[leaf] == LIMIT - 12, (leaf, tally.counts)
                assert try_hold(connection, leaf, 1) is None and try_hold(old[0], leaf, 1) is None
            for number, client in enumerate(old):
                client.execute("ROLLBACK" if number % 2 else "COMMIT")
                client.close()
            for leaf in leaves:
                for _ in range(6):
                    tally.add(leaf)
            exhausted(connection, leaves, tally)


def retried(tally: Tally, call: Callable, *arguments: object) -> object:
    while True:
        try:
            return call(*arguments)
        except psycopg.errors.SerializationFailure:
            tally.add("serialization failure")


def test_settled_while_forgotten() -> None:
    # Half is spent, half given back, by many, while balances come and go.
    with connect() as connection, connect() as forgetful:
        leaves, tally, end = trees(connection, 4), Tally(), time.monotonic() + 4

        def keep_forgetting() -> None:
            while time.monotonic() < end:
                forget(forgetful)
                time.sleep(0.02)

        thread = threading.Thread(target=keep_forgetting)
        thread.start()

        def work(client: psycopg.Connection, number: int) -> None:
            client.execute(f"SET default_transaction_isolation = '{ISOLATION[number % 3]}'")
            while time.monotonic() < end:
                leaf, is_spent = random.choice(leaves), random.random() < 0.05
                if (reservation := retried(tally, try_hold, client, leaf, 4)) is None:
                    continue
                if is_spent:
                    retried(tally, commit, client, reservation, 3)
                    tally.add(leaf)
                else:
                    retried(tally, release, client, reservation)

        Clients(16).run(work)
        thread.join()
        nothing_in_flight(connection)
        check_ledger(connection)
        for leaf in leaves:
            assert standing(connection, leaf)[leaf.split("/")[0], "tokens"] == (3 * tally[leaf], 0, LIMIT - 3 * tally[leaf])
            left(connection, leaf.split("/")[0])


if __name__ == "__main__":
    harness.run(__name__)
