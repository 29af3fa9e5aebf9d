//! What an import of one model changes, case by case.

use super::revision::{Addition, ChangeRow, Existing, Revision, Series, revise};
use super::*;
use crate::instant::Instant;
use crate::price::import::{ListedModel, ListedPrice};

/// The beginning of a day of 2026.
pub(super) fn day(month: u32, day: u32) -> Instant {
    let day = chrono::NaiveDate::from_ymd_opt(2026, month, day).and_then(|day| day.and_hms_opt(0, 0, 0));
    day.expect("a day").and_utc().into()
}

pub(super) fn series(region: &str, service_tier: &str, above_input_tokens: i64) -> Series {
    Series { region: region.to_owned(), service_tier: service_tier.to_owned(), above_input_tokens }
}

pub(super) fn standard() -> Series {
    series("any", "standard", 0)
}

pub(super) fn input(text: &str) -> Price {
    prices([(Bucket::UncachedInput, text)])
}

/// A price of the file for a period.
pub(super) fn dated(series: &Series, from: Option<&str>, until: Option<&str>, price: &Price) -> ListedPrice {
    ListedPrice {
        region: series.region.clone(),
        service_tier: series.service_tier.clone(),
        above_input_tokens: series.above_input_tokens,
        valid_from: from.map(str::to_owned),
        valid_until: until.map(str::to_owned),
        price: price.clone(),
    }
}

pub(super) fn undated(series: &Series, price: &Price) -> ListedPrice {
    dated(series, None, None, price)
}

pub(super) fn listed(versions: Vec<ListedPrice>) -> ListedModel {
    ListedModel {
        provider: "openai".to_owned(),
        model: "gpt-4o".to_owned(),
        aliases: Vec::new(),
        operation: None,
        context_tokens: None,
        max_output_tokens: None,
        deprecated_on: None,
        source_url: None,
        versions,
        ignored: Vec::new(),
    }
}

pub(super) fn row(price_id: i64, series: &Series, from: Instant, until: Instant, price: &Price) -> Existing {
    Existing { price_id, series: series.clone(), from, until, price: price.clone() }
}

pub(super) fn added(series: &Series, from: Instant, until: Instant, price: &Price) -> Addition {
    Addition { series: series.clone(), from, until, price: price.clone() }
}

/// The kinds of change with the tier, the kind of price, and both prices.
pub(super) fn report(revision: &Revision) -> Vec<[&str; 5]> {
    fn text(text: &Option<String>) -> &str {
        text.as_deref().unwrap_or("")
    }
    let rows = revision.report.iter();
    rows.map(|row| [row.change, text(&row.service_tier), text(&row.kind), text(&row.old_price), text(&row.new_price)])
        .collect()
}

pub(super) fn writes_nothing(revision: &Revision) -> bool {
    revision.ends.is_empty() && revision.superseded.is_empty() && revision.additions.is_empty()
}

const ALWAYS: Instant = Instant(0);
const END: Instant = Instant::AFTER_ALL;

#[test]
fn a_new_model_has_the_dates_of_the_file() {
    let at = day(6, 1);
    let undated = listed(vec![undated(&standard(), &input("3"))]);
    let revision = revise(&undated, &[], at, false);
    assert_eq!(revision.additions, [added(&standard(), at, END, &input("3"))], "an undated price holds from now on");
    let dated = listed(vec![
        dated(&standard(), Some("1970-01-01"), Some("2026-03-13"), &input("3")),
        dated(&standard(), Some("2026-03-13"), Some("2026-09-01"), &input("2")),
        dated(&standard(), Some("2026-09-01"), None, &input("1")),
    ]);
    let revision = revise(&dated, &[], at, false);
    let additions = [
        added(&standard(), ALWAYS, day(3, 13), &input("3")),
        added(&standard(), day(3, 13), day(9, 1), &input("2")),
        added(&standard(), day(9, 1), END, &input("1")),
    ];
    assert_eq!(revision.additions, additions);
    assert_eq!((revision.ends, revision.superseded), (vec![], vec![]));
    let row = ChangeRow {
        provider: Some("openai".to_owned()),
        model: Some("gpt-4o".to_owned()),
        change: "added",
        ..ChangeRow::default()
    };
    assert_eq!(revision.report, [row]);
}

