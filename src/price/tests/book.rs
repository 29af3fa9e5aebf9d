//! The shipped price book, read as text: its numbers must be prices, and names in use must find the right row.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::sql::{self, inserted};
use super::*;

struct Row {
    model: String,
    provider: String,
    currency: String,
    region: String,
    service_tier: String,
    above_input_tokens: i64,
    /// As text, whose order is that of time.
    effective_at: String,
    ends_at: Option<String>,
    unit_prices: Value,
    price: Price,
}

impl Row {
    fn name(&self) -> String {
        let Self { provider, model, region, service_tier, above_input_tokens, effective_at, .. } = self;
        format!("{provider}/{model} {region} {service_tier} above {above_input_tokens} from {effective_at}")
    }

    /// What there is one version of at a time.
    fn series(&self) -> (&str, &str, &str, &str, &str, i64) {
        (&self.provider, &self.model, &self.currency, &self.region, &self.service_tier, self.above_input_tokens)
    }

    fn stated(&self, bucket: Bucket) -> Option<UnitPrice> {
        self.price.stated(bucket)
    }
}

struct Alias {
    provider: String,
    model: String,
    pattern: Value,
    is_default_provider: bool,
}

fn read_book() -> String {
    std::fs::read_to_string(format!("{}/sql/price_book.sql", env!("CARGO_MANIFEST_DIR"))).expect("price book")
}

fn rows(book: &str) -> Vec<Row> {
    inserted(book, "tokbudget.price").iter().map(row).collect()
}

fn row(cells: &sql::Row) -> Row {
    let cell = |column: &str| cells.get(column).cloned().flatten();
    let text = |column: &str| cell(column).unwrap_or_else(|| panic!("no {column}: {cells:?}"));
    let number = |column: &str| cell(column).map(|text| text.parse::<i64>().expect("a count"));
    let unit_prices: Value = serde_json::from_str(&text("unit_prices")).expect("JSON");
    let price = Price::from_unit_prices(&unit_prices).unwrap_or_else(|error| panic!("{error}: {cells:?}"));
    let minimum_charge = cell("minimum_charge").map(|text| meter_unit(&text));
    assert!(!text("source").is_empty() && text("source_date").len() == "2026-10-26".len(), "{cells:?}");
    // Columns that a statement leaves out have the defaults of the table.
    Row {
        model: text("model"),
        provider: text("provider"),
        currency: cell("currency").unwrap_or_else(|| "USD".to_owned()),
        region: cell("region").unwrap_or_else(|| ANY_REGION.to_owned()),
        service_tier: cell("service_tier").unwrap_or_else(|| "standard".to_owned()),
        above_input_tokens: number("above_input_tokens").unwrap_or(0),
        effective_at: text("effective_at"),
        ends_at: cell("ends_at"),
        price: Price { minimum_charge, max_input_tokens: number("max_input_tokens"), ..price },
        unit_prices,
    }
}

fn aliases(book: &str) -> Vec<Alias> {
    let alias = |cells: sql::Row| {
        let text = |column: &str| cells.get(column).cloned().flatten().expect("a value");
        Alias {
            provider: text("provider"),
            model: text("model"),
            pattern: serde_json::from_str(&text("pattern")).expect("JSON"),
            is_default_provider: text("is_default_provider") == "true",
        }
    };
    inserted(book, "tokbudget.model_alias").into_iter().map(alias).collect()
}

/// Models whose cache takes the input for nothing on top.
const WRITES_AT_THE_PRICE_OF_INPUT: [(&str, &str); 1] = [("moonshot", "kimi-k3")];

/// Parts of the names of models that answer with no text: they embed, rerank, classify or decide.
const WITHOUT_OUTPUT: [&str; 5] = ["embed", "rerank", "voyage-", "pplx-decider-", "Tev1-"];

#[test]
fn every_row_is_a_row_of_its_own() {
    let rows = rows(&read_book());
    assert!(rows.len() >= 80);
    let keys: Vec<_> = rows.iter().map(|row| (row.series(), &row.effective_at)).collect();
    assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), rows.len(), "a row twice");
    assert!(rows.is_sorted_by_key(|row| (&row.provider, &row.model)), "in this order two books can be compared");
    let mut timelines: BTreeMap<_, Vec<&Row>> = BTreeMap::new();
    for row in &rows {
        for day in std::iter::once(&row.effective_at).chain(&row.ends_at) {
            assert!(day.len() == "1970-01-01 00:00:00+00".len() && day.ends_with(" 00:00:00+00"), "{}", row.name());
        }
        assert!(row.ends_at.as_ref().is_none_or(|end| row.effective_at < *end), "{}", row.name());
        timelines.entry(row.series()).or_default().push(row);
    }
    for timeline in timelines.values_mut() {
        timeline.sort_by_key(|row| &row.effective_at);
        for pair in timeline.windows(2) {
            let ends_before = pair[0].ends_at.as_ref().is_some_and(|end| *end <= pair[1].effective_at);
            assert!(ends_before, "{} overlaps {}", pair[0].name(), pair[1].name());
        }
    }
}

