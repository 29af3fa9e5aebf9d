"""Every report equals plain SQL over the ledger, to the nano, whatever the roll-ups cover. The server is that of the environment.

The ledger is generated (bench/report/generator.py): 10,000 entries of 90 days, which end shortly after the switch from summer time
in New York.
"""

import pathlib
import sys
import time
from collections.abc import Callable

import psycopg
import psycopg.types.json

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/driver"), str(ROOT / "bench")]

import harness  # noqa: E402
import oracle  # noqa: E402
from oracle import Question, Rows  # noqa: E402
from report.generator import Generator  # noqa: E402

ENTRIES = 10_000
UNTIL = "2026-11-20 12:00+00"
# Later than all that was generated.
PRESENT = "2026-11-21 15:30:10.5+00"
# psycopg has no value for infinity.
ALWAYS = ("0001-02-01 00:00+00", "9999-12-01 00:00+00")
OCTOBER = ("2026-10-01 00:00+00", "2026-11-01 00:00+00")
# Neither a month nor a day nor an hour.
ODD = ("2026-09-14 10:17:23.456789+00", "2026-11-02 21:05:01.000001+00")
# The switch, at 2026-11-01 06:00 UTC, lies between.
NEW_YORK = ("2026-10-26 00:00-04", "2026-11-09 00:00-05")
KOLKATA = ("2026-10-01 00:00+05:30", "2026-11-01 00:00+05:30")

FACETS = [
    [], ["account"], ["cost_center"], ["provider"], ["model"], ["operation"], ["service_tier"], ["workflow"], ["step"], ["outcome"],
    ["agent"], ["end_user"], ["account", "cost_center"], ["provider", "model", "service_tier"], ["account", "model"],
    ["workflow", "step", "outcome"], ["account", "workflow"], ["account", "end_user"], ["cost_center", "agent"],
]
# No roll-up has these together.
ACROSS = [["model", "workflow"], ["account", "provider", "end_user"], list(oracle.ATTRIBUTES)]


def connect(role: str | None = None) -> psycopg.Connection:
    connection = psycopg.connect(autocommit=True)
    connection.execute("SELECT set_config('tokbudget.clock', %s, false)", [PRESENT])
    connection.execute("SET jit = off")
    if role:
        connection.execute(f"SET ROLE {role}")
    return connection


def run(statements: str) -> str:
    """As the generator wants it: the first value of the last statement."""
    cursor = CONNECTION.execute(statements)
    while cursor.nextset():
        pass
    row = cursor.fetchone() if cursor.description else None
    return "" if row is None else {True: "t", False: "f"}.get(row[0], str(row[0]))


def value(statement: str, *parameters: object) -> object:
    return CONNECTION.execute(statement, parameters).fetchone()[0]


def set_up() -> None:
    """The ledger, written by several transactions."""
    generator = Generator(run, entries=ENTRIES, accounts=600, until=UNTIL)
    generator.begin()
    for first in range(0, ENTRIES, 2_000):
        generator.write(first, first + 2_000)
    generator.settle()
    # Some accounts are elsewhere now, and others are called something else.
    CONNECTION.execute("SELECT tb_move_account(%s, %s, 'reorganised')", [team(0), department(1)])
    CONNECTION.execute("SELECT tb_move_account(%s, %s, 'reorganised')", [bot(1), department(0)])
    CONNECTION.execute("SELECT tb_rename_account(%s, 'renamed', 'a better name')", [team(3)])
    CONNECTION.execute("ANALYZE")


def path_of(statement: str) -> str:
    return value(f"SELECT account.path FROM tokbudget.account JOIN generator.account AS made USING (tenant_id, account_id) WHERE {statement}")


def department(number: int) -> str:
    return path_of(f"made.tenant = 0 AND made.level = 1 AND made.in_level = {number}")


def team(number: int) -> str:
    return path_of(f"made.tenant = 0 AND made.level = 2 AND made.in_level = {number}")


def bot(rank: int) -> str:
    """One of those that spend most."""
    return value("""SELECT account.path FROM tokbudget.account JOIN generator.spender USING (tenant_id, account_id)
                    WHERE spender.tenant = 0 AND spender.rank = %s""", rank)


def also() -> str:
    """A team on which accounts of others draw too."""
    return value("""SELECT account.path FROM generator.spender
                    JOIN tokbudget.account ON account.tenant_id = spender.tenant_id AND account.account_id = spender.account_ids[cardinality(account_ids)]
                    WHERE spender.tenant = 0 AND spender.account_ids[cardinality(account_ids)] <> spender.account_id
                    ORDER BY spender.rank LIMIT 1""")


