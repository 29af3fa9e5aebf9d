//! A limit as a replay judges by it, with the windows that the replay has opened.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::rc::Rc;

use super::sums::Counts;
use crate::budget::decision::{Balance, Budget, Claim, Grant, Standing};
use crate::budget::rollover::Rollover;
use crate::budget::watch::Crossing;
use crate::budget::window::{Schedule, Window};
use crate::instant::Instant;

/// A grant with the time for which it may be drawn on.
#[derive(Clone, Debug)]
pub struct DatedGrant {
    pub grant: Grant,
    pub from: Instant,
    pub until: Instant,
}

/// The last window that was used before the replay, for what it leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Before {
    pub start: Instant,
    /// What it got when it was opened.
    pub carried_units: i64,
    /// What is left of it.
    pub left_units: i64,
}

/// A budget, present or imagined.
#[derive(Debug)]
pub struct Limit {
    pub budget: Rc<Budget>,
    /// Its place in the policy, from 1; none for one that there is.
    pub policy_place: Option<i32>,
    pub every: Option<String>,
    pub schedule: Schedule,
    pub rollover: Option<Rollover>,
    pub valid_from: Instant,
    pub valid_until: Instant,
    /// All that could ever be drawn on, in burn order.
    pub grants: Vec<DatedGrant>,
    pub before: Option<Before>,
    /// Which of the amounts of a call it counts.
    pub meter: usize,
    pub(super) windows: Vec<State>,
    pub(super) by_start: HashMap<Instant, usize>,
    last: Option<usize>,
    /// What is spent and held of each grant.
    pub(super) grants_used: Vec<i64>,
    claim: Claim,
    opening: Window,
}

/// What a replay knows of one window.
#[derive(Clone, Debug)]
pub(super) struct State {
    pub window: Window,
    pub balance: Balance,
    pub is_frozen: bool,
    pub counts: Counts,
}

/// How many windows that nobody touched are followed back at most.
const UNTOUCHED_WINDOWS_MAX: i64 = 10_000;

impl Limit {
    /// A limit without grants that always holds. `since` is where the replay begins; none beyond what a calendar can express.
    pub fn new(
        budget: Budget,
        every: Option<String>,
        schedule: Schedule,
        rollover: Option<Rollover>,
        since: Instant,
    ) -> Option<Limit> {
        let opening = schedule.window_at(since)?;
        let budget = Rc::new(budget);
        let claim = Claim { budget: Rc::clone(&budget), window: opening, units: 0, opening_carry_units: 0 };
        Some(Limit {
            budget,
            policy_place: None,
            every,
            schedule,
            rollover,
            valid_from: Instant::BEFORE_ALL,
            valid_until: Instant::AFTER_ALL,
            grants: Vec::new(),
            before: None,
            meter: 0,
            windows: Vec::new(),
            by_start: HashMap::new(),
            last: None,
            grants_used: Vec::new(),
            claim,
            opening,
        })
    }

    pub fn with_grants(mut self, grants: Vec<DatedGrant>) -> Limit {
        self.grants_used = vec![0; grants.len()];
        self.grants = grants;
        self
    }

    /// The window in which the replay begins.
    pub fn opening(&self) -> Window {
        self.opening
    }

    /// Whether there is a part of the opening window before the replay that counts. An imagined budget without windows begins
    /// with the replay.
    pub fn looks_back(&self) -> bool {
        self.policy_place.is_none() || self.opening != Window::WHOLE
    }

    pub fn holds_at(&self, at: Instant) -> bool {
        self.valid_from <= at && at < self.valid_until
    }

    /// The place of the window that holds `at`, which is opened if it is not yet; none beyond what a calendar can express.
    pub(super) fn window_at(&mut self, at: Instant) -> Option<usize> {
        if let Some(last) = self.last
            && let Some(state) = self.windows.get(last)
            && state.window.start <= at
            && at < state.window.end
        {
            return Some(last);
        }
        let window = self.schedule.window_at(at)?;
        let place = match self.by_start.get(&window.start) {
            Some(place) => *place,
            None => self.open(window),
        };
        self.last = Some(place);
        Some(place)
    }

