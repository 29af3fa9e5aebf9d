//! The history of an account, read through a cursor.

use std::fmt::Write;

use pgrx::datum::{DatumWithOid, FromDatum, IntoDatum, TimestampWithTimeZone};
use pgrx::spi::{SpiClient, SpiHeapTupleData};
use pgrx::{JsonB, Uuid};
use serde_json::Value;

use super::Request;
use super::reprice::{Priceable, Pricer};
use crate::budget::meter::{self, Amounts};
use crate::clock;
use crate::instant::Instant;
use crate::ledger::Failure;
use crate::ledger::chain::Chain;
use crate::ledger::entry::counts_from_json;
use crate::ledger::spender::own_account_ids;
use crate::report::backtest::{Basis, Call, Correction, Past, PriceRule, Replay};
use crate::statement::{optional, required, timestamp};
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
        let at = at(row, 1)?.ok_or(UNREADABLE)?;
        let account_ids: Vec<i64> = required(row, 3)?;
        let mut used = Vec::with_capacity(self.meters.len());
        for index in 0..self.meters.len() {
            used.push(optional::<i64>(row, used_ordinal(index))?.unwrap_or(0));
        }
        let mut held = Vec::with_capacity(self.meters.len());
        let hold_ends_at = self::at(row, HOLD_ENDS_AT)?;
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
            settled_at: self::at(row, 2)?.ok_or(UNREADABLE)?,
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
            meters: meter::amounts_from_json(&meters.0).unwrap_or_else(Amounts::new),
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

fn at(row: &SpiHeapTupleData<'_>, ordinal: usize) -> Result<Option<Instant>, Failure> {
    Ok(optional::<TimestampWithTimeZone>(row, ordinal)?.map(|at| clock::from_postgres(at.into())))
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

const COST: usize = 7;
const IS_PRICEABLE: usize = 8;
const HOLD_ENDS_AT: usize = 9;
const CORRECTIONS: usize = 10;
const SLOTS: usize = 13;
const MODEL: usize = 16;
const ACCOUNT: usize = 17;
const METERS: usize = 18;

fn used_ordinal(index: usize) -> usize {
    METERS + 2 * index
}

fn held_ordinal(index: usize) -> usize {
    METERS + 2 * index + 1
}

/// The statement, which reads no more columns than the policy asks for.
struct Columns<'a> {
    meters: &'a [String],
    basis: Basis,
    is_repricing: bool,
    has_models: bool,
    has_account: bool,
}

/// Money as the engine counts it.
macro_rules! nanos {
    ($column:literal) => {
        concat!("(", $column, " OPERATOR(pg_catalog.*) 1000000000::pg_catalog.numeric)::pg_catalog.int8")
    };
}

