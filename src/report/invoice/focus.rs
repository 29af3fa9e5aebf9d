//! FOCUS cost and usage files, 1.0 to 1.4, as CSV.
//!
//! Source: FinOps Open Cost and Usage Specification (focus.finops.org). `BilledCost` in `BillingCurrency` is what is
//! invoiced. The seller is `ProviderName` until 1.2 and `ServiceProviderName` from 1.3 on, which deprecates the older
//! column. FOCUS has no column for a model or a kind of token: they are read from `x_Model` and `x_TokenType` where a file
//! has them, else from `ResourceName` of a resource type that is a model, `SkuId`, `SkuMeter` and `ChargeDescription`, as
//! «FOCUS for AI» recommends.

use super::table::{Record, Table};
use super::token_kind::TokenKind;
use super::{Charge, Document, Format, Line, ReadError};

pub fn read(text: &str, provider: Option<&str>) -> Result<Document, ReadError> {
    let mut document = Document::new(Format::Focus);
    let mut table = Table::read(text)?;
    for column in ["BilledCost", "BillingCurrency", "ChargePeriodStart", "ChargePeriodEnd", "ChargeCategory"] {
        if !table.has(column) {
            return Err(ReadError::new("line 1", format!("no column {column}")));
        }
    }
    while let Some(record) = table.next() {
        let line = line(&record?, provider)?;
        document.cover(line.starts_at, line.ends_at);
        document.take(line);
    }
    Ok(document)
}

fn line(record: &Record<'_>, provider: Option<&str>) -> Result<Line, ReadError> {
    let required = |column: &str| record.instant(column)?.ok_or_else(|| record.refuse(column, "missing"));
    let (starts_at, ends_at) = (required("ChargePeriodStart")?, required("ChargePeriodEnd")?);
    if starts_at >= ends_at {
        return Err(record.refuse("ChargePeriodEnd", "not after ChargePeriodStart"));
    }
    let seller = provider.or_else(|| record.first(&["ServiceProviderName", "ProviderName", "PublisherName"]));
    let category = record.text("ChargeCategory").ok_or_else(|| record.refuse("ChargeCategory", "missing"))?;
    let charge = Charge::from_name(category)
        .ok_or_else(|| record.refuse("ChargeCategory", "none of Usage, Purchase, Tax, Credit, Adjustment"))?;
    // A correction of an earlier period is no use of this one, whatever it corrects.
    let is_correction = record.text("ChargeClass").is_some_and(|class| class.eq_ignore_ascii_case("correction"));
    let mut line = Line {
        at: record.at.clone(),
        starts_at,
        ends_at,
        provider: seller.ok_or_else(|| record.refuse("ServiceProviderName", "missing"))?.to_string(),
        charge: if is_correction { Charge::Adjustment } else { charge },
        api_key: record.first(&["x_ApiKeyId", "x_ApiKey"]).map(str::to_string),
        project: record.first(&["x_ProjectId", "x_Project", "SubAccountId"]).map(str::to_string),
        workspace: record.first(&["x_WorkspaceId", "x_Workspace"]).map(str::to_string),
        end_user: record.first(&["x_EndUser", "x_UserId"]).map(str::to_string),
        cost: Some(record.amount("BilledCost")?.ok_or_else(|| record.refuse("BilledCost", "missing"))?),
        currency: Some(record.currency("BillingCurrency")?.ok_or_else(|| record.refuse("BillingCurrency", "missing"))?),
        service_tier: record.first(&["x_ServiceTier"]).map(str::to_string),
        region: record.owned("RegionId"),
        description: record.owned("ChargeDescription"),
        ..Line::default()
    };
    let power = record.first(&["ConsumedUnit", "PricingUnit"]).and_then(tokens_power);
    line.model = model(record, power.is_some()).map(str::to_string);
    if line.charge == Charge::Usage {
        usage(record, power, &mut line)?;
    }
    Ok(line)
}

/// The quantity consumed, where it is in tokens of a kind that is known.
fn usage(record: &Record<'_>, power: Option<usize>, line: &mut Line) -> Result<(), ReadError> {
    let column = if record.text("ConsumedQuantity").is_some() { "ConsumedQuantity" } else { "PricingQuantity" };
    let words = ["x_TokenType", "x_TokenKind", "SkuMeter", "SkuId", "ChargeDescription"];
    let kind = words.iter().find_map(|column| record.text(column).and_then(TokenKind::from_words));
    if let (Some(power), Some(kind), Some(quantity)) = (power, kind, record.amount(column)?) {
        let tokens = quantity.times_power_of_ten(power).count().map_err(|why| record.refuse(column, why))?;
        kind.set(line, tokens);
    }
    line.requests = record.count("x_Requests")?;
    Ok(())
}

/// The power of ten by which a unit such as `Tokens`, `1000 Tokens`, `1K tokens` or `1M Tokens` counts tokens.
fn tokens_power(unit: &str) -> Option<usize> {
    let unit: String = unit.to_ascii_lowercase().chars().filter(|c| c.is_ascii_alphanumeric()).collect();
    match unit.strip_suffix("tokens").or_else(|| unit.strip_suffix("token"))? {
        "" | "1" => Some(0),
        "1000" | "1k" | "k" | "thousand" => Some(3),
        "1000000" | "1m" | "m" | "million" => Some(6),
        _ => None,
    }
}

fn model<'a>(record: &'a Record<'_>, is_in_tokens: bool) -> Option<&'a str> {
    record.first(&["x_Model", "x_ModelName", "x_ModelId"]).or_else(|| {
        let is_model = record.text("ResourceType").is_some_and(|kind| kind.to_ascii_lowercase().contains("model"));
        if is_model {
            return record.first(&["ResourceName", "ResourceId"]);
        }
        is_in_tokens.then(|| record.text("SkuId").and_then(|sku| sku.split([',', ':']).next())).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::super::Amount;
    use super::*;

    #[test]
    fn units_of_tokens() {
        assert_eq!(tokens_power("Tokens"), Some(0));
        assert_eq!(tokens_power("1000 Tokens"), Some(3));
        assert_eq!(tokens_power("1M tokens"), Some(6));
        assert_eq!(tokens_power("Hours"), None);
        assert_eq!(Amount::parse("1.5").map(|amount| amount.times_power_of_ten(6).count()), Ok(Ok(1_500_000)));
    }
}
