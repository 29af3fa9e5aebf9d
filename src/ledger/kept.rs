//! What a session keeps of each tenant until one of the tables that [`crate::invalidation`] watches changes.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use crate::invalidation;
use crate::ledger::Failure;

/// How many tenants a session keeps at most.
const TENANTS_MAX: usize = 1024;

/// Values by tenant, all read under one generation.
pub struct Kept<T>(RefCell<(u64, HashMap<i32, Rc<T>>)>);

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Kept(RefCell::default())
    }
}

impl<T> Kept<T> {
    /// The value of the tenant, from `read` unless a current one is kept.
    pub fn find(&self, tenant_id: i32, read: impl FnOnce() -> Result<T, Failure>) -> Result<Rc<T>, Failure> {
        let present = invalidation::generation();
        {
            let kept = self.0.borrow();
            if let Some(value) = kept.1.get(&tenant_id).filter(|_| kept.0 == present) {
                return Ok(Rc::clone(value));
            }
        }
        let generation = invalidation::begin_reading();
        let value = Rc::new(read()?);
        if let Some(generation) = generation {
            let mut kept = self.0.borrow_mut();
            if kept.0 != generation || kept.1.len() >= TENANTS_MAX {
                *kept = (generation, HashMap::new());
            }
            kept.1.insert(tenant_id, Rc::clone(&value));
        }
        Ok(value)
    }
}
