"""Scratch clusters whose commits wait as long as they are told."""

import os
import pathlib
import shutil
import signal
import struct
import subprocess
import time

from session import Session

ROOT = pathlib.Path(__file__).resolve().parents[2]
CLUSTER = str(ROOT / "pgrx-config/cluster.sh")
# Nothing but the load writes, commits are as durable as a real server's (sync.c makes them cheap), and everything stays in
# memory.
SETTINGS = [
    "shared_buffers = 1GB",
    "fsync = on",
    "full_page_writes = on",
    "wal_sync_method = fdatasync",
    "synchronous_commit = on",
    "autovacuum = off",
    "max_wal_size = 16GB",
    "checkpoint_timeout = 1h",
    "checkpoint_flush_after = 0",
    "max_connections = 100",
    # Room for every budget of the largest measurement.
    "tokbudget.balances_max = 262144",
]


def shell(command: str, *arguments: str) -> str:
    done = subprocess.run(["bash", "-c", f"set -euo pipefail; {command}", "bash", *arguments], stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(done.returncode)
    return done.stdout


def hold_signals() -> None:
    """What has begun to clean up finishes."""
    for number in [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]:
        signal.signal(number, signal.SIG_IGN)


class Sync:
    """The library that stands in for the disk, and how long a commit waits."""

    def __init__(self) -> None:
        # Among the clusters, because the server's user can enter there, and `make clean` finds what a crash left.
        clusters = shell('. "$1/pgrx-config/lib.sh"; echo "$TB_CLUSTERS"', str(ROOT)).strip()
        self.directory = pathlib.Path(clusters) / f"sync-{os.getpid()}"
        self.library = self.directory / "sync.so"
        self.delay = self.directory / "delay"

    def __enter__(self) -> "Sync":
        try:
            self.directory.mkdir(mode=0o755, parents=True)
            source = str(pathlib.Path(__file__).with_name("sync.c"))
            command = ["cc", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", str(self.library), source]
            subprocess.run(command, check=True)
            self.delay.write_bytes(struct.pack("q", 0))
            self.delay.chmod(0o644)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        hold_signals()
        shutil.rmtree(self.directory, ignore_errors=True)

    def set(self, milliseconds: float) -> None:
        with self.delay.open("r+b") as file:
            file.write(struct.pack("q", round(milliseconds * 1_000_000)))

    def environment(self) -> dict[str, str]:
        return {"LD_PRELOAD": str(self.library), "TB_SYNC_DELAY_FILE": str(self.delay)}


class Cluster:
    """One server, with the library preloaded."""

    def __init__(self, name: str, sync: Sync, settings: list[str]) -> None:
        self.name = f"bench-{name}-{os.getpid()}"
        self.sync = sync
        self.settings = SETTINGS + settings
        self.environment: dict[str, str] = {}

    def __enter__(self) -> "Cluster":
        try:
            options = ["--preload"]
            for line in self.settings:
                options += ["--conf", line]
            self.start(*options)
            self.check_sync()
            # To ask for the engine.
            with self.session("postgres") as session:
                session.run("CREATE EXTENSION tokbudget")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        hold_signals()
        subprocess.run([CLUSTER, "stop", self.name])

    def start(self, *options: str) -> None:
        subprocess.run([CLUSTER, "start", self.name, *options], check=True, env=os.environ | self.sync.environment())
        text = shell('eval "$("$1" env "$2")"; env -0', CLUSTER, self.name)
        self.environment = dict(line.split("=", 1) for line in text.split("\0") if "=" in line)

    def restart(self) -> None:
        subprocess.run([CLUSTER, "stop", self.name, "--keep"], check=True)
        self.start()

    def crash(self) -> None:
        """Ends the server without its shutdown checkpoint, and starts it again."""
        process = int(pathlib.Path(self.environment["PGDATA"], "postmaster.pid").read_text().split()[0])
        os.kill(process, signal.SIGQUIT)
        self.restart()

    def session(self, database: str) -> Session:
        return Session(database, self.environment)

    def create(self, database: str) -> None:
        with self.session("postgres") as session:
            session.run(f"CREATE DATABASE {database} STRATEGY file_copy")
        with self.session(database) as session:
            session.run("CREATE EXTENSION tokbudget")

    def drop(self, database: str) -> None:
        with self.session("postgres") as session:
            session.run(f"DROP DATABASE {database} WITH (FORCE)")

    def check_sync(self) -> None:
        """A server that does not wait as told would make every figure wrong."""
        with self.session("postgres") as session:
            self.sync.set(50)
            begun = time.perf_counter()
            session.run("CREATE TABLE sync_check ()")
            seconds = time.perf_counter() - begun
            self.sync.set(0)
            session.run("DROP TABLE sync_check")
        if seconds < 0.05:
            raise SystemExit(f"a commit that should wait 50 ms took {seconds * 1000:.1f}: the library is not in place")

    def engine(self) -> str:
        """What the server says that it runs; a library that has only one engine says nothing."""
        with self.session("postgres") as session:
            asked = session.try_run("SELECT tb_engine()")
            return asked.value if asked.sqlstate == "00000" else "rows"

    def statistics(self, database: str) -> str:
        with self.session(database) as session:
            if session.run("SELECT to_regclass('tokbudget.tb_stat') IS NULL").value == "t":
                return "none: there is no tokbudget.tb_stat"
            return session.run("SELECT to_jsonb(tb_stat) FROM tokbudget.tb_stat").value