#[test]
fn every_price_is_sane() {
    for row in rows(&read_book()) {
        let name = row.name();
        assert_eq!(row.price.to_unit_prices(), row.unit_prices, "{name} is not in the normal form");
        assert!(row.unit_prices.as_object().is_some_and(|prices| !prices.is_empty()), "{name}");
        assert_eq!(row.currency, "USD", "{name}");
        assert!(row.price.max_input_tokens.is_none_or(|max| max > row.above_input_tokens), "{name}");
        // A thousand dollars for a million, or one for a search, would be a slip of units; and nothing listed is free.
        for bucket in Bucket::ALL {
            let dearest = unit(bucket, if bucket.per() == 1 { "1" } else { "1000" });
            assert!(row.stated(bucket).is_none_or(|price| price.atto() > 0 && price < dearest), "{name} {bucket:?}");
        }
        for (meter, price) in &row.price.meters {
            assert!(price.atto() > 0 && *price < meter_unit("1"), "{name} {meter}");
        }
    }
}

#[test]
fn a_cache_is_cheaper_to_read_and_dearer_to_write_than_input() {
    for row in rows(&read_book()) {
        let name = row.name();
        let Some(input) = row.stated(Bucket::UncachedInput) else { continue };
        let read = row.stated(Bucket::CacheRead);
        // Tiers that halve the input and leave the cache alone make both the same, nowhere more.
        let is_standard = row.service_tier == "standard";
        assert!(read.is_none_or(|read| read < input || read == input && !is_standard), "{name}");
        let may_be_input = WRITES_AT_THE_PRICE_OF_INPUT
            .iter()
            .any(|(provider, model)| *provider == row.provider && row.model.starts_with(model));
        for bucket in Bucket::CACHE_WRITE {
            let write = row.stated(bucket);
            assert!(write.is_none_or(|write| write > input || write == input && may_be_input), "{name} {bucket:?}");
        }
        if let (Some(hour), Some(write)) = (row.stated(Bucket::CacheWrite1h), row.stated(Bucket::CacheWrite)) {
            assert!(hour > write, "{name}");
        }
    }
}

#[test]
fn output_costs_no_less_than_input_where_there_is_any() {
    for row in rows(&read_book()) {
        let name = row.name();
        let (input, output) = (row.stated(Bucket::UncachedInput), row.stated(Bucket::OutputText));
        // What has no price of input is billed by the second, the page or the character.
        let is_without = input.is_none() || WITHOUT_OUTPUT.iter().any(|part| row.model.contains(part));
        assert_eq!(output.is_none(), is_without, "{name}");
        assert!(output.is_none_or(|output| Some(output) >= input), "{name}");
    }
}

/// The other way round the look-up, which falls back to the standard price for these, would charge too little.
#[test]
fn tiers_that_wait_cost_no_more_and_lengths_no_less() {
    let rows = rows(&read_book());
    let is_same = |one: &Row, other: &Row| {
        (&one.provider, &one.model, &one.region) == (&other.provider, &other.model, &other.region)
            && one.ends_at.as_ref().is_none_or(|end| other.effective_at < *end)
            && other.ends_at.as_ref().is_none_or(|end| one.effective_at < *end)
    };
    for row in &rows {
        for other in rows.iter().filter(|other| is_same(row, other)) {
            let is_cheaper_tier = ["batch", "flex"].contains(&row.service_tier.as_str());
            let is_longer = row.service_tier == other.service_tier && row.above_input_tokens > other.above_input_tokens;
            for bucket in [Bucket::UncachedInput, Bucket::OutputText] {
                let (Some(price), Some(other_price)) = (row.stated(bucket), other.stated(bucket)) else { continue };
                if is_cheaper_tier
                    && other.service_tier == "standard"
                    && row.above_input_tokens == other.above_input_tokens
                {
                    assert!(price <= other_price, "{} {bucket:?} {}", row.name(), other.name());
                }
                if is_longer {
                    assert!(price >= other_price, "{} {bucket:?} {}", row.name(), other.name());
                }
            }
        }
    }
}

