//! The price book as the ledger looks into it. A session keeps what it has found until the book changes.

mod load;
mod refuse;
mod target;

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use pgrx::spi::SpiClient;

use crate::invalidation::{self, Topic};
use crate::ledger::Failure;
use crate::price::{Chosen, PriceError, Request, Version, choose, provider};

pub use refuse::{refuse, shortened};

/// What a session keeps at most; names come from outside.
const LISTINGS_MAX: usize = 4096;
/// A longer name is not kept: no model has one, and a pattern may match anything.
const NAME_BYTES_MAX: usize = 256;

/// A model with all its prices and what else is known of it.
pub struct Listing {
    pub provider: String,
    pub model: String,
    /// The place that the name asked for names, and the listing's own does not.
    pub region: Option<String>,
    pub facts: Facts,
    /// Versions by origin, those that win first.
    origins: Vec<Vec<Version>>,
}

/// What the catalogue knows of a model.
#[derive(Default)]
pub struct Facts {
    pub operation: Option<String>,
    pub encoding: Option<String>,
    pub is_estimate: bool,
    pub max_output_tokens: Option<i64>,
}

impl Listing {
    /// The version that a request gets: of the first origin that has one for the instant at all.
    pub fn choose(&self, request: Request<'_>) -> Result<Chosen<'_>, PriceError> {
        for versions in &self.origins {
            match choose(versions, request) {
                Err(PriceError::NotYet) => {}
                chosen => return chosen,
            }
        }
        Err(PriceError::NotYet)
    }
}

#[derive(Default)]
struct Kept {
    generation: u64,
    models: HashMap<(String, String), Rc<Listing>>,
    meters: HashMap<(String, String), Option<Rc<Listing>>>,
}

thread_local! {
    static KEPT: RefCell<Kept> = RefCell::default();
}

/// What is kept, emptied first if the book has changed since.
fn with_kept<T>(generation: u64, use_kept: impl FnOnce(&mut Kept) -> T) -> T {
    KEPT.with_borrow_mut(|kept| {
        if kept.generation != generation || kept.models.len() + kept.meters.len() > LISTINGS_MAX {
            *kept = Kept { generation, ..Kept::default() };
        }
        use_kept(kept)
    })
}

/// The listing that a name means; its documentation of the rules is at [`crate::price::candidates`]. Refused when no model of
/// that name has a price in the currency, or several providers sell it and none is the one meant without a name.
pub fn find(client: &mut SpiClient<'_>, model: &str, currency: &str) -> Result<Rc<Listing>, Failure> {
    let key = (model.to_string(), currency.to_string());
    if let Some(listing) = with_kept(invalidation::generation(Topic::Book), |kept| kept.models.get(&key).cloned()) {
        return Ok(listing);
    }
    let generation = invalidation::begin_reading(Topic::Book);
    let target = target::find(client, model, currency)?;
    let listing = Rc::new(load::listing(client, target, currency)?);
    if let Some(generation) = generation.filter(|_| model.len() <= NAME_BYTES_MAX) {
        with_kept(generation, |kept| kept.models.insert(key, Rc::clone(&listing)));
    }
    Ok(listing)
}

/// The price of a meter whatever the model; none if it has no price.
pub fn find_meter(client: &mut SpiClient<'_>, meter: &str, currency: &str) -> Result<Option<Rc<Listing>>, Failure> {
    let key = (meter.to_string(), currency.to_string());
    if let Some(listing) = with_kept(invalidation::generation(Topic::Book), |kept| kept.meters.get(&key).cloned()) {
        return Ok(listing);
    }
    let generation = invalidation::begin_reading(Topic::Book);
    let target = target::Target { provider: provider::METER.into(), model: meter.into(), region: None };
    let listing = load::listing(client, target, currency)?;
    let listing = (!listing.origins.is_empty()).then(|| Rc::new(listing));
    if let Some(generation) = generation {
        with_kept(generation, |kept| kept.meters.insert(key, listing.clone()));
    }
    Ok(listing)
}
