"""1. Chargeback of a month by team, beside the plain aggregate over the ledger."""

import table
from report.bench import TENANT, Bench
from session import Session

MONTH = "date_trunc('month', now(), 'UTC')"
LAST_MONTH = f"({MONTH} - interval '1 month')"
SUMS = ["requests", "input_tokens", "cache_read_input_tokens", "output_tokens", "reasoning_output_tokens", "cost", "internal_cost"]
COLUMNS = ", ".join(SUMS)

# Teams are two levels below the company; what belongs to no team counts for the department.
REPORT = f"""
    SELECT account, {COLUMNS} FROM tb_chargeback('{TENANT}', since => {LAST_MONTH}, until => {MONTH}, depth => 2)"""
PLAIN = f"""
    SELECT (SELECT path FROM tokbudget.account WHERE account.tenant_id = spent.tenant_id AND account.account_id = spent.team), {COLUMNS}
    FROM (
        SELECT entry.tenant_id, entry.account_ids[least(3, array_position(entry.account_ids, entry.account_id))] AS team,
            {", ".join(f"sum(entry.{name}) AS {name}" for name in SUMS)}
        FROM tokbudget.entry JOIN tokbudget.tenant USING (tenant_id)
        WHERE tenant.name = '{TENANT}' AND entry.recorded_at >= {LAST_MONTH} AND entry.recorded_at < {MONTH}
            AND entry.kind NOT IN ('expire', 'transfer')
        GROUP BY 1, 2
    ) AS spent"""


def differences(session: Session) -> int:
    report = f"({REPORT} WHERE entries > 0)"
    return int(session.run(f"""
        SELECT count(*) FROM (({report} EXCEPT ALL ({PLAIN})) UNION ALL (({PLAIN}) EXCEPT ALL {report})) AS different""").value)


def run(bench: Bench) -> None:
    with bench.session() as session:
        # As the server has it by default.
        session.run("SET jit = on")
        session.run("SET max_parallel_workers_per_gather = 2")
        reports, plains = [], []
        for _ in range(bench.rounds):
            reports.append(bench.milliseconds(session, REPORT)[0])
            plains.append(session.run(PLAIN).clock * 1000)
        different = differences(session)
        lines = session.run(f"SELECT count(*), sum(entries) FROM tb_chargeback('{TENANT}', since => {LAST_MONTH}, until => {MONTH}, depth => 2)").rows[0]
    report, plain = table.median(reports), table.median(plains)
    ratio = table.median([one / other for one, other in zip(plains, reports)])
    # The longer the ledger, the more there is to sum without a roll-up: the bar is for ten million entries.
    ratio_bar = [">= 100", bench.bar("1: plain aggregate / chargeback", ratio, 100)] if bench.is_full else ["", ""]
    table.heading(f"1. Chargeback of a month by team, ledger of {bench.entries:,} entries: milliseconds")
    table.show(
        ["of", "ms", "bar", ""],
        [
            ["tb_chargeback", f"{report:,.1f}", "<= 100", bench.bar("1: chargeback of a month by team, ms", report, 100, most=True)],
            ["plain aggregate over entry", f"{plain:,.1f}", "", ""],
            ["plain / tb_chargeback", f"{ratio:,.0f}", *ratio_bar],
        ],
    )
    print(f"{int(lines[1]):,} entries of the month in {lines[0]} lines; lines that differ from the plain aggregate: {different}")
    if different:
        raise SystemExit("the report is not what the ledger says")
