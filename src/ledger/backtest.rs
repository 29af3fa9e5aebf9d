//! Back-test over the ledger: the calls of an account and of all below it, read once in the order in which they were made.

mod columns;
mod history;
mod limits;
mod reprice;

use pgrx::Uuid;
use pgrx::spi::SpiClient;
use serde_json::{Value, json};

use crate::instant::Instant;
use crate::ledger::Failure;
use crate::ledger::chain::Chain;
use crate::privilege::Privilege;
use crate::refusal::{Code, Refusal};
use crate::report::backtest::{Policy, PolicyError, Reason, Replay, Sums, WindowSums};
use history::History;
use reprice::Pricer;

/// What to replay.
pub struct Request<'a> {
    pub account: &'a str,
    pub policy: &'a Value,
    pub since: Instant,
    pub until: Instant,
    /// Most refused calls that are wanted one by one; with none of them only the sums are.
    pub calls_max: Option<usize>,
}

/// A call that is refused.
pub struct RefusedCall {
    pub entry_id: Uuid,
    pub at: Instant,
    pub account: Option<String>,
    pub model: Option<String>,
    pub actual_nanos: Option<i64>,
    pub cost_nanos: Option<i64>,
    pub by_hold: bool,
    pub reason: Reason,
}

/// What came out of a replay.
pub struct Outcome {
    pub account: String,
    pub currency: String,
    pub sums: Sums,
    pub windows: Vec<WindowSums>,
    pub refused: Vec<RefusedCall>,
}

/// A replay that is under way. The ledger is read through a cursor, each batch in an SPI session of its own, which frees what
/// the batch took.
pub struct Run {
    account: String,
    currency: String,
    replay: Replay,
    history: History,
    pricer: Pricer,
    calls_max: Option<usize>,
    refused: Vec<RefusedCall>,
}

impl Run {
    pub fn begin(client: &mut SpiClient<'_>, request: &Request<'_>) -> Result<Run, Failure> {
        check_period(request.since, request.until)?;
        let policy = Policy::parse(request.policy).map_err(refuse_policy)?;
        let chain = Chain::find(client, request.account, &[], Privilege::Read.into(), None)?;
        let limits = limits::find(client, &chain, &policy, request.since)?;
        let pricer = Pricer::new(client, policy, chain.tenant_id, &chain.currency)?;
        let meters = limits::meters(&limits);
        let replay = Replay::new(limits, &meters, request.since);
        let history = History::open(client, &chain, &replay, &pricer, meters, request)?;
        Ok(Run {
            account: request.account.to_string(),
            currency: chain.currency.to_string(),
            replay,
            history,
            pricer,
            calls_max: request.calls_max,
            refused: Vec::new(),
        })
    }

    /// Replays the next batch; false when there is none, or when all that is wanted has been found.
    pub fn step(&mut self, client: &mut SpiClient<'_>) -> Result<bool, Failure> {
        let Run { history, replay, pricer, refused, calls_max, .. } = self;
        history.step(client, pricer, |entry| {
            match entry {
                history::Entry::Past(past) => replay.remember(&past),
                history::Entry::Call(call, about) => {
                    let verdict = replay.judge(&call);
                    if let Some(reason) = verdict.refused
                        && calls_max.is_some_and(|calls_max| refused.len() < calls_max)
                    {
                        refused.push(RefusedCall {
                            entry_id: about.entry_id,
                            at: call.at,
                            account: about.account,
                            model: about.model,
                            actual_nanos: call.actual_nanos,
                            cost_nanos: call.cost_nanos,
                            by_hold: verdict.by_hold,
                            reason,
                        });
                    }
                }
            }
            calls_max.is_none_or(|calls_max| refused.len() < calls_max)
        })
    }

    pub fn finish(self) -> Outcome {
        let Run { account, currency, replay, refused, .. } = self;
        let (sums, windows) = replay.finish();
        Outcome { account, currency, sums, windows, refused }
    }
}

fn check_period(since: Instant, until: Instant) -> Result<(), Refusal> {
    const HINT: &str = "Pass two instants of the present age, the earlier one first; until NULL is now.";
    for (name, instant) in [("since", since), ("until", until)] {
        if instant.utc().is_none() {
            return Err(Refusal::invalid_argument(name, "it is not an instant that a calendar can express", HINT));
        }
    }
    if since >= until {
        return Err(Refusal::new(
            Code::InvalidArgument,
            "invalid period",
            json!({"since": since.to_string(), "until": until.to_string(), "why": "since is not before until"}),
            HINT,
        ));
    }
    Ok(())
}

const POLICY_HINT: &str = "A policy is an object with budgets (an array of objects with account, meter, amount, every, time_zone, hard, burst and the like), keep_budgets, models, prices and basis, each of which may be left out.";

fn refuse_policy(PolicyError { path, why }: PolicyError) -> Refusal {
    Refusal::new(
        Code::InvalidArgument,
        "invalid policy",
        json!({"argument": "policy", "path": path, "why": why}),
        POLICY_HINT,
    )
}

/// A refusal of something that a policy names, with the place where it does.
fn within_policy(path: &str, failure: Failure) -> Failure {
    match failure {
        Failure::Refused(mut refusal) => {
            if let Some(detail) = refusal.detail.as_object_mut() {
                detail.insert("path".into(), json!(path));
            }
            Failure::Refused(refusal)
        }
        other => other,
    }
}
