//! OpenAI's costs API: `GET /v1/organization/costs`.
//!
//! Source: openai-python, `types/admin/organization/usage_costs_response.py` and `cost_quantity_unit.py`; that
//! `amount.value` also comes as text, with many zeros or as `0E-6176`, is tested by openai-java
//! (`UsageCostsResponseTest.parsesStringEncodedCostAmounts`). With `group_by=line_item` a line item names model and kind of
//! token in words: `gpt-4o-2024-08-06, cached input`, `priority | gpt-5.6-sol, output, long context`,
//! `gpt-audio-mini-2025-12-15 audio, input`; others name no model (`web search tool calls`). These words are no part of the
//! specification; public clients of the API agree on them.

use serde_json::Value;

use super::openai_usage::{PROVIDER, period};
use super::pages::{self, Node};
use super::token_kind::TokenKind;
use super::{Amount, Document, Format, Line, ReadError};

pub fn read(value: &Value) -> Result<Document, ReadError> {
    pages::read(value, Format::OpenaiCosts, period, |document, result, period| {
        document.take(line(result, period)?);
        Ok(())
    })
}

fn line(result: &Node<'_>, (starts_at, ends_at): (i64, i64)) -> Result<Line, ReadError> {
    let object = result.required_text("object")?;
    if object != "organization.costs.result" {
        return Err(result.refuse("object", format!("{object} is no costs result")));
    }
    let mut line = Line {
        at: result.at.clone(),
        starts_at,
        ends_at,
        provider: PROVIDER.into(),
        api_key: result.text("api_key_id")?,
        project: result.text("project_id")?,
        description: result.text("line_item")?,
        ..Line::default()
    };
    if let Some(amount) = result.child("amount")? {
        line.cost = amount.amount("value")?;
        line.currency = amount.text("currency")?.map(|currency| currency.to_ascii_uppercase());
        if line.cost.is_some() && line.currency.is_none() {
            return Err(amount.refuse("currency", "missing"));
        }
    }
    let quantity = result.amount("quantity")?;
    let unit = result.text("quantity_unit")?;
    if let Some(item) = line.description.as_deref().and_then(LineItem::parse) {
        line.model = Some(item.model.to_string());
        line.service_tier = item.service_tier.map(str::to_string);
        if let (Some(kind), Some(tokens)) = (item.kind, tokens(quantity, unit.as_deref())) {
            let tokens = tokens.count().map_err(|why| result.refuse("quantity", why))?;
            kind.set(&mut line, tokens);
        }
    }
    Ok(line)
}

/// The quantity in tokens, where the unit says that it is one; older answers have no unit.
fn tokens(quantity: Option<Amount>, unit: Option<&str>) -> Option<Amount> {
    match unit? {
        "tokens" => quantity,
        "1000_tokens" => quantity.map(|quantity| quantity.times_power_of_ten(3)),
        _ => None,
    }
}

/// The words of a line item that names a model.
struct LineItem<'a> {
    service_tier: Option<&'a str>,
    model: &'a str,
    kind: Option<TokenKind>,
}

impl<'a> LineItem<'a> {
    fn parse(text: &'a str) -> Option<LineItem<'a>> {
        let (service_tier, rest) = match text.split_once(" | ") {
            Some((tier, rest)) => (Some(tier.trim()), rest),
            None => (None, text),
        };
        let (head, words) = match rest.split_once(',') {
            Some((head, words)) => (head.trim(), Some(words)),
            None => (rest.trim(), None),
        };
        let mut names = head.split_whitespace();
        let model = names.next()?;
        // The name of a tool is in words; a model may be followed by a modality, but only before a kind of token.
        let is_model = if words.is_some() { names.count() <= 1 } else { names.next().is_none() };
        is_model.then(|| LineItem { service_tier, model, kind: words.and_then(TokenKind::from_words) })
    }
}
