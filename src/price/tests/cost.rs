use super::*;

#[test]
fn a_request_with_every_kind_of_token() {
    let usage = Counts::from([
        (Bucket::UncachedInput, 1_000),
        (Bucket::CacheRead, 10_000),
        (Bucket::CacheWrite, 100),
        (Bucket::CacheWrite5m, 200),
        (Bucket::CacheWrite1h, 300),
        (Bucket::OutputText, 400),
        (Bucket::Reasoning, 600),
    ]);
    // 3000 + 3000 + 375 + 750 + 1800 + 6000 + 9000 micro-dollars.
    assert_eq!(cost(usage, &price()), Ok(23_925_000));
    assert_eq!(format_nanos(23_925_000), "0.023925");
}

#[test]
fn counters_are_priced_by_the_piece() {
    let price = prices([
        (Bucket::Requests, "0.005"),
        (Bucket::Searches, "0.01"),
        (Bucket::Seconds, "0.0001"),
        (Bucket::Pages, "0.001"),
        (Bucket::Images, "0.04"),
        (Bucket::Characters, "15"),
        (Bucket::Citation, "2"),
    ]);
    assert_eq!(one(Bucket::Requests, &price), Ok(5_000_000));
    assert_eq!(one(Bucket::Searches, &price), Ok(10_000_000));
    assert_eq!(one(Bucket::Seconds, &price), Ok(100_000));
    assert_eq!(one(Bucket::Pages, &price), Ok(1_000_000));
    assert_eq!(one(Bucket::Images, &price), Ok(40_000_000));
    assert_eq!(one(Bucket::Characters, &price), Ok(15_000));
    assert_eq!(one(Bucket::Citation, &price), Ok(2_000));
}

#[test]
fn half_of_a_nano_goes_to_the_even_side() {
    // 0.0005 per million is half a nano-unit per token.
    let price = prices([(Bucket::UncachedInput, "0.0005"), (Bucket::OutputText, "0.000500000001")]);
    let cost =
        |input, output| cost(Counts::from([(Bucket::UncachedInput, input), (Bucket::OutputText, output)]), &price);
    assert_eq!([0, 1, 2, 3, 4, 5, 7].map(|count| cost(count, 0)), [0, 0, 1, 2, 2, 2, 4].map(Ok));
    assert_eq!(cost(0, 1), Ok(1), "just above the half");
    assert_eq!(cost(1, 1), Ok(1), "rounded once: two roundings would make 0 + 1, or 2");
}

#[test]
fn several_models_are_rounded_once() {
    let (half, none) = (prices([(Bucket::UncachedInput, "0.0005")]), Amounts::new());
    let counts = Counts::from([(Bucket::UncachedInput, 3)]);
    let subject = Subject { counts: &counts, meters: &none, price: &half };
    // Each by itself would be 2.
    assert_eq!(bill(&[subject]).and_then(|bill| bill.nanos()), Ok(2));
    assert_eq!(bill(&[subject, subject]).and_then(|bill| bill.nanos()), Ok(3));
    assert_eq!(bill(&[]).and_then(|bill| bill.nanos()), Ok(0));
}

#[test]
fn fallbacks_are_the_documented_ones() {
    let price = prices([
        (Bucket::UncachedInput, "2"),
        (Bucket::CacheWrite, "3"),
        (Bucket::OutputText, "5"),
        (Bucket::Searches, "0.01"),
    ]);
    for (bucket, nanos) in [
        (Bucket::CacheRead, 2_000),
        (Bucket::CacheReadImage, 2_000),
        (Bucket::InputImage, 2_000),
        (Bucket::InputVideo, 2_000),
        (Bucket::ToolPrompt, 2_000),
        (Bucket::CacheWrite5m, 3_000),
        (Bucket::Reasoning, 5_000),
        (Bucket::RejectedPrediction, 5_000),
        (Bucket::SearchesLow, 10_000_000),
        (Bucket::SearchesHigh, 10_000_000),
        // A request as such is no charge.
        (Bucket::Requests, 0),
    ] {
        assert_eq!(one(bucket, &price), Ok(nanos), "{bucket:?}");
    }
    for bucket in [
        Bucket::CacheWrite1h,
        Bucket::InputAudio,
        Bucket::CacheReadAudio,
        Bucket::OutputAudio,
        Bucket::OutputImage,
        Bucket::Citation,
        Bucket::Seconds,
        Bucket::Pages,
        Bucket::Characters,
        Bucket::Images,
    ] {
        assert_eq!(one(bucket, &price), unpriced(bucket.name()), "{bucket:?}");
    }
    let no_search = prices([(Bucket::UncachedInput, "2"), (Bucket::OutputText, "5")]);
    for bucket in [Bucket::Searches, Bucket::SearchesLow, Bucket::SearchesHigh] {
        assert_eq!(one(bucket, &no_search), unpriced(bucket.name()), "{bucket:?}");
    }
}

