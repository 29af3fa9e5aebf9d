//! What a session keeps until one of the tables that [`crate::invalidation`] watches changes.

use std::borrow::Borrow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::Hash;
use std::rc::Rc;

use crate::invalidation::{self, Topic};
use crate::ledger::Failure;

/// How many tenants a session keeps at most.
const TENANTS_MAX: usize = 1024;

/// Values by tenant, all read under one generation.
pub struct Kept<T> {
    topic: Topic,
    values: RefCell<(u64, HashMap<i32, Rc<T>>)>,
}

impl<T> Kept<T> {
    pub fn new(topic: Topic) -> Self {
        Kept { topic, values: RefCell::default() }
    }

    /// The value of the tenant, from `read` unless a current one is kept.
    pub fn find(&self, tenant_id: i32, read: impl FnOnce() -> Result<T, Failure>) -> Result<Rc<T>, Failure> {
        let present = invalidation::generation(self.topic);
        {
            let kept = self.values.borrow();
            if let Some(value) = kept.1.get(&tenant_id).filter(|_| kept.0 == present) {
                return Ok(Rc::clone(value));
            }
        }
        let generation = invalidation::begin_reading(self.topic);
        let value = Rc::new(read()?);
        if let Some(generation) = generation {
            let mut kept = self.values.borrow_mut();
            if kept.0 != generation || kept.1.len() >= TENANTS_MAX {
                *kept = (generation, HashMap::new());
            }
            kept.1.insert(tenant_id, Rc::clone(&value));
        }
        Ok(value)
    }
}

/// Values of which there may be more than a session should keep: all read under one generation, and those that nobody has
/// asked for in a long time go first.
pub struct Recent<K, V>(RefCell<Ages<K, V>>);

struct Ages<K, V> {
    generation: u64,
    young: HashMap<K, V>,
    /// What was young before as much again had come.
    old: HashMap<K, V>,
}

/// How many values make an age.
const AGE: usize = 4096;

impl<K, V> Default for Recent<K, V> {
    fn default() -> Self {
        Recent(RefCell::new(Ages { generation: 0, young: HashMap::new(), old: HashMap::new() }))
    }
}

impl<K: Eq + Hash, V: Clone> Recent<K, V> {
    /// The value, if it was read under this generation.
    pub fn find<Q: ?Sized + Eq + Hash>(&self, generation: u64, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let mut ages = self.0.borrow_mut();
        if ages.generation != generation {
            return None;
        }
        if let Some(value) = ages.young.get(key) {
            return Some(value.clone());
        }
        let (key, value) = ages.old.remove_entry(key)?;
        ages.add(key, value.clone());
        Some(value)
    }

    pub fn keep(&self, generation: u64, key: K, value: V) {
        let mut ages = self.0.borrow_mut();
        if ages.generation != generation {
            *ages = Ages { generation, young: HashMap::new(), old: HashMap::new() };
        }
        ages.add(key, value);
    }
}

impl<K: Eq + Hash, V> Ages<K, V> {
    fn add(&mut self, key: K, value: V) {
        if self.young.len() >= AGE {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, value);
    }
}