    fn open(&mut self, window: Window) -> usize {
        let carried_units = self.carry(window);
        let place = self.windows.len();
        self.windows.push(State {
            window,
            balance: Balance { carried_units, ..Balance::default() },
            is_frozen: false,
            counts: Counts::default(),
        });
        self.by_start.insert(window.start, place);
        place
    }

    /// What a window that is opened now gets from the last one that was used.
    fn carry(&self, window: Window) -> i64 {
        let Some(rollover) = self.rollover.filter(|_| window != Window::WHOLE) else { return 0 };
        // Calls come in order, so the last that was opened is the one before.
        let before = match self.windows.last() {
            Some(state) => {
                let standing = Standing { balance: state.balance, grants_left: Vec::new() };
                let left_units = standing.remaining_units(&self.budget);
                Before { start: state.window.start, carried_units: state.balance.carried_units, left_units }
            }
            None => match self.before {
                Some(before) => before,
                None => return 0,
            },
        };
        match before.start.cmp(&window.start) {
            Ordering::Less => {
                let windows_after = self.windows_between(before.start, window);
                rollover.carry_units(before.left_units, self.budget.limit_units, windows_after)
            }
            Ordering::Equal => before.carried_units,
            // The budget had not been made yet.
            Ordering::Greater => 0,
        }
    }

    fn windows_between(&self, start: Instant, mut window: Window) -> i64 {
        let mut windows = 0;
        while window.start > start && windows < UNTOUCHED_WINDOWS_MAX {
            windows += 1;
            match self.schedule.previous(window) {
                Some(previous) => window = previous,
                None => break,
            }
        }
        windows
    }

    /// The claim of a call, and where the budget stands in the window. `drawn` are the grants that may be drawn on now.
    pub(super) fn claim(&mut self, window: usize, units: i64, at: Instant) -> Option<(Claim, Standing, Vec<usize>)> {
        let state = self.windows.get(window)?;
        let mut standing = Standing { balance: state.balance, grants_left: Vec::new() };
        let mut claim = Claim { units, window: state.window, ..self.claim.clone() };
        if self.grants.is_empty() {
            return Some((claim, standing, Vec::new()));
        }
        let mut drawn = Vec::new();
        let mut grants = Vec::new();
        for (place, dated) in self.grants.iter().enumerate().filter(|(_, it)| it.from <= at && at < it.until) {
            drawn.push(place);
            grants.push(dated.grant.clone());
            let used = self.grants_used.get(place).copied().unwrap_or(0);
            standing.grants_left.push(dated.grant.units.saturating_sub(used));
        }
        claim.budget = Rc::new(Budget { grants, ..(*self.budget).clone() });
        Some((claim, standing, drawn))
    }

    /// Adds to what is spent and held in a window, and freezes it where the spend reaches the mark for that.
    pub(super) fn change(&mut self, window: usize, spent_units: i64, held_units: i64, granted_units: i64) {
        let Some(state) = self.windows.get_mut(window) else { return };
        let before = state.balance.spent_units;
        state.balance.spent_units = before.saturating_add(spent_units);
        state.balance.held_units = state.balance.held_units.saturating_add(held_units);
        state.balance.granted_units = state.balance.granted_units.saturating_add(granted_units);
        if spent_units > 0 && self.budget.watch.freeze_at_percent.is_some() {
            let limit_units = self.budget.limit_units.saturating_add(state.balance.carried_units);
            let crossings = self.budget.watch.crossings(limit_units, before, state.balance.spent_units);
            state.is_frozen |= crossings.iter().any(|crossing| matches!(crossing, Crossing::Freeze(_)));
        }
    }

    pub(super) fn change_grant(&mut self, place: usize, units: i64) {
        if let Some(used) = self.grants_used.get_mut(place) {
            *used = used.saturating_add(units);
        }
    }
}