#[test]
fn what_cannot_be_taken_is_told() {
    let mut model = listed(vec![undated(&standard(), &input("3"))]);
    model.ignored = vec!["one".to_owned(), "other".to_owned()];
    let reason = Some("one; other".to_owned());
    let same = row(1, &standard(), ALWAYS, END, &input("3"));
    for existing in [vec![], vec![same.clone()], vec![Existing { price: input("4"), ..same }]] {
        assert_eq!(revise(&model, &existing, day(6, 1), false).report[0].reason, reason);
    }
}

#[test]
fn the_same_file_again_changes_nothing() {
    let tier = series("any", "batch", 200_000);
    let model = listed(vec![undated(&standard(), &input("3")), undated(&tier, &input("1"))]);
    let existing = [row(1, &standard(), day(5, 1), END, &input("3")), row(2, &tier, day(5, 1), END, &input("1"))];
    for at in [day(5, 1), day(6, 1)] {
        let revision = revise(&model, &existing, at, false);
        assert!(writes_nothing(&revision));
        assert_eq!(report(&revision), [["unchanged", "", "", "", ""]]);
    }
}

#[test]
fn a_changed_price_ends_the_old_one() {
    let at = day(6, 1);
    let model = listed(vec![undated(&standard(), &input("4.5"))]);
    let revision = revise(&model, &[row(7, &standard(), ALWAYS, END, &input("3"))], at, false);
    assert_eq!(revision.ends, [(7, at)]);
    assert!(revision.superseded.is_empty());
    assert_eq!(revision.additions, [added(&standard(), at, END, &input("4.5"))]);
    assert_eq!(report(&revision), [["changed", "standard", "input", "3", "4.5"]]);
    let told = &revision.report[0];
    assert_eq!(told.ratio.as_deref(), Some("1.5"));
    assert_eq!((told.region.as_deref(), told.above_input_tokens), (Some("any"), Some(0)));
}

#[test]
fn every_kind_that_differs_is_told() {
    let with = |kinds: [(Bucket, &str); 3], calls: &str| {
        let mut price = prices(kinds);
        price.meters.insert("tool_calls".to_owned(), meter_unit(calls));
        price
    };
    let (input, output) = (Bucket::UncachedInput, Bucket::OutputText);
    let old = with([(input, "3"), (output, "9"), (Bucket::CacheRead, "0.3")], "0.01");
    let new = with([(input, "3"), (output, "6"), (Bucket::Searches, "0.02")], "0.04");
    let revision =
        revise(&listed(vec![undated(&standard(), &new)]), &[row(1, &standard(), ALWAYS, END, &old)], day(6, 1), false);
    assert_eq!(
        report(&revision),
        [
            ["changed", "standard", "cache_read", "0.3", ""],
            ["changed", "standard", "output", "9", "6"],
            ["changed", "standard", "searches", "", "0.02"],
            ["changed", "standard", "tool_calls", "0.01", "0.04"],
        ]
    );
    assert_eq!(revision.report[1].ratio.as_deref(), Some("0.666666"));
}

#[test]
fn a_change_where_the_old_price_began_supersedes_it() {
    let at = day(6, 1);
    let model = listed(vec![undated(&standard(), &input("4"))]);
    let revision = revise(&model, &[row(7, &standard(), at, END, &input("3"))], at, false);
    assert!(revision.ends.is_empty());
    assert_eq!(revision.superseded, [7]);
    assert_eq!(revision.additions, [added(&standard(), at, END, &input("4"))]);
}