/// The general standard price of the model that a name means: a name of the book or one that is the same, before patterns;
/// of several providers the one that the name means without any.
fn find<'a>(rows: &'a [Row], aliases: &[Alias], model: &str) -> Option<&'a Row> {
    for is_pattern in [false, true] {
        for candidate in candidates(model) {
            let is_sold = |provider: &str| candidate.provider.as_deref().is_none_or(|named| named == provider);
            let mut targets: BTreeMap<(&str, &str), bool> = BTreeMap::new();
            if !is_pattern {
                let named = rows.iter().filter(|row| row.model == candidate.name && is_sold(&row.provider));
                targets.extend(named.map(|row| ((row.provider.as_str(), row.model.as_str()), false)));
            }
            let meant = aliases.iter().filter(|alias| {
                alias.pattern.get("equals").is_none() == is_pattern
                    && is_sold(&alias.provider)
                    && clause::matches(&alias.pattern, &candidate.name)
            });
            for alias in meant {
                *targets.entry((&alias.provider, &alias.model)).or_default() |= alias.is_default_provider;
            }
            if targets.len() > 1 {
                targets.retain(|_, is_default| *is_default);
                assert_eq!(targets.len(), 1, "{model} is ambiguous");
            }
            if let Some(((provider, model), _)) = targets.into_iter().next() {
                let general = (provider, model, "USD", ANY_REGION, "standard", 0);
                return rows.iter().find(|row| row.series() == general && row.ends_at.is_none());
            }
        }
    }
    None
}

#[test]
fn names_in_use_find_their_price() {
    let book = read_book();
    let (rows, aliases) = (rows(&book), aliases(&book));
    for (model, provider, input) in [
        ("gpt-4o", "openai", "2.5"),
        ("gpt-4o-2024-11-20", "openai", "2.5"),
        ("openai/gpt-4o-mini-2024-07-18", "openai", "0.15"),
        ("claude-sonnet-4-6", "anthropic", "3"),
        ("anthropic/claude-haiku-4-5@20251001", "anthropic", "1"),
        // The first dated gpt-4o cost twice as much as its successors.
        ("gpt-4o-2024-05-13", "openai", "5"),
    ] {
        let row = find(&rows, &aliases, model).unwrap_or_else(|| panic!("{model}"));
        let expected = Some(unit(Bucket::UncachedInput, input));
        assert_eq!((row.provider.as_str(), row.stated(Bucket::UncachedInput)), (provider, expected), "{model}");
    }
}

#[test]
fn every_model_of_the_book_is_found_by_its_full_name() {
    let book = read_book();
    let (rows, aliases) = (rows(&book), aliases(&book));
    for row in &rows {
        let general = (row.provider.as_str(), row.model.as_str(), "USD", ANY_REGION, "standard", 0);
        assert!(rows.iter().any(|other| other.series() == general), "{} without a standard price", row.name());
        let found = find(&rows, &aliases, &format!("{}/{}", row.provider, row.model));
        assert!(found.is_some_and(|found| found.series() == general), "{}", row.name());
    }
}

#[test]
fn names_without_a_price_of_their_own_find_none() {
    let book = read_book();
    let (rows, aliases) = (rows(&book), aliases(&book));
    let found = |model: &str| find(&rows, &aliases, model).map(|row| (row.provider.as_str(), row.model.as_str()));
    for model in ["anthropic/gpt-4o", "gpt-99", "my-gateway/gpt-4o"] {
        assert_eq!(found(model), None, "{model}");
    }
    // These may have a price of their own, and then have that.
    for (model, seller) in [("azure/gpt-4o", "azure"), ("bedrock/claude-sonnet-4-6", "bedrock")] {
        assert!(found(model).is_none_or(|(provider, _)| provider == seller), "{model}");
    }
    for (model, beginning) in [
        ("ft:gpt-4o-2024-08-06:org::id", "ft:"),
        ("gpt-4o-search-preview-2025-03-11", "gpt-4o-search-preview"),
        ("gpt-4o-audio-preview-2024-12-17", "gpt-4o-audio-preview"),
    ] {
        assert!(found(model).is_none_or(|(_, model)| model.starts_with(beginning)), "{model}");
    }
}
