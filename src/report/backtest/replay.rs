//! The replay itself.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};
use std::rc::Rc;

use super::call::{Call, Past};
use super::limit::{Limit, State};
use super::pending::{Event, Part, Pending};
use super::reason::{BudgetName, Reason};
use super::sums::{Counts, Sums, WindowSums};
use crate::budget::decision::{Claim, Standing, compare_shares};
use crate::budget::meter;
use crate::budget::settlement::Place;
use crate::instant::Instant;

/// What became of a call.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// Whether each limit judged it by what it had held.
    pub by_hold: bool,
    /// None for a call that is allowed.
    pub refused: Option<Reason>,
}

/// A claim on one limit.
struct Claimed {
    limit: usize,
    window: usize,
    used_units: i64,
    by_hold: bool,
    is_frozen: bool,
    claim: Claim,
    standing: Standing,
    drawn: Vec<usize>,
}

/// How many sets of accounts are remembered with their limits.
const PLACES_MAX: usize = 100_000;

/// A history on its way past the limits. Its memory is that of the limits with their windows, of the calls under way and of
/// the instants of corrections, however many calls there are.
#[derive(Debug)]
pub struct Replay {
    limits: Vec<Limit>,
    names: Vec<Rc<BudgetName>>,
    of_account: HashMap<i64, Vec<usize>>,
    places: HashMap<Box<[i64]>, Rc<[usize]>>,
    since: Instant,
    is_money: Vec<Option<bool>>,
    pending: BinaryHeap<Reverse<Pending>>,
    corrections: BTreeMap<Instant, HashMap<(usize, usize), i64>>,
    ordinal: u64,
    sums: Sums,
}

impl Replay {
    /// A replay that begins at `since`; `meters` are those by which the amounts of the calls come.
    pub fn new(mut limits: Vec<Limit>, meters: &[String], since: Instant) -> Replay {
        let mut of_account: HashMap<i64, Vec<usize>> = HashMap::new();
        for (place, limit) in limits.iter_mut().enumerate() {
            limit.meter = meters.iter().position(|meter| *meter == limit.budget.meter).unwrap_or(usize::MAX);
            of_account.entry(limit.budget.account_id).or_default().push(place);
        }
        Replay {
            names: limits.iter().map(|it| Rc::new(BudgetName::of(&it.budget, it.policy_place))).collect(),
            is_money: meters.iter().map(|name| meter::is_money(name).then_some(name == meter::COST)).collect(),
            limits,
            of_account,
            places: HashMap::new(),
            since,
            pending: BinaryHeap::new(),
            corrections: BTreeMap::new(),
            ordinal: 0,
            sums: Sums::default(),
        }
    }

    /// From when on the history matters to the limits.
    pub fn history_begins_at(&self) -> Instant {
        let begins = |limit: &Limit| match limit.looks_back() {
            false => self.since,
            true if !limit.grants.is_empty() => Instant::BEFORE_ALL,
            true => limit.opening().start,
        };
        self.limits.iter().map(begins).min().unwrap_or(self.since).min(self.since)
    }

    fn places(&mut self, account_ids: &[i64]) -> Rc<[usize]> {
        if let Some(places) = self.places.get(account_ids) {
            return Rc::clone(places);
        }
        let mut places: Vec<usize> =
            account_ids.iter().filter_map(|id| self.of_account.get(id)).flatten().copied().collect();
        places.sort_unstable();
        places.dedup();
        let places: Rc<[usize]> = places.into();
        if self.places.len() >= PLACES_MAX {
            self.places.clear();
        }
        self.places.insert(account_ids.into(), Rc::clone(&places));
        places
    }

    /// Takes what was booked before the replay begins: it was allowed, whatever the limits say. A budget that there is counts
    /// what it counted; an imagined one counts what was used in the window in which the replay begins, at the prices of the policy.
    pub fn remember(&mut self, past: &Past<'_>) {
        for place in self.places(past.account_ids).iter() {
            let since = self.since;
            let Some(limit) = self.limits.get_mut(*place).filter(|limit| limit.looks_back()) else { continue };
            let opening = limit.opening();
            let own_id = limit.budget.budget_id;
            let mut granted_units = 0_i64;
            for grant in 0..limit.grants.len() {
                let id = limit.grants.get(grant).map(|it| it.grant.grant_id);
                let units = past.slots.iter().filter(|(slot, ..)| Some(*slot) == id).map(|(.., units)| *units).sum();
                limit.change_grant(grant, units);
                granted_units = granted_units.saturating_add(units);
            }
            let spent_units = if limit.policy_place.is_some() {
                past.used.get(limit.meter).copied().filter(|_| opening.start <= past.at)
            } else {
                let mut own = past.slots.iter().filter(|(id, start, _)| *id == own_id && *start == opening.start);
                own.next().map(|(.., units)| *units)
            };
            if let Some(spent_units) = spent_units
                && let Some(window) = limit.window_at(since)
            {
                limit.change(window, spent_units, 0, granted_units);
            }
        }
    }

