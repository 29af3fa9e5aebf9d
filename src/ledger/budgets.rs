//! Budgets and their grants as a call finds them. A session keeps them until one changes; what holds at an instant is decided
//! for each call anew.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use pgrx::spi::{SpiClient, SpiHeapTupleData};

use crate::budget::decision::{Budget, Grant};
use crate::budget::rollover::Rollover;
use crate::budget::watch::Watch;
use crate::budget::window::{Schedule, Window};
use crate::instant::Instant;
use crate::invalidation::{self, Topic};
use crate::ledger::Failure;
use crate::ledger::kept::Recent;
use crate::statement::{instant, is_own, optional, optional_instant, required, statement};

macro_rules! columns {
    () => {
        "SELECT budget.budget_id, budget.account_id, account.path, budget.meter, budget.limit_units, budget.hard,
             budget.burst_units, budget.thresholds_percent, budget.freeze_at_percent, budget.has_grants, budget.every,
             budget.time_zone, budget.week_start, budget.anchor, budget.rollover_cap_units, budget.quota_id, budget.created_at,
             budget.status OPERATOR(pg_catalog.=) 'active', budget.valid_from, budget.valid_until, budget.xmin, account.xmin
         FROM tokbudget.budget
         JOIN tokbudget.account ON account.tenant_id OPERATOR(pg_catalog.=) budget.tenant_id
             AND account.account_id OPERATOR(pg_catalog.=) budget.account_id
         WHERE budget.tenant_id OPERATOR(pg_catalog.=) $1"
    };
}

statement! {
    /// Those that may be in force at some time, and the quotas that have been given and are no longer in force, so that they
    /// are not given again.
    read row find_of_accounts(INT4OID, INT8ARRAYOID) = concat!(
        columns!(),
        " AND budget.account_id OPERATOR(pg_catalog.=) ANY ($2)
          AND (budget.quota_id IS NOT NULL OR budget.status OPERATOR(pg_catalog.=) 'active')"
    )
}

statement! {
    /// The same for one account: of the accounts of a call a session mostly knows all but the last.
    read row find_of_account(INT4OID, INT8OID) = concat!(
        columns!(),
        " AND budget.account_id OPERATOR(pg_catalog.=) $2
          AND (budget.quota_id IS NOT NULL OR budget.status OPERATOR(pg_catalog.=) 'active')"
    )
}

statement! {
    read row find_by_id(INT4OID, INT8ARRAYOID) = concat!(columns!(), " AND budget.budget_id OPERATOR(pg_catalog.=) ANY ($2)")
}

statement! {
    /// In burn order.
    read row find_grants(INT4OID, INT8ARRAYOID) =
    "SELECT budget_grant.budget_id, budget_grant.grant_id, budget_grant.amount_units, budget_grant.valid_from,
         budget_grant.valid_until, budget_grant.xmin
     FROM tokbudget.budget_grant
     WHERE budget_grant.tenant_id OPERATOR(pg_catalog.=) $1
         AND budget_grant.budget_id OPERATOR(pg_catalog.=) ANY ($2)
         AND budget_grant.revoked_at IS NULL
     ORDER BY budget_grant.priority, budget_grant.valid_until NULLS LAST, budget_grant.created_at, budget_grant.grant_id"
}

statement! {
    /// Whose grants these are, with what makes the burn order.
    read row find_owners(INT4OID, INT8ARRAYOID) =
    "SELECT budget_grant.grant_id, budget_grant.budget_id, budget_grant.priority, budget_grant.valid_until,
         budget_grant.created_at, budget_grant.xmin
     FROM tokbudget.budget_grant
     WHERE budget_grant.tenant_id OPERATOR(pg_catalog.=) $1
         AND budget_grant.grant_id OPERATOR(pg_catalog.=) ANY ($2)"
}

/// From the first instant up to, and without, the second.
struct Validity(Instant, Instant);

