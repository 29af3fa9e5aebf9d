use proptest::prelude::*;

use crate::usage::decimal::{DecimalError, format_decimal, parse_decimal};

#[test]
fn exact_text() {
    for (text, scale, value) in [
        ("0", 0, 0),
        ("-0", 9, 0),
        ("000", 2, 0),
        ("1", 0, 1),
        ("+1", 3, 1000),
        ("-1.5", 1, -15),
        ("1.500000000000000000000", 1, 15),
        ("0.000000001", 9, 1),
        ("2.5e-06", 12, 2_500_000),
        ("25e1", 0, 250),
        ("100e-2", 0, 1),
        ("00012", 1, 120),
        ("0e-999999999999999999999999", 0, 0),
        ("170141183460469231731687303715884105727", 0, i128::MAX),
        ("-170141183460469231731687303715884105728", 0, i128::MIN),
        ("-17014118346046923173168730371588410572.8", 1, i128::MIN),
    ] {
        assert_eq!(parse_decimal(text, scale), Ok(value), "{text}");
    }
}

#[test]
fn what_is_no_decimal() {
    for text in [
        "",
        " ",
        "+",
        "-",
        ".",
        "1.",
        ".5",
        "1e",
        "1e+",
        "e1",
        "1.5.2",
        "1e1e1",
        "--1",
        "+-1",
        " 1",
        "1 ",
        "1_000",
        "0x1",
        "NaN",
        "nan",
        "Infinity",
        "-Infinity",
        "inf",
        "١",
        "1,5",
        "1e1.5",
        "1e 1",
        "é",
    ] {
        assert_eq!(parse_decimal(text, 9), Err(DecimalError::Syntax), "{text:?}");
    }
}

#[test]
fn what_does_not_fit() {
    for text in ["0.0000000001", "1.0000000001", "1e-10", "1e-99999999999999999999", "-0.12345678901"] {
        assert_eq!(parse_decimal(text, 9), Err(DecimalError::TooPrecise { scale: 9 }), "{text}");
    }
    for (text, scale) in [
        ("170141183460469231731687303715884105728", 0),
        ("-170141183460469231731687303715884105729", 0),
        ("170141183460469231731687303715884105727", 1),
        ("1e38", 1),
        ("1e39", 0),
        ("1e99999999999999999999", 0),
        ("1", 39),
    ] {
        assert_eq!(parse_decimal(text, scale), Err(DecimalError::Overflow), "{text}");
    }
}

#[test]
fn format_edges() {
    for (value, scale, text) in [
        (0, 9, "0"),
        (1, 9, "0.000000001"),
        (-1, 9, "-0.000000001"),
        (1_500_000_000, 9, "1.5"),
        (1_000, 0, "1000"),
        (i128::MIN, 9, "-170141183460469231731687303715.884105728"),
        (i128::from(i64::MIN), 9, "-9223372036.854775808"),
    ] {
        assert_eq!(format_decimal(value, scale), text);
    }
}

proptest! {
    #[test]
    fn text_and_back(value: i128, scale in 0_u32..=38) {
        let text = format_decimal(value, scale);
        prop_assert_eq!(parse_decimal(&text, scale), Ok(value));
        // Trailing zeros, as numeric prints them, change nothing.
        let padded = if text.contains('.') { format!("{text}000") } else { format!("{text}.000") };
        prop_assert_eq!(parse_decimal(&padded, scale), Ok(value));
        let exponent = format!("{value}e-{scale}");
        prop_assert_eq!(parse_decimal(&exponent, scale), Ok(value));
    }

    #[test]
    fn any_text_is_answered(text in ".{0,40}", scale in 0_u32..100) {
        let _ = parse_decimal(&text, scale);
    }

    #[test]
    fn any_numeric_text_is_answered(text in "[-+]?[0-9]{0,50}(\\.[0-9]{0,50})?([eE][-+]?[0-9]{0,25})?", scale in 0_u32..100) {
        let _ = parse_decimal(&text, scale);
    }
}
