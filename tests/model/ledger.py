"""What every call must answer and do, by the rules of the guide: no balance is kept, every number is folded anew from
reservations and entries."""

import pickle
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fractions import Fraction

from tree import INPUT_NANOS, MODEL, OUTPUT_NANOS, Account, Budget, Grant, Quota, above
from windows import window_at

GRACE = timedelta(minutes=5)
Slot = tuple[int, datetime | None]


@dataclass
class Reservation:
    serial: int
    account: str
    accounts: list[str]
    model: str | None
    input_tokens: int
    output_tokens: int
    meters: dict[str, int]
    created_at: datetime
    expires_at: datetime
    # Of each budget in its window, and of each grant, which is part of the former.
    held: dict[Slot, int]
    borne: dict[int, int]
    state: str = "held"
    usage: object = None
    entry: int | None = None
    id: str | None = None

    def is_open(self, now: datetime) -> bool:
        return self.state == "held" and now < self.expires_at


@dataclass
class Entry:
    serial: int
    # When its reservation was made, or it itself; None for a transfer between windows.
    reserved_at: datetime | None
    spent: dict[Slot, int]
    borne: dict[int, int]
    cost: int | None
    facts: dict = field(default_factory=dict)
    id: str | None = None


@dataclass
class Refusal:
    code: str
    # Serials of the budgets that may be named: more than one only where they are equally tight.
    budgets: set[int] = field(default_factory=set)


class Refused(Exception):
    def __init__(self, code: str, budgets: set[int] | None = None) -> None:
        super().__init__(code)
        self.refusal = Refusal(code, budgets or set())


@dataclass
class Claim:
    budget: Budget
    start: datetime | None
    carried: int


class Fold:
    """Sums of the ledger and of the open reservations at an instant."""

    def __init__(self, ledger: "Ledger", now: datetime) -> None:
        self.spent, self.held, self.borne = defaultdict(int), defaultdict(int), defaultdict(int)
        self.grant_spent, self.grant_held, self.grant_unswept = defaultdict(int), defaultdict(int), defaultdict(int)
        owner = {grant.id: grant.budget for grant in ledger.grants}
        for entry in ledger.entries.values():
            self._add(entry.spent, entry.borne, owner, self.spent, self.grant_spent)
        for reservation in ledger.reservations.values():
            if reservation.is_open(now):
                self._add(reservation.held, reservation.borne, owner, self.held, self.grant_held)
            if reservation.state == "held":
                for grant, units in reservation.borne.items():
                    self.grant_unswept[grant] += units

    def _add(self, units_of: dict, borne: dict, owner: dict, own: dict, of_grants: dict) -> None:
        start_of = dict(units_of)
        for slot, units in units_of.items():
            own[slot] += units
        for grant, units in borne.items():
            of_grants[grant] += units
            slot, = [slot for slot in start_of if slot[0] == owner[grant]]
            self.borne[slot] += units


