//! The prices that an entry states.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::key::{self, Base, Key};
use super::layers::{Layers, Row};
use crate::price::UnitPrice;
use crate::price::import::entry::ZERO_AS_LISTED;
use crate::price::import::number::{self, For};
use crate::price::import::units::{Unit, Units, drop_free_write, is_zero, zeros};
use crate::usage::{Bucket, STANDARD};

/// Keys that name a price which the book has no place for, with the reason.
const NO_PLACE: [(&str, &str); 6] = [
    ("off_peak_pricing", "depends on the time of day"),
    ("input_dbu_cost_per_token", "not in dollars"),
    ("output_dbu_cost_per_token", "not in dollars"),
    ("explicit_cache_read_input_token_cost", "usages do not tell explicit caching apart"),
    ("cache_creation_input_audio_token_cost", "usages do not count audio written to a cache"),
    ("output_cost_per_video_token", "usages do not count video tokens made"),
];

/// Keys that [`super::uplift`] and [`tiered_pricing`] read.
const READ_ELSEWHERE: [&str; 4] = [
    "tiered_pricing",
    "regional_processing_uplift_multiplier_eu",
    "regional_processing_uplift_multiplier_us",
    "regional_endpoint_uplift_multiplier",
];

/// Reads the rows of an entry; the error says why it is left out.
pub fn read(
    entry: &Map<String, Value>,
    operation: Option<&str>,
    ignored: &mut Vec<String>,
) -> Result<Vec<Row>, String> {
    let mut reader = Reader { entry, operation, layers: Layers::default(), candidates: BTreeMap::new(), ignored };
    for (key, value) in entry.iter().filter(|(_, value)| !value.is_null()) {
        reader.key(key, value).map_err(|why| format!("{key}: {why}"))?;
    }
    reader.settle();
    reader.cache_hit().map_err(|why| format!("input_cost_per_token_cache_hit: {why}"))?;
    reader.tiered_pricing().map_err(|why| format!("tiered_pricing: {why}"))?;
    reader.zeros();
    let has_audio_as_text = reader.has_audio_as_text();
    let mut rows = reader.layers.rows();
    if has_audio_as_text {
        rows.iter_mut().for_each(|row| audio_as_text(&mut row.units));
    }
    Ok(rows)
}

/// A unit under some circumstances, with every key that prices it.
type Candidates<'a> = BTreeMap<(String, i64, Unit), Vec<(&'a str, UnitPrice)>>;

struct Reader<'a, 'b> {
    entry: &'a Map<String, Value>,
    operation: Option<&'a str>,
    layers: Layers,
    candidates: Candidates<'a>,
    ignored: &'b mut Vec<String>,
}