    /// Judges the next call; calls come in the order in which they were made.
    pub fn judge(&mut self, call: &Call<'_>) -> Verdict {
        self.settle_until(call.at);
        let claimed = self.claims(call);
        let refused = self.refusal(&claimed);
        let by_hold = call.hold_ends_at.is_some() && claimed.iter().all(|it| it.by_hold);
        for it in &claimed {
            let Some(state) = self.limits.get_mut(it.limit).and_then(|limit| limit.windows.get_mut(it.window)) else {
                continue;
            };
            count(&mut state.counts, it, refused.is_some(), call.at);
        }
        if call.is_own {
            self.count(call, refused.is_some(), by_hold);
        }
        if refused.is_none() {
            self.take(call, claimed);
        }
        Verdict { by_hold, refused }
    }

    fn claims(&mut self, call: &Call<'_>) -> Vec<Claimed> {
        let places = self.places(call.account_ids);
        let mut claimed = Vec::with_capacity(places.len());
        for place in places.iter() {
            let Some(limit) = self.limits.get_mut(*place).filter(|limit| limit.holds_at(call.at)) else { continue };
            let used_units = call.used.get(limit.meter).copied().unwrap_or(0);
            let held_units = call.hold_ends_at.and(call.held.get(limit.meter).copied().flatten());
            let units = held_units.unwrap_or(used_units);
            let Some(window) = limit.window_at(call.at) else { continue };
            let is_frozen = limit.windows.get(window).is_some_and(|state| state.is_frozen);
            if let Some((claim, standing, drawn)) = limit.claim(window, units, call.at) {
                let by_hold = held_units.is_some();
                claimed.push(Claimed { limit: *place, window, used_units, by_hold, is_frozen, claim, standing, drawn });
            }
        }
        claimed
    }

    /// The limit that leads a refusal: one that is frozen, or the one that lets the least of the call through.
    fn refusal(&self, claimed: &[Claimed]) -> Option<Reason> {
        let frozen = claimed.iter().find(|it| it.is_frozen);
        let lead = frozen.or_else(|| {
            claimed.iter().filter(|it| !it.claim.fits(&it.standing)).min_by(|left, right| {
                compare_shares((&left.claim, &left.standing), (&right.claim, &right.standing), |claim, _| claim.units)
            })
        })?;
        Some(Reason {
            budget: Rc::clone(self.names.get(lead.limit)?),
            window: lead.claim.window,
            requested_units: lead.claim.units,
            left_units: lead.standing.remaining_units(&lead.claim.budget).saturating_add(lead.claim.budget.burst_units),
            limit_units: lead.standing.limit_units(&lead.claim.budget),
            is_frozen: lead.is_frozen,
        })
    }

    fn count(&mut self, call: &Call<'_>, is_refused: bool, by_hold: bool) {
        let cost = i128::from(call.cost_nanos.unwrap_or(0));
        let sums = &mut self.sums;
        sums.calls += 1;
        sums.actual_nanos += i128::from(call.actual_nanos.unwrap_or(0));
        sums.repriced += i64::from(call.is_repriced);
        sums.unpriced += i64::from(call.is_unpriced);
        sums.by_hold += i64::from(by_hold);
        sums.by_use += i64::from(!by_hold);
        if is_refused {
            sums.refused += 1;
            sums.refused_nanos += cost;
            sums.refused_retries += i64::from(call.is_retry);
            sums.first_refusal_at.get_or_insert(call.at);
        } else {
            sums.allowed += 1;
            sums.cost_nanos += cost;
        }
    }

