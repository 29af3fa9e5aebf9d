#!/usr/bin/env python3
"""How long it takes to import the published price files: into the shipped book, and once more when nothing has changed.

price_import.py DIRECTORY: DIRECTORY is where pgrx-config/price-book/documents.py wrote the files. The server is that of the
environment. Times are those of the clock in the server, with the document sent as a parameter of the statement.
"""

import argparse
import pathlib

import table
from session import Session

BAR_SECONDS = 3


def import_seconds(session: Session, literal: str, source: str) -> tuple[float, int]:
    """The time of one import, and the number of models that it changed or added."""
    result = session.run(
        f"SELECT count(*) FILTER (WHERE change IN ('added', 'changed')) FROM tb_import_prices({literal}, '{source}')"
    )
    return result.clock, int(result.value)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=pathlib.Path)
    options = parser.parse_args()
    rows = []
    with Session() as session:
        for name in ("litellm", "genai"):
            text = (options.directory / f"{name}.json").read_text(encoding="utf-8")
            literal = "$document$" + text.replace("\n", " ") + "$document$::jsonb"
            session.run("BEGIN")
            first, changed = import_seconds(session, literal, name)
            again, nothing = import_seconds(session, literal, name)
            session.run("ROLLBACK")
            if nothing:
                raise SystemExit(f"{name}: the same file again changed {nothing} models")
            rows.append([name, f"{changed}", f"{first:.2f}", f"{again:.2f}", table.verdict(first < BAR_SECONDS)])
    table.heading(f"Import of a price file; bar {BAR_SECONDS} s")
    table.show(["file", "models", "first, s", "again, s", "bar"], rows)


if __name__ == "__main__":
    main()
