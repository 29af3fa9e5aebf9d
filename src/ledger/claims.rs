//! What a call claims: every budget above it in the window of now.

use std::rc::Rc;

use pgrx::spi::SpiClient;

use crate::budget::decision::{Budget, Claim};
use crate::budget::rollover::Rollover;
use crate::budget::window::{Schedule, Window};
use crate::engine;
use crate::instant::Instant;
use crate::ledger::budgets::{self, Found, Source, Stored};
use crate::ledger::chain::Chain;
use crate::ledger::{Failure, quota};

/// How many windows that nobody touched are followed back at most.
const UNTOUCHED_WINDOWS_MAX: i64 = 10_000;

const NO_WINDOW: Failure = Failure::Internal("a budget has no window at this instant");

/// Whether what is missing may be made.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Intent {
    /// Quotas that an account has not been given yet are given now.
    Spend,
    /// Nothing is changed; a quota that would be given shows as a budget without an id.
    Look,
}

/// The budgets of the chain that are valid at `now`, each with its window and nothing claimed yet, in the order in which
/// the engine locks.
pub fn claims(client: &mut SpiClient<'_>, chain: &Chain, intent: Intent, now: Instant) -> Result<Vec<Claim>, Failure> {
    let (tenant_id, account_ids) = (chain.tenant_id, chain.account_ids());
    let mut found = budgets::of_accounts(client, tenant_id, &account_ids, Source::Kept, now)?;
    let mut missing = quota::missing(client, chain, &found)?;
    if !missing.is_empty() {
        // Nobody is told when a quota is given.
        found = budgets::of_accounts(client, tenant_id, &account_ids, Source::Tables, now)?;
        missing = quota::missing(client, chain, &found)?;
    }
    if !missing.is_empty() {
        match intent {
            Intent::Spend => {
                quota::give(client, tenant_id, &missing, now)?;
                found = budgets::of_accounts(client, tenant_id, &account_ids, Source::Tables, now)?;
            }
            Intent::Look => {
                found.extend(missing.iter().map(|missing| missing.as_budget(now)).collect::<Result<Vec<_>, _>>()?)
            }
        }
    }
    let in_force = found.into_iter().filter(|found| found.is_in_force);
    in_force.map(|found| claim(client, tenant_id, found, now)).collect()
}

/// A budget in the window of now, with nothing claimed yet.
pub fn claim(client: &mut SpiClient<'_>, tenant_id: i32, found: Found, now: Instant) -> Result<Claim, Failure> {
    let window = found.stored.window_at(now).ok_or(NO_WINDOW)?;
    let opening_carry_units = match found.stored.rollover {
        Some(rollover) if window != Window::WHOLE => carry(client, tenant_id, &found, rollover, window, now)?,
        _ => 0,
    };
    Ok(Claim { budget: found.budget, window, units: 0, opening_carry_units })
}

/// What the window gets from those before it, should it have to be opened. What a call of a closed window gives back after
/// that is not carried over any more.
fn carry(
    client: &mut SpiClient<'_>,
    tenant_id: i32,
    found: &Found,
    rollover: Rollover,
    window: Window,
    now: Instant,
) -> Result<i64, Failure> {
    let (budget, Stored { schedule, created_at, .. }) = (&found.budget, &*found.stored);
    let (last_start, left_units) = match last_window(client, tenant_id, found, window)? {
        // It is open already, and has what it got then.
        Some((start, carried_units)) if start == window.start => return Ok(carried_units),
        Some((start, carried_units)) => {
            let window = Window { start, end: window.start };
            let own = Budget { grants: Vec::new(), ..(**budget).clone() };
            let claim = Claim { budget: Rc::new(own), window, units: 0, opening_carry_units: carried_units };
            let standing = engine::for_reading(client)?.read(tenant_id, &[claim], now)?.pop().unwrap_or_default();
            (start, standing.remaining_units(budget))
        }
        // Nobody has used it since it was made.
        None if *created_at < window.start => {
            (schedule.window_at(*created_at).ok_or(NO_WINDOW)?.start, budget.limit_units)
        }
        None => return Ok(0),
    };
    Ok(rollover.carry_units(left_units, budget.limit_units, windows_between(schedule, last_start, window)))
}

/// The start of the last window up to this one that was touched, with what it got then. Those of a schedule that the budget
/// had earlier are passed over.
fn last_window(
    client: &mut SpiClient<'_>,
    tenant_id: i32,
    found: &Found,
    window: Window,
) -> Result<Option<(Instant, i64)>, Failure> {
    // Schedules seldom change.
    for windows_max in [1, UNTOUCHED_WINDOWS_MAX] {
        let budget_id = found.budget.budget_id;
        let windows = engine::for_reading(client)?.windows(tenant_id, budget_id, window.start, windows_max)?;
        let of_schedule = |start: Instant| found.stored.schedule.window_at(start).is_some_and(|it| it.start == start);
        if let Some(last) = windows.into_iter().find(|(start, _)| of_schedule(*start)) {
            return Ok(Some(last));
        }
    }
    Ok(None)
}

fn windows_between(schedule: &Schedule, start: Instant, mut window: Window) -> i64 {
    let mut windows = 0;
    while window.start > start && windows < UNTOUCHED_WINDOWS_MAX {
        windows += 1;
        match schedule.previous(window) {
            Some(previous) => window = previous,
            None => break,
        }
    }
    windows
}