    /// Holds what the call held until it was booked, or spends at once what it used.
    fn take(&mut self, call: &Call<'_>, claimed: Vec<Claimed>) {
        let mut parts = Vec::with_capacity(if call.hold_ends_at.is_some() { claimed.len() } else { 0 });
        for it in claimed {
            let Claimed { limit: place, window, used_units, claim, mut standing, drawn, .. } = it;
            let allotment = claim.allot(&mut standing);
            let granted_units: i64 = allotment.granted.iter().sum();
            let Some(limit) = self.limits.get_mut(place) else { continue };
            let (spent, held) = if call.hold_ends_at.is_some() { (0, claim.units) } else { (claim.units, 0) };
            limit.change(window, spent, held, granted_units);
            for (grant, units) in drawn.iter().zip(&allotment.granted) {
                limit.change_grant(*grant, *units);
            }
            if let Some(is_cost) = self.is_money.get(limit.meter).copied().flatten() {
                for correction in call.corrections {
                    let units = if is_cost { correction.cost_nanos } else { correction.internal_nanos };
                    let sum = self.corrections.entry(correction.at).or_default().entry((place, window)).or_insert(0);
                    *sum = sum.saturating_add(units);
                }
            }
            if call.hold_ends_at.is_some() {
                let held = [claim.units].into_iter().chain(allotment.granted).collect();
                parts.push(Part { limit: place, window, used_units, held, grants: drawn });
            }
        }
        let Some(hold_ends_at) = call.hold_ends_at.filter(|_| !parts.is_empty()) else { return };
        if hold_ends_at < call.settled_at {
            self.expect(hold_ends_at, Event::Expire(parts, call.settled_at));
        } else {
            self.expect(call.settled_at, Event::Settle { parts, is_expired: false });
        }
    }

    fn expect(&mut self, at: Instant, event: Event) {
        self.ordinal += 1;
        self.pending.push(Reverse(Pending { at, ordinal: self.ordinal, event }));
    }

    fn settle_until(&mut self, at: Instant) {
        while self.pending.peek().is_some_and(|Reverse(next)| next.at <= at) {
            let Some(Reverse(Pending { event, .. })) = self.pending.pop() else { break };
            match event {
                Event::Expire(parts, settled_at) => {
                    parts.iter().for_each(|part| self.release(part));
                    self.expect(settled_at, Event::Settle { parts, is_expired: true });
                }
                Event::Settle { parts, is_expired } => {
                    for part in &parts {
                        if !is_expired {
                            self.release(part);
                        }
                        self.spend(part);
                    }
                }
            }
        }
        while let Some(entry) = self.corrections.first_entry().filter(|entry| *entry.key() <= at) {
            for ((place, window), units) in entry.remove() {
                if let Some(limit) = self.limits.get_mut(place) {
                    limit.change(window, units, 0, 0);
                }
            }
        }
    }

    fn release(&mut self, part: &Part) {
        let Some(limit) = self.limits.get_mut(part.limit) else { return };
        let granted: i64 = part.held.iter().skip(1).sum();
        limit.change(part.window, 0, part.held.first().map_or(0, |held| -held), -granted);
        for (grant, units) in part.grants.iter().zip(part.held.iter().skip(1)) {
            limit.change_grant(*grant, -units);
        }
    }

    fn spend(&mut self, part: &Part) {
        let Some(limit) = self.limits.get_mut(part.limit) else { return };
        if part.grants.is_empty() {
            return limit.change(part.window, part.used_units, 0, 0);
        }
        let place = Place { own: 0, grants: (1..part.held.len()).collect() };
        let mut spent = vec![0; part.held.len()];
        place.spend(part.used_units, &part.held, &mut spent);
        limit.change(part.window, spent.first().copied().unwrap_or(0), 0, spent.iter().skip(1).sum());
        for (grant, units) in part.grants.iter().zip(spent.iter().skip(1)) {
            limit.change_grant(*grant, *units);
        }
    }

    /// Settles what is under way, and says what became of everything: by limit, and by window of each.
    pub fn finish(mut self) -> (Sums, Vec<WindowSums>) {
        self.settle_until(Instant::AFTER_ALL);
        let mut windows = Vec::new();
        for limit in self.limits {
            let mut used: Vec<State> = limit.windows.into_iter().filter(|state| state.counts.calls > 0).collect();
            used.sort_by_key(|state| state.window.start);
            windows.extend(used.into_iter().map(|state| WindowSums {
                budget: Rc::clone(&limit.budget),
                policy_place: limit.policy_place,
                every: limit.every.clone(),
                window: state.window,
                limit_units: limit.budget.limit_units.saturating_add(state.balance.carried_units),
                spent_units: state.balance.spent_units,
                counts: state.counts,
            }));
        }
        (self.sums, windows)
    }
}

fn count(counts: &mut Counts, it: &Claimed, is_refused: bool, at: Instant) {
    counts.calls += 1;
    counts.by_hold += i64::from(it.by_hold);
    counts.by_use += i64::from(!it.by_hold);
    if it.is_frozen || !it.claim.fits(&it.standing) {
        counts.refused += 1;
        counts.refused_units = counts.refused_units.saturating_add(it.claim.units);
        counts.first_refusal_at.get_or_insert(at);
    } else if !is_refused {
        counts.allowed += 1;
    }
}
