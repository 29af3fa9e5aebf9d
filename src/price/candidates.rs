//! The names under which a model's price may be filed.

use super::provider;

/// How a candidate came from the name that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Resolution {
    /// A provider prefix became the candidate's provider.
    Provider,
    /// The name as given.
    Exact,
    /// A date or `-latest` at the end was rewritten or removed.
    Undated,
    /// A place at the beginning was removed.
    Unplaced,
}

/// A name to look up, in the order of trust.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// A price of another provider must not match. `None` matches any provider.
    pub provider: Option<String>,
    /// The model's name.
    pub name: String,
    /// The place that was part of the name.
    pub region: Option<String>,
    /// Only what a user set under this very name may match.
    pub is_own_only: bool,
    /// How it came about.
    pub resolution: Resolution,
}

/// The names to look up for a model, best first; empty for an empty name.
///
/// 1. `provider/name`: the name with that provider only.
/// 2. The name as given, with any provider; where it begins with a seller, only a price that a user set under it, because
///    a router may sell `deepseek/deepseek-chat` at a price of its own.
/// 3. The first, or without a prefix the second, without a date at the end (`-2024-08-06`, `-20250929`, `@20250929`) or `-latest`; `@` is tried as `-` first.
/// 4. Without the place at the beginning, which then is the request's region: `us.anthropic.claude-…` on Bedrock (also as
///    the end of the ARN of an inference profile), `bedrock/us-east-1/…`, `azure/eu/…`.
///
/// A dated or regional model keeps its own price if the book has one, because 1. and 2. come first. A resale is never looked
/// up under its maker: clouds and routers set prices of their own, and on some of them the rest of the name is a deployment
/// that a customer named freely. A fine-tuned model (`ft:base:org::id`) resolves to `ft:base` and never to its base, which
/// is cheaper. Short dates such as `-0613` stay: models that differ only in those had different prices.
pub fn candidates(model: &str) -> Vec<Candidate> {
    let mut found: Vec<Candidate> = Vec::new();
    if model.is_empty() {
        return found;
    }
    let mut add = |provider: Option<&str>, name: &str, region: Option<&str>, resolution: Resolution| {
        let is_known = |known: &Candidate| known.provider.as_deref() == provider && known.name == name;
        if !name.is_empty() && !found.iter().any(is_known) {
            found.push(Candidate {
                provider: provider.map(str::to_owned),
                name: name.to_owned(),
                region: region.map(str::to_owned),
                is_own_only: false,
                resolution,
            });
        }
    };
    let prefix = model.split_once('/').filter(|(prefix, rest)| !prefix.is_empty() && !rest.is_empty());
    let prefixed = match inference_profile(model) {
        Some(name) => Some((provider::BEDROCK.to_owned(), name)),
        None => prefix.map(|(prefix, rest)| (provider::canonical(prefix), rest)),
    };
    let (provider, name) = prefixed.as_ref().map_or((None, model), |(provider, rest)| (Some(provider.as_str()), *rest));
    if provider.is_some() {
        add(provider, name, None, Resolution::Provider);
    }
    add(None, model, None, Resolution::Exact);

    let is_own_only = provider.is_some_and(provider::is_seller);
    // With a prefix, only its provider may match a shortened name.
    let base = fine_tuned_base(name).unwrap_or(name);
    if base.len() < name.len() {
        add(provider, base, None, Resolution::Undated);
    }
    if let Some((stem, date)) = base.rsplit_once('@')
        && !stem.is_empty()
        && is_compact_date(date)
    {
        add(provider, &format!("{stem}-{date}"), None, Resolution::Undated);
    }
    if let Some(stem) = undated(base) {
        add(provider, stem, None, Resolution::Undated);
    }

    if let Some((region, rest)) = place(provider, base) {
        let provider = provider.or(Some(provider::BEDROCK));
        add(provider, rest, Some(region), Resolution::Unplaced);
        if let Some(stem) = undated(rest) {
            add(provider, stem, Some(region), Resolution::Unplaced);
        }
        // A place in the path and another before the model: `bedrock/us-east-1/us.anthropic.…`.
        if let Some((_, rest)) = place(provider, rest) {
            add(provider, rest, Some(region), Resolution::Unplaced);
        }
    }
    for candidate in found.iter_mut().filter(|candidate| candidate.resolution == Resolution::Exact) {
        candidate.is_own_only = is_own_only;
    }
    found
}