impl<'a> Reader<'a, '_> {
    fn key(&mut self, key: &'a str, value: &'a Value) -> Result<(), String> {
        let Some(parsed) = key::parse(key).filter(|parsed| self.is_tier(parsed)) else {
            if key::is_about_price(key) && !READ_ELSEWHERE.contains(&key) && number::is_something(value) {
                let known = NO_PLACE.into_iter().find(|(name, _)| *name == key);
                self.ignore(key, known.map_or("no unit of the price book", |(_, why)| why));
            }
            return Ok(());
        };
        match self.unit(parsed.base) {
            Ok((unit, per)) => {
                let price = unit.price(value, per)?;
                self.candidates
                    .entry((parsed.service_tier, parsed.above_input_tokens, unit))
                    .or_default()
                    .push((key, price));
            }
            Err(Apart::Elsewhere) => {}
            Err(Apart::Search) => self.search(value)?,
            Err(Apart::Ignored(why)) => {
                if number::is_something(value) {
                    self.ignore(key, why);
                }
            }
        }
        Ok(())
    }

    /// A word at the end is a tier only if both input and output have a price with it, unless it is known as one.
    fn is_tier(&self, key: &Key) -> bool {
        key.unknown_tier.as_ref().is_none_or(|word| {
            let has = |base: &str| self.entry.get(&format!("{base}_{word}")).is_some_and(|value| !value.is_null());
            has("input_cost_per_token") && has("output_cost_per_token")
        })
    }

    /// What a base prices here; the same key means another thing for other models.
    fn unit(&self, base: Base) -> Result<(Unit, For), Apart> {
        let one = |bucket| Ok((Unit::Bucket(bucket), For::One));
        match (base, self.operation) {
            (Base::One(unit), _) => Ok((unit, For::One)),
            (Base::Thousand(unit), _) => Ok((unit, For::Thousand)),
            (Base::CacheHit, _) => Err(Apart::Elsewhere),
            (Base::Search, _) => Err(Apart::Search),
            // Second of a capacity that is rented, used or not.
            (Base::Second, Some("chat" | "embeddings")) => Err(Apart::Ignored("not a price of the call")),
            (Base::Second, _) | (Base::AudioSecond, Some("transcription")) => one(Bucket::Seconds),
            (Base::VideoSecond, Some("video_generation")) => one(Bucket::Seconds),
            (Base::AudioSecond | Base::VideoSecond, _) => Err(Apart::Ignored("seconds beside another unit")),
            (Base::OutputImage, Some("image_generation")) => one(Bucket::Images),
            (Base::OutputImage, _) => Err(Apart::Ignored("not a model that makes images")),
            // A chat model bills the images that it reads as tokens.
            (Base::InputImage, Some("chat")) if self.entry.contains_key("input_cost_per_token") => {
                Err(Apart::Ignored("images are input tokens here"))
            }
            (Base::InputImage, _) => one(Bucket::Images),
            (Base::Character, Some("text_to_speech") | None) => one(Bucket::Characters),
            (Base::Character, _) => Err(Apart::Ignored("tokens are the unit here")),
            (Base::Query, Some("rerank" | "search" | "vector_store")) => one(Bucket::Searches),
            (Base::Query, _) => Err(Apart::Ignored("not a model that searches")),
        }
    }

    /// Prices of a search by the size of its context.
    fn search(&mut self, value: &Value) -> Result<(), String> {
        let sizes = value.as_object().ok_or("expected an object")?;
        let unit = Unit::Bucket(Bucket::Searches);
        let size = |name: &str| match sizes.get(&format!("search_context_size_{name}")) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => unit.price(value, For::One).map(Some).map_err(|why| format!("{name}: {why}")),
        };
        let (low, medium, high) = (size("low")?, size("medium")?, size("high")?);
        // Without a medium size the dearest stands for a search of unknown size.
        let Some(plain) = medium.or_else(|| low.max(high)) else {
            return Ok(());
        };
        let base = self.layers.at(STANDARD, 0);
        base.insert(unit, plain);
        for (bucket, price) in [(Bucket::SearchesLow, low), (Bucket::SearchesHigh, high)] {
            if let Some(price) = price.filter(|price| *price != plain) {
                base.insert(Unit::Bucket(bucket), price);
            }
        }
        Ok(())
    }

    /// Files every price whose keys agree. The file has two keys for what is one unit here (seconds heard and made, images
    /// read and made) and fills one of them, both alike or the other with zero; otherwise neither can be trusted.
    fn settle(&mut self) {
        for ((tier, above, unit), prices) in std::mem::take(&mut self.candidates) {
            let mut nonzero = prices.iter().map(|(_, price)| *price).filter(|price| price.atto() != 0);
            let price = nonzero.next().or_else(|| prices.first().map(|(_, price)| *price));
            let Some(price) = price else { continue };
            if nonzero.any(|other| other != price) {
                for (key, _) in prices {
                    self.ignore(key, "two prices for one unit");
                }
            } else {
                self.layers.at(&tier, above).insert(unit, price);
            }
        }
    }

    /// The older key for input read from a cache.
    fn cache_hit(&mut self) -> Result<(), String> {
        let unit = Unit::Bucket(Bucket::CacheRead);
        let Some(value) = self.entry.get("input_cost_per_token_cache_hit").filter(|value| !value.is_null()) else {
            return Ok(());
        };
        let price = unit.price(value, For::One)?;
        self.layers.at(STANDARD, 0).entry(unit).or_insert(price);
        Ok(())
    }

    /// The explicit table: each part holds from the first number of its range on, and the part from zero is the base.
    fn tiered_pricing(&mut self) -> Result<(), String> {
        let parts = match self.entry.get("tiered_pricing") {
            None | Some(Value::Null) => return Ok(()),
            Some(value) => value.as_array().ok_or("expected a list")?,
        };
        for part in parts {
            let part = part.as_object().ok_or("expected a list of objects")?;
            let Some(range) = part.get("range") else {
                self.ignore("tiered_pricing", "not by input tokens");
                continue;
            };
            let from = range.as_array().and_then(|range| range.first()).ok_or("expected a range of two numbers")?;
            let from = number::count(from).map_err(|why| format!("range: {why}"))?;
            for (key, value) in part.iter().filter(|(key, value)| *key != "range" && !value.is_null()) {
                let parsed = key::parse(key).filter(|key| key.above_input_tokens == 0 && key.unknown_tier.is_none());
                match parsed.map(|key| (key.base, key.service_tier)) {
                    Some((Base::One(unit), tier)) => {
                        let price = unit.price(value, For::One).map_err(|why| format!("{key}: {why}"))?;
                        self.layers.at(&tier, from).insert(unit, price);
                    }
                    _ if number::is_something(value) => {
                        self.ignore(&format!("tiered_pricing.{key}"), "no unit of the price book");
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// Removes zeros that are no prices, and notes those that are.
    fn zeros(&mut self) {
        self.drop_free_writes();
        let base = self.layers.base().cloned().unwrap_or_default();
        let has_free_tokens = |unit| !base.contains_key(&unit) || is_zero(&base, unit);
        let is_paid_otherwise = self.layers.prices().any(|price| price.atto() != 0) || !self.ignored.is_empty();
        if has_free_tokens(Unit::INPUT) && has_free_tokens(Unit::OUTPUT) && is_paid_otherwise {
            // Tokens are not what this model bills, and a call recorded in tokens alone would cost nothing.
            self.layers.each().for_each(|units| units.retain(|unit, price| !unit.is_token() || price.atto() != 0));
            return;
        }
        // An embedding has no output to bill; a free side of a conversation is worth a look.
        let is_all_free = self.layers.prices().all(|price| price.atto() == 0);
        let is_expected = !matches!(self.operation, Some("chat" | "realtime") | None);
        for unit in zeros(&base) {
            if is_all_free || unit != Unit::OUTPUT || !is_expected {
                self.ignore(unit.name(), ZERO_AS_LISTED);
            }
        }
    }

    /// Where input costs something, a cache write of zero means that it costs no more than that. Taken as a price it would
    /// make the input that is written free.
    fn drop_free_writes(&mut self) {
        let is_input_paid =
            self.layers.base().and_then(|base| base.get(&Unit::INPUT)).is_some_and(|price| price.atto() != 0);
        if is_input_paid && self.layers.each().map(drop_free_write).fold(false, |any, dropped| any | dropped) {
            self.ignore("cache_creation_input_token_cost", "0 beside a price of input");
        }
    }

    /// Whether audio costs what text costs: the model hears, and nothing in the entry prices audio apart.
    fn has_audio_as_text(&self) -> bool {
        let prices_audio = |(key, value): (&String, &Value)| {
            key.contains("audio") && key.contains("cost") && number::is_something(value)
        };
        self.entry.get("supports_audio_input") == Some(&Value::Bool(true)) && !self.entry.iter().any(prices_audio)
    }

    fn ignore(&mut self, key: &str, why: &str) {
        let note = format!("{key}: {why}");
        if !self.ignored.contains(&note) {
            self.ignored.push(note);
        }
    }
}

/// Why a base has no unit of its own here.
enum Apart {
    Elsewhere,
    Search,
    Ignored(&'static str),
}

fn audio_as_text(units: &mut Units) {
    if let Some(price) = units.get(&Unit::INPUT).copied() {
        units.entry(Unit::Bucket(Bucket::InputAudio)).or_insert(price);
    }
}
