//! The shared memory of the escrow engine: what is spent and held of each (database, budget, window), and how much of it is
//! in flight. A cache: everything in it can be folded from the tables again.
//!
//! It is cut into partitions by a hash of the key. Each has a lock of its own, its own chains and its own places, so a
//! place never moves to another partition, and a pinned one stays where it is. Whoever takes several locks takes them in
//! ascending order; nothing is allocated by PostgreSQL, waited for or raised while one is held.

use std::sync::atomic::{AtomicPtr, Ordering};

use pgrx::pg_sys;

use crate::engine::escrow::Ledger;
use crate::engine::escrow::launcher::Launcher;
use crate::engine::escrow::place::{Base, Key, Place};
use crate::engine::escrow::statistics::Statistics;
use crate::guc;

/// Enough that two calls seldom want the same one, few enough that a large batch can hold them all (PostgreSQL: 200).
pub const PARTITIONS: usize = 128;

/// Ends a chain.
const NONE: u32 = u32::MAX;

const NAME: &std::ffi::CStr = c"tokbudget";

#[repr(C)]
struct Partition {
    hand: u32,
    free: u32,
}

#[repr(C)]
struct Header {
    places_per_partition: u32,
    launcher: Launcher,
    statistics: Statistics,
    partitions: [Partition; PARTITIONS],
}

/// Where a pinned balance is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Location {
    partition: u32,
    index: u32,
}

static HEADER: AtomicPtr<Header> = AtomicPtr::new(std::ptr::null_mut());
static LOCKS: AtomicPtr<pg_sys::LWLockPadded> = AtomicPtr::new(std::ptr::null_mut());

static mut PREVIOUS_REQUEST: pg_sys::shmem_request_hook_type = None;
static mut PREVIOUS_STARTUP: pg_sys::shmem_startup_hook_type = None;

/// Called from `_PG_init` in the postmaster.
pub fn init() {
    // SAFETY: the postmaster is one thread, and hooks are chained as PostgreSQL's own manual says.
    unsafe {
        PREVIOUS_REQUEST = pg_sys::shmem_request_hook;
        pg_sys::shmem_request_hook = Some(request);
        PREVIOUS_STARTUP = pg_sys::shmem_startup_hook;
        pg_sys::shmem_startup_hook = Some(start);
    }
}

fn places_per_partition() -> usize {
    usize::try_from(guc::balances_max()).unwrap_or(0).div_ceil(PARTITIONS).max(1)
}

/// Bytes of everything: the header, the heads of the chains, the places. Each part is a multiple of 16 bytes.
fn size() -> usize {
    let places = places_per_partition() * PARTITIONS;
    header_size() + heads_size(places) + places * size_of::<Place>()
}

const fn header_size() -> usize {
    size_of::<Header>().next_multiple_of(64)
}

const fn heads_size(places: usize) -> usize {
    (places * size_of::<u32>()).next_multiple_of(64)
}

unsafe extern "C-unwind" fn request() {
    // SAFETY: called by the postmaster at the one moment when memory may be asked for.
    unsafe {
        if let Some(previous) = PREVIOUS_REQUEST {
            previous();
        }
        pg_sys::RequestAddinShmemSpace(size() + 64);
        pg_sys::RequestNamedLWLockTranche(NAME.as_ptr(), PARTITIONS as i32);
    }
}

unsafe extern "C-unwind" fn start() {
    // SAFETY: called once the memory exists, in the postmaster at the start and after a crash, where nobody else is there.
    unsafe {
        if let Some(previous) = PREVIOUS_STARTUP {
            previous();
        }
        let mut is_found = false;
        let header = pg_sys::ShmemInitStruct(NAME.as_ptr(), size(), &raw mut is_found).cast::<Header>();
        LOCKS.store(pg_sys::GetNamedLWLockTranche(NAME.as_ptr()), Ordering::Relaxed);
        HEADER.store(header, Ordering::Relaxed);
        if !is_found {
            std::ptr::write_bytes(header.cast::<u8>(), 0, size());
            let per_partition = places_per_partition() as u32;
            (*header).places_per_partition = per_partition;
            for partition in 0..PARTITIONS as u32 {
                let mut view = View { header, partition };
                for index in 0..per_partition {
                    *view.head(index) = NONE;
                    view.place(index).next = if index + 1 < per_partition { index + 1 } else { NONE };
                }
            }
        }
    }
}

/// Whether this server has the memory.
pub fn is_there() -> bool {
    !HEADER.load(Ordering::Relaxed).is_null()
}

