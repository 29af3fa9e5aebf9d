"""Ledgers as a company with many agents would have, written straight into the tables; see world.sql and entries.sql.

Three tenants with a tree of accounts each (company, departments, teams, projects, bots) spend on up to 200 models of the
shipped book, for some 90 days, in sessions of several steps. Most of it is a few accounts', models', users' and workflows'.
There are corrections, usage without a price, and entries that spend nothing. A seed and an instant always make the same.
"""

import dataclasses
import pathlib
import string
from collections.abc import Callable

HERE = pathlib.Path(__file__).parent
LEVELS = range(1, 5)
DAY_US = 86_400_000_000


@dataclasses.dataclass
class Generator:
    """One ledger. `run` runs statements and returns the text of the first value of the last one."""

    run: Callable[[str], str]
    entries: int
    accounts: int = 10_000
    models: int = 200
    days: int = 90
    # First instant after the last entry, as SQL reads it; the present where it is None.
    until: str | None = None
    seed: int = 1

    def begin(self) -> None:
        """Accounts, budgets, rates and the months of the ledger. The database must have no tenant yet."""
        until = f"'{self.until}'::timestamptz" if self.until else "tokbudget._now()"
        until_us = int(self.run(f"SELECT (extract(epoch FROM {until}) * 1000000)::bigint"))
        self.values = {
            "seed": self.seed,
            "entries": self.entries,
            "accounts": self.accounts,
            "models": self.models,
            "until_us": until_us,
            "since_us": until_us - self.days * DAY_US,
        }
        levels = "".join(self.sql("level.sql", level=level) for level in LEVELS)
        self.run(self.sql("world.sql", levels=levels))
        sessions = int(self.run("SELECT max(session) + 1 FROM generator.deck"))
        # Of the last thousand a part may be wanted.
        self.values |= {"sessions_per_deck": sessions, "sessions": (self.entries + 999) // 1000 * sessions}
        self.values["models"] = int(self.run("SELECT count(*) FROM generator.model"))
        self.make_months()

    def sql(self, name: str, **values: object) -> str:
        return string.Template((HERE / name).read_text()).substitute(self.values | values)

    def make_months(self) -> None:
        """Partitions of the past; those of the present and the future are there."""
        since, until = (f"timezone('UTC', to_timestamp({self.values[name]} / 1000000.0))" for name in ["since_us", "until_us"])
        self.run(f"""
            SELECT count(tokbudget._add_partition(month::date))
            FROM generate_series(date_trunc('month', {since}), {until}, '1 month') AS series (month)
            WHERE NOT EXISTS (SELECT FROM tokbudget.entry_partition WHERE entry_partition.month = series.month::date)""")

    def write(self, first: int, end: int) -> None:
        """Entries number `first` up to but not `end`, in one transaction."""
        self.run(self.sql("entries.sql", first=first, end=end))

    def settle(self) -> None:
        """Balances that belong to what was written; in shared memory nobody may have read one before."""
        # Not before the escrow engine has had a call: until then balances are rows, which it takes over.
        if self.run("SELECT tokbudget._take_checkpoint()") == "t":
            return
        self.run("""
            INSERT INTO tokbudget.balance (tenant_id, budget_id, window_start, spent_units, granted_units)
            SELECT tenant_id, budget_id, window_start, units, granted_units FROM tokbudget._fold()
            ON CONFLICT (tenant_id, budget_id, window_start) DO UPDATE
            SET spent_units = excluded.spent_units, granted_units = excluded.granted_units""")
