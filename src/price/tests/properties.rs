//! Costs, against paper.

use proptest::prelude::*;

use super::sheet::{Used, any_used, bill_of, count, natural, subjects};
use super::*;

proptest! {
    #[test]
    fn cost_is_what_paper_says(used in prop::collection::vec(any_used(), 1..4)) {
        let used: Vec<Used> = used.into_iter().map(Used::payable).collect();
        let exact = used.iter().fold(natural(0), |sum, one| sum.plus(&one.by_hand()));
        let expected = exact.half_even(9).bigint().ok_or(PriceError::Overflow);
        prop_assert_eq!(bill_of(&used).and_then(|bill| bill.nanos()), expected);
    }

    #[test]
    fn what_has_no_price_is_refused_or_named(used in any_used()) {
        let is_unpriced = |bucket: &Bucket| {
            used.counts[*bucket] > 0 && *bucket != Bucket::Requests && used.sheet.effective(*bucket).is_none()
        };
        let unpriced_meters: Vec<String> = used
            .meters.iter().filter(|(name, count)| **count > 0 && used.sheet.meter(name).is_none()).map(|(name, _)| name.clone()).collect();
        match (bill_of(std::slice::from_ref(&used)), Bucket::ALL.into_iter().find(is_unpriced)) {
            (bill, Some(bucket)) => prop_assert_eq!(bill, unpriced(bucket.name())),
            (bill, None) => prop_assert_eq!(bill.unwrap().unpriced_meters, unpriced_meters),
        }
    }

    #[test]
    fn the_lines_make_the_bill(used in any_used()) {
        let used = [used.payable()];
        let prices = [used[0].sheet.price()];
        let items = subjects(&used, &prices)[0].items().unwrap();
        let sum: i128 = items.iter().map(|item| item.cost_atto).sum();
        let minimum = prices[0].minimum_charge.map_or(0, UnitPrice::atto);
        prop_assert_eq!(bill_of(&used).unwrap().cost_atto, sum.max(minimum));
        for item in items {
            let unit = parse_decimal(&item.unit_price, UnitPrice::ATTO_SCALE).unwrap();
            prop_assert_eq!(unit * i128::from(item.quantity), item.cost_atto * i128::from(item.per));
            prop_assert!(item.quantity > 0);
        }
    }

    /// Single tokens of round prices hit ties all the time.
    #[test]
    fn ties_go_to_even(count in 0..100_000_i64, half_nanos in 0..100_000_i64) {
        let mut price = Price::default();
        price.set(Bucket::UncachedInput, UnitPrice::from_atto(i128::from(half_nanos) * 500_000_000).ok());
        let halves = count * half_nanos;
        let expected = halves / 2 + i64::from(halves % 4 == 3);
        prop_assert_eq!(cost(Counts::from([(Bucket::UncachedInput, count)]), &price), Ok(expected));
    }

    #[test]
    fn more_of_anything_never_costs_less(used in any_used(), more in count(), which in 0..Bucket::COUNT) {
        let used = used.payable();
        let mut larger = used.clone();
        larger.counts[Bucket::ALL[which]] += more;
        let larger = larger.payable();
        let nanos = |used: Used| bill_of(&[used]).and_then(|bill| bill.nanos());
        if let (Ok(cost), Ok(more)) = (nanos(used), nanos(larger)) {
            prop_assert!(cost <= more);
        }
    }

    #[test]
    fn extremes_are_answered(used in any_used(), huge in prop::sample::select(vec![0, 1, i64::MAX / 2, i64::MAX])) {
        let mut used = used;
        for bucket in [Bucket::UncachedInput, Bucket::OutputText, Bucket::Searches] {
            used.counts[bucket] = huge;
        }
        used.meters.values_mut().for_each(|count| *count = huge);
        let used = used.payable();
        let expected = used.by_hand().half_even(9).bigint().ok_or(PriceError::Overflow);
        prop_assert_eq!(bill_of(&[used]).and_then(|bill| bill.nanos()), expected);
    }

    #[test]
    fn money_text_and_back(nanos: i64) {
        prop_assert_eq!(nanos_from_decimal(&format_nanos(nanos)), Ok(nanos));
    }
}
