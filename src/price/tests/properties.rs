use proptest::prelude::*;

use super::oracle::Natural;
use super::*;

fn natural(value: impl ToString) -> Natural {
    Natural::new(&value.to_string())
}

fn unit(pico: i64) -> Option<PerMillion> {
    Some(PerMillion::from_pico(i128::from(pico)).expect("not negative"))
}

/// Prices up to 1000 per million in all their digits, and round ones, in which ties occur.
fn pico() -> impl Strategy<Value = i64> {
    prop_oneof![0..1_000_000_000_000_000_i64, (0..2_000_i64).prop_map(|price| price * 500_000_000), 0..5_i64]
}

fn count() -> impl Strategy<Value = i64> {
    prop_oneof![0..10_i64, 0..10_000_000_i64, 0..1_000_000_000_000_i64]
}

prop_compose! {
    fn any_price()(
        input in pico(), output in pico(), others in prop::collection::vec(prop::option::of(pico()), 9),
    ) -> Price {
        let other = |index: usize| others[index].and_then(unit);
        Price {
            currency: "USD".to_owned(),
            input: unit(input),
            cache_read: other(0),
            cache_write: other(1),
            cache_write_5m: other(2),
            cache_write_1h: other(3),
            input_audio: other(4),
            input_image: other(5),
            output: unit(output),
            reasoning: other(6),
            output_audio: other(7),
            output_image: other(8),
            ..Price::default()
        }
    }
}

prop_compose! {
    fn any_usage()(counts in prop::collection::vec(count(), 11)) -> Usage {
        Usage {
            uncached_input: counts[0],
            cache_read: counts[1],
            cache_write: counts[2],
            cache_write_5m: counts[3],
            cache_write_1h: counts[4],
            input_audio: counts[5],
            input_image: counts[6],
            output_text: counts[7],
            reasoning: counts[8],
            output_audio: counts[9],
            output_image: counts[10],
            ..Usage::default()
        }
    }
}

/// Sets every bucket to zero that the price cannot pay.
fn payable(usage: Usage, price: &Price) -> Usage {
    let keep = |count: i64, prices: &[Option<PerMillion>]| {
        if prices.iter().any(Option::is_some) { count } else { 0 }
    };
    Usage {
        cache_write: keep(usage.cache_write, &[price.cache_write]),
        cache_write_5m: keep(usage.cache_write_5m, &[price.cache_write_5m, price.cache_write]),
        cache_write_1h: keep(usage.cache_write_1h, &[price.cache_write_1h]),
        input_audio: keep(usage.input_audio, &[price.input_audio]),
        output_audio: keep(usage.output_audio, &[price.output_audio]),
        output_image: keep(usage.output_image, &[price.output_image]),
        ..usage
    }
}

/// The exact cost in 1e-18, by hand.
fn by_hand(usage: &Usage, price: &Price) -> Natural {
    let pay = |count: i64, prices: &[Option<PerMillion>]| {
        let price = prices.iter().find_map(|price| *price).map_or(0, PerMillion::pico);
        natural(count).times(&natural(price))
    };
    [
        pay(usage.uncached_input, &[price.input]),
        pay(usage.cache_read, &[price.cache_read, price.input]),
        pay(usage.cache_write, &[price.cache_write]),
        pay(usage.cache_write_5m, &[price.cache_write_5m, price.cache_write]),
        pay(usage.cache_write_1h, &[price.cache_write_1h]),
        pay(usage.input_audio, &[price.input_audio]),
        pay(usage.input_image, &[price.input_image, price.input]),
        pay(usage.output_text, &[price.output]),
        pay(usage.reasoning, &[price.reasoning, price.output]),
        pay(usage.output_audio, &[price.output_audio]),
        pay(usage.output_image, &[price.output_image]),
    ]
    .iter()
    .fold(natural(0), |sum, part| sum.plus(part))
}

