//! The history of an account, read through a cursor.

use pgrx::datum::{DatumWithOid, FromDatum, IntoDatum, TimestampWithTimeZone};
use pgrx::spi::{SpiClient, SpiHeapTupleData};
use pgrx::{JsonB, Uuid};
use serde_json::Value;

use super::Request;
use super::columns::{
    ACCOUNT, CORRECTIONS, COST, Columns, HOLD_ENDS_AT, IS_PRICEABLE, METERS, MODEL, SLOTS, held_ordinal, used_ordinal,
};
use super::reprice::{Priceable, Pricer};
use crate::budget::meter;
use crate::clock;
use crate::instant::Instant;
use crate::ledger::Failure;
use crate::ledger::chain::Chain;
use crate::ledger::entry::counts_from_json;
use crate::ledger::spender::own_account_ids;
use crate::report::backtest::{Call, Correction, Past, PriceRule, Replay};
use crate::statement::{instant, optional, optional_instant, required, timestamp};
use crate::usage::{Bucket, Part, Usage};

/// How many entries are read at once.
const BATCH: i64 = 2000;
const UNREADABLE: Failure = Failure::Internal("an entry is unreadable");

/// What the ledger tells next.
pub enum Entry<'a> {
    /// Booked before the replay begins.
    Past(Past<'a>),
    Call(Call<'a>, About),
}

/// What is known of a call beside its amounts.
pub struct About {
    pub entry_id: Uuid,
    pub account: Option<String>,
    pub model: Option<String>,
}

/// A cursor over the entries of an account and of all below it, and of those elsewhere that drew on it, in the order of the calls.
pub struct History {
    cursor: Option<String>,
    meters: Vec<String>,
    since: Instant,
    is_repricing: bool,
    has_models: bool,
}

impl History {
    pub fn open(
        client: &mut SpiClient<'_>,
        chain: &Chain,
        replay: &Replay,
        pricer: &Pricer,
        meters: Vec<String>,
        request: &Request<'_>,
    ) -> Result<History, Failure> {
        let policy = pricer.policy();
        let is_repricing = policy.is_repricing();
        let has_models = is_repricing || !policy.prices.is_empty() || request.calls_max.is_some();
        let sql = Columns {
            meters: &meters,
            basis: policy.basis,
            is_repricing,
            has_models,
            has_account: request.calls_max.is_some(),
        }
        .sql();
        let arguments: [DatumWithOid<'_>; 5] = [
            chain.tenant_id.into(),
            chain.own_account_id().into(),
            timestamp(replay.history_begins_at())?.into(),
            timestamp(request.since)?.into(),
            timestamp(request.until)?.into(),
        ];
        let cursor = client.try_open_cursor(sql.as_str(), &arguments)?.detach_into_name();
        Ok(History { cursor: Some(cursor), meters, since: request.since, is_repricing, has_models })
    }

    /// Tells `hear` of the next entries; false at their end, or when it wants no more.
    pub fn step(
        &mut self,
        client: &mut SpiClient<'_>,
        pricer: &Pricer,
        mut hear: impl FnMut(Entry<'_>) -> bool,
    ) -> Result<bool, Failure> {
        let Some(name) = self.cursor.take() else { return Ok(false) };
        let mut cursor = client.find_cursor(&name)?;
        let mut count = 0;
        let mut wants_more = true;
        for row in cursor.fetch(BATCH)? {
            count += 1;
            wants_more = self.tell(client, pricer, &row, &mut hear)?;
            if !wants_more {
                break;
            }
        }
        if wants_more && count == BATCH {
            self.cursor = Some(cursor.detach_into_name());
        }
        Ok(self.cursor.is_some())
    }

    fn tell(
        &self,
        client: &mut SpiClient<'_>,
        pricer: &Pricer,
        row: &SpiHeapTupleData<'_>,
        hear: &mut impl FnMut(Entry<'_>) -> bool,
    ) -> Result<bool, Failure> {
        let at = instant(row, 1)?;
        let account_ids: Vec<i64> = required(row, 3)?;
        let mut used = Vec::with_capacity(self.meters.len());
        for index in 0..self.meters.len() {
            used.push(optional::<i64>(row, used_ordinal(index))?.unwrap_or(0));
        }
        let mut held = Vec::with_capacity(self.meters.len());
        let hold_ends_at = optional_instant(row, HOLD_ENDS_AT)?;
        for index in 0..self.meters.len() {
            held.push(if hold_ends_at.is_some() { optional(row, held_ordinal(index))? } else { None });
        }
        let mut corrections = corrections(row)?;
        let own_nanos: Option<i64> = optional(row, COST)?;
        let mut costs = Costs {
            actual_nanos: with_corrections(own_nanos, &corrections),
            cost_nanos: with_corrections(own_nanos, &corrections),
            is_repriced: false,
            is_unpriced: false,
        };
        let model: Option<String> = if self.has_models { optional(row, MODEL)? } else { None };
        if self.is_repricing {
            let it = self.priceable(row, at, model.as_deref(), &account_ids)?;
            if pricer.is_repriced(model.as_deref(), &it.usage) {
                match pricer.reprice(client, &it)? {
                    Some(repriced) => {
                        costs.cost_nanos = Some(repriced.cost_nanos);
                        costs.is_repriced = true;
                        // They are about the price that the call had.
                        corrections.clear();
                        for (index, name) in self.meters.iter().enumerate().filter(|(_, name)| meter::is_money(name)) {
                            let is_cost = name == meter::COST;
                            set(&mut used, index, if is_cost { repriced.cost_nanos } else { repriced.internal_nanos });
                            set(&mut held, index, repriced.held_cost_nanos.filter(|_| is_cost));
                        }
                    }
                    None => costs.is_unpriced = true,
                }
            }
        }
        if let Some(factor) = pricer.factor(model.as_deref()).filter(|_| !costs.is_unpriced) {
            costs.cost_nanos = costs.cost_nanos.map(|nanos| PriceRule::part(factor, nanos));
            costs.is_repriced |= costs.cost_nanos.is_some();
            for (index, _) in self.meters.iter().enumerate().filter(|(_, name)| meter::is_money(name)) {
                if let (Some(used), Some(held)) = (used.get_mut(index), held.get_mut(index)) {
                    *used = PriceRule::part(factor, *used);
                    *held = held.map(|nanos| PriceRule::part_up(factor, nanos));
                }
            }
            for correction in &mut corrections {
                correction.cost_nanos = PriceRule::part(factor, correction.cost_nanos);
                correction.internal_nanos = PriceRule::part(factor, correction.internal_nanos);
            }
        }
        if at < self.since {
            let slots = slots(row)?;
            return Ok(hear(Entry::Past(Past { at, account_ids: &account_ids, used: &used, slots: &slots })));
        }
        costs.is_unpriced |= costs.cost_nanos.is_none() && required::<bool>(row, IS_PRICEABLE)?;
        let call = Call {
            at,
            settled_at: instant(row, 2)?,
            hold_ends_at,
            account_ids: &account_ids,
            is_own: required(row, 4)?,
            is_retry: required(row, 6)?,
            used: &used,
            held: &held,
            actual_nanos: costs.actual_nanos,
            cost_nanos: costs.cost_nanos,
            is_repriced: costs.is_repriced,
            is_unpriced: costs.is_unpriced,
            corrections: &corrections,
        };
        let account = if self.has_models { optional(row, ACCOUNT)? } else { None };
        Ok(hear(Entry::Call(call, About { entry_id: required(row, 5)?, account, model })))
    }

    fn priceable<'a>(
        &self,
        row: &SpiHeapTupleData<'_>,
        at: Instant,
        model: Option<&'a str>,
        account_ids: &'a [i64],
    ) -> Result<Priceable<'a>, Failure> {
        let first = METERS + 2 * self.meters.len();
        let (buckets, meters, details): (JsonB, JsonB, JsonB) =
            (required(row, first)?, required(row, first + 1)?, required(row, first + 2)?);
        let part = |part: &Value| {
            let model = part.get("model")?.as_str()?.to_string();
            Some(Part { model, counts: counts_from_json(part.get("buckets")?)? })
        };
        let members = |name: &str| details.0.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
        let mut counts = counts_from_json(&buckets.0).ok_or(UNREADABLE)?;
        counts[Bucket::Requests] = required(row, first + 3)?;
        let usage = Usage {
            counts,
            parts: members("parts").iter().map(part).collect::<Option<_>>().ok_or(UNREADABLE)?,
            surcharges: members("surcharges").iter().filter_map(Value::as_str).map(str::to_string).collect(),
            service_tier: optional(row, first + 4)?,
            region: optional(row, first + 5)?,
            ..Usage::default()
        };
        let held_meters = optional::<JsonB>(row, first + 9)?.and_then(|held| meter::amounts_from_json(&held.0));
        let held = match (optional(row, first + 7)?, optional(row, first + 8)?, held_meters) {
            (Some(input_tokens), Some(output_tokens), Some(meters)) => Some((input_tokens, output_tokens, meters)),
            _ => None,
        };
        Ok(Priceable {
            at,
            model,
            own_account_ids: own_account_ids(account_ids, required(row, first + 6)?),
            usage,
            meters: meter::amounts_from_json(&meters.0).ok_or(UNREADABLE)?,
            held,
        })
    }
}

struct Costs {
    actual_nanos: Option<i64>,
    cost_nanos: Option<i64>,
    is_repriced: bool,
    is_unpriced: bool,
}

fn set<T>(amounts: &mut [T], index: usize, amount: T) {
    if let Some(place) = amounts.get_mut(index) {
        *place = amount;
    }
}

fn with_corrections(nanos: Option<i64>, corrections: &[Correction]) -> Option<i64> {
    let more = corrections.iter().map(|correction| correction.cost_nanos);
    more.fold(nanos, |sum, more| Some(sum.unwrap_or(0).saturating_add(more)))
}

fn list<T: FromDatum + IntoDatum>(row: &SpiHeapTupleData<'_>, ordinal: usize) -> Result<Vec<T>, Failure>
where
    Vec<T>: FromDatum + IntoDatum,
{
    Ok(optional::<Vec<T>>(row, ordinal)?.unwrap_or_default())
}

/// Mostly there are none, and then there are no arrays either.
fn corrections(row: &SpiHeapTupleData<'_>) -> Result<Vec<Correction>, Failure> {
    let Some(times) = optional::<Vec<TimestampWithTimeZone>>(row, CORRECTIONS)? else { return Ok(Vec::new()) };
    let (costs, internal): (Vec<i64>, Vec<i64>) = (list(row, CORRECTIONS + 1)?, list(row, CORRECTIONS + 2)?);
    let of = |(at, (cost_nanos, internal_nanos)): (TimestampWithTimeZone, (i64, i64))| Correction {
        at: clock::from_postgres(at.into()),
        cost_nanos,
        internal_nanos,
    };
    Ok(times.into_iter().zip(costs.into_iter().zip(internal)).map(of).collect())
}

fn slots(row: &SpiHeapTupleData<'_>) -> Result<Vec<(i64, Instant, i64)>, Failure> {
    let (ids, units): (Vec<i64>, Vec<i64>) = (list(row, SLOTS)?, list(row, SLOTS + 2)?);
    let starts: Vec<TimestampWithTimeZone> = optional(row, SLOTS + 1)?.unwrap_or_default();
    let starts = starts.into_iter().map(|start| clock::from_postgres(start.into()));
    Ok(ids.into_iter().zip(starts).zip(units).map(|((id, start), units)| (id, start, units)).collect())
}
