//! Commit: book what a call really used and give the rest of its hold back.

use pgrx::datum::TimestampWithTimeZone;
use pgrx::spi::SpiClient;
use pgrx::{AnyNumeric, JsonB, Uuid};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::budget::decision::{Budget, Claim, remaining};
use crate::budget::meter::{self, Amounts};
use crate::budget::window::Window;
use crate::clock;
use crate::engine::rows::Rows;
use crate::engine::{Engine, Settlement};
use crate::id;
use crate::instant::Instant;
use crate::ledger::attribution::{Attribution, COLUMNS};
use crate::ledger::{Failure, price_book};
use crate::price::{cost_nanos, format_nanos};
use crate::refusal::{Code, Refusal};
use crate::statement::{instant, instants, optional, required, statement, timestamp, timestamps};
use crate::usage::{self, Usage};

statement! {
    write lock_reservation(INT4OID, UUIDOID) =
    "SELECT reservation.account_id, reservation.account_ids, reservation.budget_ids, reservation.window_starts,
         reservation.held_units, reservation.held, reservation.model, reservation.cost_center, reservation.currency,
         reservation.state, reservation.created_at, reservation.expires_at, reservation.settle_hash,
         reservation.settlement, reservation.attributes, reservation.settled_at
     FROM tokbudget.reservation
     WHERE reservation.tenant_id OPERATOR(pg_catalog.=) $1 AND reservation.reservation_id OPERATOR(pg_catalog.=) $2
     FOR NO KEY UPDATE"
}

statement! {
    read find_limits(INT4OID, INT8ARRAYOID) =
    "SELECT budget.budget_id, budget.meter, budget.limit_units, budget.hard FROM tokbudget.budget
     WHERE budget.tenant_id OPERATOR(pg_catalog.=) $1 AND budget.budget_id OPERATOR(pg_catalog.=) ANY ($2)"
}

statement! {
    write insert_entry(
        INT4OID, UUIDOID, TIMESTAMPTZOID, TIMESTAMPTZOID, UUIDOID, INT8OID, INT8ARRAYOID, INT8ARRAYOID, TIMESTAMPTZARRAYOID,
        INT8ARRAYOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, INT8OID, INT8OID, INT8OID, INT8OID, INT8OID, JSONBOID,
        JSONBOID, NUMERICOID, TEXTOID, INT8OID, BOOLOID, BOOLOID, TEXTARRAYOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID,
        TEXTOID, TEXTOID, TEXTOID, JSONBOID
    ) =
    "INSERT INTO tokbudget.entry (
         tenant_id, entry_id, recorded_at, reserved_at, kind, reservation_id, account_id, account_ids, budget_ids,
         window_starts, spent_units, cost_center, provider, request_model, response_model, operation, requests,
         input_tokens, cache_read_input_tokens, cache_write_input_tokens, output_tokens, reasoning_output_tokens, buckets,
         meters, cost, currency, price_id, overrun, late, flags, workflow, step, session, task, end_user, agent, outcome,
         trace_id, labels, actor)
     VALUES ($1, $2, $3, $4, 'commit', $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, 1, $16, $17, $18, $19, $20, $21,
         $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36, $37, SESSION_USER)"
}

statement! {
    write mark_committed(INT4OID, UUIDOID, TIMESTAMPTZOID, BYTEAOID, JSONBOID) =
    "UPDATE tokbudget.reservation SET state = 'committed', settled_at = $3, settle_hash = $4, settlement = $5
     WHERE reservation.tenant_id OPERATOR(pg_catalog.=) $1 AND reservation.reservation_id OPERATOR(pg_catalog.=) $2"
}

/// A reservation whose row is locked.
pub struct Reservation {
    pub tenant_id: i32,
    pub reservation_id: Uuid,
    account_id: i64,
    account_ids: Vec<i64>,
    pub budget_ids: Vec<i64>,
    pub window_starts: Vec<Instant>,
    pub held_units: Vec<i64>,
    held: Amounts,
    model: Option<String>,
    cost_center: Option<String>,
    currency: String,
    pub state: String,
    created_at: Instant,
    expires_at: Instant,
    settle_hash: Option<Vec<u8>>,
    settlement: Option<Value>,
    attributes: Value,
    settled_at: Option<Instant>,
}

