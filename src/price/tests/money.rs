use super::*;

const TOO_PRECISE: PriceError = PriceError::Decimal(DecimalError::TooPrecise { scale: 12 });

fn atto(text: &str, per: u32) -> Result<i128, PriceError> {
    UnitPrice::from_decimal(text, per).map(UnitPrice::atto)
}

#[test]
fn a_price_is_exact_text() {
    assert_eq!(atto("2.50", MILLION), Ok(2_500_000_000_000));
    assert_eq!(atto("2.50", 1), Ok(2_500_000_000_000_000_000));
    assert_eq!(atto("0.000000000001", MILLION), Ok(1));
    assert_eq!(atto("0.000000000001", 1), Ok(1_000_000));
    assert_eq!(atto("-0.01", MILLION), Err(PriceError::NegativePrice));
    assert_eq!(atto("-0.01", 1), Err(PriceError::NegativePrice));
    assert_eq!(atto("0.0000000000001", MILLION), Err(TOO_PRECISE));
    assert_eq!(atto("0.0000000000001", 1), Err(TOO_PRECISE));
    assert_eq!(atto("NaN", MILLION), Err(PriceError::Decimal(DecimalError::Syntax)));
    assert_eq!(UnitPrice::from_atto(-1), Err(PriceError::NegativePrice));
    assert_eq!(UnitPrice::from_atto(7).map(UnitPrice::atto), Ok(7));
}

#[test]
fn a_price_has_an_upper_bound() {
    for per in [1, MILLION] {
        assert!(atto("1000000", per).is_ok());
        assert_eq!(atto("1000000.000000000001", per), Err(PriceError::TooDear));
        assert_eq!(atto("1e30", per), Err(PriceError::Decimal(DecimalError::Overflow)));
    }
}

#[test]
fn a_price_is_written_as_it_was_read() {
    for text in ["0", "2.5", "0.000000000001", "1000000", "999999.999999999999", "10"] {
        for per in [1, MILLION] {
            assert_eq!(UnitPrice::from_decimal(text, per).map(|price| price.format(per)).as_deref(), Ok(text));
        }
    }
}

#[test]
fn money_is_exact_text() {
    assert_eq!(nanos_from_decimal("-9223372036.854775808"), Ok(i64::MIN));
    assert_eq!(nanos_from_decimal("9223372036.854775807"), Ok(i64::MAX));
    assert_eq!(nanos_from_decimal("9223372036.854775808"), Err(PriceError::Decimal(DecimalError::Overflow)));
    let too_precise = PriceError::Decimal(DecimalError::TooPrecise { scale: 9 });
    assert_eq!(nanos_from_decimal("0.0000000001"), Err(too_precise));
    assert_eq!(nanos_from_decimal("Infinity"), Err(PriceError::Decimal(DecimalError::Syntax)));
    assert_eq!(format_nanos(i64::MIN), "-9223372036.854775808");
}
