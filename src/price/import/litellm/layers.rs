//! Prices by tier and by length, and the rows that follow from them.

use std::collections::{BTreeMap, BTreeSet};

use crate::price::UnitPrice;
use crate::price::import::units::{Unit, Units};
use crate::usage::{Bucket, STANDARD};

/// Kinds that cost what text costs where the file says so once: tiers and thresholds then restate the text alone.
const FOLLOWS: [(Bucket, Bucket); 6] = [
    (Bucket::Reasoning, Bucket::OutputText),
    (Bucket::OutputAudio, Bucket::OutputText),
    (Bucket::OutputImage, Bucket::OutputText),
    (Bucket::InputAudio, Bucket::UncachedInput),
    (Bucket::InputImage, Bucket::UncachedInput),
    (Bucket::InputVideo, Bucket::UncachedInput),
];

/// What an entry states, by tier and by the input tokens above which it holds.
#[derive(Debug, Clone, Default)]
pub struct Layers(BTreeMap<(String, i64), Units>);

/// A row without a place.
#[derive(Debug, Clone)]
pub struct Row {
    /// The tier.
    pub service_tier: String,
    /// It holds for requests of more input tokens than this.
    pub above_input_tokens: i64,
    /// All its prices.
    pub units: Units,
}

impl Layers {
    /// The prices stated for a tier above a length.
    pub fn at(&mut self, service_tier: &str, above_input_tokens: i64) -> &mut Units {
        self.0.entry((service_tier.to_owned(), above_input_tokens)).or_default()
    }

    /// Every set of prices that is stated.
    pub fn each(&mut self) -> impl Iterator<Item = &mut Units> {
        self.0.values_mut()
    }

    /// What is stated for the standard tier and requests of any length.
    pub fn base(&self) -> Option<&Units> {
        self.0.get(&(STANDARD.to_owned(), 0))
    }

    /// Every price that is stated.
    pub fn prices(&self) -> impl Iterator<Item = UnitPrice> + '_ {
        self.0.values().flat_map(BTreeMap::values).copied()
    }

    /// The rows: each tier at each length, complete.
    ///
    /// A tier has its own prices, and those of the standard tier for what it does not state. Above a threshold at which the
    /// standard tier becomes dearer, the dearer of the two is taken for what the tier does not restate there: a tier's price
    /// for a short request says nothing of a long one, and the guess must not be too low.
    pub fn rows(mut self) -> Vec<Row> {
        self.0.retain(|_, units| !units.is_empty());
        let tiers: BTreeSet<&str> = self.0.keys().map(|(tier, _)| tier.as_str()).collect();
        let lengths: BTreeSet<i64> = self.0.keys().map(|(_, above)| *above).collect();
        let mut rows = Vec::new();
        for tier in tiers {
            for above in &lengths {
                let is_stated = |tier: &str| self.0.contains_key(&(tier.to_owned(), *above));
                if is_stated(tier) || (is_stated(STANDARD) && self.holds_below(tier, *above)) {
                    let units = self.row(tier, *above);
                    rows.push(Row { service_tier: tier.to_owned(), above_input_tokens: *above, units });
                }
            }
        }
        rows
    }

    fn row(&self, tier: &str, above: i64) -> Units {
        let units: BTreeSet<Unit> = self.0.values().flat_map(BTreeMap::keys).copied().collect();
        let price = |unit: Unit| {
            let standard = self.last(STANDARD, above, unit);
            let own = if tier == STANDARD { None } else { self.last(tier, above, unit) };
            match (standard, own) {
                (Some((restated, standard)), Some((stated, own))) if restated > stated => Some(standard.max(own)),
                (_, Some((_, own))) => Some(own),
                (Some((_, standard)), None) => Some(standard),
                (None, None) => None,
            }
        };
        let mut row: Units = units.into_iter().filter_map(|unit| Some((unit, price(unit)?))).collect();
        for (kind, text) in FOLLOWS {
            if self.is_alike(Unit::Bucket(kind), Unit::Bucket(text))
                && let Some(price) = row.get(&Unit::Bucket(text)).copied()
            {
                row.insert(Unit::Bucket(kind), price);
            }
        }
        row
    }

    /// Whether a kind is priced once only, and like the text beside it.
    fn is_alike(&self, kind: Unit, text: Unit) -> bool {
        let base = self.base().and_then(|base| Some((base.get(&kind)?, base.get(&text)?)));
        let stated = self.0.values().filter(|units| units.contains_key(&kind)).count();
        stated == 1 && base.is_some_and(|(kind, text)| kind == text)
    }

    /// Whether the tier has any price for requests of no more input than that.
    fn holds_below(&self, tier: &str, above: i64) -> bool {
        self.0.range((tier.to_owned(), 0)..(tier.to_owned(), above)).next().is_some()
    }

    /// The price of a tier that holds for requests just above a length, with the length from which it holds.
    fn last(&self, tier: &str, above: i64, unit: Unit) -> Option<(i64, UnitPrice)> {
        let up_to = (tier.to_owned(), 0)..=(tier.to_owned(), above);
        self.0.range(up_to).rev().find_map(|((_, from), units)| Some((*from, *units.get(&unit)?)))
    }
}
