"""A budget gets another schedule while others hold and spend: no spend is lost, whoever waits goes on, nothing is decided on the old one."""

import random
import threading
import time

import psycopg

import harness
from clients import Clients, Tally
from escrow import charge, check_ledger, commit, connect, left, nothing_in_flight, release, standing, tenant, try_hold, wait_until

LIMIT = 10**6


def budget_of(connection: psycopg.Connection, path: str) -> int:
    return connection.execute("SELECT budget FROM tb_budgets(%s) WHERE account = %s", [path, path]).fetchone()[0]


def change(connection: psycopg.Connection, budget: int, every: str) -> None:
    connection.execute("SELECT tb_change_budget(%s, every => %s)", [budget, every])


def spent_by_ledger(connection: psycopg.Connection, path: str, since: str = "-infinity") -> int:
    return connection.execute("""SELECT COALESCE(sum(input_tokens), 0) FROM tokbudget.entry JOIN tokbudget.account USING (tenant_id, account_id)
        WHERE path = %s AND reserved_at >= %s""", [path, since]).fetchone()[0]


def in_thread(work) -> tuple[threading.Thread, list]:
    result = []

    def run() -> None:
        try:
            result.append(work())
        except psycopg.Error as error:
            result.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, result


def waiting(connection: psycopg.Connection, client: psycopg.Connection) -> None:
    wait_until(connection, "EXISTS (SELECT FROM pg_locks WHERE pid = %s AND NOT granted)", [client.info.backend_pid], seconds=5)


def test_open_holds_settle_where_they_were_made() -> None:
    with connect() as connection:
        path = tenant(connection, ("tokens", 100, "month"))
        charge(connection, path, 20)
        held = [try_hold(connection, path, 10) for _ in range(3)]
        change(connection, budget_of(connection, path), "day")
        check_ledger(connection)
        commit(connection, held[0], 7)
        release(connection, held[1])
        check_ledger(connection)
        assert standing(connection, path)[path, "tokens"] == (20, 0, 80)
        windows = connection.execute("SELECT spent, held FROM tb_windows(%s) ORDER BY window_start", [path]).fetchall()
        # On the first of a month both schedules have the same window.
        assert windows in ([(27, 10), (20, 0)], [(27, 10)]), windows
        assert left(connection, path) == 80
        check_ledger(connection)


def test_others_wait_for_the_change_and_go_on() -> None:
    for is_kept in (True, False):
        with connect() as connection, connect() as other, connect() as third:
            path = tenant(connection, ("tokens", 100, "month"))
            charge(connection, path, 20)
            with connection.transaction(force_rollback=not is_kept):
                change(connection, budget_of(connection, path), "day")
                thread, result = in_thread(lambda: charge(other, path, 5))
                waiting(third, other)
            thread.join()
            # Who has waited is told to begin anew where the schedule is another one now.
            assert isinstance(result[0], psycopg.errors.SerializationFailure if is_kept else str), result
            if is_kept:
                charge(other, path, 5)
            nothing_in_flight(connection)
            assert standing(connection, path)[path, "tokens"] == (25, 0, 75)
            assert left(third, path) == 75
            check_ledger(connection)


def test_the_change_waits_for_what_is_in_flight() -> None:
    for is_kept in (True, False):
        with connect() as connection, connect() as other:
            path = tenant(connection, ("tokens", 100, "month"))
            other.execute("BEGIN")
            charge(other, path, 20)
            thread, result = in_thread(lambda: change(connection, budget_of(connection, path), "day"))
            time.sleep(0.3)
            assert thread.is_alive(), result
            other.execute("COMMIT" if is_kept else "ROLLBACK")
            thread.join()
            assert result == [None], result
            assert standing(other, path)[path, "tokens"] == ((20, 0, 80) if is_kept else (0, 0, 100))
            left(other, path)
            check_ledger(other)


def test_one_that_has_something_in_flight_meets_the_change() -> None:
    # Each would wait for the other: the one that spends is told to begin anew, and the change goes on.
    with connect() as connection, connect() as other:
        path = tenant(connection, ("tokens", 100, "month"))
        other.execute("BEGIN")
        charge(other, path, 20)
        thread, result = in_thread(lambda: change(connection, budget_of(connection, path), "day"))
        time.sleep(0.3)
        begin = time.monotonic()
        try:
            charge(other, path, 5)
        except psycopg.errors.SerializationFailure:
            pass
        else:
            raise AssertionError("decided on a schedule that is being changed")
        assert time.monotonic() - begin < 5
        other.execute("ROLLBACK")
        thread.join()
        assert result == [None], result
        charge(other, path, 5)
        assert standing(other, path)[path, "tokens"] == (5, 0, 95)
        check_ledger(other)


def test_an_old_snapshot_meets_a_new_schedule() -> None:
    for isolation in ("REPEATABLE READ", "SERIALIZABLE"):
        with connect() as connection, connect() as other:
            path = tenant(connection, ("tokens", 100, "month"))
            other.execute(f"BEGIN ISOLATION LEVEL {isolation}")
            other.execute("SELECT 1")
            change(connection, budget_of(connection, path), "day")
            charge(connection, path, 30)
            try:
                charge(other, path, 5)
                other.execute("COMMIT")
                spent = 35
            except psycopg.errors.SerializationFailure:
                other.execute("ROLLBACK")
                spent = 30
            check_ledger(connection)
            assert standing(connection, path)[path, "tokens"] == (spent, 0, 100 - spent), (isolation, spent, standing(connection, path))
            assert left(connection, path) == 100 - spent


def test_many_changes_under_load() -> None:
    with connect() as connection, connect() as changer:
        path = tenant(connection, ("tokens", LIMIT, "month"))
        budget, tally, end = budget_of(connection, path), Tally(), time.monotonic() + 5
        changer.execute("SET lock_timeout = '5s'")

        def keep_changing() -> None:
            while time.monotonic() < end:
                for every in ("day", "month", "week"):
                    try:
                        with changer.transaction(force_rollback=random.random() < 0.3):
                            change(changer, budget, every)
                        tally.add("changed")
                    except psycopg.errors.SerializationFailure:
                        tally.add("not changed")
                    time.sleep(0.02)
            change(changer, budget, "month")

        thread, result = in_thread(keep_changing)

        def work(client: psycopg.Connection, number: int) -> None:
            while time.monotonic() < end:
                spent = 0
                try:
                    with client.transaction(force_rollback=random.random() < 0.2) as transaction:
                        for _ in range(random.randint(1, 2)):
                            match random.randrange(3):
                                case 0:
                                    charge(client, path, 2)
                                    spent += 2
                                case 1:
                                    commit(client, try_hold(client, path, 5), 3)
                                    spent += 3
                                case 2:
                                    release(client, try_hold(client, path, 5))
                        is_kept = not transaction.force_rollback
                    if is_kept:
                        for _ in range(spent):
                            tally.add("token")
                        tally.add("kept")
                except psycopg.errors.SerializationFailure:
                    tally.add("serialization failure")

        Clients(12).run(work)
        thread.join()
        print(f"  {dict(tally.counts)}")
        assert result == [None] and tally["changed"] > 3 and tally["kept"] > 10
        nothing_in_flight(connection)
        check_ledger(connection)
        assert spent_by_ledger(connection, path) == tally["token"]
        # Those that hold settle in the window in which they held, so the ledger says how much belongs to which.
        assert standing(connection, path)[path, "tokens"] == (tally["token"], 0, LIMIT - tally["token"])
        left(connection, path)
        check_ledger(connection)


if __name__ == "__main__":
    harness.run(__name__)
