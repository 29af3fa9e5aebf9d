"""Many connections at once, and what must hold afterwards."""

import threading
import uuid
from collections import Counter
from collections.abc import Callable

import psycopg

CLIENTS = 16


def connect() -> psycopg.Connection:
    return psycopg.connect(autocommit=True)


def name() -> str:
    return uuid.uuid4().hex[:12]


class Clients:
    """Runs `work(connection, number)` on as many connections at once; what a client raises ends the test."""

    def __init__(self, count: int = CLIENTS) -> None:
        self.count = count

    def run(self, work: Callable[[psycopg.Connection, int], None]) -> None:
        failures: list[BaseException] = []
        ready = threading.Barrier(self.count)

        def client(number: int) -> None:
            try:
                with connect() as connection:
                    ready.wait()
                    work(connection, number)
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=client, args=[number]) for number in range(self.count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failures:
            raise failures[0]


class Tally:
    """Counts from several threads."""

    def __init__(self) -> None:
        self.lock, self.counts = threading.Lock(), Counter()

    def add(self, what: object) -> None:
        with self.lock:
            self.counts[what] += 1

    def __getitem__(self, what: object) -> int:
        return self.counts[what]


class Pool:
    """Hands each item out once."""

    def __init__(self, items: list) -> None:
        self.lock, self.items = threading.Lock(), list(items)

    def take(self) -> object | None:
        with self.lock:
            return self.items.pop() if self.items else None


def standing(connection: psycopg.Connection, path: str) -> dict[tuple[str, str], tuple]:
    """Spent, held and remaining of each budget, by account and meter."""
    rows = connection.execute("SELECT account, meter, spent, held, remaining FROM tb_remaining(%s)", [path])
    return {(account, meter): (spent, held, remaining) for account, meter, spent, held, remaining in rows}


def check_ledger(connection: psycopg.Connection) -> None:
    """Balance equals ledger, and no slot is over that never may be."""
    assert connection.execute("SELECT * FROM tb_verify()").fetchall() == []


def tenant(connection: psycopg.Connection, *budgets: tuple) -> str:
    """A new root account with budgets: (meter, amount[, every])."""
    path = name()
    connection.execute("SELECT tb_create_account(%s)", [path])
    for budget in budgets:
        create_budget(connection, path, *budget)
    return path


def create_budget(connection: psycopg.Connection, path: str, meter: str, amount: object, every: str | None = None) -> None:
    connection.execute("SELECT tb_create_budget(%s, %s, %s, %s)", [path, meter, amount, every])


def try_hold(connection: psycopg.Connection, path: str, tokens: int = 1, also: list[str] | None = None, key: str | None = None,
             ttl: str = "10 minutes") -> str | None:
    """The reservation, or None where the budget lacks room; any other refusal is an error."""
    allowed, code, reservation = connection.execute(
        "SELECT allowed, code, reservation::text FROM tb_try_reserve(%s, input_tokens => %s, also => %s, idempotency_key => %s, ttl => %s)",
        [path, tokens, also or [], key, ttl]).fetchone()
    assert allowed or code == "TB001", code
    return reservation


def commit(connection: psycopg.Connection, reservation: str, tokens: int) -> str:
    """The entry."""
    return connection.execute("SELECT entry::text FROM tb_commit(%s, %s)",
                              [reservation, f'{{"input_tokens": {tokens}, "output_tokens": 0}}']).fetchone()[0]
