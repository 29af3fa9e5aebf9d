use proptest::prelude::*;

use crate::usage::decimal::{DecimalError, Rounding, format_decimal, parse_decimal, round_decimal};

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
fn rounding() {
    for (text, scale, half_even, up) in [
        ("0", 0, 0, 0),
        ("1.5", 1, 15, 15),
        ("0.5", 0, 0, 1),
        ("1.5", 0, 2, 2),
        ("2.5", 0, 2, 3),
        ("2.51", 0, 3, 3),
        ("2.4999", 0, 2, 3),
        ("-2.5", 0, -2, -3),
        ("-0.1", 0, 0, -1),
        ("0.05", 0, 0, 1),
        ("0.09", 1, 1, 1),
        ("95e-1", 0, 10, 10),
        ("5e-1", 0, 0, 1),
        ("5e-2", 0, 0, 1),
        ("1e-99999999999999999999", 9, 0, 1),
        ("1e3", 0, 1000, 1000),
    ] {
        assert_eq!(round_decimal(text, scale, Rounding::HalfEven), Ok(half_even), "{text}");
        assert_eq!(round_decimal(text, scale, Rounding::Up), Ok(up), "{text}");
    }
    let limit = "170141183460469231731687303715884105727.5";
    assert_eq!(round_decimal(limit, 0, Rounding::Up), Err(DecimalError::Overflow));
    assert_eq!(round_decimal("1e40", 0, Rounding::Up), Err(DecimalError::Overflow));
    assert_eq!(round_decimal("NaN", 0, Rounding::Up), Err(DecimalError::Syntax));
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

    /// The nearest multiple, found by integers alone.
    #[test]
    fn rounding_is_to_the_nearest(value in -1_000_000_i128..1_000_000, cut in 1_u32..6) {
        let unit = 10_i128.pow(cut);
        let (floor, rest) = (value.div_euclid(unit), value.rem_euclid(unit));
        let nearest = match (rest * 2).cmp(&unit) {
            std::cmp::Ordering::Less => floor,
            std::cmp::Ordering::Greater => floor + 1,
            std::cmp::Ordering::Equal => floor + floor.rem_euclid(2),
        };
        let text = format!("{value}e-{cut}");
        prop_assert_eq!(round_decimal(&text, 0, Rounding::HalfEven), Ok(nearest));
        let up = if rest == 0 || value < 0 { floor } else { floor + 1 };
        prop_assert_eq!(round_decimal(&text, 0, Rounding::Up), Ok(up));
    }

    #[test]
    fn any_text_is_answered(text in ".{0,40}", scale in 0_u32..100) {
        let _ = parse_decimal(&text, scale);
        let _ = round_decimal(&text, scale, Rounding::HalfEven);
    }

    #[test]
    fn any_numeric_text_is_answered(text in "[-+]?[0-9]{0,50}(\\.[0-9]{0,50})?([eE][-+]?[0-9]{0,25})?", scale in 0_u32..100) {
        let _ = parse_decimal(&text, scale);
    }
}