impl Reservation {
    /// Finds and locks the reservation; its id says whose it is.
    pub fn lock(client: &mut SpiClient<'_>, reservation_id: Uuid) -> Result<Reservation, Failure> {
        let unknown = || {
            Refusal::new(
                Code::NoSuchReservation,
                "no such reservation",
                json!({"reservation": reservation_id.to_string()}),
                "Pass the reservation that tb_reserve() returned; one whose transaction rolled back is gone.",
            )
        };
        let tenant_id = id::tenant_of(*reservation_id.as_bytes()).ok_or_else(unknown)?;
        let row = lock_reservation(client, &[tenant_id.into(), reservation_id.into()])?.next().ok_or_else(unknown)?;
        let held: JsonB = required(&row, 6)?;
        let settlement: Option<JsonB> = optional(&row, 14)?;
        let attributes: JsonB = required(&row, 15)?;
        let settled_at: Option<TimestampWithTimeZone> = optional(&row, 16)?;
        Ok(Reservation {
            tenant_id,
            reservation_id,
            account_id: required(&row, 1)?,
            account_ids: required(&row, 2)?,
            budget_ids: required(&row, 3)?,
            window_starts: instants(&row, 4)?,
            held_units: required(&row, 5)?,
            held: meter::amounts_from_json(&held.0)
                .ok_or(Failure::Internal("a reservation holds unreadable amounts"))?,
            model: optional(&row, 7)?,
            cost_center: optional(&row, 8)?,
            currency: required(&row, 9)?,
            state: required(&row, 10)?,
            created_at: instant(&row, 11)?,
            expires_at: instant(&row, 12)?,
            settle_hash: optional(&row, 13)?,
            settlement: settlement.map(|settlement| settlement.0),
            attributes: attributes.0,
            settled_at: settled_at.map(|at| clock::from_postgres(at.into())),
        })
    }

    /// The refusal to settle what is settled.
    pub fn already_settled(&self) -> Refusal {
        Refusal::new(
            Code::AlreadySettled,
            format!("reservation is already {}", self.state),
            json!({
                "reservation": self.reservation_id.to_string(),
                "state": self.state,
                "settled_at": self.settled_at.map(|at| at.to_string()),
            }),
            "A reservation is settled once. The same commit again gives its first answer; to change what was booked, add an entry.",
        )
    }

    /// Gives back the hold and adds `spent_units` to each budget; a hold that a sweep has closed is gone already.
    pub fn settlements(&self, spent_units: &[i64]) -> Vec<Settlement> {
        let is_held = self.state == "held";
        self.budget_ids
            .iter()
            .zip(&self.window_starts)
            .zip(self.held_units.iter().zip(spent_units))
            .map(|((budget_id, window_start), (held_units, spent_units))| Settlement {
                budget_id: *budget_id,
                window_start: *window_start,
                held_units: if is_held { *held_units } else { 0 },
                spent_units: *spent_units,
            })
            .collect()
    }
}

/// What a commit booked.
pub struct Receipt {
    pub entry: Uuid,
    pub cost_nanos: Option<i64>,
    pub currency: String,
    pub tokens: i64,
    pub overrun: bool,
    pub released: Value,
    pub remaining: Value,
}

impl Receipt {
    fn to_json(&self) -> Value {
        json!({
            "entry": self.entry.as_bytes(),
            "cost_nanos": self.cost_nanos,
            "currency": self.currency,
            "tokens": self.tokens,
            "overrun": self.overrun,
            "released": self.released,
            "remaining": self.remaining,
        })
    }

    fn from_json(value: &Value) -> Option<Receipt> {
        let bytes: Vec<u8> = value
            .get("entry")?
            .as_array()?
            .iter()
            .map(|byte| u8::try_from(byte.as_u64()?).ok())
            .collect::<Option<_>>()?;
        Some(Receipt {
            entry: Uuid::from_bytes(bytes.try_into().ok()?),
            cost_nanos: value.get("cost_nanos")?.as_i64(),
            currency: value.get("currency")?.as_str()?.to_string(),
            tokens: value.get("tokens")?.as_i64()?,
            overrun: value.get("overrun")?.as_bool()?,
            released: value.get("released")?.clone(),
            remaining: value.get("remaining")?.clone(),
        })
    }
}

/// What a call really used.
struct Used {
    usage: Usage,
    amounts: Amounts,
    meters: Amounts,
    cost_nanos: Option<i64>,
    price_id: Option<i64>,
    provider: Option<String>,
    flags: Vec<String>,
}

