use proptest::prelude::*;
use serde_json::{Value, json};

use super::sheet::{Sheet, any_sheet};
use super::*;

fn read(text: &str) -> Result<Price, PriceError> {
    Price::from_unit_prices(&serde_json::from_str(text).expect("JSON"))
}

/// The name and the reason of a refusal.
fn refusal(text: &str) -> (String, String) {
    match read(text) {
        Err(PriceError::UnitPrice { name, why }) => (name, why),
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn tokens_are_by_the_million_and_the_rest_by_the_piece() {
    let price =
        read(r#"{"input": 2.5, "output": 10, "characters": 15, "searches": 0.01, "tool_calls": 0.002}"#).unwrap();
    assert_eq!(price.stated(Bucket::UncachedInput).map(UnitPrice::atto), Some(2_500_000_000_000));
    assert_eq!(price.stated(Bucket::OutputText).map(UnitPrice::atto), Some(10_000_000_000_000));
    assert_eq!(price.stated(Bucket::Characters).map(UnitPrice::atto), Some(15_000_000_000_000));
    assert_eq!(price.stated(Bucket::Searches).map(UnitPrice::atto), Some(10_000_000_000_000_000));
    assert_eq!(price.meters.get("tool_calls").map(|price| price.atto()), Some(2_000_000_000_000_000));
    assert_eq!(price.stated(Bucket::CacheRead), None);
    assert_eq!((price.minimum_charge, price.max_input_tokens, price.covers), (None, None, Vec::new()));
}

#[test]
fn every_bucket_has_a_unit_price() {
    for bucket in Bucket::ALL {
        let price = Price::from_unit_prices(&json!({ bucket.price_name(): 7 })).unwrap();
        assert_eq!(price, prices([(bucket, "7")]), "{bucket:?}");
    }
}

#[test]
fn they_are_written_in_one_order_without_trailing_zeros() {
    let write = |text| read(text).unwrap().to_unit_prices().to_string();
    let written = r#"{"cache_read":1.25,"input":2.5,"output":10,"tool_calls":0.002}"#;
    assert_eq!(write(r#"{"output": 10.000, "tool_calls": 0.0020, "input": 2.50, "cache_read": 1.250}"#), written);
    assert_eq!(write(written), written);
    assert_eq!(
        write(r#"{"input": 2.5e-3, "output": 1E2, "pages": 0.0}"#),
        r#"{"input":0.0025,"output":100,"pages":0}"#
    );
    assert_eq!(write("{}"), "{}");
}

#[test]
fn null_states_no_price() {
    assert_eq!(read(r#"{"input": null, "output": 1}"#), Ok(prices([(Bucket::OutputText, "1")])));
    assert_eq!(read(r#"{"no name of anything": null}"#), Ok(Price::default()));
}

#[test]
fn twelve_decimals_are_exact() {
    for text in ["0.000000000001", "999999.999999999999", "1000000", "0.123456789012"] {
        for name in ["input", "searches", "tool_calls"] {
            let written = format!(r#"{{"{name}":{text}}}"#);
            assert_eq!(read(&written).unwrap().to_unit_prices().to_string(), written);
        }
    }
}

#[test]
fn what_is_no_price_is_refused_by_name() {
    let why = |value: &str| refusal(&format!(r#"{{"input": 1, "output": {value}}}"#));
    let output = |why: &str| ("output".to_owned(), why.to_owned());
    assert_eq!(why(r#""NaN""#), output("expected a number"));
    assert_eq!(why(r#""1""#), output("expected a number"));
    assert_eq!(why("true"), output("expected a number"));
    assert_eq!(why("[1]"), output("expected a number"));
    assert_eq!(why("{}"), output("expected a number"));
    assert_eq!(why("-0.5"), output("a price is never negative"));
    assert_eq!(why("0.0000000000001"), output("more than 12 decimal places"));
    assert_eq!(why("1000000.1"), output("a price is at most 1000000"));
    assert_eq!(why("1e400"), output("number out of range"));
    for name in ["searches", "tool_calls"] {
        assert_eq!(refusal(&format!(r#"{{"{name}": 1000000.1}}"#)).0, name);
        assert_eq!(refusal(&format!(r#"{{"{name}": 0.0000000000001}}"#)).0, name);
        assert_eq!(refusal(&format!(r#"{{"{name}": -1}}"#)).0, name);
    }
}

#[test]
fn a_name_that_nothing_can_have_is_refused() {
    for name in ["", "Input", "input tokens", "1st", "_x", "input-audio", "é", &"x".repeat(64)] {
        let (refused, why) = refusal(&json!({ name: 1 }).to_string());
        assert_eq!((refused.as_str(), why.as_str()), (name, "neither a kind of token nor a name of a meter"));
    }
    assert!(read(&json!({ "x".repeat(63): 1 }).to_string()).is_ok());
}

#[test]
fn what_follows_from_the_call_has_no_price() {
    for name in ["cost", "internal_cost", "tokens", "input_tokens", "output_tokens"] {
        assert_eq!(refusal(&json!({ name: 1 }).to_string()).0, name);
    }
    // Of these only requests are a kind of their own.
    assert_eq!(read(r#"{"requests": 0.1}"#), Ok(prices([(Bucket::Requests, "0.1")])));
}

/// As meters they would be priced by the piece, and the tokens that they mean not at all.
#[test]
fn buckets_go_by_the_name_of_their_price() {
    for name in ["uncached_input", "output_text"] {
        assert_eq!(refusal(&json!({ name: 1 }).to_string()).0, name);
    }
}

#[test]
fn only_an_object_is_read() {
    for other in [Value::Null, json!(1), json!([]), json!("{}")] {
        let refused = PriceError::UnitPrice { name: "unit_prices".to_owned(), why: "expected an object".to_owned() };
        assert_eq!(Price::from_unit_prices(&other), Err(refused));
    }
}

proptest! {
    #[test]
    fn they_survive_being_written(sheet in any_sheet()) {
        let price = Sheet { minimum: None, ..sheet }.price();
        let written = price.to_unit_prices();
        prop_assert_eq!(Price::from_unit_prices(&written), Ok(price.clone()));
        // Also as the text that a database keeps.
        let text = written.to_string();
        prop_assert_eq!(read(&text), Ok(price.clone()));
        prop_assert_eq!(read(&text).unwrap().to_unit_prices().to_string(), text);
    }

    #[test]
    fn any_object_is_answered(names in prop::collection::vec("[a-zA-Z_0-9]{0,8}|input|output|cost", 0..4), number in "-?[0-9]{1,8}(\\.[0-9]{1,14})?(e-?[0-9]{1,3})?") {
        let body: Vec<String> = names.iter().map(|name| format!("{name:?}: {number}")).collect();
        if let Ok(value) = serde_json::from_str::<Value>(&format!("{{{}}}", body.join(","))) {
            let _ = Price::from_unit_prices(&value);
        }
    }
}
