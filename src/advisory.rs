//! Advisory locks of the extension's own: PostgreSQL's locks, so waits can be cancelled, deadlocks are found, and the end of
//! the transaction releases them. They never meet those that users take.

use pgrx::pg_sys;

/// What a lock is on. The numbers stand where those of users have 1 or 2.
#[derive(Clone, Copy)]
#[repr(u16)]
pub enum Kind {
    /// A mark that is being told of.
    Alert = 0x7461,
    /// A budget whose balances are read into memory, closed or decided from the tables.
    Budget = 0x7462,
}

/// A lock that can be taken.
#[derive(Clone, Copy)]
pub struct Lock(pg_sys::LOCKTAG);

impl Lock {
    /// Two things that share a number only wait for each other where they need not.
    pub fn on(kind: Kind, number: u64) -> Lock {
        Lock(pg_sys::LOCKTAG {
            // SAFETY: a plain variable of the process.
            locktag_field1: unsafe { pg_sys::MyDatabaseId }.to_u32(),
            locktag_field2: (number >> 32) as u32,
            locktag_field3: number as u32,
            locktag_field4: kind as u16,
            locktag_type: pg_sys::LockTagType::LOCKTAG_ADVISORY as u8,
            locktag_lockmethodid: pg_sys::USER_LOCKMETHOD as u8,
        })
    }

    fn take(&self, is_waited_for: bool) -> bool {
        let mode = pg_sys::ExclusiveLock as i32;
        // SAFETY: within a transaction; an error on the way leaves nothing behind.
        let result = unsafe { pg_sys::LockAcquire(&raw const self.0, mode, false, !is_waited_for) };
        result != pg_sys::LockAcquireResult::LOCKACQUIRE_NOT_AVAIL
    }

    /// Takes it for this transaction, waiting if need be.
    pub fn acquire(&self) {
        self.take(true);
    }

    /// Takes it for this transaction if that needs no waiting, and says whether it has.
    pub fn try_acquire(&self) -> bool {
        self.take(false)
    }

    /// Gives it back before the transaction ends, once for each time that it was taken.
    pub fn release(&self) {
        // SAFETY: held by this transaction.
        unsafe { pg_sys::LockRelease(&raw const self.0, pg_sys::ExclusiveLock as i32, false) };
    }
}
