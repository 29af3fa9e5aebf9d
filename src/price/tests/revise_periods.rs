//! Prices with dates of their own against rows that are in the book.

use super::revise::{added, dated, day, input, listed, report, row, series, standard, undated, writes_nothing};
use super::revision::revise;
use crate::instant::Instant;

const ALWAYS: Instant = Instant(0);
const END: Instant = Instant::AFTER_ALL;

#[test]
fn what_was_is_left_alone() {
    let at = day(6, 1);
    let model = listed(vec![
        dated(&standard(), Some("1970-01-01"), Some("2026-02-01"), &input("9")),
        dated(&standard(), Some("2026-02-01"), None, &input("2")),
    ]);
    let existing =
        [row(1, &standard(), ALWAYS, day(3, 1), &input("4")), row(2, &standard(), day(3, 1), END, &input("3"))];
    let revision = revise(&model, &existing, at, false);
    assert_eq!(revision.ends, [(2, at)]);
    assert!(revision.superseded.is_empty());
    assert_eq!(revision.additions, [added(&standard(), at, END, &input("2"))], "not from February on");
}

#[test]
fn a_price_of_the_future_begins_on_its_day() {
    let model = listed(vec![
        dated(&standard(), Some("1970-01-01"), Some("2026-09-01"), &input("3")),
        dated(&standard(), Some("2026-09-01"), None, &input("4")),
    ]);
    let revision = revise(&model, &[row(1, &standard(), ALWAYS, END, &input("3"))], day(6, 1), false);
    assert_eq!(revision.ends, [(1, day(9, 1))]);
    assert_eq!(revision.additions, [added(&standard(), day(9, 1), END, &input("4"))]);
    assert_eq!(report(&revision), [["changed", "standard", "input", "3", "4"]]);
    let after = [row(1, &standard(), ALWAYS, day(9, 1), &input("3")), row(2, &standard(), day(9, 1), END, &input("4"))];
    for at in [day(6, 1), day(8, 31), day(9, 1), day(12, 1)] {
        assert!(writes_nothing(&revise(&model, &after, at, false)), "{at}");
    }
}

#[test]
fn several_periods_change_at_once() {
    let at = day(6, 1);
    let model = listed(vec![
        dated(&standard(), Some("1970-01-01"), Some("2026-09-01"), &input("3")),
        dated(&standard(), Some("2026-09-01"), None, &input("4")),
    ]);
    let revision = revise(&model, &[row(1, &standard(), ALWAYS, END, &input("2"))], at, false);
    assert_eq!(revision.ends, [(1, at)], "once");
    assert!(revision.superseded.is_empty());
    let additions = [added(&standard(), at, day(9, 1), &input("3")), added(&standard(), day(9, 1), END, &input("4"))];
    assert_eq!(revision.additions, additions);
    let both = [["changed", "standard", "input", "2", "3"], ["changed", "standard", "input", "2", "4"]];
    assert_eq!(report(&revision), both);
}

/// An offer for a time: the rest of the row that it interrupts goes on after it.
#[test]
fn the_tail_of_a_longer_row_is_kept() {
    let at = day(6, 1);
    let model = listed(vec![
        dated(&standard(), Some("1970-01-01"), Some("2026-07-01"), &input("3")),
        dated(&standard(), Some("2026-07-01"), Some("2026-08-01"), &input("1")),
        dated(&standard(), Some("2026-08-01"), None, &input("3")),
    ]);
    let revision = revise(&model, &[row(1, &standard(), ALWAYS, END, &input("3"))], at, false);
    assert_eq!(revision.ends, [(1, day(7, 1))]);
    assert!(revision.superseded.is_empty());
    let mut additions = revision.additions.clone();
    additions.sort_by_key(|addition| addition.from);
    let expected =
        [added(&standard(), day(7, 1), day(8, 1), &input("1")), added(&standard(), day(8, 1), END, &input("3"))];
    assert_eq!(additions, expected);
}

