use serde_json::Value;

use crate::price::UnitPrice;
use crate::price::import::number::{FACTOR_SCALE, For, count, factor, is_something, price, scaled};
use crate::usage::MILLION;

fn value(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

/// A price of one token in atto-units.
fn token(text: &str) -> Result<i128, String> {
    price(&value(text), For::One, MILLION).map(UnitPrice::atto)
}

#[test]
fn a_price_of_a_token_is_exact_and_float_noise_is_rounded() {
    assert_eq!(token("2.5e-06"), Ok(2_500_000_000_000));
    assert_eq!(token("3.0000000000000004e-07"), Ok(300_000_000_000));
    assert_eq!(token("0"), Ok(0));
    assert_eq!(token("0.0000000000000000005e1"), Ok(5));
    // Half to even at the last place, both ways.
    assert_eq!(token("1.5e-18"), Ok(2));
    assert_eq!(token("2.5e-18"), Ok(2));
    assert_eq!(token("2.50000000000000000001e-18"), Ok(3));
    assert_eq!(token("2.4999e-18"), Ok(2));
    assert_eq!(token("9.9999999999999999999e-07"), Ok(1_000_000_000_000));
    assert_eq!(token("1"), Ok(10_i128.pow(18)));
}

#[test]
fn no_price_becomes_zero_negative_or_too_dear() {
    for wrong in ["1e-19", "5e-19", "1e-99999999999999999999", "-1e-6", "-1e-30", "1.000001", "1e30", "1e999"] {
        assert!(token(wrong).is_err(), "{wrong}");
    }
    assert_eq!(token("\"2.5e-06\""), Err("expected a number, found a string".to_owned()));
    assert_eq!(token("[]"), Err("expected a number, found a list".to_owned()));
    assert_eq!(token("true"), Err("expected a number, found a boolean".to_owned()));
}

#[test]
fn a_price_of_many_becomes_one_of_one() {
    let atto = |text: &str, per, unit_per| price(&value(text), per, unit_per).map(UnitPrice::atto);
    assert_eq!(atto("2.5", For::Million, MILLION), Ok(2_500_000_000_000));
    assert_eq!(atto("10", For::Thousand, 1), Ok(10_000_000_000_000_000));
    assert_eq!(atto("0.036", For::Hour, 1), Ok(10_000_000_000_000));
    // 0.111 / 3600 = 0.0000308333…, to the twelfth place.
    assert_eq!(atto("0.111", For::Hour, 1), Ok(30_833_333_000_000));
    // A price of one thing has twelve places in the book.
    assert_eq!(atto("8.33333333333e-05", For::One, 1), Ok(83_333_333_000_000));
    assert!(atto("1e-9", For::Hour, 1).is_err());
    assert!(atto("1000001", For::One, 1).is_err());
    assert_eq!(atto("1000000", For::One, 1), Ok(10_i128.pow(24)));
}

#[test]
fn factors_and_counts() {
    let two = factor(&value("1.1")).expect("factor");
    assert_eq!(two, 11 * 10_i128.pow(FACTOR_SCALE - 1));
    let price = UnitPrice::from_atto(15).expect("price");
    // 16.5 and 27.5 half to even.
    assert_eq!(scaled(price, two).map(UnitPrice::atto), Ok(16));
    assert_eq!(scaled(UnitPrice::from_atto(25).expect("price"), two).map(UnitPrice::atto), Ok(28));
    for wrong in ["0", "-1.1", "101", "\"1.1\"", "null", "1e-20"] {
        assert!(factor(&value(wrong)).is_err(), "{wrong}");
    }
    assert_eq!(count(&value("256000.0")), Ok(256_000));
    for wrong in ["1.5", "-1", "\"8192\"", "1e30"] {
        assert!(count(&value(wrong)).is_err(), "{wrong}");
    }
    assert!(is_something(&value("[{\"a\": 1e-30}]")) && !is_something(&value("[{\"a\": 0.0}, null]")));
}
