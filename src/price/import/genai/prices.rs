//! One object of prices.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::price::UnitPrice;
use crate::price::import::number::{self, For};
use crate::price::import::units::{Unit, Units};
use crate::usage::Bucket;

const fn mtok(bucket: Bucket) -> (Unit, For) {
    (Unit::Bucket(bucket), For::Million)
}

const KEYS: [(&str, (Unit, For)); 24] = [
    ("input_mtok", mtok(Bucket::UncachedInput)),
    ("output_mtok", mtok(Bucket::OutputText)),
    ("cache_read_mtok", mtok(Bucket::CacheRead)),
    ("cache_write_mtok", mtok(Bucket::CacheWrite)),
    ("cache_write_5m_mtok", mtok(Bucket::CacheWrite5m)),
    ("cache_write_1h_mtok", mtok(Bucket::CacheWrite1h)),
    ("input_audio_mtok", mtok(Bucket::InputAudio)),
    ("cache_audio_read_mtok", mtok(Bucket::CacheReadAudio)),
    ("cache_image_read_mtok", mtok(Bucket::CacheReadImage)),
    ("output_audio_mtok", mtok(Bucket::OutputAudio)),
    ("input_image_mtok", mtok(Bucket::InputImage)),
    ("output_image_mtok", mtok(Bucket::OutputImage)),
    ("input_video_mtok", mtok(Bucket::InputVideo)),
    ("output_reasoning_mtok", mtok(Bucket::Reasoning)),
    ("output_citation_mtok", mtok(Bucket::Citation)),
    ("input_mchars", mtok(Bucket::Characters)),
    ("web_searches_kcount", (Unit::Bucket(Bucket::Searches), For::Thousand)),
    ("storage_searches_kcount", (Unit::Meter("storage_searches"), For::Thousand)),
    ("requests_kcount", (Unit::Bucket(Bucket::Requests), For::Thousand)),
    ("input_document_kpages", (Unit::Bucket(Bucket::Pages), For::Thousand)),
    ("input_annotated_document_kpages", (Unit::Meter("annotation_pages"), For::Thousand)),
    ("input_text_messages_kcount", (Unit::Meter("text_messages"), For::Thousand)),
    ("audio_hours", (Unit::Bucket(Bucket::Seconds), For::Hour)),
    ("input_audio_hours", (Unit::Bucket(Bucket::Seconds), For::Hour)),
];

/// Modalities that are billed as text where they have no price of their own.
const BILLED_AS: [(Bucket, Bucket); 3] = [
    (Bucket::InputAudio, Bucket::UncachedInput),
    (Bucket::OutputAudio, Bucket::OutputText),
    (Bucket::OutputImage, Bucket::OutputText),
];

/// The price of a unit by length: each holds for requests of more input tokens than its key.
type ByLength = BTreeMap<i64, UnitPrice>;

/// Prices of one period, for requests of any length.
#[derive(Debug, Clone, Default)]
pub struct Prices(BTreeMap<Unit, ByLength>);

impl Prices {
    /// Reads them; the error names the key.
    pub fn read(prices: &Value, ignored: &mut Vec<String>) -> Result<Self, String> {
        let prices = prices.as_object().ok_or("prices: expected an object")?;
        let mut read = Self::default();
        for (key, value) in prices.iter().filter(|(_, value)| !value.is_null()) {
            let Some((_, (unit, per))) = KEYS.into_iter().find(|(name, _)| name == key) else {
                note(ignored, format!("{key}: no unit of the price book"));
                continue;
            };
            let by_length = by_length(unit, per, value).map_err(|why| format!("{key}: {why}"))?;
            // Audio that is heard and audio as such are one price in the file; two would be neither.
            if read.0.get(&unit).is_some_and(|other| *other != by_length) {
                return Err(format!("{key}: two prices for one unit"));
            }
            read.0.insert(unit, by_length);
        }
        Ok(read)
    }

    /// These with what the others do not state: a price replaces another one for requests of any length.
    pub fn over(&self, others: &Self) -> Self {
        let mut all = others.0.clone();
        all.extend(self.0.iter().map(|(unit, by_length)| (*unit, by_length.clone())));
        Self(all)
    }

    /// The rows by length, each complete.
    pub fn rows(&self) -> Vec<(i64, Units)> {
        let mut units = self.0.clone();
        for (modality, text) in BILLED_AS {
            if let Some(price) = units.get(&Unit::Bucket(text)).cloned() {
                units.entry(Unit::Bucket(modality)).or_insert(price);
            }
        }
        let lengths: BTreeSet<i64> = units.values().flat_map(BTreeMap::keys).copied().collect();
        let row = |above: i64| {
            let price = |by_length: &ByLength| by_length.range(..=above).next_back().map(|(_, price)| *price);
            units.iter().filter_map(|(unit, by_length)| Some((*unit, price(by_length)?))).collect()
        };
        lengths.into_iter().map(|above| (above, row(above))).collect()
    }
}

/// A number, or `{"base": …, "tiers": [{"start": …, "price": …}]}`.
fn by_length(unit: Unit, per: For, value: &Value) -> Result<ByLength, String> {
    let Value::Object(tiered) = value else {
        return Ok(BTreeMap::from([(0, unit.price(value, per)?)]));
    };
    let part = |object: &Map<String, Value>, key: &str| {
        object.get(key).cloned().ok_or_else(|| format!("expected a number or an object with {key}"))
    };
    let mut by_length = BTreeMap::from([(0, unit.price(&part(tiered, "base")?, per)?)]);
    let tiers = part(tiered, "tiers")?;
    for tier in tiers.as_array().ok_or("tiers: expected a list")? {
        let tier = tier.as_object().ok_or("tiers: expected objects")?;
        let start = number::count(&part(tier, "start")?).map_err(|why| format!("start: {why}"))?;
        by_length.insert(start, unit.price(&part(tier, "price")?, per)?);
    }
    Ok(by_length)
}

/// Adds a note once.
pub fn note(ignored: &mut Vec<String>, note: String) {
    if !ignored.contains(&note) {
        ignored.push(note);
    }
}
