"""Names that mean one model in one file and another one in both."""

from collections import Counter
from decimal import Decimal

import genai_calculator
import litellm_calculator
from database import Database, Refusal
from usages import Case

REASONS = {
    "several providers": "the file of genai-prices means another seller by the name without a provider; tokbudget refuses it as ambiguous",
}


def reason(case: Case, got: object) -> str | None:
    """Why a name is ambiguous."""
    if not isinstance(got, Refusal) or got.code != "TB007" or "meant" not in got.detail:
        return None
    meant = got.detail["meant"]
    own = f"{case.model.provider}/{case.model.name.removeprefix(case.model.provider + '/')}"
    if own not in meant:
        return None
    return None if case.model.name == own else "several providers"


def check(connection: Database, other: str, cases: list[Case]) -> tuple[int, int]:
    """Imports the other file in another currency and asks again, one usage of each model; how many passed and failed."""
    first = {}
    for case in cases:
        first.setdefault(case.model, case)
    before = {model: connection.cost(case, litellm_calculator.CURRENCY) for model, case in first.items()}
    connection.import_prices(other, genai_calculator.CURRENCY)
    passed = failed = 0
    explained = Counter()
    for model, case in first.items():
        got = connection.cost(case, litellm_calculator.CURRENCY)
        why = reason(case, got)
        if isinstance(got, Decimal) and got == before[model]:
            passed += 1
        elif why:
            explained[why] += 1
        else:
            failed += 1
            print(f"FAILED: {case}: {before[model]} before the other file, {got} after it")
    print(f"names: {passed} as before the other file, {explained.total()} explained, {failed} not")
    for name, text in REASONS.items():
        print(f"  {explained[name]:5} {name}: {text}")
        if not explained[name]:
            failed += 1
            print(f"FAILED: nothing is explained by it any more: {name}")
    return passed + explained.total(), failed
