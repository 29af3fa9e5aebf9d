"""A transaction that stays open keeps nobody waiting, whatever it has done, except for what is the same thing."""

import json
from collections.abc import Callable

import psycopg

import harness
from escrow import charge, check_ledger, commit, connect, left, nothing_in_flight, release, standing, tenant, try_hold

LIMIT, BURST = 1000, 500
# Long for a call, short for a wait.
PATIENCE = "1s"
LOCKS = """SELECT locktype, relation::regclass, mode, pid, granted, classid, objid, objsubid FROM pg_locks
    WHERE NOT granted OR locktype NOT IN ('relation', 'virtualxid') ORDER BY granted"""


class Scene:
    """A root that everybody spends from, two leaves, and all that a call can run into: marks, a grant, burst, quotas."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self.root = tenant(connection)
        self.budget, = connection.execute("SELECT tb_create_budget(%s, 'tokens', %s, 'day', burst => %s, thresholds => '{10,50,90}')",
                                          [self.root, LIMIT, BURST]).fetchone()
        connection.execute("SELECT tb_grant(%s, 300, NULL, 'test')", [self.budget])
        self.here, self.there = f"{self.root}/here", f"{self.root}/there"
        for leaf in (self.here, self.there):
            connection.execute("SELECT tb_create_account(%s), tb_create_budget(%s, 'tokens', 5000, thresholds => '{1,90}')", [leaf, leaf])
        connection.execute("SELECT tb_create_account(%s, 'team'), tb_set_quota(%s, 'user', 'tokens', 500)", [f"{self.root}/team"] * 2)
        self.held = [try_hold(connection, leaf, 10) for leaf in (self.here, self.here, self.there, self.there)]

    def everybody_else(self, other: psycopg.Connection) -> None:
        """All that others do, each in its own transaction."""
        for path in (self.there, self.here):
            reservation = try_hold(other, path, 10)
            assert reservation
            other.execute("SELECT tb_extend(%s, 3)", [reservation])
            commit(other, reservation, 8)
            release(other, try_hold(other, path, 10))
            charge(other, path, 9, key=f"{path} {self.root}")
            standing(other, path)
        items = [{"account": path, "input_tokens": 2} for path in (self.there, self.here)]
        assert other.execute("SELECT count(allowed) FROM tb_reserve_many(%s)", [json.dumps(items)]).fetchone()[0] == 2
        assert try_hold(other, f"{self.root}/team/somebody", 3)
        other.execute("SELECT tb_expire()")


def keeps_nobody(does: Callable[[psycopg.Connection, Scene], object], before: Callable[[psycopg.Connection, Scene], object] | None = None,
                 isolation: str = "READ COMMITTED") -> None:
    for is_kept in (True, False):
        with connect() as connection, connect() as other:
            scene = Scene(connection)
            if before:
                before(connection, scene)
            other.execute(f"SET statement_timeout = '{PATIENCE}'")
            other.execute(f"SET default_transaction_isolation = '{isolation}'")
            try:
                with connection.transaction(force_rollback=not is_kept):
                    does(connection, scene)
                    scene.everybody_else(other)
            except psycopg.errors.QueryCanceled:
                with connect() as third:
                    print(*third.execute(LOCKS).fetchall(), sep="\n")
                raise
            nothing_in_flight(connection)
            check_ledger(connection)
            left(connection, scene.root, BURST)


def test_hold() -> None:
    for isolation in ("READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"):
        keeps_nobody(lambda client, scene: try_hold(client, scene.here, 100), isolation=isolation)


def test_mark_passed() -> None:
    # Those at 10 % here and at the root; the calls of others pass them too.
    keeps_nobody(lambda client, scene: charge(client, scene.here, 150))


def test_mark_passed_by_a_commit() -> None:
    keeps_nobody(lambda client, scene: commit(client, scene.held[0], 150))


def test_mark_just_ahead_of_the_others() -> None:
    # Others pass it themselves while it is not known whether it has been passed.
    keeps_nobody(lambda client, scene: charge(client, scene.here, 10), before=lambda client, scene: charge(client, scene.here, 85))


def test_grant() -> None:
    keeps_nobody(lambda client, scene: try_hold(client, scene.here, 100), before=lambda client, scene: charge(client, scene.here, 950))


def test_burst() -> None:
    keeps_nobody(lambda client, scene: charge(client, scene.here, 100), before=lambda client, scene: charge(client, scene.here, 1250))


def test_mark_passed_back_and_forth() -> None:
    # Others come below it, and pass it again.
    with connect() as connection, connect() as other:
        connection.execute("SELECT tb_set_price('escrow', 'test', 1000, 1000, effective_at => '2020-01-01', replace => true)")
        root = tenant(connection)
        connection.execute("SELECT tb_create_budget(%s, 'cost', 1, thresholds => '{50}')", [root])
        usage = json.dumps({"input_tokens": 100, "output_tokens": 0})
        charged = "SELECT (tb_charge(%s, 'escrow', %s)).entry::text"
        entry, = [connection.execute(charged, [root, usage]).fetchone()[0] for _ in range(4)][-1:]
        other.execute(f"SET statement_timeout = '{PATIENCE}'")
        with connection.transaction():
            connection.execute(charged, [root, usage])
            other.execute("SELECT tb_refund(%s, 'test')", [entry])
            other.execute(charged, [root, usage])
        check_ledger(connection)
        assert connection.execute("SELECT count(*) FROM tb_alerts(%s)", [root]).fetchone()[0] == 1


def test_freeze() -> None:
    def budget(client: psycopg.Connection, scene: Scene) -> None:
        client.execute("SELECT tb_create_account(%s), tb_create_budget(%s, 'tokens', 100, freeze_at => 50, thresholds => '{20}')",
                       [f"{scene.here}/leaf"] * 2)

    keeps_nobody(lambda client, scene: charge(client, f"{scene.here}/leaf", 60), before=budget)


def test_freeze_of_the_same_account() -> None:
    # It is not frozen before the commit, and is not afterwards either if others have passed the mark meanwhile.
    with connect() as connection, connect() as other:
        path = tenant(connection)
        connection.execute("SELECT tb_create_budget(%s, 'tokens', 100, freeze_at => 50)", [path])
        other.execute(f"SET statement_timeout = '{PATIENCE}'")
        with connection.transaction():
            charge(connection, path, 60)
            release(other, try_hold(other, path, 1))
        check_ledger(connection)
        assert connection.execute("SELECT status FROM tokbudget.account WHERE path = %s", [path]).fetchone()[0] == "frozen"


def test_key() -> None:
    def keyed(client: psycopg.Connection, scene: Scene) -> None:
        try_hold(client, scene.here, 5, key="reserve")
        charge(client, scene.here, 5, key="charge")

    keeps_nobody(keyed)


def waits(other: psycopg.Connection, work: Callable[[], object]) -> None:
    try:
        work()
    except psycopg.errors.QueryCanceled:
        return
    raise AssertionError("it did not wait")


def test_only_duplicates_wait() -> None:
    with connect() as connection, connect() as other:
        scene = Scene(connection)
        other.execute("SET statement_timeout = '300ms'")
        with connection.transaction():
            reservation = try_hold(connection, scene.here, 5, key="once")
            waits(other, lambda: try_hold(other, scene.here, 5, key="once"))
            commit(connection, scene.held[0], 3)
            waits(other, lambda: commit(other, scene.held[0], 3))
            waits(other, lambda: release(other, scene.held[0]))
            assert try_hold(other, scene.here, 5, key="another one")
        assert try_hold(other, scene.here, 5, key="once") == reservation
        check_ledger(connection)


def test_first_use() -> None:
    keeps_nobody(lambda client, scene: try_hold(client, f"{scene.root}/team/new", 5))
    with connect() as connection, connect() as other:
        scene = Scene(connection)
        other.execute("SET statement_timeout = '300ms'")
        with connection.transaction():
            assert try_hold(connection, f"{scene.root}/team/ada", 5)
            waits(other, lambda: try_hold(other, f"{scene.root}/team/ada", 5))
            assert try_hold(other, f"{scene.root}/team/bob", 5)
        assert try_hold(other, f"{scene.root}/team/ada", 495) and not try_hold(other, f"{scene.root}/team/ada", 1)
        check_ledger(connection)


def test_everything_else() -> None:
    def work(client: psycopg.Connection, scene: Scene) -> None:
        release(client, scene.held[0])
        client.execute("SELECT tb_extend(%s, 20)", [scene.held[1]])
        commit(client, scene.held[1], 5)
        # Corrections of a tenant wait for each other, and for nobody else.
        client.execute("SELECT tb_adjust(%s, 0.5, 'test')", [charge(client, scene.here, 4)])
        items = [{"account": path, "input_tokens": 2} for path in (scene.there, scene.here)]
        client.execute("SELECT count(allowed) FROM tb_reserve_many(%s)", [json.dumps(items)])
        assert try_hold(client, scene.here, 10**6) is None
        standing(client, scene.here)
        client.execute("SELECT count(*) FROM tb_verify()")

    keeps_nobody(work)


def test_sweep() -> None:
    def expired(client: psycopg.Connection, scene: Scene) -> None:
        for path in (scene.here, scene.there):
            assert try_hold(client, path, 100, ttl="1 second")
        client.execute("SELECT pg_sleep(1.1)")

    keeps_nobody(lambda client, scene: client.execute("SELECT tb_expire()"), before=expired)
    keeps_nobody(lambda client, scene: client.execute("SELECT tb_maintain()"), before=expired)


def test_an_old_snapshot() -> None:
    for isolation in ("REPEATABLE READ", "SERIALIZABLE"):
        with connect() as connection, connect() as other:
            scene = Scene(connection)
            other.execute(f"SET statement_timeout = '{PATIENCE}'")
            connection.execute(f"BEGIN ISOLATION LEVEL {isolation}")
            try_hold(connection, scene.here, 100)
            scene.everybody_else(other)
            # What others have done since counts here too.
            assert try_hold(connection, scene.here, 5)
            charge(connection, scene.here, 5)
            connection.execute("COMMIT")
            check_ledger(connection)


def test_reading_beside_a_new_configuration() -> None:
    with connect() as connection, connect() as other:
        scene = Scene(connection)
        other.execute(f"SET statement_timeout = '{PATIENCE}'")
        with connection.transaction():
            connection.execute("SELECT tb_change_budget(%s, amount => 2000)", [scene.budget])
            scene.everybody_else(other)
        check_ledger(connection)


if __name__ == "__main__":
    harness.run(__name__)
