"""Known limits under many clients: never over, exactly exhausted at the end, no call that fails otherwise."""

import time
from decimal import Decimal

import psycopg

import harness
from clients import CLIENTS, Clients, Pool, Tally, check_ledger, commit, connect, create_budget, name, standing, tenant, try_hold

# Longer than any race of this file takes to run against its limit.
CALLS_MAX = 2000


def until_refused(connection: psycopg.Connection, path: str, tokens: int, tally: Tally, is_spent: bool = False) -> None:
    for _ in range(CALLS_MAX):
        reservation = try_hold(connection, path, tokens)
        tally.add(reservation is not None)
        if reservation is None:
            return
        if is_spent:
            commit(connection, reservation, tokens)
    raise AssertionError("it is never refused")


def test_a_thousand_holds_of_a_tenth_against_five() -> None:
    with connect() as connection:
        connection.execute("SELECT tb_set_price('concurrency', 'acme', 2, 10, effective_at => '2020-01-01', replace => true)")
        path, tally, calls = tenant(connection, ("cost", 5)), Tally(), Pool(list(range(1000)))

        def work(client: psycopg.Connection, _: int) -> None:
            while calls.take() is not None:
                # 50,000 tokens at 2 for a million.
                tally.add(client.execute("SELECT allowed FROM tb_try_reserve(%s, 'concurrency', 50000, max_output_tokens => 0)",
                                         [path]).fetchone()[0])

        Clients(50).run(work)
        assert (tally[True], tally[False]) == (50, 950), tally.counts
        assert standing(connection, path) == {(path, "cost"): (0, Decimal(5), 0)}
        check_ledger(connection)


def test_one_session_spent_by_all() -> None:
    with connect() as connection:
        root, tally = tenant(connection, ("tokens", 10000)), Tally()
        user, session = f"{root}/user", f"{root}/user/session"
        for path, limit in ((user, 5000), (session, 501)):
            connection.execute("SELECT tb_create_account(%s)", [path])
            create_budget(connection, path, "tokens", limit)
        Clients().run(lambda client, _: until_refused(client, session, 3, tally, is_spent=True))
        assert (tally[True], tally[False]) == (167, CLIENTS), tally.counts
        assert standing(connection, session) == {
            (session, "tokens"): (501, 0, 0), (user, "tokens"): (501, 0, 4499), (root, "tokens"): (501, 0, 9499)}
        check_ledger(connection)


def test_first_use_of_an_unknown_user_by_twenty_at_once() -> None:
    with connect() as connection:
        root = tenant(connection)
        connection.execute("SELECT tb_set_quota(%s, 'user', 'tokens', 100, 'day')", [root])
        users = [f"{root}/user-{number}" for number in range(10)]
        tallies = {user: Tally() for user in users}

        def work(client: psycopg.Connection, number: int) -> None:
            # In another order each, so that many users are new at once.
            for user in users[number % 10 :] + users[: number % 10]:
                tallies[user].add(try_hold(client, user, 10) is not None)

        Clients(20).run(work)
        for user in users:
            assert (tallies[user][True], tallies[user][False]) == (10, 10), tallies[user].counts
            assert standing(connection, user) == {(user, "tokens"): (0, 100, 0)}
        made = connection.execute("""SELECT count(*), count(DISTINCT account_id) FROM tokbudget.budget JOIN tokbudget.account
            USING (tenant_id, account_id) WHERE path LIKE %s""", [f"{root}/user-%"]).fetchone()
        assert made == (10, 10), made
        check_ledger(connection)


def test_first_use_by_error_and_rollback() -> None:
    # Those whose first use is undone leave nothing behind, and the others find all of the quota.
    with connect() as connection:
        root, tally = tenant(connection), Tally()
        connection.execute("SELECT tb_set_quota(%s, 'user', 'tokens', 100, 'day')", [root])
        user = f"{root}/new"

        def work(client: psycopg.Connection, number: int) -> None:
            with client.transaction(force_rollback=number % 2 == 0):
                is_held = try_hold(client, user, 5) is not None
                time.sleep(0.01)
            if is_held and number % 2:
                tally.add("held")

        Clients(20).run(work)
        Clients(20).run(lambda client, _: [tally.add("held") for _ in range(20) if try_hold(client, user, 5)])
        assert tally["held"] == 20, tally.counts
        assert standing(connection, user) == {(user, "tokens"): (0, 100, 0)}
        check_ledger(connection)


def test_a_parent_with_many_children() -> None:
    with connect() as connection:
        root, tally = tenant(connection, ("tokens", 300)), Tally()
        children = [f"{root}/child-{number}" for number in range(CLIENTS)]
        for child in children:
            connection.execute("SELECT tb_create_account(%s)", [child])
            create_budget(connection, child, "tokens", 25)
        Clients().run(lambda client, number: until_refused(client, children[number], 1, tally, is_spent=number % 2 == 0))
        # 16 times 25 is more than the parent has.
        assert tally[True] == 300, tally.counts
        spent, held, remaining = standing(connection, root)[root, "tokens"]
        assert (spent + held, remaining) == (300, 0)
        assert all(sum(standing(connection, child)[child, "tokens"][:2]) <= 25 for child in children)
        check_ledger(connection)


