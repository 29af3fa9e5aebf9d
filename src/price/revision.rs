//! What a price file changes in the price book.

use std::collections::BTreeMap;

use chrono::NaiveDate;

use super::Price;
use super::import::{ListedModel, ListedPrice};
use crate::instant::Instant;
use crate::usage::Bucket;

/// A price that changes by more than this factor is more likely a slip of units than a price.
const RATIO_MAX: i128 = 10;

/// The circumstances of a price; versions of the same follow one another in time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Series {
    /// Place.
    pub region: String,
    /// Tier.
    pub service_tier: String,
    /// Threshold.
    pub above_input_tokens: i64,
}

/// A row of the book.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Existing {
    /// Its id.
    pub price_id: i64,
    /// Its circumstances.
    pub series: Series,
    /// First instant.
    pub from: Instant,
    /// First instant after it; [`Instant::AFTER_ALL`] for no end.
    pub until: Instant,
    /// Its prices.
    pub price: Price,
}

/// A row to be added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addition {
    /// Its circumstances.
    pub series: Series,
    /// First instant.
    pub from: Instant,
    /// First instant after it; [`Instant::AFTER_ALL`] for no end.
    pub until: Instant,
    /// Its prices.
    pub price: Price,
}

/// One line of the report.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChangeRow {
    /// Who sells it.
    pub provider: Option<String>,
    /// The model, or the name in the file.
    pub model: Option<String>,
    /// What happened.
    pub change: &'static str,
    /// Place of the price that changed.
    pub region: Option<String>,
    /// Tier of the price that changed.
    pub service_tier: Option<String>,
    /// Threshold of the price that changed.
    pub above_input_tokens: Option<i64>,
    /// Kind of the price that changed.
    pub kind: Option<String>,
    /// Decimal text.
    pub old_price: Option<String>,
    /// Decimal text.
    pub new_price: Option<String>,
    /// New over old, as decimal text.
    pub ratio: Option<String>,
    /// Why it was skipped, or what could not be taken.
    pub reason: Option<String>,
}

/// What has to be done to the rows of one model.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Revision {
    /// Rows that end earlier, with their new end.
    pub ends: Vec<(i64, Instant)>,
    /// Rows that never hold, because what replaces them holds from their beginning on.
    pub superseded: Vec<i64>,
    /// New rows.
    pub additions: Vec<Addition>,
    /// What to tell.
    pub report: Vec<ChangeRow>,
}

/// Compares a model of a file with the rows that the book has of it from the same origin.
///
/// Where the book has no row of a series yet, the file's own dates hold, and an undated price holds from `at` on. Where it
/// has, nothing before `at` is touched, because entries were priced with it, and from then on the book says what the file
/// says: nothing where the file has no price. A model of which any price changes by more than a factor of ten is left alone
/// as a whole, unless that is confirmed.
pub fn revise(listed: &ListedModel, existing: &[Existing], at: Instant, is_confirmed: bool) -> Revision {
    let mut revision = Revision::default();
    let mut timelines: BTreeMap<Series, Vec<Addition>> = BTreeMap::new();
    for version in &listed.versions {
        let addition = addition(version, at);
        if addition.from < addition.until {
            timelines.entry(addition.series.clone()).or_default().push(addition);
        }
    }
    // What the file no longer has is a series without any period.
    for row in existing {
        timelines.entry(row.series.clone()).or_default();
    }
    let row = |change| ChangeRow {
        provider: Some(listed.provider.clone()),
        model: Some(listed.model.clone()),
        change,
        ..ChangeRow::default()
    };
    let mut is_excessive = false;
    for (series, timeline) in &timelines {
        let rows: Vec<&Existing> = existing.iter().filter(|row| row.series == *series).collect();
        if rows.is_empty() {
            revision.additions.extend(timeline.iter().cloned());
            if !existing.is_empty() {
                revision.report.push(ChangeRow { ..in_series(row("added"), series) });
            }
            continue;
        }
        let wanted: Vec<Addition> = timeline
            .iter()
            .filter(|wanted| wanted.until > at)
            .map(|wanted| Addition { from: wanted.from.max(at), ..wanted.clone() })
            .collect();
        let kept: Vec<(&Existing, Instant)> = rows.iter().map(|row| (*row, kept_until(row, &wanted, at))).collect();
        for missing in wanted.iter().flat_map(|wanted| missing(wanted, &kept)) {
            let none = Price::default();
            // Every row that it replaces, so that none is changed beyond the factor unasked; the report has the first.
            let mut replaced: Vec<&&Existing> =
                rows.iter().filter(|row| row.from < missing.until && missing.from < row.until).collect();
            replaced.sort_by_key(|row| row.from);
            let exceeds =
                |row: &&Existing| changes(&row.price, &missing.price).iter().any(|change| change.is_excessive);
            is_excessive |= replaced.iter().any(|row| exceeds(row));
            let before = replaced.first();
            for change in changes(before.map_or(&none, |row| &row.price), &missing.price) {
                is_excessive |= change.is_excessive;
                revision.report.push(ChangeRow {
                    kind: Some(change.kind),
                    old_price: change.old,
                    new_price: change.new,
                    ratio: change.ratio,
                    ..in_series(row("changed"), series)
                });
            }
            revision.additions.push(missing);
        }
        for (row_of_book, until) in kept.into_iter().filter(|(row, until)| *until < row.until) {
            if row_of_book.from < until {
                revision.ends.push((row_of_book.price_id, until));
            } else {
                revision.superseded.push(row_of_book.price_id);
            }
            if !wanted.iter().any(|wanted| wanted.from <= until && until < wanted.until) {
                revision.report.push(in_series(row("withdrawn"), series));
            }
        }
    }

    if is_excessive && !is_confirmed {
        revision.report.iter_mut().for_each(|row| row.change = "unconfirmed");
        revision.report.retain(|row| row.kind.is_some());
        if revision.report.is_empty() {
            revision.report.push(row("unconfirmed"));
        }
        return Revision { report: revision.report, ..Revision::default() };
    }
    let reason = (!listed.ignored.is_empty()).then(|| listed.ignored.join("; "));
    if existing.is_empty() {
        revision.report.push(ChangeRow { reason, ..row("added") });
    } else if revision.report.is_empty() {
        revision.report.push(ChangeRow { reason, ..row("unchanged") });
    } else if let Some(first) = revision.report.first_mut() {
        first.reason = reason;
    }
    revision
}