#[test]
fn a_new_tier_of_a_known_model_is_added() {
    let batch = series("any", "batch", 0);
    let model = listed(vec![undated(&standard(), &input("3")), undated(&batch, &input("1.5"))]);
    let revision = revise(&model, &[row(1, &standard(), ALWAYS, END, &input("3"))], day(6, 1), false);
    assert_eq!((&revision.ends, &revision.superseded), (&vec![], &vec![]));
    assert_eq!(revision.additions, [added(&batch, day(6, 1), END, &input("1.5"))]);
    assert_eq!(report(&revision), [["added", "batch", "", "", ""]]);
}

#[test]
fn a_tier_that_is_missing_in_the_file_is_withdrawn() {
    let (batch, flex) = (series("any", "batch", 0), series("eu", "flex", 0));
    let model = listed(vec![undated(&standard(), &input("3"))]);
    let existing = [
        row(1, &standard(), ALWAYS, END, &input("3")),
        row(2, &batch, ALWAYS, END, &input("1")),
        row(3, &flex, ALWAYS, day(5, 1), &input("1")),
        row(4, &series("us", "batch", 0), day(7, 1), END, &input("1")),
    ];
    let revision = revise(&model, &existing, day(6, 1), false);
    assert_eq!(revision.ends, [(2, day(6, 1))]);
    assert_eq!(revision.superseded, [4], "one that would have begun later");
    assert!(revision.additions.is_empty());
    assert_eq!(report(&revision), [["withdrawn", "batch", "", "", ""], ["withdrawn", "batch", "", "", ""]]);
}

#[test]
fn a_factor_above_ten_must_be_confirmed() {
    let (batch, at) = (series("any", "batch", 0), day(6, 1));
    for (old, new, is_excessive) in [
        ("3", "30", false),
        ("3", "30.000000000001", true),
        ("30", "3", false),
        ("30", "2.999999999999", true),
        ("3", "0", true),
        ("0", "3", true),
        ("0", "0.000000000001", true),
        ("1000000", "0.000000000001", true),
    ] {
        // A change of reason beside it waits too.
        let model = listed(vec![undated(&standard(), &input(new)), undated(&batch, &input("2"))]);
        let existing = [
            row(1, &standard(), ALWAYS, END, &input(old)),
            row(2, &batch, ALWAYS, END, &input("1")),
            row(3, &series("any", "flex", 0), ALWAYS, END, &input("1")),
        ];
        let revision = revise(&model, &existing, at, false);
        assert_eq!(writes_nothing(&revision), is_excessive, "{old} {new}");
        let change = if is_excessive { "unconfirmed" } else { "changed" };
        let told: Vec<_> = report(&revision).into_iter().filter(|row| !row[2].is_empty()).collect();
        assert_eq!(told, [[change, "batch", "input", "1", "2"], [change, "standard", "input", old, new]]);
        assert_eq!(revision.report.len(), if is_excessive { 2 } else { 3 });
        let confirmed = revise(&model, &existing, at, true);
        assert_eq!(
            confirmed.ends.iter().map(|(id, _)| *id).collect::<std::collections::BTreeSet<_>>(),
            [1, 2, 3].into()
        );
        let additions = [added(&batch, at, END, &input("2")), added(&standard(), at, END, &input(new))];
        assert_eq!(confirmed.additions, additions);
        assert!(confirmed.report.iter().all(|row| row.change != "unconfirmed"));
    }
}

#[test]
fn a_kind_that_appears_or_disappears_is_no_factor() {
    let both = prices([(Bucket::UncachedInput, "3"), (Bucket::Searches, "100")]);
    for (old, new) in [(&both, &input("3")), (&input("3"), &both)] {
        let existing = [row(1, &standard(), ALWAYS, END, old)];
        let revision = revise(&listed(vec![undated(&standard(), new)]), &existing, day(6, 1), false);
        assert!(!writes_nothing(&revision));
        assert_eq!(revision.report[0].ratio, None);
    }
}
