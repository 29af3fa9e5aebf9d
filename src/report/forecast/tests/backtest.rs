//! Forecasts of windows whose end is known, against the rate so far: what `cargo test` holds the method to.
//!
//! `cargo test --no-default-features --lib backtest -- --nocapture` prints the table of docs/guide/forecast.md.

use super::series::{KINDS, Kind, made_up};
use super::*;

const CONFIDENCE: f64 = 0.8;

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
    fn wape(&self) -> f64 {
        100.0 * self.error / self.actual
    }

    fn naive_wape(&self) -> f64 {
        100.0 * self.naive_error / self.actual
    }

    fn coverage(&self) -> f64 {
        100.0 * self.covered / self.forecasts
    }

    /// Forecasts the total of the window that begins at hour `start`, from hour `now`, and compares it with the truth.
    fn add(&mut self, amounts: &[f64], start: usize, now: usize, end: usize) {
        let sum = |from: usize, to: usize| amounts[from..to].iter().sum::<f64>();
        let known = &amounts[..now];
        let (so_far, rest) = (sum(start, now), sum(now, end));
        let question = Question { confidence: CONFIDENCE, ..ask(known, (end - now) as f64) };
        let Some(forecast) = forecast(&history(known), &question) else { return };
        let naive = so_far / (now - start) as f64 * (end - start) as f64;
        self.actual += so_far + rest;
        self.error += (forecast.expected - rest).abs();
        self.naive_error += (naive - so_far - rest).abs();
        self.covered += f64::from(u8::from(forecast.lower <= rest && rest <= forecast.upper));
        self.forecasts += 1.0;
    }
}

/// Length of a window and how much of it is over, hours.
const WINDOWS: [(&str, usize, usize); 4] =
    [("month", 720, 240), ("week", 168, 72), ("day", 24, 10), ("5 hours", 5, 2)];

/// Windows of many series of a kind, each after so many days of history.
fn score(kind: Kind, history_days: usize, window: usize, elapsed: usize) -> Score {
    let mut score = Score::default();
    for seed in 0..200 {
        // Not always from a Monday, nor at midnight.
        let shift = if window > 24 { seed as usize % 7 * 24 } else { seed as usize * 5 % 168 };
        let now = history_days * 24;
        let amounts = made_up(kind, seed, shift + now + window);
        let known = &amounts[shift..];
        score.add(known, now - elapsed, now, now - elapsed + window);
    }
    score
}

#[test]
fn forecasts_beat_the_rate_so_far() {
    println!("| series | history | window | error | rate so far | within the band |");
    for kind in KINDS {
        for days in [3, 10, 28, 56] {
            for (name, window, elapsed) in WINDOWS {
                if elapsed > days * 24 {
                    continue;
                }
                let score = score(kind, days, window, elapsed);
                println!(
                    "| {kind:?} | {days} days | {name} | {:.1} | {:.1} | {:.0} |",
                    score.wape(), score.naive_wape(), score.coverage()
                );
            }
        }
    }
}
