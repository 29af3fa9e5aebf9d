"""Rollbacks, cancels, timeouts and killed sessions at random moments, sweeps beside spending: nothing is lost or kept."""

import random
import threading
import time

import psycopg

import harness
from clients import Clients, Tally, check_ledger, commit, connect, create_budget, standing, tenant, try_hold

SECONDS = 8
# Cancelled, killed, lock not available, and what a client sees of a session that is gone.
DISTURBED = {"57014", "57P01", "55P03", None}

EXCEPTION_BLOCK = """
    DO $$
    DECLARE
        held uuid;
    BEGIN
        held := (tb_reserve('{path}', input_tokens => 2)).reservation;
        BEGIN
            PERFORM tb_commit(held, '{{"input_tokens": 1, "output_tokens": 0}}');
            PERFORM tb_reserve('{path}', input_tokens => 1);
            RAISE EXCEPTION 'undone' USING ERRCODE = 'U0001';
        EXCEPTION WHEN SQLSTATE 'U0001' THEN
            PERFORM tb_release(held);
        END;
    EXCEPTION WHEN SQLSTATE 'TB001' THEN
        NULL;
    END;
    $$
"""


def use(client: psycopg.Connection, path: str, tally: Tally) -> None:
    """One of the ways in which an application spends, in sessions that may end at any moment."""
    match random.randrange(7):
        case 0:
            if reservation := try_hold(client, path, 2):
                commit(client, reservation, 1)
        case 1:
            with client.transaction(force_rollback=random.random() < 0.5):
                if reservation := try_hold(client, path, 3):
                    commit(client, reservation, 3)
        case 2:
            with client.transaction():
                try_hold(client, path)
                with client.transaction(force_rollback=True):
                    if reservation := try_hold(client, path, 2):
                        commit(client, reservation, 2)
                if reservation := try_hold(client, path, 2):
                    client.execute("SELECT tb_release(%s)", [reservation])
        case 3:
            client.execute(EXCEPTION_BLOCK.format(path=path))
        case 4:
            with client.transaction():
                try_hold(client, path)
                # Others wait for its locks, and some not long enough.
                client.execute("SELECT pg_sleep(%s)", [random.random() / 50])
        case 5:
            setting = random.choice(["statement_timeout", "lock_timeout"])
            with client.transaction():
                client.execute(f"SET LOCAL {setting} = {random.randint(1, 12)}")
                try_hold(client, path, 2)
        case 6:
            if reservation := try_hold(client, path, ttl="1 second"):
                client.execute("SELECT tb_extend(%s, 1)", [reservation])
    tally.add("done")


def is_expected(error: psycopg.Error) -> bool:
    return error.sqlstate in DISTURBED or error.sqlstate in ("TB001", "TB004")


def disturb(path: str, tally: Tally, end: float, attack: str) -> None:
    with connect() as connection:
        while time.monotonic() < end:
            row = connection.execute(f"""SELECT {attack}(pid) FROM pg_stat_activity
                WHERE application_name = %s AND pid <> pg_backend_pid() ORDER BY random() LIMIT 1""", [path]).fetchone()
            tally.add(attack if row else "nobody there")
            time.sleep(random.random() / 8)


def test_sessions_that_end_at_any_moment() -> None:
    with connect() as connection:
        limit = 3000
        path, tally = tenant(connection, ("tokens", limit), ("requests", 10**6, "minute")), Tally()
        child = f"{path}/child"
        connection.execute("SELECT tb_create_account(%s)", [child])
        create_budget(connection, child, "tokens", 10**6)
        end = time.monotonic() + SECONDS
        attackers = [threading.Thread(target=disturb, args=[path, tally, end, attack])
                     for attack in ("pg_cancel_backend", "pg_terminate_backend")]
        for attacker in attackers:
            attacker.start()

        def work(client: psycopg.Connection, number: int) -> None:
            client.close()
            while time.monotonic() < end:
                try:
                    with psycopg.connect(autocommit=True, application_name=path) as session:
                        while time.monotonic() < end:
                            try:
                                use(session, random.choice([path, child]), tally)
                            except psycopg.Error as error:
                                if not is_expected(error):
                                    raise
                                tally.add(error.sqlstate)
                                # A cancel may hit psycopg between its BEGIN and its own count of transactions, which is
                                # wrong from then on: the session is not used again.
                                break
                except psycopg.OperationalError as error:
                    if not is_expected(error):
                        raise

        Clients(12).run(work)
        for attacker in attackers:
            attacker.join()
        print(f"  {dict(tally.counts)}")
        assert tally["done"] > 50 and tally["57014"] > 0 and tally["57P01"] + tally[None] > 0, tally.counts
        check_ledger(connection)
        # What is left can be had, all of it, once the short holds have expired.
        time.sleep(1.1)
        spent, held, remaining = standing(connection, path)[path, "tokens"]
        assert remaining == limit - spent - held and remaining >= 0, (spent, held, remaining)
        allowed = Tally()
        tokens = max(int(remaining) // 40, 1)
        Clients(8).run(lambda client, _: [allowed.add(True) for _ in range(60) if try_hold(client, path, tokens)])
        assert allowed[True] == remaining // tokens, (allowed.counts, remaining, tokens)
        check_ledger(connection)


def test_sweeps_beside_spending() -> None:
    # Time runs 60 times as fast, so that holds expire while they are swept, committed and replaced.
    with connect() as connection:
        limit, begin = 60, time.monotonic()
        path, tally = tenant(connection, ("tokens", limit)), Tally()

        def tick(client: psycopg.Connection) -> None:
            client.execute("SELECT set_config('tokbudget.clock', (timestamptz '2026-07-01 12:00:00+00' + %s * interval '1 minute')::text, false)",
                           [time.monotonic() - begin])

        def work(client: psycopg.Connection, number: int) -> None:
            while time.monotonic() < begin + 6:
                tick(client)
                if number == 0:
                    tally.add(("expired", client.execute("SELECT tb_expire()").fetchone()[0] > 0))
                elif number == 1:
                    client.execute("SELECT tb_maintain(1)")
                    tally.add("maintained")
                elif reservation := try_hold(client, path, 3, ttl="30 seconds"):
                    tally.add("held")
                    if random.random() < 0.02:
                        commit(client, reservation, 1)
                        tally.add("committed")
                    elif random.random() < 0.3:
                        client.execute("SELECT tb_release(%s)", [reservation])
                else:
                    tally.add("refused")

        Clients(10).run(work)
        print(f"  {tally.counts}")
        tick(connection)
        spent, held, remaining = standing(connection, path)[path, "tokens"]
        # A commit after the expiry is the truth, whoever has its room by then; here each comes at once.
        assert spent == tally["committed"] and spent + held <= limit and remaining == limit - spent - held
        assert tally["held"] > limit // 3 and tally["refused"] > 0 and tally["maintained"] > 0, tally.counts
        check_ledger(connection)


if __name__ == "__main__":
    harness.run(__name__)
