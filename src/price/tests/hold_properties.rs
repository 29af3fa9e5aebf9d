//! Holds, against paper and against what they are for.

use proptest::prelude::*;

use super::oracle::Natural;
use super::sheet::{
    COUNTERS, HELD_INPUT, HELD_OUTPUT, METERS, Sheet, Used, any_sheet, any_used, bill_of, count, natural,
};
use super::*;

/// The counters and meters of a usage as a caller announces them, with something to spare.
fn announced(used: &Used, spare: i64) -> Amounts {
    let counters = COUNTERS.into_iter().map(|bucket| (bucket.name().to_owned(), used.counts[bucket]));
    let meters = used.meters.iter().map(|(name, count)| (name.clone(), *count));
    // A kind that is not used may have no price.
    counters.chain(meters).filter(|(_, count)| *count > 0).map(|(name, count)| (name, count + spare)).collect()
}

/// The hold by hand, or what refuses it.
fn by_hand(
    input: i64,
    output: i64,
    meters: &Amounts,
    sheet: &Sheet,
    cache_writes: CacheWrites,
) -> Result<i64, PriceError> {
    let stated = |bucket: &Bucket| sheet.stated(*bucket);
    let mut input_units: Vec<Natural> = HELD_INPUT.iter().filter_map(stated).collect();
    if input > 0 && cache_writes == CacheWrites::OneHour {
        input_units.push(stated(&Bucket::CacheWrite1h).ok_or(PriceError::Unpriced { bucket: "cache_write_1h" })?);
    }
    if input > 0 && stated(&Bucket::UncachedInput).is_none() {
        return unpriced("input");
    }
    if output > 0 && stated(&Bucket::OutputText).is_none() {
        return unpriced("output");
    }
    let output_units: Vec<Natural> = HELD_OUTPUT.iter().filter_map(stated).collect();
    let dearest = |units: Vec<Natural>| units.iter().fold(natural(0), |one, other| one.max(other));
    let mut exact = natural(input).times(&dearest(input_units)).plus(&natural(output).times(&dearest(output_units)));
    if let Some(request) = stated(&Bucket::Requests) {
        exact = exact.plus(&request);
    }
    for bucket in COUNTERS {
        let count = meters.get(bucket.name()).copied().unwrap_or(0);
        exact = exact.plus(&natural(count).times(&sheet.effective(bucket).unwrap_or(natural(0))));
    }
    for name in METERS {
        let count = meters.get(name).copied().unwrap_or(0);
        exact = exact.plus(&natural(count).times(&sheet.meter(name).unwrap_or(natural(0))));
    }
    exact.max(&sheet.minimum()).up(9).bigint().ok_or(PriceError::Overflow)
}

proptest! {
    /// Whatever happens within what is reserved, the hold pays for it.
    #[test]
    fn a_hold_covers_every_usage_within_it(used in any_used(), spare_in in count(), spare_out in count(), spare in count()) {
        for cache_writes in [CacheWrites::Standard, CacheWrites::OneHour] {
            let used = used.clone().holdable(cache_writes);
            let input = used.counts.sum(&Bucket::INPUT).unwrap() + spare_in;
            let output = used.counts.sum(&Bucket::OUTPUT).unwrap() + spare_out;
            let meters = announced(&used, spare);
            if let Ok(hold) = hold_nanos_with(input, output, &meters, &used.sheet.price(), cache_writes) {
                let bill = bill_of(&[used]).unwrap();
                prop_assert!(bill.nanos().unwrap() <= hold);
                prop_assert!(bill.cost_atto <= i128::from(hold) * 1_000_000_000, "also before it is rounded");
            }
        }
    }

    #[test]
    fn a_hold_is_what_paper_says(
        input in count(), output in count(), used in any_used(), sheet in any_sheet(),
    ) {
        let meters = announced(&used, 0);
        let price = sheet.price();
        for cache_writes in [CacheWrites::Standard, CacheWrites::OneHour] {
            let hold = hold_nanos_with(input, output, &meters, &price, cache_writes);
            prop_assert_eq!(hold, by_hand(input, output, &meters, &sheet, cache_writes));
        }
        let standard = hold_nanos_with(input, output, &meters, &price, CacheWrites::Standard);
        prop_assert_eq!(hold_nanos(input, output, &meters, &price), standard);
    }
}
