"""A psql process that runs statements in one connection and tells what the server measured.

The connection is the one of the environment (PGHOST and so on), unless another is given. Standard library only.
"""

import dataclasses
import os
import re
import subprocess

END = "--- end of statement"
USAGE = re.compile(r"^!\t([\d.]+) s user, ([\d.]+) s system, ([\d.]+) s elapsed", re.MULTILINE)
# What the server says about itself, next to the statement's own rows.
REPORT = re.compile(r"^(LOG:  QUERY STATISTICS|DETAIL:  ! system usage stats:|!\t.*)\n?", re.MULTILINE)


@dataclasses.dataclass
class Result:
    """What a statement gave."""

    output: str
    sqlstate: str
    # Seconds on the processor and on the clock, measured in the server; None after an error.
    processor: float | None
    clock: float | None

    @property
    def rows(self) -> list[list[str]]:
        return [line.split("\t") for line in self.output.splitlines()]

    @property
    def value(self) -> str:
        return self.output.rstrip("\n")


class Session:
    """One connection to the server."""

    def __init__(self, database: str | None = None, environment: dict[str, str] | None = None):
        # As options of the connection, so that the first statement is the first thing that the backend does.
        options = "-c log_statement_stats=on -c client_min_messages=log -c max_parallel_workers_per_gather=0 -c jit=off"
        command = ["psql", "-X", "-q", "-A", "-t", "-F", "\t"]
        if database:
            command += ["-d", database]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=(environment or os.environ) | {"PGOPTIONS": options, "PGCLIENTENCODING": "UTF8"},
        )

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.stdin.close()
            self.process.stdout.read()
            self.process.stdout.close()
        self.process.wait()

    def send(self, statement: str) -> None:
        """Starts a statement; `receive` waits for its end."""
        self.process.stdin.write(f"{statement};\n\\echo '{END}' :SQLSTATE\n".encode())
        self.process.stdin.flush()

    def receive(self) -> Result:
        lines = []
        for line in self.process.stdout:
            line = line.decode(errors="replace")
            if line.startswith(END):
                break
            lines.append(line)
        else:
            raise SystemExit("the connection is gone:\n" + "".join(lines))
        text = "".join(lines)
        usage = USAGE.search(text)
        processor = clock = None
        if usage:
            user, system, clock = map(float, usage.groups())
            processor = user + system
        return Result(REPORT.sub("", text), line.split()[-1], processor, clock)

    def try_run(self, statement: str) -> Result:
        """Runs a statement that may fail."""
        self.send(statement)
        return self.receive()

    def run(self, statement: str) -> Result:
        """Runs a statement that must not fail."""
        result = self.try_run(statement)
        if result.sqlstate != "00000":
            raise SystemExit(f"{statement[:200]}\n{result.output[:2000]}")
        return result

    def load(self, target: str, rows: list[tuple[object, ...]]) -> None:
        """Copies rows into `target`, a table with its columns."""
        lines = ["\t".join(escape(str(value)) for value in row) + "\n" for row in rows]
        data = f"COPY {target} FROM STDIN;\n{''.join(lines)}\\.\n\\echo '{END}' :SQLSTATE\n"
        self.process.stdin.write(data.encode())
        self.process.stdin.flush()
        result = self.receive()
        if result.sqlstate != "00000":
            raise SystemExit(result.output[:2000])


def escape(value: str) -> str:
    """A value in the text format of COPY."""
    for character, code in [("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r")]:
        value = value.replace(character, code)
    return value
