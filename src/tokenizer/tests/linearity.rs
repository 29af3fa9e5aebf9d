//! No text costs more than a bounded multiple of prose, and time grows with the length only.
//!
//! Times are compared within one run, with wide margins, and a comparison that fails is repeated:
//! other work on the machine must not fail the test, a quadratic algorithm always must.

use std::time::Instant;

use super::DISTINCT;
use super::texts::{hostile, prose};
use crate::tokenizer::{self, Encoding, cache};

/// Nanoseconds per byte.
fn cost(text: &str, encoding: Encoding) -> f64 {
    let start = Instant::now();
    let counted = tokenizer::count(text, encoding, &mut || ());
    std::hint::black_box(counted).expect("a count never fails");
    start.elapsed().as_secs_f64() * 1e9 / text.len() as f64
}

/// The same without what the cache knows from before.
fn cold_cost(text: &str, encoding: Encoding) -> f64 {
    cache::release();
    cost(text, encoding)
}

/// How often the short text is counted, to take about as long as the long one.
const TIMES: usize = 16;

/// A quadratic algorithm would have a factor of [`TIMES`].
const GROWTH: f64 = 4.0;

/// With optimisation the worst text costs 30 times as much as prose.
const WORST: f64 = 40.0;

/// How often a comparison may fail.
const ATTEMPTS: usize = 8;

/// Repeats `measure` until it is at most `limit`.
fn at_most(limit: f64, measure: impl Fn() -> f64) -> Result<(), f64> {
    let mut best = f64::MAX;
    for _ in 0..ATTEMPTS {
        best = best.min(measure());
        if best <= limit {
            return Ok(());
        }
    }
    Err(best)
}

#[test]
fn time_grows_with_the_length_and_no_text_is_very_slow() {
    let prose = prose();
    let size = if cfg!(debug_assertions) { 1 << 13 } else { 1 << 16 };
    for encoding in DISTINCT {
        cost(&prose, encoding);
        for ((name, short), (_, long)) in hostile(size).into_iter().zip(hostile(size * TIMES)) {
            let growth = || {
                let short_cost: f64 = (0..TIMES).map(|_| cold_cost(&short, encoding)).sum();
                cold_cost(&long, encoding) / (short_cost / TIMES as f64)
            };
            let linear = at_most(GROWTH, growth);
            assert!(linear.is_ok(), "{encoding}, {name}: the time per byte grows, {linear:?}");
            if !cfg!(debug_assertions) {
                let multiple = || {
                    let long_cost = cold_cost(&long, encoding);
                    // The first time fills the cache.
                    cost(&prose, encoding);
                    long_cost / cost(&prose, encoding)
                };
                let worst = at_most(WORST, multiple);
                assert!(worst.is_ok(), "{encoding}, {name}: {worst:?} times the cost of prose");
            }
        }
    }
}

#[test]
fn a_small_limit_makes_a_huge_text_cheap() {
    let text = "word ".repeat(20_000_000);
    for encoding in DISTINCT {
        let mut calls = 0;
        let fits = tokenizer::fits(&text, encoding, 1_000, &mut || calls += 1);
        assert_eq!(fits, Ok(false));
        let cut = tokenizer::truncate(&text, encoding, 1_000, &mut || calls += 1);
        assert_eq!(cut.map(str::len), Ok(4_999), "{encoding}");
        assert!(calls < 200, "{calls} interrupts");
    }
}
