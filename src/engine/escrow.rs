//! The engine that locks no row: O'Neil's escrow method (The Escrow Transactional Method, TODS 1986). Balances stand in
//! shared memory. A hold is checked and added there, in flight until its transaction ends; the reservation that is then
//! inserted is what makes it last. Others count what is in flight at its worst: what may be taken is taken, what may be
//! given back is not given back yet. So whatever ends well, no limit is passed, and nobody waits for anybody.

pub mod budget_lock;
pub mod closing;
pub mod in_flight;
pub mod launcher;
pub mod load;
pub mod memory;
pub mod place;
pub mod statistics;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;

use pgrx::spi::SpiClient;

use crate::budget::decision::{Balance, Claim, Standing};
use crate::engine::decide::{self, Balances, Change, Changes, Outcome, decide, touched};
use crate::engine::escrow::budget_lock::{acquire, budget_lock, wait_for_closer};
use crate::engine::escrow::load::Expired;
use crate::engine::escrow::memory::{Guard, Location};
use crate::engine::escrow::place::{Key, Place};
use crate::engine::escrow::statistics::Statistics;
use crate::engine::{Engine, Settlement, Slot, Taking};
use crate::instant::Instant;
use crate::ledger::Failure;
use crate::refusal::Refusal;

const NO_MEMORY: Failure = Failure::Internal("the escrow engine has no memory");

/// Which balances are meant: those of this table in this database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ledger {
    pub database: u32,
    pub relation: u32,
}

impl Ledger {
    pub fn has(self, key: &Key) -> bool {
        (key.database, key.relation) == (self.database, self.relation)
    }

    fn key(self, tenant_id: i32, (budget_id, start): Slot) -> Key {
        Key { budget_id, window_start: start.0, database: self.database, relation: self.relation, tenant_id }
    }
}

/// The escrow engine, for the length of one call.
pub struct Escrow<'a, 'conn> {
    client: &'a mut SpiClient<'conn>,
    ledger: Ledger,
}

/// Balances that are locked in memory, and those that are decided from the tables.
struct Locked {
    guard: Guard,
    locations: BTreeMap<Slot, Location>,
    balances: Balances,
    /// What windows get that nobody has opened yet.
    openings: BTreeMap<Slot, i64>,
}

/// How often a call reads balances into memory. If some are gone again by then, it decides on those from the tables: its own
/// balances may be in each other's way.
const LOADS_MAX: u32 = 3;

/// Of how many budgets balances are read in one statement: so many locks it holds meanwhile.
const BUDGETS_LOADED_MAX: usize = 64;

/// How far a call has come with finding its balances.
#[derive(Default)]
struct Search {
    /// Those since balances were forgotten last: that some are gone then says nothing about the room.
    loads: u32,
    forgettings: u64,
    /// Budgets whose lock it keeps: all of them, once it no longer reads balances into memory.
    kept: Option<BTreeSet<i64>>,
}

impl Search {
    fn count_load(&mut self) {
        let forgettings = memory::forgettings();
        if forgettings != self.forgettings {
            (self.loads, self.forgettings) = (0, forgettings);
        }
        self.loads += 1;
    }
}

/// Expired holds, read when so many commits had given back an expired hold.
struct Freed {
    expired_releases: u64,
    expired: Vec<Expired>,
}

impl Freed {
    fn take_out(&self, balances: &mut Balances) {
        self.expired.iter().for_each(|it| it.take_out(balances));
    }

    /// Whether what was read as expired is still in the balances that are locked now: a commit that gives back a hold after
    /// its expiry says so before it changes any balance.
    fn is_current(&self) -> bool {
        self.expired_releases == expired_releases()
    }
}

impl<'a, 'conn> Escrow<'a, 'conn> {
    pub fn new(client: &'a mut SpiClient<'conn>, ledger: Ledger) -> Self {
        Escrow { client, ledger }
    }

