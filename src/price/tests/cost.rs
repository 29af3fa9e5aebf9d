use super::*;

fn unpriced(bucket: &'static str) -> Result<i64, PriceError> {
    Err(PriceError::Unpriced { bucket })
}

#[test]
fn a_request_with_every_kind_of_token() {
    let usage = Usage {
        uncached_input: 1_000,
        cache_read: 10_000,
        cache_write: 100,
        cache_write_5m: 200,
        cache_write_1h: 300,
        output_text: 400,
        reasoning: 600,
        ..Usage::default()
    };
    // 3000 + 3000 + 375 + 750 + 1800 + 6000 + 9000 micro-dollars.
    assert_eq!(cost_nanos(&usage, &price()), Ok(23_925_000));
    assert_eq!(format_nanos(23_925_000), "0.023925");
}

#[test]
fn half_of_a_nano_goes_to_the_even_side() {
    // 0.0005 per million is half a nano-unit per token.
    let price = Price { input: per_million("0.0005"), output: per_million("0.000500000001"), ..Price::default() };
    let cost =
        |input, output| cost_nanos(&Usage { uncached_input: input, output_text: output, ..Usage::default() }, &price);
    assert_eq!([0, 1, 2, 3, 4, 5, 7].map(|count| cost(count, 0)), [0, 0, 1, 2, 2, 2, 4].map(Ok));
    assert_eq!(cost(0, 1), Ok(1), "just above the half");
    assert_eq!(cost(1, 1), Ok(1), "rounded once: two roundings would make 0 + 1, or 2");
}

#[test]
fn fallbacks_are_the_documented_ones() {
    let price =
        Price { input: per_million("2"), cache_write: per_million("3"), output: per_million("5"), ..Price::default() };
    let one = |set: fn(&mut Usage)| {
        let mut usage = Usage::default();
        set(&mut usage);
        cost_nanos(&usage, &price)
    };
    assert_eq!(one(|usage| usage.cache_read = 1), Ok(2_000));
    assert_eq!(one(|usage| usage.input_image = 1), Ok(2_000));
    assert_eq!(one(|usage| usage.cache_write_5m = 1), Ok(3_000));
    assert_eq!(one(|usage| usage.reasoning = 1), Ok(5_000));
    assert_eq!(one(|usage| usage.cache_write_1h = 1), unpriced("cache_write_1h"));
    assert_eq!(one(|usage| usage.input_audio = 1), unpriced("input_audio"));
    assert_eq!(one(|usage| usage.output_audio = 1), unpriced("output_audio"));
    assert_eq!(one(|usage| usage.output_image = 1), unpriced("output_image"));
    assert_eq!(one(|usage| usage.web_search_requests = 1), unpriced("web_search_requests"));
}

#[test]
fn nothing_is_free_without_a_price() {
    let none = Price::default();
    let one = |set: fn(&mut Usage)| {
        let mut usage = Usage::default();
        set(&mut usage);
        cost_nanos(&usage, &none)
    };
    assert_eq!(one(|_| ()), Ok(0));
    assert_eq!(one(|usage| usage.uncached_input = 1), unpriced("uncached_input"));
    assert_eq!(one(|usage| usage.cache_read = 1), unpriced("cache_read"));
    assert_eq!(one(|usage| usage.cache_write = 1), unpriced("cache_write"));
    assert_eq!(one(|usage| usage.cache_write_5m = 1), unpriced("cache_write_5m"));
    assert_eq!(one(|usage| usage.input_image = 1), unpriced("input_image"));
    assert_eq!(one(|usage| usage.output_text = 1), unpriced("output_text"));
    assert_eq!(one(|usage| usage.reasoning = 1), unpriced("reasoning"));
    assert_eq!(hold_nanos(1, 0, &none), unpriced("input"));
    assert_eq!(hold_nanos(0, 1, &none), unpriced("output"));
    assert_eq!(hold_nanos(0, 0, &none), Ok(0));
}

#[test]
fn a_price_of_zero_is_a_price() {
    let free = Price { input: per_million("0"), output: per_million("0"), ..Price::default() };
    let usage = Usage { uncached_input: 5, cache_read: 5, output_text: 5, reasoning: 5, ..Usage::default() };
    assert_eq!(cost_nanos(&usage, &free), Ok(0));
    assert_eq!(hold_nanos(5, 5, &free), Ok(0));
}

#[test]
fn an_embedding_needs_no_output_price() {
    let price = Price { input: per_million("0.02"), ..Price::default() };
    assert_eq!(cost_nanos(&Usage { uncached_input: 8, ..Usage::default() }, &price), Ok(160));
    assert_eq!(hold_nanos(8, 0, &price), Ok(160));
    assert_eq!(hold_nanos(8, 1, &price), unpriced("output"));
}