impl Validity {
    fn new(from: Option<Instant>, until: Option<Instant>) -> Validity {
        Validity(from.unwrap_or(Instant::BEFORE_ALL), until.unwrap_or(Instant::AFTER_ALL))
    }

    fn holds(&self, at: Instant) -> bool {
        self.0 <= at && at < self.1
    }
}

/// A budget as it is stored, with what decides its windows.
pub struct Stored {
    pub schedule: Schedule,
    pub rollover: Option<Rollover>,
    pub quota_id: Option<i64>,
    pub created_at: Instant,
    /// Without grants.
    budget: Rc<Budget>,
    is_active: bool,
    validity: Validity,
    /// All that are not revoked, in burn order.
    grants: Vec<(Grant, Validity)>,
    /// The budget with the grants that could be drawn on at the last call.
    last_granted: RefCell<Rc<Budget>>,
    last_window: Cell<Option<Window>>,
}

impl Stored {
    /// One that is always in force and has no grants.
    pub fn new(budget: Budget, schedule: Schedule, quota_id: Option<i64>, created_at: Instant) -> Stored {
        let budget = Rc::new(budget);
        Stored {
            schedule,
            rollover: None,
            quota_id,
            created_at,
            is_active: true,
            validity: Validity(Instant::BEFORE_ALL, Instant::AFTER_ALL),
            grants: Vec::new(),
            last_granted: RefCell::new(Rc::clone(&budget)),
            last_window: Cell::new(None),
            budget,
        }
    }

    /// The window that holds `at`; `None` beyond what a calendar can express.
    pub fn window_at(&self, at: Instant) -> Option<Window> {
        let last = self.last_window.get().filter(|window| window.start <= at && at < window.end);
        let window = last.or_else(|| self.schedule.window_at(at));
        self.last_window.set(window);
        window
    }

    fn with_grants_at(&self, now: Instant) -> Rc<Budget> {
        if self.grants.is_empty() {
            return Rc::clone(&self.budget);
        }
        let valid = || self.grants.iter().filter(|(_, validity)| validity.holds(now)).map(|(grant, _)| grant);
        let mut last = self.last_granted.borrow_mut();
        if !valid().eq(&last.grants) {
            *last = Rc::new(Budget { grants: valid().cloned().collect(), ..(*self.budget).clone() });
        }
        Rc::clone(&last)
    }

    /// As it is at an instant.
    pub fn at(self: &Rc<Self>, now: Instant) -> Found {
        Found {
            budget: self.with_grants_at(now),
            is_in_force: self.is_active && self.validity.holds(now),
            stored: Rc::clone(self),
        }
    }
}

/// A budget as a call finds it.
pub struct Found {
    /// With the grants that may be drawn on now.
    pub budget: Rc<Budget>,
    /// Active and valid now.
    pub is_in_force: bool,
    pub stored: Rc<Stored>,
}

/// Whose a grant is, with its place in the burn order.
#[derive(Clone, Copy)]
struct Owner {
    budget_id: i64,
    order: (i32, Instant, Instant, i64),
}

/// Tenant and id.
type Id = (i32, i64);

thread_local! {
    /// By account. Complete, but for quotas that have been given to the account since: of those the caller sees that they
    /// are missing.
    static OF_ACCOUNT: Recent<Id, Rc<[Rc<Stored>]>> = Recent::default();
    static BY_ID: Recent<Id, Rc<Stored>> = Recent::default();
    static OWNERS: Recent<Id, Owner> = Recent::default();
}

/// Whether what the session keeps may be used.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Source {
    Kept,
    Tables,
}