#[test]
fn cached_audio_and_images_cost_what_cached_text_does_unless_they_are_dearer() {
    let with = |kinds: &[(Bucket, &str)]| {
        let mut price = prices([(Bucket::UncachedInput, "2"), (Bucket::CacheRead, "0.5")]);
        kinds.iter().for_each(|(bucket, text)| price.set(*bucket, Some(unit(*bucket, text))));
        price
    };
    for (cached, uncached, without) in [
        (Bucket::CacheReadAudio, Bucket::InputAudio, unpriced("cache_read_audio")),
        (Bucket::CacheReadImage, Bucket::InputImage, Ok(500)),
    ] {
        assert_eq!(one(cached, &with(&[])), without, "no price of its own at all");
        assert_eq!(one(cached, &with(&[(uncached, "2")])), Ok(500), "as dear as text");
        assert_eq!(one(cached, &with(&[(uncached, "40")])), Ok(40_000), "dearer than text");
        assert_eq!(one(cached, &with(&[(uncached, "40"), (cached, "0.7")])), Ok(700), "its own");
    }
    let audio_only = prices([(Bucket::InputAudio, "6")]);
    assert_eq!(one(Bucket::CacheReadAudio, &audio_only), Ok(6_000));
    assert_eq!(one(Bucket::CacheReadImage, &audio_only), unpriced("cache_read_image"));
}

#[test]
fn nothing_is_free_without_a_price() {
    let none = Price::default();
    assert_eq!(cost(Counts::none(), &none), Ok(0));
    for bucket in Bucket::ALL.into_iter().filter(|bucket| *bucket != Bucket::Requests) {
        assert_eq!(one(bucket, &none), unpriced(bucket.name()));
    }
}

#[test]
fn a_price_of_zero_is_a_price() {
    let free = prices([(Bucket::UncachedInput, "0"), (Bucket::OutputText, "0")]);
    let usage = Counts::from([
        (Bucket::UncachedInput, 5),
        (Bucket::CacheRead, 5),
        (Bucket::OutputText, 5),
        (Bucket::Reasoning, 5),
    ]);
    assert_eq!(cost(usage, &free), Ok(0));
    assert_eq!(hold(5, 5, &free), Ok(0));
}

#[test]
fn an_embedding_needs_no_output_price() {
    let price = prices([(Bucket::UncachedInput, "0.02")]);
    assert_eq!(cost(Counts::from([(Bucket::UncachedInput, 8)]), &price), Ok(160));
    assert_eq!(hold(8, 0, &price), Ok(160));
    assert_eq!(hold(8, 1, &price), unpriced("output"));
}