/// The counters, where there is memory.
pub fn statistics() -> Option<&'static Statistics> {
    let header = HEADER.load(Ordering::Relaxed);
    // SAFETY: shared memory lives as long as the process, and the counters are atomic.
    (!header.is_null()).then(|| unsafe { &(*header).statistics })
}

/// How sessions reach the launcher, where there is memory.
pub(super) fn launcher() -> Option<&'static Launcher> {
    let header = HEADER.load(Ordering::Relaxed);
    // SAFETY: shared memory lives as long as the process, and the fields are atomic.
    (!header.is_null()).then(|| unsafe { &(*header).launcher })
}

/// How many balances fit.
pub fn balances_max() -> u64 {
    let header = HEADER.load(Ordering::Relaxed);
    if header.is_null() {
        return 0;
    }
    // SAFETY: written once, before any session exists.
    u64::from(unsafe { (*header).places_per_partition }) * PARTITIONS as u64
}

/// A partition whose lock is held, or that nobody else can reach yet.
struct View {
    header: *mut Header,
    partition: u32,
}

impl View {
    fn per_partition(&self) -> u32 {
        // SAFETY: the header exists as long as a view does.
        unsafe { (*self.header).places_per_partition }
    }

    fn partition(&mut self) -> &mut Partition {
        // SAFETY: the lock of the partition is held.
        unsafe { &mut (*self.header).partitions[self.partition as usize] }
    }

    fn head(&mut self, bucket: u32) -> &mut u32 {
        let at = self.partition as usize * self.per_partition() as usize + bucket as usize;
        // SAFETY: within the part of the memory that `size` counts for the heads; the lock is held.
        unsafe { &mut *self.header.cast::<u8>().add(header_size()).cast::<u32>().add(at) }
    }

    fn place(&mut self, index: u32) -> &mut Place {
        let per_partition = self.per_partition() as usize;
        let at = self.partition as usize * per_partition + index as usize;
        let places = header_size() + heads_size(per_partition * PARTITIONS);
        // SAFETY: within the part of the memory that `size` counts for the places, aligned to 16 bytes because the memory
        // itself is to a cache line; the lock is held.
        unsafe { &mut *self.header.cast::<u8>().add(places).cast::<Place>().add(at) }
    }

    fn bucket(&self, key: &Key) -> u32 {
        ((key.hash() / PARTITIONS as u64) % u64::from(self.per_partition())) as u32
    }

    fn find(&mut self, key: &Key) -> Option<u32> {
        let bucket = self.bucket(key);
        let mut index = *self.head(bucket);
        while index != NONE {
            let place = self.place(index);
            if place.key == *key {
                return Some(index);
            }
            index = place.next;
        }
        None
    }

    fn remove(&mut self, index: u32) {
        let key = self.place(index).key;
        let bucket = self.bucket(&key);
        let next = self.place(index).next;
        let mut before = *self.head(bucket);
        if before == index {
            *self.head(bucket) = next;
        } else {
            while self.place(before).next != index {
                before = self.place(before).next;
            }
            self.place(before).next = next;
        }
        let free = self.partition().free;
        let place = self.place(index);
        place.is_used = false;
        place.next = free;
        self.partition().free = index;
    }

    /// Makes room by the clock: what was touched since the hand came by last stays for another round.
    fn evict(&mut self) -> bool {
        for _ in 0..2 * self.per_partition() {
            let hand = self.partition().hand;
            self.partition().hand = (hand + 1) % self.per_partition();
            let place = self.place(hand);
            if place.is_used && place.pins == 0 && place.closed_by == 0 {
                if !place.is_touched {
                    self.remove(hand);
                    return true;
                }
                place.is_touched = false;
            }
        }
        false
    }

    fn insert(&mut self, key: Key, base: Base, is_carry_known: bool) -> Option<u32> {
        if self.partition().free == NONE {
            if !self.evict() {
                return None;
            }
            Statistics::count(&statistics()?.evictions);
        }
        let index = self.partition().free;
        let bucket = self.bucket(&key);
        let head = *self.head(bucket);
        let place = self.place(index);
        let free = place.next;
        *place = Place::new(key, base, is_carry_known, head);
        self.partition().free = free;
        *self.head(bucket) = index;
        Some(index)
    }
}

/// Some partitions, locked.
pub struct Guard {
    header: *mut Header,
    /// Ascending.
    partitions: Vec<u32>,
}

