"""Restarts and crashes: what was committed counts, what was not is gone, with a checkpoint and without."""

import os
import signal
import time
from pathlib import Path

import psycopg

import harness
import server
from escrow import charge, check_ledger, commit, connect, in_flight, left, release, standing, tenant, try_hold

LIMIT = 1000


class Scene:
    """Committed: 40 spent, 110 held. In flight: more of each, in transactions that stay open."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self.path = tenant(connection, ("tokens", LIMIT, "month"), ("requests", 10**6))
        self.held = [try_hold(connection, self.path, 60), try_hold(connection, self.path, 50), try_hold(connection, self.path, 70)]
        charge(connection, self.path, 30)
        commit(connection, self.held[2], 10)
        self.open = [connect() for _ in range(3)]
        for client in self.open:
            client.execute("BEGIN")
            assert try_hold(client, self.path, 100)
            charge(client, self.path, 20)
        self.open[0].execute("SAVEPOINT s")
        commit(self.open[0], self.held[0], 60)
        release(self.open[1], self.held[1])
        assert in_flight(connection) >= 2

    def holds(self) -> None:
        with connect() as connection:
            assert in_flight(connection) == 0
            assert standing(connection, self.path)[self.path, "tokens"] == (40, 110, LIMIT - 150)
            assert left(connection, self.path) == LIMIT - 150
            check_ledger(connection)
            commit(connection, self.held[0], 60)
            release(connection, self.held[1])
            assert standing(connection, self.path)[self.path, "tokens"] == (100, 0, LIMIT - 100)
            check_ledger(connection)


def crash_of_a_backend(scene: Scene) -> None:
    os.kill(scene.open[0].info.backend_pid, signal.SIGKILL)
    # All sessions end before the server comes back.
    end = time.monotonic() + 20
    while any(Path(f"/proc/{client.info.backend_pid}/cmdline").exists() for client in scene.open[1:]):
        assert time.monotonic() < end
        time.sleep(0.02)
    server.await_up()


def test_backend_killed() -> None:
    for is_checkpointed in (False, True):
        with connect() as connection:
            scene = Scene(connection)
            if is_checkpointed:
                connection.execute("SELECT tokbudget._take_checkpoint()")
        crash_of_a_backend(scene)
        scene.holds()


def test_server_restarted() -> None:
    for is_immediate in (False, True):
        with connect() as connection:
            scene = Scene(connection)
            if is_immediate:
                connection.execute("SELECT tokbudget._take_checkpoint()")
                charge(connection, scene.path, 0)
        server.restart(server.ESCROW, is_immediate=is_immediate)
        scene.holds()


def test_the_launcher_comes_back() -> None:
    with connect() as connection:
        pid, = connection.execute("SELECT pid FROM pg_stat_activity WHERE backend_type = 'tokbudget launcher'").fetchone()
        connection.execute("SELECT pg_terminate_backend(%s)", [pid])
        end = time.monotonic() + 10
        while not connection.execute("SELECT 1 FROM pg_stat_activity WHERE backend_type = 'tokbudget launcher' AND pid <> %s", [pid]).fetchone():
            assert time.monotonic() < end, "no launcher"
            time.sleep(0.1)


if __name__ == "__main__":
    harness.run(__name__)
