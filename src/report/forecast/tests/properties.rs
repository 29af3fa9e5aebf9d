//! Whatever the history, the forecast is a number in its band.

use proptest::prelude::*;

use super::*;

fn amounts() -> impl Strategy<Value = Vec<f64>> {
    let amount = prop_oneof![4 => 0.0..1e3_f64, 4 => Just(0.0), 1 => 0.0..1e18_f64, 1 => -1e3..0.0_f64];
    prop::collection::vec(amount, 1..600)
}

proptest! {
    #[test]
    fn a_forecast_is_within_its_band(
        amounts in amounts(), hours in 0.01..20_000.0_f64, confidence in 0.01..0.999_f64, room in -10.0..1e6_f64
    ) {
        let question = Question { confidence, room: Some(room), zone: Tz::America__New_York, ..ask(&amounts, hours) };
        if let Some(forecast) = forecast(&history(&amounts), &question) {
            prop_assert!(0.0 <= forecast.lower && forecast.lower <= forecast.expected && forecast.expected <= forecast.upper);
            prop_assert!(forecast.upper.is_finite() && forecast.drift_per_day.is_finite());
            // Exhausted if and only if as much is expected as there is room, to rounding.
            prop_assert_eq!(forecast.exhausted_at.is_some(), room <= 0.0 || forecast.expected >= room);
            if let Some(exhausted_at) = forecast.exhausted_at {
                prop_assert!(question.now <= exhausted_at && exhausted_at <= question.end);
            }
        }
    }

    /// The unit of the amounts does not matter.
    #[test]
    fn a_forecast_scales(amounts in prop::collection::vec(0.0..1e3_f64, 30..400), hours in 1.0..1000.0_f64) {
        let question = ask(&amounts, hours);
        let scaled: Vec<f64> = amounts.iter().map(|amount| amount * 1024.0).collect();
        if let (Some(small), Some(large)) = (forecast(&history(&amounts), &question), forecast(&history(&scaled), &question)) {
            prop_assert!((small.expected * 1024.0 - large.expected).abs() <= 1e-9 * large.expected);
            prop_assert!((small.upper * 1024.0 - large.upper).abs() <= 1e-9 * large.upper);
        }
    }

    /// A longer window never has less.
    #[test]
    fn more_time_means_no_less(amounts in prop::collection::vec(0.0..1e3_f64, 400..500), hours in 24.0..500.0_f64) {
        let expected = |hours| forecast(&history(&amounts), &ask(&amounts, hours)).map(|forecast| forecast.expected);
        prop_assert!(expected(hours) <= expected(hours + 1.0));
    }
}
