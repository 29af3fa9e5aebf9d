#!/usr/bin/env python3
"""Hard texts: their time per byte beside English prose, and whether it grows with the length.

worst_case.py [--quick] TEXT: TEXT is the directory that corpus.py made. The server is that of the environment.
"""

import argparse
import pathlib

import inputs
import table
from inputs import KB, MB
from session import Session

ENCODINGS = {"cl100k_base": "gpt-4", "o200k_base": "gpt-4o"}
# How many times the time of English prose any text of 1 MB may take per byte.
WORST = 40
# How many times the time per byte of 64 KB a text of 4 MB may take.
GROWTH = 2
ENGLISH = "English prose"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("text", type=pathlib.Path)
    options = parser.parse_args()
    sizes = [64 * KB, MB] if options.quick else [64 * KB, MB, 4 * MB]
    kinds = [ENGLISH, *inputs.KINDS]
    english = (options.text / "english").read_text().replace("\0", "")

    nanoseconds: dict[tuple[str, str, int], float] = {}
    with Session() as session:
        texts = inputs.HardTexts(session, sizes)
        for kind in kinds:
            texts.load(english if kind == ENGLISH else inputs.make(kind, sizes[-1]))
            for encoding, model in ENCODINGS.items():
                for size in sizes:
                    nanoseconds[encoding, kind, size] = texts.nanoseconds(
                        size, model, runs=1 if options.quick and kind != ENGLISH else 3
                    )

    table.heading("Hard texts: nanoseconds per byte by length; times English prose at 1 MB; growth with the length")
    lengths = [f"{size // MB} MB" if size >= MB else f"{size // KB} KB" for size in sizes]
    header = ["encoding", "text", *lengths, "times English", f"bar {WORST}", "growth", f"bar {GROWTH}"]
    rows = []
    for encoding in ENCODINGS:
        for kind in kinds:
            times = [nanoseconds[encoding, kind, size] for size in sizes]
            worst = nanoseconds[encoding, kind, MB] / nanoseconds[encoding, ENGLISH, MB]
            growth = times[-1] / times[0]
            shown = [f"{time:.1f}" for time in times]
            rows.append(
                [
                    encoding,
                    kind,
                    *shown,
                    f"{worst:.1f}",
                    table.verdict(worst <= WORST),
                    f"{growth:.2f}",
                    table.verdict(growth <= GROWTH),
                ]
            )
    table.show(header, rows)


if __name__ == "__main__":
    main()