#[test]
fn surcharges_are_refused_unless_covered() {
    let usage = Usage { uncached_input: 1, surcharges: vec!["speed:fast".to_owned()], ..Usage::default() };
    let refused = PriceError::Surcharge { surcharge: "speed:fast".to_owned() };
    assert_eq!(cost_nanos(&usage, &price()), Err(refused));
    let covering = Price { covers: vec!["speed:fast".to_owned()], ..price() };
    assert_eq!(cost_nanos(&usage, &covering), Ok(3_000));
}

#[test]
fn above_its_threshold_a_price_does_not_hold() {
    let price = Price { max_input_tokens: Some(200_000), ..price() };
    let usage = |cached| Usage { uncached_input: 100_000, cache_read: cached, output_text: 9, ..Usage::default() };
    let above = PriceError::AboveThreshold { input_tokens: 200_001, max_input_tokens: 200_000 };
    assert!(cost_nanos(&usage(100_000), &price).is_ok());
    assert_eq!(cost_nanos(&usage(100_001), &price), Err(above.clone()), "cached input counts");
    assert!(hold_nanos(200_000, i64::from(u32::MAX), &price).is_ok(), "output does not count");
    assert_eq!(hold_nanos(200_001, 0, &price), Err(above));
}

#[test]
fn a_hold_takes_the_dearest_price_and_rounds_up() {
    let tiny = Price { input: per_million("0.000000000001"), output: per_million("0"), ..Price::default() };
    assert_eq!(hold_nanos(1, 0, &tiny), Ok(1));
    assert_eq!(cost_nanos(&Usage { uncached_input: 1, ..Usage::default() }, &tiny), Ok(0));
    let reasoning = Price { reasoning: per_million("60"), ..price() };
    assert_eq!(hold_nanos(1_000, 100, &reasoning), Ok(3_750_000 + 6_000_000));
    assert_eq!(hold_nanos_with(1_000, 0, &price(), CacheWrites::OneHour), Ok(6_000_000));
    let no_hour = Price { cache_write_1h: None, ..price() };
    assert_eq!(hold_nanos_with(1_000, 0, &no_hour, CacheWrites::OneHour), unpriced("cache_write_1h"));
    assert_eq!(hold_nanos_with(0, 100, &no_hour, CacheWrites::OneHour), Ok(1_500_000));
}

#[test]
fn negative_counts_are_refused() {
    let usage = Usage { uncached_input: -1, ..Usage::default() };
    assert_eq!(cost_nanos(&usage, &price()), Err(PriceError::NegativeCount { bucket: "uncached_input" }));
    assert_eq!(hold_nanos(-1, 0, &price()), Err(PriceError::NegativeCount { bucket: "input" }));
    assert_eq!(hold_nanos(0, -1, &price()), Err(PriceError::NegativeCount { bucket: "output" }));
}

#[test]
fn the_edge_of_the_range() {
    // One nano-unit per token.
    let price = Price { input: per_million("0.001"), output: per_million("0.001"), ..Price::default() };
    let cost =
        |input, output| cost_nanos(&Usage { uncached_input: input, output_text: output, ..Usage::default() }, &price);
    assert_eq!(cost(i64::MAX, 0), Ok(i64::MAX));
    assert_eq!(hold_nanos(i64::MAX, 0, &price), Ok(i64::MAX));
    assert_eq!(cost(i64::MAX, 1), Err(PriceError::Overflow));
    assert_eq!(hold_nanos(i64::MAX, 1, &price), Err(PriceError::Overflow));
    let extreme = Price { input: PerMillion::from_pico(i128::MAX).ok(), ..Price::default() };
    assert_eq!(hold_nanos(2, 0, &extreme), Err(PriceError::Overflow));
    assert_eq!(cost_nanos(&Usage { uncached_input: 1, ..Usage::default() }, &extreme), Err(PriceError::Overflow));
}

#[test]
fn prices_and_money_are_exact_text() {
    assert_eq!(PerMillion::from_decimal("2.50").map(PerMillion::pico), Ok(2_500_000_000_000));
    assert_eq!(PerMillion::from_decimal("-0.01"), Err(PriceError::NegativePrice));
    let too_precise = PriceError::Decimal(DecimalError::TooPrecise { scale: 12 });
    assert_eq!(PerMillion::from_decimal("0.0000000000001"), Err(too_precise));
    assert_eq!(PerMillion::from_decimal("NaN"), Err(PriceError::Decimal(DecimalError::Syntax)));
    assert_eq!(nanos_from_decimal("-9223372036.854775808"), Ok(i64::MIN));
    assert_eq!(nanos_from_decimal("9223372036.854775807"), Ok(i64::MAX));
    assert_eq!(nanos_from_decimal("9223372036.854775808"), Err(PriceError::Decimal(DecimalError::Overflow)));
    let too_precise = PriceError::Decimal(DecimalError::TooPrecise { scale: 9 });
    assert_eq!(nanos_from_decimal("0.0000000001"), Err(too_precise));
    assert_eq!(nanos_from_decimal("Infinity"), Err(PriceError::Decimal(DecimalError::Syntax)));
    assert_eq!(format_nanos(i64::MIN), "-9223372036.854775808");
}
