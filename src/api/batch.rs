//! Many calls in one: each item is an object with the arguments of the single call, by name.

use std::borrow::Cow;

use pgrx::datum::Interval;
use pgrx::prelude::*;
use pgrx::spi::SpiClient;
use pgrx::{FromDatum, IntoDatum, JsonB, Uuid, composite_type, pg_sys};
use serde_json::{Map, Value, json};

use crate::api::argument::{interval_us, missing, parse_json};
use crate::api::outcome::{Row, in_spi, or_put_aside, row};
use crate::api::spend::{decision, receipt_fields};
use crate::api::token::interrupt;
use crate::clock;
use crate::ledger::access::Authority;
use crate::ledger::batch::Answer;
use crate::ledger::commit::{Receipt, Report};
use crate::ledger::estimate::Wanted;
use crate::ledger::reserve::Request;
use crate::ledger::{Failure, charge, commit, reserve};
use crate::privilege::Privilege;
use crate::refusal::Refusal;

/// Longest batch: what one transaction should lock at once.
const ITEMS_MAX: usize = 100_000;

/// One item, from which arguments are taken; what is left over at the end is a mistake.
struct Item {
    object: Map<String, Value>,
}

impl Item {
    fn new(value: Value) -> Result<Item, Refusal> {
        match value {
            Value::Object(object) => Ok(Item { object }),
            _ => Err(Refusal::invalid_argument("item", "expected an object", "Pass the arguments by name.")),
        }
    }

    /// A member that is there and not null.
    fn take(&mut self, name: &str) -> Option<Value> {
        self.object.remove(name).filter(|value| !value.is_null())
    }

    fn text(&mut self, name: &str) -> Result<Option<String>, Refusal> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(Refusal::invalid_argument(name, "expected a text", "Pass a JSON string.")),
        }
    }

    fn count(&mut self, name: &str) -> Result<Option<i64>, Refusal> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let count = value.as_i64();
        count.map(Some).ok_or_else(|| Refusal::invalid_argument(name, "expected a whole number", "Pass a count."))
    }

    fn object(&mut self, name: &str) -> Value {
        self.take(name).unwrap_or_else(|| json!({}))
    }

    fn paths(&mut self, name: &str) -> Result<Vec<String>, Refusal> {
        let Some(value) = self.take(name) else { return Ok(Vec::new()) };
        let paths = value.as_array().and_then(|paths| paths.iter().map(|it| it.as_str().map(str::to_string)).collect());
        paths
            .ok_or_else(|| Refusal::invalid_argument(name, "expected a list of paths", "Pass a JSON array of strings."))
    }

    fn uuid(&mut self, name: &str) -> Result<Uuid, Refusal> {
        let text = self.text(name)?.ok_or_else(|| missing(name))?;
        let bytes =
            parse_uuid(&text).ok_or_else(|| Refusal::invalid_argument(name, "it is no UUID", "Pass a UUID."))?;
        Ok(Uuid::from_bytes(bytes))
    }

    fn interval_us(&mut self, name: &str) -> Result<Option<i64>, Refusal> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let us = parse_interval(text)
            .ok_or_else(|| Refusal::invalid_argument(name, "it is no interval", "Pass one such as \"10 minutes\"."))?;
        Ok(Some(us))
    }

    fn finish(self) -> Result<(), Refusal> {
        match self.object.keys().next() {
            None => Ok(()),
            Some(name) => Err(Refusal::invalid_argument(
                "item",
                format!("unknown member \"{}\"", name.chars().take(64).collect::<String>()),
                "An item has the arguments of the single call, by name.",
            )),
        }
    }
}

fn parse_uuid(text: &str) -> Option<[u8; 16]> {
    let digits: String = text.chars().filter(|char| *char != '-').collect();
    let is_hex = digits.len() == 32 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    is_hex.then(|| u128::from_str_radix(&digits, 16).ok().map(u128::to_be_bytes)).flatten()
}

