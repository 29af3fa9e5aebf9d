//! What an import leaves in the book, whatever was there and whatever the file says.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::revise::{dated, input, listed, row, series, writes_nothing};
use super::revision::{Existing, Revision, Series, revise};
use super::*;
use crate::instant::Instant;
use crate::price::import::{ListedModel, ListedPrice};

/// Days of January 2026, around which everything happens.
fn january(day: u32) -> Instant {
    super::revise::day(1, day)
}

fn text(day: u32) -> String {
    format!("2026-01-{day:02}")
}

fn all_series() -> [Series; 3] {
    [series("any", "standard", 0), series("any", "standard", 200_000), series("us", "batch", 0)]
}

/// Writes a revision as the ledger does: ends, what is superseded, additions.
fn apply(revision: &Revision, existing: &[Existing]) -> Vec<Existing> {
    let mut rows = existing.to_vec();
    let mut changed = BTreeSet::new();
    for (price_id, until) in &revision.ends {
        assert!(changed.insert(price_id), "a row is changed twice");
        let row = rows.iter_mut().find(|row| row.price_id == *price_id).expect("a row that ends");
        assert!(row.from < *until && *until < row.until, "an end that is none");
        row.until = *until;
    }
    for price_id in &revision.superseded {
        assert!(changed.insert(price_id), "a row is changed twice");
        assert!(rows.iter().any(|row| row.price_id == *price_id), "a row that is superseded");
    }
    rows.retain(|row| !revision.superseded.contains(&row.price_id));
    for addition in &revision.additions {
        // A row is known by its series, its beginning and its price; a superseded one is revived, a live one must not be hit.
        let is_same =
            |row: &Existing| (&row.series, row.from, &row.price) == (&addition.series, addition.from, &addition.price);
        assert!(!rows.iter().any(is_same), "a row is written over");
        assert!(addition.from < addition.until);
        let price_id = 1 + rows.iter().chain(existing).map(|row| row.price_id).max().unwrap_or(0);
        rows.push(row(price_id, &addition.series, addition.from, addition.until, &addition.price));
    }
    rows
}

fn price_at<'a>(rows: &'a [Existing], series: &Series, at: Instant) -> Option<&'a Price> {
    rows.iter().find(|row| row.series == *series && row.from <= at && at < row.until).map(|row| &row.price)
}

/// What the file says of an instant. What it does not date begins with the import.
fn listed_at<'a>(model: &'a ListedModel, series: &Series, instant: Instant, at: Instant) -> Option<&'a Price> {
    let day = |text: &Option<String>| text.as_ref().map(|text| january(text[8..].parse().expect("a day")));
    let holds = |version: &&ListedPrice| {
        (&version.region, &version.service_tier, version.above_input_tokens)
            == (&series.region, &series.service_tier, series.above_input_tokens)
            && day(&version.valid_from).unwrap_or(at) <= instant
            && day(&version.valid_until).is_none_or(|until| instant < until)
    };
    model.versions.iter().find(holds).map(|version| &version.price)
}

fn no_overlap(rows: &[Existing]) -> bool {
    rows.iter().enumerate().all(|(index, one)| {
        rows[..index]
            .iter()
            .all(|other| one.series != other.series || one.until <= other.from || other.until <= one.from)
    })
}

/// Periods of one series: days in order, with a price or a gap after each.
fn periods() -> impl Strategy<Value = BTreeMap<u32, Option<u32>>> {
    let price = prop_oneof![1 => Just(None), 4 => (1..4_u32).prop_map(Some)];
    prop::collection::btree_map(2..28_u32, price, 0..5)
}

fn pieces(periods: &BTreeMap<u32, Option<u32>>) -> Vec<(u32, Option<u32>, Price)> {
    let starts: Vec<u32> = periods.keys().copied().collect();
    let piece = |(index, price): (usize, &Option<u32>)| {
        Some((starts[index], starts.get(index + 1).copied(), input(&(*price)?.to_string())))
    };
    periods.values().enumerate().filter_map(piece).collect()
}

