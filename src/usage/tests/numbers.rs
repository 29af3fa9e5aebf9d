use super::*;

fn prompt(number: &str) -> Value {
    text(&format!(r#"{{"prompt_tokens": {number}, "completion_tokens": 0}}"#))
}

#[test]
fn whole_numbers_in_any_spelling() {
    for (spelling, count) in [
        ("0", 0),
        ("-0", 0),
        ("-0.0e7", 0),
        ("0e999999999999999999999", 0),
        ("25", 25),
        ("25.0", 25),
        ("25.000000000000000000000000000000000000000000", 25),
        ("1e3", 1000),
        ("1E+3", 1000),
        ("2.5e1", 25),
        ("2500e-2", 25),
        ("9007199254740993", 9_007_199_254_740_993),
        ("9223372036854775807", i64::MAX),
        ("9223372036854775807.0", i64::MAX),
    ] {
        assert_eq!(parse(&prompt(spelling)).map(|usage| usage[Bucket::UncachedInput]), Ok(count), "{spelling}");
    }
}

#[test]
fn other_numbers_are_refused() {
    for (spelling, reason) in [
        ("-1", Reason::Negative),
        ("-0.5", Reason::Negative),
        ("-1e400", Reason::Negative),
        ("25.5", Reason::Fractional),
        ("0.1", Reason::Fractional),
        ("1e-400", Reason::Fractional),
        ("9223372036854775807.5", Reason::Fractional),
        ("9223372036854775808", Reason::TooLarge),
        ("1e19", Reason::TooLarge),
        ("1E400", Reason::TooLarge),
        ("1e99999999999999999999999999", Reason::TooLarge),
    ] {
        refused(&prompt(spelling), "$.prompt_tokens", reason);
    }
}

/// A number of many digits comes out of `jsonb`, which writes no exponents.
#[test]
fn a_number_of_many_digits_takes_no_time() {
    let long = format!("1{}", "0".repeat(130_000));
    refused(&prompt(&long), "$.prompt_tokens", Reason::TooLarge);
    let precise = format!("1.{}1", "0".repeat(16_000));
    refused(&prompt(&precise), "$.prompt_tokens", Reason::Fractional);
}

#[test]
fn what_is_no_number_is_refused() {
    for (value, found) in [
        (json!("25"), "a string"),
        (json!("NaN"), "a string"),
        (json!(true), "a boolean"),
        (json!([25]), "an array"),
        (json!({}), "an object"),
    ] {
        let usage = json!({"usage": {"prompt_tokens": 1, "completion_tokens": value}});
        refused(&usage, "$.usage.completion_tokens", Reason::NotANumber(found));
    }
}

#[test]
fn every_count_is_checked_where_it_stands() {
    let deep = json!({"prompt_tokens": 1, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": -1}});
    refused(&deep, "$.prompt_tokens_details.cached_tokens", Reason::Negative);
    let total = json!({"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2.5});
    refused(&total, "$.total_tokens", Reason::Fractional);
    let life = json!({"input_tokens": 1, "output_tokens": 1, "cache_creation": {"ephemeral_1h_input_tokens": "1"}});
    refused(&life, "$.cache_creation.ephemeral_1h_input_tokens", Reason::NotANumber("a string"));
    let step = json!({"input_tokens": 1, "output_tokens": 1, "iterations": [
        {"type": "message"}, {"type": "compaction", "input_tokens": 1.5, "output_tokens": 1},
    ]});
    refused(&step, "$.iterations[1].input_tokens", Reason::Fractional);
}

#[test]
fn sums_are_checked() {
    let huge = json!({"input_tokens": i64::MAX, "output_tokens": 0, "cache_read_input_tokens": 1});
    let usage = parse(&huge).expect("each count fits");
    assert_eq!(usage.input_tokens().map_err(|error| error.reason), Err(Reason::TooLarge));
    assert_eq!(usage.total_tokens().map_err(|error| error.reason), Err(Reason::TooLarge));
    assert_eq!(usage.output_tokens(), Ok(0));
    let steps = json!({"input_tokens": i64::MAX, "output_tokens": 0, "iterations": [
        {"type": "compaction", "input_tokens": 1, "output_tokens": 0},
    ]});
    assert_eq!(error(&steps).reason, Reason::TooLarge);
}

#[test]
fn an_error_names_place_and_reason_but_not_the_value() {
    let error = error(&prompt(&format!("1{}", "0".repeat(5000))));
    assert_eq!(error.to_string(), "usage at $.prompt_tokens: count is out of range for bigint");
}

#[test]
fn a_second_begun_counts_whole() {
    let seconds = |spelling: &str| {
        let usage = text(&format!(r#"{{"type": "duration", "seconds": {spelling}}}"#));
        parse(&usage).map(|usage| usage[Bucket::Seconds])
    };
    for (spelling, count) in [
        ("0", 0),
        ("0.0", 0),
        ("1e-400", 1),
        ("0.001", 1),
        ("8", 8),
        ("8.0", 8),
        ("8.47", 9),
        ("8.999999999999999999999", 9),
        ("847e-2", 9),
        ("9223372036854775806.5", i64::MAX),
    ] {
        assert_eq!(seconds(spelling), Ok(count), "{spelling}");
    }
    for (spelling, reason) in
        [("-0.5", Reason::Negative), ("9223372036854775807.5", Reason::TooLarge), ("1e99", Reason::TooLarge)]
    {
        assert_eq!(seconds(spelling).map_err(|error| error.reason), Err(reason), "{spelling}");
    }
}

#[test]
fn a_stated_cost_is_rounded_from_its_own_text() {
    let cost = |spelling: &str| {
        let usage = format!(r#"{{"prompt_tokens": 1, "completion_tokens": 1, "cost": {spelling}}}"#);
        parse(&text(&usage)).map(|usage| usage.stated.cost_nanos)
    };
    for (spelling, nanos) in [
        ("null", None),
        ("0", Some(0)),
        ("0.25", Some(250_000_000)),
        ("1.5e-7", Some(150)),
        ("0.0000000005", Some(0)),
        ("0.0000000015", Some(2)),
        ("0.0000000025", Some(2)),
        ("0.00000000250000000000000000001", Some(3)),
        ("1e-400", Some(0)),
        ("9223372036.854775807", Some(i64::MAX)),
        ("0.1000000000000000055511151231257827", Some(100_000_000)),
    ] {
        assert_eq!(cost(spelling), Ok(nanos), "{spelling}");
    }
    for (spelling, reason) in [
        ("-0.01", Reason::Negative),
        ("9223372036.854775808", Reason::TooLarge),
        ("1e400", Reason::TooLarge),
        (r#""0.01""#, Reason::NotANumber("a string")),
        ("[0.01]", Reason::NotANumber("an array")),
    ] {
        let error = cost(spelling).map_err(|error| (error.path, error.reason));
        assert_eq!(error, Err(("$.cost".to_owned(), reason)), "{spelling}");
    }
}
