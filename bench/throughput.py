#!/usr/bin/env python3
"""Counting throughput through SQL beside tiktoken-rs called directly, per kind of text.

throughput.py [--quick] TEXT TIKTOKEN: TEXT is the directory that corpus.py made, TIKTOKEN the program of tiktoken/. The
server is that of the environment, with the extension preloaded.

Both count on one thread text that their process has not seen before: each number is of a new connection, or of a new
process. The tables are in shared buffers, put there by another connection. The programs take turns, so that a machine
that gets slower is slower for both. Times are on the processor: what else the machine does counts less. tiktoken-rs has
its documents in memory, while SQL also reads and decompresses them; how much of its time that is has a column.
"""

import argparse
import pathlib
import subprocess
import tempfile

import table
from session import Session

ENCODINGS = {"cl100k_base": "gpt-4", "o200k_base": "gpt-4o"}
# How many times as fast as tiktoken-rs counting must be.
BARS = {"cl100k_base": {"english": 2.0, "code": 2.0}, "o200k_base": {"english": 1.5, "code": 1.5}}
EVERYWHERE = 1.0
# Of every so many documents one, when it must be quick.
QUICK_SHARE = 3


def load(text: pathlib.Path, kinds: list[str], share: int) -> None:
    with Session() as session:
        session.run("CREATE TABLE documents (id integer PRIMARY KEY, kind text NOT NULL, body text NOT NULL)")
        rows = []
        for kind in kinds:
            documents = (text / kind).read_text().split("\0")[:-1]
            rows += [(kind, document) for document in documents[::share]]
        session.load("documents (id, kind, body)", [(number, *row) for number, row in enumerate(rows)])
        session.run("CREATE INDEX ON documents (kind)")
        session.run("VACUUM (ANALYZE, FREEZE) documents")
        session.run("CHECKPOINT")


def export(kind: str, directory: pathlib.Path) -> pathlib.Path:
    """The documents as the server has them, in the order in which it reads them, each ended by a zero byte."""
    file = directory / kind
    query = f"SELECT body FROM documents WHERE kind = '{kind}' ORDER BY id"
    with open(file, "wb") as output:
        subprocess.run(["psql", "-X", "-A", "-t", "-0", "-c", query], stdout=output, check=True)
    return file


class Counted:
    """What the rounds gave for one kind and encoding."""

    def __init__(self) -> None:
        self.sql: list[float] = []
        self.tiktoken: list[float] = []

    @property
    def ratios(self) -> list[float]:
        return [tiktoken / sql for sql, tiktoken in zip(self.sql, self.tiktoken)]


def count_in_sql(kind: str, encoding: str) -> tuple[int, float]:
    with Session() as session:
        result = session.run(
            f"SELECT sum(tb_count_tokens(body, '{ENCODINGS[encoding]}')) FROM documents WHERE kind = '{kind}'"
        )
        return int(result.value), result.processor


def count_in_tiktoken(program: pathlib.Path, file: pathlib.Path, encoding: str) -> tuple[int, int, float]:
    output = subprocess.run([program, encoding, file], check=True, capture_output=True, text=True).stdout
    size, tokens, processor, _ = output.split()
    return int(size), int(tokens), float(processor)


def scan(kind: str) -> float:
    """The time to read and decompress the documents; the comparison itself looks at one byte."""
    with Session() as session:
        query = f"SELECT count(body COLLATE \"C\" < E'\\x01') FROM documents WHERE kind = '{kind}'"
        return session.run(query).processor


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("text", type=pathlib.Path)
    parser.add_argument("tiktoken", type=pathlib.Path)
    options = parser.parse_args()

    kinds = ["english", "code", "multilingual", "json", "emoji", "prompts"]
    rounds = 3 if options.quick else 5
    load(options.text, kinds, QUICK_SHARE if options.quick else 1)
    # Into shared buffers, also the part of a document that is kept outside its row.
    with Session() as session:
        session.run("SELECT sum(length(body)) FROM documents")

    counted = {(encoding, kind): Counted() for encoding in ENCODINGS for kind in kinds}
    scans: dict[str, list[float]] = {kind: [] for kind in kinds}
    sizes: dict[str, int] = {}
    documents: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as directory:
        files = {kind: export(kind, pathlib.Path(directory)) for kind in kinds}
        for kind, file in files.items():
            documents[kind] = file.read_bytes().count(b"\0")
        for number in range(rounds):
            for kind in kinds:
                scans[kind].append(scan(kind))
                for encoding in ENCODINGS:
                    result = counted[encoding, kind]
                    # Each of the two goes first in every other round.
                    if number % 2:
                        sizes[kind], expected, seconds = count_in_tiktoken(options.tiktoken, files[kind], encoding)
                        tokens, sql_seconds = count_in_sql(kind, encoding)
                    else:
                        tokens, sql_seconds = count_in_sql(kind, encoding)
                        sizes[kind], expected, seconds = count_in_tiktoken(options.tiktoken, files[kind], encoding)
                    if tokens != expected:
                        print(f"{kind}, {encoding}: {tokens} tokens through SQL, {expected} with tiktoken-rs")
                        return 1
                    result.sql.append(sql_seconds)
                    result.tiktoken.append(seconds)

    table.heading(
        f"Counting through SQL, beside tiktoken-rs: MB/s on one thread, new text, medians of {rounds} rounds; "
        "the token counts agree"
    )
    header = [
        "encoding",
        "text",
        "MB",
        "bytes each",
        "tb_count_tokens",
        "tiktoken-rs",
        "times as fast",
        "min - max",
        "scan",
        "bar",
        "",
    ]
    rows = []
    for (encoding, kind), result in counted.items():
        megabytes = sizes[kind] / 1e6
        ratios = result.ratios
        bar = BARS[encoding].get(kind, EVERYWHERE)
        rows.append(
            [
                encoding,
                kind,
                f"{megabytes:.1f}",
                round(sizes[kind] / documents[kind]),
                f"{megabytes / table.median(result.sql):.1f}",
                f"{megabytes / table.median(result.tiktoken):.1f}",
                f"{table.median(ratios):.2f}",
                f"{min(ratios):.2f} - {max(ratios):.2f}",
                f"{table.median(scans[kind]) / table.median(result.sql):.0%}",
                f"{bar:.1f}",
                table.verdict(table.median(ratios) >= bar),
            ]
        )
    table.show(header, rows)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
