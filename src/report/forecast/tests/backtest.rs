//! Forecasts of windows whose end is known, against the rate so far: what the method is held to.
//!
//! `cargo test --no-default-features --lib backtest -- --nocapture` prints the tables of docs/guide/forecast.md.

use super::series::{KINDS, Kind, made_up, recorded};
use super::*;

const CONFIDENCE: f64 = 0.8;
const SERIES_PER_KIND: u64 = 60;

#[derive(Default)]
struct Score {
    actual: f64,
    error: f64,
    naive_error: f64,
    covered: f64,
    forecasts: f64,
}

impl Score {
    /// Sum of absolute errors over the sum of what was used: the weighted absolute percentage error.
    fn error_percent(&self) -> f64 {
        100.0 * self.error / self.actual
    }

    fn naive_error_percent(&self) -> f64 {
        100.0 * self.naive_error / self.actual
    }

    fn coverage_percent(&self) -> f64 {
        100.0 * self.covered / self.forecasts
    }

    /// Forecasts the total of the window from hour `start` to hour `end`, from hour `now`, and compares it with the truth.
    /// What was used before hour `from` is not known.
    fn add(&mut self, amounts: &[f64], from: usize, start: usize, now: usize, end: usize) {
        let sum = |from: usize, to: usize| amounts[from..to].iter().sum::<f64>();
        let (so_far, rest) = (sum(start, now), sum(now, end));
        let question = Question { confidence: CONFIDENCE, ..ask(&amounts[..now], (end - now) as f64) };
        let known = (from..now).map(|hour| (at(hour as f64), amounts[hour]));
        let Some(forecast) = forecast(&History::new(known, question.now), &question) else { return };
        let naive = so_far / (now - start) as f64 * (end - start) as f64;
        self.actual += so_far + rest;
        self.error += (forecast.expected - rest).abs();
        self.naive_error += (naive - so_far - rest).abs();
        self.covered += f64::from(u8::from(forecast.lower <= rest && rest <= forecast.upper));
        self.forecasts += 1.0;
    }

    fn print(&self, what: &str) {
        let (error, naive, coverage) = (self.error_percent(), self.naive_error_percent(), self.coverage_percent());
        println!("| {what} | {error:.0} | {naive:.0} | {coverage:.0} |");
    }
}

/// Length of a window and how much of it is over, hours.
const WINDOWS: [(&str, usize, usize); 4] = [("month", 720, 240), ("week", 168, 72), ("day", 24, 10), ("5 hours", 5, 2)];

/// A window of each of many series of a kind, after so many days of history.
fn score(kind: Kind, history_days: usize, window: usize, elapsed: usize) -> Score {
    let mut score = Score::default();
    for seed in 0..SERIES_PER_KIND {
        // Not always on a Monday, nor at midnight.
        let shift = if window > 24 { seed as usize % 7 * 24 } else { seed as usize * 5 % 168 };
        let now = shift + history_days * 24;
        let amounts = made_up(kind, seed, now + window);
        score.add(&amounts, shift, now - elapsed, now, now - elapsed + window);
    }
    score
}

#[test]
fn forecasts_beat_the_rate_so_far() {
    println!(
        "| series | days of history | window | error % | rate so far % | in the band % |\n|---|---|---|---|---|---|"
    );
    let mut all = Score::default();
    for kind in KINDS {
        for days in [3, 10, 28, 56] {
            for (name, window, elapsed) in WINDOWS.into_iter().filter(|(_, _, elapsed)| *elapsed <= days * 24) {
                let score = score(kind, days, window, elapsed);
                score.print(&format!("{kind:?} | {days} | {name}"));
                let what = format!("{kind:?} {days} {name}");
                let (error, naive, coverage) =
                    (score.error_percent(), score.naive_error_percent(), score.coverage_percent());
                // Over a month nothing tells where a level goes that wanders.
                let is_regular = matches!(kind, Kind::Seasonal | Kind::Growing);
                if days >= 10 && (is_regular || kind == Kind::Wandering && window <= 168) {
                    assert!(error < naive, "{what}: {error} {naive}");
                }
                if kind == Kind::Seasonal && days >= 28 && window <= 168 {
                    assert!(error < naive / 2.0, "{what}: {error} {naive}");
                    assert!((65.0..=95.0).contains(&coverage), "{what}: {coverage}");
                }
                assert!(coverage >= 50.0, "{what}: {coverage}");
                all.covered += score.covered;
                all.forecasts += score.forecasts;
            }
        }
    }
    println!("in the band, of all: {:.0} %", all.coverage_percent());
    assert!((75.0..=90.0).contains(&all.coverage_percent()), "{}", all.coverage_percent());
}

/// Windows of the recorded series, one every 31 hours, after two weeks or more.
#[test]
fn recorded_use_is_forecast_no_worse() {
    let amounts = recorded();
    println!("| window | error % | rate so far % | in the band % |\n|---|---|---|---|");
    for (name, window, elapsed) in [("2 weeks", 336, 120), ("week", 168, 72), ("day", 24, 10), ("5 hours", 5, 2)] {
        let mut score = Score::default();
        for now in (336..amounts.len() + elapsed - window).step_by(31) {
            score.add(&amounts, 0, now - elapsed, now, now - elapsed + window);
        }
        score.print(name);
        // From hour to hour it comes in bursts, for which the last two hours are the better guide.
        assert!(score.forecasts > 10.0 && (score.error < score.naive_error || window < 24), "{name}");
        assert!(score.coverage_percent() >= 60.0, "{name}");
    }
}