fn in_series(row: ChangeRow, series: &Series) -> ChangeRow {
    ChangeRow {
        region: Some(series.region.clone()),
        service_tier: Some(series.service_tier.clone()),
        above_input_tokens: Some(series.above_input_tokens),
        ..row
    }
}

fn addition(version: &ListedPrice, at: Instant) -> Addition {
    let series = Series {
        region: version.region.clone(),
        service_tier: version.service_tier.clone(),
        above_input_tokens: version.above_input_tokens,
    };
    Addition {
        series,
        from: version.valid_from.as_deref().and_then(midnight).unwrap_or(at),
        until: version.valid_until.as_deref().and_then(midnight).unwrap_or(Instant::AFTER_ALL),
        price: version.price.clone(),
    }
}

/// The beginning of an ISO day in UTC.
fn midnight(day: &str) -> Option<Instant> {
    let day: NaiveDate = day.parse().ok()?;
    Some(day.and_hms_opt(0, 0, 0)?.and_utc().into())
}

/// The end of a row of the book: it stays as long as the file says the same from `at` on.
fn kept_until(row: &Existing, wanted: &[Addition], at: Instant) -> Instant {
    let mut until = row.from.max(at);
    let says_the_same =
        |wanted: &&Addition, until: Instant| wanted.from <= until && until < wanted.until && wanted.price == row.price;
    while let Some(same) = wanted.iter().find(|wanted| says_the_same(wanted, until)) {
        until = same.until;
    }
    until.min(row.until)
}

/// The parts of a period that are in none of the rows that stay.
fn missing(wanted: &Addition, kept: &[(&Existing, Instant)]) -> Vec<Addition> {
    let mut stays: Vec<(Instant, Instant)> =
        kept.iter().map(|(row, until)| (row.from, *until)).filter(|(from, until)| from < until).collect();
    stays.sort_unstable();
    let mut missing = Vec::new();
    let mut from = wanted.from;
    // The end of the period bounds the last part.
    for (next, until) in stays.into_iter().chain([(wanted.until, wanted.until)]) {
        let end = next.min(wanted.until);
        if from < end {
            missing.push(Addition { from, until: end, ..wanted.clone() });
        }
        from = from.max(until);
    }
    missing
}

struct Change {
    kind: String,
    old: Option<String>,
    new: Option<String>,
    ratio: Option<String>,
    is_excessive: bool,
}

/// The kinds whose price differs.
fn changes(old: &Price, new: &Price) -> Vec<Change> {
    let buckets = Bucket::ALL
        .into_iter()
        .map(|bucket| (bucket.price_name().to_owned(), bucket.per(), old.stated(bucket), new.stated(bucket)));
    let names: std::collections::BTreeSet<&String> = old.meters.keys().chain(new.meters.keys()).collect();
    let meters =
        names.into_iter().map(|name| (name.clone(), 1, old.meters.get(name).copied(), new.meters.get(name).copied()));
    let different = buckets.chain(meters).filter(|(_, _, old, new)| old != new);
    different
        .map(|(kind, per, old, new)| {
            let both = old.zip(new).map(|(old, new)| (old.atto(), new.atto()));
            Change {
                kind,
                old: old.map(|price| price.format(per)),
                new: new.map(|price| price.format(per)),
                ratio: both.and_then(|(old, new)| ratio(old, new)),
                // Also to or from zero, which is no ratio: a price that is forgotten looks like a free one.
                is_excessive: both.is_some_and(|(old, new)| {
                    new > old.saturating_mul(RATIO_MAX) || old > new.saturating_mul(RATIO_MAX)
                }),
            }
        })
        .collect()
}

/// New over old with six decimals, for reading.
fn ratio(old: i128, new: i128) -> Option<String> {
    const SCALE: u32 = 6;
    let scaled = new.checked_mul(10_i128.pow(SCALE))?.checked_div(old)?;
    Some(super::format_decimal(scaled, SCALE))
}