/// The budgets of these accounts, and those given by quota that are no longer in force, in the order in which the engine
/// locks, with the grants that may be drawn on at `now`.
pub fn of_accounts(
    client: &mut SpiClient<'_>,
    tenant_id: i32,
    account_ids: &[i64],
    source: Source,
    now: Instant,
) -> Result<Vec<Found>, Failure> {
    let usable = invalidation::usable_generation(Topic::Tree).filter(|_| source == Source::Kept);
    let mut found: Vec<Found> = Vec::with_capacity(account_ids.len());
    let mut missing: Vec<i64> = Vec::new();
    for account_id in account_ids {
        let key = (tenant_id, *account_id);
        match usable.and_then(|generation| OF_ACCOUNT.with(|kept| kept.find(generation, &key))) {
            Some(kept) => found.extend(kept.iter().map(|stored| stored.at(now))),
            None => missing.push(*account_id),
        }
    }
    if !missing.is_empty() {
        let generation = invalidation::begin_reading(Topic::Tree);
        let rows = match missing.as_slice() {
            [account_id] => find_of_account(client, &[tenant_id.into(), (*account_id).into()])?,
            _ => find_of_accounts(client, &[tenant_id.into(), missing.clone().into()])?,
        };
        let read = read(client, tenant_id, rows, generation)?;
        for account_id in missing {
            let of_account = || read.iter().filter(|it| it.stored.budget.account_id == account_id);
            if let Some(generation) = generation.filter(|_| of_account().all(|it| it.may_be_kept)) {
                let budgets: Rc<[Rc<Stored>]> = of_account().map(|it| Rc::clone(&it.stored)).collect();
                OF_ACCOUNT.with(|kept| kept.keep(generation, (tenant_id, account_id), budgets));
            }
        }
        found.extend(read.iter().map(|it| it.stored.at(now)));
    }
    found.sort_unstable_by_key(|found| found.budget.budget_id);
    Ok(found)
}

/// The budgets with these ids, valid or not, in the order in which the engine locks, with the grants that may be drawn on at
/// `now`. An id may be that of a grant, which is passed over.
pub fn by_id(
    client: &mut SpiClient<'_>,
    tenant_id: i32,
    budget_ids: &[i64],
    now: Instant,
) -> Result<Vec<Found>, Failure> {
    let usable = invalidation::usable_generation(Topic::Tree);
    let mut found: Vec<Found> = Vec::with_capacity(budget_ids.len());
    let mut missing: Vec<i64> = Vec::new();
    for budget_id in budget_ids {
        let key = (tenant_id, *budget_id);
        let kept = usable.and_then(|generation| BY_ID.with(|kept| kept.find(generation, &key)));
        let is_grant = || usable.is_some_and(|generation| OWNERS.with(|kept| kept.find(generation, &key)).is_some());
        match kept {
            Some(stored) => found.push(stored.at(now)),
            None if is_grant() => {}
            None => missing.push(*budget_id),
        }
    }
    if !missing.is_empty() {
        let generation = invalidation::begin_reading(Topic::Tree);
        let rows = find_by_id(client, &[tenant_id.into(), missing.into()])?;
        found.extend(read(client, tenant_id, rows, generation)?.iter().map(|it| it.stored.at(now)));
    }
    found.sort_unstable_by_key(|found| found.budget.budget_id);
    Ok(found)
}

/// Which of these ids are grants, each with the budget that it is for, in burn order.
pub fn owners_of_grants(client: &mut SpiClient<'_>, tenant_id: i32, ids: &[i64]) -> Result<Vec<(i64, i64)>, Failure> {
    let usable = invalidation::usable_generation(Topic::Tree);
    let mut owners: Vec<(i64, Owner)> = Vec::new();
    let mut missing: Vec<i64> = Vec::new();
    for id in ids {
        let key = (tenant_id, *id);
        let owner = usable.and_then(|generation| OWNERS.with(|kept| kept.find(generation, &key)));
        let is_budget = || usable.is_some_and(|generation| BY_ID.with(|kept| kept.find(generation, &key)).is_some());
        match owner {
            Some(owner) => owners.push((*id, owner)),
            None if is_budget() => {}
            None => missing.push(*id),
        }
    }
    if !missing.is_empty() {
        let generation = invalidation::begin_reading(Topic::Tree);
        for row in find_owners(client, &[tenant_id.into(), missing.into()])? {
            let grant_id: i64 = required(&row, 1)?;
            let Validity(_, until) = Validity::new(None, optional_instant(&row, 4)?);
            let order = (required(&row, 3)?, until, instant(&row, 5)?, grant_id);
            let owner = Owner { budget_id: required(&row, 2)?, order };
            let is_own = is_own(&row, 6)?;
            if let Some(generation) = generation.filter(|_| !is_own) {
                OWNERS.with(|kept| kept.keep(generation, (tenant_id, grant_id), owner));
            }
            owners.push((grant_id, owner));
        }
    }
    owners.sort_unstable_by_key(|(_, owner)| owner.order);
    Ok(owners.into_iter().map(|(grant_id, owner)| (grant_id, owner.budget_id)).collect())
}

