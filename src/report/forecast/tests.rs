mod backtest;
mod properties;
mod series;

use chrono_tz::Tz;

use super::*;

/// Monday 2026-11-02 00:00 UTC, in hours.
const MONDAY: i64 = 498_216;

fn at(hours: f64) -> Instant {
    Instant(((MONDAY as f64 + hours) * HOUR_US as f64) as i64)
}

/// The history of `amounts` from Monday on, up to the first hour that is not in it.
fn history(amounts: &[f64]) -> History {
    let used = amounts.iter().enumerate().map(|(hour, amount)| (at(hour as f64), *amount));
    History::new(used, at(amounts.len() as f64))
}

fn ask(amounts: &[f64], hours: f64) -> Question {
    let now = amounts.len() as f64;
    Question { now: at(now), end: at(now + hours), zone: Tz::UTC, confidence: 0.8, room: None }
}

#[test]
fn history_begins_with_the_first_use() {
    let history =
        History::new([(at(5.5), 2.0), (at(3.0), 1.0), (at(5.9), 1.0), (at(1.0), 0.0), (at(8.1), 9.0)], at(8.5));
    assert_eq!(history, History { first_hour: MONDAY + 3, amounts: vec![1.0, 0.0, 3.0, 0.0, 0.0] });
    assert_eq!(History::new([(at(0.0), 1.0)], at(10_000.0)).hours(), 0);
}

#[test]
fn nothing_comes_of_nothing() {
    assert_eq!(forecast(&history(&[]), &ask(&[], 10.0)), None);
}

/// 2 an hour for 5 days, then 10 hours and a half: 21.
#[test]
fn a_constant_goes_on() {
    let amounts = [2.0; 120];
    let question = Question { room: Some(15.0), ..ask(&amounts, 10.5) };
    let forecast = forecast(&history(&amounts), &question).unwrap();
    assert_eq!(forecast.method, Method::HourOfDay);
    assert_eq!((forecast.expected, forecast.lower, forecast.upper, forecast.drift_per_day), (21.0, 21.0, 21.0, 0.0));
    // 15 at 2 an hour: seven and a half hours.
    assert_eq!(forecast.exhausted_at, Some(at(127.5)));
}

/// 8 from nine to five on weekdays in Berlin, nothing else. From Friday noon, Berlin, to Monday noon: 5 hours and 3.
#[test]
fn weekends_and_nights_are_told_by_the_local_clock() {
    let office = |hour: i64| {
        let (day, hour) = ((hour + 1).div_euclid(24) % 7, (hour + 1).rem_euclid(24));
        if day < 5 && (9..17).contains(&hour) { 8.0 } else { 0.0 }
    };
    let amounts: Vec<f64> = (0..7 * 24 * 3 - 24 * 2 - 13).map(office).collect();
    let question = Question { zone: Tz::Europe__Berlin, ..ask(&amounts, 72.0) };
    let forecast = forecast(&history(&amounts), &question).unwrap();
    assert_eq!(forecast.method, Method::HourOfWeek);
    assert!((forecast.expected - 64.0).abs() < 1e-9, "{forecast:?}");
}

/// The clocks of Berlin went back on 2026-10-25: what is at nine stays at nine, which is an hour later in UTC.
#[test]
fn the_profile_follows_the_clock() {
    let first = MONDAY - 21 * 24;
    let used = (first..MONDAY).filter_map(|hour| {
        let berlin = if hour < MONDAY - 8 * 24 + 1 { hour + 2 } else { hour + 1 };
        (berlin.rem_euclid(24) == 9).then_some((Instant(hour * HOUR_US), 1.0))
    });
    let history = History::new(used.collect::<Vec<_>>(), at(0.0));
    let question =
        |from, to| Question { now: at(from), end: at(to), zone: Tz::Europe__Berlin, confidence: 0.8, room: None };
    // Nine in Berlin is eight in UTC by now; no day of the profile is at seven.
    let expected = |from, to| forecast(&history, &question(from, to)).unwrap().expected;
    assert!(expected(0.0, 8.0) < 0.01, "{}", expected(0.0, 8.0));
    assert!((expected(0.0, 9.0) - 1.0).abs() < 0.01, "{}", expected(0.0, 9.0));
}

/// 100 a day, and 5 more each day for four weeks: the last day has 235. The theta method goes on at half the slope,
/// so that the next seven days have at least 7 * 237.5 = 1662 and at most the 1820 of the whole slope.
#[test]
fn growth_beyond_doubt_goes_on_at_half_its_slope() {
    let amounts: Vec<f64> = (0..28 * 24).map(|hour| (100.0 + 5.0 * f64::from(hour / 24)) / 24.0).collect();
    let forecast = forecast(&history(&amounts), &ask(&amounts, 168.0)).unwrap();
    assert!((1662.0..1820.0).contains(&forecast.expected), "{forecast:?}");
    assert!((forecast.drift_per_day - 2.5).abs() < 0.5, "{forecast:?}");
}

#[test]
fn a_band_is_wider_where_less_is_known() {
    let noisy = |hours: usize| -> Vec<f64> { (0..hours).map(|hour| if hour % 3 == 0 { 9.0 } else { 3.0 }).collect() };
    let width = |hours: usize, confidence: f64| {
        let amounts = noisy(hours);
        let question = Question { confidence, ..ask(&amounts, 100.0) };
        let forecast = forecast(&history(&amounts), &question).unwrap();
        forecast.upper - forecast.expected
    };
    assert!(width(12, 0.8) > width(40, 0.8));
    assert!(width(40, 0.95) > width(40, 0.8));
}

#[test]
fn what_has_no_room_is_exhausted_now() {
    let amounts = [1.0; 30];
    let question = Question { room: Some(-1.0), ..ask(&amounts, 10.0) };
    assert_eq!(forecast(&history(&amounts), &question).unwrap().exhausted_at, Some(question.now));
    let question = Question { room: Some(11.0), ..ask(&amounts, 10.0) };
    assert_eq!(forecast(&history(&amounts), &question).unwrap().exhausted_at, None);
}
