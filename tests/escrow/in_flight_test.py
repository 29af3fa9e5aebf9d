"""However a transaction or a part of it ends, nothing of it stays in flight, and others may take exactly what is left."""

import os
import random
import socket
import threading

import psycopg

import harness
from escrow import charge, check_ledger, commit, connect, in_flight, left, nothing_in_flight, release, standing, tenant, try_hold, wait_until

LIMIT = 1000
HELD_BEFORE, SPENT_BEFORE = 30, 20
LEFT = LIMIT - HELD_BEFORE - SPENT_BEFORE


def used(connection: psycopg.Connection) -> tuple[str, str]:
    """A tenant with a bit of history, and its open reservation."""
    path = tenant(connection, ("tokens", LIMIT), ("requests", 10**6, "day"))
    charge(connection, path, SPENT_BEFORE)
    return path, try_hold(connection, path, HELD_BEFORE)


def spend(client: psycopg.Connection, path: str, reservation: str) -> None:
    """Something of everything: 100 taken, the open hold given back."""
    try_hold(client, path, 40)
    charge(client, path, 50)
    commit(client, reservation, 10)


def as_before(connection: psycopg.Connection, path: str, reservation: str, is_left: int = LEFT) -> None:
    nothing_in_flight(connection)
    assert left(connection, path) == is_left
    nothing_in_flight(connection)
    check_ledger(connection)


def test_what_others_see_meanwhile() -> None:
    with connect() as connection, connect() as other:
        path, reservation = used(connection)
        with connection.transaction():
            spend(connection, path, reservation)
            assert in_flight(other) == 2
            assert standing(connection, path)[path, "tokens"] == (SPENT_BEFORE + 60, 40, LIMIT - SPENT_BEFORE - 100)
            # What was taken is taken, what was given back is not given back yet.
            assert left(other, path) <= LEFT - 90
        as_before(connection, path, reservation, LIMIT - SPENT_BEFORE - 100)


def test_rollback() -> None:
    with connect() as connection:
        path, reservation = used(connection)
        with connection.transaction(force_rollback=True):
            spend(connection, path, reservation)
        as_before(connection, path, reservation)


def test_error_in_the_middle() -> None:
    failures = [
        "SELECT 1 / 0",
        # After the hold, in the same statement.
        "SELECT (tb_reserve('{path}', input_tokens => 5)).reservation, 1 / length(repeat('', i)) FROM generate_series(1, 2) AS i",
        "SELECT tb_reserve('{path}', input_tokens => 100000)",
        "SELECT tb_commit('{reservation}', '{{\"input_tokens\": 1, \"output_tokens\": 0}}', labels => '[]')",
        "SELECT no_such_function()",
    ]
    with connect() as connection:
        for failure in failures:
            path, reservation = used(connection)
            for is_in_savepoint in (False, True):
                try:
                    with connection.transaction():
                        spend(connection, path, reservation)
                        with connection.transaction() if is_in_savepoint else open(os.devnull):
                            connection.execute(failure.format(path=path, reservation=reservation))
                except psycopg.Error:
                    pass
                else:
                    raise AssertionError(f"no error: {failure}")
                as_before(connection, path, reservation)


def test_failure_at_commit() -> None:
    with connect() as connection:
        connection.execute("CREATE TABLE late_check (id integer PRIMARY KEY, parent integer REFERENCES late_check DEFERRABLE INITIALLY DEFERRED)")
        path, reservation = used(connection)
        try:
            with connection.transaction():
                spend(connection, path, reservation)
                connection.execute("INSERT INTO late_check VALUES (1, 2)")
        except psycopg.errors.ForeignKeyViolation:
            pass
        else:
            raise AssertionError("committed")
        as_before(connection, path, reservation)


def test_serialization_failure_at_commit() -> None:
    with connect() as connection, connect() as other:
        connection.execute("CREATE TABLE skew (id integer); INSERT INTO skew VALUES (1)")
        path, reservation = used(connection)
        for client in (connection, other):
            client.execute("BEGIN ISOLATION LEVEL SERIALIZABLE")
            client.execute("SELECT sum(id) FROM skew")
        spend(connection, path, reservation)
        assert try_hold(other, path, 7)
        for client in (connection, other):
            client.execute("INSERT INTO skew VALUES (1)")
        other.execute("COMMIT")
        try:
            connection.execute("COMMIT")
        except psycopg.errors.SerializationFailure:
            pass
        else:
            raise AssertionError("committed")
        as_before(connection, path, reservation, LEFT - 7)