def test_clients_step_over_a_boundary() -> None:
    # All clocks run on through midnight; each of the two days is exactly exhausted.
    with connect() as connection:
        connection.execute("SET tokbudget.clock = '2026-05-01 12:00:00+00'")
        path, tally = tenant(connection, ("tokens", 120, "day"), ("requests", 10000)), Tally()
        begin = time.monotonic()

        def work(client: psycopg.Connection, number: int) -> None:
            refused_after = 0
            while refused_after < 3:
                # Some are a little ahead of others.
                ahead = time.monotonic() - begin + number / 100
                now, = client.execute("SELECT set_config('tokbudget.clock', ('2026-05-01 23:59:58+00'::timestamptz + %s * interval '1 s')::text, false)",
                                      [ahead]).fetchone()
                is_after = now > "2026-05-02"
                is_held = try_hold(client, path) is not None
                tally.add((is_after, is_held))
                refused_after += is_after and not is_held

        Clients().run(work)
        assert (tally[False, True], tally[True, True]) == (120, 120), tally.counts
        assert tally[False, False] > 0, "the boundary was passed before the first day was exhausted"
        held = connection.execute("""SELECT array_agg(held_units ORDER BY window_start) FROM tokbudget._balances() AS balance
            JOIN tokbudget.budget USING (tenant_id, budget_id) JOIN tokbudget.account USING (tenant_id, account_id)
            WHERE path = %s AND meter = 'tokens'""", [path]).fetchone()[0]
        assert held == [120, 120], held
        check_ledger(connection)


def test_the_real_clock_and_a_minute() -> None:
    # Whatever minute it is: at most one boundary comes, and no window is over.
    with connect() as connection:
        path, tally = tenant(connection, ("tokens", 200, "minute")), Tally()
        end = time.monotonic() + 3

        def work(client: psycopg.Connection, _: int) -> None:
            while time.monotonic() < end:
                tally.add(try_hold(client, path) is not None)

        Clients().run(work)
        held = [units for units, in connection.execute("""SELECT held_units FROM tokbudget._balances() AS balance
            JOIN tokbudget.budget USING (tenant_id, budget_id) JOIN tokbudget.account USING (tenant_id, account_id)
            WHERE path = %s ORDER BY window_start""", [path])]
        assert sum(held) == tally[True] and held[0] <= 200 and max(held) <= 200 and len(held) <= 2, held
        assert len(held) == 2 or held == [200], held
        check_ledger(connection)


def test_expired_holds_come_back_once() -> None:
    # 100 tokens are held by holds that expire; when the clock has passed them, exactly 100 may be held again, while sweeps run.
    with connect() as connection:
        connection.execute("SET tokbudget.clock = '2026-06-01 12:00:00+00'")
        path, tally = tenant(connection, ("tokens", 100)), Tally()
        for _ in range(20):
            assert try_hold(connection, path, 5, ttl="1 minute")

        def work(client: psycopg.Connection, number: int) -> None:
            client.execute("SET tokbudget.clock = '2026-06-01 12:01:00+00'")
            for _ in range(20):
                if number == 0:
                    client.execute("SELECT tokbudget._expire(3)")
                tally.add(try_hold(client, path) is not None)

        Clients().run(work)
        assert tally[True] == 100, tally.counts
        connection.execute("SET tokbudget.clock = '2026-06-01 12:01:00+00'")
        assert standing(connection, path) == {(path, "tokens"): (0, 100, 0)}
        check_ledger(connection)


def test_grants_are_used_up_exactly() -> None:
    with connect() as connection:
        path, tally = tenant(connection, ("tokens", 50)), Tally()
        budget, = connection.execute("SELECT budget FROM tb_remaining(%s)", [path]).fetchone()
        for priority, amount in ((1, 30), (0, 70)):
            connection.execute("SELECT tb_grant(%s, %s, NULL, 'test', priority => %s)", [budget, amount, priority])
        Clients().run(lambda client, number: until_refused(client, path, 1, tally, is_spent=number % 3 == 0))
        assert tally[True] == 150, tally.counts
        assert [row[0] for row in connection.execute("SELECT remaining FROM tb_grants(%s)", [path])] == [0, 0]
        check_ledger(connection)


def test_alerts_once() -> None:
    with connect() as connection:
        path, tally = tenant(connection), Tally()
        connection.execute("SELECT tb_create_budget(%s, 'tokens', 100, thresholds => '{25,50,75,100}', freeze_at => 100)", [path])

        def work(client: psycopg.Connection, _: int) -> None:
            for _ in range(20):
                try:
                    client.execute("SELECT tb_charge(%s, NULL, '{\"input_tokens\": 1, \"output_tokens\": 0}', enforce => true)", [path])
                    tally.add("charged")
                except psycopg.Error as error:
                    assert error.sqlstate in ("TB001", "TB009"), error
                    tally.add("refused")

        Clients().run(work)
        assert tally["charged"] == 100, tally.counts
        alerts = connection.execute("SELECT kind, percent FROM tb_alerts(%s) ORDER BY 1, 2", [path]).fetchall()
        assert alerts == [("freeze", 100), ("threshold", 25), ("threshold", 50), ("threshold", 75), ("threshold", 100)], alerts
        assert connection.execute("SELECT status FROM tokbudget.account WHERE path = %s", [path]).fetchone()[0] == "frozen"
        check_ledger(connection)


if __name__ == "__main__":
    harness.run(__name__)