    /// Locks the balances of the slots, reading into memory what is not there. A carry is what a window gets, where the
    /// caller knows, should it not have been opened yet.
    fn lock(
        &mut self,
        tenant_id: i32,
        slots: &BTreeMap<Slot, Option<i64>>,
        search: &mut Search,
    ) -> Result<Locked, Failure> {
        let mut is_hit = true;
        loop {
            pgrx::check_for_interrupts!();
            let (outside, inside): (Vec<_>, Vec<_>) = slots
                .iter()
                .map(|(slot, carry)| (*slot, *carry, self.ledger.key(tenant_id, *slot)))
                .partition(|(_, _, key)| in_flight::is_outside(key));
            let mut balances = self.outside_balances(tenant_id, &outside)?;
            let mut guard = memory::lock(inside.iter().map(|(_, _, key)| key)).ok_or(NO_MEMORY)?;
            let mut locations = BTreeMap::new();
            let mut openings = BTreeMap::new();
            let mut missing = Vec::new();
            let mut closed = None;
            for (slot, carry, key) in &inside {
                let Some(location) = guard.find(key) else {
                    missing.push((*slot, *key));
                    continue;
                };
                let mut place = guard.place(location);
                if let (Some(carried_units), false) = (carry, place.is_carry_known) {
                    place.base.carried_units = *carried_units;
                    openings.insert(*slot, *carried_units);
                }
                if place.closed_by != 0 && place.closed_by != in_flight::own_number() {
                    closed = Some(slot.0);
                }
                balances.insert(*slot, visible(&place, location));
                locations.insert(*slot, location);
            }
            if let Some(budget_id) = closed {
                drop(guard);
                wait_for_closer(tenant_id, budget_id)?;
            } else if !missing.is_empty() {
                drop(guard);
                is_hit = false;
                if search.kept.is_some() {
                    self.leave_outside(&missing)?;
                } else {
                    search.count_load();
                    if !self.load(tenant_id, &missing)? || search.loads == LOADS_MAX {
                        // All in one order, so that no two calls wait for each other.
                        let all: BTreeSet<i64> = inside.iter().map(|((budget_id, _), ..)| *budget_id).collect();
                        all.iter().try_for_each(|budget_id| acquire(tenant_id, *budget_id))?;
                        search.kept = Some(all);
                    }
                }
            } else {
                if let (true, Some(statistics)) = (is_hit, memory::statistics()) {
                    Statistics::count(&statistics.hits);
                }
                return Ok(Locked { guard, locations, balances, openings });
            }
        }
    }

    fn outside_balances(&mut self, tenant_id: i32, outside: &[(Slot, Option<i64>, Key)]) -> Result<Balances, Failure> {
        let slots: Vec<Slot> = outside.iter().map(|(slot, ..)| *slot).collect();
        let loaded = load::balances(self.client, tenant_id, &slots, true)?;
        let carry = |slot: &Slot| outside.iter().find(|(other, ..)| other == slot).and_then(|(_, carry, _)| *carry);
        Ok(loaded
            .into_iter()
            .map(|it| {
                let mut base = it.base;
                if !it.is_carry_known {
                    base.carried_units = carry(&it.slot).unwrap_or(0);
                }
                (it.slot, base.balance())
            })
            .collect())
    }

