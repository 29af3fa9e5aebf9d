"""Loads the server with pgbench."""

import dataclasses
import re
import subprocess
import tempfile

from escrow.clusters import Cluster

TPS = re.compile(r"^tps = ([\d.]+)", re.MULTILINE)
PROCESSED = re.compile(r"^number of transactions actually processed: (\d+)", re.MULTILINE)
LATENCY = re.compile(r"^latency average = ([\d.]+) ms", re.MULTILINE)
CONNECTING = re.compile(r"^initial connection time = ([\d.]+) ms", re.MULTILINE)
PROGRESS = re.compile(r"^progress: ([\d.]+) s, ([\d.]+) tps", re.MULTILINE)

# What a client gets to warm up, and what must be left to count.
WARM_SECONDS = 0.4


@dataclasses.dataclass
class Load:
    """Clients that run a script over and over for some seconds, through prepared statements."""

    cluster: Cluster
    database: str
    script: str
    clients: int
    seconds: int
    # What comes before is not counted.
    warm_seconds: float = WARM_SECONDS
    # Transactions per second that are asked for, whether the server is done with those before or not; 0 for as many as it can.
    offered_per_second: int = 0

    def start(self) -> "Running":
        return Running(self)

    def rate(self) -> float:
        """Transactions per second."""
        with self.start() as running:
            return running.rate()

    def rate_and_latency(self) -> tuple[float, float]:
        """Transactions per second, and how long each of them took in the mean: milliseconds, from when it was due."""
        with self.start() as running:
            text = running.finish()
        return steady_rate(text, self.warm_seconds), float(LATENCY.search(text)[1])


class Running:
    """pgbench at work."""

    # Counts the bare INSERTs' ids on, so that no two runs make the same.
    runs = 0

    def __init__(self, load: Load) -> None:
        Running.runs += 1
        self.warm_seconds = load.warm_seconds
        self.file = tempfile.NamedTemporaryFile("w", suffix=".sql")
        self.file.write(load.script)
        self.file.flush()
        command = ["pgbench", "-n", "-M", "prepared", "-P", "1", "-j", "1", "-c", str(load.clients), "-T", str(load.seconds)]
        if load.offered_per_second:
            command += ["-R", str(load.offered_per_second)]
        command += ["-D", "n=0", "-D", "cold=1", "-D", f"run={Running.runs}", "-f", self.file.name, load.database]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=load.cluster.environment
        )

    def __enter__(self) -> "Running":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.file.close()

    def finish(self) -> str:
        """What pgbench printed by its end."""
        text = self.process.stdout.read()
        if self.process.wait() or "number of failed transactions: 0 " not in text:
            raise SystemExit(f"pgbench failed:\n{text[-4000:]}")
        return text

    def rate(self) -> float:
        """Transactions per second, without the time in which clients connect, plan their statements and fill their caches."""
        return steady_rate(self.finish(), self.warm_seconds)


def steady_rate(text: str, warm_seconds: float) -> float:
    """Reads what pgbench printed: its progress counts from before it connects, its rate from after that."""
    done, rate, connecting = (float(pattern.search(text)[1]) for pattern in [PROCESSED, TPS, CONNECTING])
    connecting /= 1000
    end = connecting + done / rate
    before, counted = 0.0, 0.0
    for at, tps in (map(float, line) for line in PROGRESS.findall(text)):
        counted += tps * (at - before)
        before = at
        if at >= connecting + warm_seconds and end - at >= WARM_SECONDS:
            return (done - counted) / (end - at)
    return rate