def accounts() -> list[str]:
    return ["acme", department(0), department(1), team(0), team(3), bot(0), bot(1), also(), "globex", "initech"]


# What the roll-ups cover, from nothing to everything.

def forget() -> None:
    with CONNECTION.transaction():
        CONNECTION.execute("SELECT tokbudget._forget_usage()")
        CONNECTION.execute("DELETE FROM tokbudget.session_usage")
        CONNECTION.execute("DELETE FROM tokbudget.rollup")


def refresh_partly() -> None:
    forget()
    CONNECTION.execute("SELECT tokbudget._refresh(5000, true)")
    assert 0 < value("SELECT sum(entries) FROM tokbudget.facet_usage WHERE facet = 'account' AND grain = 'month'") < ENTRIES - 1_000


def refresh() -> None:
    CONNECTION.execute("SELECT tb_refresh()")
    [left] = CONNECTION.execute("SELECT count(*) FROM tokbudget._usage_tail(NULL)").fetchone()
    assert left == 0, left




CACHE: dict[tuple, Rows] = {}


def wanted_of(question: Question) -> Rows:
    """What plain SQL says; once while the ledger stays the same."""
    call = (repr(question), value("SELECT count(*) FROM tokbudget.entry"))
    if call not in CACHE:
        CACHE[call] = oracle.chargeback(CONNECTION, question)
    return CACHE[call]


def equal(what: object, got: Rows, wanted: Rows) -> None:
    differences = [(key, got.get(key), wanted.get(key)) for key in got.keys() | wanted.keys() if got.get(key) != wanted.get(key)]
    if differences:
        raise AssertionError(f"{what}: {len(differences)} of {len(wanted)} differ, such as {differences[:2]}")


def ask(connection: psycopg.Connection, question: Question, compare: bool = False) -> list[dict]:
    cursor = connection.execute(
        """SELECT * FROM tb_chargeback(%s, %s, since => %s, until => %s, every => %s, time_zone => %s, week_start => %s, depth => %s,
               compare => %s)""",
        [question.account, question.by, question.since, question.until, question.every, question.time_zone, question.week_start,
         question.depth, compare],
    )
    names = [column.name for column in cursor.description]
    return [dict(zip(names, row)) for row in cursor]


def key(row: dict) -> tuple:
    return (row["period_start"], *(row[name] for name in oracle.ATTRIBUTES), row["currency"])


def as_rows(question: Question, rows: list[dict], account: str | None = None) -> Rows:
    """Lines that something was spent on."""
    found = {key(row): tuple(row[name] for name in oracle.AMOUNTS) for row in rows if row["entries"]}
    assert len(found) == sum(bool(row["entries"]) for row in rows), f"{question}: a line twice"
    return found


def check(question: Question, connection: psycopg.Connection | None = None) -> int:
    """Compares one question; returns how many lines it has."""
    rows = ask(connection or CONNECTION, question)
    wanted = wanted_of(question)
    equal(question, as_rows(question, rows), wanted)
    idle = {row["account"] for row in rows if not row["entries"]}
    if question.by == ["account"] and question.depth is None and question.every is None:
        spent = {row[1] for row in wanted}
        assert idle == oracle.idle_accounts(CONNECTION, question.account) - spent, question
    else:
        assert not idle or question.by == ["account"], question
    for row in rows:
        assert (row["is_unallocated"] is True) == any(row[name] is None for name in question.by if name not in ("account", "service_tier")), row
    return len(rows)


def every_attribute_is_summed() -> None:
    lines = [check(Question("acme", by, *OCTOBER)) for by in FACETS + ACROSS]
    assert min(lines) >= 1 and max(lines) > 500, lines


def every_account_has_what_was_below_it() -> None:
    for account in accounts():
        for by in [[], ["account"]]:
            check(Question(account, by, *ODD))
    for account in [department(0), team(0), bot(1)]:
        for by in [["model"], ["workflow", "step"], ["end_user"]]:
            check(Question(account, by, *ODD))


def depth_sums_what_is_below() -> None:
    for depth in [0, 1, 2, 9]:
        check(Question("acme", ["account"], *ODD, depth=depth))
        check(Question(department(1), ["account", "model"], *OCTOBER, depth=depth))


