//! What a usage costs, line by line.

use pgrx::spi::SpiClient;

use crate::ledger::Failure;
use crate::ledger::price_book;
use crate::ledger::pricing::{Call, Priceable};
use crate::ledger::used::Reading;
use crate::price::{Item, bill};

/// One line of an answer of tb_cost.
pub struct Line {
    pub item: String,
    pub unit: Option<Item>,
    pub cost_atto: i128,
    pub provider: Option<String>,
    pub model: Option<String>,
    pub price_id: Option<i64>,
}

impl Line {
    fn without_price(item: &str, cost_atto: i128) -> Self {
        Line { item: item.into(), unit: None, cost_atto, provider: None, model: None, price_id: None }
    }
}

/// The lines of a bill, with one for what each minimum charge adds and one for the rounding, so that they add up to what is
/// booked.
pub fn cost_lines(
    client: &mut SpiClient<'_>,
    model: Option<&str>,
    reading: &Reading,
    call: &Call<'_>,
) -> Result<Vec<Line>, Failure> {
    let usage = &reading.usage;
    let priceable = Priceable::find(client, model, usage, &reading.meters, call)?;
    let refuse = |error| Failure::from(price_book::refuse(model.unwrap_or("none"), &error));
    let subjects = priceable.subjects(usage);
    // First, because it refuses what leaves the range; the sums below are parts of it.
    let plain: Vec<_> = subjects.iter().map(|(subject, _)| *subject).collect();
    let whole = bill(&plain).map_err(refuse)?;
    let rounding = whole.rounding_atto().map_err(refuse)?;
    let mut lines = Vec::new();
    for (subject, priced) in &subjects {
        let mut sum = 0_i128;
        for item in subject.items().map_err(refuse)? {
            sum += item.cost_atto;
            lines.push(Line {
                item: item.name.clone(),
                cost_atto: item.cost_atto,
                provider: priced.map(|priced| priced.listing.provider.clone()),
                model: priced.map(|priced| priced.listing.model.clone()),
                price_id: priced.map(|priced| priced.version.price_id),
                unit: Some(item),
            });
        }
        let total = bill(std::slice::from_ref(subject)).map_err(refuse)?.cost_atto;
        if total != sum {
            lines.push(Line::without_price("minimum_charge", total - sum));
        }
    }
    if rounding != 0 {
        lines.push(Line::without_price("rounding", rounding));
    }
    Ok(lines)
}
