"""Runs the functions of a module whose names begin with `test_`, and counts."""

import inspect
import sys
import traceback


def run(module_name: str) -> None:
    passed = failed = 0
    for name, test in inspect.getmembers(sys.modules[module_name], inspect.isfunction):
        if not name.startswith("test_"):
            continue
        try:
            test()
        except Exception:  # a test may fail in any way
            failed += 1
            print(f"FAILED: {name}")
            traceback.print_exc(file=sys.stdout)
        else:
            passed += 1
            print(f"ok: {name}")
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)
