#!/usr/bin/env python3
"""Reports on a generated ledger: chargeback beside the plain aggregate, queries of dashboards, the refresh of the roll-ups.

reports.py [--quick] [--full] [--only N]...: with what is installed in the private PostgreSQL, on a cluster of its own. The ledger
has 1 million entries; --quick has 100,000 and fewer rounds, --full 10 million. --only takes the measurement of that number, 1 to 4.
"""

import argparse
import contextlib
import signal
import time

import table
from escrow.clusters import Cluster, Sync
from report import chargeback, dashboards, refresh, tail
from report.bench import Bench

PARTS = range(1, 5)


def stop(*_: object) -> None:
    raise SystemExit(130)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--only", type=int, choices=PARTS, action="append", metavar="N")
    options = parser.parse_args()
    for number in [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]:
        signal.signal(number, stop)
    parts = set(options.only or PARTS)
    entries = 100_000 if options.quick else 10_000_000 if options.full else 1_000_000
    with contextlib.ExitStack() as stack:
        sync = stack.enter_context(Sync())
        # No refresh but those that are measured.
        cluster = stack.enter_context(Cluster("report", sync, ["tokbudget.upkeep_interval = 0", "max_worker_processes = 16"]))
        later = 10_000 if options.quick else 100_000
        bench = Bench(cluster, sync, entries, later, runs=3 if options.quick else 7, rounds=1 if options.quick else 3)
        bench.grow()
        refresh.catch_up(bench)
        for part, run in [(1, chargeback.run), (2, dashboards.run), (3, tail.run), (4, refresh.under_load)]:
            if part in parts:
                begun = time.monotonic()
                run(bench)
                table.progress(f"{time.monotonic() - begun:.0f} s")
        bench.show_bars()


if __name__ == "__main__":
    main()
