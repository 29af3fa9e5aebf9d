"""Compares the costs that tokbudget computes with those of a calculator that has the same price file.

compare.py genai|litellm FILE --seed N [--random N]: the connection is in the environment. Every usage is a test, and so is
every reason for differences that is written down: one that explains nothing is stale.
"""

import argparse
import importlib
import sys
from collections import Counter
from collections.abc import Iterator
from decimal import ROUND_HALF_EVEN, Decimal

import booked
import database
import names
import usages


def is_equal(expected: Decimal | float, got: object) -> bool:
    """To the nano-unit for decimals; for floats within their errors, and before tokbudget rounds."""
    if not isinstance(got, Decimal):
        return False
    if isinstance(expected, Decimal):
        return got == expected.quantize(Decimal("1e-9"), ROUND_HALF_EVEN)
    return abs(float(got) - expected) <= max(1e-9 * abs(expected), 1e-12)


def further(arguments: argparse.Namespace, connection: database.Database, equal: list) -> Iterator[tuple[int, int]]:
    """What follows once the costs are known to be right: passed and failed of each check."""
    if arguments.calculator == "litellm":
        yield booked.check(connection, arguments.file, equal)
    if arguments.other:
        yield names.check(connection, arguments.other, equal)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("calculator", choices=("genai", "litellm"))
    parser.add_argument("file")
    parser.add_argument("--other", help="a file of the other source, for names that both know")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--random", type=int, default=10, help="random usages of each model")
    arguments = parser.parse_args()
    calculator = importlib.import_module(f"{arguments.calculator}_calculator")
    differences = importlib.import_module(f"{arguments.calculator}_differences").DIFFERENCES

    connection = database.Database()
    skipped = connection.import_prices(arguments.file, calculator.CURRENCY)
    models = calculator.models(skipped, connection.sellers)
    cases = [case for model in models for case in usages.usages(model, arguments.seed, arguments.random)]
    explained, equal, failed = Counter(), [], 0
    for case in cases:
        expected, got = calculator.cost(case), connection.cost(case, calculator.CURRENCY, is_rounded=calculator.IS_EXACT)
        if is_equal(expected, got):
            equal.append(case)
            continue
        reason = next((difference.name for difference in differences if difference.applies(case, expected, got)), None)
        if reason is None:
            failed += 1
            print(f"FAILED: {case}: {arguments.calculator} {expected}, tokbudget {got}")
        else:
            explained[reason] += 1
    print(f"{arguments.calculator}: {len(models)} models of {len({model.provider for model in models})} providers, {len(cases)} usages, "
          f"seed {arguments.seed}: {len(equal)} equal, {explained.total()} explained, {failed} not")
    for difference in differences:
        print(f"  {explained[difference.name]:5} {difference.name}: {difference.reason}")
        if not explained[difference.name]:
            failed += 1
            print(f"FAILED: nothing is explained by it any more: {difference.name}")
    passed = len(equal) + explained.total()
    for more_passed, more_failed in further(arguments, connection, equal):
        passed, failed = passed + more_passed, failed + more_failed
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
