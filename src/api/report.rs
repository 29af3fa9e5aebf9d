//! What reports ask of the pure code.

use pgrx::Uuid;
use pgrx::datum::{Array, TimestampWithTimeZone};
use pgrx::prelude::*;

use crate::report::series;
use crate::{clock, id};

/// When the entry of that id was recorded.
#[pg_extern(sql = false)]
fn _recorded_at(entry_id: Uuid) -> Option<TimestampWithTimeZone> {
    clock::to_postgres(id::instant_of(*entry_id.as_bytes()))
}

/// Id of a row of a roll-up, made of all that it is about.
#[pg_extern(sql = false)]
#[expect(clippy::too_many_arguments, reason = "one for each attribute")]
fn _series_id(
    account_ids: Array<i64>,
    currency: Option<&str>,
    cost_center: Option<&str>,
    provider: Option<&str>,
    model: Option<&str>,
    operation: Option<&str>,
    service_tier: Option<&str>,
    workflow: Option<&str>,
    step: Option<&str>,
    outcome: Option<&str>,
    agent: Option<&str>,
    end_user: Option<&str>,
) -> Uuid {
    let attributes =
        [currency, cost_center, provider, model, operation, service_tier, workflow, step, outcome, agent, end_user];
    let account_ids: Vec<i64> = account_ids.iter().flatten().collect();
    Uuid::from_bytes(series::id(&account_ids, &attributes))
}
