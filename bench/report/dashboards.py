"""2. What dashboards ask all day."""

import table
from report.bench import TENANT, Bench
from session import Session

HOUR = "date_trunc('hour', now())"


def queries(team: str) -> dict[str, str]:
    department = team.rpartition("/")[0]
    return {
        "month to date by provider and model": f"SELECT * FROM tb_chargeback('{TENANT}', '{{provider, model}}')",
        "month to date by cost centre": f"SELECT * FROM tb_chargeback('{TENANT}', '{{cost_center}}')",
        "month to date by workflow and outcome": f"SELECT * FROM tb_chargeback('{TENANT}', '{{workflow, outcome}}')",
        "month to date, top 20 accounts": f"SELECT * FROM tb_chargeback('{TENANT}') ORDER BY cost DESC NULLS LAST LIMIT 20",
        "month to date, top 20 users": f"SELECT * FROM tb_chargeback('{TENANT}', '{{end_user}}') ORDER BY cost DESC NULLS LAST LIMIT 20",
        "month to date by day": f"SELECT * FROM tb_chargeback('{TENANT}', '{{}}', every => 'day')",
        "month to date by team, and the month before": f"SELECT * FROM tb_chargeback('{TENANT}', depth => 2, compare => true)",
        "month to date of a team by model": f"SELECT * FROM tb_chargeback('{team}', '{{model}}')",
        "month to date of a department in Kolkata by account": f"SELECT * FROM tb_chargeback('{department}', time_zone => 'Asia/Kolkata')",
        "last 7 days by the hour": f"SELECT * FROM tb_chargeback('{TENANT}', '{{}}', {HOUR} - interval '7 days', {HOUR}, every => 'hour')",
        "last 7 days of a team by the hour": f"SELECT * FROM tb_chargeback('{team}', '{{}}', {HOUR} - interval '7 days', {HOUR}, every => 'hour')",
        "last 24 hours by model and hour": f"SELECT * FROM tb_chargeback('{TENANT}', '{{model}}', {HOUR} - interval '1 day', {HOUR}, every => 'hour')",
        "last 3 months by department": f"""SELECT * FROM tb_chargeback('{TENANT}', depth => 1, every => 'month',
            since => date_trunc('month', now(), 'UTC') - interval '2 months', until => date_trunc('month', now(), 'UTC') + interval '1 month')""",
        "budget beside actual": f"SELECT * FROM tb_budget_report('{TENANT}')",
        "showback of a department": f"SELECT * FROM tb_showback('{department}')",
        "cost for each success by workflow": f"""SELECT workflow, sum(cost) / NULLIF(sum(requests) FILTER (WHERE outcome = 'success'), 0)
            FROM tb_chargeback('{TENANT}', '{{workflow, outcome}}') GROUP BY workflow""",
        "view chargeback, present month by provider": """SELECT provider, sum(cost) FROM tokbudget.chargeback
            WHERE period = date_trunc('month', now(), 'UTC')::date GROUP BY provider""",
    }


def measure(bench: Bench, session: Session) -> dict[str, tuple[float, float]]:
    return {name: bench.milliseconds(session, statement) for name, statement in queries(bench.team(session)).items()}


def run(bench: Bench) -> None:
    with bench.session() as session:
        measured = measure(bench, session)
    lines = []
    for name, (clock, processor) in measured.items():
        lines.append([name, f"{clock:,.1f}", f"{processor:,.1f}", bench.bar(f"2: {name}, ms", clock, 200, most=True)])
    table.heading(f"2. Queries of dashboards, ledger of {bench.entries:,} entries, all of it rolled up: milliseconds, medians of {bench.runs}")
    table.show(["query", "ms", "on the processor", "bar 200 ms"], lines)