proptest! {
    #[test]
    fn cost_is_what_paper_says(usage in any_usage(), price in any_price()) {
        let usage = payable(usage, &price);
        let expected = by_hand(&usage, &price).half_even(9).bigint().ok_or(PriceError::Overflow);
        prop_assert_eq!(cost_nanos(&usage, &price), expected);
    }

    /// Single tokens of round prices hit ties all the time.
    #[test]
    fn ties_go_to_even(count in 0..100_000_i64, half_nanos in 0..100_000_i64) {
        let price = Price { input: unit(half_nanos * 500_000_000), ..Price::default() };
        let usage = Usage { uncached_input: count, ..Usage::default() };
        let halves = count * half_nanos;
        let expected = halves / 2 + i64::from(halves % 4 == 3);
        prop_assert_eq!(cost_nanos(&usage, &price), Ok(expected));
    }

    #[test]
    fn more_tokens_never_cost_less(usage in any_usage(), price in any_price(), more in count(), which in 0..8_usize) {
        let usage = payable(usage, &price);
        let mut larger = usage.clone();
        *[
            &mut larger.uncached_input, &mut larger.cache_read, &mut larger.cache_write, &mut larger.cache_write_5m,
            &mut larger.cache_write_1h, &mut larger.input_image, &mut larger.output_text, &mut larger.reasoning,
        ][which] += more;
        let larger = payable(larger, &price);
        if let (Ok(cost), Ok(more)) = (cost_nanos(&usage, &price), cost_nanos(&larger, &price)) {
            prop_assert!(cost <= more);
        }
    }

    /// Whatever happens within the reserved counts, the hold pays for it.
    #[test]
    fn a_hold_covers_every_usage_within_it(usage in any_usage(), price in any_price(), spare_in in count(), spare_out in count()) {
        let all = payable(usage, &price);
        let usage = Usage { cache_write_1h: 0, ..all.clone() };
        let input = usage.input_tokens().unwrap() + spare_in;
        let output = usage.output_tokens().unwrap() + spare_out;
        if let Ok(hold) = hold_nanos(input, output, &price) {
            prop_assert!(cost_nanos(&usage, &price).unwrap() <= hold);
        }
        let input = all.input_tokens().unwrap() + spare_in;
        if let Ok(hold) = hold_nanos_with(input, output, &price, CacheWrites::OneHour) {
            prop_assert!(cost_nanos(&all, &price).unwrap() <= hold);
        }
    }

    #[test]
    fn a_hold_is_what_paper_says(input in count(), output in count(), price in any_price()) {
        let dearest = |prices: &[Option<PerMillion>]| prices.iter().flatten().map(|price| price.pico()).max().unwrap_or(0);
        let input_price = dearest(&[
            price.input, price.cache_read, price.cache_write, price.cache_write_5m, price.input_audio, price.input_image,
        ]);
        let output_price = dearest(&[price.output, price.reasoning, price.output_audio, price.output_image]);
        let exact = natural(input).times(&natural(input_price)).plus(&natural(output).times(&natural(output_price)));
        let expected = exact.up(9).bigint().ok_or(PriceError::Overflow);
        prop_assert_eq!(hold_nanos(input, output, &price), expected);
    }

    #[test]
    fn extremes_are_answered(usage in any_usage(), huge in prop::sample::select(vec![0, 1, i64::MAX / 2, i64::MAX]), price in any_price()) {
        let usage = Usage { uncached_input: huge, output_text: huge, ..payable(usage, &price) };
        let expected = by_hand(&usage, &price).half_even(9).bigint();
        match cost_nanos(&usage, &price) {
            Ok(cost) => prop_assert_eq!(Some(cost), expected),
            Err(PriceError::Usage(_)) => prop_assert!(usage.input_tokens().is_err()),
            Err(error) => prop_assert_eq!((error, expected), (PriceError::Overflow, None)),
        }
    }

    #[test]
    fn money_text_and_back(nanos: i64) {
        prop_assert_eq!(nanos_from_decimal(&format_nanos(nanos)), Ok(nanos));
    }

    #[test]
    fn any_name_is_answered(model in ".{0,60}") {
        let names = candidates(&model);
        prop_assert_eq!(names.is_empty(), model.is_empty());
        prop_assert!(names.len() <= 6);
        prop_assert!(names.iter().all(|candidate| !candidate.name.is_empty()));
        prop_assert!(names.first().is_none_or(|first| first.name == model));
    }
}
