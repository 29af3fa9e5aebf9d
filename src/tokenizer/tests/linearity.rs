//! No text costs more than a bounded multiple of prose, and time grows with the length only.
//!
//! Times are the best of several runs and compared within this run, with wide margins: other work
//! on the machine must not fail the test, a quadratic algorithm must.

use std::time::Instant;

use super::DISTINCT;
use super::texts::{hostile, prose};
use crate::tokenizer::{self, Encoding, cache};

/// Nanoseconds per byte, at best. A text that does not repeat itself is counted without what the
/// cache knows of it from the run before.
fn cost(text: &str, encoding: Encoding, runs: usize, cached: bool) -> f64 {
    let mut best = f64::MAX;
    for _ in 0..runs {
        if !cached {
            cache::release();
        }
        let start = Instant::now();
        let counted = tokenizer::count(text, encoding, &mut || ());
        std::hint::black_box(counted).expect("a count never fails");
        best = best.min(start.elapsed().as_secs_f64() * 1e9 / text.len() as f64);
    }
    best
}

/// With optimisation the worst text costs about 40 times as much as prose; three times as much is
/// left to the noise of a busy machine.
const WORST: f64 = 120.0;

#[test]
fn time_grows_with_the_length_and_no_text_is_very_slow() {
    let prose = prose();
    let (small, large) = if cfg!(debug_assertions) { (1 << 14, 1 << 17) } else { (1 << 16, 1 << 20) };
    for encoding in DISTINCT {
        let prose_cost = cost(&prose, encoding, 5, true);
        for ((name, short), (_, long)) in hostile(small).into_iter().zip(hostile(large)) {
            let (short_cost, long_cost) = (cost(&short, encoding, 4, false), cost(&long, encoding, 2, false));
            // What costs little per byte anyway may vary.
            let growth = long_cost / short_cost.max(prose_cost);
            assert!(growth < 5.0, "{encoding}, {name}: {short_cost:.0} ns per byte grow to {long_cost:.0}");
            let multiple = long_cost / prose_cost;
            assert!(
                cfg!(debug_assertions) || multiple < WORST,
                "{encoding}, {name}: {multiple:.0} times the cost of prose"
            );
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