def periods_of_any_calendar_and_zone() -> None:
    for by in [[], ["model"], ["end_user"], ["model", "workflow"]]:
        check(Question("acme", by, *KOLKATA))
        check(Question("acme", by, *NEW_YORK, every="day", time_zone="America/New_York"))
        check(Question(department(0), by, *ODD, every="week", time_zone="America/New_York", week_start="sunday"))
        check(Question("acme", by, *ODD, every="month", time_zone="Asia/Kolkata"))
    for zone in ["UTC", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"]:
        check(Question("acme", [], "2026-10-31 00:10+00", "2026-11-02 00:00+00", every="hour", time_zone=zone))
        check(Question(team(0), ["model"], "2026-10-31 00:00+00", "2026-11-02 00:00+00", every="hour", time_zone=zone))
        check(Question(department(0), ["account"], *ODD, every="quarter", time_zone=zone))


def a_period_without_an_end() -> None:
    for by in [[], ["account"]]:
        unbounded = CONNECTION.execute(
            """SELECT sum(entries), sum(cost), sum(internal_cost), sum(input_tokens), bool_and(period_start = '-infinity' AND period_end = 'infinity')
               FROM tb_chargeback('acme', %s, '-infinity', 'infinity')""", [by]).fetchone()
        wanted = next(iter(wanted_of(Question("acme", [], *ALWAYS)).values()))
        amounts = dict(zip(oracle.AMOUNTS, wanted))
        assert unbounded == (*(amounts[name] for name in ["entries", "cost", "internal_cost", "input_tokens"]), True), unbounded


def the_period_before_and_shares() -> None:
    for by in [[], ["account"], ["provider"], ["workflow"]]:
        month = {tuple(row[1:]): amounts for row, amounts in wanted_of(Question("acme", by, *OCTOBER)).items()}
        before = {
            tuple(row[1:]): amounts
            for row, amounts in wanted_of(Question("acme", by, "2026-08-31 00:00+00", OCTOBER[0])).items()
        }
        cost = oracle.AMOUNTS.index("cost")
        whole = sum(amounts[cost] or 0 for amounts in month.values())
        for row in ask(CONNECTION, Question("acme", by, *OCTOBER), compare=True):
            line = key(row)[1:]
            assert row["previous_cost"] == (before[line][cost] if line in before else None), row
            if line in month and month[line][cost] is not None:
                assert abs(row["share_percent"] - 100 * month[line][cost] / whole) <= whole.__class__("0.00005"), row
            before.pop(line, None)
        assert not before, f"{by}: lines of the month before are missing"


def the_view_shows_it_all() -> None:
    rows = CONNECTION.execute(f"""
        SELECT period, tenant, account, cost_center, provider, model, operation, currency, {", ".join(oracle.SUMS)}, unpriced_entries
        FROM tokbudget.chargeback""").fetchall()
    equal("view", {row[:8]: row[8:] for row in rows}, oracle.view(CONNECTION, None))


def a_reader_sees_his_own() -> None:
    own = department(1)
    CONNECTION.execute("DROP ROLE IF EXISTS report_reader")
    CONNECTION.execute("CREATE ROLE report_reader")
    CONNECTION.execute("SELECT tb_grant_access('report_reader', %s, 'read')", [own])
    with connect("report_reader") as reader:
        check(Question(own, ["account", "model"], *ODD), reader)
        rows = reader.execute(f"""
            SELECT period, tenant, account, cost_center, provider, model, operation, currency, {", ".join(oracle.SUMS)}, unpriced_entries
            FROM tokbudget.chargeback""").fetchall()
        equal("view", {row[:8]: row[8:] for row in rows}, oracle.view(CONNECTION, own))
    CONNECTION.execute("SELECT tb_revoke_access('report_reader', %s, 'read')", [own])


def showback_is_a_tree() -> None:
    for account, periods in [("acme", [ODD]), (department(0), [OCTOBER, KOLKATA]), (department(1), [OCTOBER])]:
        for since, until in periods:
            rows = CONNECTION.execute("""
                SELECT account, currency, own_cost, subtree_cost, subtree_internal_cost, requests, subtree_input_tokens, subtree_output_tokens
                FROM tb_showback(%s, %s, %s)""", [account, since, until]).fetchall()
            wanted = oracle.showback(CONNECTION, account, since, until)
            equal(("showback", account, since), {row[:2]: row[2:] for row in rows if any(row[2:])},
                  {line: amounts for line, amounts in wanted.items() if any(amounts)})
            missing = wanted.keys() - {row[:2] for row in rows}
            assert not missing, missing


def the_hourly_series() -> None:
    for account in ["acme", team(0), bot(0)]:
        rows = CONNECTION.execute("""
            SELECT usage.* FROM tokbudget.account
            CROSS JOIN LATERAL tokbudget._usage_by_hour(tenant_id, account_id, '2026-10-20 00:00+00', '2026-11-05 00:00+00') AS usage
            WHERE path = %s""", [account]).fetchall()
        equal(("by hour", account), {row[:1]: row[1:] for row in rows},
              oracle.by_hour(CONNECTION, account, "2026-10-20 00:00+00", "2026-11-05 00:00+00"))


def budgets_stand_beside_what_was_spent() -> None:
    rows = CONNECTION.execute("SELECT account, budget, window_start, spent FROM tb_budget_report('acme', '2026-10-15 12:00+00')").fetchall()
    assert {row[0] for row in rows} == oracle.idle_accounts(CONNECTION, "acme")
    for path, budget, window_start, spent in rows:
        wanted = value("""
            SELECT COALESCE(sum(slot.units), 0) / 1000000000.0
            FROM tokbudget.entry CROSS JOIN LATERAL unnest(budget_ids, window_starts, spent_units) AS slot (budget_id, window_start, units)
            WHERE slot.budget_id = %s AND slot.window_start = %s""", budget, window_start)
        assert spent == wanted, (path, spent, wanted)


QUESTIONS: list[Callable[[], None]] = [
    every_attribute_is_summed, every_account_has_what_was_below_it, depth_sums_what_is_below, periods_of_any_calendar_and_zone,
    a_period_without_an_end, the_period_before_and_shares, the_view_shows_it_all, a_reader_sees_his_own, showback_is_a_tree,
    the_hourly_series, budgets_stand_beside_what_was_spent,
]


def answer(questions: list[Callable[[], None]]) -> None:
    wrong = []
    for question in questions:
        try:
            question()
        except AssertionError as error:
            wrong.append(f"{question.__name__}: {error}")
    assert not wrong, "\n".join(wrong)


def test_a_nothing_is_covered() -> None:
    forget()
    # The tail is all there is: each question reads the whole ledger.
    answer([every_account_has_what_was_below_it, the_view_shows_it_all, showback_is_a_tree, the_hourly_series])


def test_b_a_part_is_covered() -> None:
    refresh_partly()
    answer(QUESTIONS)


def test_c_everything_is_covered() -> None:
    refresh()
    answer(QUESTIONS)


def charge(connection: psycopg.Connection, account: str, model: str = "gpt-4o", **attributes: object) -> object:
    return connection.execute(
        """SELECT entry FROM tb_charge(%s, %s, '{"prompt_tokens": 1200, "completion_tokens": 340, "total_tokens": 1540}',
               attributes => %s)""",
        [account, model, psycopg.types.json.Jsonb({"workflow": "support-triage", "session": "live"} | attributes)],
    ).fetchone()[0]


def check_all() -> None:
    """What a change that was not noticed would show in."""
    check(Question("acme", ["account"], *ALWAYS))
    for by in [[], ["model"], ["workflow", "outcome"], ["end_user"], ["model", "workflow"]]:
        check(Question("acme", by, "2026-11-01 00:00+00", "2026-12-01 00:00+00"))
    check(Question("acme", [], "2026-11-21 15:00+00", "2026-11-21 15:30:10.6+00"))


def test_d_transactions_open_during_a_refresh() -> None:
    refresh()
    with connect() as early, connect() as late, connect() as lost:
        for connection in [early, late, lost]:
            connection.execute("BEGIN")
            charge(connection, bot(0))
        charge(CONNECTION, bot(1))
        # What this one sees of the open ones changes while it covers a part.
        CONNECTION.execute("SELECT tokbudget._refresh(1, true)")
        check_all()
        early.execute("COMMIT")
        check_all()
        CONNECTION.execute("SELECT tb_refresh()")
        check_all()
        charge(late, team(3))
        late.execute("COMMIT")
        lost.execute("ROLLBACK")
        check_all()
    refresh()
    check_all()


def test_e_a_transaction_that_refreshes_and_writes() -> None:
    refresh()
    with connect() as writer:
        writer.execute("BEGIN")
        charge(writer, bot(0), outcome="success")
        writer.execute("SAVEPOINT s")
        charge(writer, bot(0), outcome="failure")
        writer.execute("ROLLBACK TO s")
        writer.execute("SELECT tb_refresh()")
        charge(writer, bot(1), end_user="somebody")
        # It sees its own, too.
        question = Question("acme", ["account", "outcome"], "2026-11-01 00:00+00", "2026-12-01 00:00+00")
        equal(question, as_rows(question, ask(writer, question)), oracle.chargeback(writer, question))
        check_all()
        writer.execute("COMMIT")
    check_all()
    refresh()
    check_all()


def test_f_corrections_of_what_is_covered() -> None:
    refresh()
    statement = """SELECT entry_id FROM tokbudget.entry JOIN generator.tenant USING (tenant_id)
                   WHERE tenant = 0 AND kind IN ('commit', 'charge') AND cost > 0 AND corrects_entry_id IS NULL
                   ORDER BY recorded_at, entry_id LIMIT 3 OFFSET 700"""
    one, two, three = (row[0] for row in CONNECTION.execute(statement))
    CONNECTION.execute("SELECT tb_adjust(%s, 0.123456789, 'agreed')", [one])
    CONNECTION.execute("SELECT tb_adjust(%s, 0.000000001, 'agreed')", [one])
    CONNECTION.execute("SELECT tb_refund(%s, 'outage')", [two])
    check_all()
    refresh()
    check_all()
    with connect() as writer:
        writer.execute("BEGIN")
        writer.execute("SELECT tb_refund(%s, 'outage')", [three])
        refresh()
        check_all()
        writer.execute("COMMIT")
    check_all()
    refresh()
    check_all()


def test_g_usage_that_is_priced_later() -> None:
    refresh()
    CONNECTION.execute("SELECT tb_set_unpriced('acme', 'record', '{\"input\": 1, \"output\": 2}')")
    named = [("model-of-tomorrow", bot(0)), ("model-of-tomorrow", bot(1)), ("model-of-next-week", bot(0))]
    first = charge(CONNECTION, bot(0), model="model-of-tomorrow")
    for model, account in named:
        charge(CONNECTION, account, model=model)
    question = Question("acme", ["model"], "2026-11-21 00:00+00", "2026-11-22 00:00+00")
    check_all()
    before = sum(row["unpriced_entries"] for row in ask(CONNECTION, question))
    assert before == 4, before
    refresh()
    check_all()
    for number, model in enumerate(["model-of-tomorrow", "model-of-next-week"]):
        CONNECTION.execute("SELECT tb_set_price(%s, 'in-house', 3, 4, effective_at => '2026-01-01 00:00+00')", [model])
        CONNECTION.execute("SELECT count(*) FROM tb_rerate('acme', %s)", [model])
        # Once more, so that it has two corrections of which one is covered, or both at once.
        if number == 0:
            CONNECTION.execute("SELECT tb_adjust(%s, 0.5, 'agreed')", [first])
        check_all()
        refresh()
        check_all()
    CONNECTION.execute("SELECT tb_adjust(%s, 0.25, 'agreed')", [first])
    check_all()
    refresh()
    check_all()
    assert sum(row["unpriced_entries"] for row in ask(CONNECTION, question)) == 0


def rolled_up() -> set[tuple]:
    """All rows, by what they are about."""
    facets = CONNECTION.execute("SELECT * FROM tokbudget.facet_usage")
    subtrees = CONNECTION.execute("SELECT * FROM tokbudget.subtree_usage")
    return {tuple(str(cell) if isinstance(cell, list) else cell for cell in row) for cursor in [facets, subtrees] for row in cursor}


def test_h_a_rebuild_gives_the_same_rows() -> None:
    forget()
    CONNECTION.execute("SELECT tokbudget._refresh(3000, true)")
    CONNECTION.execute("SELECT tokbudget._refresh(4000, true)")
    charge(CONNECTION, bot(0))
    refresh()
    bit_by_bit = rolled_up()
    CONNECTION.execute("SELECT tb_refresh(rebuild => true)")
    at_once = rolled_up()
    assert bit_by_bit == at_once, (len(bit_by_bit - at_once), len(at_once - bit_by_bit), list(bit_by_bit - at_once)[:1], list(at_once - bit_by_bit)[:1])


def test_i_a_month_that_has_left_the_ledger() -> None:
    """The last one, because it does not come back."""
    refresh()
    questions = [
        Question("acme", by, "2026-08-01 00:00+00", "2026-10-15 00:00+00", every="month")
        for by in [[], ["account"], ["model"], ["workflow"], ["end_user"]]
    ]
    before = [ask(CONNECTION, question) for question in questions]
    CONNECTION.execute("SELECT tb_detach_month('2026-08-01', 'retention')")
    for question, rows in zip(questions, before):
        assert ask(CONNECTION, question) == rows, question
    CONNECTION.execute("SELECT tb_refresh(rebuild => true)")
    for question, rows in zip(questions, before):
        assert ask(CONNECTION, question) == rows, question


CONNECTION = connect()

if __name__ == "__main__":
    begun = time.monotonic()
    set_up()
    print(f"ledger of {ENTRIES:,} entries in {time.monotonic() - begun:.1f} s")
    harness.run(__name__)