    /// Reads balances into memory. While the lock of a budget is held nobody else reads it in, and as long as a balance is not
    /// in memory nothing of it is in flight: so what the tables say then is all there is.
    ///
    /// Says whether there was room for all.
    fn load(&mut self, tenant_id: i32, missing: &[(Slot, Key)]) -> Result<bool, Failure> {
        let mut has_room = true;
        let budget_ids: BTreeSet<i64> = missing.iter().map(|((budget_id, _), _)| *budget_id).collect();
        let all: Vec<i64> = budget_ids.into_iter().collect();
        let mut rest = all.as_slice();
        while let Some((first, others)) = rest.split_first() {
            // It waits for one lock while it holds none of the others, so it is in nobody's way.
            acquire(tenant_id, *first)?;
            let is_free = |budget_id: &&i64| budget_lock(tenant_id, **budget_id).try_acquire();
            let count = 1 + others.iter().take(BUDGETS_LOADED_MAX - 1).take_while(is_free).count();
            let (budget_ids, after) = rest.split_at(count);
            rest = after;
            let mut wanted: Vec<(Slot, Key)> =
                missing.iter().filter(|((id, _), _)| budget_ids.binary_search(id).is_ok()).copied().collect();
            let mut guard = memory::lock(wanted.iter().map(|(_, key)| key)).ok_or(NO_MEMORY)?;
            wanted.retain(|(_, key)| guard.find(key).is_none());
            drop(guard);
            let slots: Vec<Slot> = wanted.iter().map(|(slot, _)| *slot).collect();
            let (loaded, mut guard) = loop {
                let forgettings = memory::forgettings();
                let loaded = load::balances(self.client, tenant_id, &slots, false)?;
                let guard = memory::lock(wanted.iter().map(|(_, key)| key)).ok_or(NO_MEMORY)?;
                if forgettings == memory::forgettings() {
                    break (loaded, guard);
                }
            };
            let mut count = 0;
            for it in &loaded {
                count += u64::from(guard.insert(self.ledger.key(tenant_id, it.slot), it.base, it.is_carry_known));
            }
            drop(guard);
            in_flight::note_read(wanted.iter().map(|(_, key)| *key));
            budget_ids.iter().for_each(|budget_id| budget_lock(tenant_id, *budget_id).release());
            has_room &= count == loaded.len() as u64;
            if let Some(statistics) = memory::statistics() {
                statistics.loads.fetch_add(count, Ordering::Relaxed);
            }
        }
        Ok(has_room)
    }

    /// Ends a search, once what was decided is in flight: a lock stays where a balance is decided from the tables.
    fn end_search(&self, tenant_id: i32, slots: &BTreeMap<Slot, Option<i64>>, search: Search) {
        for budget_id in search.kept.into_iter().flatten() {
            let of_budget = slots.keys().filter(|(other, _)| *other == budget_id);
            if !of_budget.map(|slot| self.ledger.key(tenant_id, *slot)).any(|key| in_flight::is_outside(&key)) {
                budget_lock(tenant_id, budget_id).release();
            }
        }
    }

    /// Has missing balances, whose budgets are locked, decided from the tables. The locks stay to the end of the transaction,
    /// so nobody else decides on these budgets meanwhile.
    fn leave_outside(&mut self, missing: &[(Slot, Key)]) -> Result<(), Failure> {
        let mut guard = memory::lock(missing.iter().map(|(_, key)| key)).ok_or(NO_MEMORY)?;
        let outside: Vec<Key> = missing.iter().map(|(_, key)| *key).filter(|key| guard.find(key).is_none()).collect();
        drop(guard);
        if let Some(statistics) = memory::statistics() {
            statistics.fallbacks.fetch_add(outside.len() as u64, Ordering::Relaxed);
        }
        outside.into_iter().for_each(in_flight::note_outside);
        Ok(())
    }

    fn read_expired(
        &mut self,
        tenant_id: i32,
        slots: &BTreeMap<Slot, Option<i64>>,
        now: Instant,
    ) -> Result<Freed, Failure> {
        // Before the rows are read: see `Freed::is_current`.
        let expired_releases = expired_releases();
        let mut budget_ids: Vec<i64> = slots.keys().map(|(budget_id, _)| *budget_id).collect();
        budget_ids.dedup();
        Ok(Freed { expired_releases, expired: load::expired(self.client, tenant_id, budget_ids, now)? })
    }
}

fn expired_releases() -> u64 {
    memory::statistics().map_or(0, |statistics| statistics.expired_releases.load(Ordering::SeqCst))
}

