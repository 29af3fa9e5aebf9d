//! The names under which a model's price may be filed.

/// How a candidate came from the name that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Resolution {
    /// The name as given.
    Exact,
    /// A provider prefix became the candidate's provider.
    Provider,
    /// A date or `-latest` at the end was rewritten or removed.
    Undated,
}

/// A name to look up, in the order of trust.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// A price of another provider must not match. `None` matches any provider.
    pub provider: Option<&'static str>,
    /// The model's name.
    pub name: String,
    /// How it came about.
    pub resolution: Resolution,
}

/// Prefixes that name who serves a model. A resale is never looked up under its maker: clouds and routers set prices of
/// their own, and on some of them the rest of the name is a deployment that a customer named freely.
const PROVIDERS: [&str; 10] =
    ["openai", "anthropic", "azure", "azure_ai", "bedrock", "vertex_ai", "gemini", "openrouter", "mistral", "cohere"];

/// The names to look up for a model, best first; empty for an empty name.
///
/// 1. The name as given, with any provider.
/// 2. `provider/name`: the name with that provider only.
/// 3. Both again without a date at the end (`-2024-08-06`, `-20250929`, `@20250929`) or `-latest`; `@` is tried as `-`
///    first.
///
/// A dated model keeps its own price if the book has one, because 1. and 2. come first. A fine-tuned model
/// (`ft:base:org::id`) resolves to `ft:base` and never to its base, which is cheaper. Short dates such as `-0613` stay:
/// models that differ only in those had different prices.
pub fn candidates(model: &str) -> Vec<Candidate> {
    let mut found = Vec::new();
    if model.is_empty() {
        return found;
    }
    let mut add = |provider, name: String, resolution| {
        let candidate = Candidate { provider, name, resolution };
        if !found.iter().any(|known: &Candidate| known.provider == provider && known.name == candidate.name) {
            found.push(candidate);
        }
    };
    let prefixed = split_provider(model);
    add(None, model.to_owned(), Resolution::Exact);
    if let Some((provider, rest)) = prefixed {
        add(Some(provider), rest.to_owned(), Resolution::Provider);
    }
    // With a prefix, only its provider may match a shortened name.
    let (provider, name) = prefixed.map_or((None, model), |(provider, rest)| (Some(provider), rest));
    let base = fine_tuned_base(name).unwrap_or(name);
    if base.len() < name.len() {
        add(provider, base.to_owned(), Resolution::Undated);
    }
    if let Some((stem, date)) = base.rsplit_once('@')
        && !stem.is_empty()
        && is_compact_date(date)
    {
        add(provider, format!("{stem}-{date}"), Resolution::Undated);
    }
    if let Some(stem) = undated(base) {
        add(provider, stem.to_owned(), Resolution::Undated);
    }
    found
}

fn split_provider(model: &str) -> Option<(&'static str, &str)> {
    let (prefix, rest) = model.split_once('/')?;
    let provider = PROVIDERS.into_iter().find(|provider| *provider == prefix)?;
    (!rest.is_empty()).then_some((provider, rest))
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