/// Locks the partitions of the keys, in ascending order. None where the server has no memory.
pub fn lock<'a>(keys: impl IntoIterator<Item = &'a Key>) -> Option<Guard> {
    let mut partitions: Vec<u32> = keys.into_iter().map(Key::partition).collect();
    partitions.sort_unstable();
    partitions.dedup();
    lock_partitions(partitions)
}

fn lock_partitions(partitions: Vec<u32>) -> Option<Guard> {
    let header = HEADER.load(Ordering::Relaxed);
    if header.is_null() {
        return None;
    }
    for partition in &partitions {
        acquire(*partition);
    }
    Some(Guard { header, partitions })
}

fn acquire(partition: u32) {
    // SAFETY: one of the locks of our tranche. Interrupts are held off while it is held, and everything between here and its
    // release is plain memory, so no error can leave it locked; PostgreSQL would release it at the abort even then.
    unsafe {
        let lock = LOCKS.load(Ordering::Relaxed).add(partition as usize);
        pg_sys::LWLockAcquire(&raw mut (*lock).lock, pg_sys::LWLockMode::LW_EXCLUSIVE);
    }
}

fn release(partition: u32) {
    // SAFETY: held, see above.
    unsafe {
        let lock = LOCKS.load(Ordering::Relaxed).add(partition as usize);
        pg_sys::LWLockRelease(&raw mut (*lock).lock);
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        for partition in self.partitions.iter().rev() {
            release(*partition);
        }
    }
}

impl Guard {
    fn view(&self, partition: u32) -> View {
        debug_assert!(self.partitions.contains(&partition));
        View { header: self.header, partition }
    }

    pub fn find(&mut self, key: &Key) -> Option<Location> {
        let mut view = self.view(key.partition());
        let index = view.find(key)?;
        view.place(index).is_touched = true;
        Some(Location { partition: view.partition, index })
    }

    pub fn place(&mut self, location: Location) -> Place {
        *self.view(location.partition).place(location.index)
    }

    pub fn change(&mut self, location: Location, change: impl FnOnce(&mut Place)) {
        change(self.view(location.partition).place(location.index));
    }

    /// Adds a balance that is not there; false if there is no room, because too much is in flight.
    pub fn insert(&mut self, key: Key, base: Base, is_carry_known: bool) -> bool {
        self.view(key.partition()).insert(key, base, is_carry_known).is_some()
    }
}

/// Changes a balance that the caller has pinned, and removes it if it is to be read anew and nobody is left on it.
pub fn resolve(location: Location, change: impl FnOnce(&mut Place)) {
    let Some(guard) = lock_partitions(vec![location.partition]) else { return };
    let mut view = guard.view(location.partition);
    let place = view.place(location.index);
    change(place);
    if place.is_stale && place.pins == 0 {
        view.remove(location.index);
    }
}

/// A balance that the caller has pinned.
pub fn look(location: Location) -> Option<Place> {
    lock_partitions(vec![location.partition]).map(|mut guard| guard.place(location))
}

/// Changes every balance of which `change` is true, a partition at a time, and removes those that are stale and free.
pub fn sweep(mut change: impl FnMut(&mut Place)) {
    for partition in 0..PARTITIONS as u32 {
        let Some(guard) = lock_partitions(vec![partition]) else { return };
        let mut view = guard.view(partition);
        for index in 0..view.per_partition() {
            let place = view.place(index);
            if place.is_used {
                change(place);
                if place.is_stale && place.pins == 0 {
                    view.remove(index);
                }
            }
        }
    }
}

/// Has every balance of a ledger read anew, as soon as nothing is in flight on it. Returns how many wait for that.
pub fn forget(ledger: Ledger) -> i64 {
    let mut pinned = 0;
    if let Some(statistics) = statistics() {
        statistics.forgettings.fetch_add(1, Ordering::SeqCst);
    }
    sweep(|place| {
        if ledger.has(&place.key) {
            place.is_stale = true;
            pinned += i64::from(place.pins > 0);
        }
    });
    pinned
}

/// Grows before balances are forgotten: what was read from the tables before that is not put into memory afterwards.
pub fn forgettings() -> u64 {
    statistics().map_or(0, |statistics| statistics.forgettings.load(Ordering::SeqCst))
}

/// For what the size of shared memory is reported with.
pub fn bytes() -> u64 {
    if is_there() { size() as u64 } else { 0 }
}

const _: () = assert!(size_of::<Place>().is_multiple_of(16) && align_of::<Place>() <= 16);
