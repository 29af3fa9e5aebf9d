//! Entries that may need a correction, read back from the ledger.

use pgrx::spi::{SpiClient, SpiHeapTupleData};
use pgrx::{JsonB, Uuid};
use serde_json::Value;

use super::Selection;
use crate::budget::meter::{self, Amounts};
use crate::instant::Instant;
use crate::ledger::Failure;
use crate::ledger::correction::{Total, nanos};
use crate::ledger::entry::counts_from_json;
use crate::ledger::pricing::{Call, Charge, charge, is_unpriced};
use crate::ledger::spender::own_account_ids;
use crate::statement::{instant, instants, optional, required, statement, timestamp};
use crate::usage::{Bucket, Part, Usage};

statement! {
    /// Entries that may need a correction, after the one given, oldest first.
    read find_entries(INT4OID, INT8OID, TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID, TIMESTAMPTZOID, UUIDOID, BOOLOID) =
    "SELECT entry.entry_id, entry.recorded_at, entry.reserved_at, entry.account_id, entry.account_ids, entry.budget_ids,
         entry.window_starts, entry.spent_units, entry.request_model, entry.buckets, entry.meters, entry.cost,
         entry.internal_cost, entry.currency, entry.service_tier, entry.region, entry.usage_details, account.path, entry.requests,
         COALESCE(latest.flags, entry.flags) OPERATOR(pg_catalog.&&) ARRAY['unpriced_meters']
     FROM tokbudget.entry
     JOIN tokbudget.account ON account.tenant_id OPERATOR(pg_catalog.=) entry.tenant_id
         AND account.account_id OPERATOR(pg_catalog.=) entry.account_id
     LEFT JOIN LATERAL (
         SELECT correction.price_id, correction.flags, correction.usage_details FROM tokbudget.entry AS correction
         WHERE correction.tenant_id OPERATOR(pg_catalog.=) entry.tenant_id
             AND correction.corrects_entry_id OPERATOR(pg_catalog.=) entry.entry_id
         ORDER BY correction.recorded_at DESC, correction.entry_id DESC
         LIMIT 1
     ) AS latest ON true
     WHERE entry.tenant_id OPERATOR(pg_catalog.=) $1
         AND (account.account_id OPERATOR(pg_catalog.=) $2 OR account.ancestor_ids OPERATOR(pg_catalog.@>) ARRAY[$2])
         AND ($3 IS NULL OR entry.request_model OPERATOR(pg_catalog.=) $3)
         AND entry.recorded_at OPERATOR(pg_catalog.>=) $4 AND entry.recorded_at OPERATOR(pg_catalog.<) $5
         AND (entry.recorded_at, entry.entry_id) OPERATOR(pg_catalog.>) ($6, $7)
         AND entry.kind OPERATOR(pg_catalog.=) ANY (ARRAY['commit', 'charge'])
         AND (
             CASE WHEN latest.flags IS NULL
                 THEN entry.cost IS NULL OR entry.flags OPERATOR(pg_catalog.&&) ARRAY['unpriced_meters']
                 ELSE latest.flags OPERATOR(pg_catalog.&&) ARRAY['unpriced_meters']
             END
             OR EXISTS (
                 SELECT FROM tokbudget.price
                 WHERE (
                         price.price_id OPERATOR(pg_catalog.=) COALESCE(latest.price_id, entry.price_id)
                         OR price.price_id OPERATOR(pg_catalog.=) ANY (ARRAY(
                             SELECT other.value::pg_catalog.int8
                             FROM pg_catalog.jsonb_each_text(
                                 COALESCE(latest.usage_details, entry.usage_details) OPERATOR(pg_catalog.->) 'other_prices') AS other))
                     )
                     AND (price.superseded_at IS NOT NULL OR price.ends_at OPERATOR(pg_catalog.<=) entry.reserved_at))
             OR $8
         )
     ORDER BY entry.recorded_at, entry.entry_id
     LIMIT 1000"
}

/// Where a page of entries ended; the next begins after it.
pub type Place = (Instant, Uuid);

/// The place before all entries.
pub fn beginning() -> Place {
    (Instant::BEFORE_ALL, Uuid::from_bytes([0; 16]))
}

