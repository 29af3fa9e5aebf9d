"""3. Clients that keep the transaction open for 200 ms after the hold, as if it were the model's answer that they wait for."""

import contextlib

import table
from escrow.bench import Bench, Measured, rate, ratio, times
from escrow.clusters import Cluster
from escrow.hot import DATABASE, TREE
from escrow.load import Load

CLIENTS = 32
HELD_OPEN = rf"""{TREE.pick()}
BEGIN;
SELECT reservation FROM {TREE.hold()};
\sleep 200 ms
COMMIT;
"""


def alone(cluster: Cluster, seconds: int) -> float:
    return Load(cluster, DATABASE, HELD_OPEN, CLIENTS, seconds).rate()


def among_others(cluster: Cluster, seconds: int) -> float:
    """Holds per second of these clients and of as many that do not wait."""
    with contextlib.ExitStack() as stack:
        loads = [Load(cluster, DATABASE, script, CLIENTS, seconds) for script in [HELD_OPEN, TREE.reserve()]]
        running = [stack.enter_context(load.start()) for load in loads]
        return sum(each.rate() for each in running)


def run(bench: Bench) -> None:
    bench.sync.set(1)
    lines = []
    # On rows the clients that are queued at the end take six seconds more, one after the other.
    cases = [(f"{CLIENTS}, and {CLIENTS} others", among_others, bench.fewer_rounds)]
    if not bench.quick:
        cases.insert(0, (f"{CLIENTS} alone", alone, 1))
    for what, holds, rounds in cases:
        measured: Measured = {"escrow": [], "rows": []}
        for _ in range(rounds):
            for name, cluster in [("escrow", bench.escrow), ("rows", bench.rows)]:
                measured[name].append(holds(cluster, bench.seconds(CLIENTS)))
        rows = ratio(measured, "escrow", "rows")
        verdict = bench.bar("3", f"{what}: escrow / rows", rows, 50)
        lines.append([what, rate(measured, "escrow"), rate(measured, "rows"), times(rows), verdict])
    bench.sync.set(0)
    table.heading("3. Transactions kept open for 200 ms after the hold, commit latency 1 ms: holds per second")
    table.show(["clients", "escrow", "rows", "/ rows", "bar 50"], lines)
    # No engine can change it.
    most, one = CLIENTS / 0.2, 1 / 0.2
    print(f"{CLIENTS} alone make at most {most:.0f} holds a second, on rows at most {one:.0f}: the ratio cannot pass {CLIENTS}.")
