//! How sessions reach the launcher of the background workers.

use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};

use crate::engine::escrow::memory;

/// Where sessions leave what they want of it; in shared memory.
#[repr(C)]
pub struct Launcher {
    process: AtomicI32,
    /// Databases in which somebody waits for a worker; 0 for a free place.
    wanted: [AtomicU32; 16],
}

/// Notes that this process is the launcher.
pub fn register(process: i32) {
    if let Some(launcher) = memory::launcher() {
        launcher.process.store(process, Ordering::Relaxed);
    }
}

/// Asks for a worker in a database. Returns the process of the launcher, where there is one and it can be asked.
pub fn want_worker(database: u32) -> Option<i32> {
    let launcher = memory::launcher()?;
    let process = launcher.process.load(Ordering::Relaxed);
    let place = |wanted: &AtomicU32| {
        wanted.load(Ordering::Relaxed) == database
            || wanted.compare_exchange(0, database, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    };
    (process != 0 && launcher.wanted.iter().any(place)).then_some(process)
}

/// The databases in which somebody waits for a worker, once.
pub fn take_wanted() -> Vec<u32> {
    let Some(launcher) = memory::launcher() else { return Vec::new() };
    launcher.wanted.iter().map(|wanted| wanted.swap(0, Ordering::AcqRel)).filter(|database| *database != 0).collect()
}
