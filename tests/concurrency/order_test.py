"""Calls that want the same things in opposite orders, and the same call from many: no deadlock, one answer."""

import random

import psycopg
from psycopg.types.json import Jsonb

import harness
from clients import CLIENTS, Clients, Tally, check_ledger, commit, connect, create_budget, name, standing, tenant, try_hold

ROUNDS = 30


def tree(connection: psycopg.Connection, leaves: int, limit: int) -> tuple[str, list[str]]:
    root = tenant(connection, ("tokens", 10**9), ("requests", 10**9, "day"))
    paths = [f"{root}/leaf-{number}" for number in range(leaves)]
    for path in paths:
        connection.execute("SELECT tb_create_account(%s)", [path])
        create_budget(connection, path, "tokens", limit)
    return root, paths


def turned(items: list, number: int) -> list:
    return items[::-1] if number % 2 else items


def test_also_in_opposite_orders() -> None:
    with connect() as connection:
        _, paths = tree(connection, 6, 300)
        tally = Tally()

        def work(client: psycopg.Connection, number: int) -> None:
            for _ in range(ROUNDS):
                own, *also = turned(paths, number)
                tally.add(try_hold(client, own, also=also) is not None)

        Clients().run(work)
        assert tally[True] == 300, tally.counts
        assert all(standing(connection, path)[path, "tokens"] == (0, 300, 0) for path in paths)
        check_ledger(connection)


def test_also_of_users_that_are_new() -> None:
    with connect() as connection:
        root = tenant(connection)
        connection.execute("SELECT tb_set_quota(%s, 'user', 'tokens', 1000000)", [root])

        def work(client: psycopg.Connection, number: int) -> None:
            for group in range(ROUNDS):
                own, *also = turned([f"{root}/{group}-{user}" for user in range(5)], number)
                assert try_hold(client, own, also=also)

        Clients().run(work)
        count, = connection.execute("SELECT count(*) FROM tokbudget.budget JOIN tokbudget.account USING (tenant_id, account_id) WHERE path LIKE %s",
                                    [f"{root}/%"]).fetchone()
        assert count == ROUNDS * 5, count
        assert standing(connection, f"{root}/0-0") == {(f"{root}/0-0", "tokens"): (0, CLIENTS, 1000000 - CLIENTS)}
        check_ledger(connection)