/// A balance as this transaction sees it: what has been committed, its own changes, and what others have in flight at its
/// worst, as if it were held.
fn visible(place: &Place, location: Location) -> Balance {
    let (own, own_units, own_spent_units) = in_flight::own(location);
    let clamp = |units: i128| i64::try_from(units).unwrap_or(if units < 0 { i64::MIN } else { i64::MAX });
    let base = &place.base;
    let held = i128::from(base.held_units) + i128::from(own.held_units) + place.in_flight_units - own_units;
    Balance {
        spent_units: base.spent_units.saturating_add(own.spent_units),
        held_units: clamp(held),
        granted_units: base.granted_units.saturating_add(own.granted_units),
        in_flight_spent_units: clamp(place.in_flight_spent_units - own_spent_units),
        unwatched_from: place.is_unwatched.then_some(place.watched_units),
        is_shared: true,
        ..base.balance()
    }
}

impl Locked {
    /// Opens the windows that nobody has opened yet, for as long as the transaction lasts: also those of which nothing is taken.
    fn open(&mut self, now: Instant) {
        let located: Vec<(Location, i64)> = self
            .openings
            .iter()
            .filter_map(|(slot, carried_units)| Some((*self.locations.get(slot)?, *carried_units)))
            .collect();
        for (location, carried_units) in &located {
            self.guard.change(*location, |place| {
                place.base.carried_units = *carried_units;
                (place.is_carry_known, place.is_opening) = (true, true);
            });
        }
        let nothing = |(location, _): (Location, i64)| (location, Change::default(), Instant::AFTER_ALL);
        in_flight::add(&mut self.guard, located.into_iter().map(nothing), now);
    }

    /// Puts the changes in flight.
    fn change(&mut self, changes: &Changes, expires_at: impl Fn(&Slot) -> Instant, now: Instant) {
        let locations = &self.locations;
        let located = changes
            .iter()
            .filter_map(|(slot, change)| Some((*locations.get(slot)?, *change, expires_at(slot))))
            .filter(|(_, change, _)| *change != Change::default());
        in_flight::add(&mut self.guard, located, now);
    }

    /// Whoever is told of all marks at or below the spend has looked at them again.
    fn note_watched(&mut self, changes: &Changes) {
        for slot in changes.iter().filter(|(_, change)| change.spent_units > 0).map(|(slot, _)| slot) {
            if let Some(location) = self.locations.get(slot) {
                self.guard.change(*location, |place| place.is_unwatched = false);
            }
        }
    }
}

impl Engine for Escrow<'_, '_> {
    fn take(
        &mut self,
        tenant_id: i32,
        calls: &[&[Claim]],
        taking: Taking,
        now: Instant,
    ) -> Result<Vec<Result<Outcome, Refusal>>, Failure> {
        let slots = with_carries(touched(calls));
        let mut freed: Option<Freed> = None;
        let mut search = Search::default();
        loop {
            let mut locked = self.lock(tenant_id, &slots, &mut search)?;
            if taking != Taking::Extend && locked.balances.values().any(|balance| balance.is_superseded) {
                return Err(Failure::Superseded);
            }
            freed = freed.filter(Freed::is_current);
            let mut is_wanted = false;
            let mut balances = std::mem::take(&mut locked.balances);
            let (outcomes, changes) = decide::<Failure>(calls, &mut balances, taking, |balances| {
                match &freed {
                    Some(freed) => freed.take_out(balances),
                    // Nothing is read under a lock: what is decided now is thrown away, and decided anew with it.
                    None => is_wanted = true,
                }
                Ok(())
            })?;
            if is_wanted {
                drop(locked);
                freed = Some(self.read_expired(tenant_id, &slots, now)?);
                continue;
            }
            locked.open(now);
            locked.change(&changes, |_| Instant::AFTER_ALL, now);
            locked.note_watched(&changes);
            drop(locked);
            self.end_search(tenant_id, &slots, search);
            let refused = outcomes.iter().filter(|outcome| !outcome.as_ref().is_ok_and(|it| it.is_taken)).count();
            if let (true, Some(statistics)) = (refused > 0, memory::statistics()) {
                statistics.refusals.fetch_add(refused as u64, Ordering::Relaxed);
            }
            return Ok(outcomes);
        }
    }

