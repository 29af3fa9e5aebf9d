//! Factors on the prices of tokens: for a place of processing, and for speed.
//!
//! Sources: `regional_processing_uplift_multiplier_eu` and `_us` are OpenAI's for data residency,
//! `regional_endpoint_uplift_multiplier` is Vertex AI's for any endpoint that is not the global one, and
//! `provider_specific_entry` holds Anthropic's for `inference_geo` (`us`) and for fast mode (`fast`).

use serde_json::{Map, Value};

use super::layers::Row;
use crate::price::import::number::{self, is_something};
use crate::price::import::units::multiplied;
use crate::usage::STANDARD;

/// Keys of a place's factor.
const REGIONS: [(&str, &str); 3] = [
    ("regional_processing_uplift_multiplier_eu", "eu"),
    ("regional_processing_uplift_multiplier_us", "us"),
    ("regional_endpoint_uplift_multiplier", REGIONAL),
];

/// Any endpoint that serves one place, as against the global one.
const REGIONAL: &str = "regional";

/// A tier that is a factor on the standard one.
const FAST: &str = "fast";

/// Places among the keys of `provider_specific_entry`; others are switches of the provider and no factors.
const SPECIFIC_REGIONS: [&str; 2] = ["us", "eu"];

/// The rows with those that follow by a factor; no region is anywhere.
pub fn read(
    entry: &Map<String, Value>,
    rows: &[Row],
    ignored: &mut Vec<String>,
) -> Result<Vec<(Option<String>, Row)>, String> {
    let mut regions: Vec<(&str, i128)> = Vec::new();
    let mut fast = None;
    for (key, region) in REGIONS {
        if let Some(value) = entry.get(key).filter(|value| !value.is_null()) {
            regions.push((region, number::factor(value).map_err(|why| format!("{key}: {why}"))?));
        }
    }
    if let Some(Value::Object(specific)) = entry.get("provider_specific_entry") {
        for (key, value) in specific.iter().filter(|(_, value)| is_something(value)) {
            let factor = || number::factor(value).map_err(|why| format!("provider_specific_entry.{key}: {why}"));
            if key == FAST {
                fast = Some(factor()?);
            } else if SPECIFIC_REGIONS.contains(&key.as_str()) {
                if !regions.iter().any(|(region, _)| region == key) {
                    regions.push((key, factor()?));
                }
            } else if value.is_number() {
                ignored.push(format!("provider_specific_entry.{key}: not a known factor"));
            }
        }
    }
    let mut all: Vec<Row> = rows.to_vec();
    if let Some(factor) = fast.filter(|_| rows.iter().all(|row| row.service_tier != FAST)) {
        for row in rows.iter().filter(|row| row.service_tier == STANDARD) {
            all.push(Row { service_tier: FAST.to_owned(), ..by_factor(row, factor)? });
        }
    }
    let mut placed: Vec<(Option<String>, Row)> = all.iter().map(|row| (None, row.clone())).collect();
    for (region, factor) in regions {
        for row in &all {
            placed.push((Some(region.to_owned()), by_factor(row, factor)?));
        }
    }
    Ok(placed)
}

fn by_factor(row: &Row, factor: i128) -> Result<Row, String> {
    let units = multiplied(&row.units, factor).map_err(|error| error.to_string())?;
    Ok(Row { units, ..row.clone() })
}