/// As PostgreSQL reads intervals.
fn parse_interval(text: String) -> Option<i64> {
    let text = std::ffi::CString::new(text).ok()?;
    // SAFETY: interval_in takes (cstring, oid, int4); the C string outlives the call.
    let read = move || unsafe {
        let datum = pg_sys::OidInputFunctionCall(
            pg_sys::F_INTERVAL_IN.into(),
            text.as_ptr().cast_mut(),
            pg_sys::InvalidOid,
            -1,
        );
        Interval::from_datum(datum, false)
    };
    // It reads a text and nothing else, so there is nothing to roll back where it fails.
    let interval = PgTryBuilder::new(read)
        .catch_when(PgSqlErrorCode::ERRCODE_INVALID_DATETIME_FORMAT, |_| None)
        .catch_when(PgSqlErrorCode::ERRCODE_DATETIME_FIELD_OVERFLOW, |_| None)
        .catch_when(PgSqlErrorCode::ERRCODE_INTERVAL_FIELD_OVERFLOW, |_| None)
        .execute();
    interval.as_ref().map(interval_us)
}

fn items(name: &str, text: Option<&str>) -> Result<Vec<Value>, Refusal> {
    let Value::Array(items) = parse_json(name, text.ok_or_else(|| missing(name))?)? else {
        return Err(Refusal::invalid_argument(
            name,
            "expected an array of objects",
            "Pass a JSON array, one object a call.",
        ));
    };
    if items.len() > ITEMS_MAX {
        let why = format!("more than {ITEMS_MAX} items");
        return Err(Refusal::invalid_argument(name, why, "Pass fewer at a time."));
    }
    Ok(items)
}

/// Runs a batch. All or nothing: the first refusal, which then says which item it is of, is that of all.
fn run<Q, A>(
    name: &str,
    text: Option<&str>,
    all_or_nothing: Option<bool>,
    read: fn(Item) -> Result<Q, Refusal>,
    call: impl FnOnce(&mut SpiClient<'_>, Vec<Answer<Q>>) -> Result<Vec<Answer<A>>, Failure>,
) -> Result<Vec<Answer<A>>, Refusal> {
    let all_or_nothing = all_or_nothing.ok_or_else(|| missing("all_or_nothing"))?;
    let items = items(name, text)?;
    if items.is_empty() {
        return Ok(Vec::new());
    }
    let requests = items.into_iter().map(|item| Item::new(item).and_then(read)).collect();
    let answers = in_spi(|client| call(client, requests))?;
    if all_or_nothing
        && let Some((index, refusal)) =
            answers.iter().enumerate().find_map(|(i, it)| it.as_ref().err().map(|it| (i, it)))
    {
        let mut refusal = refusal.clone();
        if let Some(detail) = refusal.detail.as_object_mut() {
            detail.insert("item".into(), json!(index + 1));
        }
        return Err(refusal);
    }
    Ok(answers)
}

fn read_request(mut item: Item) -> Result<Request<'static>, Refusal> {
    /// What tb_reserve defaults to.
    const TTL_US: i64 = 600_000_000;
    let request = Request {
        account: item.text("account")?.ok_or_else(|| missing("account"))?,
        model: item.text("model")?,
        wanted: Wanted {
            input_tokens: item.count("input_tokens")?,
            prompt: item.text("prompt")?.map(Cow::Owned),
            messages: item.take("messages"),
            max_output_tokens: item.count("max_output_tokens")?,
        },
        meters: item.object("meters"),
        also: item.paths("also")?,
        idempotency_key: item.text("idempotency_key")?,
        ttl_us: item.interval_us("ttl")?.unwrap_or(TTL_US),
        attributes: item.object("attributes"),
    };
    item.finish()?;
    Ok(request)
}

fn read_report(mut item: Item) -> Result<Report, Refusal> {
    let report = Report {
        reservation_id: item.uuid("reservation")?,
        usage: item.take("usage"),
        attributes: item.object("attributes"),
        provider: item.text("provider")?,
        usage_source: item.text("usage_source")?.unwrap_or_else(|| "provider".into()),
        without_usage: item.text("without_usage")?.unwrap_or_else(|| "held".into()),
        idempotency_key: item.text("idempotency_key")?,
    };
    item.finish()?;
    Ok(report)
}

fn read_charge(mut item: Item) -> Result<charge::Request, Refusal> {
    let request = charge::Request {
        account: item.text("account")?.ok_or_else(|| missing("account"))?,
        model: item.text("model")?,
        usage: item.take("usage").ok_or_else(|| missing("usage"))?,
        meters: item.object("meters"),
        also: item.paths("also")?,
        attributes: item.object("attributes"),
        provider: item.text("provider")?,
        usage_source: item.text("usage_source")?.unwrap_or_else(|| "provider".into()),
        idempotency_key: item.text("idempotency_key")?,
        before: None,
    };
    item.finish()?;
    Ok(request)
}

