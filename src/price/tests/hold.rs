use super::*;

#[test]
fn nothing_is_held_for_free_without_a_price() {
    let none = Price::default();
    assert_eq!(hold(1, 0, &none), unpriced("input"));
    assert_eq!(hold(0, 1, &none), unpriced("output"));
    assert_eq!(hold(0, 0, &none), Ok(0));
    // What a request uses is never cached input or reasoning alone.
    let no_base = prices([(Bucket::CacheRead, "1"), (Bucket::Reasoning, "1")]);
    assert_eq!(hold(1, 0, &no_base), unpriced("input"));
    assert_eq!(hold(0, 1, &no_base), unpriced("output"));
}

#[test]
fn a_hold_takes_the_dearest_price_and_rounds_up() {
    let tiny = prices([(Bucket::UncachedInput, "0.000000000001"), (Bucket::OutputText, "0")]);
    assert_eq!(hold(1, 0, &tiny), Ok(1));
    assert_eq!(one(Bucket::UncachedInput, &tiny), Ok(0));
    let mut reasoning = price();
    reasoning.set(Bucket::Reasoning, Some(unit(Bucket::Reasoning, "60")));
    assert_eq!(hold(1_000, 100, &reasoning), Ok(3_750_000 + 6_000_000));
}

#[test]
fn a_hold_counts_on_writes_for_an_hour_only_when_told() {
    let with_hour =
        |input, output, price: &Price| hold_nanos_with(input, output, &Amounts::new(), price, CacheWrites::OneHour);
    assert_eq!(with_hour(1_000, 0, &price()), Ok(6_000_000));
    assert_eq!(hold(1_000, 0, &price()), Ok(3_750_000));
    let mut no_hour = price();
    no_hour.set(Bucket::CacheWrite1h, None);
    assert_eq!(with_hour(1_000, 0, &no_hour), unpriced("cache_write_1h"));
    assert_eq!(with_hour(0, 100, &no_hour), Ok(1_500_000));
}

#[test]
fn a_hold_takes_every_kind_of_input_and_output_into_account() {
    let base = [(Bucket::UncachedInput, "1"), (Bucket::OutputText, "1")];
    for dear in Bucket::INPUT.into_iter().filter(|bucket| *bucket != Bucket::CacheWrite1h) {
        let mut price = prices(base);
        price.set(dear, Some(unit(dear, "7")));
        assert_eq!(hold(1, 0, &price), Ok(7_000), "{dear:?}");
    }
    for dear in Bucket::OUTPUT {
        let mut price = prices(base);
        price.set(dear, Some(unit(dear, "7")));
        assert_eq!(hold(0, 1, &price), Ok(7_000), "{dear:?}");
    }
}

#[test]
fn a_hold_pays_for_the_request_and_the_meters() {
    let mut price = prices([(Bucket::Requests, "0.005"), (Bucket::Searches, "0.01"), (Bucket::Pages, "0.001")]);
    price.meters.insert("tool_calls".to_owned(), meter_unit("0.002"));
    let hold = |meters| hold_nanos(0, 0, &meters, &price);
    assert_eq!(hold(amounts([])), Ok(5_000_000));
    assert_eq!(hold(amounts([("searches", 2), ("tool_calls", 3)])), Ok(31_000_000));
    assert_eq!(hold(amounts([("searches_high", 1)])), Ok(15_000_000), "at the price of any search");
    assert_eq!(hold(amounts([("gpu_minutes", 9)])), Ok(5_000_000), "a meter that has no price");
    assert_eq!(hold(amounts([("images", 1)])), Ok(5_000_000), "also one that is a kind of its own");
}

#[test]
fn a_hold_is_no_less_than_the_minimum_charge() {
    let price = Price {
        minimum_charge: Some(meter_unit("0.00001")),
        ..prices([(Bucket::UncachedInput, "1"), (Bucket::OutputText, "1")])
    };
    assert_eq!(hold(0, 0, &price), Ok(10_000));
    assert_eq!(hold(4, 5, &price), Ok(10_000));
    assert_eq!(hold(5, 6, &price), Ok(11_000));
}

#[test]
fn a_hold_of_negative_counts_is_refused() {
    assert_eq!(hold(-1, 0, &price()), Err(PriceError::NegativeCount { bucket: "input" }));
    assert_eq!(hold(0, -1, &price()), Err(PriceError::NegativeCount { bucket: "output" }));
}
