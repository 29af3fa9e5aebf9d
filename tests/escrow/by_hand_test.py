"""Changes that a superuser makes to the tables by hand: tb_verify() tells of them, tb_reload() has the engine follow."""

import threading

import psycopg

import harness
from escrow import charge, check_ledger, connect, left, nothing_in_flight, standing, tenant, try_hold

LIMIT = 100


def differences(connection: psycopg.Connection) -> list[tuple]:
    return connection.execute("SELECT spent_units_ledger, spent_units_balance, held_units_ledger, held_units_balance FROM tb_verify()").fetchall()


def used(connection: psycopg.Connection) -> str:
    path = tenant(connection, ("tokens", LIMIT))
    charge(connection, path, 20)
    assert try_hold(connection, path, 30)
    assert standing(connection, path)[path, "tokens"] == (20, 30, 50)
    # What is in memory is in the balance row too.
    connection.execute("SELECT tokbudget._take_checkpoint()")
    return path


def by_hand(statement: str, expected: tuple) -> None:
    """As it stands after the statement, once everything has been read anew."""
    with connect() as connection:
        path = used(connection)
        tenant_id, = connection.execute("SELECT tenant_id FROM tokbudget.tenant WHERE name = %s", [path]).fetchone()
        check_ledger(connection)
        with connection.transaction():
            connection.execute("SET LOCAL session_replication_role = replica")
            connection.execute(statement.format(tenant_id=tenant_id))
        assert differences(connection), "nothing is told"
        connection.execute("SELECT tb_reload()")
        check_ledger(connection)
        assert standing(connection, path)[path, "tokens"] == expected
        assert left(connection, path) == expected[2]
        check_ledger(connection)


def test_balance_changed() -> None:
    by_hand("UPDATE tokbudget.balance SET spent_units = spent_units + 7 WHERE tenant_id = {tenant_id}", (20, 30, 50))


def test_balance_deleted() -> None:
    by_hand("DELETE FROM tokbudget.balance WHERE tenant_id = {tenant_id}", (20, 30, 50))


def test_balance_of_nothing() -> None:
    by_hand("INSERT INTO tokbudget.balance (tenant_id, budget_id, window_start, spent_units) SELECT tenant_id, 12345, '2020-01-01', 5 FROM tokbudget.tenant WHERE tenant_id = {tenant_id}",
            (20, 30, 50))


def test_reservation_deleted() -> None:
    by_hand("DELETE FROM tokbudget.reservation WHERE tenant_id = {tenant_id}", (20, 0, 80))


def test_reservation_changed() -> None:
    by_hand("UPDATE tokbudget.reservation SET held_units = '{{40}}' WHERE tenant_id = {tenant_id}", (20, 40, 40))


def test_checkpoint_deleted() -> None:
    # As if the other engine had been here: taken over again, with nothing lost.
    with connect() as connection:
        path = used(connection)
        connection.execute("DELETE FROM tokbudget.checkpoint")
        assert try_hold(connection, path, 10)
        connection.execute("SELECT tb_reload()")
        assert standing(connection, path)[path, "tokens"] == (20, 40, 40)
        check_ledger(connection)


def test_reload_in_the_middle() -> None:
    # In the transaction of the change itself, while others read what it has not committed yet; kept, and rolled back.
    for is_kept in (True, False):
        for is_in_savepoint in (True, False):
            with connect() as connection, connect() as other:
                path = used(connection)
                connection.execute("BEGIN")
                if is_in_savepoint:
                    connection.execute("SAVEPOINT s")
                connection.execute("DELETE FROM tokbudget.reservation WHERE tenant_id = (SELECT tenant_id FROM tokbudget.tenant WHERE name = %s)", [path])
                connection.execute("SELECT tb_reload()")
                # Whoever is first to read it reads what he sees.
                if not is_kept:
                    assert standing(connection, path)[path, "tokens"] == (20, 0, 80)
                other.execute("SET statement_timeout = '1s'")
                standing(other, path)
                if is_in_savepoint:
                    connection.execute("RELEASE SAVEPOINT s" if is_kept else "ROLLBACK TO SAVEPOINT s")
                    standing(connection, path)
                    standing(other, path)
                connection.execute("COMMIT" if is_kept else "ROLLBACK")
                check_ledger(connection)
                assert standing(other, path)[path, "tokens"] == ((20, 0, 80) if is_kept else (20, 30, 50))
                left(other, path)
                check_ledger(connection)


def test_reload_beside_what_is_in_flight() -> None:
    with connect() as connection, connect() as other:
        path = used(connection)
        with other.transaction():
            assert try_hold(other, path, 10)
            assert connection.execute("SELECT tb_reload()").fetchone()[0] == 1
            assert left(connection, path) == 40
            assert try_hold(other, path, 5)
            assert left(connection, path) == 35
        assert left(connection, path) == 35
        nothing_in_flight(connection)
        check_ledger(connection)


def test_who_may_reload() -> None:
    with connect() as connection:
        connection.execute("CREATE ROLE escrow_nobody")
        try:
            connection.execute("SET ROLE escrow_nobody")
            connection.execute("SELECT tb_reload()")
        except psycopg.errors.InsufficientPrivilege:
            pass
        else:
            raise AssertionError("anybody may")
        finally:
            connection.execute("RESET ROLE")
            connection.execute("DROP ROLE escrow_nobody")
        for isolation in ("REPEATABLE READ", "SERIALIZABLE"):
            try:
                with connection.transaction():
                    connection.execute(f"SET TRANSACTION ISOLATION LEVEL {isolation}")
                    connection.execute("SELECT tb_reload()")
            except psycopg.Error as error:
                assert error.sqlstate == "TB011"


def test_extension_made_anew() -> None:
    # In one transaction, rolled back and kept: what is in memory belongs to the tables that are there.
    with connect() as connection:
        path = used(connection)
        with connection.transaction(force_rollback=True):
            connection.execute("SET LOCAL client_min_messages = warning; DROP EXTENSION tokbudget CASCADE; CREATE EXTENSION tokbudget")
            other = used(connection)
            assert standing(connection, other)[other, "tokens"] == (20, 30, 50)
        check_ledger(connection)
        assert standing(connection, path)[path, "tokens"] == (20, 30, 50)
        connection.execute("SET client_min_messages = warning; DROP EXTENSION tokbudget CASCADE; CREATE EXTENSION tokbudget")
        path = used(connection)
        left(connection, path)
        check_ledger(connection)


if __name__ == "__main__":
    harness.run(__name__)
