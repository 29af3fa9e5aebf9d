"""4. What the refresh of the roll-ups costs: how fast it is, and how much of the write path's throughput it takes."""

import table
from escrow.load import Load
from escrow.tree import Tree
from report.bench import DATABASE, Bench

CLIENTS = 8
# The worker comes as often as this while it is measured; by default it does every minute, with as much work in all.
INTERVAL_SECONDS = 3
TREE = Tree("load", teams=20, agents=1000, every="month")
USAGE = '{"prompt_tokens": 200, "completion_tokens": 120, "total_tokens": 320}'
# As in the generated ledger an agent works for one workflow, in several steps and sessions; a few users ask for most of it.
SCRIPT = rf"""{TREE.pick()}
\set workflow :agent % 40
\set step random(1, 6)
\set session random(1, 100000)
\set user random_zipfian(1, 10000, 1.1)
SELECT entry FROM tb_charge({TREE.account()}, 'gpt-4o', '{USAGE}', attributes => jsonb_build_object('workflow', 'workflow-' || :workflow,
    'step', 'step-' || :step, 'session', 'session-' || :session, 'end_user', 'user-' || :user));
"""


def catch_up(bench: Bench) -> None:
    """The first refresh, of the whole ledger."""
    with bench.session() as session:
        entries, seconds, processor = bench.refresh(session)
        rows = [session.run(f"SELECT count(*), pg_size_pretty(pg_total_relation_size('{name}')) FROM {name}").rows[0]
                for name in ["tokbudget.facet_usage", "tokbudget.subtree_usage", "tokbudget.usage_series"]]
        session.run("VACUUM ANALYZE tokbudget.facet_usage, tokbudget.subtree_usage, tokbudget.usage_series")
        session.run("CHECKPOINT")
    rate = entries / seconds
    verdict = bench.bar("4: refresh when catching up, entries a second", rate, 5000)
    table.heading("4. The refresh of a ledger that nothing of is rolled up")
    table.show(["entries", "seconds", "on the processor", "entries/s", "bar 5,000"], [[f"{entries:,}", f"{seconds:.1f}", f"{processor:.1f}", f"{rate:,.0f}", verdict]])
    for name, (count, size) in zip(["facet_usage", "subtree_usage", "usage_series"], rows):
        print(f"{name}: {int(count):,} rows, {size}")


def set_interval(bench: Bench, seconds: int) -> None:
    with bench.session() as session:
        session.run(f"ALTER SYSTEM SET tokbudget.upkeep_interval = {seconds}")
        session.run("SELECT pg_reload_conf()")
        # It looks at the clock when it wakes up, which takes as long as it was told before.
        session.run("SELECT pg_sleep(1)")


def under_load(bench: Bench) -> None:
    """Charges with the worker and without, in turns."""
    with bench.session() as session:
        TREE.plant(session)
    bench.sync.set(1)
    seconds = 12 if bench.rounds > 1 else 6
    rates: dict[str, list[float]] = {"without": [], "with": []}
    left = []
    Load(bench.cluster, DATABASE, TREE.meet() + SCRIPT, CLIENTS, 5).rate()
    for round_number in range(bench.rounds):
        # What comes first in a round has it neither easier nor harder in the end.
        for name in ["without", "with"] if round_number % 2 == 0 else ["with", "without"]:
            with bench.session() as session:
                bench.refresh(session)
            set_interval(bench, INTERVAL_SECONDS if name == "with" else 0)
            rates[name].append(Load(bench.cluster, DATABASE, SCRIPT, CLIENTS, seconds).rate())
            if name == "with":
                with bench.session() as session:
                    left.append(int(session.run("SELECT COALESCE(sum(entries), 0) FROM tokbudget._usage_tail(NULL)").value))
            set_interval(bench, 0)
    bench.sync.set(0)
    share = table.median([one / other for one, other in zip(rates["with"], rates["without"])])
    with_worker = table.median(rates["with"])
    behind = table.median(left) / with_worker
    table.heading(f"4. tb_charge, {CLIENTS} clients, commit latency 1 ms, the roll-ups refreshed every {INTERVAL_SECONDS} s or not at all: calls per second")
    table.show(
        ["", "calls/s", "with / without", "bar 0.95", "behind at the end, s", "bar"],
        [
            ["without", f"{table.median(rates['without']):,.0f}", "", "", "", ""],
            ["with", f"{with_worker:,.0f}", f"{share:.3f}", bench.bar("4: charges with the refresh / without", share, 0.95), f"{behind:.1f}",
             bench.bar("4: seconds that the roll-ups are behind after a round", behind, 2 * INTERVAL_SECONDS, most=True)],
        ],
    )
