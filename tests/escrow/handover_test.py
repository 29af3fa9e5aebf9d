"""The server changes engines, in both directions, cleanly and by a crash, with a checkpoint and without: every balance stays."""

import psycopg

import harness
import server
from escrow import charge, check_ledger, commit, connect, left, nothing_in_flight, release, standing, tenant, try_hold, wait_until

DAY = "2026-05-0{} 12:00:00+00"


class Company:
    """Open and expired holds, a grant in use, a window that got something from the one before, an overrun, many entries."""

    def __init__(self, connection: psycopg.Connection) -> None:
        connection.execute("SELECT set_config('tokbudget.clock', %s, false)", [DAY.format(1)])
        self.path = tenant(connection)
        self.budget, = connection.execute("SELECT tb_create_budget(%s, 'tokens', 100, 'day', rollover => 'all', burst => 10)", [self.path]).fetchone()
        self.grant, = connection.execute("SELECT tb_grant(%s, 50, NULL, 'test')", [self.budget]).fetchone()
        self.leaf = f"{self.path}/leaf"
        connection.execute("SELECT tb_create_account(%s), tb_create_budget(%s, 'tokens', 100000), tb_create_budget(%s, 'requests', 1000, 'month')",
                           [self.leaf] * 3)
        # 60 of 100 used up: 40 go into the next day.
        charge(connection, self.leaf, 30)
        self.old = try_hold(connection, self.leaf, 30, ttl="7 days")
        connection.execute("SELECT set_config('tokbudget.clock', %s, false)", [DAY.format(2)])
        charge(connection, self.leaf, 110)
        # Of 30 that are left 30, and 20 of the grant.
        self.borne = try_hold(connection, self.leaf, 50, ttl="7 days")
        self.released = try_hold(connection, self.leaf, 5, ttl="7 days")
        try_hold(connection, self.leaf, 2, ttl="1 minute")
        connection.execute("SELECT set_config('tokbudget.clock', '2026-05-02 13:00:00+00', false)")

    def goes_on(self, connection: psycopg.Connection, step: int) -> None:
        """A bit under each engine."""
        self.clock(connection)
        charge(connection, self.leaf, 3)
        with connection.transaction(force_rollback=True):
            charge(connection, self.leaf, 2)
        match step:
            case 0:
                commit(connection, self.old, 20)
            case 1:
                release(connection, self.released)
            case 2:
                commit(connection, self.borne, 45)

    @staticmethod
    def clock(connection: psycopg.Connection) -> None:
        connection.execute("SELECT set_config('tokbudget.clock', '2026-05-02 13:00:00+00', false)")


def state(connection: psycopg.Connection, company: Company) -> tuple:
    company.clock(connection)
    return (
        connection.execute("SELECT account, meter, amount, spent, held, remaining, granted FROM tb_remaining(%s) ORDER BY 1, 2", [company.leaf]).fetchall(),
        connection.execute("SELECT account, meter, window_start, spent, held, granted, carried FROM tb_windows(%s) ORDER BY 1, 2, 3", [company.path]).fetchall(),
        connection.execute("SELECT spent, held, remaining FROM tb_grants(%s)", [company.path]).fetchall(),
    )


def engine(connection: psycopg.Connection) -> str:
    return connection.execute("SELECT tb_engine()").fetchone()[0]


def is_escrow_in_tables(connection: psycopg.Connection) -> bool:
    return connection.execute("SELECT EXISTS (TABLE tokbudget.checkpoint)").fetchone()[0]


ROUTES = [
    (server.ROWS, "rows", False, True),
    (server.ESCROW, "escrow", False, False),
    (server.NOT_PRELOADED, "rows", True, False),
    (server.ESCROW, "escrow", True, False),
    (server.ESCROW, "escrow", True, True),
    (server.ROWS, "rows", True, True),
    (server.NOT_PRELOADED, "rows", False, False),
    (server.ESCROW, "escrow", True, False),
]


def test_there_and_back() -> None:
    with connect() as connection:
        company = Company(connection)
        check_ledger(connection)
        before = state(connection, company)
        assert before[2] == [(0, 27, 23)] or before[2][0][1] > 0, before
    for number, (settings, name, is_immediate, is_checkpointed) in enumerate(ROUTES):
        if is_checkpointed:
            with connect() as connection:
                connection.execute("SELECT tokbudget._take_checkpoint()")
                connection.execute("CHECKPOINT")
        server.restart(settings, "tokbudget.checkpoint_interval = 1h", is_immediate=is_immediate)
        with connect() as connection:
            assert engine(connection) == name
            # Before anybody has taken over, and after it.
            assert state(connection, company) == before, (number, name, state(connection, company), before)
            check_ledger(connection)
            company.goes_on(connection, number)
            assert is_escrow_in_tables(connection) == (name == "escrow")
            check_ledger(connection)
            before = state(connection, company)
    server.restart(server.ESCROW, "tokbudget.checkpoint_interval = 100ms")


def test_prepared_under_rows_and_committed_under_escrow() -> None:
    server.restart(server.ROWS)
    try:
        with connect() as connection:
            paths = [tenant(connection, ("tokens", 100)) for _ in range(2)]
            for path in paths:
                with connection.transaction():
                    charge(connection, path, 20)
                    assert try_hold(connection, path, 30)
                connection.execute("BEGIN")
                charge(connection, path, 7)
                assert try_hold(connection, path, 8)
                connection.execute(f"PREPARE TRANSACTION '{path}'")
        server.restart(server.ESCROW, "tokbudget.upkeep_interval = 0")
        with connect() as connection:
            assert engine(connection) == "escrow"
            for path, end, expected in zip(paths, ("COMMIT", "ROLLBACK"), ((27, 38, 35), (20, 30, 50))):
                connection.execute(f"{end} PREPARED '{path}'")
                assert standing(connection, path)[path, "tokens"] == expected, standing(connection, path)
                # The second one is still prepared while the first is looked at.
            for path, expected in zip(paths, (35, 50)):
                assert left(connection, path) == expected
            assert is_escrow_in_tables(connection)
            check_ledger(connection)
    finally:
        server.restart(server.ESCROW)


def test_a_take_over_that_is_rolled_back() -> None:
    server.restart(server.ROWS)
    with connect() as connection:
        path = tenant(connection, ("tokens", 100))
        charge(connection, path, 20)
        assert try_hold(connection, path, 30)
    server.restart(server.ESCROW, "tokbudget.upkeep_interval = 0", "tokbudget.checkpoint_interval = 1h")
    with connect() as connection, connect() as other:
        with connection.transaction(force_rollback=True):
            assert try_hold(connection, path, 10)
        assert try_hold(other, path, 51) is None and try_hold(other, path, 50)
        assert try_hold(connection, path, 1) is None
        nothing_in_flight(connection)
        check_ledger(connection)
    server.restart(server.ESCROW, "tokbudget.checkpoint_interval = 100ms")


if __name__ == "__main__":
    harness.run(__name__)
