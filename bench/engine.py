#!/usr/bin/env python3
"""The escrow engine beside the rows engine and beside bare INSERTs, on clusters of its own.

engine.py [--quick] [--full] [--only N]...: with what is installed in the private PostgreSQL. --quick takes fewer rounds and
smaller tables, and leaves out 6; --full has a ledger of 10 million entries; --only takes the measurement of that number, 1 to 8.
"""

import argparse
import contextlib
import signal
import time
from collections.abc import Callable

import table
from escrow import batches, budgets, cycle, depth, held_open, hot, ledger, memory
from escrow.bench import Bench
from escrow.clusters import Cluster, Sync

PARTS = range(1, 9)


def stop(*_: object) -> None:
    raise SystemExit(130)


def about(bench: Bench) -> None:
    for name, cluster in [("escrow", bench.escrow), ("rows", bench.rows)]:
        print(f"cluster {name} runs the engine: {cluster.engine()}")
    if not bench.has_escrow:
        print("ESCROW IS NOT AVAILABLE in what is installed: the figures under that name are those of rows.")
    print(
        "Both servers are up at once and take turns. A preloaded library stands in for the disk: where the server waits for its\n"
        "log (fsync = on, wal_sync_method = fdatasync) it sleeps for the commit latency that is given, and writes nothing\n"
        "through. Rates are those of pgbench with prepared statements, medians of rounds; ratios are taken within a round.\n"
        f"Rounds: {bench.rounds}.",
        flush=True,
    )


def measure(bench: Bench, parts: set[int]) -> None:
    hold = entry = ""
    on_hot = {1, 2, 3, 6, 8}
    if parts & on_hot:
        hold, entry = hot.prepare(bench)
    measurements: list[tuple[set[int], Callable[[], None]]] = [
        ({1}, lambda: hot.run(bench, hold)),
        ({2}, lambda: cycle.run(bench, hold, entry)),
        ({3}, lambda: held_open.run(bench)),
        ({4}, lambda: depth.run(bench)),
        ({6}, lambda: batches.run(bench, hold)),
        ({8}, lambda: memory.run(bench)),
        (on_hot, lambda: hot.finish(bench)),
        ({5}, lambda: budgets.run(bench)),
        ({5, 7}, lambda: ledger.run(bench, cycles=5 in parts, first_touch=7 in parts)),
    ]
    for numbers, run in measurements:
        if numbers & parts:
            begun = time.monotonic()
            run()
            table.progress(f"{time.monotonic() - begun:.0f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--only", type=int, choices=PARTS, action="append", metavar="N")
    options = parser.parse_args()
    for number in [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]:
        signal.signal(number, stop)
    with contextlib.ExitStack() as stack:
        sync = stack.enter_context(Sync())
        # Upkeep would add the bulk loads to the roll-ups of the reports meanwhile; bench/reports.py measures that.
        settings = ["tokbudget.upkeep_interval = 0"]
        escrow = stack.enter_context(Cluster("escrow", sync, settings))
        rows = stack.enter_context(Cluster("rows", sync, [*settings, "tokbudget.engine = 'rows'"]))
        bench = Bench(escrow, rows, sync, options.quick, options.full, escrow.engine() == "escrow")
        about(bench)
        # A first look leaves out what has no bar and takes its time.
        measure(bench, set(options.only or (set(PARTS) - {6} if options.quick else PARTS)))
        bench.show_bars()


if __name__ == "__main__":
    main()
