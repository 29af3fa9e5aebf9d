#!/usr/bin/env python3
"""What a call of tb_count_tokens costs in the planner's terms: as a multiple of a built-in function of COST 1.

call_cost.py TEXT: TEXT is the directory that corpus.py made. The server is that of the environment.
"""

import argparse
import pathlib

import table
from session import Session

SIZES = {"200 bytes": (170, 230), "4 KB": (3900, 4096)}
CALLS = 2000
ENCODINGS = {"cl100k_base": "gpt-4", "o200k_base": "gpt-4o"}
# Operators in one expression, so that the row around them does not count.
OPERATORS = 50
ROWS = 20_000


def nanoseconds(session: Session, expression: str, source: str, calls: int, without: str = "id") -> float:
    """The time of one call: what `expression`, evaluated `calls` times, takes more than `without`."""
    times = []
    for _ in range(5):
        with_it, base = (session.run(f"SELECT count({what}) FROM {source}").processor for what in (expression, without))
        times.append((with_it - base) / calls * 1e9)
    return table.median(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", type=pathlib.Path)
    options = parser.parse_args()
    texts = [text for kind in ("prompts", "english") for text in (options.text / kind).read_text().split("\0")]

    rows = []
    with Session() as session:
        session.run(f"CREATE TABLE numbers AS SELECT id FROM generate_series(1, {ROWS}) AS id")
        session.run(
            "CREATE FUNCTION nothing(content text, model text) RETURNS integer"
            " LANGUAGE plpgsql AS 'BEGIN RETURN 1; END'"
        )
        unit = nanoseconds(session, "id" + " + 1" * OPERATORS, "numbers", ROWS * OPERATORS)
        rows.append(["integer + integer (COST 1)", "", f"{unit:.1f}", "1"])

        for name, (shortest, longest) in SIZES.items():
            session.run("CREATE TEMP TABLE texts (id serial, body text NOT NULL)")
            chosen = [text for text in texts if shortest <= len(text.encode()) <= longest][:CALLS]
            session.load("texts (body)", [(text,) for text in chosen])
            # On either side the text is read and decompressed; the comparison looks at one byte.
            read = "body COLLATE \"C\" < E'\\x01'"
            calls = {
                "length(text) (COST 1)": ("length(body)", read),
                "empty PL/pgSQL function": ("nothing(body, 'x')", "id"),
            }
            for encoding, model in ENCODINGS.items():
                calls[f"tb_count_tokens, {encoding}"] = (f"tb_count_tokens(body, '{model}')", read)
            for call, (expression, without) in calls.items():
                time = nanoseconds(session, expression, "texts", len(chosen), without)
                rows.append([call, name, f"{time:,.0f}", f"{time / unit:,.0f}"])
            session.run("DROP TABLE texts")

    table.heading("The COST of a call: time on the processor as a multiple of the cheapest built-in function")
    table.show(["call", "text", "ns", "times"], rows)


if __name__ == "__main__":
    main()
