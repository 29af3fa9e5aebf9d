"""6. A hundred holds in one call."""

import json

import table
from escrow import bare
from escrow.bench import Bench, ratio, times
from escrow.hot import DATABASE, TREE

ITEMS = 100
CALLS = [
    {"account": TREE.path(agent % TREE.teams, agent), "input_tokens": 200, "max_output_tokens": 300, "ttl": "1 day"}
    for agent in range(ITEMS)
]
BATCH = f"SELECT count(*) FROM tb_reserve_many('{json.dumps(CALLS)}');\n"


def many(hold: str) -> str:
    """The bare INSERT of as many rows in one statement."""
    ids = bare.ID.replace("'8000000000000000'", "lpad(item::text, 16, '0')")
    select = hold.replace(bare.ID, ids).replace(" VALUES (", " SELECT ")
    return select.replace(");\n", f" FROM generate_series(1, {ITEMS}) AS item;\n")


def run(bench: Bench, hold: str) -> None:
    lines = []
    for delay, clients in [(1, 8)] if bench.quick else [(0, 1), (1, 8)]:
        bench.sync.set(delay)
        measured = bench.interleave(
            {
                "escrow": bench.load(bench.escrow, DATABASE, BATCH, clients),
                "rows": bench.load(bench.rows, DATABASE, BATCH, clients),
                "INSERT": bench.load(bench.escrow, DATABASE, bare.NEXT_ID + many(hold), clients),
                "single": bench.load(bench.escrow, DATABASE, TREE.reserve(), clients),
            },
            bench.fewer_rounds,
        )
        rates = [f"{table.median(measured[name]) * ITEMS:,.0f}" for name in ["escrow", "rows", "INSERT"]]
        rates.append(f"{table.median(measured['single']):,.0f}")
        ratios = [times(ratio(measured, "escrow", name)) for name in ["INSERT", "rows"]]
        lines.append([f"{delay} ms", clients, *rates, *ratios, times(ITEMS * ratio(measured, "escrow", "single"))])
    bench.sync.set(0)
    table.heading(f"6. {ITEMS} holds in one call of tb_reserve_many: holds per second, and escrow as a multiple of the others")
    header = ["commit", "clients", "escrow", "rows", f"INSERT of {ITEMS}", "single calls", "/ INSERT", "/ rows", "/ single calls"]
    table.show(header, lines)
