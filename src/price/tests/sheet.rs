//! Prices and usages at random, kept as whole numbers from which the paper computes for itself.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::oracle::Natural;
use super::*;

pub(super) const METERS: [&str; 3] = ["gpu_minutes", "storage_searches", "tool_calls"];

/// Input tokens without those that a hold counts on only when told.
pub(super) const HELD_INPUT: [Bucket; 10] = [
    Bucket::UncachedInput,
    Bucket::CacheRead,
    Bucket::CacheReadAudio,
    Bucket::CacheReadImage,
    Bucket::CacheWrite,
    Bucket::CacheWrite5m,
    Bucket::InputAudio,
    Bucket::InputImage,
    Bucket::InputVideo,
    Bucket::ToolPrompt,
];

pub(super) const HELD_OUTPUT: [Bucket; 5] =
    [Bucket::OutputText, Bucket::Reasoning, Bucket::RejectedPrediction, Bucket::OutputAudio, Bucket::OutputImage];

pub(super) const COUNTERS: [Bucket; 7] = [
    Bucket::Searches,
    Bucket::SearchesLow,
    Bucket::SearchesHigh,
    Bucket::Seconds,
    Bucket::Pages,
    Bucket::Characters,
    Bucket::Images,
];

pub(super) fn natural(value: impl ToString) -> Natural {
    Natural::new(&value.to_string())
}

/// Prices in units of the twelfth decimal, as they are stated.
#[derive(Debug, Clone)]
pub(super) struct Sheet {
    pub(super) buckets: BTreeMap<Bucket, i64>,
    pub(super) meters: BTreeMap<String, i64>,
    pub(super) minimum: Option<i64>,
}

impl Sheet {
    pub(super) fn price(&self) -> Price {
        let text = |pico: i64| format!("{}.{:012}", pico / 1_000_000_000_000, pico % 1_000_000_000_000);
        let mut price = Price::default();
        for (bucket, pico) in &self.buckets {
            price.set(*bucket, Some(unit(*bucket, &text(*pico))));
        }
        for (name, pico) in &self.meters {
            price.meters.insert(name.clone(), meter_unit(&text(*pico)));
        }
        price.minimum_charge = self.minimum.map(|pico| meter_unit(&text(pico)));
        price
    }

    /// The price of one of a kind in 1e-18, as stated.
    pub(super) fn stated(&self, bucket: Bucket) -> Option<Natural> {
        let by_the_piece = [
            Bucket::Requests,
            Bucket::Searches,
            Bucket::SearchesLow,
            Bucket::SearchesHigh,
            Bucket::Seconds,
            Bucket::Pages,
            Bucket::Images,
        ];
        let pico = natural(self.buckets.get(&bucket)?);
        Some(if by_the_piece.contains(&bucket) { pico.times(&natural(1_000_000)) } else { pico })
    }

    /// The price of one of a meter in 1e-18.
    pub(super) fn meter(&self, name: &str) -> Option<Natural> {
        Some(natural(self.meters.get(name)?).times(&natural(1_000_000)))
    }

    pub(super) fn minimum(&self) -> Natural {
        natural(self.minimum.unwrap_or(0)).times(&natural(1_000_000))
    }

    /// The price of one of a kind in 1e-18, by the documented rules, each written out.
    pub(super) fn effective(&self, bucket: Bucket) -> Option<Natural> {
        let own = |bucket: Bucket| self.buckets.get(&bucket);
        let text = own(Bucket::UncachedInput);
        let is_its_own = |bucket: Bucket| own(bucket).is_some() && own(bucket) != text;
        let in_order: &[Bucket] = match bucket {
            Bucket::CacheRead => &[Bucket::CacheRead, Bucket::UncachedInput],
            Bucket::CacheReadAudio if is_its_own(Bucket::InputAudio) => &[Bucket::CacheReadAudio, Bucket::InputAudio],
            Bucket::CacheReadAudio if own(Bucket::InputAudio).is_none() => &[Bucket::CacheReadAudio],
            Bucket::CacheReadAudio => &[Bucket::CacheReadAudio, Bucket::CacheRead, Bucket::UncachedInput],
            Bucket::CacheReadImage if is_its_own(Bucket::InputImage) => &[Bucket::CacheReadImage, Bucket::InputImage],
            Bucket::CacheReadImage => &[Bucket::CacheReadImage, Bucket::CacheRead, Bucket::UncachedInput],
            Bucket::CacheWrite5m => &[Bucket::CacheWrite5m, Bucket::CacheWrite],
            Bucket::InputImage => &[Bucket::InputImage, Bucket::UncachedInput],
            Bucket::InputVideo => &[Bucket::InputVideo, Bucket::UncachedInput],
            Bucket::ToolPrompt => &[Bucket::ToolPrompt, Bucket::UncachedInput],
            Bucket::Reasoning => &[Bucket::Reasoning, Bucket::OutputText],
            Bucket::RejectedPrediction => &[Bucket::RejectedPrediction, Bucket::OutputText],
            Bucket::SearchesLow => &[Bucket::SearchesLow, Bucket::Searches],
            Bucket::SearchesHigh => &[Bucket::SearchesHigh, Bucket::Searches],
            _ => return self.stated(bucket),
        };
        let found = in_order.iter().find(|bucket| self.buckets.contains_key(bucket))?;
        self.stated(*found)
    }
}

