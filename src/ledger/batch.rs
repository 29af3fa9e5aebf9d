//! Calls that come together: each has an answer of its own, and all of them belong to one tenant.

use std::collections::HashMap;
use std::rc::Rc;

use pgrx::spi::SpiClient;
use serde_json::json;

use crate::budget::decision::Claim;
use crate::budget::refusal::refusal;
use crate::engine::Outcome;
use crate::instant::Instant;
use crate::ledger::Failure;
use crate::ledger::access::Authority;
use crate::ledger::chain::{Chain, FirstUse};
use crate::ledger::claims::{Intent, claims};
use crate::refusal::{Code, Refusal};

/// The answer to one of several calls.
pub type Answer<T> = Result<T, Refusal>;

/// The answers to calls that come together, each in the place of its call.
pub struct Answers<T>(Vec<Option<Answer<T>>>);

impl<T> Answers<T> {
    pub fn of(calls: usize) -> Self {
        Answers(std::iter::repeat_with(|| None).take(calls).collect())
    }

    pub fn set(&mut self, index: usize, answer: Answer<T>) {
        if let Some(place) = self.0.get_mut(index) {
            *place = Some(answer);
        }
    }

    pub fn into_all(self) -> Result<Vec<Answer<T>>, Failure> {
        self.0.into_iter().map(|answer| answer.ok_or(Failure::Internal("a call has no answer"))).collect()
    }
}

/// Turns the failure of one call into its answer, and ends all of them where the server failed.
pub fn answer<T>(result: Result<T, Failure>) -> Result<Answer<T>, Failure> {
    match result {
        Ok(value) => Ok(Ok(value)),
        Err(Failure::Refused(refusal)) => Ok(Err(*refusal)),
        Err(failure) => Err(failure),
    }
}

/// What was taken of a call's claims, or why nothing was.
pub fn taken(outcome: Answer<Outcome>, claims: &[Claim]) -> Result<Answer<Outcome>, Failure> {
    match outcome {
        Ok(outcome) if !outcome.is_taken => {
            let refusal = refusal(claims, &outcome.standings);
            Ok(Err(refusal.ok_or(Failure::Internal("a call was refused that fits"))?))
        }
        outcome => Ok(outcome),
    }
}

/// The accounts of a call with the budgets above them.
pub struct Scope {
    pub chain: Chain,
    pub claims: Vec<Claim>,
}

/// Finds accounts and budgets once for all calls that draw on the same ones.
pub struct Scopes {
    now: Instant,
    authority: Authority,
    tenant_id: Option<i32>,
    found: HashMap<(String, Vec<String>), Rc<Scope>>,
}

impl Scopes {
    pub fn new(now: Instant, authority: Authority) -> Scopes {
        Scopes { now, authority, tenant_id: None, found: HashMap::new() }
    }

    /// The scope of a call, making what is to be made on first use.
    pub fn find(
        &mut self,
        client: &mut SpiClient<'_>,
        account: &str,
        also: &[String],
        told_role: Option<&str>,
    ) -> Result<Rc<Scope>, Failure> {
        let key = (account.to_string(), also.to_vec());
        if let Some(scope) = self.found.get(&key) {
            return Ok(Rc::clone(scope));
        }
        let first_use = FirstUse { now: self.now, told_role };
        let chain = Chain::find(client, account, also, self.authority, Some(&first_use))?;
        if *self.tenant_id.get_or_insert(chain.tenant_id) != chain.tenant_id {
            return Err(Refusal::new(
                Code::InvalidArgument,
                "accounts of different tenants",
                json!({"account": account}),
                "All calls of one batch belong to one tenant: their accounts have the same first name.",
            )
            .into());
        }
        let claims = claims(client, &chain, Intent::Spend, self.now)?;
        let scope = Rc::new(Scope { chain, claims });
        self.found.insert(key, Rc::clone(&scope));
        Ok(scope)
    }
}
