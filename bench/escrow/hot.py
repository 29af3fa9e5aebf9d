"""1. Holds against a root that every call touches: depth 3, 1,000 agents."""

import table
from escrow import bare
from escrow.bench import Bench, rate, ratio, times
from escrow.load import Load
from escrow.tree import Tree

DATABASE = "hot"
TREE = Tree("hot")
# Commit latency and clients for which there is a bar.
BARS = [(0, 1), (1, 64)]
# What a day's sum is taken over at least.
CALLS = 10_000

# What people write today. Both know one level only, and the first is wrong besides: two calls may read the same sum.
SET_UP = """
CREATE TABLE public.call (
    call_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, root text NOT NULL, account text NOT NULL, tokens bigint NOT NULL,
    called_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON public.call (root, called_at);
CREATE TABLE public.spending (account text PRIMARY KEY, amount bigint NOT NULL, spent bigint NOT NULL) WITH (fillfactor = 50);
INSERT INTO public.spending VALUES ('hot', 1000000000000000, 0);
"""
EMPTY_CALLS = f"""
TRUNCATE public.call;
INSERT INTO public.call (root, account, tokens) SELECT 'hot', 'hot/team0/agent0', 500 FROM generate_series(1, {CALLS});
VACUUM ANALYZE public.call
"""
SUM_INSERT = rf"""{TREE.pick()}
SELECT coalesce(sum(tokens), 0) AS spent FROM call WHERE root = 'hot' AND called_at >= date_trunc('day', now()) \gset
INSERT INTO call (root, account, tokens) SELECT 'hot', {TREE.account()}, 500 WHERE :spent::bigint + 500 <= 1000000000000000;
"""
UPDATE = "UPDATE spending SET spent = spent + 500 WHERE account = 'hot' AND spent + 500 <= amount;\n"


class SumLoad(Load):
    """The load of SUM_INSERT, which every call makes slower: each run begins with the same table."""

    def rate(self) -> float:
        with self.cluster.session(self.database) as session:
            for statement in EMPTY_CALLS.split(";\n"):
                session.run(statement)
        return super().rate()


def prepare(bench: Bench) -> tuple[str, str]:
    """Makes the databases of this and the following measurements; returns the bare statements."""
    for cluster in [bench.escrow, bench.rows]:
        cluster.create(DATABASE)
        with cluster.session(DATABASE) as session:
            TREE.plant(session)
    with bench.escrow.session(DATABASE) as session:
        for statement in SET_UP.strip().removesuffix(";").split(";\n"):
            session.run(statement)
        return bare.prepare(session, TREE.path(0, 0))


def run(bench: Bench, hold: str) -> None:
    lines = []
    for delay in [0, 1]:
        bench.sync.set(delay)
        for clients in [1, 8, 64]:
            if bench.quick and (delay, clients) not in BARS:
                continue
            loads = {
                "escrow": bench.long_load(bench.escrow, DATABASE, TREE, TREE.reserve(), clients),
                "INSERT": bench.load(bench.escrow, DATABASE, bare.NEXT_ID + hold, clients),
                # Its clients mostly wait for each other, whether they have met an agent or not.
                "rows": bench.load(bench.rows, DATABASE, TREE.reserve(), clients),
            }
            measured = bench.interleave(loads, bench.rounds if (delay, clients) in BARS else 1)
            if not bench.quick:
                # In one round: there is no bar, and they are far away.
                written_today: dict[str, Load] = {
                    "sum+INSERT": SumLoad(bench.escrow, DATABASE, SUM_INSERT, clients, bench.seconds(clients)),
                    "UPDATE": bench.load(bench.escrow, DATABASE, UPDATE, clients),
                }
                measured |= bench.interleave(written_today, 1)
            insert, rows = ratio(measured, "escrow", "INSERT"), ratio(measured, "escrow", "rows")
            verdict = ""
            at = f"{bench.at(clients, delay)}: escrow"
            if (delay, clients) == (1, 64):
                verdict = bench.bar("1", f"{at} / bare INSERT", insert, 0.8)
                verdict += ", " + bench.bar("1", f"{at} / rows", rows, 12)
            if (delay, clients) == (0, 1):
                verdict = bench.bar("1", f"{at} / bare INSERT", insert, 0.5)
            lines.append(
                [
                    f"{delay} ms",
                    clients,
                    *[rate(measured, name) for name in measured],
                    *[times(ratio(measured, "escrow", name)) for name in measured if name != "escrow"],
                    verdict,
                ]
            )
    bench.sync.set(0)
    table.heading("1. tb_reserve on a hot root, depth 3, 1,000 agents: calls per second, and escrow as a multiple of the others")
    header = ["commit", "clients", *measured, *[f"/ {name}" for name in measured if name != "escrow"]]
    table.show([*header, "bars 0.8, 12; 0.5"], lines)


def finish(bench: Bench) -> None:
    """After all that ran there: that the balances are right, and what the engine counted."""
    print()
    for name, cluster in [("escrow", bench.escrow), ("rows", bench.rows)]:
        with cluster.session(DATABASE) as session:
            wrong = session.run("SELECT count(*) FROM tb_verify()").value
            held = session.run("SELECT count(*) FROM tokbudget.reservation").value
        print(f"cluster {name}: {int(held):,} reservations; differences between balances and ledger: {wrong}")
        print(f"cluster {name}: tb_stat: {cluster.statistics(DATABASE)}", flush=True)
        cluster.drop(DATABASE)
