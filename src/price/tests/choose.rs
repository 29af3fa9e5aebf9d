use super::*;
use crate::instant::Instant;

const NOW: Instant = Instant(1_000);

fn version(price_id: i64, region: &str, service_tier: &str, above_input_tokens: i64) -> Version {
    Version {
        price_id,
        region: region.to_owned(),
        service_tier: service_tier.to_owned(),
        above_input_tokens,
        valid_from: Instant(0),
        valid_until: None,
        price: price(),
    }
}

fn covering(version: Version, surcharge: &str) -> Version {
    Version { price: Price { covers: vec![surcharge.to_owned()], ..version.price }, ..version }
}

const PLAIN: Request<'static> =
    Request { at: NOW, region: None, is_region_a_guess: false, service_tier: None, input_tokens: 1_000 };

/// The id of the chosen version, whether it is the standard one for the tier, and the general one for the region.
fn chosen(versions: &[Version], request: Request<'_>) -> Result<(i64, bool, bool), PriceError> {
    choose(versions, request)
        .map(|chosen| (chosen.version.price_id, chosen.is_standard_for_tier, chosen.is_general_for_region))
}

fn surcharge<T>(surcharge: &str) -> Result<T, PriceError> {
    Err(PriceError::Surcharge { surcharge: surcharge.to_owned() })
}

#[test]
fn a_version_holds_from_its_beginning_to_just_before_its_end() {
    let first = Version { valid_until: Some(Instant(20)), valid_from: Instant(10), ..version(1, "any", "standard", 0) };
    let second = Version { valid_from: Instant(20), ..version(2, "any", "standard", 0) };
    let versions = [second, first.clone()];
    let at = |versions: &[Version], at| chosen(versions, Request { at: Instant(at), ..PLAIN }).map(|(id, ..)| id);
    assert_eq!(at(&versions, 9), Err(PriceError::NotYet));
    assert_eq!([10, 19, 20, i64::MAX].map(|instant| at(&versions, instant)), [1, 1, 2, 2].map(Ok));
    assert_eq!(at(&[first], 20), Err(PriceError::NotYet));
    assert_eq!(at(&[], 10), Err(PriceError::NotYet));
}

#[test]
fn what_is_not_valid_is_no_choice() {
    let over = Version { valid_until: Some(NOW), ..version(2, "us", "batch", 200) };
    let later = Version { valid_from: Instant(1_001), ..version(3, "us", "batch", 500) };
    let versions = [version(1, "any", "standard", 0), over, later];
    let request = Request { region: Some("us"), is_region_a_guess: true, service_tier: Some("batch"), ..PLAIN };
    assert_eq!(chosen(&versions, request), Ok((1, true, true)));
}

#[test]
fn the_place_comes_before_the_tier_and_the_tier_before_the_length() {
    let versions = [
        version(1, "any", "standard", 0),
        version(2, "any", "batch", 0),
        version(3, "any", "standard", 500),
        version(4, "us", "standard", 0),
        version(5, "us", "standard", 500),
        version(6, "eu", "batch", 0),
        version(7, "eu", "standard", 500),
    ];
    let choose =
        |region, tier, input_tokens| chosen(&versions, Request { region, service_tier: tier, input_tokens, ..PLAIN });
    assert_eq!(choose(None, None, 100), Ok((1, false, false)));
    assert_eq!(choose(None, None, 501), Ok((3, false, false)));
    assert_eq!(choose(None, Some("batch"), 501), Ok((2, false, false)), "no threshold in this tier");
    assert_eq!(choose(Some("us"), None, 100), Ok((4, false, false)));
    assert_eq!(choose(Some("us"), None, 501), Ok((5, false, false)));
    assert_eq!(choose(Some("us"), Some("batch"), 501), Ok((5, true, false)), "the place before the tier");
    assert_eq!(choose(Some("eu"), Some("batch"), 501), Ok((6, false, false)), "the tier before the length");
    assert_eq!(choose(Some("eu"), None, 501), Ok((7, false, false)));
    // The place has no price for a short request, so it is as if it had none.
    assert_eq!(choose(Some("eu"), None, 500), surcharge("region:eu"));
    assert_eq!(choose(Some("any"), None, 100), Ok((1, false, false)), "any place is no place");
}

#[test]
fn a_cheaper_tier_without_a_price_gets_the_standard_one() {
    let versions = [version(1, "any", "standard", 0), version(2, "any", "standard", 500)];
    for tier in ["flex", "batch", "scale", "provisioned"] {
        let request = Request { service_tier: Some(tier), ..PLAIN };
        assert_eq!(chosen(&versions, request), Ok((2, true, false)), "{tier}");
    }
    assert_eq!(chosen(&versions, Request { service_tier: Some("standard"), ..PLAIN }), Ok((2, false, false)));
}

