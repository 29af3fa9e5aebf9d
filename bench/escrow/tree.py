"""Trees of accounts with a budget in tokens on every level."""

import dataclasses

from session import Session

# What no run reaches.
AMOUNT = 1_000_000_000_000_000


@dataclasses.dataclass
class Tree:
    """A root, teams below it and agents below each, `depth` levels in all; or the root alone."""

    root: str
    depth: int = 3
    teams: int = 10
    agents: int = 1000
    every: str | None = "day"

    def path(self, team: object, agent: object) -> str:
        between = "".join(f"/level{level}" for level in range(3, self.depth))
        return self.root if self.depth == 1 else f"{self.root}/team{team}{between}/agent{agent}"

    def paths(self) -> list[str]:
        return sorted({self.path(agent % self.teams, agent) for agent in range(self.agents)})

    def plant(self, session: Session) -> None:
        """Makes it. Straight into the tables, because one call each would take minutes for the largest."""
        prefixes = {path.rsplit("/", up)[0] for path in self.paths() for up in range(self.depth)}
        every = "NULL" if self.every is None else f"'{self.every}'"
        session.run(f"SELECT tb_create_account('{self.root}')")
        session.run("CREATE TEMP TABLE wanted (path text, parent text, level integer)")
        rows = [(path, path.rpartition("/")[0], path.count("/")) for path in sorted(prefixes - {self.root})]
        session.load("wanted", rows)
        for level in range(1, self.depth):
            session.run(f"""
                INSERT INTO tokbudget.account (tenant_id, account_id, path, parent_id, ancestor_ids)
                SELECT parent.tenant_id, tokbudget._new_id(), wanted.path, parent.account_id,
                    parent.ancestor_ids || parent.account_id
                FROM wanted JOIN tokbudget.account AS parent ON parent.path = wanted.parent
                WHERE wanted.level = {level}""")
        session.run(f"""
            INSERT INTO tokbudget.budget (tenant_id, budget_id, account_id, meter, amount, every)
            SELECT account.tenant_id, tokbudget._new_id(), account.account_id, 'tokens', {AMOUNT}, {every}
            FROM tokbudget.account JOIN tokbudget.account AS root ON root.tenant_id = account.tenant_id
            WHERE root.path = '{self.root}' AND root.parent_id IS NULL""")
        session.run("DROP TABLE wanted")
        session.run("ANALYZE tokbudget.account, tokbudget.budget")

    def pick(self) -> str:
        """Lines of a pgbench script that choose an agent at random."""
        return rf"""
\set agent random(0, {self.agents - 1})
\set team :agent % {self.teams}
"""

    def account(self) -> str:
        """The account that was chosen, as an SQL expression in a pgbench script."""
        return "'" + self.path("' || :team || '", "' || :agent || '") + "'"

    def hold(self) -> str:
        """A call of tb_reserve for it. Holds outlive the run, so that none expires meanwhile."""
        return f"tb_reserve({self.account()}, input_tokens => 200, max_output_tokens => 300, ttl => '1 day')"

    def meet(self) -> str:
        """Has a session that begins meet every agent, as a pool's sessions have in the long run."""
        path = self.account().replace(":agent", "agent").replace(":team", f"agent % {self.teams}")
        call = f"jsonb_build_object('account', {path}, 'input_tokens', 0, 'ttl', '1 day')"
        return rf"""
\if :cold
SELECT count(*) FROM tb_reserve_many((SELECT jsonb_agg({call}) FROM generate_series(0, {self.agents - 1}) AS agent));
\set cold 0
\endif
"""

    def reserve(self) -> str:
        return f"{self.pick()}SELECT reservation FROM {self.hold()};\n"

    def cycle(self) -> str:
        return rf"""{self.pick()}
SELECT reservation FROM {self.hold()} \gset
SELECT entry FROM tb_commit(:reservation::uuid, '{{"input_tokens": 200, "output_tokens": 120}}');
"""