/// The next entries of the account and all below it that may need a correction, oldest first, and where they end; none at
/// the end.
pub fn page(
    client: &mut SpiClient<'_>,
    tenant_id: i32,
    account_id: Option<i64>,
    selection: &Selection<'_>,
    after: Place,
) -> Result<Option<(Vec<Booked>, Place)>, Failure> {
    let arguments = [
        tenant_id.into(),
        account_id.into(),
        selection.model.into(),
        timestamp(selection.since)?.into(),
        timestamp(selection.until)?.into(),
        timestamp(after.0)?.into(),
        after.1.into(),
        selection.is_all.into(),
    ];
    let page = find_entries(client, &arguments)?.map(|row| Booked::read(&row)).collect::<Result<Vec<_>, _>>()?;
    let end = page.last().map(|end| (end.recorded_at, end.entry_id));
    Ok(end.map(|end| (page, end)))
}

/// An entry as the ledger has it.
pub struct Booked {
    pub entry_id: Uuid,
    pub recorded_at: Instant,
    pub reserved_at: Instant,
    pub account_id: i64,
    pub account_ids: Vec<i64>,
    pub budget_ids: Vec<i64>,
    pub window_starts: Vec<Instant>,
    /// As it was booked; with its corrections once it has been charged anew.
    pub total: Total,
    pub model: Option<String>,
    pub usage: Usage,
    pub meters: Amounts,
    pub currency: String,
    pub account: String,
    has_unpriced_meters: bool,
}

const UNREADABLE: Failure = Failure::Internal("an entry is unreadable");

impl Booked {
    fn read(row: &SpiHeapTupleData<'_>) -> Result<Booked, Failure> {
        let (buckets, meters, details): (JsonB, JsonB, JsonB) =
            (required(row, 10)?, required(row, 11)?, required(row, 17)?);
        let part = |part: &Value| {
            let model = part.get("model")?.as_str()?.to_string();
            Some(Part { model, counts: counts_from_json(part.get("buckets")?)? })
        };
        let members = |name: &str| details.0.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
        let mut counts = counts_from_json(&buckets.0).ok_or(UNREADABLE)?;
        counts[Bucket::Requests] = required(row, 19)?;
        let usage = Usage {
            counts,
            parts: members("parts").iter().map(part).collect::<Option<_>>().ok_or(UNREADABLE)?,
            surcharges: members("surcharges").iter().filter_map(Value::as_str).map(str::to_string).collect(),
            service_tier: optional(row, 15)?,
            region: optional(row, 16)?,
            ..Usage::default()
        };
        Ok(Booked {
            entry_id: required(row, 1)?,
            recorded_at: instant(row, 2)?,
            reserved_at: instant(row, 3)?,
            account_id: required(row, 4)?,
            account_ids: required(row, 5)?,
            budget_ids: required(row, 6)?,
            window_starts: instants(row, 7)?,
            total: Total {
                spent_units: required(row, 8)?,
                cost_nanos: nanos(optional(row, 12)?)?,
                internal_nanos: nanos(optional(row, 13)?)?,
            },
            model: optional(row, 9)?,
            usage,
            meters: meter::amounts_from_json(&meters.0).ok_or(UNREADABLE)?,
            currency: required(row, 14)?,
            account: required(row, 18)?,
            has_unpriced_meters: required(row, 20)?,
        })
    }

    /// What the entry costs at the prices of today for the instant of its call, if that is something else than the ledger
    /// says. The entry then has its earlier corrections added.
    pub fn charge_anew(&mut self, client: &mut SpiClient<'_>, tenant_id: i32) -> Result<Option<Charge>, Failure> {
        let tokens = self.usage.total_tokens().map_err(|_| UNREADABLE)?;
        if self.model.is_none() && tokens > 0 {
            return Ok(None);
        }
        let call = Call {
            tenant_id,
            chain: own_account_ids(&self.account_ids, self.account_id),
            currency: &self.currency,
            at: self.reserved_at,
            region: None,
            service_tier: None,
        };
        let charge = match charge(client, self.model.as_deref(), &self.usage, &self.meters, &call) {
            Ok(charge) if self.model.is_none() && charge.other_price_ids.is_empty() => return Ok(None),
            Ok(charge) => charge,
            Err(Failure::Refused(refusal)) if is_unpriced(&refusal) => return Ok(None),
            Err(failure) => return Err(failure),
        };
        self.total.add_corrections(client, tenant_id, self.entry_id)?;
        let is_same = self.total.cost_nanos == Some(charge.cost_nanos)
            && self.total.internal_nanos == Some(charge.internal_nanos);
        // A meter that turns out to be free is no longer one without a price.
        let is_complete_now = self.has_unpriced_meters && !charge.flags.contains(&"unpriced_meters");
        Ok((!is_same || is_complete_now).then_some(charge))
    }
}
