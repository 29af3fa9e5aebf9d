//! Which of a model's prices a request gets.

use super::{Price, PriceError};
use crate::instant::Instant;
use crate::usage::STANDARD;

/// The region of a price that holds wherever no other price of the model does.
pub const ANY_REGION: &str = "any";

/// One row of the price book.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// Id that entries name.
    pub price_id: i64,
    /// Where the price holds, or [`ANY_REGION`].
    pub region: String,
    /// Tier for which it holds.
    pub service_tier: String,
    /// It holds for requests of more input tokens than this.
    pub above_input_tokens: i64,
    /// First instant at which it holds.
    pub valid_from: Instant,
    /// First instant at which it no longer holds.
    pub valid_until: Option<Instant>,
    /// The prices.
    pub price: Price,
}

/// The circumstances of a request.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// When it was made.
    pub at: Instant,
    /// Where it was processed.
    pub region: Option<&'a str>,
    /// Whether the place is no more than a part of the name that was asked for, so that the general price will do.
    pub is_region_a_guess: bool,
    /// Tier; none is the standard one.
    pub service_tier: Option<&'a str>,
    /// All its input tokens.
    pub input_tokens: i64,
}

/// A version, and how it fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chosen<'a> {
    /// The version.
    pub version: &'a Version,
    /// The tier has no price of its own and costs no more than the standard one, whose price was taken.
    pub is_standard_for_tier: bool,
    /// The place has no price of its own, and the general one was taken.
    pub is_general_for_region: bool,
}

/// Tiers that cost no more than the standard one: half price for waiting, or paid beforehand.
const CHEAPER_TIERS: [&str; 4] = ["flex", "batch", "scale", "provisioned"];

/// Chooses among all versions of one model.
///
/// The place comes first, then the tier, then the length: a request longer than a threshold is repriced as a whole. A tier
/// without a price of its own gets the standard price if it costs no more, and is refused otherwise, unless the standard
/// price covers `service_tier:…`; a place that a response names likewise, unless the price covers `region:…`.
///
/// # Errors
/// [`PriceError::NotYet`] if none is valid at the instant, [`PriceError::Surcharge`] for a tier or a place without a price,
/// [`PriceError::AboveThreshold`] for a request longer than the price holds for.
pub fn choose<'a>(versions: &'a [Version], request: Request<'_>) -> Result<Chosen<'a>, PriceError> {
    let is_valid =
        |version: &&Version| version.valid_from <= request.at && version.valid_until.is_none_or(|end| request.at < end);
    let valid = || versions.iter().filter(is_valid);
    if valid().next().is_none() {
        return Err(PriceError::NotYet);
    }
    let wanted_tier = request.service_tier.unwrap_or(STANDARD);
    let find = |region: &str, tier: &str| {
        valid()
            .filter(|version| version.region == region && version.service_tier == tier)
            .filter(|version| version.above_input_tokens == 0 || version.above_input_tokens < request.input_tokens)
            .max_by_key(|version| version.above_input_tokens)
    };
    let in_region = |region: &str| {
        let own = find(region, wanted_tier).map(|version| (version, false));
        own.or_else(|| find(region, STANDARD).map(|version| (version, true)))
    };
    let own_region = request.region.filter(|region| *region != ANY_REGION).and_then(in_region);
    let is_general_for_region = own_region.is_none() && request.region.is_some_and(|region| region != ANY_REGION);
    let (version, is_standard_for_tier) =
        own_region.or_else(|| in_region(ANY_REGION)).ok_or_else(|| PriceError::Surcharge {
            surcharge: match request.region {
                Some(region) => format!("region:{region}"),
                None => format!("service_tier:{wanted_tier}"),
            },
        })?;
    let refuse_unless_covered = |surcharge: String| {
        if version.price.covers.contains(&surcharge) { Ok(()) } else { Err(PriceError::Surcharge { surcharge }) }
    };
    if is_standard_for_tier && !CHEAPER_TIERS.contains(&wanted_tier) {
        refuse_unless_covered(format!("service_tier:{wanted_tier}"))?;
    }
    if is_general_for_region && !request.is_region_a_guess {
        refuse_unless_covered(format!("region:{}", request.region.unwrap_or_default()))?;
    }
    match version.price.max_input_tokens {
        Some(max_input_tokens) if request.input_tokens > max_input_tokens => {
            Err(PriceError::AboveThreshold { input_tokens: request.input_tokens, max_input_tokens })
        }
        _ => Ok(Chosen { version, is_standard_for_tier, is_general_for_region }),
    }
}
