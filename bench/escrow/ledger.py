"""5 and 7. How long the ledger is: what a cycle costs, and what the first call after a restart."""

from collections.abc import Callable

import table
from escrow import bare, history
from escrow.bench import Bench, Measured, ratio, times
from escrow.history import TREE

DATABASE = "ledger"


def sizes(bench: Bench) -> list[int]:
    if bench.quick:
        return [0, 100_000]
    return [0, 1_000_000, 10_000_000] if bench.full else [0, 100_000, 1_000_000]


def run(bench: Bench, cycles: bool, first_touch: bool) -> None:
    bench.escrow.create(DATABASE)
    with bench.escrow.session(DATABASE) as session:
        history.begin(session)
        hold, entry = bare.prepare(session, TREE.path(0, 0))
    cycle_lines: list[list[object]] = []
    touch_lines: list[list[object]] = []
    measured: dict[int, tuple[Measured, Measured]] = {}
    written = 0
    for size in sizes(bench):
        if size:
            seconds = history.grow(bench.escrow, DATABASE, written, size)
            table.progress(f"ledger of {size:,} entries, {size - written:,} of them new in {seconds:.0f} s")
            written = size
        if cycles:
            measured[size] = measure(bench, hold + entry)
            cycle_lines.append([f"{size:,}", *cells(measured[size])])
        if first_touch:
            touch_lines += touches(bench, size)
    # Ten million entries take minutes.
    if not bench.full:
        with bench.escrow.session(DATABASE) as session:
            wrong = session.run("SELECT count(*) FROM tb_verify()").value
        table.progress(f"differences between balances and ledger: {wrong}")
    bench.escrow.drop(DATABASE)
    if cycles:
        show_cycles(bench, cycle_lines, measured)
    if first_touch:
        table.heading("7. The first tb_reserve after a restart by the length of the ledger: milliseconds, medians")
        header = ["entries", "end of the server", "first call", "first of a next session", "difference", "bar 50 ms"]
        table.show(header, touch_lines)
    if not bench.full:
        print("The ledger of 10 million entries is left to bench/engine.py --full.")


def measure(bench: Bench, inserts: str) -> tuple[Measured, Measured]:
    """Cycles and the bare pairs: one client without latency, many with."""
    both = []
    for delay, clients in [(0, 1), (1, 64)]:
        bench.sync.set(delay)
        loads = {
            "escrow": bench.load(bench.escrow, DATABASE, TREE.cycle(), clients),
            "INSERTs": bench.load(bench.escrow, DATABASE, bare.NEXT_ID + inserts, clients),
        }
        both.append(bench.interleave(loads, bench.fewer_rounds))
    bench.sync.set(0)
    return both[0], both[1]


def cells(measured: tuple[Measured, Measured]) -> list[str]:
    one, many = measured
    return [
        f"{1000 / table.median(one['escrow']):.3f}",
        times(ratio(one, "escrow", "INSERTs")),
        f"{table.median(many['escrow']):,.0f}",
        times(ratio(many, "escrow", "INSERTs")),
    ]


def show_cycles(bench: Bench, lines: list[list[object]], measured: dict[int, tuple[Measured, Measured]]) -> None:
    first, *_, last = measured
    table.heading("5. tb_reserve, then tb_commit on escrow by the length of the ledger, every entry in the present window")
    table.show(["entries", "ms, 1 client", "/ two INSERTs", "cycles/s, 64 clients, 1 ms", "/ two INSERTs"], lines)
    # Runs with ledgers of different lengths cannot take turns: each is compared with the bare INSERTs of its own rounds.
    for place, what in enumerate(["1 client, 0 ms", "64 clients, 1 ms"]):
        share = ratio(measured[last][place], "escrow", "INSERTs") / ratio(measured[first][place], "escrow", "INSERTs")
        verdict = bench.bar("5", f"{what}: ledger of {last:,} / ledger of {first:,}", share, 0.8)
        print(f"{what}: {last:,} entries / {first:,} entries: {share:.2f} (bar 0.8: {verdict})")


def touches(bench: Bench, size: int) -> list[list[object]]:
    """The first call after the server was stopped, and after it was killed."""
    call = f"SELECT tb_reserve('{TREE.path(0, 0)}', input_tokens => 200, max_output_tokens => 300)"
    lines: list[list[object]] = []
    ends: list[tuple[str, Callable[[], None]]] = [("stopped", bench.escrow.restart), ("killed", bench.escrow.crash)]
    for how, end in ends:
        firsts, seconds = [], []
        for _ in range(bench.rounds if how == "stopped" else 1):
            checkpoint(bench)
            end()
            for times_ms in [firsts, seconds]:
                with bench.escrow.session(DATABASE) as session:
                    # As the server has it by default: what the call reads from the tables may be planned with both.
                    session.run("SET jit = on")
                    session.run("SET max_parallel_workers_per_gather = 2")
                    times_ms.append(session.run(call).clock * 1000)
        first, second = table.median(firsts), table.median(seconds)
        verdict = bench.bar("7", f"first touch, {size:,} entries, {how}: ms", first, 50, most=True)
        lines.append([f"{size:,}", how, f"{first:.1f}", f"{second:.1f}", f"{first - second:.1f}", verdict])
    return lines


def checkpoint(bench: Bench) -> None:
    """The engine's checkpoint, and the server's: a restart has only what came later to read."""
    with bench.escrow.session(DATABASE) as session:
        history.take_checkpoint(session)
        # As autovacuum would, which is off here.
        session.run("VACUUM tokbudget.reservation")
        session.run("CHECKPOINT")