impl Columns<'_> {
    /// Tenant, account, where the history begins, since, until. Corrections of what was booked before the replay begins count
    /// as entries of their own, later ones belong to their calls.
    fn sql(&self) -> String {
        let is_hold = self.basis == Basis::Hold;
        let mut sql = String::from(
            "SELECT entry.reserved_at, entry.recorded_at, entry.account_ids,
                 pg_catalog.array_position(entry.account_ids, $2)
                     OPERATOR(pg_catalog.<=) pg_catalog.array_position(entry.account_ids, entry.account_id),
                 entry.entry_id, COALESCE(entry.retry_count OPERATOR(pg_catalog.>) 0, false), ",
        );
        sql.push_str(nanos!("entry.cost"));
        sql.push_str(
            ", entry.request_model IS NOT NULL OR entry.flags OPERATOR(pg_catalog.&&) ARRAY['unpriced', 'unpriced_meters'], ",
        );
        sql.push_str(if is_hold { "reservation.expires_at, " } else { "NULL::pg_catalog.timestamptz, " });
        sql.push_str("corrected.times, corrected.costs, corrected.internal_costs");
        for column in ["budget_ids", "window_starts", "spent_units"] {
            let _ = write!(sql, ", CASE WHEN entry.reserved_at OPERATOR(pg_catalog.<) $4 THEN entry.{column} END");
        }
        sql.push_str(if self.has_models { ", entry.request_model" } else { ", NULL::pg_catalog.text" });
        sql.push_str(if self.has_account { ", account.path" } else { ", NULL::pg_catalog.text" });
        for name in self.meters {
            // A name of a meter is letters, digits and underscores, checked where it was read.
            let _ = write!(sql, ", {}, {}", used_column(name), if is_hold { held_column(name) } else { "NULL".into() });
        }
        if self.is_repricing {
            sql.push_str(
                ", entry.buckets, entry.meters, entry.usage_details, entry.requests, entry.service_tier, entry.region,
                 entry.account_id",
            );
            sql.push_str(if is_hold {
                ", reservation.input_tokens, reservation.max_output_tokens, reservation.held"
            } else {
                ", NULL::pg_catalog.int8, NULL::pg_catalog.int8, NULL::pg_catalog.jsonb"
            });
        }
        sql.push_str(" FROM tokbudget.entry");
        sql.push_str(concat!(
            " LEFT JOIN (
                 SELECT correction.corrects_entry_id, pg_catalog.array_agg(correction.recorded_at ORDER BY correction.recorded_at, correction.entry_id) AS times,
                     pg_catalog.array_agg(COALESCE(",
            nanos!("correction.cost"),
            ", 0) ORDER BY correction.recorded_at, correction.entry_id) AS costs,
                     pg_catalog.array_agg(COALESCE(",
            nanos!("correction.internal_cost"),
            ", 0) ORDER BY correction.recorded_at, correction.entry_id) AS internal_costs
                 FROM tokbudget.entry AS correction
                 WHERE correction.tenant_id OPERATOR(pg_catalog.=) $1 AND correction.corrects_entry_id IS NOT NULL
                     AND correction.recorded_at OPERATOR(pg_catalog.>=) $4
                     AND correction.kind OPERATOR(pg_catalog.=) ANY (ARRAY['adjust', 'refund', 'correction'])
                 GROUP BY correction.corrects_entry_id
             ) AS corrected ON corrected.corrects_entry_id OPERATOR(pg_catalog.=) entry.entry_id"
        ));
        if is_hold {
            sql.push_str(
                " LEFT JOIN tokbudget.reservation ON reservation.tenant_id OPERATOR(pg_catalog.=) entry.tenant_id
                     AND reservation.reservation_id OPERATOR(pg_catalog.=) entry.reservation_id",
            );
        }
        if self.has_account {
            sql.push_str(
                " LEFT JOIN tokbudget.account ON account.tenant_id OPERATOR(pg_catalog.=) entry.tenant_id
                     AND account.account_id OPERATOR(pg_catalog.=) entry.account_id",
            );
        }
        sql.push_str(
            " WHERE entry.tenant_id OPERATOR(pg_catalog.=) $1 AND $2 OPERATOR(pg_catalog.=) ANY (entry.account_ids)
                 AND entry.recorded_at OPERATOR(pg_catalog.>=) $3
                 AND entry.reserved_at OPERATOR(pg_catalog.>=) $3 AND entry.reserved_at OPERATOR(pg_catalog.<) $5
                 AND (entry.kind OPERATOR(pg_catalog.=) ANY (ARRAY['commit', 'charge'])
                     OR entry.reserved_at OPERATOR(pg_catalog.<) $4 AND entry.recorded_at OPERATOR(pg_catalog.<) $4
                         AND entry.kind OPERATOR(pg_catalog.<>) 'expire')
             ORDER BY entry.reserved_at, entry.recorded_at, entry.entry_id",
        );
        sql
    }
}

fn used_column(name: &str) -> String {
    let of = |column: &str| format!("COALESCE((entry.{column} OPERATOR(pg_catalog.->>) '{name}')::pg_catalog.int8, 0)");
    match name {
        meter::TOKENS => "entry.input_tokens OPERATOR(pg_catalog.+) entry.output_tokens".into(),
        meter::INPUT_TOKENS | meter::OUTPUT_TOKENS | meter::REQUESTS => format!("entry.{name}"),
        meter::COST => nanos!("entry.cost").into(),
        meter::INTERNAL_COST => nanos!("entry.internal_cost").into(),
        // What the provider counts stands among the kinds of token.
        _ if Bucket::from_name(name).is_some_and(Bucket::is_counter) => {
            format!("{} OPERATOR(pg_catalog.+) {}", of("meters"), of("buckets"))
        }
        _ => of("meters"),
    }
}

fn held_column(name: &str) -> String {
    let held = format!("(reservation.held OPERATOR(pg_catalog.->>) '{name}')");
    if meter::is_money(name) {
        format!("({held}::pg_catalog.numeric OPERATOR(pg_catalog.*) 1000000000::pg_catalog.numeric)::pg_catalog.int8")
    } else {
        format!("{held}::pg_catalog.int8")
    }
}