/// A row that a guard charges: `before` has the usage and the meters that it was charged for already.
fn read_row(mut item: Item) -> Result<charge::Request, Refusal> {
    let before = match item.take("before") {
        None => None,
        Some(before) => {
            let mut before = Item::new(before)?;
            Some(charge::Before { usage: before.object("usage"), meters: before.object("meters") })
        }
    };
    Ok(charge::Request { before, ..read_charge(item)? })
}

#[pg_extern(sql = false)]
fn _reserve_many(
    requests: Option<&str>,
    all_or_nothing: Option<bool>,
) -> SetOfIterator<'static, composite_type!('static, "tokbudget.decision")> {
    let answers = run("requests", requests, all_or_nothing, read_request, |client, requests| {
        reserve::reserve(client, requests, clock::now(), &mut interrupt)
    });
    SetOfIterator::new(or_put_aside(answers).unwrap_or_default().into_iter().map(decision))
}

#[pg_extern(sql = false)]
fn _commit_many(
    reports: Option<&str>,
    all_or_nothing: Option<bool>,
) -> SetOfIterator<'static, composite_type!('static, "tokbudget.booking")> {
    let answers = run("commits", reports, all_or_nothing, read_report, |client, reports| {
        commit::commit(client, reports, clock::now())
    });
    SetOfIterator::new(or_put_aside(answers).unwrap_or_default().into_iter().map(booking))
}

#[pg_extern(sql = false)]
fn _charge_many(
    requests: Option<&str>,
    all_or_nothing: Option<bool>,
    enforce: Option<bool>,
) -> SetOfIterator<'static, composite_type!('static, "tokbudget.booking")> {
    let answers = enforce.ok_or_else(|| missing("enforce")).and_then(|enforce| {
        run("charges", requests, all_or_nothing, read_charge, |client, requests| {
            charge::charge(client, requests, Privilege::Spend.into(), enforce, clock::now())
        })
    });
    SetOfIterator::new(or_put_aside(answers).unwrap_or_default().into_iter().map(booking))
}

/// Charges the rows of a guarded table, all of one tenant, all or nothing. What has used no more than before is left out.
#[pg_extern(sql = false)]
fn _guard_charge(
    requests: Option<&str>,
    enforce: Option<bool>,
    tenant_id: Option<i32>,
    under: Option<i64>,
) -> Option<bool> {
    let charged = enforce.ok_or_else(|| missing("enforce")).and_then(|enforce| {
        let authority = Authority::Guard(tenant_id.zip(under));
        run("charges", requests, Some(true), read_row, |client, requests| {
            let mut answers: Vec<Answer<()>> = requests.iter().map(|_| Ok(())).collect();
            let mut indexes = Vec::with_capacity(requests.len());
            let mut changed = Vec::with_capacity(requests.len());
            for (index, request) in requests.into_iter().enumerate() {
                let request = request.and_then(|request| Ok((!request.is_unchanged()?).then_some(request)));
                if let Some(request) = request.transpose() {
                    indexes.push(index);
                    changed.push(request);
                }
            }
            let charged = charge::charge(client, changed, authority, enforce, clock::now())?;
            for (index, answer) in indexes.into_iter().zip(charged) {
                if let Some(place) = answers.get_mut(index) {
                    *place = answer.map(|_| ());
                }
            }
            Ok(answers)
        })
    });
    or_put_aside(charged).map(|_| true)
}

/// What was booked, or why nothing was, as a row.
fn booking(answer: Answer<Receipt>) -> Row {
    match answer {
        Ok(receipt) => {
            let mut all: [Option<pg_sys::Datum>; 14] = [None; 14];
            all[0] = true.into_datum();
            all[5..].copy_from_slice(&receipt_fields(receipt));
            row(c"booking", all)
        }
        Err(refusal) => {
            let mut all: [Option<pg_sys::Datum>; 14] = [None; 14];
            all[0] = false.into_datum();
            all[1] = refusal.code.sqlstate().into_datum();
            all[2] = refusal.reason.into_datum();
            all[3] = JsonB(refusal.detail).into_datum();
            all[4] = refusal.hint.into_datum();
            row(c"booking", all)
        }
    }
}
