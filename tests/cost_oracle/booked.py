"""tokbudget against itself: a commit books what tb_cost says."""

import psycopg

from database import Database, Refusal
from usages import Case

ACCOUNT = "cost-oracle"
# The currency of a tenant.
CURRENCY = "USD"
EVERY = 10


def check(connection: Database, path: str, cases: list[Case]) -> tuple[int, int]:
    """Books every tenth of the cases; how many passed and failed."""
    connection.import_prices(path, CURRENCY)
    connection.connection.execute("SELECT tb_create_account(%s)", [ACCOUNT])
    connection.connection.execute("SELECT tb_create_budget(%s, 'cost', 1000000)", [ACCOUNT])
    passed = failed = 0
    # Nothing is reserved for a model that is billed by the second only.
    for case in [case for case in cases if case.model.shape != "transcription"][::EVERY]:
        cost = connection.cost(case, CURRENCY, at=None)
        try:
            booked = connection.booked(ACCOUNT, case)
        except psycopg.Error as error:
            booked = Refusal(error.sqlstate, error.diag.message_primary, {})
        if not isinstance(cost, Refusal) and cost == booked:
            passed += 1
        else:
            failed += 1
            print(f"FAILED: {case}: tb_cost {cost}, tb_commit {booked}")
    differences = connection.connection.execute("SELECT * FROM tb_verify()").fetchall()
    print(f"tokbudget: {passed} commits booked what tb_cost says, {failed} did not; tb_verify: {len(differences)} differences")
    return (passed, failed + 1) if differences else (passed + 1, failed)
