use super::*;

fn rate(factor: &str, fixed: Price) -> Rate {
    Rate::new(factor, fixed).expect("test rate")
}

fn atto(nanos: i128) -> i128 {
    nanos * 1_000_000_000
}

#[test]
fn a_factor_is_a_decimal_of_six_places() {
    assert!(Rate::new("1.000001", Price::default()).is_ok());
    assert!(Rate::new("0", Price::default()).is_ok());
    assert_eq!(Rate::new("-0.1", Price::default()), Err(PriceError::NegativePrice));
    let too_precise = PriceError::Decimal(DecimalError::TooPrecise { scale: 6 });
    assert_eq!(Rate::new("1.0000001", Price::default()), Err(too_precise));
    assert_eq!(Rate::new("NaN", Price::default()), Err(PriceError::Decimal(DecimalError::Syntax)));
}

#[test]
fn it_is_rounded_once_half_to_even() {
    let tenth_more = rate("1.1", Price::default());
    assert_eq!([0, 5, 10, 15, 25].map(|nanos| tenth_more.apply_nanos(atto(nanos), &[])), [0, 6, 11, 16, 28].map(Ok));
    // 0.4 nano-units are nothing by themselves, and 4.4 after a factor of eleven.
    assert_eq!(rate("11", Price::default()).apply_nanos(400_000_000, &[]), Ok(4));
    assert_eq!(rate("0", Price::default()).apply_nanos(atto(7), &[]), Ok(0));
}

#[test]
fn fixed_prices_come_on_top_and_have_no_fallbacks() {
    let mut fixed = prices([(Bucket::UncachedInput, "1"), (Bucket::Requests, "0.000001")]);
    fixed.meters.insert("tool_calls".to_owned(), meter_unit("0.00001"));
    let rate = rate("2", fixed);
    let price = Price::default();
    let counts = Counts::from([(Bucket::UncachedInput, 3), (Bucket::CacheRead, 5), (Bucket::Requests, 1)]);
    let meters = amounts([("gpu_minutes", 4), ("tool_calls", 2)]);
    let subject = Subject { counts: &counts, meters: &meters, price: &price };
    // Twice the cost, three tokens of input, the request and two calls.
    assert_eq!(rate.apply_nanos(atto(100), &[subject]), Ok(200 + 3_000 + 1_000 + 20_000));
    assert_eq!(rate.apply_nanos(atto(100), &[subject, subject]), Ok(200 + 2 * 24_000), "for each model");
    assert_eq!(rate.bound_nanos(100, 8, 0, &meters), Ok(200 + 8_000 + 1_000 + 20_000));
}

#[test]
fn a_bound_takes_the_dearest_of_each_side_and_rounds_up() {
    let rate = rate(
        "0.000001",
        prices([
            (Bucket::CacheWrite1h, "7"),
            (Bucket::CacheRead, "1"),
            (Bucket::OutputAudio, "9"),
            (Bucket::Pages, "0.001"),
        ]),
    );
    assert_eq!(rate.bound_nanos(0, 2, 3, &amounts([("pages", 1)])), Ok(14_000 + 27_000 + 1_000_000));
    assert_eq!(rate.bound_nanos(1, 0, 0, &amounts([])), Ok(1));
}

#[test]
fn what_leaves_the_range_is_refused() {
    let rate = rate("1000000", prices([(Bucket::UncachedInput, "1000000")]));
    assert_eq!(rate.apply_nanos(i128::MAX, &[]), Err(PriceError::Overflow));
    assert_eq!(rate.apply_nanos(atto(i128::from(i64::MAX)), &[]), Err(PriceError::Overflow));
    assert_eq!(rate.bound_nanos(i64::MAX, 0, 0, &amounts([])), Err(PriceError::Overflow));
    assert_eq!(rate.bound_nanos(0, i64::MAX, 0, &amounts([])), Err(PriceError::Overflow));
}
