"""What the measurements of reports share: the cluster with the ledger, how often, and the bars."""

import dataclasses
import time

import table
from escrow.clusters import Cluster, Sync
from report import bulk
from report.generator import Generator
from session import Session

DATABASE = "report"
TENANT = "acme"
ROLL_UPS = ["tokbudget.facet_usage", "tokbudget.subtree_usage", "tokbudget.session_usage"]


@dataclasses.dataclass
class Bench:
    """One run."""

    cluster: Cluster
    sync: Sync
    entries: int
    # Entries that are written after the roll-ups cover the others.
    later: int
    runs: int
    rounds: int
    bars: list[list[str]] = dataclasses.field(default_factory=list)
    generator: Generator | None = None

    @property
    def is_full(self) -> bool:
        return self.entries >= 10_000_000

    def session(self) -> Session:
        return self.cluster.session(DATABASE)

    def grow(self) -> None:
        """Writes the ledger, with its balances; nothing is in the roll-ups yet."""
        self.cluster.create(DATABASE)
        begun = time.monotonic()
        with self.session() as session:
            generator = bulk.generator_of(session, self.entries + self.later, min(10_000, self.entries // 20))
            generator.begin()
        bulk.write(self.cluster, DATABASE, generator, self.entries)
        self.generator = generator
        seconds = time.monotonic() - begun
        table.progress(f"ledger of {self.entries:,} entries in {seconds:.0f} s, {self.entries / seconds:,.0f} a second")
        with self.session() as session:
            bulk.generator_of(session, 0, 0).settle()
            # As autovacuum would, which is off here.
            session.run("VACUUM tokbudget.entry")
            session.run("CHECKPOINT")
        table.progress(f"balances and VACUUM in {time.monotonic() - begun - seconds:.0f} s")

    def refresh(self, session: Session) -> tuple[int, float, float]:
        """Has the roll-ups cover everything; returns how many entries were new, and the seconds on the clock and the processor."""
        done = session.run("SELECT tb_refresh()")
        # As autovacuum would.
        session.run(f"ANALYZE {', '.join(ROLL_UPS)}")
        return int(done.value), done.clock, done.processor

    def write(self, first: int, end: int) -> None:
        """Later entries, in transactions of a thousand."""
        with self.session() as session:
            session.run("SET synchronous_commit = off")
            for start in range(first, end, 1000):
                session.run(self.generator.sql("entries.sql", first=start, end=min(start + 1000, end)))

    def milliseconds(self, session: Session, statement: str) -> tuple[float, float]:
        """Median times of the statement on the clock and on the processor; its rows are read and thrown away."""
        session.run(statement)
        done = [session.run(statement) for _ in range(self.runs)]
        return 1000 * table.median([one.clock for one in done]), 1000 * table.median([one.processor for one in done])

    def team(self, session: Session) -> str:
        """The team that spends most."""
        return session.run("""
            SELECT account.path FROM tokbudget.account JOIN generator.account AS made USING (tenant_id, account_id)
            WHERE made.tenant = 0 AND made.level = 2 AND made.in_level = 0""").value

    def bar(self, what: str, value: float, bar: float, most: bool = False) -> str:
        """Compares with the least (or most) that it should be, and keeps it for the end."""
        verdict = table.verdict(value <= bar if most else value >= bar)
        self.bars.append([what, f"{value:,.2f}", f"{'<=' if most else '>='} {bar:,g}", verdict])
        return verdict

    def show_bars(self) -> None:
        table.heading("The bars")
        table.show(["of", "is", "bar", ""], self.bars)