/// Settles a reservation with the provider's own usage object. More than was held is booked in full; after expiry it is
/// booked too, flagged late, because the ledger tells the truth.
pub fn commit(
    client: &mut SpiClient<'_>,
    reservation_id: Uuid,
    usage: Value,
    attributes: Value,
    now: Instant,
) -> Result<Receipt, Failure> {
    let response_model = usage.get("model").and_then(Value::as_str).map(str::to_string);
    let payload = json!({"usage": usage, "attributes": attributes}).to_string();
    let settle_hash = Sha256::digest(payload).to_vec();
    let attribution = Attribution::parse(attributes)?;

    let reservation = Reservation::lock(client, reservation_id)?;
    match reservation.state.as_str() {
        "held" | "expired" => {}
        "committed" if reservation.settle_hash.as_ref() == Some(&settle_hash) => {
            let receipt = reservation.settlement.as_ref().and_then(Receipt::from_json);
            return receipt.ok_or(Failure::Internal("the answer kept for a commit is unreadable"));
        }
        _ => return Err(reservation.already_settled().into()),
    }
    let attribution = Attribution::parse(reservation.attributes.clone())?.overridden_by(attribution);
    let used = read_usage(client, &reservation, usage)?;

    let budgets = read_budgets(client, &reservation)?;
    let spent_units: Vec<i64> =
        budgets.iter().map(|budget| used.amounts.get(&budget.meter).copied().unwrap_or(0)).collect();
    let overrun = spent_units.iter().zip(&reservation.held_units).any(|(spent, held)| spent > held);
    let late = now > reservation.expires_at;
    let settlements = reservation.settlements(&spent_units);
    let balances = Rows::new(client).settle(reservation.tenant_id, &settlements)?;

    let claims: Vec<Claim> =
        budgets.into_iter().map(|budget| Claim { budget, window: Window::WHOLE, units: 0 }).collect();
    let receipt = Receipt {
        entry: Uuid::from_bytes(id::new_uuid(reservation.tenant_id)?),
        cost_nanos: used.cost_nanos,
        currency: reservation.currency.clone(),
        tokens: used.amounts.get(meter::TOKENS).copied().unwrap_or(0),
        overrun,
        released: meter::amounts_to_json(&released(&reservation.held, &used.amounts)),
        remaining: meter::amounts_to_json(&remaining(&claims, &balances)),
    };
    book(client, &reservation, &used, &spent_units, &attribution, response_model, late, &receipt, now)?;
    mark_committed(
        client,
        &[
            reservation.tenant_id.into(),
            reservation_id.into(),
            timestamp(now)?.into(),
            settle_hash.into(),
            JsonB(receipt.to_json()).into(),
        ],
    )?;
    Ok(receipt)
}

/// Reads the usage object and prices it with the price that held when the reservation was made.
fn read_usage(client: &mut SpiClient<'_>, reservation: &Reservation, mut usage: Value) -> Result<Used, Failure> {
    const HINT: &str = "Pass the usage object as the provider returned it.";
    let given_meters = usage.as_object_mut().and_then(|object| object.remove("meters"));
    let given_meters = given_meters
        .map_or(Ok(Amounts::new()), |meters| meter::parse(&meters))
        .map_err(|error| Refusal::invalid_argument("usage", format!("meters: {error}"), HINT))?;
    let is_empty = usage.as_object().is_some_and(|object| object.is_empty());
    let usage = if reservation.model.is_none() && is_empty {
        // A call of a tool and not of a model has meters and no tokens.
        Usage::default()
    } else {
        usage::parse(&usage).map_err(|error| Refusal::invalid_argument("usage", error, HINT))?
    };
    let invalid = |error| Failure::from(Refusal::invalid_argument("usage", error, HINT));
    let input_tokens = usage.input_tokens().map_err(invalid)?;
    let output_tokens = usage.output_tokens().map_err(invalid)?;
    let tokens = usage.total_tokens().map_err(invalid)?;

    let mut flags: Vec<String> = usage.flags.iter().map(|flag| flag.as_str().to_string()).collect();
    if !usage.unknown_fields.is_empty() {
        flags.push("unknown_fields".into());
    }
    let mut used = Used {
        amounts: Amounts::new(),
        meters: Amounts::new(),
        cost_nanos: None,
        price_id: None,
        provider: usage.provider.map(str::to_string),
        flags,
        usage,
    };
    match &reservation.model {
        Some(model) => {
            let listed = price_book::find(client, model, &reservation.currency, reservation.created_at)?;
            let nanos = cost_nanos(&used.usage, &listed.price).map_err(|error| price_book::refuse(model, &error))?;
            used.cost_nanos = Some(nanos);
            used.price_id = Some(listed.price_id);
            used.provider = Some(listed.provider);
            used.amounts.insert(meter::COST.into(), nanos);
        }
        None if tokens > 0 => used.flags.push("unpriced".into()),
        None => {}
    }
    used.amounts.insert(meter::REQUESTS.into(), 1);
    used.amounts.insert(meter::INPUT_TOKENS.into(), input_tokens);
    used.amounts.insert(meter::OUTPUT_TOKENS.into(), output_tokens);
    used.amounts.insert(meter::TOKENS.into(), tokens);
    // What the usage does not tell of the other meters counts as it was held.
    for (name, units) in &reservation.held {
        if !used.amounts.contains_key(name) && name != meter::COST {
            used.meters.insert(name.clone(), *units);
        }
    }
    used.meters.extend(given_meters);
    used.amounts.extend(used.meters.clone());
    Ok(used)
}