#[test]
fn a_minimum_charge_is_the_least_of_each_model() {
    let none = Amounts::new();
    let price = Price { minimum_charge: Some(meter_unit("0.00001")), ..prices([(Bucket::UncachedInput, "1")]) };
    let (few, many) = (Counts::from([(Bucket::UncachedInput, 3)]), Counts::from([(Bucket::UncachedInput, 11)]));
    let subject = |counts| Subject { counts, meters: &none, price: &price };
    let nanos = |subjects: &[Subject<'_>]| bill(subjects).and_then(|bill| bill.nanos());
    assert_eq!(nanos(&[subject(&few)]), Ok(10_000));
    assert_eq!(nanos(&[subject(&many)]), Ok(11_000));
    assert_eq!(nanos(&[subject(&few), subject(&many)]), Ok(21_000));
    assert_eq!(nanos(&[subject(&Counts::none())]), Ok(10_000), "also for a request that used nothing");
}

#[test]
fn a_meter_without_a_price_is_named() {
    let mut price = prices([(Bucket::UncachedInput, "1")]);
    price.meters.insert("tool_calls".to_owned(), meter_unit("0.002"));
    let counts = Counts::from([(Bucket::UncachedInput, 1)]);
    let meters = amounts([("gpu_minutes", 1), ("idle_minutes", 0), ("tool_calls", 3)]);
    let bill = bill(&[Subject { counts: &counts, meters: &meters, price: &price }]).expect("a bill");
    assert_eq!(bill.nanos(), Ok(6_001_000));
    assert_eq!(bill.unpriced_meters, ["gpu_minutes"]);
}

#[test]
fn a_counter_that_a_caller_counts_has_the_price_of_its_kind() {
    let price = prices([(Bucket::Searches, "0.01"), (Bucket::Characters, "15")]);
    let meters = amounts([("characters", 2), ("images", 1), ("searches_low", 3)]);
    let subject = Subject { counts: &Counts::none(), meters: &meters, price: &price };
    let bill = bill(&[subject]).expect("a bill");
    assert_eq!(bill.nanos(), Ok(30_000 + 30_000_000));
    assert_eq!(bill.unpriced_meters, ["images"]);
    let lines: Vec<_> = subject.items().expect("lines").into_iter().map(|item| (item.unit_price, item.per)).collect();
    assert_eq!(lines, [("15".to_owned(), MILLION), ("0.01".to_owned(), 1)]);
}

#[test]
fn the_lines_of_a_bill_say_how_it_came_about() {
    let mut price = prices([(Bucket::UncachedInput, "2.50"), (Bucket::Searches, "0.01")]);
    price.meters.insert("tool_calls".to_owned(), meter_unit("0.002"));
    let counts = Counts::from([
        (Bucket::UncachedInput, 4),
        (Bucket::CacheRead, 2),
        (Bucket::Requests, 1),
        (Bucket::SearchesLow, 3),
    ]);
    let meters = amounts([("gpu_minutes", 1), ("tool_calls", 5)]);
    let items = Subject { counts: &counts, meters: &meters, price: &price }.items().expect("lines");
    let lines: Vec<_> = items
        .iter()
        .map(|item| (item.name.as_str(), item.quantity, item.unit_price.as_str(), item.per, item.priced_as.as_str()))
        .collect();
    assert_eq!(
        lines,
        [
            ("uncached_input", 4, "2.5", MILLION, "input"),
            ("cache_read", 2, "2.5", MILLION, "input"),
            ("searches_low", 3, "0.01", 1, "searches"),
            ("tool_calls", 5, "0.002", 1, "tool_calls"),
        ]
    );
    let costs: Vec<_> = items.iter().map(|item| item.cost_atto / 1_000_000_000).collect();
    assert_eq!(costs, [10_000, 5_000, 30_000_000, 10_000_000]);
    let refused = Subject { counts: &Counts::from([(Bucket::OutputText, 1)]), meters: &meters, price: &price };
    assert_eq!(refused.items(), unpriced("output_text"));
}

#[test]
fn negative_counts_are_refused() {
    let priced = price();
    for bucket in Bucket::ALL {
        let negative = Counts::from([(bucket, -1)]);
        assert_eq!(cost(negative, &priced), Err(PriceError::NegativeCount { bucket: bucket.name() }));
    }
}

#[test]
fn the_edge_of_the_range() {
    // One nano-unit per token.
    let price = prices([(Bucket::UncachedInput, "0.001"), (Bucket::OutputText, "0.001")]);
    let spend =
        |input, output| cost(Counts::from([(Bucket::UncachedInput, input), (Bucket::OutputText, output)]), &price);
    assert_eq!(spend(i64::MAX, 0), Ok(i64::MAX));
    assert_eq!(hold(i64::MAX, 0, &price), Ok(i64::MAX));
    assert_eq!(spend(i64::MAX, 1), Err(PriceError::Overflow));
    assert_eq!(hold(i64::MAX, 1, &price), Err(PriceError::Overflow));
    let mut extreme = Price::default();
    extreme.set(Bucket::UncachedInput, UnitPrice::from_atto(i128::MAX).ok());
    assert_eq!(hold(2, 0, &extreme), Err(PriceError::Overflow));
    assert_eq!(one(Bucket::UncachedInput, &extreme), Err(PriceError::Overflow));
}
