#!/usr/bin/env python3
"""What pricing adds to a commit: the same usage committed with a model and without one, in a large price book.

cost.py [--quick]: the server is that of the environment. The book has 5,000 models with four versions each: three tiers and
a long-context threshold. Commits run in one session, many per statement, in turns; times are those of the processor. There
is no budget: its balance would be updated again and again in one transaction, and finding the newest version would drown
what is measured.
"""

import argparse

import table
from session import Session

MODELS = 5_000
BAR_MICROSECONDS = 30

SET_UP = [
    f"""
    INSERT INTO tokbudget.price (model, provider, service_tier, above_input_tokens, effective_at, unit_prices, origin, source)
    SELECT 'bench-model-' || model, 'bench', variant.tier, variant.above, '2020-01-01',
        jsonb_build_object('input', variant.factor * 2.5, 'cache_read', variant.factor * 0.25,
            'cache_write', variant.factor * 3.125, 'output', variant.factor * 10),
        'import', 'bench'
    FROM generate_series(1, {MODELS}) AS model,
        (VALUES ('standard', 0, 1), ('standard', 200000, 2), ('batch', 0, 0.5), ('priority', 0, 2)) AS variant (tier, above, factor)
    """,
    "ANALYZE tokbudget.price",
    "SELECT tb_create_account('priced/team/agent')",
    "CREATE TABLE held (reservation uuid)",
]
# What OpenAI answers, with a cached prefix and reasoning.
USAGE = """{"prompt_tokens": 1200, "completion_tokens": 400, "total_tokens": 1600,
    "prompt_tokens_details": {"cached_tokens": 1024}, "completion_tokens_details": {"reasoning_tokens": 128}}"""

NEW = "every model new to the session"
# Which model each of a round's calls names.
KINDS = {
    "without a model": "NULL",
    "one model": "'bench-model-1'",
    "100 models in turn": "'bench-model-' || (n % 100 + 1)",
    NEW: "'bench-model-' || (n + 1000)",
}


def reserve(session: Session, model: str, calls: int) -> None:
    """Holds for the calls to come; n in `model` is the number of the call."""
    session.run("TRUNCATE held")
    session.run(
        f"INSERT INTO held SELECT (tb_reserve('priced/team/agent', model => {model}, input_tokens => 1200,"
        f" max_output_tokens => 400)).reservation FROM generate_series(1, {calls}) AS n"
    )


def commit_microseconds(session: Session, calls: int) -> float:
    """The mean time of one of the `calls` commits that are held for."""
    result = session.run(f"SELECT count(tb_commit(reservation, '{USAGE}')) FROM held")
    return result.processor / calls * 1e6


def warm_up(session: Session) -> None:
    """A session's first commits prepare its statements."""
    for model in ("NULL", "'bench-model-1'"):
        reserve(session, model, 100)
        commit_microseconds(session, 100)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    rounds, calls = (5, 500) if options.quick else (9, 1000)

    with Session() as session:
        for statement in SET_UP:
            session.run(statement)
        size = session.run("SELECT count(*), count(DISTINCT (provider, model)) FROM tokbudget.price").rows[0]
    measured = {kind: [] for kind in KINDS}
    for _ in range(rounds):
        with Session() as session, Session() as other:
            warm_up(session)
            for kind, model in KINDS.items():
                # Reserving reads the price too, so that a model is new to a commit only in another session.
                reserve(other if kind == NEW else session, model, calls)
                measured[kind].append(commit_microseconds(session, calls))
    base = table.median(measured["without a model"])
    rows = []
    for kind, times in measured.items():
        time = table.median(times)
        added = time - base
        missed = kind not in ("without a model", NEW) and added > BAR_MICROSECONDS
        rows.append([kind, f"{time:.1f}", f"{added:+.1f}", f"over {BAR_MICROSECONDS}" if missed else ""])
    table.heading(f"A commit with and without a cost: {size[1]} models, {size[0]} rows of prices; bar +{BAR_MICROSECONDS} µs")
    table.show(["commit", "µs", "added µs", "missed"], rows)


if __name__ == "__main__":
    main()
