"""How well tb_anomalies and its alerts find what has gone wrong in traces of which that is known: precision, recall, and how early.
The connection is in the environment."""

import json
import statistics
import time
import uuid
from collections import defaultdict
from datetime import datetime, timedelta, timezone

import psycopg

import harness
from traces import ANOMALIES, Session, Traces

SEEDS = [1, 2]
# Weeks apart, so that upkeep does not look at the tenant of another seed again.
MONDAY = datetime(2026, 3, 2, 8, tzinfo=timezone.utc)
HISTORY = timedelta(days=10)
# As long as sessions begin, and until which they are followed.
BEGIN_FOR, FOLLOW_FOR = timedelta(hours=6), timedelta(hours=11)
TICK = timedelta(minutes=4)
ODD_OF_A_KIND = 12


def account(connection: psycopg.Connection) -> tuple[str, int, list[int]]:
    path = f"traces-{uuid.uuid4().hex[:12]}/agents"
    connection.execute("SELECT tb_create_account(%s)", [path])
    tenant_id, account_id, ancestors = connection.execute(
        "SELECT tenant_id, account_id, ancestor_ids FROM tokbudget.account WHERE path = %s", [path]).fetchone()
    return path, tenant_id, [*ancestors, account_id]


def write(connection: psycopg.Connection, tenant_id: int, account_ids: list[int], steps: list[tuple[Session, object]]) -> None:
    """Straight into the ledger, for the speed and with instants of our own."""
    with connection.cursor().copy("""COPY tokbudget.entry (tenant_id, entry_id, recorded_at, reserved_at, kind, account_id, account_ids,
            budget_ids, window_starts, spent_units, operation, requests, input_tokens, output_tokens, meters, cost, currency, workflow,
            session, labels, retry_count, actor) FROM STDIN""") as copy:
        for session, step in steps:
            labels = {"prompt_hash": step.prompt_hash} | ({"tool": step.tool} if step.tool else {})
            copy.write_row([tenant_id, uuid.uuid4(), step.at, step.at, "charge", account_ids[-1], account_ids, [], [], [], "chat", 1,
                            step.input_tokens, step.output_tokens, json.dumps({"tool_calls": 1} if step.tool else {}), step.cost, "USD",
                            session.workflow, session.name, json.dumps(labels), step.retry_count, "test"])


def play(connection: psycopg.Connection, seed: int) -> tuple[list[Session], dict[str, list[tuple]]]:
    """A working day after ten others, as upkeep sees it every few minutes: the sessions and the alerts of each."""
    traces, beginning = Traces(seed), MONDAY + timedelta(weeks=seed)
    path, tenant_id, account_ids = account(connection)
    history = traces.ordinary(beginning - HISTORY, beginning)
    write(connection, tenant_id, account_ids, [(session, step) for session in history for step in session.steps if step.at < beginning])
    sessions = traces.ordinary(beginning, beginning + BEGIN_FOR) + traces.odd(beginning, beginning + BEGIN_FOR, ODD_OF_A_KIND)
    steps = sorted(((session, step) for session in sessions for step in session.steps), key=lambda pair: pair[1].at)
    connection.execute("ANALYZE tokbudget.entry")
    now, position = beginning, 0
    while now < beginning + FOLLOW_FOR:
        now += TICK
        begun = position
        while position < len(steps) and steps[position][1].at <= now:
            position += 1
        if position == begun:
            continue
        write(connection, tenant_id, account_ids, steps[begun:position])
        connection.execute("SELECT set_config('tokbudget.clock', %s, false)", [now.isoformat()])
        if now.minute % 20 == 0:
            connection.execute("SELECT tb_refresh()")
        connection.execute("SELECT tokbudget._detect_anomalies('10 s')")
    alerts = defaultdict(list)
    for name, created_at, quantity, severity in connection.execute(
            "SELECT session, created_at, quantity, severity FROM tb_alerts(%s) WHERE kind = 'anomaly' AND session IS NOT NULL ORDER BY created_at", [path]):
        alerts[name].append((created_at, quantity, severity))
    connection.execute("RESET tokbudget.clock")
    # What is still going on at the end has cost what it has cost by then.
    for session in sessions:
        session.steps = [step for step in session.steps if step.at <= now]
    return sessions, alerts


def test_precision_and_recall() -> None:
    found, early, count = defaultdict(int), defaultdict(list), defaultdict(int)
    with psycopg.connect(autocommit=True) as connection:
        for seed in SEEDS:
            began = time.monotonic()
            sessions, alerts = play(connection, seed)
            by_name = {session.name: session for session in sessions}
            for session in sessions:
                count[session.anomaly] += 1
                told = [alert for alert in alerts[session.name] if alert[2] != "info"]
                found[session.anomaly] += bool(told)
                found[session.anomaly, "info"] += bool(alerts[session.name])
                if session.anomaly and told:
                    early[session.anomaly].append(session.cost_until(told[0][0]) / session.cost)
            wrong = [(by_name[name].workflow, [a[1:] for a in told if a[2] != 'info']) for name, told in alerts.items() if any(a[2] != 'info' for a in told) and not by_name[name].anomaly]
            print(f"seed {seed}: {len(sessions)} sessions in {time.monotonic() - began:.1f} s; flagged without a cause: {wrong}")
    for anomaly in ANOMALIES:
        share = statistics.median(early[anomaly]) if early[anomaly] else float("nan")
        before_end = sum(value < 1 for value in early[anomaly])
        print(f"{anomaly:15} {found[anomaly]:3} of {count[anomaly]:3} found ({found[anomaly, 'info']} with info), {before_end} before their end,"
              f" median at {share:.0%} of what they cost in the end")
    right = sum(found[anomaly] for anomaly in ANOMALIES)
    precision, recall = right / (right + found[None]), right / sum(count[anomaly] for anomaly in ANOMALIES)
    right_info = sum(found[anomaly, "info"] for anomaly in ANOMALIES)
    print(f"warning and critical: precision {precision:.1%}, recall {recall:.1%}; {found[None]} of {count[None]} ordinary sessions flagged")
    print(f"with info: precision {right_info / (right_info + found[None, 'info']):.1%}, recall {right_info / sum(count[a] for a in ANOMALIES):.1%}")
    assert precision >= 0.95, precision
    assert recall >= 0.95, recall


if __name__ == "__main__":
    harness.run(__name__)
