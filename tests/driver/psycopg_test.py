"""What a client with psycopg sees: errors as data, races, cancels. The connection is in the environment."""

import json
import threading
import time
import uuid

import psycopg

import harness

BUDGET_KEYS = {"budget", "account", "meter", "amount", "spent", "held", "remaining", "requested", "resets_at"}
THREADS = 16


def connect() -> psycopg.Connection:
    return psycopg.connect(autocommit=True)


def account(connection: psycopg.Connection, limit: int) -> str:
    """A new account with a budget of `limit` tokens."""
    path = f"driver/{uuid.uuid4()}"
    connection.execute("SELECT tb_create_account(%s)", [path])
    connection.execute("SELECT tb_create_budget(%s, 'tokens', %s)", [path, limit])
    return path


def refusal(connection: psycopg.Connection, statement: str, arguments: list) -> psycopg.Error:
    try:
        connection.execute(statement, arguments)
    except psycopg.Error as error:
        return error
    raise AssertionError(f"accepted: {statement} {arguments}")


def no_difference(connection: psycopg.Connection) -> None:
    assert connection.execute("SELECT * FROM tb_verify()").fetchall() == []


def test_refusal_is_an_error_with_data() -> None:
    with connect() as connection:
        path = account(connection, 100)
        seen = set()
        for tokens in (101, 1000):
            error = refusal(connection, "SELECT tb_reserve(%s, input_tokens => %s)", [path, tokens])
            assert error.sqlstate == error.diag.sqlstate == "TB001", error.sqlstate
            detail = json.loads(error.diag.message_detail)
            assert BUDGET_KEYS <= detail.keys(), detail
            expected = {"account": path, "meter": "tokens", "amount": 100, "spent": 0, "held": 0, "remaining": 100,
                        "requested": tokens, "resets_at": None}
            assert expected.items() <= detail.items(), detail
            assert error.diag.message_hint
            seen.add(error.diag.message_primary)
        assert seen == {f'budget exceeded: tokens of account "{path}"'}, seen


def test_window_is_an_instant() -> None:
    with connect() as connection:
        path = account(connection, 1000)
        connection.execute("SELECT tb_create_budget(%s, 'requests', 0, 'hour')", [path])
        error = refusal(connection, "SELECT tb_reserve(%s, input_tokens => 1)", [path])
        resets_at = json.loads(error.diag.message_detail)["resets_at"]
        ahead = connection.execute("SELECT %s::timestamptz - now()", [resets_at]).fetchone()[0]
        assert 0 <= ahead.total_seconds() <= 3600, ahead


def test_every_code_has_detail_and_hint() -> None:
    with connect() as connection:
        path = account(connection, 100)
        held = connection.execute("SELECT (tb_reserve(%s, input_tokens => 1, idempotency_key => %s)).reservation", [path, path])
        held = held.fetchone()[0]
        connection.execute("SELECT tb_release(%s)", [held])
        usage = '{"input_tokens": 1, "output_tokens": 0}'
        cases = {
            "TB002": ("SELECT tb_reserve(%s)", ["driver/none"]),
            "TB003": ("SELECT tb_commit(%s, '{}')", [uuid.uuid4()]),
            "TB005": ("SELECT tb_commit(%s, %s)", [held, usage]),
            "TB006": ("SELECT tb_reserve(%s, input_tokens => 2, idempotency_key => %s)", [path, path]),
            "TB007": ("SELECT tb_reserve(%s, model => 'none', input_tokens => 1, max_output_tokens => 1)", [path]),
            "TB008": ("SELECT tb_reserve(%s, input_tokens => -1)", [path]),
            "TB010": ("TRUNCATE tokbudget.entry", []),
        }
        for code, (statement, arguments) in cases.items():
            error = refusal(connection, statement, arguments)
            assert error.sqlstate == code, (code, error.sqlstate, str(error))
            assert isinstance(json.loads(error.diag.message_detail), dict), code
            assert error.diag.message_hint, code


def test_try_reserve_never_raises() -> None:
    with connect() as connection:
        path = account(connection, 100)
        statement = """SELECT allowed, code, reason, detail, hint, reservation, expires_at
                       FROM tb_try_reserve(%s, input_tokens => %s, attributes => %s)"""
        cases = [(path, 50, "{}", None), (path, 51, "{}", "TB001"), ("driver/none", 1, "{}", "TB002"), (None, 1, "{}", "TB008"),
                 ("a//b", 1, "{}", "TB008"), (path, -1, "{}", "TB008"), (path, 1, "[]", "TB008")]
        for who, tokens, attributes, expected in cases:
            allowed, code, reason, detail, hint, reservation, expires_at = connection.execute(statement, [who, tokens, attributes]).fetchone()
            assert (allowed, code) == (expected is None, expected), (who, tokens, code)
            if allowed:
                assert reservation and expires_at and not detail
            else:
                assert reason and hint and isinstance(detail, dict) and reservation is None, (code, detail)


