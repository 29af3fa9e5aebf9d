"""2. Reserve and commit, beside the two bare transactions of one row each that they come down to."""

import table
from escrow import bare
from escrow.bench import Bench, rate, ratio, times
from escrow.hot import DATABASE, TREE


def run(bench: Bench, hold: str, entry: str) -> None:
    lines = []
    for delay, clients in [(1, 64)] if bench.quick else [(0, 1), (1, 64)]:
        bench.sync.set(delay)
        measured = bench.interleave(
            {
                "escrow": bench.long_load(bench.escrow, DATABASE, TREE, TREE.cycle(), clients),
                "rows": bench.load(bench.rows, DATABASE, TREE.cycle(), clients),
                "INSERTs": bench.load(bench.escrow, DATABASE, bare.NEXT_ID + hold + entry, clients),
            },
            bench.fewer_rounds,
        )
        inserts = ratio(measured, "escrow", "INSERTs")
        verdict = bench.bar("2", f"{bench.at(clients, delay)}: escrow / two bare INSERTs", inserts, 0.4)
        rates = [rate(measured, name) for name in measured]
        lines.append([f"{delay} ms", clients, *rates, times(inserts), times(ratio(measured, "escrow", "rows")), verdict])
    bench.sync.set(0)
    table.heading("2. tb_reserve, then tb_commit: cycles per second, beside an INSERT of the reservation and one of the entry")
    table.show(["commit", "clients", "escrow", "rows", "two INSERTs", "/ two INSERTs", "/ rows", "bar 0.4"], lines)
