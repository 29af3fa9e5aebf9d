"""4. How deep the tree is, with a budget on every level."""

import table
from escrow.bench import Bench, rate, ratio, times
from escrow.tree import Tree

DATABASE = "depth"
DEPTHS = [1, 3, 6, 10]


def run(bench: Bench) -> None:
    depths = [DEPTHS[0], DEPTHS[-1]] if bench.quick else DEPTHS
    trees = {depth: Tree(f"deep{depth}", depth=depth, teams=1, agents=100) for depth in depths}
    bench.escrow.create(DATABASE)
    with bench.escrow.session(DATABASE) as session:
        for tree in trees.values():
            tree.plant(session)
    lines = []
    for delay, clients in [(1, 64)] if bench.quick else [(0, 1), (1, 64)]:
        bench.sync.set(delay)
        loads = {
            str(depth): bench.long_load(bench.escrow, DATABASE, tree, tree.reserve(), clients) for depth, tree in trees.items()
        }
        ends = {name: loads[name] for name in [str(DEPTHS[0]), str(DEPTHS[-1])]}
        found = bench.interleave(ends, bench.rounds if clients > 1 else bench.fewer_rounds)
        # There is no bar for what is between.
        found |= bench.interleave({name: load for name, load in loads.items() if name not in ends}, 1)
        measured = {name: found[name] for name in loads}
        deepest = ratio(measured, str(DEPTHS[-1]), str(DEPTHS[0]))
        verdict = bench.bar("4", f"{bench.at(clients, delay)}: depth {DEPTHS[-1]} / depth {DEPTHS[0]}", deepest, 0.8)
        lines.append([f"{delay} ms", clients, *[rate(measured, name) for name in measured], times(deepest), verdict])
    bench.sync.set(0)
    bench.escrow.drop(DATABASE)
    table.heading("4. tb_reserve on escrow by the depth of the tree: calls per second")
    header = [f"depth {depth}" for depth in depths]
    table.show(["commit", "clients", *header, f"{DEPTHS[-1]} / {DEPTHS[0]}", "bar 0.8"], lines)