prop_compose! {
    fn any_book()(all in prop::collection::vec(periods(), 3)) -> Vec<Existing> {
        let mut rows = Vec::new();
        for (series, periods) in all_series().iter().zip(&all) {
            for (from, until, price) in pieces(periods) {
                let price_id = i64::try_from(rows.len()).unwrap() + 1;
                rows.push(row(price_id, series, january(from), until.map_or(Instant::AFTER_ALL, january), &price));
            }
        }
        rows
    }
}

prop_compose! {
    /// Dated, as one of the formats is, or undated, as the other one is.
    fn any_model()(all in prop::collection::vec((periods(), any::<bool>()), 3)) -> ListedModel {
        let mut versions = Vec::new();
        for (series, (periods, is_dated)) in all_series().iter().zip(&all) {
            let mut pieces = pieces(periods);
            if !is_dated {
                pieces.truncate(1);
            }
            for (from, until, price) in pieces {
                let day = |day: Option<u32>| day.filter(|_| *is_dated).map(text);
                versions.push(dated(series, day(Some(from)).as_deref(), day(until).as_deref(), &price));
            }
        }
        listed(versions)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn an_import_leaves_what_the_file_says(book in any_book(), model in any_model(), at in 1..29_u32) {
        let at = january(at);
        let revision = revise(&model, &book, at, true);
        let after = apply(&revision, &book);
        prop_assert!(no_overlap(&after));
        for series in all_series() {
            let is_known = book.iter().any(|row| row.series == series);
            for instant in (1..31).map(january) {
                let found = price_at(&after, &series, instant);
                let is_history = is_known && instant < at;
                let expected =
                    if is_history { price_at(&book, &series, instant) } else { listed_at(&model, &series, instant, at) };
                prop_assert_eq!(found, expected, "{:?} {}", series, instant);
            }
        }
    }

    #[test]
    fn an_import_twice_is_one(book in any_book(), model in any_model(), at in 1..29_u32, later in 0..9_u32) {
        let mut after = apply(&revise(&model, &book, january(at), true), &book);
        // A series of which nothing that ever held is left is as good as new, and gets what the file says of the past.
        let is_emptied = |version: &ListedPrice| {
            let series = series(&version.region, &version.service_tier, version.above_input_tokens);
            !after.iter().any(|row| row.series == series)
        };
        if model.versions.iter().any(is_emptied) {
            after = apply(&revise(&model, &after, january(at), true), &after);
        }
        let again = revise(&model, &after, january(at + later.min(29 - at)), true);
        prop_assert!(writes_nothing(&again), "{again:?}");
        prop_assert!(after.is_empty() || again.report.iter().all(|row| row.change == "unchanged"));
    }

    /// What is written is told, and what is told is written.
    #[test]
    fn the_report_is_true(book in any_book(), model in any_model(), at in 1..29_u32) {
        let revision = revise(&model, &book, january(at), true);
        let is_told = revision.report.iter().any(|row| row.change != "unchanged");
        prop_assert_eq!(is_told, book.is_empty() || !writes_nothing(&revision), "{:?}", revision);
        for row in revision.report.iter().filter(|row| row.change == "changed") {
            prop_assert_ne!(&row.old_price, &row.new_price);
        }
    }

    #[test]
    fn without_confirmation_all_or_nothing_is_written(book in any_book(), model in any_model(), at in 1..29_u32, is_scaled: bool) {
        let mut model = model;
        if is_scaled {
            model.versions.iter_mut().for_each(|version| version.price = input("11"));
        }
        let (confirmed, unconfirmed) = (revise(&model, &book, january(at), true), revise(&model, &book, january(at), false));
        if unconfirmed.report.iter().any(|row| row.change == "unconfirmed") {
            prop_assert!(is_scaled && writes_nothing(&unconfirmed));
            prop_assert!(unconfirmed.report.iter().all(|row| row.change == "unconfirmed" && row.kind.is_some()));
        } else {
            prop_assert_eq!(confirmed, unconfirmed);
        }
    }
}