/// The budgets of the reservation, in its order.
fn read_budgets(client: &mut SpiClient<'_>, reservation: &Reservation) -> Result<Vec<Budget>, Failure> {
    let mut budgets = Vec::with_capacity(reservation.budget_ids.len());
    if !reservation.budget_ids.is_empty() {
        for row in find_limits(client, &[reservation.tenant_id.into(), reservation.budget_ids.clone().into()])? {
            budgets.push(Budget {
                budget_id: required(&row, 1)?,
                account: String::new(),
                meter: required(&row, 2)?,
                limit_units: required(&row, 3)?,
                hard: required(&row, 4)?,
            });
        }
    }
    reservation
        .budget_ids
        .iter()
        .map(|budget_id| {
            let found = budgets.iter().find(|budget| budget.budget_id == *budget_id).cloned();
            found.ok_or(Failure::Internal("a budget of a reservation is missing"))
        })
        .collect()
}

fn released(held: &Amounts, used: &Amounts) -> Amounts {
    held.iter()
        .map(|(meter, held)| (meter.clone(), held.saturating_sub(used.get(meter).copied().unwrap_or(0))))
        .filter(|(_, released)| *released > 0)
        .collect()
}

#[allow(clippy::too_many_arguments, reason = "one row of the ledger is made of all of these")]
fn book(
    client: &mut SpiClient<'_>,
    reservation: &Reservation,
    used: &Used,
    spent_units: &[i64],
    attribution: &Attribution,
    response_model: Option<String>,
    late: bool,
    receipt: &Receipt,
    now: Instant,
) -> Result<(), Failure> {
    let cost = used
        .cost_nanos
        .map(|nanos| AnyNumeric::try_from(format_nanos(nanos).as_str()))
        .transpose()
        .map_err(|_| Failure::Internal("a cost is not a numeric"))?;
    let amount = |name: &str| used.amounts.get(name).copied().unwrap_or(0);
    let cache_write = used.usage.cache_write_tokens().unwrap_or(0);
    let mut arguments = vec![
        reservation.tenant_id.into(),
        receipt.entry.into(),
        timestamp(now)?.into(),
        timestamp(reservation.created_at)?.into(),
        reservation.reservation_id.into(),
        reservation.account_id.into(),
        reservation.account_ids.clone().into(),
        reservation.budget_ids.clone().into(),
        timestamps(reservation.window_starts.iter().copied())?.into(),
        spent_units.to_vec().into(),
        reservation.cost_center.clone().into(),
        used.provider.clone().into(),
        reservation.model.clone().into(),
        attribution.text("response_model").or(response_model).into(),
        attribution.text("operation").into(),
        amount(meter::INPUT_TOKENS).into(),
        used.usage.cache_read.into(),
        cache_write.into(),
        amount(meter::OUTPUT_TOKENS).into(),
        used.usage.reasoning.into(),
        JsonB(buckets(&used.usage)).into(),
        JsonB(meter::amounts_to_json(&used.meters)).into(),
        cost.into(),
        receipt.currency.clone().into(),
        used.price_id.into(),
        receipt.overrun.into(),
        late.into(),
        used.flags.clone().into(),
    ];
    arguments.extend(COLUMNS.iter().map(|column| attribution.text(column).into()));
    arguments.push(JsonB(attribution.labels()).into());
    insert_entry(client, &arguments)?;
    Ok(())
}

/// The token counts that were priced, by kind, without those that are zero.
fn buckets(usage: &Usage) -> Value {
    let counts = [
        ("uncached_input", usage.uncached_input),
        ("cache_read", usage.cache_read),
        ("cache_write", usage.cache_write),
        ("cache_write_5m", usage.cache_write_5m),
        ("cache_write_1h", usage.cache_write_1h),
        ("input_audio", usage.input_audio),
        ("input_image", usage.input_image),
        ("output_text", usage.output_text),
        ("reasoning", usage.reasoning),
        ("output_audio", usage.output_audio),
        ("output_image", usage.output_image),
        ("web_search_requests", usage.web_search_requests),
    ];
    Value::Object(
        counts.into_iter().filter(|(_, count)| *count != 0).map(|(name, count)| (name.into(), count.into())).collect(),
    )
}