    fn settle(&mut self, tenant_id: i32, settlements: &[Settlement], now: Instant) -> Result<Vec<Balance>, Failure> {
        if settlements.is_empty() {
            return Ok(Vec::new());
        }
        let slots = settlements.iter().map(|item| (item.slot, None)).collect();
        let mut search = Search::default();
        let mut locked = self.lock(tenant_id, &slots, &mut search)?;
        let mut balances = std::mem::take(&mut locked.balances);
        let change = |item: &Settlement| Ok((item.slot, item.change()?));
        let changes = settlements.iter().map(change).collect::<Result<Changes, Refusal>>()?;
        decide::apply(&mut balances, &mut Changes::new(), &changes)?;
        let expires_at = |slot: &Slot| {
            settlements.iter().find(|item| item.slot == *slot).map_or(Instant::AFTER_ALL, |item| item.expires_at)
        };
        locked.change(&changes, expires_at, now);
        locked.note_watched(&changes);
        drop(locked);
        self.end_search(tenant_id, &slots, search);
        settlements.iter().map(|item| balances.get(&item.slot).copied().ok_or(NO_MEMORY)).collect()
    }

    fn read(&mut self, tenant_id: i32, claims: &[Claim], now: Instant) -> Result<Vec<Standing>, Failure> {
        if claims.is_empty() {
            return Ok(Vec::new());
        }
        // A quota that has not been given yet has no balance.
        let (given, wanted): (Vec<_>, Vec<_>) =
            touched(&[claims]).into_iter().partition(|((budget_id, _), _)| *budget_id != 0);
        let slots: BTreeMap<Slot, Option<i64>> = given.into_iter().map(|(slot, carry)| (slot, Some(carry))).collect();
        let mut search = Search::default();
        let mut balances = loop {
            let freed = self.read_expired(tenant_id, &slots, now)?;
            let mut locked = self.lock(tenant_id, &slots, &mut search)?;
            if freed.is_current() {
                let mut balances = std::mem::take(&mut locked.balances);
                drop(locked);
                freed.take_out(&mut balances);
                break balances;
            }
        };
        self.end_search(tenant_id, &slots, search);
        for (slot, carried_units) in wanted {
            balances.insert(slot, Balance { carried_units, ..Balance::default() });
        }
        Ok(decide::standings(claims, &balances)?)
    }

    fn watch_again(&mut self, tenant_id: i32, slot: Slot, from_units: i64) -> Result<(), Failure> {
        let key = self.ledger.key(tenant_id, slot);
        let mut guard = memory::lock([&key]).ok_or(NO_MEMORY)?;
        if let Some(location) = guard.find(&key) {
            guard.change(location, |place| {
                place.watched_units = place.watched_units.min(from_units);
                place.is_unwatched = true;
            });
        }
        Ok(())
    }

    fn windows(
        &mut self,
        tenant_id: i32,
        budget_id: i64,
        until: Instant,
        windows_max: i64,
    ) -> Result<Vec<(Instant, i64)>, Failure> {
        let key = self.ledger.key(tenant_id, (budget_id, until));
        let mut guard = memory::lock([&key]).ok_or(NO_MEMORY)?;
        let open = guard.find(&key).map(|location| guard.place(location)).filter(|place| place.is_carry_known);
        drop(guard);
        match open {
            Some(place) => Ok(vec![(until, place.base.carried_units)]),
            None => load::windows(self.client, tenant_id, budget_id, until, windows_max),
        }
    }
}

fn with_carries(openings: BTreeMap<Slot, i64>) -> BTreeMap<Slot, Option<i64>> {
    openings.into_iter().map(|(slot, carry)| (slot, Some(carry))).collect()
}
