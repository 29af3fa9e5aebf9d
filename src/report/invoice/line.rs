//! One line of an invoice or usage export.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Amount;

/// What a line charges for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Charge {
    /// What was used.
    #[default]
    Usage,
    Tax,
    Credit,
    /// A change of what was invoiced before, or a rounding of the provider's own.
    Adjustment,
    /// A fee, a subscription, a commitment: whatever is bought and not metered.
    Purchase,
}

impl Charge {
    pub const fn as_str(self) -> &'static str {
        match self {
            Charge::Usage => "usage",
            Charge::Tax => "tax",
            Charge::Credit => "credit",
            Charge::Adjustment => "adjustment",
            Charge::Purchase => "purchase",
        }
    }

    /// The categories of FOCUS (`ChargeCategory`), which the plain CSV shape uses too.
    pub fn from_name(name: &str) -> Option<Charge> {
        match name.to_ascii_lowercase().as_str() {
            "usage" => Some(Charge::Usage),
            "tax" => Some(Charge::Tax),
            "credit" => Some(Charge::Credit),
            "adjustment" => Some(Charge::Adjustment),
            "purchase" => Some(Charge::Purchase),
            _ => None,
        }
    }
}

/// One line. What a document does not say is none, which is not zero.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// Where it stands in the document.
    pub at: String,
    /// Microseconds since 1970; the end is not part of it.
    pub starts_at: i64,
    pub ends_at: i64,
    pub provider: String,
    pub model: Option<String>,
    pub api_key: Option<String>,
    pub project: Option<String>,
    pub workspace: Option<String>,
    pub end_user: Option<String>,
    pub charge: Charge,
    pub requests: Option<i64>,
    /// Input that was neither read from nor written to a cache.
    pub uncached_input_tokens: Option<i64>,
    pub cache_read_input_tokens: Option<i64>,
    pub cache_write_input_tokens: Option<i64>,
    pub output_tokens: Option<i64>,
    /// Other quantities, by what they count.
    pub meters: BTreeMap<String, i64>,
    pub cost: Option<Amount>,
    /// In capitals.
    pub currency: Option<String>,
    pub service_tier: Option<String>,
    pub region: Option<String>,
    pub description: Option<String>,
}

impl Line {
    pub fn has_tokens(&self) -> bool {
        self.counts().into_iter().flatten().next().is_some()
    }

    fn counts(&self) -> [Option<i64>; 4] {
        [self.uncached_input_tokens, self.cache_read_input_tokens, self.cache_write_input_tokens, self.output_tokens]
    }

    /// Whether there is nothing in it that could be reconciled.
    pub fn is_empty(&self) -> bool {
        let nothing = |count: Option<i64>| count.unwrap_or(0) == 0;
        self.counts().into_iter().all(nothing)
            && nothing(self.requests)
            && self.meters.values().all(|count| *count == 0)
            && self.cost.as_ref().is_none_or(Amount::is_zero)
    }

    /// All input, as the ledger counts it; none where that is more than a count can be.
    fn input_tokens(&self) -> Option<i64> {
        let parts = [self.uncached_input_tokens, self.cache_read_input_tokens, self.cache_write_input_tokens];
        if parts.iter().all(Option::is_none) {
            return None;
        }
        Some(parts.into_iter().flatten().fold(0, i64::saturating_add))
    }

    pub(super) fn to_json(&self) -> Value {
        json!({
            "at": self.at,
            "starts_at": super::instant::format(self.starts_at),
            "ends_at": super::instant::format(self.ends_at),
            "provider": self.provider,
            "model": self.model,
            "api_key": self.api_key,
            "project": self.project,
            "workspace": self.workspace,
            "end_user": self.end_user,
            "charge": self.charge.as_str(),
            "requests": self.requests,
            "input_tokens": self.input_tokens(),
            "cache_read_input_tokens": self.cache_read_input_tokens,
            "cache_write_input_tokens": self.cache_write_input_tokens,
            "output_tokens": self.output_tokens,
            "meters": self.meters,
            // As text: a number would lose the zeros at its end.
            "cost": self.cost.as_ref().map(ToString::to_string),
            "currency": self.currency,
            "service_tier": self.service_tier,
            "region": self.region,
            "description": self.description,
        })
    }
}
