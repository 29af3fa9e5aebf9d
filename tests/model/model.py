"""Random calls against a tenant, each compared with the model: model.py [--seed N]... [--random] [--steps M]

The connection is in the environment. A seed and a number of steps always give the same calls."""

import argparse
import random
import secrets
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta, timezone

import pickle

from database import Database, Failure, amount, epoch, interval, units
from ledger import Fold, Ledger, Refusal, Refused
from tree import MODEL, Account, Budget, Grant, Quota
from windows import window_at

# The clocks of Berlin go forward on 29 March.
START = datetime(2026, 3, 28, 21, 30, tzinfo=timezone.utc)
METERS = ["tokens", "tokens", "cost", "requests", "output_tokens", "widgets"]
EVERY = [None, "minute", "hour", "5 hours", "day", "day", "week", "month"]


class Mismatch(Exception):
    pass


class Run:
    def __init__(self, database: Database, seed: int) -> None:
        self.database, self.random = database, random.Random(seed)
        self.tenant = f"seed-{seed}"
        self.ledger, self.now = Ledger(), START
        # What to go back to at the end of the transaction and of each savepoint.
        self.saved: list[bytes] = []
        self.log: list[str] = []
        self.names = 0
        # What became of calls that spend: allowed, or the code.
        self.outcomes = Counter()

    # Random parts of calls

    def chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def path(self) -> str:
        return self.random.choice(list(self.ledger.accounts))

    def name(self) -> str:
        self.names += 1
        return f"n{self.names}"

    def spender(self) -> str:
        if self.ledger.quotas and self.chance(0.1):
            # Nobody has made it yet, or somebody has.
            return f"{self.random.choice(self.ledger.quotas).node}/user-{self.random.randrange(4)}"
        return f"{self.path()}/nobody" if self.chance(0.02) else self.path()

    def tokens(self) -> int:
        return self.random.choice([0, 1, self.random.randrange(20), self.random.randrange(60), self.random.randrange(150)])

    def call(self) -> dict:
        model = self.random.choice([MODEL, MODEL, MODEL, MODEL, MODEL, None]) if not self.chance(0.01) else "unknown"
        also = [self.path() for _ in range(self.random.choice([0, 0, 0, 1, 1, 2]))]
        meters = {"widgets": self.random.randrange(6)} if self.chance(0.3) else {}
        return {"account": self.spender(), "model": model, "input_tokens": self.tokens(), "output_tokens": self.tokens(),
                "meters": meters, "also": also, "key": None}

    def hold(self) -> dict:
        known = [payload for (operation, _), (payload, _) in self.ledger.keys.items() if operation == "reserve"]
        if known and self.chance(0.08):
            return self.keyed_again("reserve")
        call = {**self.call(), "ttl": self.random.choice([1, 30, 60, 300, 600, 7200])}
        if self.chance(0.01):
            call[self.random.choice(["input_tokens", "ttl"])] = -1
        return {**call, "key": self.name() if self.chance(0.2) else None}

    def keyed_again(self, operation: str) -> dict:
        """A call that came before, or another one with its key."""
        (_, key), (payload, _) = self.random.choice([it for it in self.ledger.keys.items() if it[0][0] == operation])
        call = {name: value for name, value in payload.items() if name != "enforce"} | {"key": key}
        return {**call, "input_tokens": call["input_tokens"] + 1} if self.chance(0.3) else call

    def usage(self, serial: int) -> tuple[dict | None, str]:
        reservation = self.ledger.reservations[serial]
        if self.chance(0.1):
            return None, self.random.choice(["held", "input"])
        share = self.random.choice([0, 0, 1, 1, 2])
        if share == 0:
            tokens = [self.random.randint(0, reservation.input_tokens), self.random.randint(0, reservation.output_tokens)]
        else:
            tokens = [reservation.input_tokens * share, reservation.output_tokens * share]
        usage = {"input_tokens": tokens[0], "output_tokens": tokens[1]}
        if self.chance(0.2):
            usage["meters"] = {"widgets": self.random.randrange(8)}
        return usage, "held"

    def reservation(self) -> int | None:
        """Mostly one that is still open."""
        reservations = self.ledger.reservations
        held = [serial for serial, it in reservations.items() if it.state == "held"]
        return self.random.choice(held if held and self.chance(0.8) else list(reservations)) if reservations else None

    # Comparing

    def note(self, text: str) -> None:
        self.log.append(f"{self.now.isoformat()} {text}")

    def expect(self, what: str, expected: object, actual: object) -> None:
        if expected != actual:
            raise Mismatch(f"{what}:\n  model    {expected}\n  database {actual}")

    def refused(self, expected: Refusal, code: str, detail: dict) -> None:
        self.expect("code", expected.code, code)
        if expected.code == "TB001":
            # One that was given by quota in this very call has no id that could be known.
            named = [self.ledger.budgets[serial] for serial in expected.budgets]
            names = [(it.id, it.account, it.meter) if it.id else (detail["budget"], it.account, it.meter) for it in named]
            actual = detail["budget"], detail["account"], detail["meter"]
            if actual not in names:
                raise Mismatch(f"tightest budget:\n  model    {names}\n  database {actual}")

    def answer(self, expected: object, things: dict, row: tuple) -> None:
        """One answer that has an id, or is a refusal: (id, code, detail, ...)."""
        if isinstance(expected, Refusal):
            if row[0] is not None:
                raise Mismatch(f"model refuses with {expected.code}, database allows")
            self.refused(expected, row[1], row[2])
            return
        if row[0] is None:
            raise Mismatch(f"model allows, database refuses: {row[1:3]}")
        thing = things[expected]
        if thing.id is None:
            thing.id = row[0]
        self.expect("id", thing.id, row[0])
        if len(row) > 3:
            self.expect("cost", thing.facts.setdefault("cost", amount("cost", thing.cost)), row[3])
            self.expect("tokens", thing.facts["tokens"], row[4])
            self.expect("overrun", thing.facts["overrun"], row[5])
            self.expect("grace", thing.facts.get("grace", False), "grace" in row[6])

    def compare(self, model: Callable[[], list], is_raised: bool, run: Callable[[], object], things: Callable[[], dict]) -> None:
        """A call with one answer or many. `is_raised`: the first refusal is an error, which undoes the statement."""
        before = self.ledger.save()
        try:
            expected = model()
        except Refused as refused:
            expected = [refused.refusal]
        self.outcomes.update(it.code if isinstance(it, Refusal) else "allowed" for it in expected)
        refusal = next((it for it in expected if isinstance(it, Refusal)), None)
        actual = run()
        if is_raised and refusal is not None:
            if not isinstance(actual, Failure):
                raise Mismatch(f"model refuses with {refusal.code}, database answers {actual}")
            self.refused(refusal, actual.code, actual.detail)
            self.ledger = pickle.loads(before)
            return
        if isinstance(actual, Failure):
            raise Mismatch(f"model allows, database refuses: {actual}")
        self.expect("number of answers", len(expected), len(actual))
        for one, row in zip(expected, actual):
            self.answer(one, things(), row)

    def observe(self) -> None:
        ledger, now = self.ledger, self.now
        # What is above a leaf shows with it.
        is_leaf = not self.chance(0.1)
        seen = self.database.observe(self.tenant, is_leaf)
        known = {budget.id for budget in ledger.budgets.values()}
        for budget_id, account, quota in seen["budgets"]:
            for budget in ledger.budgets.values():
                if budget_id not in known and budget.id is None and (budget.account, budget.quota) == (account, quota):
                    budget.id = budget_id
        self.expect("budgets", sorted(budget.id or 0 for budget in ledger.budgets.values()), sorted(it[0] for it in seen["budgets"]))
        self.expect("accounts", sorted([path, it.kind or "", it.status] for path, it in ledger.accounts.items()),
                    sorted([path, kind or "", status] for path, kind, status in seen["accounts"]))
        late = [entry.id for entry in ledger.entries.values() if entry.facts.get("late")]
        self.expect("late entries", sorted(late), sorted(seen["late"]))
        self.expect("differences of tb_verify()", [], seen["differences"])
        shown = [path for path in ledger.accounts if not is_leaf or not any(other.startswith(path + "/") for other in ledger.accounts)]
        for path in shown:
            rows = [(*row[1:4], *(units(row[3], row[at]) for at in range(4, 8)), *row[8:11], units(row[3], row[11]), units(row[3], row[12]))
                    for row in seen["remaining"] if row[0] == path]
            expected = [(*row[:7], epoch(row[7]), epoch(row[8]), *row[9:]) for row in ledger.remaining(path, now)]
            if expected != rows:
                lines = [f"tb_remaining of {path} (budget, account, meter, amount, spent, held, remaining, window, hard, granted, burst):"]
                lines += [f"  model    {row}" for row in expected if row not in rows]
                lines += [f"  database {row}" for row in rows if row not in expected]
                raise Mismatch("\n".join(lines if len(lines) > 1 else [*lines, f"  order: model {expected}", f"  order: database {rows}"]))
        fold = Fold(ledger, now)
        meter = {grant.id: ledger.budgets[grant.budget].meter for grant in ledger.grants}
        expected = [(grant.id, fold.grant_spent[grant.id], fold.grant_unswept[grant.id],
                     grant.amount - fold.grant_spent[grant.id] - fold.grant_unswept[grant.id]) for grant in ledger.grants]
        self.expect("grants (id, spent, held, left)", sorted(expected),
                    sorted((row[0], *(units(meter[row[0]], value) for value in row[1:])) for row in seen["grants"]))
        expected = [(ledger.budgets[serial].id, epoch(start), kind, percent) for serial, start, kind, percent in ledger.alerts]
        self.expect("alerts", sorted(expected, key=str), sorted(map(tuple, seen["alerts"]), key=str))

    # Operations

    def set_up(self) -> None:
        tenant = self.tenant
        for path in [tenant, f"{tenant}/a", f"{tenant}/b", f"{tenant}/a/x", f"{tenant}/a/y", f"{tenant}/b/z"]:
            self.create_account(path)
        self.create_budget(tenant)
        self.create_budget(f"{tenant}/a")
        self.set_quota()

    def create_account(self, path: str | None = None) -> None:
        path = path or f"{self.path()}/{self.name()}"
        if path.count("/") > 4 or len(self.ledger.accounts) > 12:
            return
        kind = self.random.choice([None, "user"])
        self.note(f"create_account({path}, {kind})")
        self.database.run("SELECT tb_create_account(%s, kind => %s)", [path, kind])
        self.ledger.accounts[path] = Account(kind)

    def limit(self, meter: str) -> int:
        most = {"tokens": 500, "output_tokens": 300, "requests": 8, "widgets": 20, "cost": 3_000_000}[meter]
        return self.random.choice([0, self.random.randint(1, most), self.random.randint(1, most), most])

    def options(self) -> dict:
        meter = self.random.choice(METERS)
        rollover = self.random.choice(["none", "none", "all", "capped"])
        every = self.random.choice(EVERY)
        if every == "minute":
            rollover = "none"
        return {
            "meter": meter, "limit": self.limit(meter), "every": every,
            "zone": self.random.choice(["UTC", "Europe/Berlin"]), "hard": self.chance(0.85),
            "burst": self.limit(meter) // 4 if self.chance(0.25) else 0,
            "thresholds": self.random.choice([[], [50], [80, 50, 100], [120, 33]]),
            "freeze_at": 90 if self.chance(0.1) else None,
            "rollover": rollover, "cap": self.limit(meter) // 2 if rollover == "capped" else None,
        }

    @staticmethod
    def columns(options: dict) -> list:
        meter = options["meter"]
        return [meter, amount(meter, options["limit"]), options["every"], options["hard"], options["zone"], amount(meter, options["burst"]),
                options["thresholds"], options["freeze_at"], options["rollover"], amount(meter, options["cap"])]

    def create_budget(self, path: str | None = None) -> None:
        if len(self.ledger.budgets) > 14:
            return
        path, options = path or self.path(), self.options()
        self.note(f"create_budget({path}, {options})")
        rows = self.database.run("""SELECT tb_create_budget(%s, %s, %s, %s, %s, %s, burst => %s, thresholds => %s, freeze_at => %s,
            rollover => %s, rollover_cap => %s)""", [path, *self.columns(options)])
        serial = self.ledger.next()
        self.ledger.budgets[serial] = Budget(serial, path, created_at=self.now, id=rows[0][0], **options)

    def set_quota(self) -> None:
        node, options = self.path(), self.options()
        quota = next((quota for quota in self.ledger.quotas if quota.node == node), None)
        if quota is None and len(self.ledger.quotas) > 2:
            quota = self.random.choice(self.ledger.quotas)
        followers = []
        if quota is not None:
            # The same one again, with other options: what was given and not changed since follows.
            node, old = quota.node, quota.options
            options |= {name: old[name] for name in ("meter", "limit", "burst", "every", "rollover", "cap")}
            options["limit"] = self.limit(old["meter"])
            names = ("limit", "hard", "burst", "thresholds", "freeze_at", "rollover", "cap")
            followers = [budget for budget in self.ledger.budgets.values() if budget.quota == quota.id and budget.status == "active"
                         and all(getattr(budget, name) == old[name] for name in names)]
            if options["rollover"] != "none" and any(budget.every == "minute" for budget in followers):
                return
        self.note(f"set_quota({node}, {options})")
        rows = self.database.run("""SELECT tb_set_quota(%s, 'user', %s, %s, %s, hard => %s, time_zone => %s, burst => %s, thresholds => %s,
            freeze_at => %s, rollover => %s, rollover_cap => %s)""", [node, *self.columns(options)])
        if quota is None:
            self.ledger.quotas.append(Quota(rows[0][0], node, "user", options))
            return
        self.expect("quota", quota.id, rows[0][0])
        quota.options = options
        for budget in followers:
            for name in names:
                setattr(budget, name, options[name])

    def budget(self) -> Budget | None:
        known = [budget for budget in self.ledger.budgets.values() if budget.id is not None]
        return self.random.choice(known) if known else None

    def change_budget(self) -> None:
        budget = self.budget()
        if budget is None:
            return
        options = self.options()
        options |= {"limit": self.limit(budget.meter), "burst": self.limit(budget.meter) // 4, "freeze_at": self.random.choice([0, 90])}
        options = {name: value for name, value in options.items() if self.chance(0.3) and name not in ("meter", "cap")}
        if self.chance(0.7):
            options.pop("every", None)
            options.pop("zone", None)
        every, zone = options.get("every", budget.every), options.get("zone", budget.zone)
        if every in (None, "minute"):
            options["rollover"] = "none"
        rollover = options.get("rollover", budget.rollover)
        cap = self.limit(budget.meter) if rollover == "capped" else None
        self.note(f"change_budget({budget.id}, {options}, {cap})")
        actual = self.database.run(
            """SELECT tb_change_budget(%s, amount => %s, burst => %s, thresholds => %s, hard => %s, freeze_at => %s, every => %s,
                time_zone => %s, rollover => %s, rollover_cap => %s)""",
            [budget.id, amount(budget.meter, options.get("limit")), amount(budget.meter, options.get("burst")), options.get("thresholds"),
             options.get("hard"), options.get("freeze_at"), (options["every"] or "once") if "every" in options else None,
             options.get("zone"), options.get("rollover"), amount(budget.meter, cap)])
        if budget.status == "closed":
            self.expect("answer", Failure("TB009", {"budget": budget.id}), actual)
            return
        self.expect("answer", False, isinstance(actual, Failure))
        if (every, zone) != (budget.every, budget.zone):
            self.ledger.reschedule(budget, every, zone, self.now)
        for name in ("limit", "burst", "thresholds", "hard", "rollover"):
            setattr(budget, name, options.get(name, getattr(budget, name)))
        budget.freeze_at = options.get("freeze_at", budget.freeze_at) or None
        budget.cap = cap
        self.ledger.review(budget, self.now)

    def close_budget(self) -> None:
        budget = self.budget()
        if budget is not None:
            self.note(f"close_budget({budget.id})")
            self.database.run("SELECT tb_close_budget(%s)", [budget.id])
            budget.status = "closed"

    def grant(self) -> None:
        # Several on one budget, so that their order matters.
        granted = [grant.budget for grant in self.ledger.grants]
        budget = self.ledger.budgets[self.random.choice(granted)] if granted and self.chance(0.7) else self.budget()
        if budget is None:
            return
        size, priority = max(self.limit(budget.meter) // 2, 1), self.random.randrange(2)
        until = None if self.chance(0.3) else self.now + timedelta(minutes=self.random.choice([-1, 1, 30, 600, 6000]))
        self.note(f"grant({budget.id}, {size}, {until}, {priority})")
        actual = self.database.run("SELECT tb_grant(%s, %s, %s, 'test', priority => %s)", [budget.id, amount(budget.meter, size), until, priority])
        code = "TB008" if until is not None and until <= self.now else "TB009" if budget.status == "closed" else None
        self.expect("code", code, actual.code if isinstance(actual, Failure) else None)
        if code is None:
            self.ledger.grants.append(Grant(actual[0][0], budget.serial, size, priority, self.now, until))

    def revoke(self) -> None:
        if self.ledger.grants:
            grant = self.random.choice(self.ledger.grants)
            self.note(f"revoke({grant.id})")
            rows = self.database.run("SELECT tb_revoke_grant(%s, 'test')", [grant.id])
            fold, meter = Fold(self.ledger, self.now), self.ledger.budgets[grant.budget].meter
            left = grant.amount - fold.grant_spent[grant.id] - fold.grant_unswept[grant.id]
            self.expect("left of the grant", left, units(meter, rows[0][0]))
            grant.is_revoked = True

    def freeze(self) -> None:
        path = self.path()
        self.note(f"freeze({path})")
        self.database.run("SELECT tb_freeze(%s, 'test')", [path])
        self.ledger.accounts[path].status = "frozen"

    def thaw(self) -> None:
        frozen = [path for path, account in self.ledger.accounts.items() if account.status == "frozen"]
        if frozen:
            path = self.random.choice(frozen)
            self.note(f"thaw({path})")
            self.database.run("SELECT tb_thaw(%s, 'test')", [path])
            self.ledger.accounts[path].status = "active"

    def reserve(self) -> None:
        call, is_try = self.hold(), self.chance(0.5)
        self.note(f"{'try_' if is_try else ''}reserve({call})")
        self.compare(lambda: self.ledger.reserve([call], self.now), not is_try, lambda: self.database.reserve(call, is_try),
                     lambda: self.ledger.reservations)

    def distinct_keys(self, calls: list[dict]) -> list[dict]:
        seen = set()
        return [call for call in calls if call["key"] is None or not (call["key"] in seen or seen.add(call["key"]))]

    def reserve_many(self) -> None:
        calls, is_all = self.distinct_keys([self.hold() for _ in range(self.random.randrange(5))]), self.chance(0.4)
        self.note(f"reserve_many({calls}, {is_all})")
        self.compare(lambda: self.ledger.reserve(calls, self.now), is_all, lambda: self.database.reserve_many(calls, is_all),
                     lambda: self.ledger.reservations)

    def bill(self) -> dict:
        if any(operation == "charge" for operation, _ in self.ledger.keys) and self.chance(0.1):
            return self.keyed_again("charge")
        return {**self.call(), "key": self.name() if self.chance(0.2) else None}

    def charge(self) -> None:
        call, enforce = self.bill(), self.chance(0.5)
        self.note(f"charge({call}, {enforce})")
        self.compare(lambda: self.ledger.charge([call], enforce, self.now), True, lambda: self.database.charge(call, enforce),
                     lambda: self.ledger.entries)

    def charge_many(self) -> None:
        calls = self.distinct_keys([self.bill() for _ in range(self.random.randrange(4))])
        is_all, enforce = self.chance(0.4), self.chance(0.5)
        self.note(f"charge_many({calls}, {is_all}, {enforce})")
        self.compare(lambda: self.ledger.charge(calls, enforce, self.now), is_all, lambda: self.database.charge_many(calls, is_all, enforce),
                     lambda: self.ledger.entries)

    def report(self, serial: int) -> tuple:
        """Usage, what to do without it, key."""
        reservation = self.ledger.reservations[serial]
        known = [(key, payload) for (operation, key), (payload, _) in self.ledger.keys.items() if operation == "commit"]
        if known and self.chance(0.1):
            # Its own key again, or that of another reservation.
            key, (_, told) = self.random.choice([it for it in known if it[1][0] == serial] or known)
            return (None, told, key) if isinstance(told, str) else (told, "held", key)
        if reservation.usage is not None and self.chance(0.5):
            usage, without = (None, reservation.usage) if isinstance(reservation.usage, str) else (reservation.usage, "held")
        else:
            usage, without = self.usage(serial)
        return usage, without, self.name() if self.chance(0.2) else None

    def commit(self) -> None:
        serial = self.reservation()
        if serial is None:
            return
        usage, without, key = self.report(serial)
        self.note(f"commit({serial}, {usage}, {without}, {key})")
        reservation = self.ledger.reservations[serial].id
        self.compare(lambda: [self.ledger.commit(serial, usage, without, key, self.now)], True,
                     lambda: self.database.commit(reservation, usage, without, key), lambda: self.ledger.entries)

    def commit_many(self) -> None:
        serials = list(dict.fromkeys(filter(None, (self.reservation() for _ in range(self.random.randrange(5))))))
        reports = [(serial, *self.report(serial)) for serial in serials]
        keys = [report[3] for report in reports if report[3]]
        if len(keys) != len(set(keys)):
            return
        is_all = self.chance(0.4)
        self.note(f"commit_many({reports}, {is_all})")
        ids = {serial: self.ledger.reservations[serial].id for serial in serials}
        items = [{"reservation": ids[serial], "usage": usage, "without_usage": without, "idempotency_key": key}
                 for serial, usage, without, key in reports]

        def model() -> list:
            answers = []
            for serial, usage, without, key in reports:
                try:
                    answers.append(self.ledger.commit(serial, usage, without, key, self.now))
                except Refused as refused:
                    answers.append(refused.refusal)
            return answers

        self.compare(model, is_all, lambda: self.database.commit_many(items, is_all), lambda: self.ledger.entries)

    def release(self) -> None:
        serial = self.reservation()
        if serial is None:
            return
        self.note(f"release({serial})")
        before = self.ledger.save()
        actual = self.database.run("SELECT tb_release(%s)", [self.ledger.reservations[serial].id])
        try:
            self.expect("answer", [(self.ledger.release(serial, self.now),)], actual)
        except Refused as refused:
            self.ledger = pickle.loads(before)
            self.expect("code", refused.refusal.code, getattr(actual, "code", None))

    def extend(self) -> None:
        serial = self.reservation()
        if serial is None:
            return
        add, ttl = self.random.choice([0, 1, self.tokens()]), self.random.choice([None, 60, 900])
        self.note(f"extend({serial}, {add}, {ttl})")
        reservation = self.ledger.reservations[serial].id
        self.compare(lambda: [self.ledger.extend(serial, add, ttl, self.now)], True,
                     lambda: self.database.run("SELECT reservation::text FROM tb_extend(%s, %s, %s)",
                                               [reservation, add, None if ttl is None else interval(ttl)]),
                     lambda: self.ledger.reservations)

    def expire(self) -> None:
        self.note("expire()")
        actual = self.database.run("SELECT tb_expire()", [])
        self.expect("expired", [(self.ledger.expire(self.now),)], actual)

    def correct(self) -> None:
        entries = [serial for serial, entry in self.ledger.entries.items() if entry.reserved_at is not None]
        if not entries:
            return
        serial, is_refund = self.random.choice(entries), self.chance(0.5)
        entry = self.ledger.entries[serial]
        cost = self.random.choice([0, self.random.randrange((entry.cost or 0) + 1), self.random.randrange(3_000_000)])
        cost = None if is_refund and self.chance(0.3) else cost
        self.note(f"{'refund' if is_refund else 'adjust'}({serial}, {cost})")
        before = self.ledger.save()
        statement = "SELECT tb_refund(%s, 'test', %s)" if is_refund else "SELECT tb_adjust(%s, %s, 'test')"
        actual = self.database.run(statement, [entry.id, amount("cost", cost)])
        try:
            self.ledger.correct(serial, cost, is_refund, self.now)
            self.expect("code", None, getattr(actual, "code", None))
        except Refused as refused:
            self.ledger = pickle.loads(before)
            self.expect("code", refused.refusal.code, getattr(actual, "code", None))

    # Time and transactions

    def move_time(self) -> None:
        edges = [it.expires_at for it in self.ledger.reservations.values() if it.state == "held" and it.expires_at > self.now]
        edges += [end for budget in self.ledger.budgets.values() if (end := window_at(budget.every, budget.zone, self.now)[1])]
        match self.random.randrange(8):
            case 0 | 1 | 2:
                self.now += timedelta(seconds=self.random.choice([0.000001, 1, 20, 60]))
            case 3 | 4:
                self.now += timedelta(minutes=self.random.randrange(90))
            case 5 if edges:
                # Exactly there, or an instant before.
                self.now = max(self.now, self.random.choice(edges) - timedelta(microseconds=self.random.randrange(2)))
            case 6 if edges:
                self.now = max(self.now, min(edges) + timedelta(minutes=self.random.choice([0, 4, 5])))
            case 7 if self.chance(0.3):
                self.now += timedelta(hours=self.random.randrange(100))

    def move_transaction(self) -> None:
        if not self.saved:
            if self.chance(0.1):
                self.begin("BEGIN")
            return
        match self.random.randrange(20):
            case 0 | 1:
                self.begin(f"SAVEPOINT s{len(self.saved)}")
            case 2 | 3 if len(self.saved) > 1:
                self.go_back(f"ROLLBACK TO s{len(self.saved) - 1}")
                self.database.control(f"RELEASE s{len(self.saved)}")
            case 4:
                self.note("COMMIT")
                self.database.control("COMMIT")
                self.saved, self.database.is_in_transaction = [], False
            case 5:
                del self.saved[1:]
                self.go_back("ROLLBACK")
                self.database.is_in_transaction = False

    def begin(self, statement: str) -> None:
        self.note(statement)
        self.database.control(statement)
        self.saved.append(self.ledger.save())
        self.database.is_in_transaction = True

    def go_back(self, statement: str) -> None:
        self.note(statement)
        self.database.control(statement)
        self.ledger = pickle.loads(self.saved.pop())

    OPERATIONS = {
        "reserve": 24, "commit": 14, "release": 5, "extend": 6, "charge": 7, "expire": 3, "reserve_many": 5, "commit_many": 4,
        "charge_many": 3, "correct": 5, "create_budget": 2, "change_budget": 3, "close_budget": 0.4, "grant": 4, "revoke": 1,
        "create_account": 1, "set_quota": 0.5, "freeze": 0.7, "thaw": 3,
    }

    def step(self) -> None:
        self.move_transaction()
        self.move_time()
        self.database.set_clock(self.now)
        operation, = self.random.choices(list(self.OPERATIONS), list(self.OPERATIONS.values()))
        getattr(self, operation)()
        self.observe()

    def finish(self) -> None:
        """Leaves nothing that a later seed would sweep."""
        if self.saved:
            self.database.control("COMMIT")
            self.saved, self.database.is_in_transaction = [], False
        self.now += timedelta(days=8)
        self.database.set_clock(self.now)
        self.expire()
        self.observe()


def clean_up(now: datetime) -> None:
    """Leaves nothing of a failed seed that a later one would sweep."""
    database = Database()
    database.set_clock(now + timedelta(days=8))
    while database.run("SELECT tb_expire()", [])[0][0]:
        pass
    database.connection.close()


def run(seed: int, steps: int) -> bool:
    begin, database = time.monotonic(), Database()
    it = Run(database, seed)
    step = 0
    try:
        database.set_clock(it.now)
        it.set_up()
        for step in range(1, steps + 1):
            it.step()
        it.finish()
    except Exception as error:  # a database may answer in any way
        print(f"FAILED: seed {seed}, step {step}, after")
        print("\n".join(it.log[-20:]))
        print(error if isinstance(error, Mismatch) else traceback.format_exc())
        database.connection.close()
        clean_up(it.now)
        return False
    database.connection.close()
    print(f"ok: seed {seed}, {steps} steps, {time.monotonic() - begin:.0f} s: {len(it.ledger.entries)} entries, {len(it.ledger.alerts)} alerts, "
          + ", ".join(f"{outcome} {count}" for outcome, count in sorted(it.outcomes.items())))
    return True


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, action="append", default=[])
    parser.add_argument("--random", action="store_true", help="one more seed that nobody knows before")
    parser.add_argument("--steps", type=int, default=300)
    arguments = parser.parse_args()
    Database().connection.execute("SELECT tb_set_price(%s, 'acme', 2, 10, effective_at => '2020-01-01', replace => true)", [MODEL])
    seeds = arguments.seed + [secrets.randbelow(10**9)] * arguments.random
    failed = [seed for seed in seeds if not run(seed, arguments.steps)]
    for seed in failed:
        print(f"again: model.py --seed {seed} --steps {arguments.steps}")
    print(f"{len(seeds) - len(failed)} passed, {len(failed)} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