#[test]
fn a_change_that_is_put_off_begins_later() {
    let model = |day| {
        listed(vec![
            dated(&standard(), Some("1970-01-01"), Some(day), &input("3")),
            dated(&standard(), Some(day), None, &input("4")),
        ])
    };
    let existing =
        [row(1, &standard(), ALWAYS, day(9, 1), &input("3")), row(2, &standard(), day(9, 1), END, &input("4"))];
    let later = revise(&model("2026-10-01"), &existing, day(6, 1), false);
    assert!(later.ends.is_empty());
    assert_eq!(later.superseded, [2]);
    let additions =
        [added(&standard(), day(9, 1), day(10, 1), &input("3")), added(&standard(), day(10, 1), END, &input("4"))];
    assert_eq!(later.additions, additions);
    assert_eq!(report(&later), [["changed", "standard", "input", "4", "3"]], "what is written is told");
    let sooner = revise(&model("2026-08-01"), &existing, day(6, 1), false);
    assert_eq!(sooner.ends, [(1, day(8, 1))]);
    assert_eq!(sooner.additions, [added(&standard(), day(8, 1), day(9, 1), &input("4"))]);
    assert_eq!(report(&sooner), [["changed", "standard", "input", "3", "4"]]);
}

/// As when a provider gives up its surcharge for long requests: the row above the threshold must not outlive it.
#[test]
fn a_price_that_the_file_ends_ends_in_the_book() {
    let long = series("any", "standard", 200_000);
    let model = listed(vec![
        dated(&standard(), Some("1970-01-01"), None, &input("3")),
        dated(&long, Some("1970-01-01"), Some("2026-07-01"), &input("6")),
    ]);
    let existing = [row(1, &standard(), ALWAYS, END, &input("3")), row(2, &long, ALWAYS, END, &input("6"))];
    for (at, end) in [(day(6, 1), day(7, 1)), (day(7, 1), day(7, 1)), (day(8, 1), day(8, 1))] {
        let revision = revise(&model, &existing, at, false);
        assert_eq!(revision.ends, [(2, end)], "{at}");
        assert_eq!((&revision.superseded, &revision.additions), (&vec![], &vec![]));
        assert_eq!(report(&revision), [["withdrawn", "standard", "", "", ""]]);
        assert_eq!(revision.report[0].above_input_tokens, Some(200_000));
    }
}

#[test]
fn one_price_replaces_all_that_it_outlives() {
    let at = day(6, 1);
    let model = listed(vec![undated(&standard(), &input("3"))]);
    let existing = [
        row(1, &standard(), ALWAYS, day(7, 1), &input("4")),
        row(2, &standard(), day(7, 1), day(8, 1), &input("5")),
        row(3, &standard(), day(8, 1), END, &input("6")),
    ];
    let revision = revise(&model, &existing, at, false);
    assert_eq!(revision.ends, [(1, at)]);
    assert_eq!(revision.superseded, [2, 3]);
    assert_eq!(revision.additions, [added(&standard(), at, END, &input("3"))]);
}

#[test]
fn a_price_that_was_withdrawn_comes_back() {
    let model = listed(vec![undated(&standard(), &input("3"))]);
    let revision = revise(&model, &[row(1, &standard(), ALWAYS, day(3, 1), &input("3"))], day(6, 1), false);
    assert_eq!((&revision.ends, &revision.superseded), (&vec![], &vec![]));
    assert_eq!(revision.additions, [added(&standard(), day(6, 1), END, &input("3"))]);
    assert_eq!(report(&revision), [["changed", "standard", "input", "", "3"]]);
}

#[test]
fn an_end_that_the_file_no_longer_has_is_filled_up() {
    let model = listed(vec![undated(&standard(), &input("3"))]);
    let revision = revise(&model, &[row(1, &standard(), ALWAYS, day(9, 1), &input("3"))], day(6, 1), false);
    assert_eq!((&revision.ends, &revision.superseded), (&vec![], &vec![]));
    assert_eq!(revision.additions, [added(&standard(), day(9, 1), END, &input("3"))]);
}

#[test]
fn a_period_without_time_is_none() {
    let backwards = dated(&standard(), Some("2026-09-01"), Some("2026-03-01"), &input("9"));
    let ended = dated(&series("any", "batch", 0), None, Some("2026-03-01"), &input("9"));
    let model = listed(vec![backwards, ended, dated(&standard(), Some("1970-01-01"), None, &input("3"))]);
    assert_eq!(revise(&model, &[], day(6, 1), false).additions, [added(&standard(), ALWAYS, END, &input("3"))]);
}