/// What a model did, with its prices.
#[derive(Debug, Clone)]
pub(super) struct Used {
    pub(super) counts: Counts,
    pub(super) meters: Amounts,
    pub(super) sheet: Sheet,
}

impl Used {
    /// Sets every bucket to zero that the prices cannot pay.
    pub(super) fn payable(mut self) -> Self {
        for bucket in Bucket::ALL {
            if bucket != Bucket::Requests && self.sheet.effective(bucket).is_none() {
                self.counts[bucket] = 0;
            }
        }
        self
    }

    /// Without what a hold for these tokens does not cover.
    pub(super) fn holdable(self, cache_writes: CacheWrites) -> Self {
        let mut used = self.payable();
        used.counts[Bucket::Citation] = 0;
        used.counts[Bucket::Requests] = used.counts[Bucket::Requests].min(1);
        if cache_writes == CacheWrites::Standard {
            used.counts[Bucket::CacheWrite1h] = 0;
        }
        used
    }

    /// The exact cost of one's lines in 1e-18, by hand.
    pub(super) fn lines_by_hand(&self, unit: impl Fn(Bucket) -> Option<Natural>, sheet: &Sheet) -> Natural {
        let pay = |count: i64, unit: Option<Natural>| unit.map_or(natural(0), |unit| natural(count).times(&unit));
        let buckets = Bucket::ALL.into_iter().map(|bucket| pay(self.counts[bucket], unit(bucket)));
        let meters = self.meters.iter().map(|(name, count)| pay(*count, sheet.meter(name)));
        buckets.chain(meters).fold(natural(0), |sum, line| sum.plus(&line))
    }

    /// The exact cost in 1e-18, by hand.
    pub(super) fn by_hand(&self) -> Natural {
        let lines = self.lines_by_hand(|bucket| self.sheet.effective(bucket), &self.sheet);
        lines.max(&self.sheet.minimum())
    }
}

/// The bill of several models.
pub(super) fn bill_of(used: &[Used]) -> Result<Bill, PriceError> {
    let prices: Vec<Price> = used.iter().map(|used| used.sheet.price()).collect();
    bill(&subjects(used, &prices))
}

pub(super) fn subjects<'a>(used: &'a [Used], prices: &'a [Price]) -> Vec<Subject<'a>> {
    let subject = |(used, price): (&'a Used, &'a Price)| Subject { counts: &used.counts, meters: &used.meters, price };
    used.iter().zip(prices).map(subject).collect()
}

/// Prices in all their digits, and round ones, in which ties occur by the million and by the piece.
fn pico() -> impl Strategy<Value = i64> {
    prop_oneof![
        0..1_000_000_000_000_000_i64,
        (0..2_000_i64).prop_map(|halves| halves * 500_000_000),
        (0..2_000_i64).prop_map(|halves| halves * 500),
        0..5_i64,
        Just(1_000_000_000_000_000_000),
    ]
}

pub(super) fn count() -> impl Strategy<Value = i64> {
    prop_oneof![3 => Just(0), 3 => 0..10_i64, 2 => 0..10_000_000_i64, 1 => 0..1_000_000_000_000_i64]
}

prop_compose! {
    /// Plain input and output nearly always have a price, and often that of audio is the same.
    pub(super) fn any_sheet()(
        input in prop::option::weighted(0.95, pico()), output in prop::option::weighted(0.95, pico()),
        others in prop::collection::vec(prop::option::of(pico()), Bucket::COUNT), is_audio_text: bool, is_image_text: bool,
        meters in prop::collection::vec(prop::option::of(pico()), METERS.len()),
        minimum in prop::option::weighted(0.3, pico()),
    ) -> Sheet {
        let mut stated: BTreeMap<Bucket, Option<i64>> = Bucket::ALL.into_iter().zip(others).collect();
        stated.insert(Bucket::UncachedInput, input);
        stated.insert(Bucket::OutputText, output);
        for (bucket, is_text) in [(Bucket::InputAudio, is_audio_text), (Bucket::InputImage, is_image_text)] {
            if is_text {
                stated.insert(bucket, input);
            }
        }
        Sheet {
            buckets: stated.into_iter().filter_map(|(bucket, pico)| Some((bucket, pico?))).collect(),
            meters: METERS.iter().zip(meters).filter_map(|(name, pico)| Some(((*name).to_owned(), pico?))).collect(),
            minimum,
        }
    }
}

prop_compose! {
    pub(super) fn any_used()(
        counts in prop::collection::vec(count(), Bucket::COUNT), meters in prop::collection::vec(count(), METERS.len()),
        sheet in any_sheet(),
    ) -> Used {
        let mut all = Counts::none();
        for (bucket, count) in Bucket::ALL.into_iter().zip(counts) {
            all[bucket] = count;
        }
        let meters = METERS.iter().zip(meters).map(|(name, count)| ((*name).to_owned(), count)).collect();
        Used { counts: all, meters, sheet }
    }
}
