"""5. How many budgets there are, calls being spread evenly over the agents."""

import json

import table
from escrow.bench import Bench, rate, ratio, times
from escrow.tree import Tree
from session import Session

DATABASE = "budgets"
CLIENTS = 64


def tree_of(budgets: int, teams: int) -> Tree:
    return Tree(f"b{budgets}", teams=teams, agents=budgets - teams - 1)


def touch(session: Session, tree: Tree) -> None:
    """A hold for every agent, so that the run does not measure first touches."""
    paths = tree.paths()
    for first in range(0, len(paths), 1000):
        calls = [{"account": path, "input_tokens": 1, "max_output_tokens": 1} for path in paths[first : first + 1000]]
        session.run(f"SELECT count(*) FROM tb_reserve_many('{json.dumps(calls)}')")


def run(bench: Bench) -> None:
    trees = [tree_of(10, 1), tree_of(1000, 10), tree_of(10_000 if bench.quick else 100_000, 100)]
    bench.escrow.create(DATABASE)
    with bench.escrow.session(DATABASE) as session:
        for tree in trees:
            tree.plant(session)
            touch(session, tree)
        session.run("CHECKPOINT")
    bench.sync.set(1)
    loads = {tree.root: bench.load(bench.escrow, DATABASE, tree.reserve(), CLIENTS) for tree in trees}
    measured = bench.interleave(loads, bench.fewer_rounds)
    bench.sync.set(0)
    bench.escrow.drop(DATABASE)
    smallest, largest = trees[0], trees[-1]
    share = ratio(measured, largest.root, smallest.root)
    counts = [f"{tree.agents + tree.teams + 1:,}" for tree in trees]
    verdict = bench.bar("5", f"{counts[-1]} budgets / {counts[0]} budgets", share, 0.8)
    table.heading(f"5. tb_reserve on escrow by the number of budgets, {CLIENTS} clients, commit latency 1 ms: calls per second")
    line = ["calls/s", *[rate(measured, tree.root) for tree in trees], times(share), verdict]
    table.show(["budgets", *counts, "largest / smallest", "bar 0.8"], [line])