def test_exception_blocks() -> None:
    with connect() as connection, connect() as other:
        path, reservation = used(connection)
        connection.execute(f"""
            DO $$
            DECLARE
                held uuid;
            BEGIN
                PERFORM tb_reserve('{path}', input_tokens => 1);
                BEGIN
                    PERFORM tb_reserve('{path}', input_tokens => 200);
                    BEGIN
                        PERFORM tb_reserve('{path}', input_tokens => 400);
                        PERFORM tb_commit('{reservation}', '{{"input_tokens": 30, "output_tokens": 0}}');
                        PERFORM 1 / 0;
                    EXCEPTION WHEN division_by_zero THEN
                        PERFORM tb_reserve('{path}', input_tokens => 2);
                    END;
                    PERFORM 1 / 0;
                EXCEPTION WHEN division_by_zero THEN
                    BEGIN
                        held := (tb_reserve('{path}', input_tokens => 4)).reservation;
                    EXCEPTION WHEN division_by_zero THEN
                        NULL;
                    END;
                END;
                FOR i IN 1..50 LOOP
                    BEGIN
                        PERFORM tb_reserve('{path}', input_tokens => 100);
                        RAISE EXCEPTION 'undone' USING ERRCODE = 'U0001';
                    EXCEPTION WHEN SQLSTATE 'U0001' THEN
                        PERFORM tb_release((tb_reserve('{path}', input_tokens => 8)).reservation);
                    END;
                END LOOP;
                PERFORM tb_release(held);
            END $$""")
        as_before(other, path, reservation, LEFT - 1)


def test_transactions_in_a_procedure() -> None:
    with connect() as connection:
        path, reservation = used(connection)
        connection.execute(f"""
            DO $$
            BEGIN
                FOR i IN 1..10 LOOP
                    PERFORM tb_reserve('{path}', input_tokens => 3);
                    IF i % 2 = 0 THEN COMMIT AND CHAIN; ELSE ROLLBACK; END IF;
                END LOOP;
            END $$""")
        as_before(connection, path, reservation, LEFT - 15)


def test_many_subtransactions() -> None:
    # Those of its own that a transaction has released still come back with it.
    with connect() as connection, connect() as other:
        path, reservation = used(connection)
        for is_kept in (False, True):
            with connection.transaction(force_rollback=not is_kept):
                for number in range(150):
                    with connection.transaction(force_rollback=number % 3 == 0):
                        assert try_hold(connection, path, 1)
                assert left(other, path) == LEFT - 100
            as_before(other, path, reservation, LEFT - 100 * is_kept)


class Savepoints:
    """Random calls and savepoints of one transaction, and what must stand after each."""

    def __init__(self, client: psycopg.Connection, path: str, held: list[tuple[str, int]]) -> None:
        self.client, self.path = client, path
        # (spent, open holds) now, and at each savepoint that is open.
        self.spent, self.held = SPENT_BEFORE, dict(held)
        self.saved: list[tuple[int, dict[str, int]]] = []

    def step(self) -> None:
        tokens = random.randint(0, 60)
        fits = self.spent + sum(self.held.values()) + tokens <= LIMIT
        match random.randrange(8):
            case 0 | 1:
                reservation = try_hold(self.client, self.path, tokens)
                assert (reservation is not None) == fits
                if reservation:
                    self.held[reservation] = tokens
            case 2 if fits:
                charge(self.client, self.path, tokens)
                self.spent += tokens
            case 3 if self.held:
                reservation = random.choice(list(self.held))
                commit(self.client, reservation, used := min(tokens, self.held[reservation]))
                del self.held[reservation]
                self.spent += used
            case 4 if self.held:
                reservation = random.choice(list(self.held))
                release(self.client, reservation)
                del self.held[reservation]
            case 5 if len(self.saved) < 6:
                self.client.execute(f"SAVEPOINT s{len(self.saved)}")
                self.saved.append((self.spent, dict(self.held)))
            case 6 if self.saved:
                # One further out takes those within it along.
                del self.saved[random.randrange(len(self.saved)):]
                self.client.execute(f"RELEASE SAVEPOINT s{len(self.saved)}")
            case 7 if self.saved:
                number = random.randrange(len(self.saved))
                self.client.execute(f"ROLLBACK TO SAVEPOINT s{number}")
                self.spent, self.held = self.saved[number][0], dict(self.saved[number][1])
                del self.saved[number + 1:]

    def check(self) -> None:
        held = sum(self.held.values())
        assert standing(self.client, self.path)[self.path, "tokens"] == (self.spent, held, LIMIT - self.spent - held)