@dataclass
class Ledger:
    accounts: dict[str, Account] = field(default_factory=dict)
    budgets: dict[int, Budget] = field(default_factory=dict)
    grants: list[Grant] = field(default_factory=list)
    quotas: list[Quota] = field(default_factory=list)
    reservations: dict[int, Reservation] = field(default_factory=dict)
    entries: dict[int, Entry] = field(default_factory=dict)
    # Windows that a call has touched, with what they got from the one before.
    opened: dict[Slot, int] = field(default_factory=dict)
    alerts: set[tuple] = field(default_factory=set)
    keys: dict[tuple[str, str], tuple] = field(default_factory=dict)
    serial: int = 0

    def save(self) -> bytes:
        return pickle.dumps(self)

    def next(self) -> int:
        self.serial += 1
        return self.serial

    # Where budgets stand

    def carry(self, fold: Fold, budget: Budget, start: datetime | None, now: datetime) -> int:
        if budget.rollover == "none" or budget.every is None:
            return self.opened.get((budget.serial, start), 0)
        # Windows of a schedule that the budget had earlier leave nothing.
        earlier = [at for serial, at in self.opened if serial == budget.serial and at is not None and at <= start
                   and window_at(budget.every, budget.zone, at)[0] == at]
        if start in earlier:
            return self.opened[budget.serial, start]
        if earlier:
            slot = budget.serial, max(earlier)
            at = slot[1]
            left = budget.limit + self.opened[slot] + fold.borne[slot] - fold.spent[slot] - fold.held[slot]
        elif budget.created_at < start:
            at, left = window_at(budget.every, budget.zone, budget.created_at)[0], budget.limit
        else:
            return 0
        while True:
            carried = max(left, 0) if budget.rollover == "all" else min(max(left, 0), budget.cap)
            at = window_at(budget.every, budget.zone, at)[1]
            if at >= start:
                return carried
            left = carried + budget.limit

    def open_grants(self, budget: Budget, now: datetime) -> list[Grant]:
        grants = [grant for grant in self.grants if grant.budget == budget.serial and grant.is_open(now)]
        return sorted(grants, key=Grant.burn_order)

    def grants_left(self, fold: Fold, budget: Budget, now: datetime) -> list[tuple[int, int]]:
        return [(grant.id, grant.amount - fold.grant_spent[grant.id] - fold.grant_held[grant.id])
                for grant in self.open_grants(budget, now)]

    def own_left(self, fold: Fold, claim: Claim) -> int:
        slot = claim.budget.serial, claim.start
        return claim.budget.limit + claim.carried + fold.borne[slot] - fold.spent[slot] - fold.held[slot]

    def left(self, fold: Fold, claim: Claim, now: datetime) -> int:
        return self.own_left(fold, claim) + sum(left for _, left in self.grants_left(fold, claim.budget, now))

    def claims(self, accounts: list[str], now: datetime) -> list[Claim]:
        fold, claims = Fold(self, now), []
        for budget in self.budgets.values():
            if budget.account in accounts and budget.status == "active":
                start = window_at(budget.every, budget.zone, now)[0]
                claims.append(Claim(budget, start, self.carry(fold, budget, start, now)))
        return claims

    def missing_quotas(self, accounts: list[str]) -> list[tuple[str, Quota]]:
        given = {(budget.account, budget.quota) for budget in self.budgets.values()}
        return [(path, quota) for path in accounts for quota in self.quotas
                if self.accounts[path].kind == quota.kind and path.startswith(quota.node + "/") and (path, quota.id) not in given]

    def remaining(self, path: str, now: datetime) -> list[tuple]:
        """The rows of tb_remaining, tightest first."""
        accounts, fold = above(path), Fold(self, now)
        claims = sorted(self.claims(accounts, now), key=lambda claim: claim.budget.id)
        for account, quota in self.missing_quotas(accounts):
            # A budget that nobody knows yet.
            budget = Budget(-1, account, created_at=now, **{**quota.options, "rollover": "none", "cap": None})
            claims.append(Claim(budget, window_at(budget.every, budget.zone, now)[0], 0))
        claims.sort(key=lambda it: (Fraction(self.left(fold, it, now), max(it.budget.limit + it.carried, 1)), it.budget.id or 0))
        rows = []
        for claim in claims:
            budget, slot = claim.budget, (claim.budget.serial, claim.start)
            granted = fold.borne[slot] + sum(left for _, left in self.grants_left(fold, budget, now))
            rows.append((budget.id, budget.account, budget.meter, budget.limit + claim.carried, fold.spent[slot], fold.held[slot],
                         self.left(fold, claim, now), *window_at(budget.every, budget.zone, now), budget.hard, granted, budget.burst))
        return rows

    def reschedule(self, budget: Budget, every: str | None, zone: str, now: datetime) -> None:
        """The present window of the new schedule counts what was spent within it and no grant bore."""
        budget.every, budget.zone = every, zone
        start = window_at(every, zone, now)[0]
        slot = budget.serial, start
        self.opened.setdefault(slot, 0)
        grants = {grant.id for grant in self.grants if grant.budget == budget.serial}
        within = counted = 0
        for entry in self.entries.values():
            for (serial, at), units in entry.spent.items():
                if serial != budget.serial:
                    continue
                own = units - sum(part for grant, part in entry.borne.items() if grant in grants)
                if entry.reserved_at is not None and (start is None or entry.reserved_at >= start):
                    within += own
                if at == start:
                    counted += own
        if within != counted:
            serial = self.next()
            self.entries[serial] = Entry(serial, None, {slot: within - counted}, {}, None)

    # Who spends

    def check_active(self, accounts: list[str]) -> None:
        if any(self.accounts[path].status != "active" for path in accounts):
            raise Refused("TB009")

    def chain(self, path: str, also: list[str]) -> list[str]:
        """The accounts of a call; those that a quota's pattern makes on first use are made."""
        paths = list(dict.fromkeys(level for end in [path, *also] for level in above(end)))
        missing = sorted(path for path in paths if path not in self.accounts)
        kinds = {}
        for path in missing:
            parent = path.rpartition("/")[0]
            # The pattern of all quotas here is *: direct children of the node.
            kind = next((quota.kind for quota in self.quotas if quota.node == parent), None)
            if kind is None:
                raise Refused("TB002")
            kinds[path] = kind
        for path, kind in kinds.items():
            self.check_active(above(path)[:-1])
            self.accounts[path] = Account(kind)
        return paths

    def enter(self, call: dict, now: datetime, is_checked: bool) -> tuple[list[str], list[Claim]]:
        accounts = self.chain(call["account"], call["also"])
        for path, quota in self.missing_quotas(accounts):
            serial = self.next()
            self.budgets[serial] = Budget(serial, path, created_at=now, quota=quota.id, **quota.options)
        if is_checked:
            self.check_active(accounts)
        return accounts, self.claims(accounts, now)

    # What a call holds or spends

    @staticmethod
    def amounts(model: str | None, input_tokens: int, output_tokens: int, meters: dict, is_cost_limited: bool) -> dict[str, int]:
        if model not in (None, MODEL) or model is None and is_cost_limited and input_tokens + output_tokens > 0:
            raise Refused("TB007")
        amounts = {**meters, "requests": 1, "input_tokens": input_tokens, "output_tokens": output_tokens,
                   "tokens": input_tokens + output_tokens}
        if model is not None:
            amounts["cost"] = input_tokens * INPUT_NANOS + output_tokens * OUTPUT_NANOS
        return amounts

    def take(self, claims: list[Claim], amounts: dict, now: datetime, is_forced: bool) -> tuple[dict, dict, bool]:
        """What each slot and grant bears, and whether it fits; refused if it does not, unless it is forced."""
        fold, too_tight = Fold(self, now), []
        for claim in claims:
            self.opened.setdefault((claim.budget.serial, claim.start), claim.carried)
            wanted, left = amounts.get(claim.budget.meter, 0), self.left(fold, claim, now)
            if claim.budget.hard and wanted > 0 and wanted > left + claim.budget.burst:
                too_tight.append((Fraction(left, wanted), claim.budget.serial))
        if too_tight and not is_forced:
            least = min(too_tight)[0]
            raise Refused("TB001", {serial for share, serial in too_tight if share == least})
        units, borne = {}, {}
        for claim in claims:
            slot, wanted = (claim.budget.serial, claim.start), amounts.get(claim.budget.meter, 0)
            beyond = wanted - max(self.own_left(fold, claim), 0)
            for grant, left in self.grants_left(fold, claim.budget, now):
                part = max(min(beyond, left), 0)
                beyond -= part
                if part:
                    borne[grant] = part
            units[slot] = wanted
            if wanted > 0 and claim.budget.burst > 0 and self.left(fold, claim, now) - wanted < 0:
                self.alerts.add((*slot, "burst", 0))
        return units, borne, not too_tight

    def watch(self, grown: dict[Slot, int], now: datetime) -> None:
        """Alerts of the marks that these growths, which are in the ledger already, have reached."""
        fold = Fold(self, now)
        for slot, growth in grown.items():
            budget = self.budgets[slot[0]]
            limit, after = budget.limit + self.opened[slot], fold.spent[slot]
            marks = [("threshold", percent) for percent in budget.thresholds]
            marks += [("freeze", budget.freeze_at)] if budget.freeze_at else []
            for kind, percent in marks:
                mark = max(Fraction(limit * percent, 100), Fraction(1, 100))
                alert = (*slot, kind, percent)
                if after - growth < mark <= after and alert not in self.alerts:
                    self.alerts.add(alert)
                    if kind == "freeze":
                        self.accounts[budget.account].status = "frozen"

    def review(self, budget: Budget, now: datetime) -> None:
        """Alerts of the marks that the present window stands above after a change of the budget."""
        slot = budget.serial, window_at(budget.every, budget.zone, now)[0]
        if slot in self.opened:
            self.watch({slot: Fold(self, now).spent[slot]}, now)

    def keyed(self, operation: str, key: str | None, payload: object) -> object:
        """The first answer to the key, if there is one."""
        if key is None or (operation, key) not in self.keys:
            return None
        first, answer = self.keys[operation, key]
        if first != payload:
            raise Refused("TB006")
        return answer

    def keep(self, operation: str, key: str | None, payload: object, answer: object) -> None:
        if key is not None:
            self.keys[operation, key] = payload, answer

    def is_cost_limited(self, slots: dict[Slot, int]) -> bool:
        return any(self.budgets[serial].meter == "cost" for serial, _ in slots)

    # Batches: all enter, then all take their keys, then all are decided in their order

    def batch(self, calls: list[dict], enter: Callable, decide: Callable) -> list[object]:
        answers: list[object] = [None] * len(calls)
        entered = {}
        for index in sorted(range(len(calls)), key=lambda index: (calls[index]["account"], calls[index]["also"])):
            try:
                entered[index] = enter(calls[index])
            except Refused as refused:
                answers[index] = refused.refusal
        for index in sorted(entered):
            try:
                answers[index] = decide(calls[index], *entered[index])
            except Refused as refused:
                answers[index] = refused.refusal
        return answers

    def reserve(self, calls: list[dict], now: datetime) -> list[object]:
        """Serials of reservations, or refusals."""
        def enter(call: dict) -> tuple:
            if call["input_tokens"] < 0 or call["ttl"] < 1:
                raise Refused("TB008")
            return self.enter(call, now, is_checked=True)

        def decide(call: dict, accounts: list[str], claims: list[Claim]) -> int:
            payload = {name: value for name, value in call.items() if name != "key"}
            if first := self.keyed("reserve", call["key"], payload):
                return first
            is_cost_limited = any(claim.budget.meter == "cost" for claim in claims)
            amounts = self.amounts(call["model"], call["input_tokens"], call["output_tokens"], call["meters"], is_cost_limited)
            held, borne, _ = self.take(claims, amounts, now, is_forced=False)
            serial = self.next()
            self.reservations[serial] = Reservation(
                serial, call["account"], accounts, call["model"], call["input_tokens"], call["output_tokens"], call["meters"], now,
                now + timedelta(seconds=call["ttl"]), held, borne)
            self.keep("reserve", call["key"], payload, serial)
            return serial

        return self.batch(calls, enter, decide)

    def charge(self, calls: list[dict], enforce: bool, now: datetime) -> list[object]:
        """Serials of entries, or refusals."""
        def decide(call: dict, _: list[str], claims: list[Claim]) -> int:
            payload = {**call, "enforce": enforce}
            if first := self.keyed("charge", call["key"], payload):
                return first
            is_cost_limited = any(claim.budget.meter == "cost" for claim in claims)
            amounts = self.amounts(call["model"], call["input_tokens"], call["output_tokens"], call["meters"], is_cost_limited)
            spent, borne, fits = self.take(claims, amounts, now, is_forced=not enforce)
            serial = self.next()
            facts = {"overrun": not fits, "tokens": amounts["tokens"]}
            self.entries[serial] = Entry(serial, now, spent, borne, amounts.get("cost"), facts)
            self.watch(spent, now)
            self.keep("charge", call["key"], payload, serial)
            return serial

        return self.batch(calls, lambda call: self.enter(call, now, is_checked=enforce), decide)

    def commit(self, serial: int, usage: dict | None, without_usage: str, key: str | None, now: datetime) -> int:
        """The serial of its entry. `usage` has input_tokens, output_tokens and perhaps meters."""
        told = usage if usage is not None else without_usage
        payload = serial, told
        if first := self.keyed("commit", key, payload):
            return first
        reservation = self.reservations[serial]
        if reservation.state == "committed" and reservation.usage == told:
            self.keep("commit", key, payload, reservation.entry)
            return reservation.entry
        if reservation.state in ("committed", "released"):
            raise Refused("TB005")
        if usage is None:
            output_tokens = reservation.output_tokens if without_usage == "held" else 0
            usage = {"input_tokens": reservation.input_tokens, "output_tokens": output_tokens}
        meters = {**reservation.meters, **usage.get("meters", {})}
        amounts = self.amounts(reservation.model, usage["input_tokens"], usage["output_tokens"], meters,
                               self.is_cost_limited(reservation.held))
        spent, borne, overrun = {}, {}, False
        for (budget, start), held in reservation.held.items():
            used = spent[budget, start] = amounts.get(self.budgets[budget].meter, 0)
            overrun |= used > held
            grants = sorted((grant for grant in self.grants if grant.budget == budget and grant.id in reservation.borne),
                            key=Grant.burn_order)
            beyond = min(used, held) - (held - sum(reservation.borne[grant.id] for grant in grants))
            for grant in grants:
                part = max(min(beyond, reservation.borne[grant.id]), 0)
                beyond -= part
                borne[grant.id] = part
        late = now - reservation.expires_at
        facts = {"overrun": overrun, "tokens": amounts["tokens"], "grace": timedelta(0) <= late < GRACE, "late": late >= GRACE}
        entry = self.next()
        self.entries[entry] = Entry(entry, reservation.created_at, spent, borne, amounts.get("cost"), facts)
        reservation.state, reservation.usage, reservation.entry = "committed", told, entry
        self.watch(spent, now)
        self.keep("commit", key, payload, entry)
        return entry

    def release(self, serial: int, now: datetime) -> bool:
        reservation = self.reservations[serial]
        if reservation.state == "committed":
            raise Refused("TB005")
        # What has expired is for the sweep to close.
        if reservation.state != "held" or now >= reservation.expires_at:
            return False
        reservation.state = "released"
        return True

    def extend(self, serial: int, add: int, ttl: int | None, now: datetime) -> int:
        reservation = self.reservations[serial]
        if reservation.state == "expired" or reservation.state == "held" and now >= reservation.expires_at:
            raise Refused("TB004")
        if reservation.state != "held":
            raise Refused("TB005")
        if add > 0:
            self.check_active(reservation.accounts)
        claims = [Claim(self.budgets[budget], start, self.opened[budget, start]) for budget, start in reservation.held]
        amounts = self.amounts(reservation.model, reservation.input_tokens, reservation.output_tokens + add, {},
                               self.is_cost_limited(reservation.held))
        more = {"output_tokens": add, "tokens": add, "cost": add * OUTPUT_NANOS if "cost" in amounts else 0}
        held, borne, _ = self.take(claims, more, now, is_forced=False)
        for slot, units in held.items():
            reservation.held[slot] += units
        for grant, units in borne.items():
            reservation.borne[grant] = reservation.borne.get(grant, 0) + units
        reservation.output_tokens += add
        if ttl is not None:
            reservation.expires_at = now + timedelta(seconds=ttl)
        return serial

    def expire(self, now: datetime) -> int:
        expired = [it for it in self.reservations.values() if it.state == "held" and now >= it.expires_at]
        for reservation in expired:
            reservation.state = "expired"
        return len(expired)

    def correct(self, serial: int, cost: int | None, is_refund: bool, now: datetime) -> None:
        """Adjusts the cost to `cost`, or refunds so much of it (None for all)."""
        entry = self.entries[serial]
        old = entry.cost or 0
        if is_refund:
            back = old if cost is None else cost
            if not 0 < back <= old:
                raise Refused("TB008")
            cost = old - back
        grown = {}
        for slot in entry.spent:
            if self.budgets[slot[0]].meter != "cost":
                continue
            grown[slot] = cost - entry.spent[slot]
            entry.spent[slot] = cost
            back = max(-grown[slot], 0)
            # What is given back goes to the grants first, to those last that were drawn on first.
            grants = [grant for grant in self.grants if grant.budget == slot[0] and grant.id in entry.borne]
            for grant in sorted(grants, key=Grant.burn_order, reverse=True):
                part = min(back, entry.borne[grant.id])
                back -= part
                entry.borne[grant.id] -= part
        entry.cost = cost
        self.watch(grown, now)
