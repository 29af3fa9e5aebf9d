"""Stops and starts the suite's cluster, under one engine or the other."""

import os
import subprocess
import time
from pathlib import Path

import psycopg

ROOT = Path(__file__).resolve().parents[2]
CLUSTER = os.environ["TB_ESCROW_CLUSTER"]
SCRIPT = ROOT / "pgrx-config" / "cluster.sh"
DATA = os.environ["PGDATA"]

ESCROW = ["shared_preload_libraries = 'tokbudget'", "tokbudget.engine = auto"]
ROWS = ["shared_preload_libraries = 'tokbudget'", "tokbudget.engine = rows"]
NOT_PRELOADED = ["shared_preload_libraries = ''"]


def start(settings: list[str], *more: str) -> None:
    """The last line of a configuration counts."""
    lines = [argument for line in [*settings, *more] for argument in ("--conf", line)]
    subprocess.run([SCRIPT, "start", CLUSTER, *lines], check=True, stdin=subprocess.DEVNULL)


def stop(is_immediate: bool = False) -> None:
    if is_immediate:
        process = int(Path(DATA).parent.joinpath("pid").read_text())
        os.kill(process, 3)
        while subprocess.run([SCRIPT, "status", CLUSTER]).returncode == 0:
            time.sleep(0.05)
    else:
        subprocess.run([SCRIPT, "stop", CLUSTER, "--keep"], check=True)


def restart(settings: list[str], *more: str, is_immediate: bool = False) -> None:
    stop(is_immediate)
    start(settings, *more)


def await_up() -> None:
    """After a crash of a backend the server starts itself again."""
    end = time.monotonic() + 60
    while True:
        try:
            psycopg.connect().close()
            return
        except psycopg.OperationalError:
            assert time.monotonic() < end, "the server does not come back"
            time.sleep(0.05)