def test_batches_with_reversed_items() -> None:
    with connect() as connection:
        root, paths = tree(connection, 8, 10**6)
        tally = Tally()

        def work(client: psycopg.Connection, number: int) -> None:
            for _ in range(ROUNDS // 2):
                items = turned([{"account": path, "input_tokens": 2} for path in paths], number)
                held = [row[0] for row in client.execute("SELECT reservation::text FROM tb_reserve_many(%s)", [Jsonb(items)])]
                random.shuffle(held)
                usage = {"input_tokens": 1, "output_tokens": 0}
                rows = client.execute("SELECT booked FROM tb_commit_many(%s)",
                                      [Jsonb([{"reservation": it, "usage": usage} for it in held])]).fetchall()
                assert rows == [(True,)] * len(paths)
                items = turned([{"account": path, "usage": usage} for path in paths], number + 1)
                client.execute("SELECT count(*) FROM tb_charge_many(%s)", [Jsonb(items)])
                tally.add("round")

        Clients().run(work)
        # A commit and a charge of 1 token for each leaf.
        each = tally["round"] * 2
        assert all(standing(connection, path)[path, "tokens"][:2] == (each, 0) for path in paths)
        assert standing(connection, root)[root, "tokens"][0] == each * len(paths)
        check_ledger(connection)


def test_keys_in_opposite_orders() -> None:
    with connect() as connection:
        root, paths = tree(connection, 4, 10**6)
        answers = [[] for _ in range(CLIENTS)]

        def work(client: psycopg.Connection, number: int) -> None:
            for group in range(ROUNDS):
                items = [{"account": path, "input_tokens": 1, "idempotency_key": f"{root}-{group}-{path}"} for path in paths]
                rows = client.execute("SELECT reservation::text FROM tb_reserve_many(%s)", [Jsonb(turned(items, number))]).fetchall()
                answers[number].append(turned(rows, number))

        Clients().run(work)
        assert all(answer == answers[0] for answer in answers)
        assert all(standing(connection, path)[path, "tokens"][:2] == (0, ROUNDS) for path in paths)
        check_ledger(connection)


def test_the_same_batch_of_commits_from_all() -> None:
    with connect() as connection:
        _, paths = tree(connection, 5, 10**6)
        for _ in range(10):
            held = [try_hold(connection, path, 3) for path in paths for _ in range(4)]
            items = [{"reservation": it, "usage": {"input_tokens": 2, "output_tokens": 0}} for it in held]
            answers = [None] * CLIENTS

            def work(client: psycopg.Connection, number: int) -> None:
                rows = client.execute("SELECT entry::text FROM tb_commit_many(%s)", [Jsonb(turned(items, number))]).fetchall()
                answers[number] = turned(rows, number)

            Clients().run(work)
            assert all(answer == answers[0] for answer in answers)
        assert all(standing(connection, path)[path, "tokens"][:2] == (80, 0) for path in paths)
        check_ledger(connection)


def test_duplicates_at_once() -> None:
    with connect() as connection:
        path, seen = tenant(connection, ("tokens", 10**6)), Tally()

        def work(client: psycopg.Connection, number: int) -> None:
            for group in range(ROUNDS):
                key = f"{path}-{group}"
                # One in four has another payload: it comes first or is refused.
                tokens = 2 if number % 4 == 0 else 1
                try:
                    reservation = try_hold(client, path, tokens, key=key)
                    seen.add((group, "reserve", reservation))
                    entry = client.execute("SELECT entry::text FROM tb_charge(%s, NULL, %s, idempotency_key => %s)",
                                           [path, Jsonb({"input_tokens": 1, "output_tokens": 0}), key]).fetchone()[0]
                    seen.add((group, "charge", entry))
                    seen.add((group, "commit", commit(client, reservation, 1)))
                except AssertionError as error:
                    assert str(error) == "TB006", error

        Clients().run(work)
        for operation in ("reserve", "charge", "commit"):
            answers = [answer for answer in seen.counts if answer[1] == operation]
            assert len(answers) == ROUNDS, (operation, len(answers))
        assert standing(connection, path) == {(path, "tokens"): (2 * ROUNDS, 0, 10**6 - 2 * ROUNDS)}
        check_ledger(connection)


def test_one_settlement_of_each_reservation() -> None:
    # Commit, release, extend and sweeps race for the same reservations, half of which have expired for half of the clients.
    with connect() as connection:
        connection.execute("SET tokbudget.clock = '2026-06-01 12:00:00+00'")
        path, won = tenant(connection, ("tokens", 10**6)), Tally()
        held = [try_hold(connection, path, 10, ttl=ttl) for ttl in ("1 minute", "1 hour") for _ in range(60)]

        def work(client: psycopg.Connection, number: int) -> None:
            client.execute("SELECT set_config('tokbudget.clock', %s, false)", [f"2026-06-01 12:0{number % 2}:00+00"])
            calls = {
                "commit": ("SELECT tb_commit(%s, %s)", [Jsonb({"input_tokens": number + 1, "output_tokens": 0})]),
                "release": ("SELECT tb_release(%s)", []),
                "extend": ("SELECT tb_extend(%s, 5)", []),
            }
            for reservation in random.sample(held, len(held)):
                operation = random.choice(list(calls))
                statement, arguments = calls[operation]
                try:
                    answer = client.execute(statement, [reservation, *arguments]).fetchone()[0]
                    if answer:
                        won.add((reservation, operation))
                except psycopg.Error as error:
                    assert error.sqlstate in ("TB004", "TB005"), error
                if random.random() < 0.1:
                    client.execute("SELECT tokbudget._expire(5)")

        Clients().run(work)
        for reservation in held:
            assert won[reservation, "commit"] <= 1 and won[reservation, "commit"] + won[reservation, "release"] <= 1, won.counts
        committed, = connection.execute("SELECT count(*) FROM tokbudget.entry WHERE kind = 'commit' AND reservation_id = ANY (%s::uuid[])",
                                        [held]).fetchone()
        assert committed == sum(count for (_, operation), count in won.counts.items() if operation == "commit")
        check_ledger(connection)


if __name__ == "__main__":
    harness.run(__name__)
