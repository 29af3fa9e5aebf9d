"""3. Reading while the roll-ups lag behind."""

import table
from report import dashboards
from report.bench import Bench

LAGS = [0, 10_000, 100_000]
SHOWN = [
    "month to date by provider and model", "month to date by day", "month to date by team, and the month before",
    "last 7 days of a team by the hour", "budget beside actual", "view chargeback, present month by provider",
]


def run(bench: Bench) -> None:
    lines: list[list[object]] = []
    written = 0
    lags = [lag for lag in LAGS if lag <= bench.later]
    for lag in lags:
        bench.write(bench.entries + written, bench.entries + lag)
        written = lag
        with bench.session() as session:
            asked = dashboards.queries(bench.team(session))
            measured = {name: bench.milliseconds(session, asked[name])[0] for name in SHOWN}
        worst = max(measured.values())
        verdict = bench.bar(f"3: {lag:,} entries that are not rolled up, slowest query, ms", worst, 200, most=True) if lag <= 10_000 else ""
        lines.append([f"{lag:,}", *(f"{measured[name]:,.1f}" for name in SHOWN), f"{worst:,.1f}", verdict])
    with bench.session() as session:
        entries, seconds, _ = bench.refresh(session)
    table.heading("3. Queries by how many entries are not rolled up yet: milliseconds")
    table.show(["entries", "by model", "by day", "by team, compared", "7 days of a team", "budgets", "view", "slowest", "bar 200 ms"], lines)
    print(f"then tb_refresh() adds {entries:,} entries in {seconds:.1f} s: {entries / seconds:,.0f} a second")
