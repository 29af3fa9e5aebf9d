//! Internal rates, against paper and against what their bounds are for.

use proptest::prelude::*;

use super::sheet::{COUNTERS, Sheet, Used, any_sheet, any_used, bill_of, count, natural, subjects};
use super::*;

/// Factors in millionths: markups, discounts, and round ones, in which ties occur.
fn factor() -> impl Strategy<Value = i64> {
    prop_oneof![
        0..3_000_000_i64,
        (0..20_i64).prop_map(|halves| halves * 500_000),
        0..1_000_000_000_000_i64,
        Just(1_000_000)
    ]
}

fn rate(factor: i64, fixed: &Sheet) -> Rate {
    Rate::new(&format!("{}.{:06}", factor / 1_000_000, factor % 1_000_000), fixed.price()).expect("test rate")
}

proptest! {
    #[test]
    fn an_internal_cost_is_what_paper_says(
        used in prop::collection::vec(any_used(), 1..4), factor in factor(), fixed in any_sheet(),
    ) {
        let used: Vec<Used> = used.into_iter().map(Used::payable).collect();
        let prices: Vec<Price> = used.iter().map(|used| used.sheet.price()).collect();
        let internal = rate(factor, &fixed).apply_nanos(bill_of(&used).unwrap().cost_atto, &subjects(&used, &prices));
        let exact = used.iter().fold(natural(0), |sum, one| {
            let fixed = one.lines_by_hand(|bucket| fixed.stated(bucket), &fixed);
            sum.plus(&one.by_hand().times(&natural(factor))).plus(&fixed.times(&natural(1_000_000)))
        });
        prop_assert_eq!(internal, exact.half_even(15).bigint().ok_or(PriceError::Overflow));
    }

    /// What is held against an internal budget pays for whatever happens within what is reserved.
    #[test]
    fn a_bound_covers_every_usage_within_it(
        used in any_used(), factor in factor(), fixed in any_sheet(),
        spare_in in count(), spare_out in count(), spare in count(),
    ) {
        for cache_writes in [CacheWrites::Standard, CacheWrites::OneHour] {
            let used = [used.clone().holdable(cache_writes)];
            let prices = [used[0].sheet.price()];
            let input = used[0].counts.sum(&Bucket::INPUT).unwrap() + spare_in;
            let output = used[0].counts.sum(&Bucket::OUTPUT).unwrap() + spare_out;
            let counters = COUNTERS.into_iter().map(|bucket| (bucket.name().to_owned(), used[0].counts[bucket]));
            let meters = used[0].meters.iter().map(|(name, count)| (name.clone(), *count));
            let announced: Amounts =
                counters.chain(meters).filter(|(_, count)| *count > 0).map(|(name, count)| (name, count + spare)).collect();
            let rate = rate(factor, &fixed);
            let hold = hold_nanos_with(input, output, &announced, &prices[0], cache_writes);
            let bound = hold.and_then(|hold| rate.bound_nanos(hold, input, output, &announced));
            if let Ok(bound) = bound {
                let internal = rate.apply_nanos(bill_of(&used).unwrap().cost_atto, &subjects(&used, &prices));
                prop_assert!(internal.unwrap() <= bound);
            }
        }
    }
}
