"""Plain tables and medians, the same in every part of the benchmark."""

import statistics
import sys
from collections.abc import Sequence

median = statistics.median


def heading(text: str) -> None:
    print(f"\n\n{text}\n", flush=True)


def progress(text: str) -> None:
    """Beside the tables, for who waits."""
    print(f"({text})", file=sys.stderr, flush=True)


def show(header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Prints columns: the first one to the left, numbers to the right."""
    lines = [[str(cell) for cell in row] for row in [header, *rows]]
    widths = [max(map(len, column)) for column in zip(*lines)]
    for line in lines:
        cells = [
            cell.ljust(width) if index == 0 else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(line, widths))
        ]
        print("  ".join(cells).rstrip(), flush=True)


def verdict(met: bool) -> str:
    return "met" if met else "MISSED"