#[test]
fn any_other_tier_without_a_price_is_refused_unless_covered() {
    for tier in ["priority", "fast", "platinum", "Batch", ""] {
        let request = Request { service_tier: Some(tier), ..PLAIN };
        let name = format!("service_tier:{tier}");
        assert_eq!(chosen(&[version(1, "any", "standard", 0)], request), surcharge(&name));
        let own = [version(1, "any", "standard", 0), version(2, "any", tier, 0)];
        assert_eq!(chosen(&own, request), Ok((2, false, false)), "{tier}");
        let covered = [covering(version(1, "any", "standard", 0), &name)];
        assert_eq!(chosen(&covered, request), Ok((1, true, false)), "{tier}");
        let other = [covering(version(1, "any", "standard", 0), "service_tier:other")];
        assert_eq!(chosen(&other, request), surcharge(&name));
    }
}

#[test]
fn a_price_covers_for_its_own_length_only() {
    let long = covering(version(2, "any", "standard", 500), "service_tier:priority");
    let versions = [version(1, "any", "standard", 0), long];
    let at = |input_tokens| chosen(&versions, Request { service_tier: Some("priority"), input_tokens, ..PLAIN });
    assert_eq!(at(501), Ok((2, true, false)));
    assert_eq!(at(500), surcharge("service_tier:priority"));
}

#[test]
fn a_place_that_a_response_names_is_refused_without_a_price_unless_covered() {
    let stated = Request { region: Some("us"), ..PLAIN };
    assert_eq!(chosen(&[version(1, "any", "standard", 0)], stated), surcharge("region:us"));
    assert_eq!(
        chosen(&[version(1, "any", "standard", 0), version(2, "eu", "standard", 0)], stated),
        surcharge("region:us")
    );
    let covered = [covering(version(1, "any", "standard", 0), "region:us")];
    assert_eq!(chosen(&covered, stated), Ok((1, false, true)));
    assert_eq!(chosen(&covered, Request { region: Some("eu"), ..PLAIN }), surcharge("region:eu"));
    assert_eq!(chosen(&[version(1, "us", "standard", 0)], stated), Ok((1, false, false)));
}

#[test]
fn a_place_that_a_name_hints_at_falls_back_to_the_general_price() {
    let guess = Request { region: Some("us"), is_region_a_guess: true, ..PLAIN };
    let general = version(1, "any", "standard", 0);
    assert_eq!(chosen(std::slice::from_ref(&general), guess), Ok((1, false, true)));
    assert_eq!(chosen(&[general.clone(), version(2, "us", "standard", 0)], guess), Ok((2, false, false)));
    // The guess excuses the place, not the tier.
    let priority = Request { service_tier: Some("priority"), ..guess };
    assert_eq!(chosen(&[general], priority), surcharge("service_tier:priority"));
}

#[test]
fn a_model_with_prices_elsewhere_only_is_refused() {
    let versions = [version(1, "us", "standard", 0)];
    assert!(matches!(chosen(&versions, PLAIN), Err(PriceError::Surcharge { .. })));
    assert_eq!(chosen(&versions, Request { region: Some("eu"), ..PLAIN }), surcharge("region:eu"));
    let guess = Request { region: Some("eu"), is_region_a_guess: true, ..PLAIN };
    assert_eq!(chosen(&versions, guess), surcharge("region:eu"));
}

#[test]
fn the_largest_threshold_below_the_input_is_taken() {
    let versions = [
        version(3, "any", "standard", 256_000),
        version(1, "any", "standard", 0),
        version(2, "any", "standard", 128_000),
    ];
    let at = |input_tokens| chosen(&versions, Request { input_tokens, ..PLAIN }).map(|(id, ..)| id);
    assert_eq!([0, 1, 127_999, 128_000].map(at), [1, 1, 1, 1].map(Ok), "exactly at the threshold the lower one");
    assert_eq!([128_001, 256_000].map(at), [2, 2].map(Ok));
    assert_eq!([256_001, i64::MAX].map(at), [3, 3].map(Ok));
}

#[test]
fn above_its_bound_a_price_does_not_hold() {
    let bounded = |id, above, max_input_tokens| {
        let version = version(id, "any", "standard", above);
        Version { price: Price { max_input_tokens: Some(max_input_tokens), ..version.price }, ..version }
    };
    let at =
        |versions: &[Version], input_tokens| chosen(versions, Request { input_tokens, ..PLAIN }).map(|(id, ..)| id);
    let refused = |input_tokens, max_input_tokens| Err(PriceError::AboveThreshold { input_tokens, max_input_tokens });
    let one = [bounded(1, 0, 200_000)];
    assert_eq!(at(&one, 200_000), Ok(1));
    assert_eq!(at(&one, 200_001), refused(200_001, 200_000));
    let two = [bounded(1, 0, 200_000), bounded(2, 200_000, 1_000_000)];
    assert_eq!(at(&two, 200_001), Ok(2));
    assert_eq!(at(&two, 1_000_001), refused(1_000_001, 1_000_000));
}
