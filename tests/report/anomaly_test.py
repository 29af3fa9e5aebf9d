"""How well tb_anomalies and its alerts find what has gone wrong in traces of which that is known: precision, recall, and how early.
The connection is in the environment."""

import json
import os
import statistics
import time
import uuid
from collections import defaultdict
from datetime import datetime, timedelta, timezone

import psycopg

import harness
from traces import ANOMALIES, Session, Traces

SEEDS = [int(seed) for seed in os.environ.get("TB_ANOMALY_SEEDS", "1 2").split()]
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


def play(connection: psycopg.Connection, seed: int) -> tuple[str, list[Session], list[Session], dict[str, list[tuple]]]:
    """A working day after ten others, as upkeep sees it every few minutes: the account, the sessions before, those of the day, and the
    alerts of each."""
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
    return path, history, sessions, alerts


def ordinary_flagged(connection: psycopg.Connection, seed: int, path: str, history: list[Session]) -> tuple[int, int]:
    """Of the sessions that ended in the last three days before, in which nothing went wrong: how many are flagged, of how many."""
    beginning = MONDAY + timedelta(weeks=seed)
    since = beginning - timedelta(days=3)
    connection.execute("SELECT set_config('tokbudget.clock', %s, false)", [beginning.isoformat()])
    flagged = {name for name, in connection.execute(
        "SELECT session FROM tb_anomalies(%s, since => %s) WHERE session IS NOT NULL AND severity <> 'info'", [path, since])}
    judged = {session.name for session in history if since <= session.steps[-1].at < beginning}
    return len(flagged & judged), len(judged)


def share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "none"


def test_what_goes_wrong_is_found_and_what_does_not_is_left_alone() -> None:
    found, early, count, flagged_before, judged_before = defaultdict(int), defaultdict(list), defaultdict(int), 0, 0
    with psycopg.connect(autocommit=True) as connection:
        for seed in SEEDS:
            began = time.monotonic()
            path, history, sessions, alerts = play(connection, seed)
            flagged, judged = ordinary_flagged(connection, seed, path, history)
            flagged_before, judged_before = flagged_before + flagged, judged_before + judged
            for session in sessions:
                told = [alert for alert in alerts[session.name] if alert[2] != "info"]
                is_wide = session.workflow == "reports"
                count[session.anomaly] += 1
                count["wide", bool(session.anomaly)] += is_wide
                found[session.anomaly] += bool(told)
                found["wide", bool(session.anomaly)] += is_wide and bool(told)
                found[session.anomaly, "info"] += bool(alerts[session.name])
                if session.anomaly and told:
                    early[session.anomaly].append(session.cost_until(told[0][0]) / session.cost)
                if told and not session.anomaly:
                    print(f"without a cause: {session.workflow} {told}")
            print(f"seed {seed}: {len(sessions)} sessions after {len(history)}, {time.monotonic() - began:.0f} s")
    for anomaly in ANOMALIES:
        print(f"{anomaly:15} {found[anomaly]:3} of {count[anomaly]:3} told of, {found[anomaly, 'info']:3} with info; "
              f"{sum(value < 1 for value in early[anomaly]):3} before their end, the median at "
              f"{statistics.median(early[anomaly]):.0%} of what they cost in the end")
    right, all_wrong = sum(found[anomaly] for anomaly in ANOMALIES), sum(count[anomaly] for anomaly in ANOMALIES)
    right_info = sum(found[anomaly, "info"] for anomaly in ANOMALIES)
    narrow, narrow_all = right - found["wide", True], all_wrong - count["wide", True]
    print(f"warning and critical: precision {share(right, right + found[None])}, recall {share(right, all_wrong)}, "
          f"{share(narrow, narrow_all)} without the workflow whose sessions differ most")
    print(f"with info: precision {share(right_info, right_info + found[None, 'info'])}, recall {share(right_info, all_wrong)}")
    print(f"ordinary sessions told of: {found[None]} of {count[None]} beside them; of the days before {flagged_before} of {judged_before}")
    assert right / (right + found[None]) >= 0.95
    assert right / all_wrong >= 0.88 and narrow / narrow_all >= 0.95
    assert right_info / all_wrong >= 0.97 and right_info / (right_info + found[None, "info"]) >= 0.93
    assert flagged_before / judged_before <= 0.02
    # Those that go on for hours are noticed with most of what they would cost still unspent.
    assert statistics.median(early["runaway"]) < 0.5 and statistics.median(early["slow_drip"]) < 0.5


if __name__ == "__main__":
    harness.run(__name__)
