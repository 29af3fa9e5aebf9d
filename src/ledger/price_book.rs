//! Prices as the ledger looks them up, and what it says when there is none.

use pgrx::AnyNumeric;
use pgrx::spi::SpiClient;
use serde_json::json;

use crate::instant::Instant;
use crate::ledger::Failure;
use crate::price::{Candidate, PerMillion, Price, PriceError, candidates};
use crate::refusal::{Code, Refusal};
use crate::statement::{optional, required, statement, timestamp};

statement! {
    /// The price of each model, provider and origin that holds at an instant.
    read find_prices(TEXTARRAYOID, TEXTOID, TIMESTAMPTZOID) =
    "SELECT DISTINCT ON (price.model, price.provider, price.origin)
         price.price_id, price.model, price.provider, price.origin, price.max_input_tokens, price.input_price,
         price.cache_read_price, price.cache_write_price, price.cache_write_1h_price, price.output_price,
         price.reasoning_price, price.web_search_price, price.input_audio_price, price.input_image_price,
         price.output_audio_price, price.output_image_price, price.covers
     FROM tokbudget.price
     WHERE price.model OPERATOR(pg_catalog.=) ANY ($1) AND price.currency OPERATOR(pg_catalog.=) $2
         AND price.effective_at OPERATOR(pg_catalog.<=) $3
     ORDER BY price.model, price.provider, price.origin, price.effective_at DESC"
}

/// A price of the book.
pub struct Listed {
    pub price_id: i64,
    pub provider: String,
    pub price: Price,
}

/// The price of `model` that held at `at`. The names under which a model may be listed are tried from the most to the least
/// exact; a user's price wins over the shipped book.
pub fn find(client: &mut SpiClient<'_>, model: &str, currency: &str, at: Instant) -> Result<Listed, Failure> {
    let candidates = candidates(model);
    let names: Vec<&str> = candidates.iter().map(|candidate| candidate.name.as_str()).collect();
    let mut best: Option<((usize, bool), Listed)> = None;
    for row in find_prices(client, &[names.into(), currency.into(), timestamp(at)?.into()])? {
        let name: String = required(&row, 2)?;
        let provider: String = required(&row, 3)?;
        let origin: String = required(&row, 4)?;
        let matches = |candidate: &Candidate| {
            candidate.name == name && candidate.provider.is_none_or(|wanted| wanted == provider)
        };
        let Some(rank) = candidates.iter().position(matches) else { continue };
        let rank = (rank, origin != "user");
        if best.as_ref().is_some_and(|(best_rank, _)| *best_rank <= rank) {
            continue;
        }
        let unit_price = |ordinal| -> Result<Option<PerMillion>, Failure> {
            let numeric: Option<AnyNumeric> = optional(&row, ordinal)?;
            numeric
                .map(|numeric| PerMillion::from_decimal(&numeric.to_string()))
                .transpose()
                .map_err(|_| Failure::Internal("a price is not a decimal of at most twelve places"))
        };
        let price = Price {
            currency: currency.to_string(),
            max_input_tokens: optional(&row, 5)?,
            input: unit_price(6)?,
            cache_read: unit_price(7)?,
            cache_write: unit_price(8)?,
            cache_write_1h: unit_price(9)?,
            output: unit_price(10)?,
            reasoning: unit_price(11)?,
            web_search: unit_price(12)?,
            input_audio: unit_price(13)?,
            input_image: unit_price(14)?,
            output_audio: unit_price(15)?,
            output_image: unit_price(16)?,
            covers: required(&row, 17)?,
            // Writes for five minutes cost what writes without a stated life cost; the book has one column for both.
            cache_write_5m: None,
        };
        best = Some((rank, Listed { price_id: required(&row, 1)?, provider, price }));
    }
    best.map(|(_, listed)| listed).ok_or_else(|| {
        Refusal::new(
            Code::UnknownModelOrPrice,
            format!("no price for model \"{}\"", shortened(model)),
            json!({"model": shortened(model), "currency": currency, "at": at.to_string()}),
            "Check the name in tokbudget.price, or set a price with tb_set_price(); a price of 0 is a price.",
        )
        .into()
    })
}

/// The refusal for a usage that a price does not cover, or that cannot be computed with.
pub fn refuse(model: &str, error: &PriceError) -> Refusal {
    let detail = json!({"model": shortened(model), "why": error.to_string()});
    match error {
        PriceError::Unpriced { .. } | PriceError::Surcharge { .. } | PriceError::AboveThreshold { .. } => Refusal::new(
            Code::UnknownModelOrPrice,
            format!("no price for this use of model \"{}\"", shortened(model)),
            detail,
            "Set a price that covers it with tb_set_price(), effective no later than the reservation, and commit again.",
        ),
        _ => Refusal::new(Code::InvalidArgument, "invalid amount", detail, "Check the token counts."),
    }
}

/// A name from outside, short enough for a message.
pub fn shortened(name: &str) -> String {
    name.chars().take(100).collect()
}