def test_random_savepoints() -> None:
    seed = random.randrange(10**6)
    print(f"  seed {seed}")
    random.seed(seed)
    with connect() as connection, connect() as other:
        for isolation in ("READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE") * 6:
            path, reservation = used(connection)
            connection.execute(f"BEGIN ISOLATION LEVEL {isolation}")
            run = Savepoints(connection, path, [(reservation, HELD_BEFORE)])
            for _ in range(60):
                run.step()
                run.check()
                # Whatever becomes of it, it never comes to more than the limit.
                others = standing(other, path)[path, "tokens"]
                assert others[2] <= min(LEFT, LIMIT - run.spent - sum(run.held.values())), others
            is_kept = random.random() < 0.5
            connection.execute("COMMIT" if is_kept else "ROLLBACK")
            as_before(other, path, reservation, LIMIT - run.spent - sum(run.held.values()) if is_kept else LEFT)


def ended(end: str, is_in_statement: bool) -> None:
    """A session that has spent is ended, between two statements or in the middle of one."""
    with connect() as connection:
        path, reservation = used(connection)
        client = connect()
        client.execute("BEGIN")
        spend(client, path, reservation)
        client.execute("SAVEPOINT s")
        try_hold(client, path, 5)
        backend = client.info.backend_pid
        if is_in_statement:
            def sleep() -> None:
                try:
                    client.execute(f"SELECT tb_reserve('{path}', input_tokens => 6), pg_sleep(60)")
                except psycopg.Error:
                    pass

            sleeper = threading.Thread(target=sleep)
            sleeper.start()
            wait_until(connection, "EXISTS (SELECT FROM pg_stat_activity WHERE pid = %s AND wait_event = 'PgSleep')", [backend])
        assert in_flight(connection) == 2
        if end == "disconnect":
            with socket.socket(fileno=os.dup(client.fileno())) as connected:
                connected.shutdown(socket.SHUT_RDWR)
        else:
            connection.execute(f"SELECT {end}(%s)", [backend])
        if is_in_statement:
            sleeper.join()
        try:
            client.execute("ROLLBACK")
        except psycopg.Error:
            pass
        client.close()
        as_before(connection, path, reservation)


def test_cancel() -> None:
    ended("pg_cancel_backend", is_in_statement=True)


def test_termination() -> None:
    ended("pg_terminate_backend", is_in_statement=True)
    ended("pg_terminate_backend", is_in_statement=False)


def test_disconnection() -> None:
    ended("disconnect", is_in_statement=False)


def test_timeouts() -> None:
    with connect() as connection:
        for setting, sleeps in (("statement_timeout", "pg_sleep(10)"), ("idle_in_transaction_session_timeout", "1")):
            path, reservation = used(connection)
            with connect() as client:
                try:
                    with client.transaction():
                        spend(client, path, reservation)
                        client.execute(f"SET LOCAL {setting} = 50")
                        client.execute(f"SELECT tb_reserve('{path}', input_tokens => 6), {sleeps}")
                        connection.execute("SELECT pg_sleep(0.3)")
                        client.execute("SELECT 1")
                except psycopg.Error as error:
                    assert error.sqlstate in ("57014", "25P03", None), error
                else:
                    raise AssertionError(f"{setting} did not end it")
            as_before(connection, path, reservation)


def test_prepare_is_refused() -> None:
    with connect() as connection:
        path, reservation = used(connection)
        calls = [f"SELECT tb_reserve('{path}', input_tokens => 5)", f"SELECT tb_release('{reservation}')",
                 f"SAVEPOINT s; SELECT tb_reserve('{path}', input_tokens => 5); RELEASE s",
                 "SELECT tb_reload()"]
        for call in calls:
            connection.execute("BEGIN")
            connection.execute(call)
            try:
                connection.execute("PREPARE TRANSACTION 'refused'")
            except psycopg.errors.FeatureNotSupported:
                pass
            else:
                connection.execute("ROLLBACK PREPARED 'refused'")
                raise AssertionError(f"prepared: {call}")
            connection.execute("ROLLBACK")
            as_before(connection, path, reservation)
        # One that has moved no balance, or has taken back what it moved, is nobody's business.
        connection.execute("BEGIN; SAVEPOINT s")
        assert try_hold(connection, path, 5)
        connection.execute("ROLLBACK TO s")
        connection.execute("PREPARE TRANSACTION 'accepted'")
        connection.execute("COMMIT PREPARED 'accepted'")
        as_before(connection, path, reservation)


if __name__ == "__main__":
    harness.run(__name__)
