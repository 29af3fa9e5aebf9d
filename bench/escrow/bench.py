"""What the measurements share: the clusters, how long and how often, and the bars."""

import dataclasses
import math

import table
from escrow.clusters import Cluster, Sync
from escrow.load import Load
from escrow.tree import Tree

Measured = dict[str, list[float]]

# What sessions take to begin, and how fast they meet agents in one call, at worst.
START_SECONDS = 2.5
MEETINGS_PER_SECOND = 10_000


@dataclasses.dataclass
class Bench:
    """One run."""

    escrow: Cluster
    rows: Cluster
    sync: Sync
    quick: bool
    full: bool
    has_escrow: bool
    bars: list[list[str]] = dataclasses.field(default_factory=list)

    @property
    def rounds(self) -> int:
        """Of what has a bar."""
        return 1 if self.quick else 3

    @property
    def fewer_rounds(self) -> int:
        """Of what takes long."""
        return min(self.rounds, 2)

    def seconds(self, clients: int) -> int:
        """How long clients run. The first second does not count, and many clients need more of it."""
        return 3 if clients > 8 and not self.quick else 2

    def load(self, cluster: Cluster, database: str, script: str, clients: int) -> Load:
        return Load(cluster, database, script, clients, self.seconds(clients))

    def long_load(self, cluster: Cluster, database: str, tree: Tree, script: str, clients: int) -> Load:
        """Of sessions that live long: they begin by meeting every agent, which is not counted."""
        warm_seconds = math.ceil(START_SECONDS + clients * tree.agents / MEETINGS_PER_SECOND) if clients > 1 else 1
        return Load(cluster, database, tree.meet() + script, clients, warm_seconds + self.seconds(clients), warm_seconds)

    def interleave(self, loads: dict[str, Load], rounds: int | None = None) -> Measured:
        """Rates of each, one after the other in every round, so that what else the machine does hits all of them."""
        measured: Measured = {name: [] for name in loads}
        for _ in range(rounds or self.rounds):
            for name, load in loads.items():
                measured[name].append(load.rate())
        return measured

    def bar(self, part: str, what: str, value: float, bar: float, most: bool = False) -> str:
        """Compares with the least (or most) that it should be, and keeps it for the end."""
        verdict = "met" if (value <= bar if most else value >= bar) else "not met"
        if not self.has_escrow:
            verdict = "no escrow"
        self.bars.append([f"({part}) {what}", f"{value:.2f}", f"{'<=' if most else '>='} {bar:g}", verdict])
        return verdict

    def at(self, clients: int, delay: int) -> str:
        return f"{clients} client{'s' if clients > 1 else ''}, {delay} ms"

    def show_bars(self) -> None:
        table.heading("The bars")
        table.show(["of", "is", "bar", ""], self.bars)


def rate(measured: Measured, name: str) -> str:
    return f"{table.median(measured[name]):,.0f}"


def ratio(measured: Measured, name: str, baseline: str) -> float:
    """The median of the ratios within the rounds."""
    pairs = zip(measured[name], measured[baseline])
    return table.median(one / other if other else math.inf for one, other in pairs)


def times(value: float) -> str:
    return f"{value:.2f}"
