//! Which model of which provider a name means.

use pgrx::JsonB;
use pgrx::spi::SpiClient;
use serde_json::Value;

use super::refuse;
use crate::ledger::Failure;
use crate::price::{Candidate, candidates, clause};
use crate::statement::{required, statement};

statement! {
    read find_models(TEXTARRAYOID, TEXTOID) =
    "SELECT DISTINCT price.provider, price.model, price.origin OPERATOR(pg_catalog.=) 'user'
     FROM tokbudget.price
     WHERE price.model OPERATOR(pg_catalog.=) ANY ($1) AND price.currency OPERATOR(pg_catalog.=) $2
         AND price.superseded_at IS NULL AND price.provider OPERATOR(pg_catalog.<>) 'meter'"
}

statement! {
    read find_aliases(TEXTARRAYOID, TEXTOID) =
    "SELECT model_alias.name, model_alias.provider, model_alias.model, model_alias.origin OPERATOR(pg_catalog.=) 'user',
         model_alias.is_default_provider
     FROM tokbudget.model_alias
     WHERE model_alias.name OPERATOR(pg_catalog.=) ANY ($1)
         AND EXISTS (
             SELECT FROM tokbudget.price
             WHERE price.model OPERATOR(pg_catalog.=) model_alias.model AND price.provider OPERATOR(pg_catalog.=) model_alias.provider
                 AND price.currency OPERATOR(pg_catalog.=) $2 AND price.superseded_at IS NULL)"
}

statement! {
    /// Those that win first.
    read read_patterns(TEXTOID) =
    "SELECT model_alias.pattern, model_alias.provider, model_alias.model, model_alias.origin OPERATOR(pg_catalog.=) 'user',
         model_alias.is_default_provider
     FROM tokbudget.model_alias
     WHERE model_alias.name IS NULL
         AND EXISTS (
             SELECT FROM tokbudget.price
             WHERE price.model OPERATOR(pg_catalog.=) model_alias.model AND price.provider OPERATOR(pg_catalog.=) model_alias.provider
                 AND price.currency OPERATOR(pg_catalog.=) $1 AND price.superseded_at IS NULL)
     ORDER BY pg_catalog.array_position(ARRAY['user', 'import', 'book'], model_alias.origin), model_alias.precedence DESC,
         model_alias.provider, model_alias.model"
}

/// A model of a provider.
pub struct Target {
    pub provider: String,
    pub model: String,
    pub region: Option<String>,
}

struct Match {
    provider: String,
    model: String,
    is_user: bool,
    is_default: bool,
}

/// Names and aliases first, patterns only for what neither explains.
pub fn find(client: &mut SpiClient<'_>, model: &str, currency: &str) -> Result<Target, Failure> {
    let candidates = candidates(model);
    let names: Vec<&str> = candidates.iter().map(|candidate| candidate.name.as_str()).collect();
    let lower: Vec<String> = names.iter().map(|name| name.to_ascii_lowercase()).collect();
    let mut found: Vec<(Option<String>, Match)> = Vec::new();
    for row in find_models(client, &[names.into(), currency.into()])? {
        let (provider, model) = (required(&row, 1)?, required(&row, 2)?);
        found.push((None, Match { provider, model, is_user: required(&row, 3)?, is_default: false }));
    }
    for row in find_aliases(client, &[lower.into(), currency.into()])? {
        let name: String = required(&row, 1)?;
        let (provider, model) = (required(&row, 2)?, required(&row, 3)?);
        let found_match = Match { provider, model, is_user: required(&row, 4)?, is_default: required(&row, 5)? };
        found.push((Some(name), found_match));
    }
    for candidate in &candidates {
        if let Some(target) = decide(model, named(&found, candidate), candidate)? {
            return Ok(target);
        }
    }

    let mut patterns: Vec<(Value, Match)> = Vec::new();
    for row in read_patterns(client, &[currency.into()])? {
        let pattern: JsonB = required(&row, 1)?;
        let (provider, model) = (required(&row, 2)?, required(&row, 3)?);
        let found = Match { provider, model, is_user: required(&row, 4)?, is_default: required(&row, 5)? };
        patterns.push((pattern.0, found));
    }
    for candidate in &candidates {
        // The first of each provider is the one that wins there.
        let mut matches: Vec<&Match> = Vec::new();
        for (pattern, found) in patterns.iter().filter(|(_, found)| is_sold_by(found, candidate)) {
            if !matches.iter().any(|known| known.provider == found.provider)
                && clause::matches(pattern, &candidate.name)
            {
                matches.push(found);
            }
        }
        if let Some(target) = decide(model, matches, candidate)? {
            return Ok(target);
        }
    }
    Err(refuse::unknown(client, model, currency)?.into())
}

/// The models that a candidate names. A seller's own model of that name comes before one that only has it for an alias.
fn named<'a>(found: &'a [(Option<String>, Match)], candidate: &Candidate) -> Vec<&'a Match> {
    let lower = candidate.name.to_ascii_lowercase();
    let of_candidate = || found.iter().filter(|(_, found)| is_sold_by(found, candidate));
    let own = || of_candidate().filter(|(alias, found)| alias.is_none() && found.model == candidate.name);
    let aliased = || of_candidate().filter(|(alias, _)| alias.as_deref() == Some(lower.as_str()));
    let has_own = |provider: &str| own().any(|(_, found)| found.provider == provider);
    // An alias that only says whose the bare name is stands for the model itself.
    let is_same = |found: &Match| found.model == candidate.name;
    own()
        .chain(aliased().filter(|(_, found)| is_same(found) || !has_own(&found.provider)))
        .map(|(_, found)| found)
        .collect()
}

fn is_sold_by(found: &Match, candidate: &Candidate) -> bool {
    candidate.provider.as_ref().is_none_or(|provider| *provider == found.provider)
        && (found.is_user || !candidate.is_own_only)
}

/// What a user set wins; then the only one; then the one that the name means without a provider.
fn decide(name: &str, mut matches: Vec<&Match>, candidate: &Candidate) -> Result<Option<Target>, Failure> {
    if matches.iter().any(|found| found.is_user) {
        matches.retain(|found| found.is_user);
    }
    let is_one = |matches: &[&Match]| {
        matches.first().is_some_and(|first| {
            matches.iter().all(|found| found.provider == first.provider && found.model == first.model)
        })
    };
    if !is_one(&matches) && matches.iter().any(|found| found.is_default) {
        matches.retain(|found| found.is_default);
    }
    match matches.first() {
        None => Ok(None),
        Some(first) if is_one(&matches) => Ok(Some(Target {
            provider: first.provider.clone(),
            model: first.model.clone(),
            region: candidate.region.clone(),
        })),
        Some(_) => {
            let names = matches.iter().map(|found| format!("{}/{}", found.provider, found.model));
            Err(refuse::ambiguous(name, names.collect()).into())
        }
    }
}