def race(use) -> tuple[int, int]:
    """Sixteen threads call `use(connection)` until it says no; returns how often it said yes, and no."""
    counts, lock, start = [0, 0], threading.Lock(), threading.Barrier(THREADS)

    def client() -> None:
        with connect() as connection:
            start.wait()
            while True:
                allowed = use(connection)
                with lock:
                    counts[not allowed] += 1
                if not allowed:
                    return

    threads = [threading.Thread(target=client) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return counts[0], counts[1]


def spent_and_held(connection: psycopg.Connection, path: str) -> list[tuple]:
    return connection.execute("SELECT spent::bigint, held::bigint FROM tb_remaining(%s)", [path]).fetchall()


def test_race_for_holds_ends_exactly_at_the_limit() -> None:
    # 7 does not divide 1000: 142 holds fit, and 6 tokens stay.
    with connect() as connection:
        path = account(connection, 1000)
        allowed, refused = race(lambda c: c.execute("SELECT allowed FROM tb_try_reserve(%s, input_tokens => 7)", [path]).fetchone()[0])
        assert (allowed, refused) == (142, THREADS), (allowed, refused)
        assert spent_and_held(connection, path) == [(0, 994)]
        no_difference(connection)


def test_race_with_commits_ends_exactly_at_the_limit() -> None:
    # Each call holds 1 token and uses it, so that never is more held than is spent in the end, and a refusal is only right
    # once all 500 are spent or held.
    with connect() as connection:
        path = account(connection, 500)

        def use(client: psycopg.Connection) -> bool:
            allowed, reservation = client.execute("SELECT allowed, reservation FROM tb_try_reserve(%s, input_tokens => 1)", [path]).fetchone()
            if allowed:
                client.execute("SELECT tb_commit(%s, %s)", [reservation, '{"input_tokens": 1, "output_tokens": 0}'])
            return allowed

        allowed, refused = race(use)
        assert (allowed, refused) == (500, THREADS), (allowed, refused)
        assert spent_and_held(connection, path) == [(500, 0)]
        no_difference(connection)


def test_race_inside_transactions_that_roll_back() -> None:
    with connect() as connection:
        path = account(connection, 300)

        def use(client: psycopg.Connection) -> bool:
            # One in three is rolled back, and its tokens must come back.
            with client.transaction() as transaction:
                allowed = client.execute("SELECT allowed FROM tb_try_reserve(%s, input_tokens => 1)", [path]).fetchone()[0]
                if allowed and uuid.uuid4().int % 3 == 0:
                    raise psycopg.Rollback(transaction)
            return allowed

        race(use)
        assert spent_and_held(connection, path) == [(0, 300)]
        no_difference(connection)


def test_deep_tree_has_no_deadlock() -> None:
    with connect() as connection:
        root = account(connection, 100000)
        for leaf in "ab":
            connection.execute("SELECT tb_create_account(%s)", [f"{root}/{leaf}"])
            connection.execute("SELECT tb_create_budget(%s, 'tokens', 100, 'day')", [f"{root}/{leaf}"])
        turn = iter(range(10**6))

        def use(client: psycopg.Connection) -> bool:
            first, second = ("a", "b") if next(turn) % 2 else ("b", "a")
            return client.execute("SELECT allowed FROM tb_try_reserve(%s, input_tokens => 1, also => %s)",
                                  [f"{root}/{first}", [f"{root}/{second}"]]).fetchone()[0]

        allowed, _ = race(use)
        assert allowed == 100, allowed
        no_difference(connection)


def test_cancel_ends_a_long_count_and_the_session_goes_on() -> None:
    with connect() as connection:
        # Varied words, so that no cache makes it short.
        connection.execute("""CREATE TEMP TABLE long AS
            SELECT string_agg(md5(i::text) || ' ', '') AS body FROM generate_series(1, 100 * 1024 * 1024 / 33) AS i""")
        for statement in ("SELECT tb_count_tokens(body, 'gpt-4o') FROM long", "SELECT tb_fits(body, 'gpt-4', 2000000000) FROM long",
                          "SELECT cardinality(tb_encode(body, 'gpt-4o')) FROM long"):
            connection.execute("SET statement_timeout = 200")
            begin = time.monotonic()
            error = refusal(connection, statement, [])
            seconds = time.monotonic() - begin
            connection.execute("RESET statement_timeout")
            print(f"  cancelled after {seconds:.2f} s: {statement}")
            assert error.sqlstate == "57014", error.sqlstate
            assert seconds < 1.2, seconds
            assert connection.execute("SELECT tb_count_tokens('hello world', 'gpt-4o')").fetchone()[0] == 2


def test_pipeline_and_server_side_parameters() -> None:
    with connect() as connection:
        path = account(connection, 100)
        with connection.pipeline():
            cursors = [connection.execute("SELECT allowed FROM tb_try_reserve(%s, input_tokens => 60)", [path]) for _ in range(3)]
        assert [cursor.fetchone()[0] for cursor in cursors] == [True, False, False]
        with connection.cursor() as cursor:
            cursor.executemany("SELECT tb_reserve(%s, input_tokens => %s)", [(path, 10), (path, 20)])
        assert spent_and_held(connection, path) == [(0, 90)]


if __name__ == "__main__":
    harness.run(__name__)