/// A budget that was just read.
struct Read {
    stored: Rc<Stored>,
    may_be_kept: bool,
}

/// Reads budgets with their grants, and keeps each by its id.
fn read<'a>(
    client: &mut SpiClient<'_>,
    tenant_id: i32,
    rows: impl Iterator<Item = SpiHeapTupleData<'a>>,
    generation: Option<u64>,
) -> Result<Vec<Read>, Failure> {
    let mut budgets: Vec<(Stored, bool)> = Vec::new();
    // Few budgets have grants; no statement is run for the others.
    let mut granted: Vec<i64> = Vec::new();
    for row in rows {
        let (stored, has_grants) = stored(&row)?;
        if has_grants {
            granted.push(stored.budget.budget_id);
        }
        budgets.push((stored, !is_own(&row, 21)? && !is_own(&row, 22)?));
    }
    if !granted.is_empty() {
        for row in find_grants(client, &[tenant_id.into(), granted.into()])? {
            let budget_id: i64 = required(&row, 1)?;
            if let Some((stored, may_be_kept)) = budgets.iter_mut().find(|(it, _)| it.budget.budget_id == budget_id) {
                let grant = Grant { grant_id: required(&row, 2)?, units: required(&row, 3)? };
                stored.grants.push((grant, Validity::new(optional_instant(&row, 4)?, optional_instant(&row, 5)?)));
                *may_be_kept &= !is_own(&row, 6)?;
            }
        }
    }
    let mut read = Vec::with_capacity(budgets.len());
    for (stored, may_be_kept) in budgets {
        let stored = Rc::new(stored);
        if let Some(generation) = generation.filter(|_| may_be_kept) {
            let key = (tenant_id, stored.budget.budget_id);
            BY_ID.with(|kept| kept.keep(generation, key, Rc::clone(&stored)));
        }
        read.push(Read { stored, may_be_kept });
    }
    Ok(read)
}

/// A budget without its grants, and whether it has any.
fn stored(row: &SpiHeapTupleData<'_>) -> Result<(Stored, bool), Failure> {
    let every: Option<String> = optional(row, 11)?;
    let (time_zone, week_start): (String, String) = (required(row, 12)?, required(row, 13)?);
    let schedule = Schedule::parse(every.as_deref(), &time_zone, &week_start, optional_instant(row, 14)?);
    let schedule = schedule.map_err(|_| Failure::Internal("a budget has an unreadable window"))?;
    let budget = Budget {
        budget_id: required(row, 1)?,
        account_id: required(row, 2)?,
        account: required(row, 3)?,
        meter: required(row, 4)?,
        limit_units: required(row, 5)?,
        hard: required(row, 6)?,
        burst_units: required(row, 7)?,
        watch: Watch { thresholds_percent: required(row, 8)?, freeze_at_percent: optional(row, 9)? },
        grants: Vec::new(),
    };
    let stored = Stored {
        rollover: optional(row, 15)?.map(|cap_units| Rollover { cap_units }),
        is_active: required(row, 18)?,
        validity: Validity::new(optional_instant(row, 19)?, optional_instant(row, 20)?),
        ..Stored::new(budget, schedule, optional(row, 16)?, instant(row, 17)?)
    };
    Ok((stored, required(row, 10)?))
}
