//! Long work calls back often, and a callback may do what it likes.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::texts::hostile;
use super::{DISTINCT, count, oracle};
use crate::tokenizer::{self, Encoding};

#[test]
fn the_callback_comes_at_least_every_64_kilobytes() {
    for encoding in DISTINCT {
        for (name, text) in hostile(150_000) {
            let least = text.len() / 65_536;
            let calls = |work: &dyn Fn(&mut dyn FnMut())| {
                let mut calls = 0;
                work(&mut || calls += 1);
                calls
            };
            let counting = calls(&|callback| {
                tokenizer::count(&text, encoding, callback).expect("a count never fails");
            });
            assert!(counting >= least, "{encoding} {name}: {counting} calls");
            let encoding_calls = calls(&|callback| {
                tokenizer::encode(&text, encoding, callback).expect("an encoding never fails");
            });
            assert!(encoding_calls >= least, "{encoding} {name}: {encoding_calls} calls");
        }
    }
}

#[test]
fn a_callback_may_unwind() {
    let prose = "Cancelled in the middle of a longer text. ".repeat(3_000);
    for encoding in DISTINCT {
        for text in [prose.as_str(), &"x".repeat(100_000), &" ".repeat(100_000)] {
            let expected = count(text, encoding);
            for fatal in 1..6 {
                let mut calls = 0;
                let unwound = catch_unwind(AssertUnwindSafe(|| {
                    tokenizer::count(text, encoding, &mut || {
                        calls += 1;
                        if calls == fatal {
                            std::panic::resume_unwind(Box::new("cancelled"));
                        }
                    })
                }));
                assert!(unwound.is_err(), "the callback was not called {fatal} times");
                assert_eq!(count(text, encoding), expected);
            }
        }
    }
}

#[test]
fn a_callback_may_count() {
    let text = "A callback that counts, too. ".repeat(3_000);
    let inner = "Not the same words at all";
    let mut inner_counts = Vec::new();
    let outer = tokenizer::count(&text, Encoding::O200kBase, &mut || {
        inner_counts.push(count(inner, Encoding::Cl100kBase));
    });
    assert_eq!(outer, Ok(oracle(Encoding::O200kBase).count_ordinary(&text)));
    let expected = oracle(Encoding::Cl100kBase).count_ordinary(inner);
    assert!(!inner_counts.is_empty());
    assert!(inner_counts.into_iter().all(|count| count == expected));
}