/// What an ARN of Bedrock ends with: `arn:aws:bedrock:us-east-1:…:inference-profile/us.anthropic.…`.
fn inference_profile(model: &str) -> Option<&str> {
    let prefix = model.split_once('/').filter(|(prefix, _)| provider::canonical(prefix) == provider::BEDROCK);
    let arn = prefix.map_or(model, |(_, rest)| rest);
    let is_bedrock = arn.starts_with("arn:") && arn.split(':').nth(2) == Some(provider::BEDROCK);
    let (_, name) = arn.rsplit_once('/').filter(|_| is_bedrock)?;
    (!name.is_empty()).then_some(name)
}

/// The place at the beginning of a name, and the rest.
fn place<'a>(provider: Option<&str>, name: &'a str) -> Option<(&'a str, &'a str)> {
    /// Geographies of Bedrock's cross-region inference.
    const GEOGRAPHIES: [&str; 9] = ["us", "eu", "apac", "global", "jp", "au", "ca", "us-gov", "sa"];
    /// What regions of Vertex AI begin with, such as `us-east5` and `europe-west1`.
    const CONTINENTS: [&str; 8] = ["us", "europe", "asia", "australia", "northamerica", "southamerica", "me", "africa"];
    let is_region = |text: &str| {
        let is_numbered = text.ends_with(|last: char| last.is_ascii_digit());
        let parts: Vec<&str> = text.split('-').collect();
        let begins_with_place = parts.first().is_some_and(|first| CONTINENTS.contains(first));
        GEOGRAPHIES.contains(&text) || is_numbered && (parts.len() >= 3 || parts.len() == 2 && begins_with_place)
    };
    let is_cloud = provider.is_none_or(|provider| provider == provider::BEDROCK);
    if is_cloud
        && let Some((place, rest)) = name.split_once('.')
        && GEOGRAPHIES.contains(&place)
        // A maker comes before the model, or the name is no name of Bedrock's.
        && rest.contains('.')
    {
        return Some((place, rest));
    }
    let is_placed = matches!(provider, Some(provider::BEDROCK | provider::AZURE | provider::VERTEX_AI));
    name.split_once('/').filter(|(place, rest)| is_placed && is_region(place) && !rest.is_empty())
}

/// `ft:base` of `ft:base:org::id`.
fn fine_tuned_base(name: &str) -> Option<&str> {
    let after = name.strip_prefix("ft:")?;
    let end = after.find(':')?;
    name.get(.."ft:".len() + end)
}

/// The name before its date or `-latest`; none if it has neither or nothing else.
fn undated(name: &str) -> Option<&str> {
    let stem = name
        .strip_suffix("-latest")
        .or_else(|| name.rsplit_once(['-', '@']).filter(|(_, date)| is_compact_date(date)).map(|(stem, _)| stem))
        .or_else(|| strip_dashed_date(name))?;
    (!stem.is_empty() && !stem.ends_with(':')).then_some(stem)
}

/// The name before `-YYYY-MM-DD`.
fn strip_dashed_date(name: &str) -> Option<&str> {
    let (stem, date) = name.split_at_checked(name.len().checked_sub("-2024-08-06".len())?)?;
    let [year, month, day] = date.strip_prefix('-')?.split('-').collect::<Vec<_>>().try_into().ok()?;
    is_date(year, month, day).then_some(stem)
}

/// Whether the text is `YYYYMMDD`.
fn is_compact_date(text: &str) -> bool {
    let (Some(year), Some(month), Some(day)) = (text.get(..4), text.get(4..6), text.get(6..)) else {
        return false;
    };
    is_date(year, month, day)
}

/// Whether the parts are digits that look like a day since 2000; other digits at the end are part of the name.
fn is_date(year: &str, month: &str, day: &str) -> bool {
    let number = |text: &str, width: usize| {
        (text.len() == width && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse::<u32>().ok())?
    };
    matches!((number(year, 4), number(month, 2), number(day, 2)), (Some(2000..=2099), Some(1..=12), Some(1..=31)))
}
