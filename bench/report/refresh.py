"""4. What the refresh of the roll-ups costs: how fast it is, and how much of the write path's throughput it takes."""

import dataclasses

import table
from escrow.load import Load
from escrow.tree import Tree
from report.bench import DATABASE, ROLL_UPS, Bench

# The worker comes as often as this while it is measured; by default it does every minute, with less to do for an entry the more
# of them are alike.
INTERVAL_SECONDS = 10
ENTRIES_PER_SECOND = 5000
BATCH_SIZE = 10
TREE = Tree("load", teams=20, agents=1000, every="month")
USAGE = '{"prompt_tokens": 200, "completion_tokens": 120, "total_tokens": 320}'
# As in the generated ledger: an agent works for one workflow, a session has some four steps in the time of a round, and all of
# it is one user's.
CHARGE = rf"""{TREE.pick()}
\set workflow :agent % 40
\set step random(1, 6)
\set session :agent * 40 + random(1, 40)
\set user :session % 10000
SELECT entry FROM tb_charge({TREE.account()}, 'gpt-4o', '{USAGE}', attributes => jsonb_build_object('workflow', 'workflow-' || :workflow,
    'step', 'step-' || :step, 'session', 'session-' || :session, 'end_user', 'user-' || :user));
"""
# The same in batches, every call of one session, as a gateway sends what it has gathered.
CHARGE_MANY = rf"""{TREE.pick()}
\set workflow :agent % 40
\set session :agent * 40 + random(1, 40)
\set user :session % 10000
SELECT count(*) FROM tb_charge_many((SELECT jsonb_agg(jsonb_build_object('account', {TREE.account()}, 'model', 'gpt-4o', 'usage', '{USAGE}'::jsonb,
    'attributes', jsonb_build_object('workflow', 'workflow-' || :workflow, 'step', 'step-' || item % 6, 'session', 'session-' || :session,
    'end_user', 'user-' || :user))) FROM generate_series(1, {BATCH_SIZE}) AS item));
"""


@dataclasses.dataclass
class Writers:
    """Who writes while the roll-ups are refreshed."""

    name: str
    script: str
    clients: int
    entries_each: int = 1
    offered_per_second: int = 0
    # What the refresh may cost; whoever leaves the processors no time pays for all that it does.
    bar: float | None = None

    def load(self, bench: Bench, seconds: int, meet: str = "") -> Load:
        return Load(bench.cluster, DATABASE, meet + self.script, self.clients, seconds, offered_per_second=self.offered_per_second // self.entries_each)


WRITERS = [
    Writers("8 clients, a call each", CHARGE, 8, bar=0.95),
    Writers(f"{ENTRIES_PER_SECOND:,} entries/s offered, {BATCH_SIZE} a call", CHARGE_MANY, 16, BATCH_SIZE, ENTRIES_PER_SECOND, bar=0.95),
    Writers("16 clients, a call each", CHARGE, 16),
    Writers(f"16 clients, {BATCH_SIZE} a call", CHARGE_MANY, 16, BATCH_SIZE),
]


def catch_up(bench: Bench) -> None:
    """The first refresh, of the whole ledger."""
    entries, seconds, processor = 0, 0.0, 0.0
    with bench.session() as session:
        is_pending = True
        while is_pending:
            # In portions, each a transaction of its own, as the worker does it.
            done = session.run("SELECT entries, is_pending FROM tokbudget._refresh(100000, true)")
            entries, seconds, processor = entries + int(done.rows[0][0]), seconds + done.clock, processor + done.processor
            is_pending = done.rows[0][1] == "t"
        rows = [session.run(f"SELECT count(*), pg_size_pretty(pg_total_relation_size('{name}')) FROM {name}").rows[0] for name in ROLL_UPS]
        session.run(f"VACUUM ANALYZE {', '.join(ROLL_UPS)}")
        session.run("CHECKPOINT")
    rate = entries / seconds
    verdict = bench.bar("4: refresh when catching up, entries a second", rate, 5000)
    table.heading("4. The refresh of a ledger that nothing of is rolled up")
    table.show(["entries", "seconds", "on the processor", "entries/s", "bar 5,000"], [[f"{entries:,}", f"{seconds:.1f}", f"{processor:.1f}", f"{rate:,.0f}", verdict]])
    for name, (count, size) in zip(ROLL_UPS, rows):
        print(f"{name}: {int(count):,} rows, {size}")


def set_interval(bench: Bench, seconds: int) -> None:
    with bench.session() as session:
        session.run(f"ALTER SYSTEM SET tokbudget.upkeep_interval = {seconds}")
        session.run("SELECT pg_reload_conf()")
        # It looks at the clock when it wakes up, which takes as long as it was told before.
        session.run("SELECT pg_sleep(1)")


def behind(bench: Bench) -> int:
    """Entries that the roll-ups do not cover."""
    with bench.session() as session:
        return int(session.run("SELECT COALESCE(sum(entries), 0) FROM tokbudget._usage_tail(NULL)").value)


def measure(bench: Bench, writers: Writers, seconds: int, rounds: int) -> list[object]:
    """With the worker and without, in turns."""
    measured: dict[str, list[tuple[float, float]]] = {"without": [], "with": []}
    left = []
    for round_number in range(rounds):
        # What comes first in a round has it neither easier nor harder in the end.
        for name in ["without", "with"] if round_number % 2 == 0 else ["with", "without"]:
            with bench.session() as session:
                bench.refresh(session)
            set_interval(bench, INTERVAL_SECONDS if name == "with" else 0)
            measured[name].append(writers.load(bench, seconds).rate_and_latency())
            if name == "with":
                left.append(behind(bench))
            set_interval(bench, 0)
    share = table.median([one[0] / other[0] for one, other in zip(measured["with"], measured["without"])])
    rates = {name: table.median([rate for rate, _ in runs]) * writers.entries_each for name, runs in measured.items()}
    latencies = {name: table.median([latency for _, latency in runs]) for name, runs in measured.items()}
    seconds_behind = table.median(left) / rates["with"]
    verdict = behind_verdict = ""
    if writers.bar is not None:
        verdict = bench.bar(f"4: {writers.name}: with the refresh / without", share, writers.bar)
        behind_verdict = bench.bar(f"4: {writers.name}: seconds that the roll-ups are behind", seconds_behind, 2 * INTERVAL_SECONDS, most=True)
    return [
        writers.name, f"{rates['without']:,.0f}", f"{rates['with']:,.0f}", f"{share:.3f}", verdict,
        f"{latencies['without']:.2f}", f"{latencies['with']:.2f}", f"{seconds_behind:.1f}", behind_verdict,
    ]


def under_load(bench: Bench) -> None:
    """Charges with the worker and without."""
    with bench.session() as session:
        TREE.plant(session)
    bench.sync.set(1)
    seconds, rounds = (20, 3) if bench.rounds > 1 else (12, 1)
    WRITERS[0].load(bench, 5, TREE.meet()).rate()
    lines = [measure(bench, writers, seconds, rounds) for writers in WRITERS]
    bench.sync.set(0)
    table.heading(f"4. Charges, commit latency 1 ms, the roll-ups refreshed every {INTERVAL_SECONDS} s or not at all")
    table.show(
        ["writers", "entries/s without", "with", "with / without", "bar 0.95", "ms each call without", "with", "behind at the end, s", f"bar {2 * INTERVAL_SECONDS} s"],
        lines,
    )
